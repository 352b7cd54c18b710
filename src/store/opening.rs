//! Finding or creating the file, such that its name in the folder always stands for a complete store, and no
//! existing file is ever overwritten.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError};

use super::StoreOptions;
use super::error::StoreError;
use super::format::{Format, initialise, prepare};
use super::generation::{self, flush_folder};
use super::migrate::Migration;
use super::queue::panic_text;
use super::record::Schema;

/// Prefix of the file's name during creation; the process id and a random number follow.
const DRAFT: &str = "store.redb.new-";

/// Returns the path of the store's file in a data folder.
pub(super) fn path_of(folder: &Path) -> PathBuf {
    folder.join("store.redb")
}

/// Opens the store of `folder` and creates it if there is none.
pub(super) fn open(
    folder: &Path,
    options: &StoreOptions,
    schema: &Schema,
    migrations: &[Migration],
) -> Result<(Database, Format), StoreError> {
    schema.check()?;
    let path = path_of(folder);
    if !exists(&path)? {
        // Another process may have created it since the first check.
        if generation::is_there(folder) && !exists(&path)? {
            return Err(StoreError::Machine(format!(
                "the store {} is missing, but it was left here: put it back, or restore the last backup in its place. To \
                 begin with an empty store on purpose, remove {} as well",
                path.display(),
                generation::path_of(folder).display()
            )));
        }
        create(folder, &path, options, migrations)?;
    }
    // A damaged file can make the engine panic.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = open_file(&path, options)?;
        let format = prepare(&database, &path, options, schema, migrations)?;
        Ok((database, format))
    }));
    let opened = opened.unwrap_or_else(|panic| Err(StoreError::damaged(panic_text(panic.as_ref()))))?;
    remove_drafts(folder);
    Ok(opened)
}

/// Retries [`open`] while another process has the store, for at most `limit`.
pub(super) fn open_waiting<T>(limit: Duration, open: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(StoreError::InUse { .. }) if begun.elapsed() < limit => {
                // There is no notification when the other process releases the file.
                std::thread::park_timeout(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// Returns true if the store is there, and false if there is no file. Anything else at the path is an error.
fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(StoreError::damaged(format!("{} is not a file", path.display()))),
        Ok(metadata) if metadata.len() == 0 => Err(StoreError::damaged(format!("{} is empty", path.display()))),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(false),
        Err(error) => Err(StoreError::from_io("open the store", path, &error)),
    }
}

/// Creates a complete store under a temporary name, then links it to its own name if that is still free.
fn create(folder: &Path, path: &Path, options: &StoreOptions, migrations: &[Migration]) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_io("create the store", path, &error);
    let new = folder.join(format!("{DRAFT}{}-{:016x}", std::process::id(), fastrand::u64(..)));
    let written = write_draft(&new, options, migrations).and_then(|()| match fs::hard_link(&new, path) {
        // Another process was faster; its store is just as good.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // That process has even removed our draft.
        Err(error) if error.kind() == ErrorKind::NotFound && path.exists() => Ok(()),
        linked => linked.map_err(failed),
    });
    // It may be gone already; if this fails, a later opening removes it.
    let _ = fs::remove_file(&new);
    written?;
    flush_folder(folder).map_err(failed)
}

fn write_draft(path: &Path, options: &StoreOptions, migrations: &[Migration]) -> Result<(), StoreError> {
    let (database, file) = draft(path)?;
    initialise(&database, options.clock.now(), migrations)?;
    database.close().map_err(|error| from_engine(error, path))?;
    file.sync_all().map_err(|error| StoreError::from_io("create the store", path, &error))
}

/// Creates an empty database file and returns it with a handle for flushing.
pub(super) fn draft(path: &Path) -> Result<(Database, fs::File), StoreError> {
    let failed = |error| StoreError::from_io("create the store", path, &error);
    // It holds salts and bank details: only the owner may read it, whatever the folder allows.
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let flushed = file.try_clone().map_err(failed)?;
    let refused = |error| from_engine(error, path);
    let backend = FileBackend::new(file).map_err(refused)?;
    let database = builder(&StoreOptions::default()).create_with_backend(backend).map_err(refused)?;
    Ok((database, flushed))
}

fn open_file(path: &Path, options: &StoreOptions) -> Result<Database, StoreError> {
    builder(options).open(path).map_err(|error| from_engine(error, path))
}

fn builder(options: &StoreOptions) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes);
    builder
}

/// Removes the drafts of openings that were killed while they created the file.
fn remove_drafts(folder: &Path) {
    // Left-over drafts are harmless; the next opening tries again.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(DRAFT) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Converts an error of the engine at opening or closing the file at `path`.
pub(super) fn from_engine(error: DatabaseError, path: &Path) -> StoreError {
    let text = error.to_string();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse { path: path.display().to_string() }
        }
        DatabaseError::Storage(redb::StorageError::Io(error))
            if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
        {
            StoreError::from_io("open the store", path, &error)
        }
        DatabaseError::Storage(error) => error.into(),
        DatabaseError::UpgradeRequired(_) | DatabaseError::RepairAborted | DatabaseError::TransactionInProgress | _ => {
            StoreError::damaged(text)
        }
    }
}
