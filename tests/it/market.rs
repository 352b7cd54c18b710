//! The small market of the fault and kill tests: the amounts owed, the batches of its day, every step
//! of them, and the state once everything is paid.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::future::Future;

use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Operation, PaymentKind, Status};
use cashout::jobs::{Command, GenerateArguments, JobError};
use cashout::sandbox::{Endpoint, Entry, Kind, Place, SandboxOptions, Traffic};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::SignedDuration;

use crate::world::{World, wallet_of};

/// Voucher, shop, the vendor's cents, the operator's cents. Voucher 3 is a debt that 4 compensates.
const VOUCHERS: [(u64, u64, i64, i64); 5] =
    [(1, 2001, 10_000, 300), (2, 2002, 25_050, 600), (3, 2003, -3_000, 0), (4, 2003, 9_000, 1_500), (5, 2004, 1, 0)];

/// Number of worlds that run concurrently; most of the time they wait for the disk.
const MAX_CONCURRENT: usize = 6;

/// Knowledge of the store about the time before the vouchers' cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Complete: a payment that is not recorded was never sent.
    Whole,
    /// Empty: each payment is looked up before it is first sent.
    Young,
}

/// Makes the market on the morning after the cycle: funded, its vendors known, no operation yet.
pub(crate) async fn market(options: SandboxOptions, memory: Memory) -> World {
    let mut world = unfunded_market(options).await;
    world.fund(1_000_000);
    if memory == Memory::Young {
        world.forget_where_the_store_was().await;
    }
    world
}

/// Makes the market without any money to pay with.
pub(crate) async fn unfunded_market(options: SandboxOptions) -> World {
    let world = World::with(options, &["cashout.firstCycle: 2026-11-11"]).await;
    for shop in VOUCHERS.iter().map(|(_, shop, ..)| *shop).collect::<BTreeSet<_>>() {
        world.seller(shop);
    }
    for (number, shop, vendor, operator) in VOUCHERS {
        world.voucher(number, shop, vendor, operator);
    }
    world.vendors().await;
    world.after_the_cycle();
    world
}

/// Returns the batches of a day, in the order of the cron jobs.
pub(crate) fn batches() -> [Command; 5] {
    [
        Command::CashoutGenerate(GenerateArguments::default()),
        Command::CashoutTransfer,
        Command::TransactionStatusSync,
        Command::CashoutWithdraw,
        Command::TransactionStatusSync,
    ]
}

/// One call to a remote: the `nth` to this endpoint within one batch of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Index into [`batches`].
    pub(crate) batch: usize,
    pub(crate) endpoint: Endpoint,
    pub(crate) nth: u32,
}

impl Step {
    pub(crate) fn is_payment(self) -> bool {
        matches!(self.endpoint, Endpoint::Transfer | Endpoint::Withdrawal)
    }

    /// Plays the day up to the batch of this step, without faults.
    pub(crate) async fn approach(self, world: &World) {
        for batch in batches().into_iter().take(self.batch) {
            world.run(batch).await;
        }
    }

    pub(crate) fn command(self) -> Command {
        batches().into_iter().nth(self.batch).expect("a batch of the day")
    }
}

/// Returns every step of a day on which nothing goes wrong.
pub(crate) async fn steps(memory: Memory) -> Vec<Step> {
    let world = market(SandboxOptions::default(), memory).await;
    let mut steps = Vec::new();
    for (batch, command) in batches().into_iter().enumerate() {
        world.sandbox.traffic(Traffic::clear);
        world.run(command).await;
        let endpoints: Vec<Endpoint> =
            world.sandbox.traffic(|traffic| traffic.exchanges().filter_map(|exchange| exchange.endpoint).collect());
        let mut seen: HashMap<Endpoint, u32> = HashMap::new();
        for endpoint in endpoints {
            let nth = seen.entry(endpoint).or_default();
            *nth += 1;
            steps.push(Step { batch, endpoint, nth: *nth });
        }
    }
    all_is_paid(&world);
    // Seven are paid, each with two payments: an incomplete record would test too little.
    assert_eq!(steps.iter().filter(|step| step.is_payment()).count(), 14, "{steps:?}");
    steps
}

/// Plays every case in its own world, several concurrently. A failure names its case.
pub(crate) async fn each<C: Debug, F: Future<Output = ()> + Send + 'static>(
    cases: impl IntoIterator<Item = C>,
    play: impl Fn(C) -> F,
) {
    let played = stream::iter(cases).map(|case| {
        let name = format!("{case:?}");
        let playing = play(case);
        async move { (name, tokio::spawn(playing).await) }
    });
    let mut played = std::pin::pin!(played.buffer_unordered(MAX_CONCURRENT));
    while let Some((name, outcome)) = played.next().await {
        assert!(outcome.is_ok(), "{name} went wrong: {outcome:?}");
    }
}

/// Plays one day despite faults: a batch that a remote prevents is left for the next day.
pub(crate) async fn day(world: &World) {
    for command in batches() {
        whatever_the_remotes_do(world, command).await;
    }
    world.clock.advance(SignedDuration::from_hours(1));
}

/// Runs one batch. It may end early only because of a faulty remote.
pub(crate) async fn whatever_the_remotes_do(world: &World, command: Command) {
    let name = command.name();
    match world.try_run(command).await {
        Ok(_) | Err(JobError::Remote(_)) => {}
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Plays days until everything is paid, at most `most` of them. Returns the number of days.
pub(crate) async fn until_all_is_paid(world: &World, most: usize) -> usize {
    for days in 1..=most {
        day(world).await;
        if is_all_done(world) {
            all_is_paid(world);
            return days;
        }
    }
    let open: Vec<String> = world.operations().iter().filter(|one| !is_done(one)).map(describe).collect();
    panic!("after {most} days this is not paid: {open:#?}");
}

fn describe(operation: &Operation) -> String {
    let Operation { voucher, beneficiary, status, message, .. } = operation;
    format!("voucher {voucher} of the {beneficiary:?}: {status}, {message}")
}

fn is_done(operation: &Operation) -> bool {
    matches!(operation.status, Status::WithdrawSuccess | Status::AdjustedOperations)
}

/// Returns true once each voucher of Mirakl has its operations, and each of them is paid or netted.
pub(crate) fn is_all_done(world: &World) -> bool {
    let expected: usize = world.sandbox.mirakl(|mirakl| {
        let with_commission = |voucher: &&cashout::sandbox::Voucher| cents(voucher.amount_to_operator.as_ref()) > 0;
        mirakl.vouchers.len() + mirakl.vouchers.iter().filter(with_commission).count()
    });
    let operations = world.operations();
    operations.len() == expected && operations.iter().all(is_done)
}

/// Returns the amount that Mirakl's vouchers owe each wallet, in cents.
pub(crate) fn owed(world: &World) -> BTreeMap<u64, i64> {
    let operator = world.sandbox.credentials().operator_id;
    let mut owed = BTreeMap::new();
    world.sandbox.mirakl(|mirakl| {
        for voucher in &mirakl.vouchers {
            *owed.entry(wallet_of(voucher.shop_id)).or_default() += cents(voucher.amount_transferred.as_ref());
            *owed.entry(operator).or_default() += cents(voucher.amount_to_operator.as_ref());
        }
    });
    owed.retain(|_, cents| *cents != 0);
    owed
}

fn cents(decimal: Option<&String>) -> i64 {
    decimal.map_or(0, |text| Amount::parse(text, Currency::EUR).unwrap().minor())
}

/// Checks that HiPay moved exactly the amounts that the vouchers owe, in both stages, and that the store agrees.
pub(crate) fn all_is_paid(world: &World) {
    let owed = owed(world);
    assert_eq!(world.paid_out(), owed, "what left for the banks is not what the vouchers owe");
    assert_eq!(received(world), owed, "what reached the wallets is not what the vouchers owe");
    for operation in world.operations() {
        assert!(is_done(&operation), "{}", describe(&operation));
        assert_eq!((operation.held.as_deref(), operation.shortfall), (None, None), "{}", describe(&operation));
        if operation.status == Status::WithdrawSuccess {
            assert_eq!(operation.message, "", "a paid operation tells of trouble: {}", describe(&operation));
            was_paid_as_the_store_says(world, &operation);
        }
    }
}

/// Returns the amount that each wallet received by transfers, according to HiPay's own ledger, in cents.
pub(crate) fn received(world: &World) -> BTreeMap<u64, i64> {
    let wallet = |entry: &Entry| match (entry.kind, &entry.to) {
        (Kind::Transfer, Place::Account(id)) => Some(*id),
        _ => None,
    };
    let sums = world.sandbox.hipay(|hipay| hipay.ledger.sum_by(Currency::EUR, wallet));
    sums.into_iter().map(|(wallet, sum)| (wallet, sum.minor())).collect()
}

/// Checks that the last attempt of both payments is the transaction that HiPay's ledger has under its reference.
fn was_paid_as_the_store_says(world: &World, operation: &Operation) {
    for kind in [PaymentKind::Transfer, PaymentKind::Withdrawal] {
        let attempt = operation.payment(kind).last().expect("a paid operation without an attempt");
        let entry = world.sandbox.hipay(|hipay| hipay.ledger.by_reference(&attempt.reference).cloned());
        let entry = entry.unwrap_or_else(|| panic!("HiPay does not know {}", attempt.reference));
        assert_eq!(attempt.transaction_id.as_ref(), Some(&entry.transaction_id), "{}", attempt.reference);
        assert_eq!((attempt.amount, attempt.amount), (entry.amount, operation.amount), "{}", attempt.reference);
    }
}

/// Checks that every request to HiPay had been committed before: every reference that it received is
/// an attempt in the store.
pub(crate) fn every_request_was_committed_before(world: &World) {
    let operations = world.operations();
    let known: BTreeSet<&str> = operations
        .iter()
        .flat_map(|one| one.transfer.attempts.iter().chain(&one.withdrawal.attempts))
        .map(|attempt| attempt.reference.as_str())
        .collect();
    let sent: Vec<String> = world.sandbox.traffic(|traffic| {
        let payments = traffic
            .exchanges()
            .filter(|exchange| matches!(exchange.endpoint, Some(Endpoint::Transfer | Endpoint::Withdrawal)));
        payments.filter_map(|exchange| exchange.reference.clone()).collect()
    });
    for reference in sent {
        assert!(known.contains(reference.as_str()), "{reference} left before it was committed");
    }
}
