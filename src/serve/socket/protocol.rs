//! The protocol of the socket: a request is one line of JSON, its answer is lines of JSON.
//!
//! A change that an older side would misunderstand raises [`PROTOCOL`]; a change that an older side can ignore does
//! not.

use serde::{Deserialize, Serialize};

use crate::admin::check::Finding;
use crate::domain::operation::{Operation, OperationChoice};
use crate::domain::voucher::{VoucherChoice, VoucherRecord};
use crate::jobs::{BatchRecord, Command, JobError, WalletChange};
use crate::update::{ReleaseRequest, Releases};

/// Version of the protocol. Sides with different versions do not talk.
pub const PROTOCOL: u32 = 1;

/// The protocol and release of a side; read before anything else of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Protocol that the side speaks.
    pub protocol: u32,
    /// Release of the side.
    #[serde(default)]
    pub version: String,
}

impl Greeting {
    /// Returns the greeting of this release.
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL, version: crate::platform::release::version().to_owned() }
    }
}

/// The line with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Greeting of the command.
    #[serde(flatten)]
    pub greeting: Greeting,
    /// The request itself.
    #[serde(flatten)]
    pub ask: SocketRequest,
}

/// A request of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum SocketRequest {
    /// A batch, followed to its end.
    Batch {
        /// Command of the batch.
        request: Command,
        /// Permission to wait for another batch of the same kind; without it, the request is given up in that case.
        may_wait: bool,
    },
    /// Retry of an operation that waits for a person.
    Retry {
        /// Number of the operation.
        operation: u64,
    },
    /// A person's choice on an operation.
    Operation {
        /// Number of the operation.
        operation: u64,
        /// The choice.
        chosen: OperationChoice,
        /// Reason for the choice.
        reason: String,
    },
    /// Change of a vendor's wallet from now on.
    SetWallet {
        /// ID of the shop at Mirakl.
        mirakl_id: u64,
        /// ID of the new wallet at HiPay.
        hipay_id: u64,
        /// Reason for the change.
        reason: String,
    },
    /// A person's choice on a voucher that has not led to an operation.
    Voucher {
        /// ID of the voucher, as lists show it.
        id: String,
        /// The choice.
        choice: VoucherChoice,
        /// Reason for the choice.
        reason: String,
    },
    /// A request about releases.
    Update {
        /// The request itself.
        wanted: ReleaseRequest,
    },
    /// A check of the installation.
    Check {
        /// Restriction to checks without calls to Mirakl and HiPay.
        offline: bool,
    },
}

/// A later line of the command, which requests a stop of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Always true.
    pub stop: bool,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SocketEvent {
    /// First line: the request was understood.
    Welcome(Greeting),
    /// A queued batch.
    Queued {
        /// Number of the batch.
        batch: u64,
        /// Batch of the same kind that it waits for.
        #[serde(default)]
        behind: Option<u64>,
        /// Set if the same batch had been requested before.
        #[serde(default)]
        joined: bool,
    },
    /// Beginning of a stage.
    Stage {
        /// Name of the stage, that is, what it deals with.
        name: String,
        /// Number of its items.
        total: u64,
    },
    /// Progress of the stage, sent a few times a second at most.
    Progress {
        /// Number of items dealt with.
        done: u64,
    },
    /// Accepted stop: the batch will stop at a safe point.
    Stopping,
    /// Refused stop: others have requested the batch as well, and it goes on. The last line.
    GoesOn,
    /// End of the batch. The last line.
    Ended {
        /// Record of the batch.
        record: Box<BatchRecord>,
        /// Error that ended the batch early, if any.
        #[serde(default)]
        error: Option<CommandFailure>,
    },
    /// Operation after the choice. The last line.
    Operation {
        /// The whole operation.
        operation: Box<Operation>,
    },
    /// Effect of a change of a wallet. The last line.
    Wallet {
        /// The whole change.
        change: Box<WalletChange>,
    },
    /// Voucher after the choice. The last line.
    Voucher {
        /// The whole record.
        record: Box<VoucherRecord>,
    },
    /// State of releases. The last line.
    Releases {
        /// The whole state.
        releases: Box<Releases>,
    },
    /// Findings of a check. The last line.
    Findings {
        /// The findings, in order.
        findings: Vec<Finding>,
    },
    /// Failure of the request. The last line.
    Failed(CommandFailure),
    /// An event of a later release; may be ignored.
    #[serde(other)]
    Unknown,
}

/// A failure, classified by what the command must do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFailure {
    /// Kind of the failure.
    pub kind: TroubleKind,
    /// Message for people.
    pub message: String,
}

/// The kinds of failure, which become exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Refusal of our credentials by a remote.
    Credentials,
    /// Failure of the store or the machine.
    Machine,
    /// Request that is not allowed or makes no sense.
    Refused,
    /// Remote that cannot be used now.
    Remote,
    /// Other obstacle, which may be gone later.
    Busy,
    /// A kind of a later release.
    #[serde(other)]
    Unknown,
}

impl CommandFailure {
    /// Creates a failure of this kind with a message for people.
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<&JobError> for CommandFailure {
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
