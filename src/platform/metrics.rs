//! Metrics of this process: names, meanings, and the text that Prometheus reads.
//!
//! Any part raises its counters by the macros of the `metrics` crate, under a name defined here. Counters live as long
//! as the process; values from the store are read on request.

use std::sync::OnceLock;

use metrics::Label;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Batches by command and state, as they end.
pub const BATCHES: &str = "cashout_batches_total";
/// Time of the last batch without any failure, by command (seconds since 1970); 0 if there is none.
pub const BATCH_LAST_SUCCESS: &str = "cashout_batch_last_success_timestamp_seconds";
/// Items of batches by command and outcome: done or failed.
pub const BATCH_ITEMS: &str = "cashout_batch_items_total";
/// Balance of the marketplace's account as last reported by HiPay, in units of its currency.
pub const ESCROW_BALANCE: &str = "cashout_escrow_balance";
/// Time of HiPay's report of that balance (seconds since 1970).
pub const ESCROW_BALANCE_AT: &str = "cashout_escrow_balance_timestamp_seconds";
/// Amount that the next transfers need from that account, in units of its currency, now.
pub const ESCROW_DUE: &str = "cashout_escrow_due";
/// Amounts that are not at the bank yet, by status and age of their cycle, in units of the currency, now.
pub const OPEN_AMOUNT: &str = "cashout_open_amount";
/// Troubles of level ERROR and worse that are open: 1 or 0 for each, now.
pub const TROUBLE_OPEN: &str = "cashout_trouble_open";
/// End of validity of the served certificate (seconds since 1970).
pub const CERTIFICATE_EXPIRY: &str = "cashout_certificate_expiry_timestamp_seconds";
/// Messages waiting to be sent, now.
pub const MAIL_OUTBOX: &str = "cashout_mail_outbox";
/// Operations by status, now.
pub const OPERATIONS: &str = "cashout_operations";
/// Amounts of operations by status and currency, in minor units, now.
pub const OPERATIONS_AMOUNT: &str = "cashout_operations_amount_minor_units";
/// Operations that are held until an operator decides.
pub const OPERATIONS_HELD: &str = "cashout_operations_held";
/// Vendors by status and wallet status, now.
pub const VENDORS: &str = "cashout_vendors";
/// Notifications by kind and outcome: stored, repeated, or refused with the reason.
pub const NOTIFICATIONS: &str = "cashout_notifications_total";
/// Notifications that are not processed yet, now.
pub const NOTIFICATIONS_OPEN: &str = "cashout_notifications_open";
/// Calls to a remote by outcome.
pub const REMOTE_CALLS: &str = "cashout_remote_calls_total";
/// Response time of a remote, in seconds.
pub const REMOTE_CALL_SECONDS: &str = "cashout_remote_call_seconds";
/// Commits of the store by outcome.
pub const STORE_COMMITS: &str = "cashout_store_commits_total";
/// Duration of a commit of the store, in seconds.
pub const STORE_COMMIT_SECONDS: &str = "cashout_store_commit_seconds";
/// Writes that were committed together.
pub const STORE_WRITES: &str = "cashout_store_writes_total";
/// E-mails by outcome.
pub const MAILS: &str = "cashout_mails_total";
/// Log lines by level.
pub const LOG_LINES: &str = "cashout_log_lines_total";
/// Log lines lost because the store could not keep up, by level.
pub const LOG_LINES_LOST: &str = "cashout_log_lines_lost_total";
/// Requests by status of the response.
pub const REQUESTS: &str = "cashout_http_requests_total";
/// Connections refused because too many were open.
pub const TURNED_AWAY: &str = "cashout_http_connections_turned_away_total";
/// Time from a request to the head of its response, in seconds.
pub const REQUEST_SECONDS: &str = "cashout_http_request_seconds";

/// Version, target and commit of this binary.
pub const BUILD: &str = "cashout_build_info";

/// Name and meaning of every metric.
const MEANINGS: [(&str, &str); 28] = [
    (BATCHES, "Batches that ended, by command and state"),
    (BATCH_LAST_SUCCESS, "Time of the last batch without any failure, by command; 0 if there is none"),
    (BATCH_ITEMS, "Items of batches, by command and outcome"),
    (ESCROW_BALANCE, "Balance of the marketplace's account as last reported by HiPay, in units of its currency"),
    (ESCROW_BALANCE_AT, "Time at which HiPay last reported the balance of the marketplace's account"),
    (ESCROW_DUE, "Amount that the next transfers need from the marketplace's account, in units of the currency"),
    (OPEN_AMOUNT, "Amounts that are not at the bank yet, by status and age of the cycle, in units of the currency"),
    (TROUBLE_OPEN, "Troubles of level ERROR and worse: 1 for each that is open, otherwise 0"),
    (CERTIFICATE_EXPIRY, "End of validity of the served certificate"),
    (MAIL_OUTBOX, "Messages waiting to be sent"),
    (OPERATIONS, "Operations by status"),
    (OPERATIONS_AMOUNT, "Amounts of operations by status and currency, in minor units"),
    (OPERATIONS_HELD, "Operations that are held until an operator decides"),
    (VENDORS, "Vendors by status and wallet status"),
    (NOTIFICATIONS, "Notifications received, by kind and outcome"),
    (NOTIFICATIONS_OPEN, "Notifications that are not processed yet"),
    (REMOTE_CALLS, "Calls to Mirakl and HiPay, by outcome"),
    (REMOTE_CALL_SECONDS, "Response time of Mirakl and HiPay"),
    (STORE_COMMITS, "Commits of the store, by outcome"),
    (STORE_COMMIT_SECONDS, "Duration of a commit of the store"),
    (STORE_WRITES, "Writes to the store; concurrent writes share a commit"),
    (MAILS, "E-mails, by outcome"),
    (LOG_LINES, "Log lines, by level"),
    (LOG_LINES_LOST, "Log lines lost because the store could not keep up, by level"),
    (REQUESTS, "HTTP requests, by status of the response"),
    (TURNED_AWAY, "Connections refused because too many were open"),
    (REQUEST_SECONDS, "Time from the head of a request to the head of its response"),
    (BUILD, "Version, target and commit of this binary; always 1"),
];

/// Bounds of the buckets of times, in seconds: from a flush of the disk to the time-out of a remote.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting in this process. Further calls change nothing.
pub fn start() {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
        let recorder = builder.ok()?.build_recorder();
        let handle = recorder.handle();
        // Fails if another part of this process counts already: then there is nothing to show.
        metrics::set_global_recorder(recorder).ok()?;
        for (name, meaning) in MEANINGS {
            if name.ends_with("_total") {
                metrics::describe_counter!(name, meaning);
            }
            if name.ends_with("_seconds") && !name.ends_with("_timestamp_seconds") {
                metrics::describe_histogram!(name, meaning);
            }
        }
        metrics::describe_gauge!(CERTIFICATE_EXPIRY, meaning(CERTIFICATE_EXPIRY));
        metrics_process::Collector::default().describe();
        Some(handle)
    });
}

/// Starts counter `name` at 0 for every combination of these labels: a counter that first appears as 1 shows no
/// increase.
pub fn begin(name: &'static str, labels: &[(&'static str, &[&'static str])]) {
    let mut combinations: Vec<Vec<Label>> = vec![Vec::new()];
    for (label, values) in labels {
        let with = |known: &Vec<Label>| {
            let known = known.clone();
            values.iter().map(move |value| [known.clone(), vec![Label::from_static_parts(label, value)]].concat())
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    for labels in combinations {
        metrics::counter!(name, labels).absolute(0);
    }
}

/// Returns everything counted so far, in Prometheus's text format; `None` if nothing is counted here.
pub fn text() -> Option<String> {
    let handle = HANDLE.get()?.as_ref()?;
    metrics_process::Collector::default().collect();
    Some(handle.render())
}

/// Empties the buffers in which times accumulate. To be called every few seconds, even if the text is never requested.
pub fn tidy() {
    if let Some(Some(handle)) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// Returns the meaning of `name`.
pub fn meaning(name: &str) -> &'static str {
    MEANINGS.iter().find(|(known, _)| *known == name).map_or("", |(_, meaning)| meaning)
}
