//! Why there is no update: one sentence with the way out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::text::Texts;

/// What stands in the way of looking for an update or of fetching one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Obstacle {
    /// `update.repository` is not set.
    NoRepository,
    /// `github.token` is not set.
    NoToken,
    /// GitHub does not know the token (any more).
    TokenRefused,
    /// There is no such repository, or the token may not read it.
    NotFound {
        /// The repository.
        repository: String,
    },
    /// GitHub refuses it by a rule of its own.
    Forbidden {
        /// The repository.
        repository: String,
        /// GitHub's own words.
        words: String,
    },
    /// There were too many calls.
    LimitReached {
        /// When GitHub allows the next one (UTC).
        until: Timestamp,
    },
    /// No newer release has a file for this machine.
    NoAsset {
        /// The newest one of them.
        version: Version,
        /// The machine.
        target: String,
    },
    /// GitHub cannot be reached.
    Unreachable {
        /// What was seen, in one line.
        detail: String,
    },
    /// GitHub answered something that is no answer.
    Failed {
        /// What was seen, in one line.
        detail: String,
    },
    /// The file is larger than a release may be.
    TooLarge {
        /// The file.
        name: String,
        /// How large it may be, in MiB.
        most: u64,
    },
    /// There is too little room in the data folder.
    NoRoom {
        /// What it takes, in MiB.
        needed: u64,
        /// What is left, in MiB.
        free: u64,
        /// The folder.
        folder: String,
    },
    /// What came is not what GitHub had said.
    NotAsTold {
        /// The file.
        name: String,
    },
    /// The download broke off, time and again.
    Broken {
        /// How often it was tried.
        tries: u32,
        /// What was seen the last time.
        detail: String,
    },
    /// The data folder cannot be written to.
    Folder {
        /// Which, and what is wrong with it.
        detail: String,
    },
    /// Another release is being fetched.
    Busy {
        /// Which.
        version: Version,
    },
    /// There is no such newer release.
    NotOffered {
        /// What was wanted; empty where it was the newest.
        wanted: String,
    },
    /// The release is not newer than the one that runs, and nobody has insisted.
    NotNewer {
        /// Which was wanted.
        version: Version,
        /// Which runs.
        running: Version,
    },
    /// There is no guard that could exchange the binary.
    NoGuard {
        /// What was seen, in one line.
        detail: String,
    },
    /// The program stops.
    Stopping,
    /// What a later release wrote.
    #[serde(other)]
    Unknown,
}

impl Obstacle {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoRepository => "no_repository",
            Self::NoToken => "no_token",
            Self::TokenRefused => "token_refused",
            Self::NotFound { .. } => "not_found",
            Self::Forbidden { .. } => "forbidden",
            Self::LimitReached { .. } => "limit_reached",
            Self::NoAsset { .. } => "no_asset",
            Self::Unreachable { .. } => "unreachable",
            Self::Failed { .. } => "failed",
            Self::TooLarge { .. } => "too_large",
            Self::NoRoom { .. } => "no_room",
            Self::NotAsTold { .. } => "not_as_told",
            Self::Broken { .. } => "broken",
            Self::Folder { .. } => "folder",
            Self::Busy { .. } => "busy",
            Self::NotOffered { .. } => "not_offered",
            Self::NotNewer { .. } => "not_newer",
            Self::NoGuard { .. } => "no_guard",
            Self::Stopping => "stopping",
            Self::Unknown => "unknown",
        }
    }

    /// The sentence, with the way out; moments are told in `zone`.
    pub fn sentence(&self, texts: &Texts, zone: &TimeZone) -> String {
        let values = match self {
            Self::NoRepository | Self::NoToken | Self::TokenRefused | Self::Stopping | Self::Unknown => vec![],
            Self::NotFound { repository } => vec![("repository", repository.as_str().into())],
            Self::Forbidden { repository, words } => {
                vec![("repository", repository.as_str().into()), ("words", words.as_str().into())]
            }
            Self::LimitReached { until } => vec![("until", texts.moment(*until, zone).into())],
            Self::NoAsset { version, target } => {
                vec![("version", version.to_string().into()), ("target", target.as_str().into())]
            }
            Self::Unreachable { detail } | Self::Failed { detail } | Self::Folder { detail } => {
                vec![("detail", detail.as_str().into())]
            }
            Self::TooLarge { name, most } => {
                vec![("name", name.as_str().into()), ("most", texts.number(*most).into())]
            }
            Self::NoRoom { needed, free, folder } => vec![
                ("needed", texts.number(*needed).into()),
                ("free", texts.number(*free).into()),
                ("folder", folder.as_str().into()),
            ],
            Self::NotAsTold { name } => vec![("name", name.as_str().into())],
            Self::Broken { tries, detail } => {
                vec![("tries", texts.number(u64::from(*tries)).into()), ("detail", detail.as_str().into())]
            }
            Self::NotOffered { wanted } => vec![("wanted", wanted.as_str().into())],
            Self::NotNewer { version, running } => {
                vec![("version", version.to_string().into()), ("running", running.to_string().into())]
            }
            Self::NoGuard { detail } => vec![("detail", detail.as_str().into())],
            Self::Busy { version } => vec![("version", version.to_string().into())],
        };
        texts.text(&format!("update-cannot-{}", self.name()), &values)
    }
}
