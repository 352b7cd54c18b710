//! Tests of the realistic marketplace.

use std::collections::HashSet;

use iban::Iban;

use super::*;
use crate::sandbox::shops::{Market, Populated, Trouble, mend, open, populate};

async fn market(seed: u64) -> (Sandbox, Populated) {
    let options = SandboxOptions { clock: clock(), ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let built = populate(&sandbox, &Market::new(seed, jiff::civil::date(2026, 11, 21))).unwrap();
    (sandbox, built)
}

#[tokio::test]
async fn most_shops_are_in_order_and_every_trouble_comes_up() {
    let (sandbox, built) = market(1).await;
    let troubles: HashSet<Trouble> = built.shops.iter().filter_map(|(_, trouble)| *trouble).collect();
    assert_eq!((built.shops.len(), troubles.len()), (40, 10));
    sandbox.mirakl(|mirakl| {
        let names: HashSet<&str> = mirakl.shops.iter().map(|shop| shop.name.as_str()).collect();
        let emails: HashSet<&str> = mirakl.shops.iter().filter_map(|shop| shop.email.as_deref()).collect();
        assert_eq!((names.len(), emails.len()), (40, 39));
        assert!(emails.iter().all(|email| email.is_ascii()));
        for (shop, (id, trouble)) in mirakl.shops.iter().zip(&built.shops) {
            assert_eq!(shop.id, *id);
            let valid = shop.payment.as_ref().unwrap().iban.parse::<Iban>().is_ok();
            assert_eq!(valid, *trouble != Some(Trouble::WrongIban), "{}", shop.name);
        }
        assert!(
            mirakl.shops.iter().any(|shop| shop.professional) && mirakl.shops.iter().any(|shop| !shop.professional)
        );
    });
}

#[tokio::test]
async fn the_escrow_is_a_little_too_small() {
    let (sandbox, built) = market(1).await;
    assert!(built.escrow.is_positive() && built.owed.covers(built.escrow) && built.owed != built.escrow);
    assert_eq!(sandbox.hipay(|hipay| hipay.balance(400_001)), built.escrow);
    assert_eq!(sandbox.verify_once(), Ok(()));
    let debts = sandbox.mirakl(|mirakl| {
        mirakl.vouchers.iter().filter(|voucher| voucher.amount_transferred.as_ref().unwrap().starts_with('-')).count()
    });
    assert_eq!(debts, 1);
}

#[tokio::test]
async fn the_same_seed_builds_the_same_marketplace() {
    let dump = async |seed| {
        let (sandbox, _) = market(seed).await;
        sandbox.mirakl(|mirakl| format!("{:?}{:?}{:?}", mirakl.shops, mirakl.documents, mirakl.vouchers))
    };
    let first = dump(3).await;
    assert_eq!(first, dump(3).await);
    assert_ne!(first, dump(4).await);
}

/// Counts the shops without an obstacle. The latest document of a kind counts; a file whose name
/// begins with a digit is refused.
fn in_order(sandbox: &Sandbox) -> usize {
    sandbox.mirakl(|mirakl| {
        let last = |shop: u64, word: &str| {
            let of_kind = mirakl.documents.iter().filter(|one| one.shop_id == shop && one.kind.contains(word));
            of_kind.filter(|one| !one.kind.ends_with("_REAR")).max_by_key(|one| one.id)
        };
        let accepted = |shop: u64, word: &str| {
            last(shop, word).is_some_and(|one| !one.file_name.starts_with(|letter: char| letter.is_ascii_digit()))
        };
        let well = mirakl.shops.iter().filter(|shop| {
            shop.email.is_some()
                && shop.hipay_process == Some(true)
                && !shop.payment_blocked
                && shop.payment.as_ref().unwrap().iban.parse::<Iban>().is_ok()
                && accepted(shop.id, "IDENTITY")
                && accepted(shop.id, "BANK_ACCOUNT")
        });
        well.count()
    })
}

#[tokio::test]
async fn whatever_is_the_matter_with_a_shop_can_be_mended() {
    let sandbox = Sandbox::start(SandboxOptions { clock: clock(), ..SandboxOptions::default() }).await.unwrap();
    let (market, now) = (Market::new(1, jiff::civil::date(2026, 11, 21)), clock().now());
    open(&sandbox, &market, 0..40, now);
    assert_eq!(in_order(&sandbox), 32, "two of the ten troubles stand in nobody's way");
    for index in 0..40 {
        mend(&sandbox, &market, index, now);
    }
    assert_eq!(in_order(&sandbox), 40);
    sandbox.mirakl(|mirakl| {
        let ids: HashSet<u64> = mirakl.documents.iter().map(|document| document.id).collect();
        assert_eq!(ids.len(), mirakl.documents.len(), "two documents of one number");
    });
}
