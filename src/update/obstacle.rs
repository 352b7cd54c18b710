//! Reasons why there is no update, each with one message and a way to fix it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use semver::Version;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::text::message::{Argument, Message, msg};

/// An obstacle to the check for an update or to its download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum UpdateObstacle {
    /// Missing `update.repository`.
    NoRepository,
    /// Missing `github.token`.
    NoToken,
    /// Token that GitHub does not know, or no longer knows.
    TokenRefused,
    /// Repository that does not exist, or that the token may not read.
    NotFound {
        /// Name of the repository.
        repository: String,
    },
    /// Refusal by one of GitHub's own rules.
    Forbidden {
        /// Name of the repository.
        repository: String,
        /// GitHub's own message.
        words: String,
    },
    /// Too many calls.
    LimitReached {
        /// Time at which GitHub allows the next call (UTC).
        until: Timestamp,
    },
    /// Newer releases, of which none has a file for this machine.
    NoAsset {
        /// Newest of these releases.
        version: Version,
        /// Target triple of the machine.
        target: String,
    },
    /// Failure to reach GitHub.
    Unreachable {
        /// Cause in one line.
        detail: String,
    },
    /// Answer of GitHub that cannot be used.
    Failed {
        /// Cause in one line.
        detail: String,
    },
    /// File that is larger than a release may be.
    TooLarge {
        /// Name of the file.
        name: String,
        /// Upper bound on its size, in MiB.
        most: u64,
    },
    /// Lack of space in the data folder.
    NoRoom {
        /// Required space, in MiB.
        needed: u64,
        /// Free space, in MiB.
        free: u64,
        /// Path of the folder.
        folder: String,
    },
    /// Downloaded file that differs from GitHub's announcement.
    NotAsTold {
        /// Name of the file.
        name: String,
    },
    /// Download that broke off at every attempt.
    Broken {
        /// Number of attempts.
        tries: u32,
        /// Cause of the last failure.
        detail: String,
    },
    /// Data folder that cannot be written to.
    Folder {
        /// Path of the folder, and its defect.
        detail: String,
    },
    /// Another release on its way.
    Busy {
        /// Version of the other release.
        version: Version,
    },
    /// Request for a newer release that does not exist.
    NotOffered {
        /// Requested version; empty if it was the newest.
        wanted: String,
    },
    /// Request without insistence for a release that is not newer than the running one.
    NotNewer {
        /// Requested version.
        version: Version,
        /// Running version.
        running: Version,
    },
    /// Lack of a guard that could exchange the binary.
    NoGuard {
        /// Cause in one line.
        detail: String,
    },
    /// End of the program.
    Stopping,
    /// An obstacle of a later release.
    #[serde(other)]
    Unknown,
}

impl UpdateObstacle {
    /// Returns the obstacle's name in JSON.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Returns the message, which says how to fix the problem; moments are shown in `zone`.
    pub fn message(&self, zone: &TimeZone) -> Message {
        match self {
            Self::NoRepository => msg!("update-cannot-no-repository"),
            Self::NoToken => msg!("update-cannot-no-token"),
            Self::TokenRefused => msg!("update-cannot-token-refused"),
            Self::NotFound { repository } => msg!("update-cannot-not-found", repository),
            Self::Forbidden { repository, words } => msg!("update-cannot-forbidden", repository, words),
            Self::LimitReached { until } => msg!("update-cannot-limit-reached", until = Argument::moment(*until, zone)),
            Self::NoAsset { version, target } => msg!("update-cannot-no-asset", version = version.to_string(), target),
            Self::Unreachable { detail } => msg!("update-cannot-unreachable", detail),
            Self::Failed { detail } => msg!("update-cannot-failed", detail),
            Self::TooLarge { name, most } => msg!("update-cannot-too-large", name, most = Argument::count(*most)),
            Self::NoRoom { needed, free, folder } => {
                msg!("update-cannot-no-room", needed = Argument::count(*needed), free = Argument::count(*free), folder)
            }
            Self::NotAsTold { name } => msg!("update-cannot-not-as-told", name),
            Self::Broken { tries, detail } => {
                msg!("update-cannot-broken", tries = Argument::count(u64::from(*tries)), detail)
            }
            Self::Folder { detail } => msg!("update-cannot-folder", detail),
            Self::Busy { version } => msg!("update-cannot-busy", version = version.to_string()),
            Self::NotOffered { wanted } => msg!("update-cannot-not-offered", wanted),
            Self::NotNewer { version, running } => {
                msg!("update-cannot-not-newer", version = version.to_string(), running = running.to_string())
            }
            Self::NoGuard { detail } => msg!("update-cannot-no-guard", detail),
            Self::Stopping => msg!("update-cannot-stopping"),
            Self::Unknown => msg!("update-cannot-unknown"),
        }
    }
}
