//! Log lines per second from `tracing` into the store, compared with the same records written to the
//! store without a log, and with a file to which the same bytes are appended and flushed.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use cashout::admin::wiring::schema;
use cashout::config::LogLevel;
use cashout::logs::{LogLine, Logs, Options, Stream, Style};
use cashout::platform::clock::Clock;
use cashout::store::{Store, StoreError, StoreOptions, View};
use serde_json::Map;

use crate::table::{rate, spread};
use crate::{Scale, table};

/// Number of alternating repetitions of each measurement, so that the noise is visible.
const ROUNDS: usize = 5;

/// Number of lines stored together, as in the log.
const GROUP: usize = 250;

/// Capacity of the queue for lines that are never dropped while there is room.
const ROOM: u64 = 20_000;

/// Prints the rates, and the waiting time of `tracing`'s caller.
pub(crate) fn measure(scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    let options = Options {
        stream: Stream::Error,
        style: Style::Text { colours: false },
        level: LogLevel::Emergency,
        foreign_level: LogLevel::Emergency,
        hand_over: true,
    };
    let logs = Logs::new(options, Clock::system());
    // No more than the capacity, so that none is lost at any speed.
    let count = scale.of(ROOM);
    let (mut called, mut kept, mut written, mut flushed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut total = 0;
    for _ in 0..ROUNDS {
        flushed.push(rate(count, appended(folder.path(), count)));
        written.push(rate(count, put(&store, count)));
        let begun = Instant::now();
        logs.store_in(&store).unwrap();
        tracing::subscriber::with_default(logs.subscriber(), || {
            for number in 0..count {
                let (mirakl_id, voucher) = (number % 5_000, "1000001");
                tracing::warn!(
                    action = "cashout:transfer",
                    batch = 1_u64,
                    mirakl_id,
                    voucher,
                    "refused: no such wallet"
                );
            }
        });
        called.push(rate(count, begun.elapsed()));
        while !logs.flush() {}
        kept.push(rate(count, begun.elapsed()));
        logs.release_store();
        total += 2 * count;
        assert_eq!(store.read(|reader| reader.total::<LogLine>()).unwrap(), total, "lines were lost");
    }
    let rows = [
        ("tracing call returns", called),
        ("stored through the log", kept),
        ("written in the same groups", written),
        ("appended and flushed", flushed),
    ]
    .map(|(what, rates)| {
        let (middle, noise) = spread(rates);
        vec![what.to_owned(), format!("{middle:.0}"), noise]
    });
    let bytes = serde_json::to_vec(&line(1)).unwrap().len();
    let title =
        format!("logs: lines each second ({bytes} bytes, four lists, groups of {GROUP}), median of {ROUNDS} rounds");
    table::print(&title, &["", "lines /s", "low–high"], &rows);
}

fn line(number: u64) -> LogLine {
    let mut fields = Map::new();
    fields.insert("voucher".to_owned(), "1000001".into());
    LogLine {
        id: 0,
        at: Clock::system().now(),
        level: LogLevel::Warning.number(),
        action: "cashout:transfer".to_owned(),
        mirakl_id: Some(number % 5_000),
        batch: Some(1),
        message: "refused: no such wallet".to_owned(),
        target: String::new(),
        fields,
        said: String::new(),
        unknown: Map::new(),
    }
}

/// Stores the same records, made beforehand, in the same groups.
fn put(store: &Store, count: u64) -> Duration {
    let lines: Vec<LogLine> = (0..count).map(line).collect();
    let begun = Instant::now();
    for group in lines.chunks(GROUP) {
        let group = group.to_vec();
        let write = store.write_blocking(move |writer| {
            for line in group {
                let line = LogLine { id: writer.next_id::<LogLine>()?, ..line };
                writer.put(&line)?;
            }
            Ok(())
        });
        write.map_err(|error: StoreError| panic!("{error}")).unwrap();
    }
    begun.elapsed()
}

/// Measures the minimum cost: the JSON of the lines appended, with one flush per group.
fn appended(folder: &Path, count: u64) -> Duration {
    let lines: Vec<LogLine> = (0..count).map(line).collect();
    let mut file = File::create(folder.join("appended")).unwrap();
    let begun = Instant::now();
    for group in lines.chunks(GROUP) {
        let bytes: Vec<u8> = group.iter().flat_map(|line| serde_json::to_vec(line).unwrap()).collect();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed()
}
