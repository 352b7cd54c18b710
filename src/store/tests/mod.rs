//! Tests of the whole store, with records of their own.

mod backup;
mod building;
mod crash;
mod listing;
mod memory;
mod model;
mod opening;
mod power;
mod reading;
mod release;
mod size;
mod writing;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::*;

/// A record with every kind of index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Item {
    id: u64,
    status: String,
    at: i64,
    code: Option<String>,
    tags: Vec<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Record for Item {
    const COLLECTION: &'static str = "items";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::STATUS, &Self::CODE, &Self::TAG, &Self::AT];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Item {
    const STATUS: Index<Self, String, i64> =
        Index::new("status", 1, |item: &Self| vec![(item.status.clone(), item.at)])
            .weighing(|item: &Self| item.at * 3)
            .counted();
    const CODE: Index<Self, String> =
        Index::by_key("code", 1, |item: &Self| Vec::from_iter(item.code.clone())).unique();
    const TAG: Index<Self, String> = Index::by_key("tag", 1, |item: &Self| item.tags.clone()).counted();
    const AT: Index<Self, (), i64> = Index::new("at", 1, |item: &Self| vec![((), item.at)]);
}

fn item(id: u64, status: &str, at: i64) -> Item {
    Item { id, status: status.to_owned(), at, code: None, tags: Vec::new(), rest: Map::new() }
}

fn schema() -> Schema {
    Schema::new().with::<Item>()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &StoreOptions::default(), &schema()).unwrap()
}

/// Opens a new store; it is removed with its folder.
fn opened() -> (TempDir, Store) {
    let folder = folder();
    let store = open(folder.path());
    (folder, store)
}

fn put(store: &Store, items: impl IntoIterator<Item = Item>) {
    let items: Vec<Item> = items.into_iter().collect();
    store.write_blocking(move |writer| items.iter().try_for_each(|item| writer.put(item))).unwrap();
}

fn next_number(writer: &mut Writer<'_>) -> Result<u64, StoreError> {
    writer.next_id::<Item>()
}

fn get(store: &Store, id: u64) -> Option<Item> {
    store.read(|view| view.get(&id)).unwrap()
}

fn ids(page: &RecordPage<Item>) -> Vec<u64> {
    page.items.iter().map(|item| item.id).collect()
}

/// Returns all ids of a list of items, page by page.
fn walk<O>(store: &Store, query: &Query<Item, O>) -> Vec<u64> {
    walk_any(store, query)
}

/// Returns all ids of a list, page by page; the last page must report their number as the total.
fn walk_any<R: Record<Key = u64>, O>(store: &Store, query: &Query<R, O>) -> Vec<u64> {
    let mut found = Vec::new();
    let mut query = query.clone();
    loop {
        let page = store.read(|view| view.page(&query)).unwrap();
        assert!(page.items.len() <= query.plan.limit);
        assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
        found.extend(page.items.iter().map(R::key));
        if page.next.is_none() {
            assert!(page.total_exact);
            assert_eq!(page.total, u64::try_from(found.len()).unwrap());
            return found;
        }
        query = query.after(page.next);
    }
}

/// Runs the jobs in one commit: the writer is held up until all of them are queued.
fn in_one_group<T: Send + 'static>(store: &Store, jobs: Vec<Job<T>>) -> Vec<Result<T, StoreError>> {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let queue = store.queue().unwrap();
    let (first, _) = super::queue::job(move |_| held.recv().map_err(|_| StoreError::Closed));
    queue.blocking_send(first).unwrap();
    let mut answers = Vec::new();
    for job in jobs {
        let (job, answer) = super::queue::job(job);
        queue.blocking_send(job).unwrap();
        answers.push(answer);
    }
    release.send(()).unwrap();
    answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect()
}

type Job<T> = Box<dyn FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send>;

/// Changes the file without the store.
fn tamper(folder: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(super::opening::path_of(folder)).unwrap();
    let transaction = super::queue::begin(&database).unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}
