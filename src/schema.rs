//! Storage of the domain's records: their keys, and the indexes over them. A new record needs a line in [`with_domain`]
//! and an implementation of [`Record`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::attempt::prefix;
use crate::domain::group_choice::GroupChoice;
use crate::domain::inbox::{Notification, NotificationKind, NotificationState};
use crate::domain::ledger::{LedgerAccount, LedgerEntry, LedgerMatch};
use crate::domain::money::Amount;
use crate::domain::movement::Movement;
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::domain::payment::{CustomerPayment, PaymentOutcome};
use crate::domain::session::{KnownAddress, Session, SignInAttempts};
use crate::domain::settlement::Settlement;
use crate::domain::standing::{Stage, Standing};
use crate::domain::vendor::{SentDocument, Vendor};
use crate::domain::voucher::{VoucherRecord, VoucherSource, VoucherState};
use crate::store::{AnyIndex, DAY, Index, Ordered, QUARTER_OF_A_DAY, Record, Schema};

/// Adds the domain's collections to a schema.
pub fn with_domain(schema: Schema) -> Schema {
    schema
        .with::<Operation>()
        .with::<VoucherRecord>()
        .with::<Vendor>()
        .with::<SentDocument>()
        .with::<Notification>()
        .with::<Movement>()
        .with::<LedgerEntry>()
        .with::<LedgerAccount>()
        .with::<CustomerPayment>()
        .with::<Settlement>()
        .with::<Session>()
        .with::<SignInAttempts>()
        .with::<KnownAddress>()
        .with::<GroupChoice>()
}

/// Converts a day to a number with the same order: 20261121.
pub fn day_number(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// Converts such a number back to a day.
pub fn day_of_number(number: i64) -> Option<Date> {
    let part = |divisor: i64, modulus: i64| number.div_euclid(divisor).checked_rem(modulus);
    let (year, month, day) = (part(10_000, 10_000)?, part(100, 100)?, part(1, 100)?);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Orders enumerations by their names, which is how stores have them.
macro_rules! ordered_by_name {
    ($($of:ty),+ $(,)?) => {$(
        impl Ordered for $of {
            type Kind = Self;

            fn encode(&self, out: &mut Vec<u8>) {
                self.name().encode(out);
            }
        }
    )+};
}

ordered_by_name!(LedgerMatch, NotificationKind, NotificationState, PaymentOutcome, VoucherSource, VoucherState);

impl Ordered for Beneficiary {
    type Kind = Self;

    fn encode(&self, out: &mut Vec<u8>) {
        let number: u64 = match self {
            Self::Vendor => 0,
            Self::Operator => 1,
        };
        number.encode(out);
    }
}

impl Record for Operation {
    const COLLECTION: &'static str = "operations";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[
        &Self::BY_VOUCHER,
        &Self::BY_STATUS,
        &Self::DUE,
        &Self::DEBTS,
        &Self::BY_DATE,
        &Self::BY_VENDOR,
        &Self::AMOUNTS,
        &Self::BY_CYCLE,
        &Self::BY_STAGE,
        &Self::DIFFERENCES,
        &Self::SEARCH,
        &Self::NUMBERS,
        &Self::BY_TRANSACTION,
        &Self::HELD,
        &Self::UNPAID,
        &Self::UNPAID_BY_AGE,
    ];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Operation {
    /// Operation of a beneficiary of a shop's voucher: at most one, ever, not counting remainders.
    pub const BY_VOUCHER: Index<Self, (u64, String, Beneficiary)> = Index::by_key("voucher", 1, voucher_group).unique();

    /// For pages: by status, latest change last.
    pub const BY_STATUS: Index<Self, i64, Timestamp> =
        Index::new("status", 1, |operation: &Self| vec![(operation.status.code(), operation.updated_at)])
            .bucketed(QUARTER_OF_A_DAY);

    /// For runs: operations due or open in each status, oldest cycle first.
    pub const DUE: Index<Self, i64, Timestamp> = Index::new("due", 1, |operation: &Self| {
        let due = operation.held.is_none() && operation.status.is_open();
        Vec::from_iter(due.then(|| (operation.status.code(), operation.cycle_at)))
    })
    .counted();

    /// Debts of a vendor, or of the operator for any shop, oldest first.
    pub const DEBTS: Index<Self, u64, Timestamp> = Index::new("debt", 2, debt_entry);

    /// For pages: all of them, latest change last.
    pub const BY_DATE: Index<Self, (), Timestamp> =
        Index::new("date", 1, |operation: &Self| vec![((), operation.updated_at)]).bucketed(QUARTER_OF_A_DAY);

    /// For pages: one vendor's, all or by status, latest change last.
    pub const BY_VENDOR: Index<Self, (u64, i64), Timestamp> = Index::new("vendor", 2, |operation: &Self| {
        vec![((operation.mirakl_id, operation.status.code()), operation.updated_at)]
    })
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();

    /// For totals: number in each status, and amount in each currency.
    pub const AMOUNTS: Index<Self, (i64, String)> = Index::by_key("amount", 1, |operation: &Self| {
        vec![(operation.status.code(), operation.amount.currency().code().to_owned())]
    })
    .weighing(|operation: &Self| operation.amount.minor())
    .counted();

    /// For pages and totals of a cycle: by its day, beneficiary, stage, reason, status and currency, latest change last.
    /// A change in [`Standing`] needs another version.
    pub const BY_CYCLE: Index<Self, CycleGroup, Timestamp> = Index::new("cycle", 2, |operation: &Self| {
        let Standing { stage, reason, .. } = Standing::of_operation(operation);
        let (day, status) = (day_number(operation.cycle_date), operation.status.code());
        let (reason, currency) = (reason.unwrap_or_default(), operation.amount.currency().code().to_owned());
        vec![((day, operation.beneficiary.name(), stage.name(), reason, status, currency), operation.updated_at)]
    })
    .weighing(|operation: &Self| operation.amount.minor())
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();

    /// For pages: by beneficiary and stage, latest change last. A change in [`Standing`] needs another version.
    pub const BY_STAGE: Index<Self, (&'static str, &'static str), Timestamp> =
        Index::new("stage", 1, |operation: &Self| {
            let stage = Standing::of_operation(operation).stage.name();
            vec![((operation.beneficiary.name(), stage), operation.updated_at)]
        })
        .bucketed(QUARTER_OF_A_DAY)
        .for_pages();

    /// For pages and totals of a cycle: operations whose amount is not the voucher's, by the kind of the difference, the
    /// cycle's day, beneficiary and currency, latest change last.
    pub const DIFFERENCES: Index<Self, DifferenceGroup, Timestamp> = Index::new("difference", 1, |operation: &Self| {
        let currency = || operation.amount.currency().code().to_owned();
        let (day, beneficiary) = (day_number(operation.cycle_date), operation.beneficiary.name());
        let group = operation.difference().map(|difference| (difference.name(), day, beneficiary, currency()));
        Vec::from_iter(group.map(|group| (group, operation.updated_at)))
    })
    .weighing(|operation: &Self| operation.origin_amount.minor().saturating_sub(operation.amount.minor()))
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();

    /// For search: shop, wallet, payment order.
    pub const SEARCH: Index<Self, (), String> = Index::new("search", 1, |operation: &Self| {
        let ids = [operation.mirakl_id, operation.vendor_hipay_id, operation.recipient_hipay_id];
        let texts = ids.iter().map(ToString::to_string).chain([operation.voucher.to_lowercase()]);
        texts.map(|text| ((), text)).collect()
    });

    /// For pages: search by the numbers of the operation alone: those of its voucher, and HiPay's transactions. References
    /// are found by the voucher's number that they contain.
    pub const NUMBERS: Index<Self, (), String> = Index::new("numbers", 1, |operation: &Self| {
        let voucher_numbers = operation.voucher_numbers();
        let numbers = voucher_numbers.iter().map(String::as_str).chain(operation.transaction_ids());
        numbers.map(|number| ((), number.to_lowercase())).collect()
    })
    .for_pages();

    /// Operation that one of HiPay's transactions belongs to.
    pub const BY_TRANSACTION: Index<Self, String> =
        Index::by_key("transaction", 1, |operation: &Self| operation.transaction_ids().map(str::to_owned).collect());

    /// Operations that wait for a person, latest last.
    pub const HELD: Index<Self, (), Timestamp> = Index::new("held", 1, |operation: &Self| {
        let waits = operation.held.is_some() && !operation.is_settled();
        Vec::from_iter(waits.then_some(((), operation.updated_at)))
    })
    .counted();

    /// For pages and totals: unpaid operations by the party that acts next, the reason and the currency, latest change
    /// last. A change in [`Standing`] needs another version.
    pub const UNPAID: Index<Self, ReasonGroup, Timestamp> =
        Index::new("unpaid", 1, |operation: &Self| unpaid_entry(operation, operation.updated_at))
            .weighing(open_amount)
            .bucketed(QUARTER_OF_A_DAY)
            .for_pages();

    /// For pages: the same, oldest cycle first. A change in [`Standing`] needs another version.
    pub const UNPAID_BY_AGE: Index<Self, ReasonGroup, Timestamp> =
        Index::new("unpaid_age", 1, |operation: &Self| unpaid_entry(operation, operation.cycle_at))
            .counted()
            .for_pages();
}

/// Returns the amount that has still to reach the bank, in minor units; of an operation that was withdrawn in part, what
/// is missing.
fn open_amount(operation: &Operation) -> i64 {
    match operation.shortfall {
        Some(shortfall) if Standing::of_operation(operation).stage == Stage::Withdrawn => shortfall.minor(),
        Some(_) | None => operation.amount.minor(),
    }
}

/// Returns the entry of an operation under its reason if it is not paid.
fn unpaid_entry(operation: &Operation, at: Timestamp) -> Vec<(ReasonGroup, Timestamp)> {
    let standing = Standing::of_operation(operation);
    let group = || {
        let currency = operation.amount.currency().code().to_owned();
        (standing.actor.name(), standing.reason.clone().unwrap_or_default(), currency)
    };
    Vec::from_iter(standing.is_open().then(|| (group(), at)))
}

/// Group of an unpaid operation or voucher: actor, reason and currency.
pub type ReasonGroup = (&'static str, String, String);

/// Group of an operation in its cycle: day, beneficiary, stage, reason, status and currency.
pub type CycleGroup = (i64, &'static str, &'static str, String, i64, String);

/// Group of an operation whose amount is not the voucher's: kind of the difference, day, beneficiary and currency.
pub type DifferenceGroup = (&'static str, i64, &'static str, String);

/// Group of a voucher in its cycle: day, state, stage (empty once it has operations), reason and currency.
pub type VoucherCycleGroup = (i64, &'static str, &'static str, String, String);

/// Returns the group of an operation by its voucher and beneficiary; a remainder has none.
fn voucher_group(operation: &Operation) -> Vec<(u64, String, Beneficiary)> {
    let group = || (operation.mirakl_id, operation.voucher.clone(), operation.beneficiary);
    Vec::from_iter(operation.remainder_of.is_none().then(group))
}

/// Returns the entry of an operation under its debtor if it is a debt.
fn debt_entry(operation: &Operation) -> Vec<(u64, Timestamp)> {
    let negative = operation.status == Status::InvalidAmount && operation.amount.minor() < 0;
    let owed = negative && !operation.is_settled();
    let of_vendor = Some(operation.mirakl_id).filter(|_| operation.beneficiary == Beneficiary::Vendor);
    let of = of_vendor.unwrap_or(OPERATOR_DEBTS);
    Vec::from_iter(owed.then_some((of, operation.cycle_at)))
}

/// Group of the operator's debts, used instead of a shop: no shop has this number.
pub(crate) const OPERATOR_DEBTS: u64 = u64::MAX;

impl Record for VoucherRecord {
    const COLLECTION: &'static str = "vouchers";
    /// The source, the shop and the number: Mirakl may number each shop's vouchers by itself.
    type Key = (String, u64, String);
    const INDEXES: &[&dyn AnyIndex<Self>] = &[
        &Self::HELD,
        &Self::BY_DATE,
        &Self::BY_STATE,
        &Self::BY_SHOP,
        &Self::BY_CYCLE,
        &Self::SEARCH,
        &Self::NUMBERS,
        &Self::BY_IDENTITY,
        &Self::BY_SOURCE,
        &Self::BY_REASON,
        &Self::COMMISSION_BY_REASON,
        &Self::COMMISSION_BY_CYCLE,
        &Self::BY_STAGE,
    ];

    fn key(&self) -> Self::Key {
        self.voucher.key()
    }
}

impl VoucherRecord {
    /// Vouchers without operations, oldest cycle first.
    pub const HELD: Index<Self, (), Timestamp> =
        Index::new("held", 1, |record: &Self| Vec::from_iter(record.held.map(|_| ((), record.cycle_at)))).counted();

    /// For pages, latest last: all.
    pub const BY_DATE: Index<Self, (), Timestamp> =
        Index::new("date", 1, |record: &Self| vec![((), record.made_at())]).bucketed(DAY);

    /// For pages, latest last: by state.
    pub const BY_STATE: Index<Self, VoucherState, Timestamp> =
        Index::new("state", 1, |record: &Self| vec![(record.state(), record.made_at())]).bucketed(DAY);

    /// For pages, latest last: by shop and state.
    pub const BY_SHOP: Index<Self, (u64, VoucherState), Timestamp> =
        Index::new("shop", 1, |record: &Self| vec![((record.voucher.shop_id, record.state()), record.made_at())])
            .bucketed(DAY)
            .for_pages();

    /// For pages and totals of a cycle, latest last: by its day, state, stage, reason and currency; the stage and the
    /// reason are empty once the voucher has operations. A change in [`Standing`] needs another version.
    pub const BY_CYCLE: Index<Self, VoucherCycleGroup, Timestamp> = Index::new("cycle", 2, |record: &Self| {
        vec![(voucher_cycle_group(record, record.voucher.vendor_amount), record.made_at())]
    })
    .weighing(|record: &Self| record.voucher.vendor_amount.minor())
    .bucketed(DAY)
    .for_pages();

    /// For totals of a cycle: the same groups with the commissions. A change in [`Standing`] needs another version.
    pub const COMMISSION_BY_CYCLE: Index<Self, VoucherCycleGroup> =
        Index::by_key("cycle_commission", 1, |record: &Self| {
            vec![voucher_cycle_group(record, record.voucher.operator_amount)]
        })
        .weighing(|record: &Self| record.voucher.operator_amount.minor())
        .counted()
        .for_pages();

    /// For pages: vouchers without operations by stage, latest last. A change in [`Standing`] needs another version.
    pub const BY_STAGE: Index<Self, &'static str, Timestamp> = Index::new("stage", 1, |record: &Self| {
        let stage = Standing::of_voucher(record).map(|standing| standing.stage.name());
        Vec::from_iter(stage.map(|stage| (stage, record.made_at())))
    })
    .bucketed(DAY)
    .for_pages();

    /// For search: shop, and every number.
    pub const SEARCH: Index<Self, (), String> = Index::new("search", 1, |record: &Self| {
        let shop_id = record.voucher.shop_id.to_string();
        let numbers = record.voucher.identities().into_iter().map(|(_, number)| number.to_lowercase());
        let texts: BTreeSet<String> = numbers.chain([shop_id]).collect();
        texts.into_iter().map(|text| ((), text)).collect()
    });

    /// For pages: search by the voucher's numbers alone.
    pub const NUMBERS: Index<Self, (), String> = Index::new("numbers", 1, |record: &Self| {
        let numbers = record.voucher.identities().into_iter().map(|(_, number)| number);
        let numbers = numbers.chain([record.voucher.number.clone()]);
        numbers.map(|number| ((), number.to_lowercase())).collect()
    })
    .for_pages();

    /// By every number that identifies a shop's voucher, in any source.
    pub const BY_IDENTITY: Index<Self, (u64, &'static str, String)> = Index::by_key("identity", 1, |record: &Self| {
        let shop_id = record.voucher.shop_id;
        record.voucher.identities().into_iter().map(|(kind, number)| (shop_id, kind, number)).collect()
    });

    /// Creation times of the vouchers of a source.
    pub const BY_SOURCE: Index<Self, VoucherSource, Timestamp> = Index::new("source", 1, |record: &Self| {
        vec![(record.voucher.source, record.voucher.created_at.unwrap_or(record.cycle_at))]
    });

    /// For pages and totals: vouchers without operations by the party that acts next, the reason and the currency,
    /// latest last. A change in [`Standing`] needs another version.
    pub const BY_REASON: Index<Self, ReasonGroup, Timestamp> = Index::new("reason", 1, |record: &Self| {
        let group = reason_group(record);
        Vec::from_iter(group.map(|group| (group, record.made_at())))
    })
    .weighing(|record: &Self| record.voucher.vendor_amount.minor())
    .bucketed(DAY)
    .for_pages();

    /// For totals: the same groups with the commissions. A change in [`Standing`] needs another version.
    pub const COMMISSION_BY_REASON: Index<Self, ReasonGroup> =
        Index::by_key("reason_commission", 1, |record: &Self| Vec::from_iter(reason_group(record)))
            .weighing(|record: &Self| record.voucher.operator_amount.minor())
            .counted()
            .for_pages();
}

/// Returns the group of a voucher in its cycle, with the currency of this amount.
fn voucher_cycle_group(record: &VoucherRecord, amount: Amount) -> VoucherCycleGroup {
    let standing = Standing::of_voucher(record);
    let stage = standing.as_ref().map_or("", |standing| standing.stage.name());
    let reason = standing.and_then(|standing| standing.reason).unwrap_or_default();
    (day_number(record.cycle_date), record.state().name(), stage, reason, amount.currency().code().to_owned())
}

/// Returns the group of a voucher without operations: actor, reason and currency.
fn reason_group(record: &VoucherRecord) -> Option<ReasonGroup> {
    let standing = Standing::of_voucher(record)?;
    let currency = record.voucher.vendor_amount.currency().code().to_owned();
    Some((standing.actor.name(), standing.reason.unwrap_or_default(), currency))
}

impl Record for GroupChoice {
    const COLLECTION: &'static str = "group_choices";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Record for Vendor {
    const COLLECTION: &'static str = "vendors";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] =
        &[&Self::BY_HIPAY_ID, &Self::BY_STATUS, &Self::BY_COUNTRY, &Self::SEARCH, &Self::PARTS, &Self::ATTENTION];

    fn key(&self) -> u64 {
        self.mirakl_id
    }
}

impl Vendor {
    /// Vendor that a wallet belongs to: one at most.
    pub const BY_HIPAY_ID: Index<Self, u64> =
        Index::by_key("hipay_id", 1, |vendor: &Self| Vec::from_iter(vendor.hipay_id)).unique();

    /// For pages: by both statuses, latest change last.
    pub const BY_STATUS: Index<Self, (&'static str, &'static str), Timestamp> =
        Index::new("status", 2, |vendor: &Self| {
            vec![((vendor.status(), vendor.wallet_status().name()), vendor.updated_at)]
        })
        .bucketed(DAY);

    /// For pages: by country, and by both statuses as well.
    pub const BY_COUNTRY: Index<Self, (String, &'static str, &'static str), Timestamp> =
        Index::new("country", 2, |vendor: &Self| {
            let country = vendor.country.clone().unwrap_or_default();
            vec![((country, vendor.status(), vendor.wallet_status().name()), vendor.updated_at)]
        })
        .bucketed(DAY)
        .for_pages();

    /// For pages: search by shop, wallet, login, name and e-mail, as [`search_text`](crate::domain::search_text) folds
    /// them.
    pub const SEARCH: Index<Self, (), String> =
        Index::new("search", 2, |vendor: &Self| vendor.search_texts().into_iter().map(|text| ((), text)).collect())
            .for_pages();

    /// For pages: search by any part of login, name and e-mail. An entry for each letter, some forty a vendor, makes any
    /// part the beginning of an entry: a search reads the rows that it finds, however many vendors there are.
    pub const PARTS: Index<Self, (), String> =
        Index::new("parts", 1, |vendor: &Self| vendor.search_parts().into_iter().map(|text| ((), text)).collect())
            .for_pages();

    /// Vendors that a run processes although the shop has not changed.
    pub const ATTENTION: Index<Self, ()> =
        Index::by_key("attention", 1, |vendor: &Self| Vec::from_iter(vendor.needs_attention().then_some(())));
}

impl Record for SentDocument {
    const COLLECTION: &'static str = "documents";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_VENDOR];

    fn key(&self) -> u64 {
        self.document_id
    }
}

impl SentDocument {
    /// Documents of a vendor, oldest first.
    pub const BY_VENDOR: Index<Self, u64, Timestamp> =
        Index::new("vendor", 1, |document: &Self| vec![(document.mirakl_id, document.sent_at)]).counted();
}

impl Record for Movement {
    const COLLECTION: &'static str = "movements";
    /// The account and the transaction: a movement between two of our accounts is reported for each.
    type Key = (u64, String);
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_ACCOUNT];

    fn key(&self) -> Self::Key {
        (self.account_id, self.transaction_id.clone())
    }
}

impl Movement {
    /// Movements of an account, latest last.
    pub const BY_ACCOUNT: Index<Self, u64, Timestamp> =
        Index::new("account", 1, |movement: &Self| vec![(movement.account_id, movement.at)]).counted();
}

impl Record for LedgerEntry {
    const COLLECTION: &'static str = "transactions";
    /// The account and the transaction: a transaction between two of our accounts is listed for each.
    type Key = (u64, String);
    const INDEXES: &[&dyn AnyIndex<Self>] =
        &[&Self::BY_DATE, &Self::BY_MATCH, &Self::BY_REFERENCE, &Self::UNREFERENCED, &Self::SEARCH];

    fn key(&self) -> Self::Key {
        (self.account, self.transaction_id.clone())
    }
}

impl LedgerEntry {
    /// For pages, latest last: all.
    pub const BY_DATE: Index<Self, (), Timestamp> =
        Index::new("date", 1, |entry: &Self| vec![((), entry.created_at)]).bucketed(QUARTER_OF_A_DAY);

    /// For pages, latest last: by their relation to our operations.
    pub const BY_MATCH: Index<Self, LedgerMatch, Timestamp> =
        Index::new("match", 1, |entry: &Self| vec![(entry.matched, entry.created_at)]).bucketed(QUARTER_OF_A_DAY);

    /// Payments for a voucher: by the part of the reference after its prefix.
    pub const BY_REFERENCE: Index<Self, (u64, &'static str), String> = Index::new("reference", 1, |entry: &Self| {
        let parts = entry.reference_parts().into_iter();
        parts.map(|parts| ((entry.account, prefix(parts.kind, parts.beneficiary)), parts.rest.to_owned())).collect()
    });

    /// Transactions without a reference: by amount, and by each word of the label.
    pub const UNREFERENCED: Index<Self, (u64, &'static str, String), Timestamp> =
        Index::new("unreferenced", 1, |entry: &Self| {
            if !entry.reference.is_empty() {
                return Vec::new();
            }
            let words: BTreeSet<String> = entry.label_words().collect();
            let amount = entry.amount.map(|amount| amount.minor().to_string()).unwrap_or_default();
            let groups = words.into_iter().map(|word| ("label", word)).chain([("amount", amount)]);
            groups.map(|(what, text)| ((entry.account, what, text), entry.created_at)).collect()
        });

    /// For search: transaction and reference.
    pub const SEARCH: Index<Self, (), String> = Index::new("search", 1, |entry: &Self| {
        let reference = Some(entry.reference.to_lowercase()).filter(|reference| !reference.is_empty());
        let texts = std::iter::once(entry.transaction_id.to_lowercase()).chain(reference);
        texts.map(|text| ((), text)).collect()
    });
}

impl Record for LedgerAccount {
    const COLLECTION: &'static str = "ledger_accounts";
    /// The account's HiPay ID.
    type Key = u64;

    fn key(&self) -> u64 {
        self.account
    }
}

impl Record for CustomerPayment {
    const COLLECTION: &'static str = "payments";
    /// The transaction reference.
    type Key = String;
    const INDEXES: &[&dyn AnyIndex<Self>] =
        &[&Self::BY_DATE, &Self::BY_OUTCOME, &Self::BY_ORDER, &Self::SEARCH, &Self::PERSONAL];

    fn key(&self) -> String {
        self.transaction_reference.clone()
    }
}

impl CustomerPayment {
    /// For pages, latest change last: all.
    pub const BY_DATE: Index<Self, (), Timestamp> =
        Index::new("date", 1, |payment: &Self| vec![((), payment.date)]).bucketed(QUARTER_OF_A_DAY);

    /// For pages, latest change last: by outcome, test or real, and status.
    pub const BY_OUTCOME: Index<Self, (PaymentOutcome, bool, Option<u32>), Timestamp> =
        Index::new("outcome", 3, |payment: &Self| {
            let status = payment.latest.status.map(|status| status.0);
            vec![((payment.outcome(), payment.latest.test, status), payment.date)]
        })
        .bucketed(QUARTER_OF_A_DAY)
        .for_pages();

    /// Payments of an order, latest last.
    pub const BY_ORDER: Index<Self, String, Timestamp> = Index::new("order", 1, |payment: &Self| {
        let order = CustomerPayment::searched(&payment.latest.order_id);
        Vec::from_iter((!order.is_empty()).then_some((order, payment.date)))
    });

    /// For search: transaction reference and order number.
    pub const SEARCH: Index<Self, (), String> = Index::new("search", 1, |payment: &Self| {
        let order = Some(CustomerPayment::searched(&payment.latest.order_id)).filter(|order| !order.is_empty());
        let texts = std::iter::once(payment.transaction_reference.to_lowercase()).chain(order);
        texts.map(|text| ((), text)).collect()
    });

    /// Payments that still contain personal data, oldest first.
    pub const PERSONAL: Index<Self, (), Timestamp> =
        Index::new("personal", 1, |payment: &Self| Vec::from_iter(payment.is_personal().then_some(((), payment.date))));
}

impl Record for Settlement {
    const COLLECTION: &'static str = "settlements";
    /// The account and the reference: each account may have its own numbers.
    type Key = (String, String);
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_DATE];

    fn key(&self) -> Self::Key {
        (self.account.clone(), self.reference.clone())
    }
}

impl Settlement {
    /// For pages, latest last.
    pub const BY_DATE: Index<Self, (), Timestamp> =
        Index::new("date", 1, |settlement: &Self| vec![((), settlement.received_at)]).counted();
}

impl Record for Session {
    const COLLECTION: &'static str = "sessions";
    /// The hash of the session's token.
    type Key = String;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_PERSON, &Self::BY_LAST_USE];

    fn key(&self) -> String {
        self.key.clone()
    }
}

impl Session {
    /// All sessions of a person, so that they can be ended together.
    pub const BY_PERSON: Index<Self, String, Timestamp> =
        Index::new("person", 1, |session: &Self| vec![(session.person.clone(), session.created_at)]);

    /// Least recently used first.
    pub const BY_LAST_USE: Index<Self, (), Timestamp> =
        Index::new("seen", 1, |session: &Self| vec![((), session.seen_at)]);
}

impl Record for KnownAddress {
    const COLLECTION: &'static str = "known_addresses";
    /// The account and the address.
    type Key = String;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_LAST_USE];

    fn key(&self) -> String {
        self.key.clone()
    }
}

impl KnownAddress {
    /// Oldest first.
    pub const BY_LAST_USE: Index<Self, (), Timestamp> = Index::new("last", 1, |known: &Self| vec![((), known.last_at)]);
}

impl Record for SignInAttempts {
    const COLLECTION: &'static str = "sign_in_attempts";
    /// The address or the account.
    type Key = String;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_LAST_TIME];

    fn key(&self) -> String {
        self.key.clone()
    }
}

impl SignInAttempts {
    /// Oldest first.
    pub const BY_LAST_TIME: Index<Self, (), Timestamp> =
        Index::new("last", 1, |attempts: &Self| vec![((), attempts.last_at)]);
}

/// Returns the entry of a notification for pages. A notification that was just received has none yet: it remains in
/// that state for a moment only, and a sender that waits for an answer must not wait for indexes.
fn listed<T>(one: &Notification, entry: Option<T>) -> Vec<T> {
    Vec::from_iter(entry.filter(|_| one.state != NotificationState::Received))
}

impl Record for Notification {
    const COLLECTION: &'static str = "notifications";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[
        &Self::BY_DIGEST,
        &Self::OPEN,
        &Self::AWAITED,
        &Self::BY_KIND,
        &Self::BY_SUBJECT,
        &Self::BY_ACCOUNT,
        &Self::UNMATCHED,
    ];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Notification {
    /// Notification with this content: it counts once, however often it is sent.
    pub const BY_DIGEST: Index<Self, String> =
        Index::by_key("digest", 1, |one: &Self| vec![one.digest.clone()]).unique();

    /// Notifications to be processed, with those about vendors separate: new ones in the order of arrival, then those to be
    /// retried.
    pub const OPEN: Index<Self, bool, Option<Timestamp>> = Index::new("open", 2, |one: &Self| {
        Vec::from_iter(one.state.is_open().then(|| (one.is_about_vendor(), one.try_at)))
    })
    .counted();

    /// Notifications that wait for their subject to become known, or did so in vain.
    pub const AWAITED: Index<Self, (NotificationKind, String)> = Index::by_key("awaited", 1, |one: &Self| {
        let awaited = matches!(one.state, NotificationState::Waiting | NotificationState::Unmatched);
        Vec::from_iter((awaited && !one.subject.is_empty()).then(|| (one.kind, one.subject.clone())))
    });

    /// For pages, latest last: by kind and state.
    pub const BY_KIND: Index<Self, (NotificationKind, NotificationState), Timestamp> =
        Index::new("list", 1, |one: &Self| listed(one, Some(((one.kind, one.state), one.received_at))))
            .bucketed(QUARTER_OF_A_DAY);

    /// By the beginning of the transaction.
    pub const BY_SUBJECT: Index<Self, (), String> = Index::new("subject", 1, |one: &Self| {
        listed(one, Some(((), one.subject.clone())).filter(|((), subject)| !subject.is_empty()))
    });

    /// By account, latest last.
    pub const BY_ACCOUNT: Index<Self, u64, Timestamp> =
        Index::new("account", 1, |one: &Self| listed(one, one.account_id.map(|id| (id, one.received_at))));

    /// Notifications whose subject never became known, by the time at which they were given up.
    pub const UNMATCHED: Index<Self, (), Timestamp> = Index::new("unmatched", 1, |one: &Self| {
        let ended = one.ended_at.filter(|_| one.state == NotificationState::Unmatched);
        Vec::from_iter(ended.map(|at| ((), at)))
    });
}
