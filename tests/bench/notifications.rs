//! Notifications acknowledged per second: signature, parsing, inbox with its indexes and the flush of
//! the disk before the answer; compared with a handler that does nothing, and with the disk alone.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use cashout::admin::wiring::{self, Wiring};
use cashout::config::{Config, Settings};
use cashout::domain::attempt::AttemptState;
use cashout::domain::inbox::Notification;
use cashout::domain::operation::{Operation, Status};
use cashout::domain::vendor::Vendor;
use cashout::jobs::{self, Command, Context, Silent};
use cashout::platform::secret::Secret;
use cashout::sandbox::{Account, Sandbox, SandboxOptions};
use cashout::serve::Appliance;
use cashout::store::{StoreError, View};
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::records::wallet_of;
use crate::table::{milliseconds, percentile, rate, spread};
use crate::{Scale, machine, table};

/// Number of concurrent senders; each waits for its answer before the next request.
const SENDERS: usize = 64;
/// Number of alternating repetitions of each measurement, so that the noise is visible.
const ROUNDS: u64 = 5;
/// Vendors with a wallet and a salt each.
const VENDORS: u64 = 2_000;

/// Token of the API.
pub(crate) const TOKEN: &str = "a token that only this benchmark knows";

/// Prints rates and times of the handler and of its comparisons.
pub(crate) fn measure(scale: Scale) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let each = scale.of(20_000);
    let appliance = runtime.block_on(Served::start(each * (ROUNDS + 2)));
    let bare = runtime.block_on(bare());
    let (mut nothing, mut all) = (Run::default(), Run::default());
    let mut next = 1;
    for _ in 0..ROUNDS {
        nothing.add(send(bare, (next..next + each).map(notice).collect()));
        all.add(send(appliance.address(), (next..next + each).map(notice).collect()));
        next += each;
    }
    let alone = all.rate();
    let together = writes_in_a_commit();
    // A concurrent batch, which reads every shop from Mirakl and uses the store.
    let mut beside = Run::default();
    let stop = CancellationToken::new();
    let batch = runtime.spawn(busy(appliance.context.clone(), stop.clone()));
    beside.add(send(appliance.address(), (next..next + each).map(notice).collect()));
    next += each;
    stop.cancel();
    let batches = runtime.block_on(batch).unwrap();
    let acknowledged = next - 1;
    runtime.block_on(appliance.verify(acknowledged));

    let flush = machine::flush();
    let (bare_rate, bare_noise) = spread(nothing.rates.clone());
    let row = |name: &str, run: &mut Run| {
        let (rate, noise) = spread(run.rates.clone());
        let (middle, high) = (percentile(&mut run.times, 50), percentile(&mut run.times, 99));
        let flushes = high.as_secs_f64() / flush.as_secs_f64();
        vec![
            name.to_owned(),
            format!("{rate:.0}"),
            noise,
            format!("{:.2}", rate / bare_rate),
            milliseconds(middle),
            milliseconds(high),
            format!("{flushes:.1}"),
        ]
    };
    let mut rows = vec![row("acknowledged on the disk", &mut all), row("the same beside batches", &mut beside)];
    rows.push(vec![
        "a handler that does nothing".to_owned(),
        format!("{bare_rate:.0}"),
        bare_noise,
        "1.00".to_owned(),
        milliseconds(percentile(&mut nothing.times, 50)),
        milliseconds(percentile(&mut nothing.times, 99)),
        String::new(),
    ]);
    table::print(
        &format!("notifications: {SENDERS} senders, median of {ROUNDS} rounds of {each}"),
        &["", "/s", "low–high", "of bare", "p50", "p99", "p99 in flushes"],
        &rows,
    );
    println!("  append and fdatasync in between: p50 {}", milliseconds(flush));
    println!("  writes that shared a flush, these and what came of them: {together:.1}");
    println!("  batches that ran beside it: {batches}; they cost {:.0} %", 100.0 * (1.0 - beside.rate() / alone));
}

/// Measurements of one kind of server.
#[derive(Default)]
struct Run {
    rates: Vec<f64>,
    times: Vec<Duration>,
}

impl Run {
    fn add(&mut self, (took, times): (Duration, Vec<Duration>)) {
        self.rates.push(rate(u64::try_from(times.len()).unwrap(), took));
        self.times.extend(times);
    }

    fn rate(&self) -> f64 {
        spread(self.rates.clone()).0
    }
}

/// Returns the mean number of writes per commit of the store.
fn writes_in_a_commit() -> f64 {
    let text = cashout::platform::metrics::text().unwrap_or_default();
    let value = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    value("cashout_store_writes_total") / value("cashout_store_commits_total")
}

/// Sends all requests from a separate thread; returns the total time and the time of each.
pub(crate) fn send(address: SocketAddr, requests: Vec<Vec<u8>>) -> (Duration, Vec<Duration>) {
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let waiting = Arc::new(Mutex::new(requests.into_iter()));
            let begun = Instant::now();
            let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(sender(address, Arc::clone(&waiting)))).collect();
            let mut times = Vec::new();
            for sender in senders {
                times.extend(sender.await.unwrap());
            }
            (begun.elapsed(), times)
        })
    });
    sending.join().unwrap()
}

async fn sender(address: SocketAddr, waiting: Arc<Mutex<std::vec::IntoIter<Vec<u8>>>>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut answer = vec![0; 1_024];
    loop {
        let Some(request) = waiting.lock().await.next() else { return times };
        let begun = Instant::now();
        stream.write_all(&request).await.unwrap();
        let mut read = 0;
        while !answer.get(..read).unwrap().ends_with(b"\r\n\r\n") {
            let more = stream.read(answer.get_mut(read..).unwrap()).await.unwrap();
            assert!(more > 0, "the connection broke off");
            read += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
        times.push(begun.elapsed());
    }
}

/// Starts a handler that reads the body and answers.
async fn bare() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/notifications/wallet", post(async |_: Bytes| StatusCode::NO_CONTENT));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn salt(wallet: u64) -> String {
    format!("salt-of-{wallet}")
}

/// Returns the whole request of one notice: the transfer of operation `id` was executed.
pub(crate) fn notice(id: u64) -> Vec<u8> {
    let operation = transferred(id);
    let attempt = operation.transfer.last().unwrap();
    let (transaction, wallet) = (attempt.transaction_id.as_deref().unwrap(), attempt.account);
    let result = format!(
        "<result><operation>capture</operation><status>ok</status><date>2026-11-12</date><time>13:41:28 UTC+0000</time><transid>{transaction}</transid><account_id>{wallet}</account_id><amount>{}</amount><currency>EUR</currency><label>Payment order {}</label></result>",
        attempt.amount.decimal(),
        operation.voucher
    );
    let hash = Md5::digest(format!("{result}{}", salt(wallet)));
    let sum = hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><notification><md5content>{sum}</md5content>{result}</notification>"
    );
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("xml", &xml).finish();
    format!(
        "POST /notifications/wallet HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// Makes an operation whose transfer HiPay has accepted.
fn transferred(id: u64) -> Operation {
    let mut operation = crate::records::lived(id, Status::TransferRequested);
    let wallet = wallet_of(id % VENDORS + 1);
    (operation.mirakl_id, operation.vendor_hipay_id, operation.recipient_hipay_id) = (id % VENDORS + 1, wallet, wallet);
    if let Some(attempt) = operation.transfer.attempts.last_mut() {
        attempt.state = AttemptState::Requested;
        attempt.account = wallet;
        attempt.transaction_id = Some(format!("6912a8f0{id:08x}"));
        attempt.transaction_status = None;
    }
    operation
}

/// The appliance with operations in progress.
pub(crate) struct Served {
    _sandbox: Sandbox,
    context: Context,
    appliance: Appliance,
    operations: u64,
    _folder: tempfile::TempDir,
}

impl Served {
    pub(crate) async fn start(operations: u64) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("parameters.yml");
        let settings = format!("{}    dashboard.apiToken: {TOKEN}\n", sandbox.credentials().parameters_yml());
        std::fs::write(&file, settings).unwrap();
        let (path, data) = (file.clone(), folder.path().join("data"));
        let context = tokio::task::spawn_blocking(move || {
            let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
            wiring::open(config, &data, &Wiring::default()).unwrap()
        });
        let context = context.await.unwrap();
        jobs::bind(&context).await.unwrap();
        let now = context.clock.now();
        sandbox.hipay(|hipay| {
            for shop in 1..=VENDORS {
                hipay.add(Account::new(wallet_of(shop), &format!("seller{shop}@shops.example")));
            }
        });
        let vendors = context.store.write(move |writer| {
            for shop in 1..=VENDORS {
                let mut vendor = Vendor::new(shop, now);
                vendor.hipay_id = Some(wallet_of(shop));
                vendor.callback_salt = Secret::new(salt(wallet_of(shop)));
                writer.put(&vendor)?;
            }
            Ok::<_, StoreError>(())
        });
        vendors.await.unwrap();
        for first in (1..=operations).step_by(5_000) {
            let filled = context.store.write(move |writer| {
                (first..(first + 5_000).min(operations + 1)).try_for_each(|id| writer.put(&transferred(id)))
            });
            filled.await.map_err(|error: StoreError| error).unwrap();
        }
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let settings = Settings::new(&path, Arc::clone(&context.config));
        let data = folder.path().join("data");
        let appliance = Appliance::start(context.clone(), settings, listener, data).await.unwrap();
        Self { _sandbox: sandbox, context, appliance, operations, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.appliance.address()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Checks that every acknowledged notice is stored and was applied once.
    pub(crate) async fn verify(&self, acknowledged: u64) {
        loop {
            let look = |reader: &cashout::store::StoreReader<'_>| {
                Ok((
                    reader.total::<Notification>()?,
                    reader.count(Notification::OPEN, false)?.saturating_add(reader.count(Notification::OPEN, true)?),
                    reader.count(Operation::BY_STATUS, Status::TransferSuccess.code())?,
                ))
            };
            let (stored, open, done) = self.context.store.reading(look).await.unwrap();
            assert_eq!(stored, acknowledged);
            if open == 0 {
                assert_eq!(done, acknowledged.min(self.operations));
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Runs batches one after the other until it is stopped; returns their number.
async fn busy(context: Context, stop: CancellationToken) -> u64 {
    let mut batches = 0;
    while !stop.is_cancelled() {
        let command = Command::VendorProcess { since: None };
        jobs::run(&context, &command, "benchmark", Arc::new(Silent), CancellationToken::new()).await.unwrap();
        batches += 1;
    }
    batches
}
