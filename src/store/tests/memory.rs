//! Tests of the time since which the store is known to remember everything.

use std::fs;

use jiff::SignedDuration;

use super::super::opening::path_of;
use super::*;

/// A folder, and a clock that advances one day at each opening.
struct Site {
    folder: TempDir,
    clock: Clock,
}

impl Site {
    fn new() -> Self {
        let clock = Clock::manual("2026-11-21T10:00:00Z".parse().unwrap());
        Self { folder: folder(), clock }
    }

    fn open(&self) -> Store {
        self.clock.advance(SignedDuration::from_hours(24));
        let options = StoreOptions { clock: self.clock.clone(), ..StoreOptions::default() };
        Store::open(self.folder.path(), &options, &schema()).unwrap()
    }

    fn file(&self) -> PathBuf {
        path_of(self.folder.path())
    }

    fn seal(&self) -> PathBuf {
        self.folder.path().join("store.seal")
    }

    /// Returns true if the next opening restarts memory.
    fn has_forgotten(&self) -> bool {
        let store = self.open();
        assert!(store.created_at() < self.clock.now());
        store.memory_since() == self.clock.now()
    }
}

#[test]
fn memory_begins_with_the_store_and_lasts_while_it_stays() {
    let site = Site::new();
    let store = site.open();
    let created = site.clock.now();
    assert_eq!((store.created_at(), store.memory_since()), (created, created));
    drop(store);
    for _ in 0..3 {
        assert_eq!(site.open().memory_since(), created);
    }
}

#[test]
fn a_backup_in_its_place_begins_a_new_memory() {
    let site = Site::new();
    drop(site.open());
    let backup = fs::read(site.file()).unwrap();
    drop(site.open());

    // Copied over the file, which keeps its identity in the file system.
    fs::write(site.file(), &backup).unwrap();
    assert!(site.has_forgotten());
    assert!(!site.has_forgotten());

    // Moved in with its seal, as from a backup of the whole folder.
    let copy = site.folder.path().join("copy");
    fs::copy(site.file(), &copy).unwrap();
    fs::rename(&copy, site.file()).unwrap();
    assert!(site.has_forgotten());
    assert!(!site.has_forgotten());

    // The whole folder, written over the existing files.
    let (file, seal) = (fs::read(site.file()).unwrap(), fs::read(site.seal()).unwrap());
    drop(site.open());
    fs::write(site.file(), file).unwrap();
    fs::write(site.seal(), seal).unwrap();
    assert!(site.has_forgotten());
    assert!(!site.has_forgotten());

    // A copy taken while the store was open, restored after it was closed.
    let store = site.open();
    let backup = fs::read(site.file()).unwrap();
    store.close().unwrap();
    fs::write(site.file(), &backup).unwrap();
    assert!(site.has_forgotten());
}

#[test]
fn a_seal_that_is_missing_old_or_unreadable_begins_a_new_memory() {
    let site = Site::new();
    drop(site.open());
    let old = fs::read(site.seal()).unwrap();
    drop(site.open());
    // As after a crash between the store and the seal.
    fs::write(site.seal(), old).unwrap();
    assert!(site.has_forgotten());
    fs::write(site.seal(), "{").unwrap();
    assert!(site.has_forgotten());
    fs::remove_file(site.seal()).unwrap();
    assert!(site.has_forgotten());
    assert!(!site.has_forgotten());
}

#[test]
fn memory_never_begins_earlier_than_it_did() {
    let site = Site::new();
    let store = site.open();
    let began = store.memory_since();
    drop(store);
    fs::remove_file(site.seal()).unwrap();
    site.clock.set("2001-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(site.open().memory_since(), began);
}
