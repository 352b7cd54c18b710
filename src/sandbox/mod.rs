//! Mirakl, HiPay and GitHub as editable in-memory models, served over real HTTP on the loopback interface.
//!
//! Tests use it as the strict witness, `cashout demo` as its marketplace. It refuses what the real remotes refuse, is
//! slow and faulty on demand, and keeps a ledger of its own. It shares no code with the clients that it judges.

mod call;
mod chance;
mod credentials;
pub mod enterprise;
mod fault;
mod github;
mod hipay;
mod json;
mod ledger;
mod mirakl;
mod pause;
mod server;
pub mod shops;
mod spoil;
mod traffic;
mod wire;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use call::{Endpoint, Remote};
pub use credentials::SandboxCredentials;
pub use fault::{Fault, FaultKind, FaultPlan, Moment};
pub use github::model::{GitHubModel, Release, ReleaseAsset, Throttle};
pub use hipay::account::{Account, AccountState, BankDetails, BankStatus, Kyc, KycStatus};
pub use hipay::notices::{Delivery, Notice, NoticeSettings, Sending};
pub use hipay::payments::OtherPayment;
pub use hipay::refusals::{Refusal, RepeatAnswer, Repeats};
pub use hipay::transactions::{Ending, Lag, Life, Listed, Transaction, Until};
pub use hipay::{HipayModel, Reviews};
pub use ledger::{Entry, EntryState, Kind, Ledger, Place};
pub use mirakl::model::{
    AdditionalField, Document, MiraklAccess, MiraklModel, Newcomer, PaymentInfo, PendingAddition, Shop, ShopUpdate,
    Voucher,
};
pub use pause::Pause;
pub use traffic::{Exchange, Outcome, Traffic};

use crate::platform::clock::Clock;
use chance::Chance;
use server::{Shared, lock};

/// Settings of a sandbox. All can be changed later, except the seed, clock and latency.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Seed of every random choice.
    pub seed: u64,
    /// The remotes' clock.
    pub clock: Clock,
    /// Delay of every answer.
    pub latency: Duration,
    /// Percentage of all requests that a random fault strikes.
    pub fault_rate_percent: u8,
    /// Percentage of payments that are executed and whose answer is lost.
    pub lost_answers_percent: u8,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            clock: Clock::system(),
            latency: Duration::ZERO,
            fault_rate_percent: 0,
            lost_answers_percent: 0,
        }
    }
}

/// Failure to start a sandbox.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Lack of a free port on the loopback interface.
    #[error("the sandbox cannot listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
}

/// A running sandbox. Dropping it stops it: its connections are cut and nothing more is executed.
pub struct Sandbox {
    shared: Arc<Shared>,
    mirakl_address: SocketAddr,
    hipay_address: SocketAddr,
    github_address: SocketAddr,
    credentials: SandboxCredentials,
    _stop: DropGuard,
}

impl Sandbox {
    /// Starts the remotes. They are empty except for the technical and the operator account at HiPay
    /// and the document types and custom field of a configured Mirakl.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let mirakl_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let hipay_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let github_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let files_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (mirakl_address, hipay_address) = (mirakl_listener.local_addr()?, hipay_listener.local_addr()?);
        let (github_address, files_address) = (github_listener.local_addr()?, files_listener.local_addr()?);
        let credentials = SandboxCredentials::new(mirakl_address, hipay_address);
        let stop = CancellationToken::new();
        let faults = FaultPlan {
            rules: Vec::new(),
            rate_percent: options.fault_rate_percent,
            lost_answers_percent: options.lost_answers_percent,
            chance: Chance::new(options.seed),
        };
        let shared = Arc::new(Shared {
            mirakl: Mutex::new(MiraklModel::new(options.seed, &credentials)),
            hipay: Mutex::new(HipayModel::new(options.seed, options.clock.clone(), &credentials)),
            github: Mutex::new(GitHubModel::new(github_address, files_address)),
            clock: options.clock,
            latency: options.latency,
            faults: Mutex::new(faults),
            pauses: Mutex::default(),
            traffic: Mutex::default(),
            news: Notify::new(),
            delivered: Notify::new(),
            stop: stop.clone(),
        });
        tokio::spawn(server::serve(Remote::Mirakl, mirakl_listener, Arc::clone(&shared)));
        tokio::spawn(server::serve(Remote::Hipay, hipay_listener, Arc::clone(&shared)));
        tokio::spawn(server::serve(Remote::GitHub, github_listener, Arc::clone(&shared)));
        tokio::spawn(server::serve(Remote::GitHubFiles, files_listener, Arc::clone(&shared)));
        tokio::spawn(hipay::delivery::deliver(Arc::clone(&shared)));
        tokio::spawn(hipay::delivery::let_time_pass(Arc::clone(&shared)));
        Ok(Self { shared, mirakl_address, hipay_address, github_address, credentials, _stop: stop.drop_guard() })
    }

    /// Returns Mirakl's base URL, without `/api`. The token endpoint is `/oauth/token` under it.
    pub fn mirakl_url(&self) -> String {
        format!("http://{}", self.mirakl_address)
    }

    /// Returns HiPay's base URL, without `/api`.
    pub fn hipay_url(&self) -> String {
        format!("http://{}", self.hipay_address)
    }

    /// Returns the URL of GitHub's API, for `update.apiUrl`.
    pub fn github_url(&self) -> String {
        format!("http://{}", self.github_address)
    }

    /// Returns the addresses and credentials that a client needs.
    pub fn credentials(&self) -> &SandboxCredentials {
        &self.credentials
    }

    /// Returns the remotes' clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Reads or changes Mirakl's side. Requests wait meanwhile.
    pub fn mirakl<T>(&self, look: impl FnOnce(&mut MiraklModel) -> T) -> T {
        look(&mut lock(&self.shared.mirakl))
    }

    /// Reads or changes HiPay's side. Requests wait meanwhile; notifications caused by the change are sent.
    pub fn hipay<T>(&self, look: impl FnOnce(&mut HipayModel) -> T) -> T {
        let seen = look(&mut lock(&self.shared.hipay));
        self.shared.news.notify_one();
        seen
    }

    /// Reads or changes GitHub's side. Requests wait meanwhile.
    pub fn github<T>(&self, look: impl FnOnce(&mut GitHubModel) -> T) -> T {
        look(&mut lock(&self.shared.github))
    }

    /// Reads or changes the planned faults.
    pub fn faults<T>(&self, look: impl FnOnce(&mut FaultPlan) -> T) -> T {
        look(&mut lock(&self.shared.faults))
    }

    /// Adds one scripted fault.
    pub fn strike(&self, fault: Fault) {
        self.faults(|plan| plan.rules.push(fault));
    }

    /// Reads or changes the request log.
    pub fn traffic<T>(&self, look: impl FnOnce(&mut Traffic) -> T) -> T {
        look(&mut lock(&self.shared.traffic))
    }

    /// Holds the `nth` request (from 1) to `endpoint` from now on, before it is executed or before it is answered.
    pub fn pause_at(&self, endpoint: Endpoint, moment: Moment, nth: u32) -> Pause {
        lock(&self.shared.pauses).add(endpoint, moment, nth)
    }

    /// Checks what HiPay executed against its balances. See [`HipayModel::verify_once`].
    pub fn verify_once(&self) -> Result<(), Vec<String>> {
        lock(&self.shared.hipay).verify_once()
    }

    /// Waits until no notification is waiting to be sent.
    pub async fn notices_delivered(&self) {
        loop {
            let delivered = self.shared.delivered.notified();
            tokio::pin!(delivered);
            // Registered before the check, so that a delivery in between is not missed.
            delivered.as_mut().enable();
            if !lock(&self.shared.hipay).notices_waiting() {
                return;
            }
            self.shared.news.notify_one();
            delivered.await;
        }
    }
}
