//! GitHub's side: one repository, its releases, and who may read them.

use std::net::SocketAddr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::platform::hex::hex;
use crate::platform::secret::Secret;
use crate::sandbox::json::Json;

/// What one hour allows to a token.
const HOURLY: u32 = 5_000;

/// GitHub's side.
#[derive(Debug)]
pub struct GitHubModel {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The token that is let in.
    pub token: Secret,
    /// Whether that token may read the repository; GitHub says "not found" where it may not.
    pub token_may_read: bool,
    /// What GitHub refuses every call with (403) instead: a rule of the organisation.
    pub forbids: Option<String>,
    /// The releases, the latest first.
    pub releases: Vec<Release>,
    /// So many of them make a page, however many are asked for.
    pub longest_page: usize,
    /// Calls are refused because there were too many.
    pub throttle: Option<Throttle>,
    /// Another address that the API sends every call to; an absolute URL without a path.
    pub moved_to: Option<String>,
    /// The files are sent by the API itself, as some installations do, and not by another host.
    pub sends_files_itself: bool,
    /// What callers did that they must never do.
    pub complaints: Vec<String>,
    pub(super) api: SocketAddr,
    pub(super) files: SocketAddr,
}

/// Too many calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The hour's calls are used up until then: answered with this status (403 or 429).
    UsedUp(u16, Timestamp),
    /// Asked to come back after so many seconds, with this status (403 or 429).
    ComeBackAfter(u16, u32),
    /// 429, and not a word about when.
    WithoutAWord,
}

/// A release and its files.
#[derive(Debug, Clone)]
pub struct Release {
    /// The version; its tag has a `v` in front.
    pub version: String,
    /// What it says about itself, in Markdown.
    pub notes: String,
    /// Whether it is not finished.
    pub prerelease: bool,
    /// Whether it has not been published.
    pub draft: bool,
    /// Its files.
    pub assets: Vec<ReleaseAsset>,
    /// When it was published (UTC).
    pub published_at: Timestamp,
}

impl Release {
    /// A finished release without files.
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

    /// With these notes.
    #[must_use]
    pub fn notes(mut self, notes: &str) -> Self {
        notes.clone_into(&mut self.notes);
        self
    }

    /// With one more file.
    #[must_use]
    pub fn asset(mut self, asset: ReleaseAsset) -> Self {
        self.assets.push(asset);
        self
    }

    /// Not finished.
    #[must_use]
    pub fn prerelease(mut self) -> Self {
        self.prerelease = true;
        self
    }

    /// Not published.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.draft = true;
        self
    }
}

/// A file of a release.
#[derive(Debug, Clone)]
pub struct ReleaseAsset {
    /// Its name.
    pub name: String,
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Its length as GitHub tells it.
    pub size: u64,
    /// Its digest as GitHub tells it: `sha256:…`. Old files have none.
    pub digest: Option<String>,
    /// Whether it has arrived wholly.
    pub uploaded: bool,
}

impl ReleaseAsset {
    /// A file that GitHub tells the truth about.
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = Some(format!("sha256:{}", hex(Sha256::digest(&bytes))));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { name: name.to_owned(), bytes, size, digest, uploaded: true }
    }

    /// Somebody changed one byte on the way.
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

    /// Publishes a release: it is the first of the list from now on.
    pub fn publish(&mut self, release: Release) {
        self.releases.insert(0, release);
    }

    /// The address of the other host, which has the files; without a path.
    pub fn files_url(&self) -> String {
        format!("http://{}", self.files)
    }

    /// The file with this number: the place of its release from the end, and its own in there.
    pub(super) fn asset(&self, id: &str) -> Option<&ReleaseAsset> {
        let id: usize = id.parse().ok()?;
        let release = self.releases.iter().rev().nth((id / ASSETS).checked_sub(1)?)?;
        release.assets.get(id % ASSETS)
    }

    /// How many calls the token has left, and when it has all of them again.
    pub(super) fn quota(&self, now: Timestamp) -> (u32, u32, i64) {
        match self.throttle {
            Some(Throttle::UsedUp(_, until)) if now < until => (HOURLY, 0, until.as_second()),
            Some(Throttle::UsedUp(..) | Throttle::ComeBackAfter(..) | Throttle::WithoutAWord) | None => {
                (HOURLY, HOURLY - 1, now.as_second() + 3_600)
            }
        }
    }

    /// One release as the API tells it. `number` counts from the oldest, which is 1.
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

/// More files than a release has here.
const ASSETS: usize = 1_000;
