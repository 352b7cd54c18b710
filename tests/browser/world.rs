//! The appliance on a marketplace of its own, for a browser to be opened on.

#[path = "../it/world.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod marketplace;

use cashout::sandbox::SandboxOptions;
use cashout::serve::Appliance;

pub(crate) use marketplace::World;

use crate::browser::Window;

/// A marketplace and the appliance at work on it. When it goes, HiPay's ledger is compared with what
/// the vouchers owed.
pub(crate) struct Site {
    pub(crate) world: World,
    appliance: Appliance,
}

impl Site {
    /// An empty marketplace, on which no batch runs by itself.
    pub(crate) async fn new() -> Self {
        Self::of(World::unscheduled(SandboxOptions::default(), &[]).await).await
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

    /// A window on this site, to be given its size and language and then opened.
    pub(crate) fn window(&self) -> Window {
        Window::on(&self.base())
    }

    /// The orderly stop.
    pub(crate) async fn stop(self) {
        self.appliance.stop().await.unwrap();
    }
}
