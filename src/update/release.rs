//! A release, and the choice of the releases on offer; without any I/O.

use jiff::Timestamp;
use octocrab::models::repos;
use self_update::Checksum;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::UpdateObstacle;
use super::notes::has_section;
use crate::config::UpdateChannel;

/// Upper bound on the notes, in bytes; longer notes are cut.
const MAX_NOTES_LENGTH: usize = 64 * 1024;

/// A release with a file for this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Version of the release.
    pub version: Version,
    /// Release notes in Markdown; see [`super::notes_html`].
    #[serde(default)]
    pub notes: String,
    /// Unfinished, that is, a pre-release.
    #[serde(default)]
    pub prerelease: bool,
    /// Latest release up to this one that announces the fix of a security problem.
    #[serde(default)]
    pub security: Option<Version>,
    /// Time of publication (UTC).
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// File for this machine.
    pub asset: Asset,
    /// Fields of a later release, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Name of the file.
    pub name: String,
    /// Address of the file in GitHub's API.
    pub url: String,
    /// Length of the file in bytes.
    pub size: u64,
    /// SHA-256 as GitHub reports it, in hexadecimal digits; files from before 2025 have none.
    #[serde(default)]
    pub digest: Option<String>,
}

/// The difference between a release and the running one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseKind {
    /// Newer release with the same major and minor version that fixes a security problem.
    SecurityPatch,
    /// Newer release with the same major and minor version.
    Fix,
    /// Any other newer release.
    NewVersion,
}

impl ReleaseKind {
    /// Returns the difference between `version` and the running one; `None` if it is not newer. `security` is the
    /// latest release up to it that fixes a security problem.
    pub fn of(running: &Version, version: &Version, security: Option<&Version>) -> Option<Self> {
        let is_newer = |version: &Version| version.cmp_precedence(running).is_gt();
        let same = (running.major, running.minor) == (version.major, version.minor);
        is_newer(version).then_some(match (same, security.is_some_and(is_newer)) {
            (true, true) => Self::SecurityPatch,
            (true, false) => Self::Fix,
            (false, _) => Self::NewVersion,
        })
    }

    /// Returns the kind's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityPatch => "patch",
            Self::Fix => "fix",
            Self::NewVersion => "new_version",
        }
    }
}

/// The releases on offer: the newest of each kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Newest patch of the running version.
    #[serde(default)]
    pub patch: Option<Release>,
    /// Newest new version.
    #[serde(default)]
    pub new_version: Option<Release>,
}

impl Release {
    /// Returns the difference from the running version; `None` if the release is not newer.
    pub fn kind(&self, running: &Version) -> Option<ReleaseKind> {
        ReleaseKind::of(running, &self.version, self.security.as_ref())
    }

    /// Returns true if the release fixes a security problem that `running` has.
    pub fn mends_security(&self, running: &Version) -> bool {
        self.security.as_ref().is_some_and(|security| security.cmp_precedence(running).is_gt())
    }
}

impl Offer {
    /// Returns the newest release on offer.
    pub fn newest(&self) -> Option<&Release> {
        self.new_version.as_ref().or(self.patch.as_ref())
    }

    /// Returns the release on offer with this version.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        [&self.patch, &self.new_version].into_iter().flatten().find(|release| release.version == *version)
    }

    /// Returns the releases that are still newer than `running`: one that was found may have been installed since.
    pub(super) fn newer_than(self, running: &Version) -> Self {
        let mut left = Self::default();
        for release in [self.patch, self.new_version].into_iter().flatten() {
            match release.kind(running) {
                Some(ReleaseKind::SecurityPatch | ReleaseKind::Fix) => left.patch = Some(release),
                Some(ReleaseKind::NewVersion) => left.new_version = Some(release),
                None => {}
            }
        }
        left
    }
}

/// Returns the name of a release's file for a target.
pub fn asset_name(version: &Version, target: &str) -> String {
    format!("cashout-{version}-{target}.tar.gz")
}

/// Chooses the offer from all releases that GitHub lists. A release without a file for this machine is skipped if
/// another newer one has it; if none has, that is the obstacle.
pub(super) fn choose(
    listed: &[repos::Release],
    channel: UpdateChannel,
    running: &Version,
    target: &str,
) -> Result<Offer, UpdateObstacle> {
    let mut offer = Offer::default();
    let mut without: Option<Version> = None;
    for (release, version) in published(listed) {
        if unfinished(release, &version) && channel == UpdateChannel::Stable {
            continue;
        }
        let Some(kind) = ReleaseKind::of(running, &version, None) else { continue };
        let Some(asset) = asset_of(release, &version, target) else {
            without = without.max(Some(version));
            continue;
        };
        let place = match kind {
            ReleaseKind::SecurityPatch | ReleaseKind::Fix => &mut offer.patch,
            ReleaseKind::NewVersion => &mut offer.new_version,
        };
        if place.as_ref().is_none_or(|known| version > known.version) {
            *place = Some(described(release, version, asset));
        }
    }
    // A fix in a release is part of the releases after it.
    let mended: Vec<Version> = published(listed)
        .filter(|(release, _)| speaks_of_security(release))
        .filter(|(release, version)| channel == UpdateChannel::Beta || !unfinished(release, version))
        .map(|(_, version)| version)
        .collect();
    for release in [&mut offer.patch, &mut offer.new_version].into_iter().flatten() {
        release.security = mended.iter().filter(|mended| **mended <= release.version).max().cloned();
    }
    match without.filter(|_| offer.newest().is_none()) {
        Some(version) => Err(UpdateObstacle::NoAsset { version, target: target.to_owned() }),
        None => Ok(offer),
    }
}

/// Returns the release of this version, newer or older than the running one, finished or not.
pub(super) fn named(listed: &[repos::Release], wanted: &Version, target: &str) -> Result<Release, UpdateObstacle> {
    let (release, version) = published(listed)
        .find(|(_, version)| version == wanted)
        .ok_or_else(|| UpdateObstacle::NotOffered { wanted: wanted.to_string() })?;
    match asset_of(release, &version, target) {
        Some(asset) => Ok(described(release, version, asset)),
        None => Err(UpdateObstacle::NoAsset { version, target: target.to_owned() }),
    }
}

/// Returns all releases that are no drafts and have a version.
fn published(listed: &[repos::Release]) -> impl Iterator<Item = (&repos::Release, Version)> {
    listed.iter().filter(|release| !release.draft).filter_map(|release| {
        let tag = release.tag_name.strip_prefix('v').unwrap_or(&release.tag_name);
        Some((release, Version::parse(tag).ok()?))
    })
}

/// Returns true if the notes have a section "Security", as Keep a Changelog names it, or if the title contains the
/// word.
fn speaks_of_security(release: &repos::Release) -> bool {
    let in_title = release.name.as_deref().unwrap_or_default().to_lowercase();
    let in_title = in_title.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "security");
    in_title || has_section(release.body.as_deref().unwrap_or_default(), "security")
}

fn unfinished(release: &repos::Release, version: &Version) -> bool {
    release.prerelease || !version.pre.is_empty()
}

fn described(release: &repos::Release, version: Version, asset: Asset) -> Release {
    Release {
        notes: cut(release.body.as_deref().unwrap_or_default()),
        prerelease: unfinished(release, &version),
        security: None,
        published_at: release.published_at.and_then(|at| Timestamp::from_second(at.timestamp()).ok()),
        version,
        asset,
        unknown: Map::new(),
    }
}

fn asset_of(release: &repos::Release, version: &Version, target: &str) -> Option<Asset> {
    let name = asset_name(version, target);
    let asset = release.assets.iter().find(|asset| asset.name == name && asset.state == "uploaded")?;
    // A digest of another kind is ignored: the signature decides in the end.
    let digest = asset.digest.as_deref().and_then(|digest| match Checksum::parse_digest(digest) {
        Ok(Checksum::Sha256(digits)) => Some(digits.to_ascii_lowercase()),
        _ => None,
    });
    Some(Asset { name, url: asset.url.to_string(), size: u64::try_from(asset.size).ok()?, digest })
}

fn cut(notes: &str) -> String {
    notes.get(..notes.floor_char_boundary(MAX_NOTES_LENGTH)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
