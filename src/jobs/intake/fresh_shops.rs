//! Shops about to be paid, read from Mirakl before money is sent: their existence, their choice to
//! be paid through HiPay, and the block of their payments.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::operation::Operation;
use crate::domain::vendor::Vendor;
use crate::jobs::payout::due;
use crate::jobs::vendor::mirakl_setup::read_setup;
use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::remote::CallError;
use crate::remote::mirakl::Shop;
use crate::store::{StoreError, StoreReader, View, Writer};
use crate::text::message::msg;

/// Upper bound on the readings of a shop whose vendor changes during a reading.
const MAX_READINGS: u32 = 5;

/// Reads the shops of these operations, and updates their vendors from Mirakl. Returns the shops whose state could not
/// be read: they are not paid in this run. Nothing is sent if Mirakl cannot be asked.
pub(crate) async fn read(context: &Context, run: &BatchRun, operations: &[u64]) -> Result<BTreeSet<u64>, JobError> {
    let shop_of = |reader: &StoreReader<'_>, id: u64| {
        let operation = reader.get::<Operation>(&id).ok().flatten();
        Ok(operation.map(|operation| operation.mirakl_id))
    };
    let shops: BTreeSet<u64> = due::read_each(context, operations, shop_of).await?.into_iter().collect();
    let (mut unread, mut ahead) = (BTreeSet::new(), shops.into_iter().collect::<Vec<u64>>());
    for _ in 0..MAX_READINGS {
        if ahead.is_empty() {
            return Ok(unread);
        }
        let read = fetch(context, run, &ahead).await?;
        unread.extend(&read.unread);
        // Without the field in Mirakl no shop could state that it wants to be paid.
        if !read.shown.is_empty() && !read.shown.values().any(|shop| shop.wants_hipay) {
            match read_setup(context, true).await {
                Ok(setup) if setup.lacks_process_field() => return Err(JobError::Remote(msg!("vendors-no-field"))),
                Ok(_) => {}
                Err(JobError::Remote(_)) => {
                    unread.extend(ahead);
                    return Ok(unread);
                }
                Err(error) => return Err(error),
            }
        }
        let now = context.clock.now();
        let kept = context.store.write(move |writer: &mut Writer<'_>| write(writer, &read, now));
        let (gone, changed) = kept.await?;
        for mirakl_id in gone {
            run.warn(&Subject::shop(mirakl_id), msg!("shop-gone"));
        }
        ahead = changed;
    }
    unread.extend(ahead);
    Ok(unread)
}

/// Result of reading shops from Mirakl.
struct FreshShops {
    /// Shops with a known state, including those that do not exist.
    told: BTreeSet<u64>,
    shown: BTreeMap<u64, Shop>,
    unread: BTreeSet<u64>,
    /// Lower bound on the time of the answer (UTC).
    listed_at: Timestamp,
}

async fn fetch(context: &Context, run: &BatchRun, asked: &[u64]) -> Result<FreshShops, JobError> {
    let mut fetched = FreshShops {
        told: asked.iter().copied().collect(),
        shown: BTreeMap::new(),
        unread: BTreeSet::new(),
        listed_at: context.clock.now(),
    };
    let listing = context.mirakl.shops_with(asked).await.map_err(not_asked)?;
    for unreadable in &listing.unreadable {
        run.fail(Subject::default(), unreadable.into());
    }
    fetched.shown.extend(listing.rows.into_iter().map(|shop| (shop.shop_id, shop)));
    if listing.unreadable.is_empty() {
        return Ok(fetched);
    }
    // An unreadable row may be any of the missing shops: each is requested individually.
    for missing in asked.iter().filter(|id| !fetched.shown.contains_key(id)).copied().collect::<Vec<_>>() {
        let alone = context.mirakl.shops_with(&[missing]).await.map_err(not_asked)?;
        if !alone.unreadable.is_empty() {
            fetched.told.remove(&missing);
            fetched.unread.insert(missing);
        }
        fetched.shown.extend(alone.rows.into_iter().map(|shop| (shop.shop_id, shop)));
    }
    Ok(fetched)
}

fn not_asked(error: CallError) -> JobError {
    if error.is_credentials() { error.into() } else { JobError::Remote(msg!("shops-not-asked", error = &error)) }
}

/// Updates the vendors. Returns the shops that are gone since the last reading, and those whose
/// vendor changed during this one.
fn write(writer: &mut Writer<'_>, read: &FreshShops, now: Timestamp) -> Result<(Vec<u64>, Vec<u64>), StoreError> {
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for mirakl_id in &read.told {
        let Some(known) = writer.get::<Vendor>(mirakl_id)? else { continue };
        // A notice was faster, and may have changed the shop in Mirakl as well. A time in the
        // future was written by a wrong clock.
        if known.updated_at > read.listed_at && known.updated_at <= now {
            changed.push(*mirakl_id);
            continue;
        }
        let mut vendor = known.clone();
        match read.shown.get(mirakl_id) {
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
        if vendor != known || known.updated_at > now {
            vendor.updated_at = now;
            writer.put(&vendor)?;
        }
    }
    Ok((gone, changed))
}
