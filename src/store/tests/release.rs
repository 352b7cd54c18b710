//! Other releases: other indexes, migration steps, files of a later release.

use redb::{ReadableTable, TableHandle};

use super::super::generation;
use super::*;

/// The items as another release declares them: `status` with a new version, `tag` unchanged, `code` no longer
/// unique, `parity` new, `at` removed.
#[derive(Debug, Serialize, Deserialize)]
struct Changed(Item);

impl Record for Changed {
    const COLLECTION: &'static str = "items";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::STATUS, &Self::TAG, &Self::CODE, &Self::PARITY];

    fn key(&self) -> u64 {
        self.0.id
    }
}

impl Changed {
    const STATUS: Index<Self, String> =
        Index::by_key("status", 2, |item: &Self| vec![item.0.status.to_uppercase()]).counted();
    const TAG: Index<Self, String> = Index::by_key("tag", 1, |item: &Self| item.0.tags.clone()).counted();
    const CODE: Index<Self, String> = Index::by_key("code", 1, |item: &Self| Vec::from_iter(item.0.code.clone()));
    const PARITY: Index<Self, u64> = Index::by_key("parity", 1, |item: &Self| vec![item.0.id % 2])
        .weighing(|item: &Self| item.0.id.cast_signed())
        .counted();
}

fn open_changed(folder: &Path) -> Store {
    Store::open(folder, &StoreOptions::default(), &Schema::new().with::<Changed>()).unwrap()
}

const MARK: &[u8] = b"\xffmark";

fn sample(folder: &Path) {
    let store = open(folder);
    let items = (0..5).map(|id| {
        let status = if id < 2 { "a" } else { "b" };
        Item { tags: vec!["t".to_owned()], code: Some(id.to_string()), ..item(id, status, 0) }
    });
    put(&store, items);
    store.close().unwrap();
    tamper(folder, |transaction| {
        for index in ["index/items/tag", "index/items/status"] {
            transaction.open_table(view::table(index)).unwrap().insert(MARK, [0; 4].as_slice()).unwrap();
        }
    });
}

fn is_marked(folder: &Path, name: &str) -> bool {
    let mut marked = false;
    tamper(folder, |transaction| {
        marked = transaction.open_table(view::table(name)).unwrap().get(MARK).unwrap().is_some();
    });
    marked
}

#[test]
fn indexes_that_differ_are_built_anew_and_the_others_left_alone() {
    let folder = folder();
    sample(folder.path());
    let store = open_changed(folder.path());
    let counts = |status: &str| store.read(|view| view.count(Changed::STATUS, status)).unwrap();
    assert_eq!((counts("a"), counts("A"), counts("B")), (0, 2, 3));
    let even: RecordPage<Changed> = store.read(|view| view.page(&Query::group(Changed::PARITY, 0_u64))).unwrap();
    assert_eq!((even.items.len(), even.total), (3, 3));
    let sums = store.read(|view| Ok((view.sum(Changed::PARITY, 0_u64)?, view.sum(Changed::STATUS, "B")?)));
    assert_eq!(sums, Ok((2 + 4, 0)));
    // `code` is no longer unique.
    let twice = Changed(Item { code: Some("1".to_owned()), ..item(9, "a", 0) });
    store.write_blocking(move |writer| writer.put(&twice)).unwrap();
    store.close().unwrap();
    assert!(is_marked(folder.path(), "index/items/tag") && !is_marked(folder.path(), "index/items/status"));
    tamper(folder.path(), |transaction| {
        assert!(transaction.list_tables().unwrap().all(|table| table.name() != "index/items/at"));
    });

    let store = open(folder.path());
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "b")), [2, 3, 4]);
    assert_eq!(walk(&store, &Query::group(Item::AT, ())), [0, 1, 2, 3, 4, 9]);
    // Two records have one value from the time when that was allowed: neither of them is picked.
    let picked = store.read(|view| view.by_unique(Item::CODE, "1"));
    assert!(matches!(picked, Err(StoreError::Conflict { .. })), "{picked:?}");
    assert_eq!(store.read(|view| view.by_unique(Item::CODE, "2")).unwrap().unwrap().id, 2);
}

#[test]
fn a_collection_that_is_not_declared_is_left_alone() {
    let folder = folder();
    sample(folder.path());
    drop(Store::open(folder.path(), &StoreOptions::default(), &Schema::new()).unwrap());
    let store = open(folder.path());
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "a")), [0, 1]);
    drop(store);
    assert!(is_marked(folder.path(), "index/items/status"));
}

#[test]
fn a_record_that_an_index_had_to_skip_is_listed_once_a_release_can_read_it() {
    let folder = folder();
    sample(folder.path());
    let change_in = |table: &'static str, key: &[u8], from: &str, to: &str| {
        tamper(folder.path(), |transaction| {
            let mut rows = transaction.open_table(view::table(table)).unwrap();
            let json = String::from_utf8(rows.get(key).unwrap().unwrap().value().to_vec()).unwrap();
            assert!(json.contains(from), "{json}");
            rows.insert(key, json.replace(from, to).as_bytes()).unwrap();
        });
    };
    let listed = || {
        let store = open_changed(folder.path());
        store.read(|view| view.page(&Query::group(Changed::STATUS, "B"))).unwrap().items.len()
    };
    change_in("records/items", &3_u64.encoded(), "\"at\":0", "\"at\":{}");
    assert_eq!(listed(), 2);
    change_in("records/items", &3_u64.encoded(), "\"at\":{}", "\"at\":0");
    // This release has tried already; a large store is not scanned at each start.
    assert_eq!(listed(), 2);
    let written_by = |release| format!("\"written_by\":\"{release}\"");
    change_in("format", b"format", &written_by(env!("CARGO_PKG_VERSION")), &written_by("0.0.1"));
    assert_eq!(listed(), 3);
}

#[test]
fn an_index_that_lists_otherwise_without_a_new_version_is_found_out() {
    /// A type with the same indexes, but other entries in them.
    #[derive(Serialize, Deserialize)]
    struct Careless(Item);

    impl Record for Careless {
        const COLLECTION: &'static str = "items";
        type Key = u64;
        const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::TAG, &Self::STATUS];

        fn key(&self) -> u64 {
            self.0.id
        }
    }

    impl Careless {
        const TAG: Index<Self, String> = Index::by_key("tag", 1, |item: &Self| item.0.tags.clone()).counted();
        const STATUS: Index<Self, String> =
            Index::by_key("status", 1, |item: &Self| vec![item.0.status.len().to_string()]).counted();
    }

    let folder = folder();
    sample(folder.path());
    let careless = Schema::new().with::<Careless>();
    let store = Store::open(folder.path(), &StoreOptions::default(), &careless).unwrap();
    let changed = Careless(Item { tags: vec!["u".to_owned()], ..item(1, "longer", 0) });
    let outcome: Result<(), StoreError> = store.write_blocking(move |writer| {
        // Even if the job ignores the error, no change is made to the record.
        assert!(matches!(writer.put(&changed), Err(StoreError::Defect(_))));
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(store.read(|view| view.count(Careless::TAG, "u")), Ok(0));
    assert_eq!(store.read(|view| view.get::<Careless>(&1)).unwrap().unwrap().0.status, "a");
}

/// Changes the status `from` to `to` in every item.
fn rename(transaction: &redb::WriteTransaction, from: &str, to: &str) -> Result<Vec<&'static str>, StoreError> {
    let mut records = transaction.open_table(view::table("records/items"))?;
    let rows: Vec<_> = records
        .iter()?
        .map(|row| row.map(|(key, json)| (key.value().to_vec(), String::from_utf8(json.value().to_vec()).unwrap())))
        .collect::<Result<_, _>>()?;
    for (key, json) in rows {
        let changed = json.replace(&format!("\"status\":\"{from}\""), &format!("\"status\":\"{to}\""));
        records.insert(key.as_slice(), changed.as_bytes())?;
    }
    Ok(vec!["items"])
}

const STEPS: &[Migration] = &[
    Migration { readable_from: 1, run: |transaction| rename(transaction, "a", "first") },
    Migration { readable_from: 3, run: |transaction| rename(transaction, "first", "second") },
];

fn open_with(folder: &Path, steps: &[Migration]) -> Result<Store, StoreError> {
    Store::open_with(folder, &StoreOptions::default(), &schema(), steps)
}

#[test]
fn each_step_is_taken_once_and_indexes_follow() {
    let folder = folder();
    sample(folder.path());
    for (steps, status) in [(1, "first"), (2, "second"), (2, "second")] {
        let store = open_with(folder.path(), &STEPS[..steps]).unwrap();
        assert_eq!(walk(&store, &Query::group(Item::STATUS, status)), [0, 1]);
        assert_eq!(store.read(|view| view.count(Item::STATUS, "a")), Ok(0));
    }
    // A new store needs no steps.
    let fresh = super::folder();
    let store = open_with(fresh.path(), STEPS).unwrap();
    put(&store, [item(1, "a", 0)]);
    drop(store);
    assert_eq!(walk(&open_with(fresh.path(), STEPS).unwrap(), &Query::group(Item::STATUS, "a")), [1]);
}

#[test]
fn a_step_that_fails_is_not_taken_in_part() {
    let folder = folder();
    sample(folder.path());
    let failing = Migration {
        readable_from: 2,
        run: |transaction| {
            rename(transaction, "a", "lost")?;
            Err(StoreError::Machine("the disk is full".to_owned()))
        },
    };
    assert!(matches!(open_with(folder.path(), &[failing]).err(), Some(StoreError::Machine(_))));
    assert_eq!(walk(&open(folder.path()), &Query::group(Item::STATUS, "a")), [0, 1]);
}

#[test]
fn a_later_format_is_opened_where_it_may_be_and_refused_where_not() {
    let folder = folder();
    sample(folder.path());
    drop(open_with(folder.path(), &STEPS[..1]).unwrap());
    // After a rollback to the previous release: it may read the file of the later one, and the later one does
    // not repeat its step.
    let store = open(folder.path());
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "first")), [0, 1]);
    put(&store, [item(7, "a", 0)]);
    drop(store);
    let store = open_with(folder.path(), &STEPS[..1]).unwrap();
    assert_eq!(walk(&store, &Query::group(Item::STATUS, "a")), [7]);
    drop(store);

    drop(open_with(folder.path(), STEPS).unwrap());
    let before = std::fs::read(super::super::opening::path_of(folder.path())).unwrap();
    let sealed = generation::generation(folder.path());
    let error = open_with(folder.path(), &[]).err().unwrap();
    let release = env!("CARGO_PKG_VERSION").to_owned();
    assert_eq!(error, StoreError::Newer { format: 3, understood: 1, release: release.clone() });
    assert!(error.to_string().contains(&format!("install release {release} or a later one")), "{error}");
    assert_eq!(generation::generation(folder.path()), sealed);
    assert_eq!(std::fs::read(super::super::opening::path_of(folder.path())).unwrap().len(), before.len());
    assert!(open_with(folder.path(), STEPS).is_ok());
}
