//! Storage of the domain's records: their keys, and the indexes over them. A new record needs a line in [`with_domain`]
//! and an implementation of [`Record`].

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::domain::attempt::prefix;
use crate::domain::inbox::{Notification, NotificationState};
use crate::domain::ledger::{LedgerAccount, LedgerEntry};
use crate::domain::movement::Movement;
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::domain::payment::CustomerPayment;
use crate::domain::session::{KnownAddress, Session, SignInAttempts};
use crate::domain::settlement::Settlement;
use crate::domain::vendor::{SentDocument, Vendor};
use crate::domain::voucher::VoucherRecord;
use crate::store::{DAY, Index, IndexEntry, Ordered, QUARTER_OF_A_DAY, Record, Schema};

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

impl Ordered for Beneficiary {
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

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // At most one operation per beneficiary of a shop's voucher, ever, not counting remainders.
            Index::new("voucher", 1, voucher_entry).unique(),
            // For pages: by status, latest change last.
            Index::new("status", 1, |operation: &Self| {
                vec![IndexEntry::new(operation.status.code(), operation.updated_at)]
            })
            .bucketed(QUARTER_OF_A_DAY),
            // For runs: operations due or open in each status, oldest cycle first.
            Index::new("due", 1, |operation: &Self| {
                if operation.held.is_some() || !operation.status.is_open() {
                    return Vec::new();
                }
                vec![IndexEntry::new(operation.status.code(), operation.cycle_at)]
            })
            .counted(),
            // Debts of a vendor, or of the operator for any shop, oldest first.
            Index::new("debt", 2, debt_entry),
            // For pages: all of them, latest change last.
            Index::new("date", 1, |operation: &Self| vec![IndexEntry::new((), operation.updated_at)])
                .bucketed(QUARTER_OF_A_DAY),
            // For pages: one vendor's, all or by status, latest change last.
            Index::new("vendor", 2, |operation: &Self| {
                vec![IndexEntry::new((operation.mirakl_id, operation.status.code()), operation.updated_at)]
            })
            .bucketed(QUARTER_OF_A_DAY)
            .for_pages(),
            // For totals: number in each status, and amount in each currency.
            Index::new("amount", 1, |operation: &Self| {
                let group = (operation.status.code(), operation.amount.currency().code().to_owned());
                vec![IndexEntry::of(group).weighing(operation.amount.minor())]
            })
            .counted(),
            // For totals of a cycle: number and amount for each of its days.
            Index::new("cycle", 1, |operation: &Self| {
                let currency = operation.amount.currency().code().to_owned();
                let group = (day_number(operation.cycle_date), operation.status.code(), currency);
                vec![IndexEntry::of(group).weighing(operation.amount.minor())]
            })
            .counted(),
            // For search: shop, wallet, payment order.
            Index::new("search", 1, |operation: &Self| {
                let ids = [operation.mirakl_id, operation.vendor_hipay_id, operation.recipient_hipay_id];
                let texts = ids.iter().map(ToString::to_string).chain([operation.voucher.to_lowercase()]);
                texts.map(|text| IndexEntry::new((), text)).collect()
            }),
            // For finding the operation that one of HiPay's transactions belongs to.
            Index::new("transaction", 1, |operation: &Self| {
                operation.transaction_ids().map(|id| IndexEntry::of(id.to_owned())).collect()
            }),
            // Operations that wait for a person, latest last.
            Index::new("held", 1, |operation: &Self| {
                let waits = operation.held.is_some() && !operation.is_settled();
                if waits { vec![IndexEntry::new((), operation.updated_at)] } else { Vec::new() }
            })
            .counted(),
        ]
    }
}

/// Returns the entry of an operation under its voucher and beneficiary; a remainder has none.
fn voucher_entry(operation: &Operation) -> Vec<IndexEntry> {
    if operation.remainder_of.is_some() {
        return Vec::new();
    }
    vec![IndexEntry::of((operation.mirakl_id, operation.voucher.clone(), operation.beneficiary))]
}

/// Returns the entry of an operation under its debtor if it is a debt.
fn debt_entry(operation: &Operation) -> Vec<IndexEntry> {
    let negative = operation.status == Status::InvalidAmount && operation.amount.minor() < 0;
    let owed = negative && !operation.is_settled();
    let of_vendor = Some(operation.mirakl_id).filter(|_| operation.beneficiary == Beneficiary::Vendor);
    let of = of_vendor.unwrap_or(OPERATOR_DEBTS);
    if owed { vec![IndexEntry::new(of, operation.cycle_at)] } else { Vec::new() }
}

/// Group of the operator's debts, used instead of a shop: no shop has this number.
pub(crate) const OPERATOR_DEBTS: u64 = u64::MAX;

impl Record for VoucherRecord {
    const COLLECTION: &'static str = "vouchers";
    /// The source, the shop and the number: Mirakl may number each shop's vouchers by itself.
    type Key = (String, u64, String);

    fn key(&self) -> Self::Key {
        self.voucher.key()
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // Vouchers without operations, oldest cycle first.
            Index::new("held", 1, |record: &Self| {
                if record.held.is_some() { vec![IndexEntry::new((), record.cycle_at)] } else { Vec::new() }
            })
            .counted(),
            // For pages, latest last: all; by state; by shop; by cycle.
            Index::new("date", 1, |record: &Self| vec![IndexEntry::new((), record.made_at())]).bucketed(DAY),
            Index::new("state", 1, |record: &Self| vec![IndexEntry::new(record.state().name(), record.made_at())])
                .bucketed(DAY),
            Index::new("shop", 1, |record: &Self| {
                vec![IndexEntry::new((record.voucher.shop_id, record.state().name()), record.made_at())]
            })
            .bucketed(DAY)
            .for_pages(),
            Index::new("cycle", 1, |record: &Self| {
                vec![IndexEntry::new((day_number(record.cycle_date), record.state().name()), record.made_at())]
            })
            .bucketed(DAY)
            .for_pages(),
            // For search: shop, and every number.
            Index::new("search", 1, |record: &Self| {
                let shop_id = record.voucher.shop_id.to_string();
                let numbers = record.voucher.identities().into_iter().map(|(_, number)| number.to_lowercase());
                let texts: BTreeSet<String> = numbers.chain([shop_id]).collect();
                texts.into_iter().map(|text| IndexEntry::new((), text)).collect()
            }),
            // By every number that identifies a shop's voucher, in any source.
            Index::new("identity", 1, |record: &Self| {
                let shop_id = record.voucher.shop_id;
                let identities = record.voucher.identities().into_iter();
                identities.map(|(kind, number)| IndexEntry::of((shop_id, kind, number))).collect()
            }),
            // Creation times of the vouchers of a source.
            Index::new("source", 1, |record: &Self| {
                let made = record.voucher.created_at.unwrap_or(record.cycle_at);
                vec![IndexEntry::new(record.voucher.source.name().to_owned(), made)]
            }),
        ]
    }
}

impl Record for Vendor {
    const COLLECTION: &'static str = "vendors";
    type Key = u64;

    fn key(&self) -> u64 {
        self.mirakl_id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // A wallet belongs to one vendor.
            Index::new("hipay_id", 1, |vendor: &Self| vendor.hipay_id.map(IndexEntry::of).into_iter().collect())
                .unique(),
            // For pages: by both statuses, latest change last.
            Index::new("status", 2, |vendor: &Self| {
                vec![IndexEntry::new(
                    (vendor.status().to_owned(), vendor.wallet_status().name().to_owned()),
                    vendor.updated_at,
                )]
            })
            .bucketed(DAY),
            // For pages: by country, and by both statuses as well.
            Index::new("country", 2, |vendor: &Self| {
                let country = vendor.country.as_deref().unwrap_or_default();
                vec![IndexEntry::new((country, vendor.status(), vendor.wallet_status().name()), vendor.updated_at)]
            })
            .bucketed(DAY)
            .for_pages(),
            // For search: shop, wallet, login.
            Index::new("search", 1, |vendor: &Self| {
                let ids = [Some(vendor.mirakl_id), vendor.hipay_id].into_iter().flatten().map(|id| id.to_string());
                ids.chain([vendor.login.to_lowercase()]).map(|text| IndexEntry::new((), text)).collect()
            }),
            // Vendors that a run processes although the shop has not changed.
            Index::new(
                "attention",
                1,
                |vendor: &Self| {
                    if vendor.needs_attention() { vec![IndexEntry::of(())] } else { Vec::new() }
                },
            ),
        ]
    }
}

impl Record for SentDocument {
    const COLLECTION: &'static str = "documents";
    type Key = u64;

    fn key(&self) -> u64 {
        self.document_id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            Index::new("vendor", 1, |document: &Self| vec![IndexEntry::new(document.mirakl_id, document.sent_at)])
                .counted(),
        ]
    }
}

impl Record for Movement {
    const COLLECTION: &'static str = "movements";
    /// The account and the transaction: a movement between two of our accounts is reported for each.
    type Key = (u64, String);

    fn key(&self) -> Self::Key {
        (self.account_id, self.transaction_id.clone())
    }

    fn indexes() -> Vec<Index<Self>> {
        // Latest last.
        vec![
            Index::new("account", 1, |movement: &Self| vec![IndexEntry::new(movement.account_id, movement.at)])
                .counted(),
        ]
    }
}

impl Record for LedgerEntry {
    const COLLECTION: &'static str = "transactions";
    /// The account and the transaction: a transaction between two of our accounts is listed for each.
    type Key = (u64, String);

    fn key(&self) -> Self::Key {
        (self.account, self.transaction_id.clone())
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // For pages, latest last: all, and by their relation to our operations.
            Index::new("date", 1, |entry: &Self| vec![IndexEntry::new((), entry.created_at)])
                .bucketed(QUARTER_OF_A_DAY),
            Index::new("match", 1, |entry: &Self| vec![IndexEntry::new(entry.matched.name(), entry.created_at)])
                .bucketed(QUARTER_OF_A_DAY),
            // Payments for a voucher: by the part of the reference after its prefix.
            Index::new("reference", 1, |entry: &Self| match entry.reference_parts() {
                Some(parts) => {
                    vec![IndexEntry::new((entry.account, prefix(parts.kind, parts.beneficiary)), parts.rest.to_owned())]
                }
                None => Vec::new(),
            }),
            // Transactions without a reference: by amount, and by each word of the label.
            Index::new("unreferenced", 1, |entry: &Self| {
                if !entry.reference.is_empty() {
                    return Vec::new();
                }
                let words: BTreeSet<String> = entry.label_words().collect();
                let amount = entry.amount.map(|amount| amount.minor().to_string()).unwrap_or_default();
                let groups = words.into_iter().map(|word| ("label", word)).chain([("amount", amount)]);
                groups.map(|(what, text)| IndexEntry::new((entry.account, what, text), entry.created_at)).collect()
            }),
            // For search: transaction and reference.
            Index::new("search", 1, |entry: &Self| {
                let reference = Some(entry.reference.to_lowercase()).filter(|reference| !reference.is_empty());
                let texts = std::iter::once(entry.transaction_id.to_lowercase()).chain(reference);
                texts.map(|text| IndexEntry::new((), text)).collect()
            }),
        ]
    }
}

impl Record for LedgerAccount {
    const COLLECTION: &'static str = "ledger_accounts";
    /// The account's HiPay ID.
    type Key = u64;

    fn key(&self) -> u64 {
        self.account
    }

    fn indexes() -> Vec<Index<Self>> {
        Vec::new()
    }
}

impl Record for CustomerPayment {
    const COLLECTION: &'static str = "payments";
    /// The transaction reference.
    type Key = String;

    fn key(&self) -> String {
        self.transaction_reference.clone()
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // For pages, latest change last: all; by outcome, test or real, and status.
            Index::new("date", 1, |payment: &Self| vec![IndexEntry::new((), payment.date)]).bucketed(QUARTER_OF_A_DAY),
            Index::new("outcome", 3, |payment: &Self| {
                let status = payment.latest.status.map(|status| status.0);
                vec![IndexEntry::new((payment.outcome().name(), payment.latest.test, status), payment.date)]
            })
            .bucketed(QUARTER_OF_A_DAY)
            .for_pages(),
            // An order may have several payments, latest last.
            Index::new("order", 1, |payment: &Self| match CustomerPayment::searched(&payment.latest.order_id) {
                order if order.is_empty() => Vec::new(),
                order => vec![IndexEntry::new(order, payment.date)],
            }),
            // By the beginning of the transaction reference or of the order number.
            Index::new("search", 1, |payment: &Self| {
                let order = Some(CustomerPayment::searched(&payment.latest.order_id)).filter(|order| !order.is_empty());
                let texts = std::iter::once(payment.transaction_reference.to_lowercase()).chain(order);
                texts.map(|text| IndexEntry::new((), text)).collect()
            }),
            // Payments that still contain personal data, oldest first.
            Index::new("personal", 1, |payment: &Self| {
                if payment.is_personal() { vec![IndexEntry::new((), payment.date)] } else { Vec::new() }
            }),
        ]
    }
}

impl Record for Settlement {
    const COLLECTION: &'static str = "settlements";
    /// The account and the reference: each account may have its own numbers.
    type Key = (String, String);

    fn key(&self) -> Self::Key {
        (self.account.clone(), self.reference.clone())
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![Index::new("date", 1, |settlement: &Self| vec![IndexEntry::new((), settlement.received_at)]).counted()]
    }
}

impl Record for Session {
    const COLLECTION: &'static str = "sessions";
    /// The hash of the session's token.
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // All sessions of a person, so that they can be ended together.
            Index::new("person", 1, |session: &Self| vec![IndexEntry::new(session.person.clone(), session.created_at)]),
            // Least recently used first.
            Index::new("seen", 1, |session: &Self| vec![IndexEntry::new((), session.seen_at)]),
        ]
    }
}

impl Record for KnownAddress {
    const COLLECTION: &'static str = "known_addresses";
    /// The account and the address.
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn indexes() -> Vec<Index<Self>> {
        // Oldest first.
        vec![Index::new("last", 1, |known: &Self| vec![IndexEntry::new((), known.last_at)])]
    }
}

impl Record for SignInAttempts {
    const COLLECTION: &'static str = "sign_in_attempts";
    /// The address or the account.
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn indexes() -> Vec<Index<Self>> {
        // Oldest first.
        vec![Index::new("last", 1, |attempts: &Self| vec![IndexEntry::new((), attempts.last_at)])]
    }
}

/// Returns the entries of a notification for pages. A notification that was just received has none yet: it remains in
/// that state for a moment only, and a sender that waits for an answer must not wait for indexes.
fn listed(one: &Notification, entries: impl FnOnce() -> Vec<IndexEntry>) -> Vec<IndexEntry> {
    if one.state == NotificationState::Received { Vec::new() } else { entries() }
}

impl Record for Notification {
    const COLLECTION: &'static str = "notifications";
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // A notification counts once, however often it is sent.
            Index::new("digest", 1, |one: &Self| vec![IndexEntry::of(one.digest.clone())]).unique(),
            // Notifications to be processed, with those about vendors separate: new ones in the order of arrival, then
            // those to be retried.
            Index::new("open", 2, |one: &Self| {
                if one.state.is_open() { vec![IndexEntry::new(one.is_about_vendor(), one.try_at)] } else { Vec::new() }
            })
            .counted(),
            // Notifications that wait for their subject to become known, or did so in vain.
            Index::new("awaited", 1, |one: &Self| match one.state {
                NotificationState::Waiting | NotificationState::Unmatched if !one.subject.is_empty() => {
                    vec![IndexEntry::of((one.kind.name().to_owned(), one.subject.clone()))]
                }
                NotificationState::Received
                | NotificationState::Waiting
                | NotificationState::Applied
                | NotificationState::Ignored
                | NotificationState::Unmatched
                | NotificationState::Unknown => Vec::new(),
            }),
            // For pages, latest last: by kind and state.
            Index::new("list", 1, |one: &Self| {
                let group = (one.kind.name().to_owned(), one.state.name().to_owned());
                listed(one, || vec![IndexEntry::new(group, one.received_at)])
            })
            .bucketed(QUARTER_OF_A_DAY),
            // By the beginning of the transaction.
            Index::new("subject", 1, |one: &Self| {
                let subject = Some(&one.subject).filter(|subject| !subject.is_empty());
                listed(one, || subject.map(|subject| IndexEntry::new((), subject)).into_iter().collect())
            }),
            // By account, latest last.
            Index::new("account", 1, |one: &Self| {
                listed(one, || one.account_id.map(|id| IndexEntry::new(id, one.received_at)).into_iter().collect())
            }),
            // Notifications whose subject never became known, by the time at which they were given up.
            Index::new("unmatched", 1, |one: &Self| {
                let ended = one.ended_at.filter(|_| one.state == NotificationState::Unmatched);
                ended.map(|at| IndexEntry::new((), at)).into_iter().collect()
            }),
        ]
    }
}
