//! Every list page with its filters, over a marketplace of a million operations, five million log
//! lines and a hundred thousand vendors: the store's time, compared with the same queries in SQLite;
//! the page's time in the server, and over HTTP; and its size.
//!
//! `CASHOUT_BENCH_FOLDER` names a folder in which the marketplace is kept for the next run; `CASHOUT_BENCH_LISTS` names
//! the lists that are filled and queried, such as `vendors logs`; all by default.

mod dashboard;
mod marketplace;
mod question;
mod record_kinds;
mod sqlite;
mod user_questions;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cashout::admin::wiring::schema;
use cashout::domain::inbox::Notification;
use cashout::domain::operation::Operation;
use cashout::domain::payment::{CustomerPayment, PaymentOutcome};
use cashout::domain::vendor::Vendor;
use cashout::jobs::BatchRecord;
use cashout::logs::LogLine;
use cashout::store::{Query, Store, StoreError, StoreOptions, View};
use rusqlite::Connection;

use crate::table::{milliseconds, percentile, rate};
use crate::{Scale, table};
use dashboard::Served;
use marketplace::Size;
use question::Question;
use record_kinds::Shelf;

/// Number of records per commit while the stores are built.
const GROUP: u64 = 20_000;
/// Number of reads of each question from each store, and of a page.
const READS: usize = 200;
const PAGES: usize = 100;
/// Time limit of a page in the server.
const LIMIT: Duration = Duration::from_millis(5);

/// Builds both stores, and queries both.
pub(crate) fn measure(scale: Scale) {
    let size = Size::of(scale);
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("CASHOUT_BENCH_FOLDER").map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).unwrap();
    if !folder.join("whole").exists() {
        build(folder, &size);
        std::fs::write(folder.join("whole"), "").unwrap();
    }
    let connection = sqlite::open(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let served = runtime.block_on(Served::start(folder));
    wait_until_built(served.store());
    let mut measured = Vec::new();
    let mut all = Lists { runtime: &runtime, served: &served, connection: &connection, measured: &mut measured };
    all.list::<Vendor>("vendors", &user_questions::of_vendors());
    all.list::<Operation>("transfers", &user_questions::of_operations(&size));
    all.list::<CustomerPayment>("payments", &user_questions::of_payments(&size));
    all.list::<Notification>("notifications", &user_questions::of_notifications(&size));
    all.list::<LogLine>("logs", &user_questions::of_lines());
    all.list::<BatchRecord>("batches in the settings", &user_questions::of_batches());
    if std::env::var_os("CASHOUT_BENCH_LISTS").is_none() {
        all.pages(&user_questions::single_pages(&size));
    }
    summary(&measured);
    runtime.block_on(served.stop());
}

/// Measurements of one question.
struct Measured {
    list: &'static str,
    what: &'static str,
    /// Times of our store and of SQLite; `None` for a page that is no list.
    stores: Option<[Vec<Duration>; 2]>,
    page: Vec<Duration>,
    http: Vec<Duration>,
    sent: usize,
    plain: usize,
    rows: usize,
    total: String,
}

struct Lists<'a> {
    runtime: &'a tokio::runtime::Runtime,
    served: &'a Served,
    connection: &'a Connection,
    measured: &'a mut Vec<Measured>,
}

impl Lists<'_> {
    /// Measures all questions about a list, and prints the results.
    fn list<R: Shelf>(&mut self, list: &'static str, questions: &[Question]) {
        if !is_wanted::<R>() {
            return;
        }
        let mut rows = Vec::new();
        for question in questions {
            let mut one = self.question::<R>(list, question);
            rows.push(one.cells());
            self.measured.push(one);
        }
        let head = [
            "",
            "rows",
            "total",
            "store p50",
            "p99",
            "SQLite p50",
            "p99",
            "ratio",
            "page p50",
            "p99",
            "HTTP p50",
            "p99",
            "sent",
            "plain",
        ];
        table::print(&format!("pages: {list}, times in ms, of {READS} reads and {PAGES} pages"), &head, &rows);
    }

    fn question<R: Shelf>(&self, list: &'static str, question: &Question) -> Measured {
        let asked = question.asked::<R>(self.served);
        assert!(!asked.is_empty(), "{list}: {}", question.what);
        let mut times = [Vec::new(), Vec::new()];
        let (mut rows, mut total) = (0, String::new());
        let mut floors = Vec::new();
        for nth in 0..READS {
            let one = asked.get(nth % asked.len()).unwrap();
            let begun = Instant::now();
            let (ours, counted, exact) = one.ask(self.served);
            let middle = Instant::now();
            let (theirs, theirs_counted) = one.theirs.ask::<R>(self.connection);
            times[1].push(middle.elapsed());
            times[0].push(middle.duration_since(begun));
            if nth < asked.len() {
                let numbers = |records: &[R]| records.iter().map(Shelf::number).collect::<Vec<_>>();
                assert_eq!(numbers(&ours), numbers(&theirs), "{}", one.address);
                if exact {
                    assert_eq!(counted, theirs_counted, "{}", one.address);
                } else {
                    floors.push((one, counted));
                }
                (rows, total) = (ours.len(), format!("{}{counted}", if exact { "" } else { "≥ " }));
            }
        }
        // Neither has counted these to the end, and each stops in its own way.
        for (one, counted) in floors {
            let all = one.theirs.count_all(self.connection);
            assert!(counted <= all, "{}: {counted} and {all}", one.address);
        }
        if std::env::var_os("CASHOUT_BENCH_PLANS").is_some() {
            println!("{}: {}", asked.first().unwrap().address, asked.first().unwrap().theirs.plan(self.connection));
        }
        let addresses: Vec<&str> = asked.iter().map(|one| one.address.as_str()).collect();
        let page = self.page(list, question.what, &addresses);
        Measured { stores: Some(times), rows, total, ..page }
    }

    fn page(&self, list: &'static str, what: &'static str, addresses: &[&str]) -> Measured {
        self.runtime.block_on(async {
            let (mut page, mut http) = (Vec::new(), Vec::new());
            let (mut sent, first) = (0, *addresses.first().unwrap());
            let (_, plain) = self.served.page(first, false).await;
            for nth in 0..PAGES {
                let address = addresses.get(nth % addresses.len()).unwrap();
                let (took, bytes) = self.served.page(address, true).await;
                page.push(took);
                sent = sent.max(bytes);
                http.push(self.served.over_http(address).await);
            }
            Measured { list, what, stores: None, page, http, sent, plain, rows: 0, total: String::new() }
        })
    }

    /// Measures pages that are no lists.
    fn pages(&mut self, pages: &[(&'static str, Vec<String>)]) {
        let mut rows = Vec::new();
        for (what, addresses) in pages {
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            let mut one = self.page("", what, &addresses);
            let [p50, p99] = ends(&mut one.page);
            let [http, http_high] = ends(&mut one.http);
            rows.push(vec![(*what).to_owned(), p50, p99, http, http_high, kilobytes(one.sent), kilobytes(one.plain)]);
            self.measured.push(one);
        }
        let head = ["", "page p50", "p99", "HTTP p50", "p99", "sent", "plain"];
        table::print(&format!("pages: others, times in ms, of {PAGES} pages"), &head, &rows);
    }
}

fn ends(times: &mut [Duration]) -> [String; 2] {
    [50, 99].map(|percent| format!("{:.2}", percentile(times, percent).as_secs_f64() * 1_000.0))
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} KB", table::number(u64::try_from(bytes).unwrap()) / 1024.0)
}

impl Measured {
    /// Returns the ratio of our store's median time to SQLite's.
    fn ratio(&mut self) -> Option<f64> {
        let [ours, theirs] = self.stores.as_mut()?;
        Some(percentile(ours, 50).as_secs_f64() / percentile(theirs, 50).as_secs_f64())
    }

    fn cells(&mut self) -> Vec<String> {
        let ratio = self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let mut cells = vec![self.what.to_owned(), self.rows.to_string(), self.total.clone()];
        if let Some([ours, theirs]) = &mut self.stores {
            cells.extend(ends(ours).into_iter().chain(ends(theirs)));
        }
        cells.push(ratio);
        cells.extend(ends(&mut self.page).into_iter().chain(ends(&mut self.http)));
        cells.extend([kilobytes(self.sent), kilobytes(self.plain)]);
        cells
    }
}

/// Prints everything that is slower than required.
fn summary(measured: &[Measured]) {
    println!("\npages: p99 over {} in the server", milliseconds(LIMIT));
    for one in measured {
        let high = percentile(&mut one.page.clone(), 99);
        if high > LIMIT {
            println!("  {} {}: {}", one.list, one.what, milliseconds(high));
        }
    }
    println!("pages: slower than SQLite in the middle");
    for one in measured {
        let Some([ours, theirs]) = &one.stores else { continue };
        let [ours, theirs] = [ours, theirs].map(|times| percentile(&mut times.clone(), 50));
        if ours > theirs {
            println!("  {} {}: {} and {}", one.list, one.what, milliseconds(ours), milliseconds(theirs));
        }
    }
    let largest = measured.iter().max_by_key(|one| one.sent).unwrap();
    println!("pages: the largest is {} {}: {} sent", largest.list, largest.what, kilobytes(largest.sent));
}

/// Waits until the indexes that a store of an earlier release lacks are built.
fn wait_until_built(store: &Store) {
    let begun = Instant::now();
    let built = || {
        store.read(|reader| {
            reader.page(
                &Query::any_of(LogLine::BY_ACTION, [("",)])
                    .and(LogLine::BY_SHOP, [(0_u64,)])
                    .and(LogLine::BY_BATCH, [(0_u64,)]),
            )?;
            reader.page(&Query::group(Operation::BY_VENDOR, (0_u64,)))?;
            reader.page(&Query::group(CustomerPayment::BY_OUTCOME, (PaymentOutcome::Accepted,)))?;
            reader.page(&Query::group(Vendor::BY_COUNTRY, ("",)))
        })
    };
    while let Err(StoreError::NotBuilt { .. }) = built() {
        // There is no notification: a reader of such a page gets an error until then.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    println!(
        "pages: what pages of this release need more was built while serving in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

/// Returns true if this list is filled and queried.
fn is_wanted<R: Shelf>() -> bool {
    let lists = std::env::var("CASHOUT_BENCH_LISTS");
    lists.map_or(true, |lists| lists.split_whitespace().any(|list| list == R::TABLE))
}

/// Work for SQLite's thread.
type Work = Box<dyn FnOnce(&Connection) + Send>;

/// Fills both stores with the same records, concurrently.
fn build(folder: &Path, size: &Size) {
    let begun = Instant::now();
    let (sender, work) = sync_channel::<Work>(4);
    let connection = sqlite::open(folder);
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000").unwrap();
    let theirs = std::thread::spawn(move || work.into_iter().for_each(|work| work(&connection)));
    // More memory than when serving, to shorten the build.
    let options = StoreOptions { cache_bytes: 2 * 1024 * 1024 * 1024, ..StoreOptions::default() };
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let store = Store::open(&data, &options, &schema()).unwrap();
    fill::<BatchRecord>(&store, &sender, size.batches, *size, marketplace::batch);
    fill::<Vendor>(&store, &sender, size.vendors, *size, marketplace::vendor);
    fill::<CustomerPayment>(&store, &sender, size.payments, *size, marketplace::payment);
    fill::<Notification>(&store, &sender, size.notifications, *size, marketplace::notification);
    fill::<Operation>(&store, &sender, size.operations, *size, marketplace::operation);
    fill::<LogLine>(&store, &sender, size.lines, *size, marketplace::line);
    store.close().unwrap();
    let analysed: Work = Box::new(|connection| {
        connection.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    });
    sender.send(analysed).unwrap();
    drop(sender);
    theirs.join().unwrap();
    let mib = |name: &str| std::fs::metadata(folder.join(name)).unwrap().len().div_euclid(1024 * 1024);
    let (ours, theirs) = (mib("data/store.redb"), mib("sqlite.db"));
    println!("pages: both stores in {:.0} s: {ours} MiB, and {theirs} MiB in SQLite", begun.elapsed().as_secs_f64());
}

fn fill<R: Shelf>(store: &Store, theirs: &SyncSender<Work>, count: u64, size: Size, make: fn(u64, &Size) -> R) {
    if !is_wanted::<R>() {
        return;
    }
    let begun = Instant::now();
    theirs.send(Box::new(sqlite::create::<R>)).unwrap();
    for first in (1..=count).step_by(usize::try_from(GROUP).unwrap()) {
        let group: Arc<Vec<R>> =
            Arc::new((first..(first + GROUP).min(count + 1)).map(|nth| make(nth, &size)).collect());
        let same = Arc::clone(&group);
        theirs.send(Box::new(move |connection| sqlite::put(connection, &same))).unwrap();
        let written = store.write_blocking(move |writer| group.iter().try_for_each(|record| writer.put(record)));
        written.map_err(|error: StoreError| panic!("{error}")).unwrap();
    }
    theirs.send(Box::new(sqlite::index::<R>)).unwrap();
    assert_eq!(store.read(|reader| reader.total::<R>()).unwrap(), count);
    println!("pages: {count} {} stored, {:.0} /s", R::TABLE, rate(count, begun.elapsed()));
}
