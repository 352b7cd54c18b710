//! Export of the log as CSV: its time and memory, compared with reading the same lines page by page.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cashout::admin::wiring::{self, Wiring};
use cashout::config::{Config, Settings};
use cashout::logs::LogLine;
use cashout::sandbox::{Sandbox, SandboxOptions};
use cashout::serve::Appliance;
use cashout::store::{Query, StoreError, View};
use jiff::SignedDuration;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::records::cycle;
use crate::table::rate;
use crate::{Scale, machine, table};

const TOKEN: &str = "a-token-for-the-benchmark";

/// Prints the time and the memory of one export of a million lines.
pub(crate) fn measure(scale: Scale) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(exported(scale.of(1_000_000)));
}

async fn exported(lines: u64) {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    fs::write(&file, format!("{}    dashboard.apiToken: {TOKEN}\n", sandbox.credentials().parameters_yml())).unwrap();
    let (path, data) = (file.clone(), folder.path().join("data"));
    let opened = tokio::task::spawn_blocking(move || {
        let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        wiring::open(config, &data, &Wiring::default()).unwrap()
    });
    let context = opened.await.unwrap();
    for first in (0..lines).step_by(5_000) {
        let filled = context.store.write(move |writer| {
            (first..(first + 5_000).min(lines)).try_for_each(|number| {
                let line = json!({
                    "id": number + 1,
                    "at": cycle() + SignedDuration::from_secs(i64::try_from(number).unwrap()),
                    "level": 300,
                    "action": "cashout:transfer",
                    "mirakl_id": number % 5_000,
                    "message": "HiPay refused the transfer: the wallet is not identified",
                });
                writer.put(&serde_json::from_value::<LogLine>(line).unwrap())
            })
        });
        filled.await.map_err(|error: StoreError| error).unwrap();
    }
    let settings = Settings::new(&path, Arc::clone(&context.config));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let appliance = Appliance::start(context.clone(), settings, listener, folder.path().join("data")).await.unwrap();

    let (paged, _) = pages(&context).await;
    let before = machine::resident_mib();
    machine::forget_the_peak();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(appliance.address()).await.unwrap();
    let request = format!(
        "GET /api/v1/logs.csv?level=WARNING HTTP/1.1\r\nHost: here\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut bytes, mut ends, mut chunk) = (0_u64, 0_u64, vec![0; 65_536]);
    loop {
        let read = stream.read(&mut chunk).await.unwrap();
        if read == 0 {
            break;
        }
        let part = chunk.get(..read).unwrap();
        bytes += u64::try_from(read).unwrap();
        ends += u64::try_from(part.windows(15).filter(|text| *text == b"not identified\r").count()).unwrap();
    }
    let took = begun.elapsed();
    let peak = machine::peak_mib();
    assert!(ends * 1_000 >= lines * 990, "{ends} of {lines} lines");
    let row = |name: &str, took: Duration, peak: String| {
        vec![name.to_owned(), format!("{:.1} s", took.as_secs_f64()), format!("{:.0}", rate(lines, took)), peak]
    };
    table::print(
        &format!("export: {lines} lines of the log, {} MiB of CSV", bytes.div_euclid(1024 * 1024)),
        &["", "time", "lines /s", "memory, peak"],
        &[
            row("CSV over HTTP", took, format!("{peak} MiB, {before} before")),
            row("the same by pages of 200", paged, String::new()),
        ],
    );
    appliance.stop().await.unwrap();
}

/// Reads all lines page by page, from the store alone.
async fn pages(context: &cashout::jobs::Context) -> (Duration, u64) {
    let (begun, mut read) = (Instant::now(), 0);
    let mut listing = Query::any_of(LogLine::BY_LEVEL, [300_u64]).descending().limit(200);
    loop {
        let asked = listing.clone();
        let page = context.store.reading(move |reader| reader.page(&asked)).await.unwrap();
        read += u64::try_from(page.items.len()).unwrap();
        if page.next.is_none() {
            return (begun.elapsed(), read);
        }
        listing = listing.after(page.next);
    }
}
