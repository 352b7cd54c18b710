//! A voucher, Mirakl's statement for one shop and one cycle, and the operations that it produces.
//!
//! Pure. Negative amounts are netted here without loss: the total that the vouchers owed equals what the operations pay
//! plus what the vendor still owes.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use thiserror::Error;
use utoipa::ToSchema;

use crate::domain::money::{Amount, MoneyError};
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::platform::variants::{all, named};
use crate::text::message::{Message, msg};
use crate::text::word_by_name;

/// Source of the vouchers (`mirakl.voucherSource`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub enum VoucherSource {
    /// Mirakl's invoices (IV01).
    Invoices,
    /// Mirakl's seller billing cycles (SBC11).
    BillingCycles,
}

/// The maximum difference between the dates of one voucher in the two sources.
pub const MAX_SOURCE_DIFFERENCE: SignedDuration = SignedDuration::from_hours(24);

/// One voucher as Mirakl shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voucher {
    /// The number that is part of the payment reference: the invoice's id, or the billing cycle's payment voucher
    /// number.
    pub number: String,
    /// The source that it was read from.
    pub source: VoucherSource,
    /// The invoice's id, if known.
    pub invoice_id: Option<String>,
    /// The billing cycle's id, if known.
    pub billing_cycle_id: Option<String>,
    /// Store ID of the shop in Mirakl.
    pub shop_id: u64,
    /// Amount owed to the shop; zero or less if the shop owes.
    pub vendor_amount: Amount,
    /// Amount owed to the operator.
    pub operator_amount: Amount,
    /// Time at which Mirakl created it (UTC).
    pub created_at: Option<Timestamp>,
    /// Mirakl's word for the state of its payment.
    pub payment_state: Option<String>,
    /// The payment voucher's number, which both sources use, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voucher_number: Option<String>,
    /// Mirakl's code of the provider that pays it out (`pay_out_psp_code`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_out_provider: Option<String>,
    /// Mirakl's type of an invoice's row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_type: Option<String>,
}

/// A voucher as a list of Mirakl's shows it now; its amounts may be invalid or missing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVoucher {
    /// The voucher; without amounts if `unusable` is set.
    pub voucher: Voucher,
    /// The reason why its amounts cannot be used.
    pub unusable: Option<Message>,
}

impl Voucher {
    /// Returns the voucher's key: the source, the shop and the number.
    pub fn key(&self) -> (String, u64, String) {
        (self.source.name().to_owned(), self.shop_id, self.number.clone())
    }

    /// Returns the numbers that identify it in either source: two vouchers of a shop that share one are the same.
    pub fn identities(&self) -> Vec<(&'static str, String)> {
        // An earlier release stored the source's own number alone.
        let own = |source| (self.source == source).then_some(&self.number);
        let named = [
            ("invoice", self.invoice_id.as_ref().or(own(VoucherSource::Invoices))),
            ("voucher", self.voucher_number.as_ref().or(own(VoucherSource::BillingCycles))),
            ("billing_cycle", self.billing_cycle_id.as_ref()),
        ];
        named.into_iter().filter_map(|(kind, number)| Some((kind, number?.clone()))).collect()
    }

    /// Returns true if the two have different numbers of one kind: they are two vouchers, whatever else they share.
    pub fn contradicts(&self, other: &Self) -> bool {
        let others = other.identities();
        self.identities()
            .iter()
            .any(|(kind, number)| others.iter().any(|(other, told)| other == kind && told != number))
    }

    /// Returns true if `other` is a voucher of the other source for the same time that shares no kind of number with
    /// this one: it may be the same.
    pub fn may_be(&self, other: &Self) -> bool {
        let near = match (self.created_at, other.created_at) {
            (Some(one), Some(other)) => one.duration_since(other).abs() <= MAX_SOURCE_DIFFERENCE,
            (None, _) | (_, None) => true,
        };
        let (own, others) = (self.identities(), other.identities());
        let shares_kind = own.iter().any(|(kind, _)| others.iter().any(|(other, _)| other == kind));
        other.shop_id == self.shop_id && other.source != self.source && near && !shares_kind
    }

    /// Adds the numbers that identify `other`, the same voucher in the other source. Returns true if one of them was
    /// new.
    pub fn learn_identities(&mut self, other: &Self) -> bool {
        let mut learnt = false;
        for (known, told) in [
            (&mut self.invoice_id, &other.invoice_id),
            (&mut self.voucher_number, &other.voucher_number),
            (&mut self.billing_cycle_id, &other.billing_cycle_id),
        ] {
            if known.is_none() && told.is_some() {
                known.clone_from(told);
                learnt = true;
            }
        }
        learnt
    }

    /// Returns true if another provider pays it out. Only vouchers of the operator itself, or of no provider, are paid
    /// here.
    pub fn is_of_other_provider(&self) -> bool {
        let code = self.pay_out_provider.as_deref().map(str::trim).unwrap_or_default();
        !["", "NOT_SPECIFIED", "OPERATOR"].iter().any(|ours| code.eq_ignore_ascii_case(ours))
    }

    /// Returns true if its row is not an automatic invoice: other rows are not paid here.
    pub fn is_of_other_type(&self) -> bool {
        let kind = self.row_type.as_deref().map(str::trim).unwrap_or_default();
        !["", "AUTO_INVOICE"].iter().any(|ours| kind.eq_ignore_ascii_case(ours))
    }

    /// Returns true if Mirakl shows that it has been paid already.
    pub fn is_paid_already(&self) -> bool {
        self.payment_state.as_deref().is_some_and(|state| state.trim().eq_ignore_ascii_case("PAID"))
    }
}

/// Reason why a voucher has not produced operations yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum HeldBecause {
    /// A shop that is no vendor of ours, or has no wallet yet.
    VendorUnknown,
    /// A disabled vendor.
    VendorDisabled,
    /// A payment that Mirakl shows.
    PaidInMirakl,
    /// A date before the first cycle that this installation is responsible for.
    BeforeFirstCycle,
    /// A voucher that Mirakl does not show any more.
    NotShown,
    /// A payout by another provider.
    OtherProvider,
    /// A row that is not an automatic invoice.
    OtherType,
    /// A cycle that is not over.
    CycleOpen,
    /// A date outside every cycle's window.
    OutsideCycles,
    /// A voucher of the shop for the same time in the other source, without a sign whether it is this one.
    MayBeKnown,
    /// A person's statement that it was paid otherwise.
    Settled,
    /// A reason that this release does not know.
    #[serde(other)]
    Unknown,
}

impl HeldBecause {
    /// All reasons.
    pub const ALL: [Self; Self::VARIANTS.len()] = all(Self::VARIANTS);

    /// Returns the reason under which earlier releases handle it. They know five reasons, and retry each of them; a
    /// voucher that they would pay although it must not be paid from here is stored as if it had its operations.
    fn known_before(self) -> Option<Self> {
        match self {
            Self::VendorUnknown
            | Self::VendorDisabled
            | Self::PaidInMirakl
            | Self::BeforeFirstCycle
            | Self::NotShown => Some(self),
            Self::CycleOpen => Some(Self::NotShown),
            Self::OtherProvider
            | Self::OtherType
            | Self::OutsideCycles
            | Self::MayBeKnown
            | Self::Settled
            | Self::Unknown => None,
        }
    }
}

/// Storage of a reason in two fields: `held` for releases that know five of them, `held_for` for all others.
mod held_reason {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::HeldBecause;

    #[derive(Serialize, Deserialize)]
    struct StoredVoucher {
        held: Option<HeldBecause>,
        #[serde(skip_serializing_if = "Option::is_none")]
        held_for: Option<HeldBecause>,
    }

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(held: &Option<HeldBecause>, serializer: S) -> Result<S::Ok, S::Error> {
        let known_before = held.and_then(HeldBecause::known_before);
        let held_for = held.filter(|_| known_before != *held);
        StoredVoucher { held: known_before, held_for }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeldBecause>, D::Error> {
        let StoredVoucher { held, held_for } = StoredVoucher::deserialize(deserializer)?;
        Ok(match held {
            Some(held) => held_for.or(Some(held)),
            // Without `held`, an earlier release has created the operations of every reason it could see.
            None => held_for.filter(|held| held.known_before().is_none()),
        })
    }
}

impl From<&HeldBecause> for Message {
    fn from(reason: &HeldBecause) -> Self {
        match reason {
            HeldBecause::VendorUnknown => msg!("held-vendor-unknown"),
            HeldBecause::VendorDisabled => msg!("held-vendor-disabled"),
            HeldBecause::PaidInMirakl => msg!("held-paid-already"),
            HeldBecause::BeforeFirstCycle => msg!("held-before-first-cycle"),
            HeldBecause::NotShown => msg!("held-not-shown"),
            HeldBecause::OtherProvider => msg!("held-by-other-provider"),
            HeldBecause::OtherType => msg!("held-other-type"),
            HeldBecause::CycleOpen => msg!("held-cycle-open"),
            HeldBecause::OutsideCycles => msg!("held-outside-cycles"),
            HeldBecause::MayBeKnown => msg!("held-may-be-known"),
            HeldBecause::Settled => msg!("held-settled"),
            HeldBecause::Unknown => msg!("held-unknown-reason"),
        }
    }
}

/// A voucher's record in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoucherRecord {
    /// The voucher as Mirakl showed it when its operations were created, or as last read while it is held.
    pub voucher: Voucher,
    /// The cycle's day.
    pub cycle_date: Date,
    /// The cycle's cut (UTC).
    pub cycle_at: Timestamp,
    /// Reason why it has not produced operations yet; `None` once it has.
    #[serde(flatten, with = "held_reason")]
    pub held: Option<HeldBecause>,
    /// The latest amounts that Mirakl showed, if they differ from the first ones.
    pub changed_to: Option<(Amount, Amount)>,
    /// Time at which it was first seen (UTC).
    pub first_seen_at: Timestamp,
    /// True if a person has released it: the next run creates its operations, whatever held it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The choices of people about it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<VoucherNote>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A person's choice on a voucher that has not produced operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum VoucherChoice {
    /// Creation of its operations by the next run.
    Release,
    /// The statement that it was paid otherwise.
    Settle,
    /// A choice that this release does not know.
    #[serde(other)]
    Unknown,
}

/// A person's choice, with its author, time and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherNote {
    /// Time of the choice (UTC).
    pub at: Timestamp,
    /// The choice.
    pub choice: VoucherChoice,
    /// Name of the person.
    pub who: String,
    /// Reason; may be empty for a release.
    #[serde(default)]
    pub reason: String,
}

/// State of a voucher, used by the filters of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum VoucherState {
    /// Operations created.
    Operations,
    /// No operations yet.
    Held,
    /// Paid, or to be paid, by someone else.
    PaidElsewhere,
    /// Outside every cycle's window.
    OutsideCycles,
    /// Operations created, none of them above zero.
    NothingToPay,
    /// Removed from what Mirakl shows.
    Gone,
}

named!(pub VoucherSource, pub VoucherState, pub VoucherChoice);

impl VoucherRecord {
    /// Returns the id that people and scripts use: source, shop and number.
    pub fn id(&self) -> String {
        let (source, shop_id, number) = self.voucher.key();
        format!("{source}-{shop_id}-{number}")
    }

    /// Parses such an id into a key; returns `None` if it has another form.
    pub fn key_of(id: &str) -> Option<(String, u64, String)> {
        let (source, rest) = id.split_once('-')?;
        let (shop_id, number) = rest.split_once('-')?;
        Some((source.to_owned(), shop_id.parse().ok()?, number.to_owned()))
    }

    /// Returns the time at which Mirakl created it, or that of its cycle if Mirakl does not state it (UTC).
    pub fn made_at(&self) -> Timestamp {
        self.voucher.created_at.unwrap_or(self.cycle_at)
    }

    /// Returns the voucher's state.
    pub fn state(&self) -> VoucherState {
        match self.held {
            None if self.voucher.vendor_amount.is_positive() || self.voucher.operator_amount.is_positive() => {
                VoucherState::Operations
            }
            None => VoucherState::NothingToPay,
            Some(HeldBecause::PaidInMirakl | HeldBecause::OtherProvider | HeldBecause::Settled) => {
                VoucherState::PaidElsewhere
            }
            Some(HeldBecause::OutsideCycles) => VoucherState::OutsideCycles,
            Some(HeldBecause::NotShown) => VoucherState::Gone,
            Some(
                HeldBecause::VendorUnknown
                | HeldBecause::VendorDisabled
                | HeldBecause::BeforeFirstCycle
                | HeldBecause::OtherType
                | HeldBecause::CycleOpen
                | HeldBecause::MayBeKnown
                | HeldBecause::Unknown,
            ) => VoucherState::Held,
        }
    }
}

/// An operation that still has to be numbered and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationDraft {
    /// The payee.
    pub beneficiary: Beneficiary,
    /// Amount to pay.
    pub amount: Amount,
    /// The voucher's amount.
    pub origin_amount: Amount,
    /// `CREATED`, or `INVALID_AMOUNT` if there is nothing to pay.
    pub status: Status,
    /// The negative operations netted into it.
    pub adjusts: Vec<u64>,
}

/// Two currencies, or an amount beyond 64 bits, in one voucher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("voucher {number}: {cause}")]
pub struct Unbookable {
    /// The voucher's number.
    pub number: String,
    /// The error in its amounts.
    pub cause: MoneyError,
}

impl From<Unbookable> for Message {
    fn from(error: Unbookable) -> Self {
        msg!("voucher-unbookable", voucher = error.number, error = &error.cause)
    }
}

/// Returns the operations that `voucher` produces: the vendor's, and the operator's if there is a commission.
/// `outstanding` are the vendor's negative operations that are not compensated yet, oldest first; empty if netting is
/// switched off.
///
/// Each is netted only if the rest stays above zero; one that is too large is skipped for a smaller one after it.
pub fn operations(voucher: &Voucher, outstanding: &[Operation]) -> Result<Vec<OperationDraft>, Unbookable> {
    let unbookable = |cause| Unbookable { number: voucher.number.clone(), cause };
    let (owed, commission) = (voucher.vendor_amount, voucher.operator_amount);
    if commission.currency() != owed.currency() {
        return Err(unbookable(MoneyError::CurrencyMismatch(owed.currency(), commission.currency())));
    }
    let mut drafts = vec![draft(Beneficiary::Vendor, owed, outstanding).map_err(unbookable)?];
    if commission.minor() != 0 {
        drafts.push(draft(Beneficiary::Operator, commission, outstanding).map_err(unbookable)?);
    }
    Ok(drafts)
}

/// Makes the operation of one beneficiary: the amount owed, less its outstanding debts.
fn draft(
    beneficiary: Beneficiary,
    origin_amount: Amount,
    outstanding: &[Operation],
) -> Result<OperationDraft, MoneyError> {
    let (mut amount, mut adjusts) = (origin_amount, Vec::new());
    if origin_amount.is_positive() {
        let debts = outstanding.iter().filter(|operation| {
            operation.beneficiary == beneficiary
                && operation.status == Status::InvalidAmount
                && operation.amount.currency() == origin_amount.currency()
        });
        for debt in debts {
            let rest = amount.checked_add(debt.amount)?;
            if debt.amount.minor() < 0 && rest.is_positive() {
                amount = rest;
                adjusts.push(debt.id);
            }
        }
    }
    let status = if amount.is_positive() { Status::Created } else { Status::InvalidAmount };
    Ok(OperationDraft { beneficiary, amount, origin_amount, status, adjusts })
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    fn euro(minor: i64) -> Amount {
        Amount::from_minor(minor, Currency::EUR)
    }

    fn voucher(number: usize, vendor: i64, operator: i64) -> Voucher {
        Voucher {
            number: format!("{number:06}"),
            source: VoucherSource::Invoices,
            invoice_id: None,
            billing_cycle_id: None,
            shop_id: 2001,
            vendor_amount: euro(vendor),
            operator_amount: euro(operator),
            created_at: None,
            payment_state: None,
            voucher_number: None,
            pay_out_provider: None,
            row_type: None,
        }
    }

    /// Returns an operation for tests, with the values that matter to netting and sending, and plain values elsewhere.
    pub(crate) fn operation(id: u64, draft: &OperationDraft) -> Operation {
        Operation {
            id,
            voucher: id.to_string(),
            invoice_id: None,
            billing_cycle_id: None,
            voucher_number: None,
            beneficiary: draft.beneficiary,
            mirakl_id: 2001,
            vendor_hipay_id: 1,
            recipient_hipay_id: 1,
            amount: draft.amount,
            origin_amount: draft.origin_amount,
            adjusts: draft.adjusts.clone(),
            adjusted_by: None,
            cycle_date: date(2026, 11, 11),
            cycle_at: Timestamp::UNIX_EPOCH,
            voucher_created_at: None,
            status: draft.status,
            message: String::new(),
            held: None,
            held_for: None,
            candidates: Vec::new(),
            dismissed: Vec::new(),
            remainder_of: None,
            held_before: None,
            waived: Vec::new(),
            unready: None,
            balance: None,
            shortfall: None,
            transfer: crate::domain::attempt::Payment::default(),
            withdrawal: crate::domain::attempt::Payment::default(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            history: Vec::new(),
            unknown: Map::new(),
        }
    }

    #[test]
    fn a_reason_that_former_releases_do_not_know_is_kept_beside_one_that_they_do() {
        let known = ["vendor_unknown", "vendor_disabled", "paid_in_mirakl", "before_first_cycle", "not_shown"];
        for held in HeldBecause::ALL.map(Some).into_iter().chain([None]) {
            let record = VoucherRecord {
                voucher: voucher(1, 100, 0),
                cycle_date: date(2026, 11, 11),
                cycle_at: Timestamp::UNIX_EPOCH,
                held,
                changed_to: None,
                first_seen_at: Timestamp::UNIX_EPOCH,
                released: false,
                story: Vec::new(),
                unknown: Map::new(),
            };
            let json = serde_json::to_value(&record).unwrap();
            assert!(json["held"].as_str().is_none_or(|word| known.contains(&word)), "{json}");
            assert_eq!(serde_json::from_value::<VoucherRecord>(json.clone()).unwrap(), record, "{json}");
            // If the earlier release saw no reason, it has created the operations meanwhile.
            let seen = !json["held"].is_null();
            let mut made = json;
            made["held"] = Value::Null;
            let expected = if seen { None } else { held };
            assert_eq!(serde_json::from_value::<VoucherRecord>(made).unwrap().held, expected);
        }
    }

    #[test]
    fn only_what_is_the_operators_own_or_nobodys_is_paid_here() {
        for (code, other) in [
            (None, false),
            (Some(""), false),
            (Some("NOT_SPECIFIED"), false),
            (Some(" operator "), false),
            (Some("MIRAKL_PAYOUT"), true),
            (Some("MANGOPAY"), true),
            (Some("SOMETHING_NEW"), true),
        ] {
            let voucher = Voucher { pay_out_provider: code.map(str::to_owned), ..voucher(1, 100, 0) };
            assert_eq!(voucher.is_of_other_provider(), other, "{code:?}");
        }
    }

    #[test]
    fn a_plain_voucher_pays_the_vendor_and_the_operator() {
        let drafts = operations(&voucher(1, 10_000, 1_500), &[]).unwrap();
        assert_eq!(drafts.len(), 2);
        assert_eq!(
            (drafts[0].beneficiary, drafts[0].amount, drafts[0].status),
            (Beneficiary::Vendor, euro(10_000), Status::Created)
        );
        assert_eq!((drafts[1].beneficiary, drafts[1].amount), (Beneficiary::Operator, euro(1_500)));
        assert_eq!(operations(&voucher(1, 10_000, 0), &[]).unwrap().len(), 1);
        // The operator's debts are recorded as well.
        let drafts = operations(&voucher(1, 10_000, -5), &[]).unwrap();
        let owed = drafts.iter().find(|draft| draft.beneficiary == Beneficiary::Operator).unwrap();
        assert_eq!((owed.amount, owed.status), (euro(-5), Status::InvalidAmount));
    }

    #[test]
    fn debts_are_netted_oldest_first_while_something_is_left() {
        let debts: Vec<Operation> = [-4_000, -7_000, -2_000, -4_000]
            .into_iter()
            .zip(1..)
            .map(|(minor, id)| operation(id, &operations(&voucher(1, minor, 0), &[]).unwrap()[0]))
            .collect();
        let drafts = operations(&voucher(9, 10_000, 0), &debts).unwrap();
        // 10000 - 4000 = 6000; -7000 does not fit; - 2000 = 4000; -4000 would leave nothing.
        assert_eq!((drafts[0].amount, &drafts[0].adjusts), (euro(4_000), &vec![1, 3]));
        assert_eq!(drafts[0].origin_amount, euro(10_000));
    }

    #[test]
    fn another_currency_is_left_alone_and_two_in_one_voucher_are_refused() {
        let dollar = Amount::from_minor(-500, Currency::from_code("USD").unwrap());
        let mut debt = operation(1, &operations(&voucher(1, -1, 0), &[]).unwrap()[0]);
        debt.amount = dollar;
        assert!(operations(&voucher(2, 1_000, 0), &[debt]).unwrap()[0].adjusts.is_empty());
        let mut mixed = voucher(3, 1_000, 0);
        mixed.operator_amount = dollar;
        assert!(operations(&mixed, &[]).is_err());
    }

    proptest! {
        /// Checks that the total owed by the vouchers equals what will be paid plus what the vendor still owes, to the
        /// cent.
        #[test]
        fn netting_conserves_money(amounts in prop::collection::vec(-50_000_i64..50_000, 1..40)) {
            let mut stored: Vec<Operation> = Vec::new();
            for (index, minor) in amounts.iter().enumerate() {
                let outstanding: Vec<Operation> =
                    stored.iter().filter(|operation| operation.status == Status::InvalidAmount).cloned().collect();
                let draft = &operations(&voucher(index, *minor, 0), &outstanding).unwrap()[0];
                prop_assert_eq!(draft.amount.is_positive(), *minor > 0);
                for id in &draft.adjusts {
                    let netted = stored.iter_mut().find(|operation| operation.id == *id).unwrap();
                    prop_assert_eq!(netted.status, Status::InvalidAmount);
                    netted.status = Status::AdjustedOperations;
                }
                stored.push(operation(u64::try_from(index).unwrap() + 1, draft));
            }
            let sum = |status| -> i64 {
                stored.iter().filter(|operation| operation.status == status).map(|operation| operation.amount.minor()).sum()
            };
            prop_assert_eq!(sum(Status::Created) + sum(Status::InvalidAmount), amounts.iter().sum::<i64>());
        }
    }
}

word_by_name!(VoucherState => "voucher-state", VoucherChoice => "voucher-choice");
