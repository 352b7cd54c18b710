//! A store of a million operations with a history: opening it, also after a kill; its pages; the
//! memory that this takes; the start of the program on it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cashout::admin::wiring::schema;
use cashout::domain::operation::{Operation, Status};
use cashout::store::{Cursor, Query, Store, StoreError, StoreOptions, View};
use jiff::SignedDuration;

use crate::table::{milliseconds, percentile, rate};
use crate::{Scale, machine, records, start, table};

/// First argument of a child process; a role and a folder follow.
pub(crate) const CHILD: &str = "child";

/// Number of operations per commit while the store is built.
const GROUP: u64 = 5_000;

/// Number of kills, and of openings after an orderly end.
const OPENINGS: u32 = 10;

/// Number of pages read of each kind.
const PAGES: usize = 1_000;

/// Returns the status of an operation: most are done, some wait for something.
fn status_of(id: u64) -> Status {
    match id % 100 {
        0..=89 => Status::WithdrawSuccess,
        90..=94 => Status::TransferSuccess,
        95..=97 => Status::Created,
        98 => Status::TransferRequested,
        _ => Status::WithdrawFailed,
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &StoreOptions::default(), &schema()).unwrap()
}

/// Builds the store, and makes other processes write to it, be killed, open it and read it.
pub(crate) fn measure(scale: Scale) {
    let (folder, count) = (tempfile::tempdir().unwrap(), scale.of(1_000_000));
    let begun = Instant::now();
    build(folder.path(), count);
    let built = begun.elapsed();
    let size = std::fs::metadata(folder.path().join("store.redb")).unwrap().len().div_euclid(1024 * 1024);
    println!(
        "\nmillion: {count} operations in {:.1} s ({:.0} /s), {size} MiB",
        built.as_secs_f64(),
        rate(count, built)
    );

    let mut orderly: Vec<Duration> = (0..OPENINGS).map(|_| opened(folder.path()).0).collect();
    let mut killed: Vec<Duration> = (0..OPENINGS).map(|_| opened_after_kill(folder.path())).collect();
    let rows = [("orderly end", &mut orderly), ("kill -9", &mut killed)].map(|(after, times)| {
        let times = [percentile(times, 0), percentile(times, 50), percentile(times, 100)].map(milliseconds);
        std::iter::once(after.to_owned()).chain(times).collect()
    });
    table::print("million: opening after", &["", "fastest", "p50", "slowest"], &rows);

    let read = this_program("read", folder.path()).status().unwrap();
    assert!(read.success());
    start::measure(folder.path());
}

fn build(folder: &Path, count: u64) {
    let store = open(folder);
    for first in (0..count).step_by(usize::try_from(GROUP).unwrap()) {
        store
            .write_blocking(move |writer| {
                (first..count.min(first + GROUP)).try_for_each(|id| writer.put(&records::lived(id, status_of(id))))
            })
            .map_err(|error: StoreError| panic!("{error}"))
            .unwrap();
    }
    assert_eq!(store.read(|reader| reader.total::<Operation>()).unwrap(), count);
}

fn opened(folder: &Path) -> (Duration, Store) {
    let begun = Instant::now();
    let store = open(folder);
    (begun.elapsed(), store)
}

/// Makes another process write, kills it, and measures the opening of the store that it left.
fn opened_after_kill(folder: &Path) -> Duration {
    let mut child = this_program("write", folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut stored = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Ok(id) = line.unwrap().parse::<u64>() {
            stored.push(id);
        }
        if stored.len() == 300 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    let (time, store) = opened(folder);
    assert!(stored.len() >= 300, "the writing process stored {} operations only", stored.len());
    for id in stored {
        assert!(store.read(|reader| reader.get::<Operation>(&id)).unwrap().is_some(), "{id} was answered and is gone");
    }
    time
}

fn this_program(role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([CHILD, role]).arg(folder);
    command
}

/// Runs a child process that [`measure`] has started.
pub(crate) fn child(role: &str, folder: &Path) {
    match role {
        "write" => write_without_end(folder),
        "read" => read(folder),
        other => panic!("no such role: {other}"),
    }
}

/// Prints each operation's id once it is stored, while the output is read.
fn write_without_end(folder: &Path) {
    let store = open(folder);
    let mut out = std::io::stdout().lock();
    for id in store.read(|reader| reader.total::<Operation>()).unwrap().. {
        let operation = records::lived(id, status_of(id));
        store
            .write_blocking(move |writer| writer.put(&operation))
            .map_err(|error: StoreError| panic!("{error}"))
            .unwrap();
        // The output is no longer read: the process that was to kill this one is gone itself.
        if writeln!(out, "{id}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Reads pages and prints their times and the memory.
fn read(folder: &Path) {
    let (opening, store) = opened(folder);
    let after_opening = machine::resident_mib();
    let status = Query::group(Operation::BY_STATUS, Status::WithdrawSuccess.code()).descending();
    let total = store.read(|reader| reader.total::<Operation>()).unwrap();
    let instant = |id: u64| records::cycle() + SignedDuration::from_secs(i64::try_from(id).unwrap());
    let dated = status.clone().from(instant(total / 2)).to(instant(total / 2 + total / 10));
    let (deep, deep_dated) =
        (cursors(&store, &status.clone().in_any_order()), cursors(&store, &dated.clone().in_any_order()));
    let deep_by_key = cursors(&store, &Query::all().in_any_order());
    let rows = [
        pages("by status, first page", &store, |_| status.clone().in_any_order()),
        pages("by status, anywhere", &store, |nth| status.clone().in_any_order().after(pick(&deep, nth))),
        pages("by status and date, first page", &store, |_| dated.clone().in_any_order()),
        pages("by status and date, anywhere", &store, |nth| dated.clone().in_any_order().after(pick(&deep_dated, nth))),
        pages("by key, first page", &store, |_| Query::all().in_any_order()),
        pages("by key, anywhere", &store, |nth| Query::all().in_any_order().after(pick(&deep_by_key, nth))),
    ];
    table::print(
        &format!("million: pages of 50 with their count, {PAGES} reads of each"),
        &["", "p50", "p99", "total", "exact"],
        &rows,
    );
    println!(
        "\nmillion: resident memory {after_opening} MiB after opening ({}), {} MiB after paging",
        milliseconds(opening),
        machine::resident_mib()
    );
}

/// Returns the beginnings of pages throughout a list.
fn cursors(store: &Store, list: &Query<Operation>) -> Vec<Cursor> {
    let mut found = Vec::new();
    loop {
        let from = list.clone().limit(500).after(found.last().cloned());
        match store.read(|reader| reader.keys(&from)).unwrap().next {
            Some(next) => found.push(next),
            None => return found,
        }
    }
}

/// Returns one of the places, a different one each time, distant from those just read.
fn pick(places: &[Cursor], nth: usize) -> Option<Cursor> {
    places.get(nth.wrapping_mul(7_919) % places.len()).cloned()
}

fn pages(what: &str, store: &Store, query: impl Fn(usize) -> Query<Operation>) -> Vec<String> {
    let (mut total, mut exact) = (0, true);
    let mut times: Vec<Duration> = (0..PAGES)
        .map(|nth| {
            let query = query(nth);
            let begun = Instant::now();
            let page = store.read(|reader| reader.page(&query)).unwrap();
            let time = begun.elapsed();
            assert!(page.unreadable.is_empty() && page.items.len() == 50);
            (total, exact) = (page.total, page.total_exact);
            time
        })
        .collect();
    let (middle, high) = (percentile(&mut times, 50), percentile(&mut times, 99));
    vec![what.to_owned(), milliseconds(middle), milliseconds(high), total.to_string(), exact.to_string()]
}
