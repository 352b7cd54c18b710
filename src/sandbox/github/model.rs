//! GitHub's side: one repository, its releases, and the access to them.

use std::net::SocketAddr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::platform::hex::hex;
use crate::platform::secret::Secret;
use crate::sandbox::json::Json;

/// Number of calls per hour that a token is allowed.
const HOURLY: u32 = 5_000;

/// GitHub's side.
#[derive(Debug)]
pub struct GitHubModel {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The valid token.
    pub token: Secret,
    /// The token may read the repository; otherwise GitHub answers "not found".
    pub token_may_read: bool,
    /// Message with which GitHub refuses every call (403): a rule of the organisation.
    pub forbids: Option<String>,
    /// The releases, the latest first.
    pub releases: Vec<Release>,
    /// Upper bound on the page size, whatever size the caller requests.
    pub longest_page: usize,
    /// Rate limit that refuses calls.
    pub throttle: Option<Throttle>,
    /// Address to which the API redirects every call; an absolute URL without a path.
    pub moved_to: Option<String>,
    /// Direct sending of files by the API, as in some installations, instead of a redirect to another host.
    pub sends_files_itself: bool,
    /// Violations by callers, such as a leaked credential.
    pub complaints: Vec<String>,
    pub(super) api: SocketAddr,
    pub(super) files: SocketAddr,
}

/// A rate limit in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// Exhausted hourly limit until this time, answered with this status (403 or 429).
    UsedUp(u16, Timestamp),
    /// Required wait in seconds, answered with this status (403 or 429).
    ComeBackAfter(u16, u32),
    /// 429 without any time.
    WithoutAWord,
}

/// A release and its files.
#[derive(Debug, Clone)]
pub struct Release {
    /// The version; its tag has the prefix `v`.
    pub version: String,
    /// Release notes, in Markdown.
    pub notes: String,
    /// Marked as a prerelease.
    pub prerelease: bool,
    /// Draft that is not published yet.
    pub draft: bool,
    /// Files of the release.
    pub assets: Vec<ReleaseAsset>,
    /// Time of publication (UTC).
    pub published_at: Timestamp,
}

impl Release {
    /// Makes a finished release without files.
    pub fn new(version: &str, published_at: Timestamp) -> Self {
        Self {
            version: version.to_owned(),
            notes: String::new(),
            prerelease: false,
            draft: false,
            assets: Vec::new(),
            published_at,
        }
    }

    /// Sets the release notes.
    #[must_use]
    pub fn notes(mut self, notes: &str) -> Self {
        notes.clone_into(&mut self.notes);
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn asset(mut self, asset: ReleaseAsset) -> Self {
        self.assets.push(asset);
        self
    }

    /// Marks the release as a prerelease.
    #[must_use]
    pub fn prerelease(mut self) -> Self {
        self.prerelease = true;
        self
    }

    /// Marks the release as a draft.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.draft = true;
        self
    }
}

/// A file of a release.
#[derive(Debug, Clone)]
pub struct ReleaseAsset {
    /// File name.
    pub name: String,
    /// Content that is sent.
    pub bytes: Vec<u8>,
    /// Length in bytes as GitHub reports it.
    pub size: u64,
    /// Digest as GitHub reports it: `sha256:…`. Old files have none.
    pub digest: Option<String>,
    /// Completely uploaded.
    pub uploaded: bool,
}

impl ReleaseAsset {
    /// Makes a file whose reported size and digest are right.
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = Some(format!("sha256:{}", hex(Sha256::digest(&bytes))));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { name: name.to_owned(), bytes, size, digest, uploaded: true }
    }

    /// Changes the last byte, as if the file had been tampered with in transit.
    #[must_use]
    pub fn tampered(mut self) -> Self {
        if let Some(last) = self.bytes.last_mut() {
            *last ^= 1;
        }
        self
    }
}

impl GitHubModel {
    pub(in crate::sandbox) fn new(api: SocketAddr, files: SocketAddr) -> Self {
        Self {
            repository: "marketplace/cashout".to_owned(),
            token: Secret::new("ghp_sandboxGitHubToken0123456789"),
            token_may_read: true,
            forbids: None,
            releases: Vec::new(),
            longest_page: 100,
            throttle: None,
            moved_to: None,
            sends_files_itself: false,
            complaints: Vec::new(),
            api,
            files,
        }
    }

    /// Publishes a release as the first of the list.
    pub fn publish(&mut self, release: Release) {
        self.releases.insert(0, release);
    }

    /// Returns the address of the file host, without a path.
    pub fn files_url(&self) -> String {
        format!("http://{}", self.files)
    }

    /// Returns the file with this number, which combines the release's number, from the oldest, and
    /// the file's index in it.
    pub(super) fn asset(&self, id: &str) -> Option<&ReleaseAsset> {
        let id: usize = id.parse().ok()?;
        let release = self.releases.iter().rev().nth((id / ASSETS).checked_sub(1)?)?;
        release.assets.get(id % ASSETS)
    }

    /// Returns the hourly limit, the calls that the token has left, and the time of the reset
    /// (seconds since the epoch).
    pub(super) fn quota(&self, now: Timestamp) -> (u32, u32, i64) {
        match self.throttle {
            Some(Throttle::UsedUp(_, until)) if now < until => (HOURLY, 0, until.as_second()),
            Some(Throttle::UsedUp(..) | Throttle::ComeBackAfter(..) | Throttle::WithoutAWord) | None => {
                (HOURLY, HOURLY - 1, now.as_second() + 3_600)
            }
        }
    }

    /// Returns one release as the API shows it. `number` counts from the oldest, which is 1.
    pub(super) fn release_json(&self, number: usize, release: &Release) -> Json {
        let base = format!("http://{}/repos/{}/releases", self.api, self.repository);
        let url = |rest: &str| Json::text(&format!("{base}/{rest}"));
        let id = number.to_string();
        let moment = Json::text(&release.published_at.to_string());
        let assets = release.assets.iter().enumerate().map(|(place, asset)| self.asset_json(number, place, asset));
        Json::object([
            ("url", url(&id)),
            ("html_url", url(&format!("tag/v{}", release.version))),
            ("assets_url", url(&format!("{id}/assets"))),
            ("upload_url", url(&format!("{id}/assets{{?name,label}}"))),
            ("tarball_url", url(&format!("tarball/v{}", release.version))),
            ("zipball_url", url(&format!("zipball/v{}", release.version))),
            ("id", Json::number(number)),
            ("node_id", Json::text(&format!("RE_{number}"))),
            ("tag_name", Json::text(&format!("v{}", release.version))),
            ("target_commitish", Json::text("main")),
            ("name", Json::text(&format!("cashout {}", release.version))),
            ("body", Json::text(&release.notes)),
            ("draft", Json::flag(release.draft)),
            ("prerelease", Json::flag(release.prerelease)),
            ("created_at", moment.clone()),
            ("published_at", if release.draft { Json::null() } else { moment }),
            ("author", Json::null()),
            ("assets", Json::list(assets)),
        ])
    }

    fn asset_json(&self, release: usize, place: usize, asset: &ReleaseAsset) -> Json {
        let id = release * ASSETS + place;
        let moment = Json::text("2026-11-01T10:00:00Z");
        Json::object([
            ("url", Json::text(&format!("http://{}/repos/{}/releases/assets/{id}", self.api, self.repository))),
            ("browser_download_url", Json::text(&format!("http://{}/download/{id}", self.files))),
            ("id", Json::number(id)),
            ("node_id", Json::text(&format!("RA_{id}"))),
            ("name", Json::text(&asset.name)),
            ("label", Json::text("")),
            ("state", Json::text(if asset.uploaded { "uploaded" } else { "starter" })),
            ("content_type", Json::text("application/gzip")),
            ("size", Json::number(asset.size)),
            ("digest", asset.digest.as_deref().map_or(Json::null(), Json::text)),
            ("download_count", Json::number(0)),
            ("created_at", moment.clone()),
            ("updated_at", moment),
            ("uploader", Json::null()),
        ])
    }
}

/// Factor of file numbers; greater than the number of files of any release here.
const ASSETS: usize = 1_000;
