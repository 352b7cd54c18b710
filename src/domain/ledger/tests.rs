use proptest::prelude::*;

use super::*;
use crate::domain::money::Currency;

fn entry(reference: &str, minor: i64, recipient: &str, label: &str) -> LedgerEntry {
    let at: Timestamp = "2026-11-12T08:00:00Z".parse().unwrap();
    LedgerEntry {
        account: 1,
        transaction_id: format!("tx-{reference}-{minor}"),
        kind: "6".to_owned(),
        status: "CAPTURED".to_owned(),
        amount: Some(Amount::from_minor(minor, Currency::EUR)),
        fees: None,
        reference: reference.to_owned(),
        label: label.to_owned(),
        issuer_email: "technical@marketplace.example".to_owned(),
        recipient_email: recipient.to_owned(),
        refusal_reason: String::new(),
        created_at: at,
        first_read_at: at,
        read_at: at,
        matched: LedgerMatch::Foreign,
        operation: None,
        unknown: Map::new(),
    }
}

fn judged(kind: PaymentKind, entries: &[LedgerEntry]) -> LedgerVerdict<'_> {
    judged_with(None, kind, entries)
}

fn judged_with(only_wallet: Option<u64>, kind: PaymentKind, entries: &[LedgerEntry]) -> LedgerVerdict<'_> {
    SoughtPayment {
        kind,
        beneficiary: Beneficiary::Vendor,
        vouchers: &["71".to_owned(), "000000000071".to_owned()],
        only_wallet,
        amount: Amount::from_minor(8_300, Currency::EUR),
        recipient_logins: &["shop@sellers.example".to_owned()],
        operator_logins: &["operator@marketplace.example".to_owned()],
        own_login: "technical@marketplace.example",
        since: "2026-11-11T00:00:00Z".parse().unwrap(),
    }
    .judge(entries, [])
}

#[test]
fn a_reference_with_the_voucher_is_its_payment_whatever_ids_follow() {
    for reference in [
        "TRANSFER_SALES_71_470153_500001",
        "TRANSFER_SALES_71_another-marketplace_999",
        "TRANSFER_SALES_000000000071_470153_7_R4",
    ] {
        // A different amount also matches: the difference is detected on adoption, and the operation is held.
        for minor in [8_300, 100] {
            let entries = [entry(reference, minor, "somebody@else.example", "")];
            assert_eq!(judged(PaymentKind::Transfer, &entries), LedgerVerdict::Paid(&entries[0]), "{reference}");
        }
    }
    for reference in
        ["TRANSFER_SALES_7_1_470153_500001", "TRANSFER_COMMISSION_71_470153_500001", "WITHDRAWAL_SALES_71_1_2"]
    {
        let entries = [entry(reference, 8_300, "shop@sellers.example", "71")];
        assert_eq!(judged(PaymentKind::Transfer, &entries), LedgerVerdict::NotPaid, "{reference}");
    }
}

#[test]
fn what_failed_or_belongs_to_another_operation_is_no_payment() {
    let mut failed = entry("TRANSFER_SALES_71_470153_500001", 8_300, "", "");
    failed.status = "ABORTED".to_owned();
    let mut taken = entry("", 8_300, "shop@sellers.example", "voucher 71");
    taken.operation = Some(3);
    assert_eq!(judged(PaymentKind::Transfer, &[failed, taken]), LedgerVerdict::NotPaid);
}

#[test]
fn two_live_payments_of_one_voucher_are_for_a_person() {
    let entries = [
        entry("TRANSFER_SALES_71_470153_500001", 8_300, "", ""),
        entry("TRANSFER_SALES_71_470153_500008", 8_300, "", ""),
    ];
    assert!(matches!(judged(PaymentKind::Transfer, &entries), LedgerVerdict::Several(found) if found.len() == 2));
}

#[test]
fn a_number_that_shops_share_is_certain_with_the_own_wallet_only() {
    let entries = [entry("TRANSFER_SALES_71_470153_500001", 8_300, "", "")];
    let judged = |wallet| judged_with(Some(wallet), PaymentKind::Transfer, &entries);
    assert!(matches!(judged(500_001), LedgerVerdict::Paid(_)));
    assert!(matches!(judged(500_002), LedgerVerdict::Possible(_)));
}

#[test]
fn without_a_reference_account_amount_and_label_have_to_fit() {
    let shop = "shop@sellers.example";
    let none = |entries: &[LedgerEntry]| matches!(judged(PaymentKind::Transfer, entries), LedgerVerdict::NotPaid);
    let paid = |entries: &[LedgerEntry]| matches!(judged(PaymentKind::Transfer, entries), LedgerVerdict::Paid(_));
    let possible =
        |entries: &[LedgerEntry]| matches!(judged(PaymentKind::Transfer, entries), LedgerVerdict::Possible(_));
    assert!(paid(&[entry("", 8_300, shop, "Cycle 2026-11-11, voucher 71.")]));
    assert!(paid(&[entry("", 8_300, &shop.to_uppercase(), "71")]));
    for label in ["2001-71", "shop 2001/71.", "(71)", "voucher_71", "No 000000000071"] {
        assert!(paid(&[entry("", 8_300, shop, label)]), "{label}");
    }
    // Partial matches, or missing values: possibly the payment.
    assert!(possible(&[entry("", 8_300, shop, "by hand")]));
    assert!(possible(&[entry("", 8_000, shop, "71")]));
    assert!(possible(&[entry("", 8_300, "other@sellers.example", "71")]));
    assert!(possible(&[entry("", 8_000, "other@sellers.example", "71")]));
    assert!(possible(&[entry("", 8_300, "", "71")]));
    assert!(possible(&[LedgerEntry { amount: None, ..entry("", 0, shop, "71") }]));
    assert!(none(&[entry("", 8_000, shop, "voucher 710 of 2071")]));
    assert!(none(&[entry("", 8_300, "other@sellers.example", "by hand")]));
    // The other operation of the same voucher: the commission.
    assert!(none(&[entry("", 1_500, "operator@marketplace.example", "71")]));
    let mut before = entry("", 8_300, shop, "71");
    before.created_at = "2026-11-01T00:00:00Z".parse().unwrap();
    assert!(none(&[before]));
    // Incoming money is no payment.
    let mut sales = entry("", 8_300, "", "71");
    sales.kind = "17".to_owned();
    assert!(none(&[sales, entry("", 8_300, "technical@marketplace.example", "71")]));
}

proptest! {
    /// Never overlooks a payment under the voucher's reference, whatever else the ledger shows.
    #[test]
    fn a_live_reference_is_never_overlooked(
        others in prop::collection::vec((0_i64..20_000, "[a-z0-9 ]{0,12}", any::<bool>()), 0..12),
        at in 0_usize..12,
        number in 1_u32..10,
    ) {
        let mut entries: Vec<LedgerEntry> = others
            .iter()
            .map(|(minor, label, known)| entry("", *minor, if *known { "shop@sellers.example" } else { "" }, label))
            .collect();
        let reference = crate::domain::attempt::reference("TRANSFER_SALES_71_m_9", number);
        entries.insert(at.min(entries.len()), entry(&reference, 8_300, "", ""));
        let verdict = judged(PaymentKind::Transfer, &entries);
        prop_assert!(matches!(verdict, LedgerVerdict::Paid(_) | LedgerVerdict::Several(_)), "{verdict:?}");
    }
}
