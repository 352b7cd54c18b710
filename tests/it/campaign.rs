//! Campaigns of disturbances, drawn from a seed: a market that lives for weeks while memory is lost, machines are
//! restored to an earlier state, ids change, people pay by hand, Mirakl and HiPay change their answers, answers are
//! lost and processes are killed. The data of both remotes judges every step; in the end all disturbances stop, a
//! person who knows the truth decides what waits for one, and every voucher must be finished.
//!
//! `CASHOUT_CAMPAIGN_SEEDS` sets the number of seeds, `CASHOUT_CAMPAIGN_FROM` the first one.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints its steps and what was met")]

mod disturbances;
mod ending;
mod judge;
mod killing;
mod person;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cashout::sandbox::{Kind, Listed, SandboxOptions, Shop};
use futures_util::{StreamExt, stream};

use crate::notices::newcomer;
use crate::world::World;
use truth::{Due, Truth};

/// The number of seeds in the ordinary tests.
const SEEDS: u64 = 150;

/// The number of seeds that run concurrently; most of the time they wait for the disk.
const MAX_CONCURRENT: usize = 4;

/// Counts of the cases that occurred.
type Met = BTreeMap<String, u64>;

/// A campaign in progress.
struct Campaign {
    world: World,
    rng: fastrand::Rng,
    truth: Truth,
    story: Story,
    /// Copies of the data folder, the oldest first, with the settings at that time.
    backups: Vec<(tempfile::TempDir, Vec<String>)>,
    /// Payments for which nothing may be sent, as of the start of the step.
    held: BTreeSet<(Kind, Due)>,
    /// The shops that were removed from Mirakl.
    gone: Vec<Shop>,
}

/// The steps so far, printed if the campaign fails.
struct Story {
    seed: u64,
    steps: Vec<String>,
    met: Met,
    aloud: bool,
}

impl Story {
    fn step(&mut self, what: String) {
        if self.aloud {
            println!("{:3}: {what}", self.steps.len());
        }
        self.steps.push(what);
    }

    fn meet(&mut self, what: impl Into<String>) {
        *self.met.entry(what.into()).or_default() += 1;
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} went wrong after these steps:", self.seed);
            for (number, step) in self.steps.iter().enumerate() {
                eprintln!("{number:3}: {step}");
            }
        }
    }
}

impl Campaign {
    async fn begin(seed: u64, aloud: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let options = SandboxOptions { seed, ..SandboxOptions::default() };
        let world = World::unscheduled(options, &["cashout.firstCycle: 2026-11-11"]).await;
        world.sandbox.hipay(|hipay| {
            hipay.listed = *rng.choice(&[Listed::Objects, Listed::Ids, Listed::Summaries]).unwrap();
            hipay.group_shows_external_ids = rng.bool();
        });
        world.sandbox.mirakl(|mirakl| mirakl.invoices_name_vouchers = rng.u8(0..4) > 0);
        for shop in 2001..2001 + rng.u64(1..4) {
            world.seller(shop);
        }
        for shop in 2101..2101 + rng.u64(1..3) {
            newcomer(&world, shop, "rib.pdf");
        }
        if rng.u8(0..4) > 0 {
            world.fund(3_000_000);
        }
        world.vendors().await;
        world.clock.set("2026-11-11T06:00:00Z".parse().unwrap());
        let truth = Truth::new(world.sandbox.credentials().operator_id);
        let story = Story { seed, steps: Vec::new(), met: Met::new(), aloud };
        Self { world, rng, truth, story, backups: Vec::new(), held: BTreeSet::new(), gone: Vec::new() }
    }

    /// Runs a campaign to its end and returns the number of steps and the cases that occurred.
    async fn play(seed: u64, aloud: bool) -> (usize, Met) {
        let mut campaign = Self::begin(seed, aloud).await;
        for _ in 0..campaign.rng.usize(30..70) {
            campaign.held = campaign.held();
            campaign.disturb().await;
            campaign.judge();
        }
        campaign.come_to_an_end().await;
        campaign.world.check_ledger = false;
        (campaign.story.steps.len(), std::mem::take(&mut campaign.story.met))
    }
}

fn asked(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_every_cent_is_accounted_for() {
    let from = asked("CASHOUT_CAMPAIGN_FROM").unwrap_or(1);
    let seeds = asked("CASHOUT_CAMPAIGN_SEEDS").unwrap_or(SEEDS);
    let begun = Instant::now();
    let played = stream::iter(from..from.saturating_add(seeds))
        .map(|seed| async move { (seed, tokio::spawn(Campaign::play(seed, seeds == 1)).await) });
    let mut played = std::pin::pin!(played.buffer_unordered(MAX_CONCURRENT));
    let (mut steps, mut met, mut wrong) = (0, Met::new(), Vec::new());
    while let Some((seed, outcome)) = played.next().await {
        match outcome {
            Ok((made, seen)) => {
                steps += made;
                for (what, times) in seen {
                    *met.entry(what).or_default() += times;
                }
            }
            Err(error) => wrong.push(format!("{seed}: {error}")),
        }
    }
    println!("{seeds} seeds from {from}, {steps} steps in {:.0?}", begun.elapsed());
    for (what, times) in met {
        println!("{times:7} {what}");
    }
    assert!(wrong.is_empty(), "{} seeds went wrong: {wrong:#?}", wrong.len());
}
