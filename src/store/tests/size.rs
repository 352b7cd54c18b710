//! The size of the file, and shrinking it.

use super::*;

fn file(folder: &Path) -> u64 {
    std::fs::metadata(super::super::opening::path_of(folder)).unwrap().len()
}

#[test]
fn a_file_that_is_mostly_room_gives_it_back_at_the_next_opening() {
    const EACH: usize = 64 * 1024;
    let folder = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder());
    let store = open(folder.path());
    let large =
        |id| Item { rest: Map::from_iter([("text".to_owned(), "x".repeat(EACH).into())]), ..item(id, "large", 0) };
    for first in (0..1_500).step_by(100) {
        put(&store, (first..first + 100).map(large));
    }
    let full = store.size().unwrap();
    assert!(full.used > 90 * 1024 * 1024 && full.file >= full.used && !full.is_roomy(), "{full:?}");
    for first in (0..1_450).step_by(50) {
        let gone =
            move |writer: &mut Writer<'_>| (first..first + 50).try_for_each(|id| writer.delete::<Item>(&id).map(drop));
        store.write_blocking(gone).map_err(|error: StoreError| panic!("{error}")).unwrap();
    }
    let size = store.size().unwrap();
    let kept = walk(&store, &Query::group(Item::STATUS, "large"));
    assert!(size.is_roomy(), "{size:?}");
    // Without the mark it keeps its size.
    store.close().unwrap();
    let store = open(folder.path());
    assert!(store.size().unwrap().is_roomy());
    store.note_size(size).unwrap();
    store.close().unwrap();

    let store = open(folder.path());
    assert!(file(folder.path()) < size.file / 4, "{} of {}", file(folder.path()), size.file);
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "large")), kept);
    assert_eq!(store.read(|reader| reader.get::<Item>(&1_499)).unwrap(), Some(large(1_499)));
    put(&store, [large(2_000)]);
    assert!(!store.size().unwrap().is_roomy());
    store.close().unwrap();
}
