//! Building a missing index of a large collection during other writes and across restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::ReadableTable;

use super::super::building::BuildSlice;
use super::super::migrate::MIGRATIONS;
use super::super::{opening, queue};
use super::*;

/// The items of a release with an additional page index by the length of their status.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Longer(Item);

impl Record for Longer {
    const COLLECTION: &'static str = "items";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::TAG, &Self::LENGTH];

    fn key(&self) -> u64 {
        self.0.id
    }
}

impl Longer {
    const TAG: Index<Self, String> = Index::by_key("tag", 1, |item: &Self| item.0.tags.clone()).counted();
    const LENGTH: Index<Self, (u64, u64), i64> = Index::new("length", 1, |item: &Self| {
        vec![((u64::try_from(item.0.status.len()).unwrap(), item.0.id % 2), item.0.at)]
    })
    .weighing(|item: &Self| item.0.at)
    .bucketed(3_000)
    .for_pages();
}

fn longer() -> Schema {
    Schema::new().with::<Longer>()
}

fn options() -> StoreOptions {
    StoreOptions { built_at_once: 1_000, ..StoreOptions::default() }
}

/// Returns the items of one length, in the order of the list.
fn of_length(store: &Store, length: u64) -> Result<Vec<u64>, StoreError> {
    let mut listing = Query::any_of(Longer::LENGTH, [(length,)]).limit(700);
    let mut found = Vec::new();
    loop {
        let page: RecordPage<Longer> = store.read(|view| view.page(&listing))?;
        found.extend(page.items.iter().map(|item| item.0.id));
        if page.next.is_none() {
            let all = (u64::try_from(found.len()).unwrap(), true);
            assert_eq!((page.total, page.total_exact), all);
            // This period covers all of them.
            let period = Query::any_of(Longer::LENGTH, [(length,)]).from(-5_000_i64).to(5_000_i64);
            let page: RecordPage<Longer> = store.read(|view| view.page(&period))?;
            assert_eq!((page.total, page.total_exact), all);
            return Ok(found);
        }
        listing = listing.after(page.next);
    }
}

/// Returns the items of one length by filtering all records.
fn by_hand(store: &Store, length: usize) -> Vec<u64> {
    let all = store.read(|view| view.page(&Query::<Longer, _>::all().limit(10_000))).unwrap();
    let mut of_length: Vec<(i64, u64)> =
        all.items.iter().filter(|item| item.0.status.len() == length).map(|item| (item.0.at, item.0.id)).collect();
    of_length.sort_unstable();
    of_length.into_iter().map(|(_, id)| id).collect()
}

/// Changes, removes and adds records, all over the collection.
fn change(writer: &mut Writer<'_>, nth: u64) -> Result<(), StoreError> {
    for id in (0..5_000).filter(|id| id % 97 == nth) {
        match id % 3 {
            0 => drop(writer.delete::<Longer>(&id)?),
            1 => writer.put(&Longer(item(id, "changed", i64::try_from(id % 7).unwrap())))?,
            _ => writer.put(&Longer(item(id + 10_000, "new", 3)))?,
        }
    }
    Ok(())
}

/// Builds one slice of the list in a commit with changes of others; more of it is left.
fn build_slice(database: &Database, nth: u64) {
    let left = Arc::new(AtomicBool::new(true));
    let (job, answer) = queue::job(move |writer| change(writer, nth));
    let mut jobs = vec![job, Box::new(BuildSlice { left: Arc::clone(&left) })];
    queue::commit(database, &longer(), &mut jobs, &Commits::default()).unwrap();
    for job in jobs {
        job.answer(Ok(()));
    }
    answer.blocking_recv().unwrap().unwrap();
    assert!(left.load(Ordering::Relaxed));
}

/// Asserts that the index of lengths is refused, and that everything else is read.
fn assert_not_built(reader: &StoreReader<'_>) {
    let not_built = StoreError::NotBuilt { collection: "items", index: "length" };
    assert_eq!(reader.page(&Query::any_of(Longer::LENGTH, [(1_u64,)])).unwrap_err(), not_built);
    assert_eq!(reader.page(&Query::group(Longer::LENGTH, (1_u64, 0_u64))).unwrap_err(), not_built);
    assert_eq!(reader.count(Longer::LENGTH, (1_u64, 0_u64)).unwrap_err(), not_built);
    assert!(reader.page(&Query::<Longer, _>::all()).is_ok());
}

/// Marks a store, in which one record was skipped, as written by another release.
fn mark_other_release(folder: &Path) {
    tamper(folder, |transaction| {
        let mut rows = transaction.open_table(view::table("format")).unwrap();
        let json = String::from_utf8(rows.get(b"format".as_slice()).unwrap().unwrap().value().to_vec()).unwrap();
        assert!(json.contains("\"skipped\":1"), "{json}");
        let written_by = |release| format!("\"written_by\":\"{release}\"");
        let json = json.replace(&written_by(env!("CARGO_PKG_VERSION")), &written_by("0.0.1"));
        rows.insert(b"format".as_slice(), json.as_bytes()).unwrap();
    });
}

#[test]
fn a_list_is_built_slice_by_slice_between_the_writes_of_others_and_goes_on_after_a_restart() {
    let (folder, store) = opened();
    put(&store, (0..5_000).map(|id| item(id, ["a", "bb", "changed"][usize::try_from(id % 3).unwrap()], 1)));
    store.close().unwrap();
    let unreadable = |json: &[u8]| {
        tamper(folder.path(), |transaction| {
            let mut records = transaction.open_table(view::table("records/items")).unwrap();
            records.insert(4_000_u64.encoded().as_slice(), json).unwrap();
        });
    };
    unreadable(b"{}");

    let schema = longer();
    let (mut database, _) = opening::open(folder.path(), &options(), &longer(), MIGRATIONS).unwrap();
    for nth in 0..3 {
        build_slice(&database, nth);
        assert_not_built(&StoreReader::new(&schema, database.begin_read().unwrap()));
        database.close().unwrap();
        database = opening::open(folder.path(), &options(), &longer(), MIGRATIONS).unwrap().0;
    }
    database.close().unwrap();

    let store = Store::open(folder.path(), &options(), &longer()).unwrap();
    let mut nth = 3;
    while of_length(&store, 1).is_err() {
        store.write_blocking(move |writer| change(writer, nth)).unwrap();
        nth = (nth + 1) % 97;
    }
    for length in [1, 2, 3, 7] {
        let listed = of_length(&store, u64::try_from(length).unwrap()).unwrap();
        assert!(!listed.is_empty());
        assert_eq!(listed, by_hand(&store, length));
    }
    let sums = store.read(|view| view.sum(Longer::LENGTH, (3_u64, 0_u64))).unwrap();
    let even = by_hand(&store, 3).iter().filter(|id| *id % 2 == 0).count();
    assert_eq!(sums, 3 * i64::try_from(even).unwrap());
    // Once built, the index is maintained like any other, across restarts as well.
    store.write_blocking(|writer| writer.put(&Longer(item(3, "bb", 9)))).unwrap();
    store.close().unwrap();
    let store = Store::open(folder.path(), &options(), &longer()).unwrap();
    assert_eq!(of_length(&store, 2).unwrap().last(), Some(&3));
    store.close().unwrap();

    // The unreadable record is added once another release tries.
    unreadable(&serde_json::to_vec(&item(4_000, "four", 1)).unwrap());
    let store = Store::open(folder.path(), &options(), &longer()).unwrap();
    assert_eq!(of_length(&store, 4).unwrap(), [0; 0]);
    store.close().unwrap();
    mark_other_release(folder.path());
    let store = Store::open(folder.path(), &options(), &longer()).unwrap();
    while of_length(&store, 4).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(of_length(&store, 4).unwrap(), [4_000]);
}
