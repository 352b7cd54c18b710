//! The shops that are about to be paid, read from Mirakl before money is sent: whether they still exist, want to be
//! paid through HiPay, and whether their payments are blocked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::setup::read_setup;
use super::{Context, JobError, Run, Subject};
use crate::mirakl::Shop;
use crate::operation::Operation;
use crate::remote::CallError;
use crate::sentence::say;
use crate::store::{StoreError, View, Writer};
use crate::vendor::Vendor;

/// Operations read from the store at once, and shops that Mirakl gives in one call.
const SLICE: usize = 100;

/// How often a shop is read again whose vendor changes while it is read.
const MOST_READINGS: u32 = 5;

/// Reads the shops of these operations, and keeps what Mirakl says of their vendors. Gives the shops of which it
/// cannot be told: they are not paid in this run. Nothing is sent where Mirakl cannot be asked.
pub(super) async fn read(context: &Context, run: &Run, operations: &[u64]) -> Result<BTreeSet<u64>, JobError> {
    let mut shops = BTreeSet::new();
    for slice in operations.chunks(SLICE) {
        let slice = slice.to_vec();
        let found = context.store.reading(move |reader| {
            let shops = slice.iter().filter_map(|id| reader.get::<Operation>(id).ok().flatten());
            Ok(shops.map(|operation| operation.mirakl_id).collect::<Vec<_>>())
        });
        shops.extend(found.await?);
    }
    let mut unread = BTreeSet::new();
    let shops: Vec<u64> = shops.into_iter().collect();
    for asked in shops.chunks(SLICE) {
        let mut ahead = asked.to_vec();
        for _ in 0..MOST_READINGS {
            if ahead.is_empty() {
                break;
            }
            ahead = keep(context, run, &ahead, &mut unread).await?;
        }
        unread.extend(ahead);
    }
    Ok(unread)
}

/// Keeps what Mirakl says of the shops that are asked for. Gives those whose vendor has changed meanwhile.
async fn keep(context: &Context, run: &Run, asked: &[u64], unread: &mut BTreeSet<u64>) -> Result<Vec<u64>, JobError> {
    let listed_at = context.clock.now();
    let listing = context.mirakl.shops_with(asked).await.map_err(not_asked)?;
    for unreadable in &listing.unreadable {
        run.fail(Subject::default(), unreadable.into());
    }
    let mut shown: BTreeMap<u64, Shop> = listing.rows.into_iter().map(|shop| (shop.shop_id, shop)).collect();
    let mut told: BTreeSet<u64> = asked.iter().copied().collect();
    if !listing.unreadable.is_empty() {
        // A row that cannot be read may be any of those that are missing: each is asked for by itself.
        for missing in asked.iter().filter(|id| !shown.contains_key(id)).copied().collect::<Vec<_>>() {
            let alone = context.mirakl.shops_with(&[missing]).await.map_err(not_asked)?;
            if !alone.unreadable.is_empty() {
                told.remove(&missing);
                unread.insert(missing);
            }
            shown.extend(alone.rows.into_iter().map(|shop| (shop.shop_id, shop)));
        }
    }
    // Without the field in Mirakl no shop could say that it wants to be paid.
    if !shown.is_empty()
        && !shown.values().any(|shop| shop.wants_hipay)
        && read_setup(context, true).await?.lacks_process_field()
    {
        return Err(JobError::Remote(say!("vendors-no-field")));
    }
    let now = context.clock.now();
    let kept = context.store.write(move |writer: &mut Writer<'_>| write(writer, &told, &shown, listed_at, now));
    let (gone, changed) = kept.await?;
    for mirakl_id in gone {
        run.warn(&Subject::shop(mirakl_id), say!("shop-gone"));
    }
    Ok(changed)
}

fn not_asked(error: CallError) -> JobError {
    if error.is_credentials() { error.into() } else { JobError::Remote(say!("shops-not-asked", error = &error)) }
}

/// Gives the shops that are gone since they were last read, and those whose vendor changed while they were read.
fn write(
    writer: &mut Writer<'_>,
    told: &BTreeSet<u64>,
    shown: &BTreeMap<u64, Shop>,
    listed_at: Timestamp,
    now: Timestamp,
) -> Result<(Vec<u64>, Vec<u64>), StoreError> {
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for mirakl_id in told {
        let Some(known) = writer.get::<Vendor>(mirakl_id)? else { continue };
        // A notice was faster, and may have changed the shop in Mirakl as well.
        if known.updated_at > listed_at {
            changed.push(*mirakl_id);
            continue;
        }
        let mut vendor = known.clone();
        match shown.get(mirakl_id) {
            Some(shop) => {
                vendor.blocked_by_person = known.is_block_of_person(shop.payment_blocked);
                vendor.payment_blocked = shop.payment_blocked;
                vendor.enabled = shop.wants_hipay;
                vendor.gone = false;
            }
            None => vendor.gone = true,
        }
        if vendor.gone && !known.gone {
            gone.push(*mirakl_id);
        }
        if vendor != known {
            vendor.updated_at = now;
            writer.put(&vendor)?;
        }
    }
    Ok((gone, changed))
}
