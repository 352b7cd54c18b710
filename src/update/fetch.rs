//! The download of a release's file into the data folder: complete and as GitHub announces it, or not at all.
//!
//! The loop over the bytes is our own: the crate's download accepts no client from outside, so it could use neither our
//! TLS nor our time-outs, and could not drop the token on a redirect.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use semver::Version;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::github::GitHub;
use super::{Release, UpdateObstacle, Updates};
use crate::platform::fs::{existing, room_in};
use crate::platform::hex::hex;
use crate::remote::plain;

/// Upper bound on the size of a release, in bytes.
const MAX_SIZE: u64 = 64 * MIB;
const MIB: u64 = 1024 * 1024;
/// Space that has to be free besides copies of the binary and the store, in bytes.
const SPARE: u64 = 64 * MIB;
/// Upper bound on the attempts at a download that breaks off.
const MAX_TRIES: u32 = 3;

/// A downloaded release.
#[derive(Debug)]
pub struct DownloadedRelease {
    /// The release itself.
    pub release: Release,
    /// File of the release, on the disk and open for reading from the beginning.
    pub file: File,
    /// Path of the file.
    pub path: PathBuf,
    /// Length of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
}

/// The progress of a download, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadProgress {
    /// Version of the release.
    pub version: Version,
    /// Number of bytes received.
    pub done: u64,
    /// Total number of bytes.
    pub total: u64,
}

type FetchOutcome = Result<Arc<DownloadedRelease>, UpdateObstacle>;

/// The data folder and the download under way.
pub(super) struct Downloads {
    data: PathBuf,
    running: Mutex<Option<(Version, Shared<BoxFuture<'static, FetchOutcome>>)>>,
    progress: watch::Sender<Option<DownloadProgress>>,
}

impl Downloads {
    pub(super) fn new(data: PathBuf) -> Self {
        Self { data, running: Mutex::default(), progress: watch::Sender::new(None) }
    }
}

impl Updates {
    /// Fetches a release. A caller that requests the release being fetched joins that download, which continues if its
    /// callers go away.
    pub async fn fetch(&self, release: Release) -> FetchOutcome {
        let outcome = {
            let mut running = self.downloads.running.lock().unwrap_or_else(PoisonError::into_inner);
            match &*running {
                Some((version, outcome)) if outcome.peek().is_none() => {
                    if *version != release.version {
                        return Err(UpdateObstacle::Busy { version: version.clone() });
                    }
                    outcome.clone()
                }
                Some(_) | None => {
                    let (updates, version) = (self.clone(), release.version.clone());
                    let task = tokio::spawn(async move {
                        let fetched = updates.fetch_once(release).await;
                        updates.downloads.progress.send_replace(None);
                        fetched.map(Arc::new)
                    });
                    let outcome = async { task.await.unwrap_or(Err(UpdateObstacle::Stopping)) }.boxed().shared();
                    *running = Some((version, outcome.clone()));
                    outcome
                }
            }
        };
        outcome.await
    }

    /// Returns the progress of the download; `None` while none runs.
    pub fn progress(&self) -> watch::Receiver<Option<DownloadProgress>> {
        self.downloads.progress.subscribe()
    }

    async fn fetch_once(&self, release: Release) -> Result<DownloadedRelease, UpdateObstacle> {
        if release.asset.size > MAX_SIZE {
            return Err(UpdateObstacle::TooLarge { name: release.asset.name, most: MAX_SIZE / MIB });
        }
        let github = GitHub::new(&self.settings.get().update, &self.manners())?;
        let (data, store) = (self.downloads.data.clone(), self.store.clone());
        let folder = blocking(move || {
            let store_size = store.file_size().map_err(|error| UpdateObstacle::Folder { detail: error.to_string() })?;
            enough_room(&data, store_size)?;
            emptied(&data.join("downloads"))
        })
        .await?;
        let mut tried = 1;
        loop {
            match self.transfer(&github, &release, &folder).await {
                Err(UpdateObstacle::Unreachable { .. } | UpdateObstacle::Failed { .. }) if tried < MAX_TRIES => {
                    tried += 1;
                }
                Err(UpdateObstacle::Unreachable { detail } | UpdateObstacle::Failed { detail }) => {
                    return Err(UpdateObstacle::Broken { tries: tried, detail });
                }
                Err(other) => return Err(other),
                Ok((part, digest)) => return keep(part, release, digest, &folder).await,
            }
        }
    }

    /// Downloads the file once, from the beginning.
    async fn transfer(
        &self,
        github: &GitHub,
        release: &Release,
        folder: &Path,
    ) -> Result<(tempfile::NamedTempFile, String), UpdateObstacle> {
        let asset = &release.asset;
        let not_as_told = || UpdateObstacle::NotAsTold { name: asset.name.clone() };
        let mut answer = github.file(&asset.url, self.clock.now()).await?;
        let place = folder.to_owned();
        let create = move || tempfile::Builder::new().prefix(".part-").tempfile_in(&place).map_err(cannot_keep(&place));
        let mut part = blocking(create).await?;
        let (mut digest, mut done) = (Sha256::new(), 0_u64);
        let cut = |error: reqwest::Error| UpdateObstacle::Unreachable { detail: plain(&error) };
        while let Some(bytes) = answer.chunk().await.map_err(cut)? {
            done = done.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            if done > asset.size {
                return Err(not_as_told());
            }
            digest.update(&bytes);
            let place = folder.to_owned();
            part = blocking(move || {
                part.write_all(&bytes).map_err(cannot_keep(&place))?;
                Ok(part)
            })
            .await?;
            let version = release.version.clone();
            self.downloads.progress.send_replace(Some(DownloadProgress { version, done, total: asset.size }));
        }
        let digest = hex(digest.finalize());
        if done != asset.size || asset.digest.as_ref().is_some_and(|told| *told != digest) {
            return Err(not_as_told());
        }
        Ok((part, digest))
    }
}

/// Gives the downloaded file its name, once it is on the disk.
async fn keep(
    part: tempfile::NamedTempFile,
    release: Release,
    digest: String,
    folder: &Path,
) -> Result<DownloadedRelease, UpdateObstacle> {
    let folder = folder.to_owned();
    blocking(move || {
        let failed = cannot_keep(&folder);
        part.as_file().sync_all().map_err(&failed)?;
        let path = folder.join(&release.asset.name);
        part.persist(&path).map_err(|error| failed(error.error))?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(&failed)?;
        let file = File::open(&path).map_err(&failed)?;
        let size = release.asset.size;
        Ok(DownloadedRelease { release, file, path, size, digest })
    })
    .await
}

/// Creates the folder again, without the remains of an earlier attempt.
fn emptied(folder: &Path) -> Result<PathBuf, UpdateObstacle> {
    existing(fs::remove_dir_all(folder))
        .and_then(|_| fs::DirBuilder::new().mode(0o700).create(folder))
        .map_err(cannot_keep(folder))?;
    Ok(folder.to_owned())
}

/// Checks that an update has space in addition to the data: two binaries, two stores, and a reserve.
fn enough_room(data: &Path, store_size: u64) -> Result<(), UpdateObstacle> {
    let binary = fs::metadata("/proc/self/exe").map_err(cannot_keep(data))?.len();
    let free = room_in(data).map_err(cannot_keep(data))?;
    let needed = needed(binary, store_size);
    if free >= needed {
        return Ok(());
    }
    let folder = data.display().to_string();
    Err(UpdateObstacle::NoRoom { needed: needed.div_ceil(MIB), free: free / MIB, folder })
}

/// Returns the space that an update takes, in bytes.
fn needed(binary: u64, store: u64) -> u64 {
    binary.saturating_mul(2).saturating_add(store.saturating_mul(2)).saturating_add(SPARE)
}

/// Returns the conversion of an error that concerns `folder`.
fn cannot_keep(folder: &Path) -> impl Fn(io::Error) -> UpdateObstacle {
    move |error| UpdateObstacle::Folder { detail: format!("{}: {error}", folder.display()) }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UpdateObstacle> + Send + 'static,
) -> Result<T, UpdateObstacle> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(UpdateObstacle::Stopping))
}

#[cfg(test)]
mod tests;
