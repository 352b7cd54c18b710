//! Tests of the log as an operator finds it, with a store and a file.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::admin::wiring::schema;
use crate::config::RetentionConfig;
use crate::config::tests::{required_environment, variables as environment};
use crate::store::{Query, StoreOptions, View};
use crate::text::message::{Message, logged, msg};
use crate::text::{Locale, Texts};

/// Makes a line at a fixed time.
pub(super) fn line(level: LogLevel, message: &str) -> LogLine {
    LogLine::said("2026-11-21T10:00:00Z".parse().unwrap(), level, "", message.to_owned())
}

/// Creates a log that shows nothing, with the settings given as variables.
fn logs(variables: &[(&str, &str)]) -> Logs {
    let path = Path::new("/nonexistent/parameters.yml");
    let config = Config::load(path, [required_environment(), environment(variables)].concat()).unwrap();
    let options = Options {
        stream: Stream::Error,
        style: Style::Text { colours: false },
        level: LogLevel::Emergency,
        foreign_level: LogLevel::Emergency,
        hand_over: false,
    };
    let logs = Logs::new(options, Clock::manual("2026-11-21T10:00:00Z".parse().unwrap()));
    logs.follow(Settings::new(path, Arc::new(config)));
    logs
}

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    (folder, store)
}

/// Waits until all lines are stored and returns the matching ones, the latest first.
fn stored(logs: &Logs, store: &Store, filter: &LogFilter) -> Vec<LogLine> {
    assert!(logs.shared.to_keep.drained(FLUSH_TIMEOUT));
    let listing = filter.listing().descending().limit(10_000);
    store.read(|reader| reader.page(&listing)).unwrap().items
}

fn said(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().rev().map(|line| line.message.as_str()).collect()
}

#[test]
fn lines_are_stored_with_their_level_and_what_the_spans_around_them_say() {
    use LogLevel::{Alert, Critical, Emergency, Error, Info, Notice, Warning};
    let (_folder, store) = open();
    let logs = logs(&[]);
    tracing::subscriber::with_default(logs.subscriber(), || {
        // Logged before a store is available.
        tracing::info!("begins");
        tracing::debug!("not kept by default");
        logs.store_in(&store).unwrap();
        let request = tracing::info_span!("request", id = "abc", path = "/healthz");
        request.in_scope(|| {
            let batch = tracing::info_span!("batch", action = "cashout:transfer", batch = 7_u64);
            batch.in_scope(|| tracing::warn!(mirakl_id = 2001_u64, voucher = "17", "refused"));
        });
        tracing::info!(severity = "NOTICE", action = "web", "of note");
        for severity in ["CRITICAL", "ALERT", "EMERGENCY"] {
            tracing::error!(severity, "raised");
        }
        tracing::error!(severity = "INFO", "never lowered");
        tracing::info!(target: "hyper", "chatter of a library");
        tracing::warn!(target: "hyper", "warning of a library");
    });
    let lines = stored(&logs, &store, &LogFilter::default());
    let levels: Vec<LogLevel> = lines.iter().rev().map(LogLine::severity).collect();
    assert_eq!(levels, [Info, Warning, Notice, Critical, Alert, Emergency, Error, Warning]);
    let refused = &lines[6];
    assert_eq!((refused.action.as_str(), refused.mirakl_id, refused.batch), ("cashout:transfer", Some(2001), Some(7)));
    let fields = serde_json::json!({ "voucher": "17", "request_id": "abc", "request_path": "/healthz" });
    assert_eq!(serde_json::Value::from(refused.fields.clone()), fields);
    assert_eq!((lines[0].target.as_str(), lines[0].message.as_str()), ("hyper", "warning of a library"));
    assert!(logs.release_store());
    store.close().unwrap();
}

#[test]
fn a_line_of_ours_exists_in_each_language() {
    let (_folder, store) = open();
    let logs = logs(&[]);
    logs.store_in(&store).unwrap();
    tracing::subscriber::with_default(logs.subscriber(), || {
        let (mirakl_id, error) = (2001_u64, StoreError::Machine("the disk is gone".to_owned()));
        logged!(error, severity = "CRITICAL", action = "mail", mirakl_id, msg!("log-digest-failed", error = &error));
    });
    let lines = stored(&logs, &store, &LogFilter::default());
    let line = &lines[0];
    assert_eq!((line.severity(), line.action.as_str(), line.mirakl_id), (LogLevel::Critical, "mail", Some(2001)));
    assert_eq!(line.message, "cannot make the digest: the disk is gone");
    let french = line.in_words(Texts::of(Some(Locale::French)));
    assert!(french.starts_with("le résumé n’a pas pu être établi"), "{french}");
    assert!(french.ends_with("(the disk is gone)"), "{french}");
    logs.release_store();
}

#[test]
fn no_secret_and_no_personal_data_gets_into_a_line() {
    let (_folder, store) = open();
    let logs =
        logs(&[("CASHOUT_HIPAY_WSPASSWORD", "hunter2-\"hunter2"), ("CASHOUT_MAIL_PASSWORD", "the mail's password")]);
    logs.store_in(&store).unwrap();
    tracing::subscriber::with_default(logs.subscriber(), || {
        let note = "pan 4000000000000002";
        tracing::error!(
            note,
            "login failed with hunter2-\"hunter2 for seller@shops.example, FR1420041010050500013M02606"
        );
        // JSON writes a quote and a new line otherwise.
        let note = Message::quoting("hunter2-\"hunter2 for\nFR1420041010050500013M02606");
        let message = msg!("operation-chosen", operation = 7_u64, note);
        tracing::warn!(said = message.parts(), "{message}");
    });
    let lines = stored(&logs, &store, &LogFilter::default());
    let french = lines[0].in_words(Texts::of(Some(Locale::French)));
    assert_eq!(french, "opération 7\u{a0}: [secret] for\nFR14…2606");
    assert_eq!(lines[1].message, "login failed with [secret] for s…@shops.example, FR14…2606");
    assert_eq!(lines[1].fields["note"], "pan 400000******0002");
    logs.release_store();
}

#[test]
fn lines_are_found_by_every_filter_and_all_of_them_together() {
    let (_folder, store) = open();
    let logs = logs(&[("CASHOUT_DB_LOGGER_LEVEL", "debug")]);
    logs.store_in(&store).unwrap();
    let clock = logs.shared.clock.clone();
    let begun = clock.now();
    tracing::subscriber::with_default(logs.subscriber(), || {
        for number in 0..600_u64 {
            let (mirakl_id, batch) = (number % 10, number % 7);
            let action = if number % 2 == 0 { "cashout:transfer" } else { "vendor:process" };
            match number % 3 {
                0 => tracing::debug!(action, mirakl_id, batch, "{number}"),
                1 => tracing::info!(action, mirakl_id, batch, "{number}"),
                _ => tracing::error!(action, mirakl_id, batch, "{number}"),
            }
            clock.advance(SignedDuration::from_secs(1));
        }
    });
    let expected = |takes: &dyn Fn(u64) -> bool| {
        (0..600).filter(|&number| takes(number)).map(|number| number.to_string()).collect::<Vec<_>>()
    };
    let at = |second| Some(begun + SignedDuration::from_secs(second));
    let all = LogFilter::default();
    let cases: [(LogFilter, &dyn Fn(u64) -> bool); 6] = [
        (all.clone(), &|_| true),
        (LogFilter { level: Some(LogLevel::Error), ..all.clone() }, &|number| number % 3 == 2),
        (LogFilter { mirakl_id: Some(4), from: at(100), to: at(200), ..all.clone() }, &|number| {
            number % 10 == 4 && (100..200).contains(&number)
        }),
        (LogFilter { action: Some("vendor:process".to_owned()), batch: Some(3), ..all.clone() }, &|number| {
            number % 2 == 1 && number % 7 == 3
        }),
        (LogFilter { level: Some(LogLevel::Debug), mirakl_id: Some(3), batch: Some(3), ..all.clone() }, &|number| {
            number % 3 == 0 && number % 10 == 3 && number % 7 == 3
        }),
        (LogFilter { mirakl_id: Some(77), level: Some(LogLevel::Info), ..all.clone() }, &|_| false),
    ];
    assert!(logs.shared.to_keep.drained(FLUSH_TIMEOUT));
    for (filter, takes) in cases {
        assert_eq!(said(&stored(&logs, &store, &filter)), expected(takes), "{filter:?}");
        // Reading page by page gives the same result.
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let listing = filter.listing().descending().limit(7).after(after.take());
            let page = store.read(|reader| reader.page(&listing)).unwrap();
            assert!(page.items.len() <= 7);
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(said(&found), expected(takes), "{filter:?}");
    }
    logs.release_store();
}

#[test]
fn what_the_store_had_no_room_for_is_counted_and_said_once_there_is_room() {
    let (_folder, store) = open();
    let logs = logs(&[("CASHOUT_DB_LOGGER_LEVEL", "100")]);
    tracing::subscriber::with_default(logs.subscriber(), || {
        for number in 0..6_000 {
            tracing::debug!("{number}");
        }
        for number in 0..6_000 {
            tracing::info!("{number}");
        }
        for number in 0..5_000 {
            tracing::warn!("{number}");
        }
    });
    logs.store_in(&store).unwrap();
    let count = |level| stored(&logs, &store, &LogFilter { level: Some(level), ..LogFilter::default() }).len();
    assert_eq!((count(LogLevel::Debug), count(LogLevel::Info)), (5_000, 5_000));
    // The warnings, and the line that reports the losses.
    let warnings = stored(&logs, &store, &LogFilter { level: Some(LogLevel::Warning), ..LogFilter::default() });
    assert_eq!(warnings.len(), 5_001);
    let told = warnings.iter().find(|line| line.action == "logs").unwrap();
    assert!(told.message.contains("1000 DEBUG, 1000 INFO lines are missing"), "{told:?}");
    logs.release_store();
}

#[test]
fn lines_wait_for_the_next_opening_where_the_store_was_closed() {
    let (folder, store) = open();
    let logs = logs(&[]);
    logs.store_in(&store).unwrap();
    tracing::subscriber::with_default(logs.subscriber(), || {
        tracing::info!("one");
        assert!(logs.release_store());
        store.close().unwrap();
        tracing::info!("two");
    });
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    logs.store_in(&store).unwrap();
    assert_eq!(said(&stored(&logs, &store, &LogFilter::default())), ["one", "two"]);
    logs.release_store();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_lines_go_by_age_and_by_number_and_the_indexes_with_them() {
    let (_folder, store) = open();
    let clock = Clock::manual("2026-11-21T10:00:00Z".parse().unwrap());
    let put = async |count: u64, at: Timestamp| {
        let lines = move |number: u64| LogLine { at, mirakl_id: Some(number % 3), ..line(LogLevel::Info, "x") };
        let write = store.write(move |writer| {
            (0..count).try_for_each(|number| {
                let line = LogLine { id: writer.next_id::<LogLine>()?, ..lines(number) };
                writer.put(&line)
            })
        });
        write.await.map_err(|error: StoreError| panic!("{error}")).unwrap();
    };
    put(700, clock.now() - SignedDuration::from_hours(24 * 40)).await;
    put(900, clock.now() - SignedDuration::from_hours(24 * 20)).await;
    let retention = |logs_days, log_lines| RetentionConfig {
        logs_days,
        log_lines,
        batches_days: 0,
        notifications_days: 0,
        personal_data_days: 0,
    };
    let of_shop = Query::any_of(LogLine::BY_SHOP, [(1_u64,)]);
    let total = || store.read(|reader| Ok((reader.total::<LogLine>()?, reader.page(&of_shop)?.total))).unwrap();
    let trimmed = async |retention| trim(&store, &clock, retention, &CancellationToken::new()).await.unwrap();
    assert_eq!((trimmed(retention(0, 0)).await, total()), (0, (1_600, 533)));
    assert_eq!((trimmed(retention(30, 0)).await, total()), (700, (900, 300)));
    assert_eq!((trimmed(retention(30, 500)).await, total().0), (400, 500));
    // The oldest lines are gone.
    let first = store.read(|reader| Ok(reader.keys(&Query::<LogLine, _>::all().limit(1))?.keys)).unwrap();
    assert_eq!(first[0].1, 1_101);
}
