//! The description of each kind of record for both stores, and the query of each filter of a page.

use cashout::config::LogLevel;
use cashout::domain::inbox::{Notification, NotificationKind, NotificationState};
use cashout::domain::operation::{Column, Operation, Status};
use cashout::domain::payment::{CustomerPayment, PaymentOutcome, PaymentStatus};
use cashout::domain::vendor::{Vendor, WalletStatus};
use cashout::jobs::{BatchRecord, BatchState};
use cashout::logs::LogLine;
use cashout::store::{Index, Query, Record};
use jiff::Timestamp;
use rusqlite::types::Value;

/// A kind of record as stored in SQLite: its key, its time, the filtered values, and the whole record
/// as JSON. The columns are named like the filters in an address.
pub(super) trait Shelf: Record {
    /// Name of the table.
    const TABLE: &'static str;
    /// Columns that are filtered.
    const COLUMNS: &'static [&'static str];
    /// Sets of columns with a common index; the time and the key follow in each.
    const COLUMN_SETS: &'static [&'static [&'static str]];
    /// The index of our store that serves a search.
    const SEARCHED: Option<Index<Self, (), String>>;

    /// Returns the key.
    fn number(&self) -> Value;
    /// Returns the time by which pages are sorted.
    fn at(&self) -> Timestamp;
    /// Returns the values of [`Shelf::COLUMNS`].
    fn values(&self) -> Vec<Value>;
    /// Returns the texts by which a search finds the record.
    fn texts(&self) -> Vec<String>;
    /// Returns the query of our store for these filters, as the pages use it.
    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self>;
}

/// Beginning and end of the time that is asked for.
pub(super) type Period = (Option<Timestamp>, Option<Timestamp>);

fn within<R: Record>(mut query: Query<R, Timestamp>, (from, to): Period) -> Query<R> {
    if let Some(from) = from {
        query = query.from(from);
    }
    if let Some(to) = to {
        query = query.to(to);
    }
    query.in_any_order()
}

pub(super) fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn set<'a>(filters: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    filters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

fn columns_of(status: Status) -> [&'static str; 2] {
    let (transfer, withdraw) = status.columns();
    [transfer.name(), withdraw.name()]
}

impl Shelf for Operation {
    const TABLE: &'static str = "operations";
    const SEARCHED: Option<Index<Self, (), String>> = Some(Self::SEARCH);
    const COLUMNS: &'static [&'static str] = &["transfer_status", "withdraw_status", "mirakl_id"];
    const COLUMN_SETS: &'static [&'static [&'static str]] = &[
        &[],
        &["transfer_status"],
        &["withdraw_status"],
        &["transfer_status", "withdraw_status"],
        &["mirakl_id"],
        &["mirakl_id", "withdraw_status"],
    ];

    fn number(&self) -> Value {
        integer(self.id)
    }

    fn at(&self) -> Timestamp {
        self.updated_at
    }

    fn values(&self) -> Vec<Value> {
        columns_of(self.status).map(text).into_iter().chain([integer(self.mirakl_id)]).collect()
    }

    fn texts(&self) -> Vec<String> {
        let ids = [self.mirakl_id, self.vendor_hipay_id, self.recipient_hipay_id];
        ids.iter().map(ToString::to_string).chain([self.voucher.to_lowercase()]).collect()
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        let known = |wanted: &str| Column::ALL.iter().any(|column| column.name() == wanted);
        let wanted = ["transfer_status", "withdraw_status"].map(|name| set(filters, name));
        assert!(wanted.iter().flatten().all(|name| known(name)));
        let passes = |status: &&Status| {
            wanted.iter().zip(columns_of(**status)).all(|(wanted, is)| wanted.is_none_or(|wanted| wanted == is))
        };
        let codes: Vec<i64> = Status::ALL.iter().filter(passes).map(|status| status.code()).collect();
        let by_status = wanted.iter().any(Option::is_some);
        let query = match set(filters, "mirakl_id").map(|id| id.parse::<u64>().unwrap()) {
            Some(id) if by_status => Query::any_of(Self::BY_VENDOR, codes.into_iter().map(|code| (id, code))),
            Some(id) => Query::group(Self::BY_VENDOR, (id,)),
            None if by_status => Query::any_of(Self::BY_STATUS, codes),
            None => Query::group(Self::BY_DATE, ()),
        };
        within(query, period)
    }
}

impl Shelf for Vendor {
    const TABLE: &'static str = "vendors";
    const SEARCHED: Option<Index<Self, (), String>> = Some(Self::SEARCH);
    const COLUMNS: &'static [&'static str] = &["status", "wallet_status", "country"];
    const COLUMN_SETS: &'static [&'static [&'static str]] =
        &[&[], &["status"], &["wallet_status"], &["status", "wallet_status"], &["country"], &["country", "status"]];

    fn number(&self) -> Value {
        integer(self.mirakl_id)
    }

    fn at(&self) -> Timestamp {
        self.updated_at
    }

    fn values(&self) -> Vec<Value> {
        vec![text(self.status()), text(self.wallet_status().name()), text(self.country.as_deref().unwrap_or_default())]
    }

    fn texts(&self) -> Vec<String> {
        self.search_texts()
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        let (status, wallet) = (set(filters, "status"), set(filters, "wallet_status"));
        let groups = ["success", "warning"].into_iter().flat_map(|one| {
            let wallets = WalletStatus::ALL.into_iter().map(WalletStatus::name);
            wallets.map(move |wallet| (one.to_owned(), wallet.to_owned()))
        });
        let groups = groups
            .filter(|(one, other)| status.is_none_or(|is| is == one) && wallet.is_none_or(|is| is == other))
            .collect::<Vec<_>>();
        let query = match set(filters, "country").map(ToOwned::to_owned) {
            Some(country) => {
                let groups = groups.into_iter().map(|(status, wallet)| (country.clone(), status, wallet));
                Query::any_of(Vendor::BY_COUNTRY, groups)
            }
            None => Query::any_of(Self::BY_STATUS, groups),
        };
        within(query, period)
    }
}

impl Shelf for LogLine {
    const TABLE: &'static str = "logs";
    const SEARCHED: Option<Index<Self, (), String>> = None;
    const COLUMNS: &'static [&'static str] = &["level", "action", "mirakl_id", "batch"];
    const COLUMN_SETS: &'static [&'static [&'static str]] =
        &[&[], &["level"], &["action"], &["mirakl_id"], &["batch"], &["level", "action"], &["mirakl_id", "level"]];

    fn number(&self) -> Value {
        integer(self.id)
    }

    fn at(&self) -> Timestamp {
        self.at
    }

    fn values(&self) -> Vec<Value> {
        let number = |number: Option<u64>| number.map_or(Value::Null, integer);
        vec![text(self.severity().name()), text(&self.action), number(self.mirakl_id), number(self.batch)]
    }

    fn texts(&self) -> Vec<String> {
        Vec::new()
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        let number = |name| set(filters, name).map(|text| text.parse::<u64>().unwrap());
        let filter = cashout::logs::LogFilter {
            level: set(filters, "level").map(|name| LogLevel::named(name).unwrap()),
            level_from: None,
            action: set(filters, "action").map(ToOwned::to_owned),
            mirakl_id: number("mirakl_id"),
            batch: number("batch"),
            from: period.0,
            to: period.1,
        };
        filter.listing().in_any_order()
    }
}

impl Shelf for CustomerPayment {
    const TABLE: &'static str = "payments";
    const SEARCHED: Option<Index<Self, (), String>> = Some(Self::SEARCH);
    const COLUMNS: &'static [&'static str] = &["outcome", "status", "test", "order_id"];
    const COLUMN_SETS: &'static [&'static [&'static str]] =
        &[&[], &["outcome"], &["status"], &["test"], &["order_id"], &["outcome", "test"]];

    fn number(&self) -> Value {
        text(&self.transaction_reference)
    }

    fn at(&self) -> Timestamp {
        self.date
    }

    fn values(&self) -> Vec<Value> {
        let status = self.latest.status.map_or(Value::Null, |status| integer(u64::from(status.0)));
        let test = text(if self.latest.test { "true" } else { "false" });
        vec![text(self.outcome().name()), status, test, text(&Self::searched(&self.latest.order_id))]
    }

    fn texts(&self) -> Vec<String> {
        vec![self.transaction_reference.to_lowercase(), Self::searched(&self.latest.order_id)]
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        let order = set(filters, "order_id").map(Self::searched);
        let status = set(filters, "status").map(|status| status.parse::<u32>().unwrap());
        let is = |name, value: &str| set(filters, name).is_none_or(|wanted| wanted == value);
        let tests = [false, true].into_iter().filter(|test| is("test", &test.to_string()));
        let outcomes = PaymentOutcome::ALL.into_iter().filter(|one| is("outcome", one.name()));
        let groups = outcomes.flat_map(|outcome| tests.clone().map(move |test| (outcome, test)));
        let query = match (order, status) {
            (Some(order), _) => Query::any_of(CustomerPayment::BY_ORDER, [order]),
            (None, Some(status)) => {
                let of_status = |(outcome, test)| (outcome, test, Some(status));
                let outcome = PaymentStatus(status).outcome();
                Query::any_of(CustomerPayment::BY_OUTCOME, groups.filter(|(one, _)| *one == outcome).map(of_status))
            }
            (None, None) if filters.is_empty() => Query::group(Self::BY_DATE, ()),
            (None, None) => Query::any_of(CustomerPayment::BY_OUTCOME, groups),
        };
        within(query, period)
    }
}

impl Shelf for Notification {
    const TABLE: &'static str = "notifications";
    const SEARCHED: Option<Index<Self, (), String>> = Some(Self::BY_SUBJECT);
    const COLUMNS: &'static [&'static str] = &["kind", "state"];
    const COLUMN_SETS: &'static [&'static [&'static str]] = &[&[], &["kind"], &["state"], &["kind", "state"]];

    fn number(&self) -> Value {
        integer(self.id)
    }

    fn at(&self) -> Timestamp {
        self.received_at
    }

    fn values(&self) -> Vec<Value> {
        vec![text(self.kind.name()), text(self.state.name())]
    }

    fn texts(&self) -> Vec<String> {
        vec![self.subject.clone()]
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        let (kind, state) = (set(filters, "kind"), set(filters, "state"));
        let groups = NotificationKind::ALL.into_iter().flat_map(|kind| {
            let states = NotificationState::ALL.into_iter();
            states.map(move |state| (kind, state))
        });
        let passes = |(one, other): &(NotificationKind, NotificationState)| {
            kind.is_none_or(|kind| kind == one.name()) && state.is_none_or(|state| state == other.name())
        };
        within(Query::any_of(Notification::BY_KIND, groups.filter(passes)), period)
    }
}

impl Shelf for BatchRecord {
    const TABLE: &'static str = "batches";
    const SEARCHED: Option<Index<Self, (), String>> = None;
    const COLUMNS: &'static [&'static str] = &["command", "state"];
    const COLUMN_SETS: &'static [&'static [&'static str]] = &[&[], &["command"], &["state"], &["command", "state"]];

    fn number(&self) -> Value {
        integer(self.id)
    }

    fn at(&self) -> Timestamp {
        self.started_at
    }

    fn values(&self) -> Vec<Value> {
        vec![text(&self.command), text(self.state().name())]
    }

    fn texts(&self) -> Vec<String> {
        Vec::new()
    }

    fn listing(filters: &[(&'static str, String)], period: Period) -> Query<Self> {
        assert_eq!(period, (None, None), "batches are not filtered by time");
        let state = |name: &str| BatchState::ALL.into_iter().find(|state| state.name() == name).unwrap();
        match (set(filters, "command"), set(filters, "state").map(state)) {
            (None, None) => Query::all().in_any_order(),
            (Some(command), None) => Query::group(Self::BY_COMMAND, command).in_any_order(),
            (None, Some(state)) => Query::group(Self::BY_STATE, state).in_any_order(),
            (Some(command), Some(state)) => {
                Query::group(Self::BY_STATE, state).and(Self::BY_COMMAND, [command]).in_any_order()
            }
        }
    }
}
