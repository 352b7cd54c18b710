//! Opening: creation, refusals, rebuilt indexes, and the start of memory.

use std::collections::BTreeSet;
use std::fs;

use super::super::opening::path_of;
use super::*;

fn refused(folder: &Path) -> StoreError {
    Store::open(folder, &StoreOptions::default(), &schema()).err().expect("this must not open")
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_new_store_is_whole_and_alone_in_its_folder() {
    let folder = folder();
    fs::write(folder.path().join("store.redb.new-1-00"), "of a killed process").unwrap();
    let store = open(folder.path());
    put(&store, [item(1, "open", 0)]);
    drop(store);
    assert_eq!(names(folder.path()), BTreeSet::from(["store.redb".to_owned(), "store.seal".to_owned()]));
    assert!(get(&open(folder.path()), 1).is_some());
}

#[test]
fn of_many_that_create_at_once_one_gets_the_store_and_nobody_loses_it() {
    for _ in 0..10 {
        let folder = folder();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let open = || Store::open(folder.path(), &StoreOptions::default(), &schema());
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut open = 0;
        for outcome in &outcomes {
            match outcome {
                Ok(_) => open += 1,
                Err(error) => assert!(matches!(error, StoreError::InUse { .. }), "{error}"),
            }
        }
        assert_eq!(open, 1);
        drop(outcomes);
        drop(super::open(folder.path()));
        assert_eq!(names(folder.path()).len(), 2);
    }
}

#[test]
fn a_second_opener_is_told_or_waits() {
    let folder = folder();
    let first = open(folder.path());
    let error = refused(folder.path());
    assert!(matches!(&error, StoreError::InUse { path } if path.ends_with("store.redb")), "{error}");
    let (options, schema) = (StoreOptions::default(), schema());
    let at_once = Store::open_waiting(folder.path(), &options, &schema, Duration::ZERO);
    assert!(matches!(at_once.err(), Some(StoreError::InUse { .. })));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Store::open_waiting(folder.path(), &options, &schema, Duration::from_mins(1)));
        put(&first, [item(1, "open", 0)]);
        drop(first);
        assert!(get(&waiting.join().unwrap().unwrap(), 1).is_some());
    });
}

/// Returns the bytes of a closed store with some rows.
fn sample() -> Vec<u8> {
    let (folder, store) = opened();
    put(&store, (0..300).map(|id| item(id, "open", 0)));
    store.close().unwrap();
    fs::read(path_of(folder.path())).unwrap()
}

/// Opens an untrusted file: it must not panic; a refusal must name the remedy and leave the file unchanged.
fn open_damaged(bytes: &[u8]) -> Option<Store> {
    let folder = folder();
    fs::write(path_of(folder.path()), bytes).unwrap();
    match Store::open(folder.path(), &StoreOptions::default(), &schema()) {
        Ok(store) => Some(store),
        Err(error) => {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("restore the last backup"), "{error}");
            assert!(fs::read(path_of(folder.path())).unwrap() == bytes, "the file was changed: {error}");
            None
        }
    }
}

#[test]
fn a_file_that_ends_too_early_is_refused_and_left_alone() {
    let bytes = sample();
    let lengths = (0..400).chain((400..bytes.len()).step_by(9973)).chain([bytes.len() - 1]);
    for length in lengths {
        assert!(open_damaged(&bytes[..length]).is_none(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    assert!(open_damaged(b"cache: true\n".repeat(1000).as_slice()).is_none());
    assert!(open_damaged(&vec![0; 100_000]).is_none());
    let folder = folder();
    drop(Database::create(path_of(folder.path())).unwrap());
    assert!(matches!(refused(folder.path()), StoreError::Damaged { .. }));
    fs::remove_file(path_of(folder.path())).unwrap();
    fs::create_dir(path_of(folder.path())).unwrap();
    assert!(matches!(refused(folder.path()), StoreError::Damaged { .. }));
}

#[test]
fn flipped_bits_never_make_it_panic() {
    let bytes = sample();
    let mut refusals = 0;
    for at in 0..320 {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << fastrand::u8(0..8);
        match open_damaged(&flipped) {
            // If the flip is in unused bytes, or the engine repairs it, everything is there.
            Some(store) => drop(store.read(|view| view.page(&Query::<Item, _>::all()))),
            None => refusals += 1,
        }
    }
    assert!(refusals > 20, "{refusals}");
}

#[test]
fn damage_in_the_middle_is_an_error_for_whoever_meets_it() {
    let bytes = sample();
    for _ in 0..100 {
        let mut flipped = bytes.clone();
        flipped[fastrand::usize(320..bytes.len())] ^= 1 << fastrand::u8(0..8);
        let folder = folder();
        fs::write(path_of(folder.path()), &flipped).unwrap();
        // Each may succeed or fail; none may panic, not even the last.
        if let Ok(store) = Store::open(folder.path(), &StoreOptions::default(), &schema()) {
            let _ = store.read(|view| view.page(&Query::group(Item::STATUS, "open").limit(300)));
            let _ = store.write_blocking(|writer| (0..300).try_for_each(|id| writer.put(&item(id, "done", 1))));
            let _ = store.close();
        }
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_the_machines_fault() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    // Even root cannot create files in the last one.
    for path in [folder.path().join("missing"), folder.path().join("file"), "/sys/kernel".into()] {
        let error = refused(&path);
        assert!(matches!(&error, StoreError::Machine(text) if text.contains(&path.display().to_string())), "{error}");
    }
    std::os::unix::fs::symlink("nowhere", path_of(folder.path())).unwrap();
    assert!(matches!(refused(folder.path()), StoreError::Machine(_)));
}
