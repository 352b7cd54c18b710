//! An hour of notifications, batches and page loads, compressed in time, with the memory and the file size.
//!
//! Most of it brings new notifications, by which the file grows; at the end HiPay only repeats itself, and every record
//! is rewritten. A read transaction that is left open would keep everything that it sees, and the file would grow
//! although much of it is unused: the peak of the used share shows that no transaction stays open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use cashout::jobs::{self, Command, Silent};
use tokio_util::sync::CancellationToken;

use crate::notifications::{Served, TOKEN, notice, send};
use crate::table::number;
use crate::{Scale, machine, table};

/// Number of slots in the hour.
const SLOTS: u64 = 30;
/// Number of slots with new notifications.
const NEW: u64 = 24;
/// Lists that users typically request.
const PAGES: [&str; 6] = [
    "operations?per_page=50",
    "operations?transfer_status=requested&sort=-date",
    "vendors?q=1",
    "notifications?per_page=200",
    "logs?per_page=200",
    "batches",
];

/// Prints memory, file size and its composition after each slot.
pub(crate) fn measure(scale: Scale) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let each = scale.of(5_000);
    let appliance = runtime.block_on(Served::start(each * NEW));
    let begun = Instant::now();
    let mut rows = Vec::new();
    let mut memories = Vec::new();
    let mut fullest = 0.0;
    for slot in 0..SLOTS {
        let from = if slot < NEW { slot * each } else { (slot - NEW) * each } + 1;
        let (address, context) = (appliance.address(), appliance.context().clone());
        let pages = runtime.spawn(look(address, scale.of(400)));
        let batches = runtime.spawn(async move {
            for _ in 0..2 {
                let command = Command::VendorProcess { since: None };
                jobs::run(&context, &command, "soak", Arc::new(Silent), CancellationToken::new()).await.unwrap();
            }
        });
        send(address, (from..from + each).map(notice).collect());
        runtime.block_on(async {
            pages.await.unwrap();
            batches.await.unwrap();
            appliance.verify(each * (slot + 1).min(NEW)).await;
        });
        let size = appliance.context().store.size().unwrap();
        memories.push(machine::resident_mib());
        fullest = f64::max(fullest, number(size.used) / number(size.file));
        let mib = |bytes: u64| format!("{:.1}", number(bytes) / 1_048_576.0);
        rows.push(vec![
            if slot < NEW { "new" } else { "repeated" }.to_owned(),
            machine::resident_mib().to_string(),
            mib(size.file),
            mib(size.used),
            mib(size.room()),
        ]);
    }
    table::print(
        &format!("soak: {SLOTS} slots of {each} notifications, 2 batches, {} lists", scale.of(400)),
        &["", "memory MiB", "file MiB", "in use", "room"],
        &rows,
    );
    println!("  took {:.0} s", begun.elapsed().as_secs_f64());
    let grown = |values: &[u64]| number(*values.last().unwrap()) / number(*values.first().unwrap());
    let half = memories.get(memories.len() / 2..).unwrap();
    println!("  memory at the end of that half way: {:.2}", grown(half));
    println!("  of the file at its fullest was in use: {:.0} %", fullest * 100.0);
}

/// Requests lists, one after the other.
async fn look(address: SocketAddr, times: u64) {
    // Another part of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    for (_, path) in (0..times).zip(PAGES.iter().cycle()) {
        let answer = client.get(format!("http://{address}/api/v1/{path}")).bearer_auth(TOKEN).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.unwrap();
    }
}
