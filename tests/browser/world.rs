//! The appliance on a marketplace of its own, for a browser to be opened on.

#[path = "../it/world.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod marketplace;

use cashout::jobs::{Command, GenerateArguments};
use cashout::sandbox::shops::{Market, populate};
use cashout::sandbox::{HipayModel, Reviews, SandboxOptions};
use cashout::serve::Appliance;
use cashout::update::story::Known;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

pub(crate) use marketplace::{IBAN, World, euro, http, wallet_of};

use crate::browser::{Browser, Window};

/// A marketplace and the appliance at work on it. When it goes, HiPay's ledger is compared with what
/// the vouchers owed.
pub(crate) struct Site {
    pub(crate) world: World,
    appliance: Appliance,
}

impl Site {
    /// What the guard tells of updates, were there one.
    pub(crate) fn told_by_the_guard(&self, known: Known) {
        self.appliance.web().guard.learn(known);
    }

    /// An empty marketplace, on which no batch runs by itself.
    pub(crate) async fn new() -> Self {
        Self::of(World::unscheduled(SandboxOptions::default(), &[]).await).await
    }

    /// Sixty shops after a settlement, as chance has it: most are paid, some cannot be, and the
    /// marketplace's account does not cover everything.
    pub(crate) async fn of_sixty_shops() -> Self {
        Self::of(Self::sixty_shops().await).await
    }

    /// The same before anybody serves it.
    pub(crate) async fn sixty_shops() -> World {
        let mut world = World::unscheduled(SandboxOptions::default(), &[]).await;
        // What the market owes is decided by its own chance, not written down shop by shop.
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

    /// Signs in with HiPay's credentials, and ends where `path` leads.
    pub(crate) async fn sign_in(&self, browser: &Browser, path: &str) {
        browser.open(path).await;
        let credentials = self.world.sandbox.credentials();
        browser.fill("HiPay web service login", &credentials.ws_login).await;
        browser.fill("Password", credentials.ws_password.expose()).await;
        browser.click("Sign in").await;
        browser.does_not_see("HiPay web service login").await;
    }

    /// The appliance at work on this world.
    pub(crate) async fn of(world: World) -> Self {
        let appliance = world.serve().await;
        Self { world, appliance }
    }

    /// `http://host:port`, without a slash at the end.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.appliance.address())
    }

    /// The configuration file that the appliance has been started with.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.world.data().with_file_name("parameters.yml")
    }

    /// Looks for newer releases now.
    pub(crate) async fn look_for_releases(&self) {
        self.appliance.web().updates.check().await.unwrap();
    }

    /// A window on this site, to be given its size and language and then opened.
    pub(crate) fn window(&self) -> Window {
        Window::on(&self.base())
    }

    /// The orderly stop.
    pub(crate) async fn stop(self) {
        self.appliance.stop().await.unwrap();
    }
}
