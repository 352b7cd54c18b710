//! Durable commits per second, compared with a file to which the same bytes are appended and flushed.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cashout::admin::wiring::schema;
use cashout::domain::operation::{Operation, Status};
use cashout::store::{Store, StoreOptions, View};

use crate::table::{rate, spread};
use crate::{Scale, records, table};

/// Number of alternating repetitions of each measurement, so that the noise is visible.
const ROUNDS: u64 = 5;

/// Numbers of concurrent writers.
const WRITERS: [u64; 3] = [1, 64, 256];

/// Prints the rates of one, 64 and 256 writers.
pub(crate) fn measure(scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let next = Arc::new(AtomicU64::new(1));
    let mut rates: Vec<(Vec<f64>, Vec<f64>)> = vec![(Vec::new(), Vec::new()); WRITERS.len()];
    for _ in 0..ROUNDS {
        for (writers, (bare, ours)) in WRITERS.into_iter().zip(&mut rates) {
            let each = scale.of(if writers == 1 { 1_000 } else { 40_000 / writers });
            bare.push(rate(each * writers, appended(folder.path(), writers, each)));
            ours.push(rate(each * writers, runtime.block_on(written(&store, &next, writers, each))));
        }
    }
    let count = next.load(Ordering::Relaxed) - 1;
    assert_eq!(store.read(|reader| reader.total::<Operation>()).unwrap(), count);
    assert_eq!(store.read(|reader| reader.count(Operation::BY_STATUS, 6_i64)).unwrap(), count);

    let bytes = serde_json::to_vec(&records::lived(1, Status::WithdrawSuccess)).unwrap().len();
    let rows: Vec<Vec<String>> = WRITERS
        .into_iter()
        .zip(rates)
        .map(|(writers, (bare, ours))| {
            let ((bare, bare_noise), (ours, noise)) = (spread(bare), spread(ours));
            let ratio = format!("{:.2}", ours / bare);
            vec![writers.to_string(), format!("{ours:.0}"), noise, format!("{bare:.0}"), bare_noise, ratio]
        })
        .collect();
    table::print(
        &format!("store: durable commits of one operation ({bytes} bytes, full life), median of {ROUNDS} rounds"),
        &["writers", "store /s", "low–high", "append+fdatasync /s", "low–high", "ratio"],
        &rows,
    );
}

/// Measures `writers` concurrent writers, each of which starts its next write once the previous one is on the disk.
async fn written(store: &Store, next: &Arc<AtomicU64>, writers: u64, each: u64) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, next) = (store.clone(), Arc::clone(next));
            tokio::spawn(async move {
                for _ in 0..each {
                    let operation = records::lived(next.fetch_add(1, Ordering::Relaxed), Status::WithdrawSuccess);
                    store.write(move |writer| writer.put(&operation)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}

/// Measures the minimum cost of `each` groups of `group` records: their JSON appended, with one flush per group.
fn appended(folder: &Path, group: u64, each: u64) -> Duration {
    let path = folder.join("appended");
    let mut file = File::create(&path).unwrap();
    let begun = Instant::now();
    for round in 0..each {
        let lines: Vec<u8> = (0..group)
            .flat_map(|line| {
                serde_json::to_vec(&records::lived(round * group + line, Status::WithdrawSuccess)).unwrap()
            })
            .collect();
        file.write_all(&lines).unwrap();
        file.sync_data().unwrap();
    }
    let elapsed = begun.elapsed();
    std::fs::remove_file(path).unwrap();
    elapsed
}
