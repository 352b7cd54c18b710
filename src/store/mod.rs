//! The store: one file in the data folder that keeps records and documents safe, whatever happens to the
//! process. No code outside this module depends on the engine.
//!
//! Reads see the last committed state and are short. Writes go through one writer, which commits queued jobs
//! together and answers when they are on the disk.
//!
//! To add a collection, implement [`Record`] and name it in the [`Schema`]. The store maintains indexes and
//! counts itself, and builds those that the file lacks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use redb::{Database, ReadableDatabase};
use tokio::sync::watch;

use crate::platform::clock::Clock;

mod backup;
mod building;
mod commit_time;
mod error;
mod format;
mod generation;
mod key;
mod listing;
mod migrate;
mod opening;
mod query;
mod queue;
mod record;
mod scan;
mod size;
#[cfg(test)]
mod tests;
mod time_buckets;
mod view;
mod writer;

pub use commit_time::Pace;
pub use error::StoreError;
pub use key::{Key, Ordered, PrefixOf};
pub use query::{AnyOrder, Cursor, Query};
pub use record::{AnyIndex, Index, IndexEntry, IndexOptions, Record, Schema};
pub(crate) use record::{DAY, QUARTER_OF_A_DAY};
pub use size::Size;
pub use view::{Keys, RecordPage, RecordSlice, StoreReader, View, readable_record};
pub use writer::Writer;

use commit_time::Commits;
use format::Format;
use migrate::Migration;

/// Returns the format of the file that this release reads and writes.
pub fn format() -> u32 {
    migrate::format_of(migrate::MIGRATIONS)
}

/// Options for opening a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Total memory for cached pages of the file, in bytes.
    pub cache_bytes: usize,
    /// Source of the creation time and of the start of memory.
    pub clock: Clock,
    /// Largest number of records for which opening builds a collection's missing page indexes; those of a
    /// larger collection are built while the store is in use.
    pub built_at_once: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 * 1024 * 1024, clock: Clock::system(), built_at_once: 20_000 }
    }
}

/// The open store. Clones share it; dropping the last one closes it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<StoreInner>,
}

struct StoreInner {
    path: PathBuf,
    schema: Arc<Schema>,
    created_at: Timestamp,
    memory_since: Timestamp,
    memories: u64,
    /// The open database; `None` once the store is closed.
    database: Mutex<Option<Arc<Database>>>,
    queue: Mutex<Option<queue::Queue>>,
    /// The reason why writing is no longer possible, once that is the case.
    trouble: watch::Receiver<Option<StoreError>>,
    commits: Commits,
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Store {
    /// Returns true if `folder` contains a store, in whatever state.
    pub fn is_in(folder: &Path) -> bool {
        opening::path_of(folder).exists()
    }

    /// Opens the store in `folder` and creates it if it is missing. Blocks.
    pub fn open(folder: &Path, options: &StoreOptions, schema: &Schema) -> Result<Self, StoreError> {
        Self::open_with(folder, options, schema, migrate::steps())
    }

    /// Opens the store like [`Store::open`], but waits up to `limit` for another process to release it. Blocks.
    pub fn open_waiting(
        folder: &Path,
        options: &StoreOptions,
        schema: &Schema,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        opening::open_waiting(limit, || Self::open(folder, options, schema))
    }

    fn open_with(
        folder: &Path,
        options: &StoreOptions,
        schema: &Schema,
        migrations: &[Migration],
    ) -> Result<Self, StoreError> {
        let (mut database, format) = opening::open(folder, options, schema, migrations)?;
        guarded("making the store smaller", || size::shrink_if_marked(&mut database, schema))?;
        Self::start(opening::path_of(folder), database, &format, schema)
    }

    fn start(path: PathBuf, database: Database, format: &Format, schema: &Schema) -> Result<Self, StoreError> {
        let (database, schema) = (Arc::new(database), Arc::new(schema.clone()));
        let (queue, queued) = queue::queue();
        let (report, trouble) = watch::channel(None);
        let commits = Commits::default();
        let writer = {
            let (database, schema, path) = (Arc::clone(&database), Arc::clone(&schema), path.clone());
            let commits = commits.clone();
            move || {
                queue::commit_jobs(&database, &schema, queued, &report, &commits);
                format::leave(&database, &path)
            }
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(writer)
            .map_err(|error| StoreError::from_io("start the writer of the store", &path, &error))?;
        Ok(Self {
            shared: Arc::new(StoreInner {
                path,
                schema,
                created_at: format.created_at,
                memory_since: format.memory_since,
                memories: format.memories,
                database: Mutex::new(Some(database)),
                queue: Mutex::new(Some(queue)),
                trouble,
                commits,
                writer: Mutex::new(Some(writer)),
            }),
        })
    }

    /// Returns the time at which the store was created.
    pub fn created_at(&self) -> Timestamp {
        self.shared.created_at
    }

    /// Returns how often memory has restarted. Unlike `memory_since`, this also changes when a restored store
    /// starts from the same instant as before.
    pub fn memories(&self) -> u64 {
        self.shared.memories
    }

    /// Returns the time since which the store is known to remember everything: its creation, or the first opening after
    /// a backup was restored or the file was brought from elsewhere. Earlier events may be missing.
    pub fn memory_since(&self) -> Timestamp {
        self.shared.memory_since
    }

    /// Returns the reason why writing is no longer possible; `None` while the store works. After a disk error
    /// the file has to be reopened.
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.trouble.borrow().clone()
    }

    /// Returns the pace at which the disk takes commits.
    pub fn pace(&self) -> Pace {
        self.shared.commits.pace()
    }

    /// Waits until writing is no longer possible and returns the reason.
    pub async fn failed(&self) -> StoreError {
        let mut trouble = self.shared.trouble.clone();
        let failed = trouble.wait_for(Option::is_some).await.ok().and_then(|trouble| trouble.clone());
        match failed {
            Some(error) => error,
            // It was closed without trouble.
            None => std::future::pending().await,
        }
    }

    /// Runs `f` on one consistent state of the store, that of its start. `f` must be short: while it runs, the
    /// file cannot reuse free space. Blocks.
    pub fn read<T>(&self, f: impl FnOnce(&StoreReader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = locked(&self.shared.database).clone().ok_or(StoreError::Closed)?;
        guarded("a read of the store", move || f(&StoreReader::new(&self.shared.schema, database.begin_read()?)))
            .map_err(|error| queue::first_reason(self.shared.trouble.borrow().as_ref(), error))
    }

    /// Runs `f` like [`Store::read`], on a thread of its own, for async callers.
    pub async fn reading<T: Send + 'static>(
        &self,
        f: impl FnOnce(&StoreReader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        // Panics are caught in `read`, so the only possible failure is a runtime that is shutting down.
        tokio::task::spawn_blocking(move || store.read(f)).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Passes every record of a list to `visit`, or [`StoreError::Unreadable`] in its place. The list is read in slices,
    /// so that no read stays open for long; changes in between may show.
    pub async fn for_each<R: Record, O: 'static, E: From<StoreError>>(
        &self,
        query: Query<R, O>,
        mut visit: impl FnMut(Result<R, StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut query = Some(query.limit(view::SLICE));
        while let Some(now) = query.take() {
            let (records, next) = self.reading(move |reader| reader.slice(now)).await?;
            records.into_iter().try_for_each(&mut visit)?;
            query = next;
        }
        Ok(())
    }

    /// Runs `f` on the writer. Its changes are on the disk when this returns `Ok`. If `f` fails, none of its changes
    /// are stored; other jobs of the same commit are not affected. If the disk fails ([`StoreError::Machine`]), every
    /// job of the commit gets the error, and only the next opening shows whether they were stored.
    ///
    /// `f` must be short, must not wait for the store, and sees the writes queued before it. Dropping the
    /// future does not cancel a write that is already queued.
    pub async fn write<T, E>(&self, f: impl FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = queue::job(f);
        self.queue()?.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Runs `f` like [`Store::write`], for callers that may block; must not be called on an async thread.
    pub fn write_blocking<T, E>(&self, f: impl FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = queue::job(f);
        self.queue()?.blocking_send(job).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Commits queued jobs and closes the store for all clones. The file is free when this returns, or when the
    /// last read still running ends. Blocks.
    pub fn close(self) -> Result<(), StoreError> {
        self.shared.close()
    }

    fn queue(&self) -> Result<queue::Queue, StoreError> {
        locked(&self.shared.queue).clone().ok_or(StoreError::Closed)
    }
}

impl StoreInner {
    fn close(&self) -> Result<(), StoreError> {
        drop(locked(&self.queue).take());
        let left = match locked(&self.writer).take() {
            // A job may hold the last handle; the writer cannot wait for itself, and ends anyway.
            Some(writer) if writer.thread().id() == std::thread::current().id() => Ok(()),
            Some(writer) => writer.join().unwrap_or_else(|panic| Err(queue::panicked("the writer", panic.as_ref()))),
            None => Ok(()),
        };
        let closed = match locked(&self.database).take().and_then(Arc::into_inner) {
            Some(database) => guarded("closing the store", || {
                database.close().map_err(|error| opening::from_engine(error, &self.path))
            }),
            None => Ok(()),
        };
        left.and(closed)
    }
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        // No caller is left to get the error; answered writes are on the disk already.
        let _ = self.close();
    }
}

/// Runs `f` and turns a panic into an error: a damaged file can make the engine panic.
fn guarded<T>(what: &str, f: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| Err(queue::panicked(what, panic.as_ref())))
}

/// Locks a mutex and ignores poisoning: these mutexes hold only handles and durations, which a panic leaves intact.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
