//! `GET /metrics` for Prometheus, with `server.metricsToken` or on the listener of `server.metricsListen`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Once;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::auth::{bearer, is_token};
use super::limits::{bounded, outermost};
use super::peer::names_this_machine;
use super::problem::Problem;
use super::{Peer, Web};
use crate::config::LogLevel;
use crate::domain::inbox::Notification;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{Operation, Status};
use crate::domain::vendor::Vendor;
use crate::jobs::{self, BatchKind, BatchState, Context};
use crate::mail::Mail;
use crate::platform::metrics as names;
use crate::schema::day_of_number;
use crate::store::{StoreError, StoreReader, View};
use crate::text::message::{logged, msg};
use crate::trouble;

/// Latch for the warning that the metrics are not available, which is logged once per process.
static CLOSED: Once = Once::new();

/// Serves the metrics to callers that present the token.
pub(super) async fn text(State(web): State<Web>, peer: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    let settings = web.settings.get();
    let token = settings.server.metrics_token.as_ref();
    if token.is_none() {
        CLOSED.call_once(|| {
            logged!(warn, action = "metrics", msg!("log-metrics-closed"));
        });
        return Err(Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-address")));
    }
    let allowed = match bearer(&headers) {
        Some(shown) => web.guesses.judged(peer.address, "the metrics", is_token(token, shown))?,
        None => false,
    };
    if !allowed {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-metrics-token")));
    }
    everything(&web).await
}

/// Builds the router of the separate metrics listener; on the loopback it answers this machine only.
pub fn metrics_router(web: Web, address: SocketAddr) -> Router {
    let own = async move |State(web): State<Web>, headers: HeaderMap| {
        if address.ip().is_loopback() && !names_this_machine(&headers) {
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, msg!("problem-other-host")));
        }
        everything(&web).await
    };
    outermost(bounded(Router::new().route("/metrics", get(own)))).with_state(web)
}

/// Starts every counter at 0, for all labels that are known in advance.
pub fn begin_metrics() {
    let commands = BatchKind::ALL.map(BatchKind::name);
    let ended =
        [BatchState::Done, BatchState::Partly, BatchState::Failed, BatchState::Interrupted].map(BatchState::name);
    names::begin(names::BATCHES, &[("command", &commands), ("state", &ended)]);
    names::begin(names::BATCH_ITEMS, &[("command", &commands), ("outcome", &["done", "failed"])]);
    let outcomes = ["stored", "repeated", "not_stored", "forged", "unreadable", "too_large", "turned_away"];
    names::begin(names::NOTIFICATIONS, &[("kind", &["wallet", "enterprise"]), ("outcome", &outcomes)]);
    let outcomes = ["ok", "not_sent", "rejected", "unknown"];
    names::begin(names::REMOTE_CALLS, &[("remote", &["Mirakl", "HiPay"]), ("outcome", &outcomes)]);
    names::begin(names::STORE_COMMITS, &[("outcome", &["ok", "failed"])]);
    names::begin(names::MAILS, &[("outcome", &["sent", "refused", "given_up", "retried"])]);
    let levels = LogLevel::ALL.map(LogLevel::name);
    names::begin(names::LOG_LINES, &[("level", &levels)]);
    names::begin(names::LOG_LINES_LOST, &[("level", &levels)]);
    let statuses = ["200", "202", "204", "303", "304", "400", "401", "403", "404", "409", "413", "429", "500", "503"];
    names::begin(names::REQUESTS, &[("status", &statuses)]);
    names::begin(names::STORE_WRITES, &[]);
    names::begin(names::TURNED_AWAY, &[]);
}

async fn everything(web: &Web) -> Result<Response, Problem> {
    refresh_balance(&web.context);
    // The system hides the boot time from a unit with `ProcSubset=pid`.
    metrics::gauge!("process_start_time_seconds").set(web.started_at.as_duration().as_secs_f64());
    let today = web.context.clock.now().to_zoned(TimeZone::UTC).date();
    let mut text = names::text().unwrap_or_default();
    text += &web.context.store.reading(move |reader| gauges(reader, today)).await?;
    text += &known(&web.context);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Age from which the balance is read again when the metrics are requested.
const BALANCE_MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// Reads the balance of the marketplace's account from HiPay in the background if the last one is too old.
fn refresh_balance(context: &Context) {
    let now = context.clock.now();
    if context.escrow.needs_reading(now, BALANCE_MAX_AGE) {
        let context = context.clone();
        // Obstacles are reported where the balance is needed.
        tokio::spawn(async move {
            let _ = context.read_escrow_balance().await;
        });
    }
}

/// Renders the gauges that come from this process and not from the store.
fn known(context: &Context) -> String {
    let mut text = Gauges::default();
    text.begin(names::ESCROW_BALANCE);
    let balance = context.escrow.last_reported();
    if let Some((balance, _)) = balance {
        text.line(&[("currency", balance.currency().code())], &balance.decimal());
    }
    text.begin(names::ESCROW_BALANCE_AT);
    text.line(&[], &balance.map_or(0, |(_, at)| at.as_second()));
    text.begin(names::TROUBLE_OPEN);
    let open: Vec<String> = context
        .troubles
        .open()
        .into_iter()
        .filter(|trouble| trouble.level >= LogLevel::Error.number())
        .map(|trouble| trouble.key)
        .collect();
    let batches = BatchKind::ALL.map(|command| format!("batch:{}", command.name()));
    let all: BTreeSet<&str> = trouble::ALL
        .into_iter()
        .chain(batches.iter().map(String::as_str))
        .chain(open.iter().map(String::as_str))
        .collect();
    for key in all {
        text.line(&[("trouble", key)], &u8::from(open.iter().any(|one| one == key)));
    }
    text.0
}

/// Ages of open amounts: exclusive upper bound in days since the cycle, and label.
const AGES: [(i32, &str); 3] = [(7, "under_7_days"), (30, "under_30_days"), (i32::MAX, "30_days_and_more")];

/// Writes the amounts that the next transfers need, and those not at the bank yet by status, age and currency.
fn open_amounts(reader: &StoreReader<'_>, today: Date, text: &mut Gauges) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, &str, String), i64> = BTreeMap::new();
    let currencies: BTreeSet<String> =
        reader.groups(Operation::AMOUNTS)?.into_iter().map(|((_, currency), _)| currency).collect();
    let currencies: Vec<Currency> = currencies.iter().filter_map(|code| Currency::from_code(code).ok()).collect();
    text.begin(names::ESCROW_DUE);
    for currency in &currencies {
        text.line(&[("currency", currency.code())], &jobs::due_for_transfers(reader, *currency)?.decimal());
    }
    let groups = match reader.groups(Operation::BY_CYCLE) {
        // This metric is absent while the index is built after an update.
        Err(StoreError::NotBuilt { .. }) => return Ok(()),
        groups => groups?,
    };
    for (group, _) in groups {
        let (day, code, currency) = (group.0, group.4, group.5.clone());
        let status = Status::from_code(code);
        if !status.is_open() {
            continue;
        }
        let days = day_of_number(day).and_then(|day| today.since(day).ok()).map_or(0, |span| span.get_days());
        let age = AGES.iter().find(|(limit, _)| days < *limit).map_or("", |(_, age)| *age);
        let sum = reader.sum(Operation::BY_CYCLE, group)?;
        let known = sums.entry((status.name(), age, currency)).or_default();
        *known = known.saturating_add(sum);
    }
    text.begin(names::OPEN_AMOUNT);
    for currency in &currencies {
        for status in Status::ALL.into_iter().filter(|status| status.is_open()) {
            for (_, age) in AGES {
                let sum = sums.get(&(status.name(), age, currency.code().to_owned())).copied().unwrap_or_default();
                let labels = [("reason", status.name()), ("age", age), ("currency", currency.code())];
                text.line(&labels, &Amount::from_minor(sum, *currency).decimal());
            }
        }
    }
    Ok(())
}

/// Writes the time of each batch's last run without a failure.
fn last_successes(reader: &StoreReader<'_>, text: &mut Gauges) -> Result<(), StoreError> {
    let known = jobs::last_successes(reader)?;
    text.begin(names::BATCH_LAST_SUCCESS);
    for command in BatchKind::ALL {
        let at = known.get(command.name()).map_or(0, |at| at.as_second());
        text.line(&[("command", command.name())], &at);
    }
    Ok(())
}

/// Renders the gauges that come from the store. All values are exact.
fn gauges(reader: &StoreReader<'_>, today: Date) -> Result<String, StoreError> {
    let mut text = Gauges::default();
    text.begin(names::OPERATIONS);
    for status in Status::ALL {
        let count = reader.count(Operation::BY_STATUS, status.code())?;
        text.line(&[("status", status.name())], &count);
    }
    text.begin(names::OPERATIONS_AMOUNT);
    for ((code, currency), _) in reader.groups(Operation::AMOUNTS)? {
        let sum = reader.sum(Operation::AMOUNTS, (code, currency.as_str()))?;
        text.line(&[("status", Status::from_code(code).name()), ("currency", &currency)], &sum);
    }
    text.begin(names::OPERATIONS_HELD);
    text.line(&[], &reader.count(Operation::HELD, ())?);
    open_amounts(reader, today, &mut text)?;
    last_successes(reader, &mut text)?;
    text.begin(names::MAIL_OUTBOX);
    text.line(&[], &reader.count(Mail::OPEN, ())?);
    text.begin(names::VENDORS);
    for ((status, wallet), count) in reader.groups(Vendor::BY_STATUS)? {
        text.line(&[("status", &status), ("wallet_status", &wallet)], &count);
    }
    text.begin(names::NOTIFICATIONS_OPEN);
    text.line(&[], &reader.count(Notification::OPEN, false)?.saturating_add(reader.count(Notification::OPEN, true)?));
    text.begin(names::BUILD);
    let (version, target, commit) =
        (crate::platform::release::version(), crate::platform::release::TARGET, crate::platform::release::COMMIT);
    text.line(&[("version", version), ("target", target), ("commit", commit)], &1);
    Ok(text.0)
}

/// Text format of Prometheus. Names and labels are our own words, so that nothing has to be escaped.
#[derive(Default)]
struct Gauges(String, &'static str);

impl Gauges {
    fn begin(&mut self, name: &'static str) {
        let meaning = names::meaning(name);
        self.0.extend(["# HELP ", name, " ", meaning, "\n# TYPE ", name, " gauge\n"]);
        self.1 = name;
    }

    fn line(&mut self, labels: &[(&str, &str)], value: &dyn Display) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.extend([self.1, &labels, " ", &value.to_string(), "\n"]);
    }
}
