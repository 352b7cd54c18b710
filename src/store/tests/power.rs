//! Power cuts: writes since the last flush reach the disk in part and in any order.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::StorageBackend;

use super::super::migrate::MIGRATIONS;
use super::*;

/// A disk whose power is cut after a number of writes and flushes.
#[derive(Debug, Clone)]
struct Disk(Arc<Platters>);

#[derive(Debug)]
struct Platters {
    left: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Content that a running process sees.
    seen: Vec<u8>,
    /// Content that survives a power cut, apart from `pending`.
    safe: Vec<u8>,
    /// Operations since the last flush.
    pending: Vec<Pending>,
}

#[derive(Debug)]
enum Pending {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Pending {
    fn reach(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Write(at, bytes) => {
                // Data that arrives before its length extends the file.
                image.resize(image.len().max(at + bytes.len()), 0);
                image[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl Disk {
    fn new(image: Vec<u8>, lasts: u64) -> Self {
        let state = State { seen: image.clone(), safe: image, pending: Vec::new() };
        Self(Arc::new(Platters { left: AtomicU64::new(lasts), state: Mutex::new(state) }))
    }

    /// Returns the content of the disk after the cut.
    fn after_the_cut(&self) -> Vec<u8> {
        let mut state = locked(&self.0.state);
        let pending = std::mem::take(&mut state.pending);
        let mut image = std::mem::take(&mut state.safe);
        for pending in pending {
            match pending {
                // Disks write sectors, each independently.
                Pending::Write(at, bytes) => {
                    for (sector, bytes) in bytes.chunks(512).enumerate() {
                        if fastrand::bool() {
                            Pending::Write(at + sector * 512, bytes.to_vec()).reach(&mut image);
                        }
                    }
                }
                // File systems keep the order of lengths.
                length @ Pending::Length(_) => length.reach(&mut image),
            }
        }
        image
    }

    fn powered(&self) -> io::Result<()> {
        let left = self.0.left.load(Ordering::SeqCst);
        self.0.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 0 { Err(io::Error::other("the power is cut")) } else { Ok(()) }
    }

    fn do_now(&self, pending: Pending) -> io::Result<()> {
        self.powered()?;
        let mut state = locked(&self.0.state);
        pending.reach(&mut state.seen);
        state.pending.push(pending);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0.state).seen.len().try_into().unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let state = locked(&self.0.state);
        let bytes = state.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.do_now(Pending::Length(usize::try_from(length).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.powered()?;
        let mut state = locked(&self.0.state);
        state.safe = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.do_now(Pending::Write(usize::try_from(offset).unwrap(), bytes.to_vec()))
    }
}

fn database(disk: &Disk) -> Result<Database, StoreError> {
    let opened = Database::builder().create_with_backend(disk.clone());
    opened.map_err(|error| super::super::opening::from_engine(error, Path::new("disk")))
}

/// Opens the store on `disk`; the folder has the seal, and a file that provides the identity.
fn start(disk: &Disk, folder: &Path) -> Result<Store, StoreError> {
    let path = super::super::opening::path_of(folder);
    let database = database(disk)?;
    let options = StoreOptions { clock: Clock::manual(Timestamp::UNIX_EPOCH), ..StoreOptions::default() };
    let format = format::prepare(&database, &path, &options, &schema(), MIGRATIONS)?;
    Store::start(path, database, &format, &schema())
}

#[test]
fn what_was_answered_survives_a_power_cut_at_any_moment() {
    let folder = folder();
    std::fs::write(super::super::opening::path_of(folder.path()), "stands for the disk").unwrap();
    let empty = Disk::new(Vec::new(), u64::MAX);
    format::initialise(&database(&empty).unwrap(), Timestamp::UNIX_EPOCH, MIGRATIONS).unwrap();
    let mut image = empty.after_the_cut();

    let (mut next, mut answered) = (0_u64, Vec::new());
    for lasts in (0..150).chain((150..600).step_by(7)) {
        let disk = Disk::new(image, lasts);
        if let Ok(store) = start(&disk, folder.path()) {
            loop {
                let group = next..next + fastrand::u64(1..30);
                next = group.end;
                let rows = group.clone();
                let outcome = store
                    .write_blocking(move |writer| rows.into_iter().try_for_each(|id| writer.put(&item(id, "open", 0))));
                match outcome {
                    Ok(()) => answered.extend(group),
                    Err(error) => {
                        assert!(matches!(error, StoreError::Machine(_)), "{error}");
                        break;
                    }
                }
            }
            drop(store);
        }
        image = disk.after_the_cut();

        let store = start(&Disk::new(image.clone(), u64::MAX), folder.path()).unwrap();
        let ids = walk(&store, &Query::all().limit(1000));
        assert_eq!(walk(&store, &Query::group(Item::STATUS, "open").limit(1000)), ids);
        assert!(answered.iter().all(|id| ids.binary_search(id).is_ok()), "after {lasts}");
    }
    assert!(answered.len() > 100, "the disk lasted for {} rows only", answered.len());
}
