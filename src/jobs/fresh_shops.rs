//! The shops that are about to be paid, read from Mirakl before money is sent: whether they still exist, want to be
//! paid through HiPay, and whether their payments are blocked.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, JobError, Run, Subject};
use crate::mirakl::Shop;
use crate::operation::Operation;
use crate::sentence::say;
use crate::store::{StoreError, View, Writer};
use crate::vendor::Vendor;

/// Operations read from the store at once, and shops that Mirakl gives in one call.
const SLICE: usize = 100;

/// Reads the shops of these operations, and keeps what Mirakl says of their vendors. Nothing is sent where Mirakl
/// cannot be asked.
pub(super) async fn read(context: &Context, run: &Run, operations: &[u64]) -> Result<(), JobError> {
    let mut shops = BTreeSet::new();
    for slice in operations.chunks(SLICE) {
        let slice = slice.to_vec();
        let found = context.store.reading(move |reader| {
            let shops = slice.iter().filter_map(|id| reader.get::<Operation>(id).ok().flatten());
            Ok(shops.map(|operation| operation.mirakl_id).collect::<Vec<_>>())
        });
        shops.extend(found.await?);
    }
    let shops: Vec<u64> = shops.into_iter().collect();
    for asked in shops.chunks(SLICE) {
        keep(context, run, asked).await?;
    }
    Ok(())
}

async fn keep(context: &Context, run: &Run, asked: &[u64]) -> Result<(), JobError> {
    let listed_at = context.clock.now();
    let listing = context.mirakl.shops_with(asked).await.map_err(|error| {
        if error.is_credentials() { error.into() } else { JobError::Remote(say!("shops-not-asked", error = &error)) }
    })?;
    for unreadable in &listing.unreadable {
        run.fail(Subject::default(), unreadable.into());
    }
    // Where a row cannot be read, it may be any of those that are missing.
    let all_read = listing.unreadable.is_empty();
    let shown: BTreeMap<u64, Shop> = listing.rows.into_iter().map(|shop| (shop.shop_id, shop)).collect();
    let (asked, now) = (asked.to_vec(), context.clock.now());
    let gone = context.store.write(move |writer: &mut Writer<'_>| {
        let mut gone = Vec::new();
        for mirakl_id in asked {
            let Some(known) = writer.get::<Vendor>(&mirakl_id)? else { continue };
            // A notice was faster, and may have changed the shop in Mirakl as well.
            if known.updated_at > listed_at {
                continue;
            }
            let mut vendor = known.clone();
            match shown.get(&mirakl_id) {
                Some(shop) => {
                    vendor.blocked_by_person = known.is_block_of_person(shop.payment_blocked);
                    vendor.payment_blocked = shop.payment_blocked;
                    vendor.enabled = shop.wants_hipay;
                    vendor.gone = false;
                }
                None if all_read => vendor.gone = true,
                None => {}
            }
            if vendor.gone && !known.gone {
                gone.push(mirakl_id);
            }
            if vendor != known {
                vendor.updated_at = now;
                writer.put(&vendor)?;
            }
        }
        Ok::<_, StoreError>(gone)
    });
    for mirakl_id in gone.await? {
        run.warn(&Subject::shop(mirakl_id), say!("shop-gone"));
    }
    Ok(())
}
