//! A voucher, Mirakl's statement for one shop and one cycle, and the operations it makes.
//!
//! Pure. Negative amounts are netted here, and nothing is lost by it: what the vouchers owed is
//! what the operations pay plus what is still owed by the vendor.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use utoipa::ToSchema;

use crate::domain::money::{Amount, MoneyError};
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::text::message::{Message, msg};
use crate::text::word_by_name;

/// Where vouchers are read from (`mirakl.voucherSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VoucherSource {
    /// Mirakl's invoices (IV01).
    #[serde(rename = "invoices")]
    Invoices,
    /// Mirakl's seller billing cycles (SBC11).
    #[serde(rename = "billingCycles")]
    BillingCycles,
}

impl VoucherSource {
    /// The value in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoices => "invoices",
            Self::BillingCycles => "billingCycles",
        }
    }
}

impl fmt::Display for VoucherSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The maximum difference between the dates of one voucher in the two sources.
pub const SOURCES_APART: SignedDuration = SignedDuration::from_hours(24);

/// One voucher as Mirakl tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voucher {
    /// The number that goes into the payment reference: the invoice's id, or the billing cycle's
    /// payment voucher number.
    pub number: String,
    /// Where it was read.
    pub source: VoucherSource,
    /// The invoice's id, where known.
    #[serde(default)]
    pub invoice_id: Option<String>,
    /// The billing cycle's id, where known.
    #[serde(default)]
    pub billing_cycle_id: Option<String>,
    /// The shop.
    pub shop_id: u64,
    /// What the shop is owed; zero or less where it owes.
    pub vendor_amount: Amount,
    /// What the operator is owed.
    pub operator_amount: Amount,
    /// When Mirakl made it (UTC).
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Mirakl's word for whether it was paid.
    #[serde(default)]
    pub payment_state: Option<String>,
    /// The payment voucher's number, which both sources name it by, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher_number: Option<String>,
    /// Mirakl's code of the provider that pays it out (`pay_out_psp_code`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_out_provider: Option<String>,
    /// Mirakl's type of an invoice's row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_type: Option<String>,
}

/// A voucher as a list of Mirakl's shows it now; its amounts may make no sense, or not be there.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVoucher {
    /// The voucher; without amounts where `unusable` says so.
    pub voucher: Voucher,
    /// The reason why its amounts cannot be used.
    pub unusable: Option<Message>,
}

impl Voucher {
    /// What names it: the source, the shop and the number.
    pub fn key(&self) -> (String, u64, String) {
        (self.source.name().to_owned(), self.shop_id, self.number.clone())
    }

    /// The numbers by which it is known in either source: two vouchers of a shop that share one are the same.
    pub fn identities(&self) -> Vec<(&'static str, String)> {
        // A release before this one has kept the source's own number alone.
        let own = |source| (self.source == source).then_some(&self.number);
        let named = [
            ("invoice", self.invoice_id.as_ref().or(own(VoucherSource::Invoices))),
            ("voucher", self.voucher_number.as_ref().or(own(VoucherSource::BillingCycles))),
            ("billing_cycle", self.billing_cycle_id.as_ref()),
        ];
        named.into_iter().filter_map(|(kind, number)| Some((kind, number?.clone()))).collect()
    }

    /// Returns true where both are known by another number of one kind: they are two vouchers, whatever else they
    /// share.
    pub fn contradicts(&self, other: &Self) -> bool {
        let others = other.identities();
        self.identities()
            .iter()
            .any(|(kind, number)| others.iter().any(|(other, told)| other == kind && told != number))
    }

    /// Returns true where `other` is a voucher of the other source for the same time that shares no kind of number with
    /// this one: it may be the same.
    pub fn may_be(&self, other: &Self) -> bool {
        let near = match (self.created_at, other.created_at) {
            (Some(one), Some(other)) => one.duration_since(other).abs() <= SOURCES_APART,
            (None, _) | (_, None) => true,
        };
        let (own, others) = (self.identities(), other.identities());
        let shares_kind = own.iter().any(|(kind, _)| others.iter().any(|(other, _)| other == kind));
        other.shop_id == self.shop_id && other.source != self.source && near && !shares_kind
    }

    /// Takes over the numbers that `other`, the same voucher in the other source, is known by. True where
    /// there was one that was not known.
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

    /// Returns true where another provider pays it out. Only what is the operator's own, or nobody's, is paid here.
    pub fn is_of_other_provider(&self) -> bool {
        let code = self.pay_out_provider.as_deref().map(str::trim).unwrap_or_default();
        !["", "NOT_SPECIFIED", "OPERATOR"].iter().any(|ours| code.eq_ignore_ascii_case(ours))
    }

    /// Returns true where its row is no automatic invoice: those are not paid here.
    pub fn is_of_other_type(&self) -> bool {
        let kind = self.row_type.as_deref().map(str::trim).unwrap_or_default();
        !["", "AUTO_INVOICE"].iter().any(|ours| kind.eq_ignore_ascii_case(ours))
    }

    /// True where Mirakl says that it has been paid already.
    pub fn is_paid_already(&self) -> bool {
        self.payment_state.as_deref().is_some_and(|state| state.trim().eq_ignore_ascii_case("PAID"))
    }
}

/// Why a voucher has made no operation yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBecause {
    /// Its shop is no vendor of ours, or has no wallet yet.
    VendorUnknown,
    /// Its vendor is disabled.
    VendorDisabled,
    /// Mirakl says that it was paid.
    PaidInMirakl,
    /// It was made before the first cycle that this installation is responsible for.
    BeforeFirstCycle,
    /// Mirakl does not show it any more.
    NotShown,
    /// Another provider pays it out.
    OtherProvider,
    /// It is no automatic invoice.
    OtherType,
    /// Its cycle is not over.
    CycleOpen,
    /// No cycle's window contains it.
    OutsideCycles,
    /// The other source has shown a voucher of the shop for the same time, and nothing tells whether it is this
    /// one.
    MayBeKnown,
    /// A person has said that it was paid otherwise.
    Settled,
    /// A reason of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl HeldBecause {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::VendorUnknown,
        Self::VendorDisabled,
        Self::PaidInMirakl,
        Self::BeforeFirstCycle,
        Self::NotShown,
        Self::OtherProvider,
        Self::OtherType,
        Self::CycleOpen,
        Self::OutsideCycles,
        Self::MayBeKnown,
        Self::Settled,
        Self::Unknown,
    ];

    /// Returns the reason that the releases before this one take it for. They know five reasons, and try each
    /// again; what they would pay although it is not to be paid from here is written as if it had its operations.
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

/// A reason in two fields: `held` for releases that know five of them, `held_for` for all others.
mod held_reason {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::HeldBecause;

    #[derive(Serialize, Deserialize)]
    struct Stored {
        #[serde(default)]
        held: Option<HeldBecause>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_for: Option<HeldBecause>,
    }

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(held: &Option<HeldBecause>, serializer: S) -> Result<S::Ok, S::Error> {
        let known_before = held.and_then(HeldBecause::known_before);
        let held_for = held.filter(|_| known_before != *held);
        Stored { held: known_before, held_for }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeldBecause>, D::Error> {
        let Stored { held, held_for } = Stored::deserialize(deserializer)?;
        Ok(match held {
            Some(held) => held_for.or(Some(held)),
            // Without `held`, a release before this one has made the operations of what it could see.
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

/// What we remember of a voucher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoucherRecord {
    /// As Mirakl told it when it made its operations, or as last read while it is held.
    pub voucher: Voucher,
    /// The cycle's day.
    pub cycle_date: Date,
    /// The cycle's cut (UTC).
    pub cycle_at: Timestamp,
    /// Why it has made no operation yet; `None` once it has.
    #[serde(flatten, with = "held_reason")]
    pub held: Option<HeldBecause>,
    /// The latest amounts that Mirakl showed, where they differ from the first ones.
    #[serde(default)]
    pub changed_to: Option<(Amount, Amount)>,
    /// When it was first seen (UTC).
    pub first_seen_at: Timestamp,
    /// A person has released it: the next run makes its operations, whatever held it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The choices of people about it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<VoucherNote>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A person's choice on a voucher that has made no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoucherChoice {
    /// Its operations are made by the next run.
    Release,
    /// It was paid otherwise.
    Settle,
    /// A choice of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl VoucherChoice {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Settle => "settle",
            Self::Unknown => "unknown",
        }
    }
}

/// One choice of a person's, with who, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherNote {
    /// When (UTC).
    pub at: Timestamp,
    /// What.
    pub choice: VoucherChoice,
    /// Who.
    pub who: String,
    /// Why; may be empty for a release.
    #[serde(default)]
    pub reason: String,
}

/// How a voucher stands, as lists filter it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoucherState {
    /// It has made its operations.
    Operations,
    /// It has made none yet.
    Held,
    /// Somebody else pays it or has paid it.
    PaidElsewhere,
    /// No cycle's window contains it.
    OutsideCycles,
    /// It has made its operations, and none of them is above zero.
    NothingToPay,
    /// Mirakl does not show it any more.
    Gone,
}

impl VoucherState {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Operations, Self::Held, Self::PaidElsewhere, Self::OutsideCycles, Self::NothingToPay, Self::Gone];

    /// The name in JSON and in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Held => "held",
            Self::PaidElsewhere => "paid_elsewhere",
            Self::OutsideCycles => "outside_cycles",
            Self::NothingToPay => "nothing_to_pay",
            Self::Gone => "gone",
        }
    }
}

impl VoucherRecord {
    /// Returns the name that people and scripts use: source, shop and number.
    pub fn id(&self) -> String {
        let (source, shop_id, number) = self.voucher.key();
        format!("{source}-{shop_id}-{number}")
    }

    /// The key of such a name; `None` where it has another form.
    pub fn key_of(id: &str) -> Option<(String, u64, String)> {
        let (source, rest) = id.split_once('-')?;
        let (shop_id, number) = rest.split_once('-')?;
        Some((source.to_owned(), shop_id.parse().ok()?, number.to_owned()))
    }

    /// When Mirakl made it, or its cycle where it does not say (UTC).
    pub fn made_at(&self) -> Timestamp {
        self.voucher.created_at.unwrap_or(self.cycle_at)
    }

    /// Returns its state.
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

/// An operation still to be numbered and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Who is paid.
    pub beneficiary: Beneficiary,
    /// What is paid.
    pub amount: Amount,
    /// The voucher's amount.
    pub origin_amount: Amount,
    /// `CREATED`, or `INVALID_AMOUNT` where there is nothing to pay.
    pub status: Status,
    /// The negative operations netted into it.
    pub adjusts: Vec<u64>,
}

/// Two currencies or more than 64 bits in one voucher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("voucher {number}: {cause}")]
pub struct Unbookable {
    /// The voucher's number.
    pub number: String,
    /// What is wrong with its amounts.
    pub cause: MoneyError,
}

impl From<Unbookable> for Message {
    fn from(error: Unbookable) -> Self {
        msg!("voucher-unbookable", voucher = error.number, error = &error.cause)
    }
}

/// The operations that `voucher` makes: the vendor's, and the operator's where there is a
/// commission. `outstanding` are the vendor's negative operations that nothing has made up for
/// yet, oldest first; empty where netting is switched off.
///
/// Each is netted only as long as the rest stays above zero; one that is too large is passed over
/// for a smaller one behind it.
pub fn operations(voucher: &Voucher, outstanding: &[Operation]) -> Result<Vec<Draft>, Unbookable> {
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

/// What one beneficiary is owed, less what is outstanding of it.
fn draft(beneficiary: Beneficiary, origin_amount: Amount, outstanding: &[Operation]) -> Result<Draft, MoneyError> {
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
    Ok(Draft { beneficiary, amount, origin_amount, status, adjusts })
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

    /// An operation for tests: what matters to netting and sending, plain values elsewhere.
    pub(crate) fn operation(id: u64, draft: &Draft) -> Operation {
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
            // The release before has made its operations meanwhile, where it saw that there are none.
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
        // What the operator owes is accounted for as well.
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
        /// What the vouchers owed is what will be paid plus what the vendor still owes, to the cent.
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
