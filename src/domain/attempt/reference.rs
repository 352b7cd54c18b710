//! Payment references: composing them, and parsing those that HiPay shows.
//!
//! The form is that of the product that installations migrate from: `TRANSFER_SALES_<voucher>_<marketplace>_<wallet>`,
//! with `_R2`, `_R3`, … for later attempts.

use crate::domain::payment_kind::{Beneficiary, PaymentKind};

/// Returns the reference of attempt `number`.
pub fn reference(base: &str, number: u32) -> String {
    if number <= 1 { base.to_owned() } else { format!("{base}_R{number}") }
}

/// Splits a reference into that of the first attempt and the attempt's number.
pub fn split_number(reference: &str) -> (&str, u32) {
    let suffix = reference.rsplit_once("_R").and_then(|(base, number)| Some((base, number.parse().ok()?)));
    suffix.filter(|(_, number)| *number > 1).unwrap_or((reference, 1))
}

/// Returns the prefix of a payment's reference.
pub fn prefix(kind: PaymentKind, beneficiary: Beneficiary) -> &'static str {
    match (kind, beneficiary) {
        (PaymentKind::Transfer, Beneficiary::Vendor) => "TRANSFER_SALES_",
        (PaymentKind::Transfer, Beneficiary::Operator) => "TRANSFER_COMMISSION_",
        (PaymentKind::Withdrawal, Beneficiary::Vendor) => "WITHDRAWAL_SALES_",
        (PaymentKind::Withdrawal, Beneficiary::Operator) => "WITHDRAWAL_COMMISSION_",
    }
}

/// A reference of the product's form, split into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceParts<'a> {
    /// Kind of the payment: transfer or withdrawal.
    pub kind: PaymentKind,
    /// The payee.
    pub beneficiary: Beneficiary,
    /// `<voucher>_<marketplace>_<wallet>`. A voucher's number and a marketplace's id may contain underscores
    /// themselves, so only [`ReferenceParts::is_of`] determines which voucher it belongs to.
    pub rest: &'a str,
    /// The HiPay ID of the voucher's vendor at the end.
    pub wallet: u64,
    /// Number of the attempt: 1 for the first.
    pub number: u32,
}

impl<'a> ReferenceParts<'a> {
    /// Parses a reference; returns `None` if it has another form.
    pub fn of(reference: &'a str) -> Option<Self> {
        let (base, number) = split_number(reference.trim());
        for kind in PaymentKind::ALL {
            for beneficiary in Beneficiary::ALL {
                let Some(rest) = base.strip_prefix(prefix(kind, beneficiary)) else { continue };
                let (before, wallet) = rest.rsplit_once('_')?;
                let (voucher, marketplace) = before.split_once('_')?;
                let wallet = wallet.parse().ok()?;
                let whole = !voucher.is_empty() && !marketplace.is_empty();
                return whole.then_some(Self { kind, beneficiary, rest, wallet, number });
            }
        }
        None
    }

    /// Returns every text that may be the voucher's number: each beginning of the part after the prefix.
    pub fn voucher_numbers(&self) -> impl Iterator<Item = &'a str> {
        let (parts, rest) = (*self, self.rest);
        let beginnings = rest.match_indices('_').filter_map(move |(end, _)| rest.get(..end));
        beginnings.filter(move |voucher| parts.is_of(voucher))
    }

    /// Returns true if the reference belongs to the voucher with this number, whatever marketplace and wallet follow.
    pub fn is_of(&self, voucher: &str) -> bool {
        let marketplace = self
            .rest
            .strip_prefix(voucher)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(|rest| rest.rsplit_once('_'))
            .map(|(marketplace, _)| marketplace);
        !voucher.is_empty() && marketplace.is_some_and(|marketplace| !marketplace.is_empty())
    }
}

#[cfg(test)]
mod tests {
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
}
