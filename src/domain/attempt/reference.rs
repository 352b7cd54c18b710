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
mod tests;
