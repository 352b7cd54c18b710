//! The store: one file in the data folder, in which records and documents are found again after
//! whatever happens to the process. Nothing outside this module knows the engine behind it.
//!
//! Reads look at the last committed state and are short. Writes go through one writer, which
//! commits what is queued together and answers when it is on the disk.
//!
//! A collection is added by implementing [`Record`] and naming it in the [`Schema`]; indexes and
//! counts are kept, and built where the file lacks them, by the store alone.

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
mod error;
mod format;
mod key;
mod listing;
mod migrate;
mod opening;
mod pace;
mod query;
mod queue;
mod record;
mod seal;
mod size;
mod stretches;
#[cfg(test)]
mod tests;
mod view;
mod walk;
mod writer;

pub use error::StoreError;
pub use key::{Key, Ordered};
pub use listing::Listing;
pub use pace::Pace;
pub use query::{Cursor, Query};
pub(crate) use record::{DAY, QUARTER_OF_A_DAY};
pub use record::{Entry, Index, Record, Schema};
pub use size::Size;
pub use view::{Keys, Page, Reader, View};
pub use writer::Writer;

use format::Format;
use migrate::Migration;
use pace::Commits;

/// The format of the file that this release reads and writes.
pub fn format() -> u32 {
    migrate::format_of(migrate::MIGRATIONS)
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Memory for pages of the file, all in all.
    pub cache_bytes: usize,
    /// Tells when the store was created and since when it remembers.
    pub clock: Clock,
    /// The opening builds what a collection of so many records lacks for pages; of more, that is built
    /// while the store is used.
    pub built_at_once: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 * 1024 * 1024, clock: Clock::system(), built_at_once: 20_000 }
    }
}

/// The open store. Cloning shares it; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    schema: Arc<Schema>,
    created_at: Timestamp,
    memory_since: Timestamp,
    memories: u64,
    /// Empty once the store is closed.
    database: Mutex<Option<Arc<Database>>>,
    queue: Mutex<Option<queue::Queue>>,
    /// Why nothing can be written any more, once that is so.
    trouble: watch::Receiver<Option<StoreError>>,
    commits: Commits,
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Store {
    /// Whether there is one in `folder`, in whatever state.
    pub fn is_in(folder: &Path) -> bool {
        opening::path_of(folder).exists()
    }

    /// Opens the store in `folder`, which is created there if it is missing. Blocks.
    pub fn open(folder: &Path, options: &StoreOptions, schema: &Schema) -> Result<Self, StoreError> {
        Self::open_with(folder, options, schema, migrate::steps())
    }

    /// The same, but waits at most `limit` for another process to let go of the store. Blocks.
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
        guarded("making the store smaller", || size::give_room_back(&mut database, schema))?;
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
                queue::work_off(&database, &schema, queued, &report, &commits);
                format::leave(&database, &path)
            }
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(writer)
            .map_err(|error| StoreError::from_io("start the writer of the store", &path, &error))?;
        Ok(Self {
            shared: Arc::new(Shared {
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

    /// When the store was created.
    pub fn created_at(&self) -> Timestamp {
        self.shared.created_at
    }

    /// How often memory has begun anew: a restored store may begin with the instant that it began with before.
    pub fn memories(&self) -> u64 {
        self.shared.memories
    }

    /// Since when the store is known to remember everything: its creation, or the first opening
    /// after a backup was restored or the file was brought from elsewhere. What happened before
    /// may be missing in it.
    pub fn memory_since(&self) -> Timestamp {
        self.shared.memory_since
    }

    /// Why nothing can be written any more; `None` while all is well. After an error of the disk the
    /// file has to be opened anew.
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.trouble.borrow().clone()
    }

    /// Returns how fast the disk takes what is committed.
    pub fn pace(&self) -> Pace {
        self.shared.commits.pace()
    }

    /// Waits until nothing can be written any more, and says why.
    pub async fn failed(&self) -> StoreError {
        let mut trouble = self.shared.trouble.clone();
        let failed = trouble.wait_for(Option::is_some).await.ok().and_then(|trouble| trouble.clone());
        match failed {
            Some(error) => error,
            // It was closed without any trouble.
            None => std::future::pending().await,
        }
    }

    /// Looks at the store; what `f` sees is one state, that of its beginning. `f` must be short:
    /// while it looks, the file cannot reuse room. Blocks.
    pub fn read<T>(&self, f: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = locked(&self.shared.database).clone().ok_or(StoreError::Closed)?;
        guarded("a read of the store", move || f(&Reader::new(&self.shared.schema, database.begin_read()?)))
    }

    /// [`Store::read`] for async callers: on a thread of its own.
    pub async fn reading<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        // A panic was caught before, so the only way to fail is a runtime that is ending.
        tokio::task::spawn_blocking(move || store.read(f)).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Has `f` run by the writer. What it changed is on the disk when this returns its `Ok`. Where
    /// `f` fails, nothing of it is stored, while others that are committed together with it stand.
    /// Where the disk fails ([`StoreError::Machine`]), the whole group gets the error, and only the
    /// next opening tells whether it was stored.
    ///
    /// `f` must be short, must not wait for the store, and sees the writes queued before it. Whoever
    /// stops waiting does not stop a write that is queued.
    pub async fn write<T, E>(&self, f: impl FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = queue::job(f);
        self.queue()?.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// [`Store::write`] for callers that may block; not to be called on an async thread.
    pub fn write_blocking<T, E>(&self, f: impl FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = queue::job(f);
        self.queue()?.blocking_send(job).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Commits what is queued and closes the store, for all who share it. The file is free when
    /// this returns, or when the last read still running ends. Blocks.
    pub fn close(self) -> Result<(), StoreError> {
        self.shared.close()
    }

    fn queue(&self) -> Result<queue::Queue, StoreError> {
        locked(&self.shared.queue).clone().ok_or(StoreError::Closed)
    }
}

impl Shared {
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

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is left to be told; what was answered is on the disk already.
        let _ = self.close();
    }
}

/// Runs `f` and makes an error of a panic: a damaged file can make the engine panic.
fn guarded<T>(what: &str, f: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| Err(queue::panicked(what, panic.as_ref())))
}

/// What a panicking holder leaves is whole: these hold nothing but handles.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
