//! What is said over the socket: one line of JSON asks, lines of JSON answer.
//!
//! A change that an older side would misunderstand raises [`PROTOCOL`]; what an older side can leave
//! out does not.

use serde::{Deserialize, Serialize};

use crate::admin::check::Finding;
use crate::domain::operation::{Operation, OperationChoice};
use crate::domain::voucher::{VoucherChoice, VoucherRecord};
use crate::jobs::{BatchRecord, Command, JobError, WalletChange};
use crate::update::{Releases, Wanted};

/// The version of what is said. Sides of different versions do not talk.
pub const PROTOCOL: u32 = 1;

/// Who asks; read before anything else of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The protocol that the asker speaks.
    pub protocol: u32,
    /// Its release.
    #[serde(default)]
    pub version: String,
}

impl Greeting {
    /// This release's own.
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL, version: crate::platform::release::version().to_owned() }
    }
}

/// The one line that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    #[serde(flatten)]
    pub greeting: Greeting,
    /// For what.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// A batch, to its end.
    Batch {
        /// Which one.
        request: Command,
        /// False: give up where it would have to wait for another of its kind.
        may_wait: bool,
    },
    /// That an operation which waits for a person is taken up again.
    Retry {
        /// Its number.
        operation: u64,
    },
    /// A person's choice on an operation.
    Operation {
        /// Its number.
        operation: u64,
        /// What.
        chosen: OperationChoice,
        /// Why.
        reason: String,
    },
    /// That a vendor has another wallet from now on.
    SetWallet {
        /// The shop.
        mirakl_id: u64,
        /// The wallet.
        hipay_id: u64,
        /// Why.
        reason: String,
    },
    /// A person's choice on a voucher that has made no operation.
    Voucher {
        /// Its id, as lists show it.
        id: String,
        /// What.
        choice: VoucherChoice,
        /// Why.
        reason: String,
    },
    /// Something about releases.
    Update {
        /// What.
        wanted: Wanted,
    },
    /// What is wrong.
    Check {
        /// Ask neither Mirakl nor HiPay.
        offline: bool,
    },
}

/// A later line of the asker's: it wants the batch to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Always true.
    pub stop: bool,
}

/// A line that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first: the request was understood.
    Welcome(Greeting),
    /// The batch is queued.
    Queued {
        /// Its number.
        batch: u64,
        /// The batch of its kind that it waits for.
        #[serde(default)]
        behind: Option<u64>,
        /// Somebody had asked for the same before.
        #[serde(default)]
        joined: bool,
    },
    /// A stage begins.
    Stage {
        /// What it deals with.
        name: String,
        /// Items in it.
        total: u64,
    },
    /// How far the stage is. Said some times a second at most.
    Progress {
        /// Items dealt with.
        done: u64,
    },
    /// The batch is asked to stop, and will at a safe point.
    Stopping,
    /// Others asked for the batch as well: it goes on. The last line.
    GoesOn,
    /// The batch is over. The last line.
    Ended {
        /// What stays of it.
        record: Box<BatchRecord>,
        /// Why it ended early, if it did.
        #[serde(default)]
        error: Option<Trouble>,
    },
    /// The operation as it is after the choice. The last line.
    Operation {
        /// All of it.
        operation: Box<Operation>,
    },
    /// The effect of a change of a wallet. The last line.
    Wallet {
        /// All of it.
        change: Box<WalletChange>,
    },
    /// The voucher as it stands after the choice. The last line.
    Voucher {
        /// All of it.
        record: Box<VoucherRecord>,
    },
    /// What is known of releases. The last line.
    Releases {
        /// All of it.
        releases: Box<Releases>,
    },
    /// What was looked at. The last line.
    Findings {
        /// One by one.
        findings: Vec<Finding>,
    },
    /// What was asked for cannot be had. The last line.
    Failed(Trouble),
    /// Something that a later release says; may be left out.
    #[serde(other)]
    Unknown,
}

/// What went wrong, by what the asker must do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The kind.
    pub kind: TroubleKind,
    /// The sentence for people.
    pub message: String,
}

/// The kinds of trouble, which become exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// A remote refuses our credentials.
    Credentials,
    /// The store or the machine failed.
    Machine,
    /// It is not allowed, or makes no sense.
    Refused,
    /// A remote cannot be used now.
    Remote,
    /// Something else is in the way; later it may work.
    Busy,
    /// A kind of a later release.
    #[serde(other)]
    Unknown,
}

impl Trouble {
    /// Trouble of this kind, with the sentence for people.
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<&JobError> for Trouble {
    fn from(error: &JobError) -> Self {
        let kind = match error {
            JobError::Credentials(_) => TroubleKind::Credentials,
            JobError::Store(_) => TroubleKind::Machine,
            JobError::Refused(_) => TroubleKind::Refused,
            JobError::Remote(_) => TroubleKind::Remote,
        };
        Self::new(kind, error.to_string())
    }
}
