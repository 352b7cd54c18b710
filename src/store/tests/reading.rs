//! Pages, cursors, documents, and records that cannot be read.

use super::*;

/// Another collection with the same key type.
#[derive(Debug, Serialize, Deserialize)]
struct Other(u64);

impl Record for Other {
    const COLLECTION: &'static str = "others";
    type Key = u64;

    fn key(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_page_says_where_the_next_begins_and_how_many_there_are() {
    let (_folder, store) = opened();
    put(&store, (0..7).map(|id| item(id, "open", 100 - i64::try_from(id).unwrap())));
    put(&store, [item(7, "done", 0)]);

    let query = Query::group(Item::STATUS, "open").limit(3);
    let first: RecordPage<Item> = store.read(|view| view.page(&query)).unwrap();
    assert_eq!((ids(&first), first.total, first.total_exact), (vec![6, 5, 4], 7, true));
    let last: RecordPage<Item> = store.read(|view| view.page(&query.clone().after(first.next).limit(4))).unwrap();
    assert_eq!((ids(&last), last.next), (vec![3, 2, 1, 0], None));
    let slice = store.read(|view| view.keys(&query)).unwrap();
    assert_eq!(slice.keys, [6, 5, 4]);
    assert!(slice.next.is_some());
    // A reversed range is empty.
    assert_eq!(walk(&store, &query.from(5_i64).to(-5_i64)), [0; 0]);
}

#[test]
fn rows_put_in_between_neither_repeat_nor_hide_others() {
    let (_folder, store) = opened();
    put(&store, (0..6).map(|id| item(id * 10, "open", 0)));
    let query = Query::group(Item::STATUS, "open").limit(3);
    let first: RecordPage<Item> = store.read(|view| view.page(&query)).unwrap();
    put(&store, [item(5, "open", 0), item(25, "open", 0), item(20, "done", 0)]);
    let next: RecordPage<Item> = store.read(|view| view.page(&query.after(first.next))).unwrap();
    assert_eq!(ids(&next), [25, 30, 40]);
}

#[test]
fn what_is_not_counted_is_counted_up_to_a_limit() {
    let (_folder, store) = opened();
    put(&store, (0..10_001).map(|id| item(id, "open", 1)));
    let page: RecordPage<Item> = store.read(|view| view.page(&Query::group(Item::AT, ()).limit(1))).unwrap();
    assert_eq!((page.total, page.total_exact), (5_000, false));
    let page: RecordPage<Item> = store.read(|view| view.page(&Query::group(Item::STATUS, "open").limit(1))).unwrap();
    assert_eq!((page.total, page.total_exact), (10_001, true));
    let page: RecordPage<Item> = store.read(|view| view.page(&Query::all().to(5_000_u64).limit(1))).unwrap();
    assert_eq!((page.total, page.total_exact), (5_000, true));
}

#[test]
fn a_cursor_of_elsewhere_is_refused() {
    let folder = folder();
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema().with::<Other>()).unwrap();
    put(&store, (0..9).map(|id| item(id, "open", 0)));
    let all = Query::<Item, _>::all().limit(2);
    let next = store.read(|view| view.page(&all)).unwrap().next.unwrap();
    let (longer, shorter) = (format!("{next}00"), next.to_string().split_off(1));
    for text in ["", "0", "zz", "00000000", "é", &longer, &shorter] {
        let query = all.clone().after(Cursor::new(text));
        assert_eq!(store.read(|view| view.page(&query)).unwrap_err(), StoreError::BadCursor, "{text}");
    }
    let by_status = Query::group(Item::STATUS, "open").after(next.clone());
    assert_eq!(store.read(|view| view.page(&by_status)).unwrap_err(), StoreError::BadCursor);
    let elsewhere = Query::<Other, _>::all().after(next);
    assert_eq!(store.read(|view| view.page(&elsewhere)).unwrap_err(), StoreError::BadCursor);
    let status = store.read(|view| view.page(&Query::group(Item::STATUS, "open").limit(2))).unwrap().next;
    let done = Query::group(Item::STATUS, "done").after(status);
    assert_eq!(store.read(|view| view.page(&done)).unwrap_err(), StoreError::BadCursor);
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_holds_up_no_other() {
    let (folder, store) = opened();
    put(&store, (1..=3).map(|id| item(id, "open", 0)));
    store.close().unwrap();
    tamper(folder.path(), |transaction| {
        let mut records = transaction.open_table(view::table("records/items")).unwrap();
        records.insert(2_u64.encoded().as_slice(), br#"{"id":2,"status":7}"#.as_slice()).unwrap();
    });

    let store = open(folder.path());
    let unreadable =
        |error: &StoreError| matches!(error, StoreError::Unreadable { collection: "items", key, .. } if key == "2");
    for query in [Query::all().in_any_order(), Query::group(Item::STATUS, "open").in_any_order()] {
        let page: RecordPage<Item> = store.read(|view| view.page(&query)).unwrap();
        assert_eq!((ids(&page), page.total), (vec![1, 3], 3));
        assert!(page.unreadable.len() == 1 && page.unreadable.iter().all(unreadable), "{:?}", page.unreadable);
    }
    assert!(unreadable(&store.read(|view| view.get::<Item>(&2)).unwrap_err()));
    // It is not overwritten or removed either: a corrected release may still read it.
    assert!(unreadable(&store.write_blocking(|writer| writer.put(&item(2, "new", 0))).unwrap_err()));
    assert!(unreadable(&store.write_blocking(|writer| writer.delete::<Item>(&2)).unwrap_err()));
}

#[test]
fn fields_of_a_later_release_survive_a_rewrite() {
    let folder = folder();
    let invented = Map::from_iter([("invented_later".to_owned(), serde_json::json!({"a": [1]}))]);
    put(&open(folder.path()), [Item { rest: invented.clone(), ..item(1, "open", 0) }]);
    let store = open(folder.path());
    put(&store, [Item { status: "done".to_owned(), ..get(&store, 1).unwrap() }]);
    assert_eq!(get(&store, 1).unwrap().rest, invented);
}

#[test]
fn documents_are_found_by_name() {
    let (_folder, store) = opened();
    assert_eq!(store.read(|view| view.get_document::<Vec<u8>>("installation")).unwrap(), None);
    store.write_blocking(|writer| writer.put_document("installation", &vec![1, 2])).unwrap();
    assert_eq!(store.read(|view| view.get_document::<Vec<u8>>("installation")).unwrap(), Some(vec![1, 2]));
    let error = store.read(|view| view.get_document::<String>("installation")).unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable { collection: "documents", .. }), "{error}");
}

impl Item {
    /// An index that the collection does not list.
    const COLOUR: Index<Self, String> = Index::by_key("colour", 1, |_: &Self| Vec::new());
}

#[test]
fn what_was_not_declared_is_a_defect_not_a_panic() {
    let (folder, store) = opened();
    for error in [
        store.read(|view| view.get::<Other>(&1).map(drop)).unwrap_err(),
        store.read(|view| view.page(&Query::group(Item::COLOUR, "red")).map(drop)).unwrap_err(),
        store.read(|view| view.count(Item::CODE, "x").map(drop)).unwrap_err(),
        store.read(|view| view.by_unique(Item::STATUS, "x").map(drop)).unwrap_err(),
        store.write_blocking(|writer| writer.put(&Other(1))).unwrap_err(),
        store.read(|_| -> Result<(), StoreError> { panic!("on purpose") }).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Defect(_)), "{error}");
    }
    let twice = Store::open(folder.path(), &StoreOptions::default(), &schema().with::<Item>()).err().unwrap();
    assert!(matches!(twice, StoreError::Defect(_)), "{twice}");
}

#[tokio::test]
async fn async_callers_read_what_they_wrote() {
    let (_folder, store) = opened();
    let number = store.write(next_number).await.unwrap();
    store.write(move |writer| writer.put(&item(number, "open", 0))).await.unwrap();
    assert!(store.reading(move |view| view.get::<Item>(&number)).await.unwrap().is_some());
}
