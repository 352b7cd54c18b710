//! Notifications that were acknowledged are stored and count once: after a kill at any moment, or on a full disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cashout::domain::movement::Movement;
use cashout::domain::operation::{PaymentKind, Status};
use cashout::sandbox::{Ending, Life, SandboxOptions, Until};
use cashout::store::{Query, View};
use reqwest::Client;

use crate::notices::{Notice, until};
use crate::running::Running;
use crate::world::{World, http, wallet_of};

/// Sends a notice; returns the HTTP status and `Retry-After`, or `None` if the connection broke.
async fn send(client: &Client, notice: &Notice, to: SocketAddr) -> Option<(u16, Option<String>)> {
    let request = client.post(format!("http://{to}/")).form(&[("xml", notice.xml())]).timeout(Duration::from_secs(10));
    let answer = request.send().await.ok()?;
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    Some((answer.status().as_u16(), retry))
}

fn movements(world: &World) -> BTreeSet<String> {
    let query = Query::<Movement, _>::all().limit(100_000);
    let page = world.context.store.read(|reader| reader.page(&query)).unwrap();
    page.items.into_iter().map(|one| one.transaction_id).collect()
}

/// Number of sellers in the test of kills, each with one transfer.
const SELLERS: u64 = 40;

/// Makes a world whose transfers HiPay has captured without a notice; returns the notices too.
async fn pending_transfers() -> (World, Vec<Notice>) {
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    for id in 1..=SELLERS {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(10_000_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured));
    world.transfer().await;
    let captures: Vec<Notice> = (1..=SELLERS)
        .map(|id| {
            let transaction = world.operation(id).transfer.last().unwrap().transaction_id.clone().unwrap();
            Notice::new("capture", "ok", wallet_of(id)).of(&transaction, "10.00")
        })
        .collect();
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    (world, captures)
}

/// A sender of notifications to a service that is killed meanwhile.
#[derive(Clone)]
struct Sender {
    to: SocketAddr,
    /// The account that its movements are about.
    account: u64,
    captures: Vec<Notice>,
    /// Ids of the movements that were acknowledged.
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    over: Arc<AtomicBool>,
}

impl Sender {
    /// Sends movements and captures until it is over; returns the number of movements without an answer.
    async fn keep_sending(self, round: u64, sender: u64) -> u64 {
        let mut rng = fastrand::Rng::with_seed(round * 8 + sender);
        let (client, mut broken) = (http(), 0_u64);
        for number in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("m{round}-{sender}-{number}");
            let movement = Notice::new("other_transaction", "ok", self.account).of(&id, "1.00");
            match send(&client, &movement, self.to).await {
                Some((204, _)) => drop(self.acknowledged.lock().unwrap().insert(id)),
                Some((status, _)) => panic!("{status}"),
                None => broken += 1,
            }
            // Any of the transfers, repeatedly.
            let capture = rng.choice(&self.captures).unwrap();
            let _ = send(&client, capture, self.to).await;
        }
        broken
    }
}

/// Checks that every acknowledged movement is stored, and everything stored is stored once.
fn all_are_stored_once(world: &World, acknowledged: &BTreeSet<String>) {
    let stored: BTreeMap<String, u64> = world.notifications().into_iter().fold(BTreeMap::new(), |mut seen, one| {
        *seen.entry(one.subject).or_default() += 1;
        seen
    });
    for id in acknowledged {
        assert_eq!(stored.get(id), Some(&1), "{id} was acknowledged");
    }
    assert!(stored.values().all(|count| *count == 1), "{stored:?}");
}

/// Checks that everything acknowledged has taken effect, and every transfer succeeded once.
fn all_have_counted_once(world: &World, acknowledged: &BTreeSet<String>) {
    let moved = movements(world);
    assert!(acknowledged.len() >= 12);
    assert!(acknowledged.is_subset(&moved));
    for id in 1..=SELLERS {
        let operation = world.operation(id);
        let done = operation.history.iter().filter(|change| change.status == Status::TransferSuccess).count();
        assert_eq!((operation.status, done, operation.held.as_ref()), (Status::TransferSuccess, 1, None));
        assert_eq!(operation.payment(PaymentKind::Transfer).attempts.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_every_acknowledged_notice_counts_once() {
    let (mut world, captures) = pending_transfers().await;
    // A vendor's account may store fewer in a day.
    let account = world.sandbox.credentials().technical_id;
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut rng = fastrand::Rng::with_seed(7);
    let mut unanswered = 0;
    for round in 0..12_u64 {
        world.release_store().await;
        let mut running = Running::start(world.cashout(&["serve"]));
        let line = running.says("answers on").await;
        let to: SocketAddr = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (captures, known) = (captures.clone(), Arc::clone(&acknowledged));
        let sender = Sender { to, account, captures, acknowledged: known, over: Arc::clone(&over) };
        let senders: Vec<_> =
            (0..8_u64).map(|number| tokio::spawn(sender.clone().keep_sending(round, number))).collect();
        let before = acknowledged.lock().unwrap().len();
        let enough = before + rng.usize(1..80);
        until("some are acknowledged", || acknowledged.lock().unwrap().len() >= enough).await;
        running.signal("KILL");
        over.store(true, Ordering::Relaxed);
        for sender in senders {
            unanswered += sender.await.unwrap();
        }
        drop(running);
        world.restart().await;
        all_are_stored_once(&world, &acknowledged.lock().unwrap());
    }
    assert!(unanswered > 0, "no kill came in the middle of a request");

    // Without disturbances everything is processed, and the transfers without a notice are reported again.
    let appliance = world.serve().await;
    for capture in &captures {
        assert_eq!(capture.send(appliance.address()).await, 204);
    }
    until("everything is dealt with", || world.notifications().iter().all(|one| !one.state.is_open())).await;
    appliance.stop().await.unwrap();
    world.restart().await;
    all_have_counted_once(&world, &acknowledged.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_on_the_disk_nothing_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let mut world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.seller(2001);
    world.vendors().await;
    world.release_store().await;
    // To a process, a limit on the size of files is like a full disk; the signal that comes with the
    // limit, but not with a full disk, is ignored.
    let plain = world.cashout(&["serve"]);
    let mut limitable = Command::new("sh");
    limitable.env_clear().args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]);
    limitable.arg(plain.get_program()).args(plain.get_args());
    let mut running = Running::start(limitable);
    let line = running.says("answers on").await;
    let to: SocketAddr = line.trim().rsplit(' ').next().unwrap().parse().unwrap();

    let client = http();
    let notice =
        |number: u64| Notice::new("other_transaction", "ok", wallet_of(2001)).of(&format!("m{number}"), "1.00");
    let mut acknowledged = BTreeSet::new();
    for number in 0..20 {
        assert_eq!(send(&client, &notice(number), to).await, Some((204, None)));
        acknowledged.insert(format!("m{number}"));
    }
    assert!(Command::new("prlimit").args(["--fsize=0", "--pid", &running.worker()]).status().unwrap().success());
    for number in 20..30 {
        let (status, retry) = send(&client, &notice(number), to).await.unwrap();
        assert_eq!((status, retry.is_some()), (503, true), "{number}");
    }
    // A repeat of a stored notification cannot be recorded as a repeat, so it is not acknowledged either.
    assert_eq!(send(&client, &notice(0), to).await.unwrap().0, 503);
    let forged = Notice::new("other_transaction", "ok", wallet_of(2001)).salted("guess");
    assert_eq!(send(&client, &forged, to).await.unwrap().0, 401);
    // Only a new start opens the store again: the worker reports it on a readiness request and exits;
    // its guard starts another one, which has room.
    let ready = client.get(format!("http://{to}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    running.says("make room on the disk").await;
    running.says("the worker ended with code 4; it is started again").await;
    running.says("answers on").await;
    assert_eq!(send(&client, &notice(20), to).await, Some((204, None)));
    acknowledged.insert("m20".to_owned());
    running.signal("TERM");
    running.end().await.ends(0);

    world.restart().await;
    let stored: BTreeSet<String> = world.notifications().into_iter().map(|one| one.subject).collect();
    assert!(acknowledged.is_subset(&stored), "{stored:?}");
    // With room again, notifications that were not acknowledged are sent again.
    let appliance = world.serve().await;
    for number in 0..30 {
        assert_eq!(notice(number).send(appliance.address()).await, 204);
    }
    until("everything is dealt with", || movements(&world).len() == 30).await;
    appliance.stop().await.unwrap();
}
