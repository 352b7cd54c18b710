//! Tests of `domain/attempt/reference.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn only_the_products_form_is_taken_apart() {
    let parts = ReferenceParts::of("WITHDRAWAL_COMMISSION_2001_mkp_500001_R3").unwrap();
    assert_eq!((parts.kind, parts.beneficiary), (PaymentKind::Withdrawal, Beneficiary::Operator));
    assert_eq!((parts.wallet, parts.number), (500_001, 3));
    for other in ["", "TRANSFER_SALES_", "TRANSFER_SALES_1_2", "TRANSFER_SALES_1__2", "transfer_sales_1_2_3"] {
        assert_eq!(ReferenceParts::of(other), None, "{other}");
    }
    for other in ["TRANSFER_SALES_1_2_wallet", "REFUND_SALES_1_2_3", "TRANSFER_SALES__2_3", "by hand"] {
        assert_eq!(ReferenceParts::of(other), None, "{other}");
    }
}

proptest! {
    /// Finds the voucher, and no other one, whatever marketplace, wallet and attempt follow.
    #[test]
    fn the_voucher_is_found_whatever_follows(
        voucher in "[A-Za-z0-9-]{1,12}",
        other in "[A-Za-z0-9-]{1,12}",
        marketplace in "[A-Za-z0-9_]{0,8}[A-Za-z0-9]",
        wallet: u64,
        number in 1_u32..12,
    ) {
        for kind in PaymentKind::ALL {
            for beneficiary in Beneficiary::ALL {
                let base = format!("{}{voucher}_{marketplace}_{wallet}", prefix(kind, beneficiary));
                let whole = reference(&base, number);
                let parts = ReferenceParts::of(&whole).unwrap();
                prop_assert_eq!((parts.kind, parts.beneficiary), (kind, beneficiary));
                prop_assert_eq!((parts.wallet, parts.number), (wallet, number));
                prop_assert_eq!(split_number(&whole), (base.as_str(), number));
                prop_assert!(parts.is_of(&voucher));
                prop_assert_eq!(parts.is_of(&other), voucher == other);
            }
        }
    }
}
