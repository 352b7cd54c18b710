//! The appliance on its own marketplace, for tests with a browser.

#[path = "../it/world.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod marketplace;

use cashout::jobs::{Command, GenerateArguments};
use cashout::sandbox::shops::{Market, populate};
use cashout::sandbox::{HipayModel, Reviews, SandboxOptions};
use cashout::serve::Appliance;
use cashout::update::status::UpdateStatus;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

pub(crate) use marketplace::{IBAN, World, euro, http, wallet_of};

use crate::browser::Window;

/// A marketplace with its running appliance. When it is dropped, HiPay's ledger is compared with what
/// the vouchers owed.
pub(crate) struct Site {
    pub(crate) world: World,
    appliance: Appliance,
}

impl Site {
    /// Sets the guard's report about updates, as if there were a guard.
    pub(crate) fn told_by_the_guard(&self, known: UpdateStatus) {
        self.appliance.web().guard.set_status(known);
    }

    /// Makes an empty marketplace on which no batch runs automatically.
    pub(crate) async fn new() -> Self {
        Self::of(World::unscheduled(SandboxOptions::default(), &[]).await).await
    }

    /// Makes sixty shops after a settlement, chosen at random: most are paid, some cannot be, and the
    /// marketplace's account does not cover everything.
    pub(crate) async fn of_sixty_shops() -> Self {
        Self::of(Self::sixty_shops().await).await
    }

    /// Makes the world of sixty shops without a running appliance.
    pub(crate) async fn sixty_shops() -> World {
        let mut world = World::unscheduled(SandboxOptions::default(), &[]).await;
        // The market's amounts are random, not recorded shop by shop.
        world.check_ledger = false;
        world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let market = Market { count: 60, seed: 1, cycles: vec![marketplace::CYCLE], zone };
        populate(&world.sandbox, &market).unwrap();
        world.vendors().await;
        world.clock.advance(SignedDuration::from_hours(1));
        world.sandbox.hipay(HipayModel::settle_reviews);
        world.vendors().await;
        world.clock.advance(SignedDuration::from_hours(72));
        world.run(Command::CashoutGenerate(GenerateArguments::default())).await;
        for _ in 0..2 {
            world.transfer().await;
            world.sandbox.hipay(HipayModel::settle_transactions);
            world.sync().await;
            world.withdraw().await;
        }
        world
    }

    /// Starts the appliance on this world.
    pub(crate) async fn of(world: World) -> Self {
        let appliance = world.serve().await;
        Self { world, appliance }
    }

    /// Returns `http://host:port`, without a final slash.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.appliance.address())
    }

    /// Returns the configuration file with which the appliance was started.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.world.data().with_file_name("parameters.yml")
    }

    /// Checks for newer releases now.
    pub(crate) async fn look_for_releases(&self) {
        self.appliance.web().updates.check().await.unwrap();
    }

    /// Makes a window on this site, whose size and language can be set before it is opened.
    pub(crate) fn window(&self) -> Window {
        Window::on(&self.base())
    }

    /// Stops the appliance in an orderly way.
    pub(crate) async fn stop(self) {
        self.appliance.stop().await.unwrap();
    }
}
