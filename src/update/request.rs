//! Requests about releases, and what is known of them: as commands and the service say it to each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::story::Known;

/// A request about releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wanted", rename_all = "snake_case")]
pub enum Wanted {
    /// What is known.
    Look,
    /// That GitHub is asked now.
    Check,
    /// That a release is fetched and installed: this one, or the newest.
    Install {
        /// The version.
        version: Option<String>,
        /// Also where it is older than what runs, or was rolled back before.
        #[serde(default)]
        insists: bool,
    },
    /// That a package on this machine's disk is installed, which the service can read.
    Package {
        /// Where it is.
        path: PathBuf,
        /// The version that it is for.
        version: String,
        /// Also where it is older than what runs, or was rolled back before.
        #[serde(default)]
        insists: bool,
    },
    /// That the release before this one is put back.
    Return,
}

/// The knowledge of releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    /// The version that runs.
    pub version: String,
    /// What the guard knows.
    pub known: Known,
    /// The newer versions that there are.
    #[serde(default)]
    pub newer: Vec<String>,
    /// Why that is not known, or what was asked for was not begun: a sentence with the way out.
    #[serde(default)]
    pub obstacle: Option<String>,
}
