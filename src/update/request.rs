//! Requests about releases and their answers, as commands and the service exchange them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::status::UpdateStatus;

/// A request about releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "wanted", rename_all = "snake_case")]
pub enum ReleaseRequest {
    /// Query of the current knowledge.
    Look,
    /// Immediate check at GitHub.
    Check,
    /// Download and installation of a release: the named one, or the newest.
    Install {
        /// Version to install.
        version: Option<String>,
        /// Insistence, even if the release is older than the running one or was rolled back before.
        #[serde(default)]
        insists: bool,
    },
    /// Installation of a package on this machine's disk, which the service can read.
    Package {
        /// Path of the package.
        #[schema(value_type = String)]
        path: PathBuf,
        /// Version that the package is for.
        version: String,
        /// Insistence, even if the release is older than the running one or was rolled back before.
        #[serde(default)]
        insists: bool,
    },
    /// Return to the previous release.
    Return,
}

/// The knowledge of releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Releases {
    /// Running version.
    pub version: String,
    /// State of updates as the guard knows it.
    pub known: UpdateStatus,
    /// Available newer versions.
    #[serde(default)]
    pub newer: Vec<String>,
    /// Message with a way to fix the problem, if the newer versions are not known or the request was not begun.
    #[serde(default)]
    pub obstacle: Option<String>,
}
