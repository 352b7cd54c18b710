//! Lists with several filters, compared with filtering all records by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::query::Span;
use super::super::scan::MAX_ROWS_READ_MERGED;
use super::super::view::{RowSource, ScanStep};
use super::*;

/// A record in two indexes that share their order, in one index of both, and in one that holds everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    id: u64,
    colour: u64,
    size: u64,
    at: i64,
}

impl Record for Row {
    const COLLECTION: &'static str = "rows";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::COLOUR, &Self::SIZE, &Self::BOTH, &Self::AT, &Self::PARITY];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Row {
    const COLOUR: Index<Self, u64, i64> =
        Index::new("colour", 1, |row: &Self| vec![(row.colour, row.at)]).weighing(|row: &Self| row.at).bucketed(4_096);
    const SIZE: Index<Self, u64, i64> = Index::new("size", 1, |row: &Self| vec![(row.size, row.at)]);
    const BOTH: Index<Self, (u64, u64), i64> =
        Index::new("both", 1, |row: &Self| vec![((row.colour, row.size), row.at)]).bucketed(4_096);
    const AT: Index<Self, (), i64> = Index::new("at", 1, |row: &Self| vec![((), row.at)]).bucketed(4_096);
    const PARITY: Index<Self, u64> =
        Index::by_key("parity", 1, |row: &Self| vec![row.at.rem_euclid(2).unsigned_abs()]).bucketed(4_096);
}

fn filled(rows: &[Row]) -> (TempDir, Store) {
    let folder = folder();
    let store = Store::open(folder.path(), &StoreOptions::default(), &Schema::new().with::<Row>()).unwrap();
    let rows = rows.to_vec();
    store.write_blocking(move |writer| rows.iter().try_for_each(|row| writer.put(row))).unwrap();
    (folder, store)
}

#[derive(Debug, Clone, Default)]
struct Asked {
    colours: Option<Vec<u64>>,
    sizes: Option<Vec<u64>>,
    from: Option<i64>,
    to: Option<i64>,
    descending: bool,
    /// Use of the index of both values.
    together: bool,
}

impl Asked {
    fn listing(&self) -> Query<Row, i64> {
        let mut listing = match (&self.colours, &self.sizes) {
            (None, None) if self.together => Query::any_of(Row::BOTH, [()]),
            (None, None) => Query::any_of(Row::AT, [()]),
            (Some(colours), None) if self.together => Query::any_of(Row::BOTH, colours.iter().map(|one| (one,))),
            (Some(colours), Some(sizes)) if self.together => {
                let both = |colour: &u64| sizes.iter().map(|size| (*colour, *size)).collect::<Vec<_>>();
                Query::any_of(Row::BOTH, colours.iter().flat_map(both))
            }
            (Some(colours), None) => Query::any_of(Row::COLOUR, colours),
            (None, Some(sizes)) => Query::any_of(Row::SIZE, sizes),
            (Some(colours), Some(sizes)) => Query::any_of(Row::COLOUR, colours).and(Row::SIZE, sizes),
        };
        if let Some(from) = self.from {
            listing = listing.from(from);
        }
        if let Some(to) = self.to {
            listing = listing.to(to);
        }
        if self.descending { listing.descending() } else { listing }
    }

    fn by_hand(&self, rows: &[Row]) -> Vec<u64> {
        let wanted = |row: &&Row| {
            self.colours.as_ref().is_none_or(|colours| colours.contains(&row.colour))
                && self.sizes.as_ref().is_none_or(|sizes| sizes.contains(&row.size))
                && self.from.is_none_or(|from| row.at >= from)
                && self.to.is_none_or(|to| row.at < to)
        };
        let mut found: Vec<(i64, u64)> = rows.iter().filter(wanted).map(|row| (row.at, row.id)).collect();
        found.sort_unstable();
        if self.descending {
            found.reverse();
        }
        found.into_iter().map(|(_, id)| id).collect()
    }
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let groups = || prop::option::of(prop::collection::vec(0_u64..4, 0..4));
    let bound = || prop::option::of(-5_000_i64..60_000);
    let asked = (groups(), groups(), bound(), bound(), any::<bool>(), any::<bool>());
    asked.prop_map(|(colours, sizes, from, to, descending, together)| Asked {
        colours,
        sizes,
        from,
        to,
        descending,
        together,
    })
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    // Many at one instant, and many far apart.
    let at = prop_oneof![0_i64..10, 8_190_i64..8_195, 0_i64..60_000];
    let row = (0_u64..3, 0_u64..3, at);
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        (0..).zip(rows).map(|(nth, (colour, size, at))| Row { id: nth * 700, colour, size, at }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_list_is_what_filtering_by_hand_gives(rows in any_rows(), asked in prop::collection::vec(any_asked(), 1..20), limit in 1_usize..20) {
        let (_folder, store) = filled(&rows);
        for asked in asked {
            let by_hand = asked.by_hand(&rows);
            prop_assert_eq!(&walk_any(&store, &asked.listing().limit(limit)), &by_hand, "{:?}", asked);
            let skipped: RecordPage<Row> = store.read(|view| view.page(&asked.listing().skip(limit).limit(limit))).unwrap();
            let ids: Vec<u64> = skipped.items.iter().map(|row| row.id).collect();
            prop_assert_eq!((skipped.total, skipped.total_exact), (u64::try_from(by_hand.len()).unwrap(), true));
            for colour in 0..3 {
                let by_hand: i64 = rows.iter().filter(|row| row.colour == colour).map(|row| row.at).sum();
                prop_assert_eq!(store.read(|view| view.sum(Row::COLOUR, colour)).unwrap(), by_hand);
            }
            prop_assert_eq!(ids, by_hand.into_iter().skip(limit).take(limit).collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_page_is_found_whatever_has_been_changed(
        rows in any_rows(),
        changes in prop::collection::vec((0_u64..60, 0_i64..60_000), 0..30),
        skip in 0_usize..70,
        descending: bool,
    ) {
        let (_folder, store) = filled(&rows);
        let mut left = rows;
        for (nth, at) in changes {
            let changed = left.iter().position(|row| row.id == nth * 700);
            if let Some(changed) = changed && at % 3 == 0 {
                let gone = left.remove(changed).id;
                store.write_blocking(move |writer| writer.delete::<Row>(&gone)).unwrap();
            } else if let Some(changed) = changed {
                left[changed].at = at;
                let row = left[changed].clone();
                store.write_blocking(move |writer| writer.put(&row)).unwrap();
            }
        }
        let of = |listing: Query<Row>| {
            let listing = if descending { listing.descending() } else { listing };
            let page: RecordPage<Row> = store.read(|view| view.page(&listing.skip(skip).limit(5))).unwrap();
            page.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let expected = |mut rows: Vec<(i64, u64)>| {
            rows.sort_unstable();
            if descending {
                rows.reverse();
            }
            rows.into_iter().map(|(_, id)| id).skip(skip).take(5).collect::<Vec<_>>()
        };
        let by_time = left.iter().map(|row| (row.at, row.id)).collect();
        prop_assert_eq!(of(Query::any_of(Row::COLOUR, [0_u64, 1, 2]).in_any_order()), expected(by_time));
        let by_key = left.iter().map(|row| (0, row.id)).collect();
        prop_assert_eq!(of(Query::all().numbered_by(Row::PARITY).in_any_order()), expected(by_key));
        let (from, to) = (1_500_u64, 31_000_u64);
        let between = left.iter().filter(|row| (from..to).contains(&row.id)).map(|row| (0, row.id)).collect();
        prop_assert_eq!(of(Query::all().numbered_by(Row::PARITY).from(from).to(to).in_any_order()), expected(between));
    }
}

/// A view of the store that counts the rows it reads.
struct Counting<'a, 'b>(&'a StoreReader<'b>, std::cell::Cell<u64>);

impl RowSource for Counting<'_, '_> {
    fn schema(&self) -> &Schema {
        self.0.schema()
    }

    fn value(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.value(name, key)
    }

    fn scan(&self, name: &str, span: &Span, descending: bool, step: ScanStep<'_>) -> Result<(), StoreError> {
        self.0.scan(name, span, descending, &mut |key, value| {
            self.1.set(self.1.get() + 1);
            step(key, value)
        })
    }
}

#[test]
fn a_page_far_down_and_the_total_of_a_period_look_at_few_rows() {
    let rows: Vec<Row> =
        (0..40_000).map(|id| Row { id, colour: id % 2, size: 0, at: i64::try_from(id * 50).unwrap() }).collect();
    let (_folder, store) = filled(&rows);
    let looked_at = |listing: Query<Row, i64>| {
        store
            .read(|view| {
                let counting = Counting(view, 0.into());
                let page = counting.page(&listing)?;
                Ok((page.items.first().map(|row| row.id), page.total, page.total_exact, counting.1.get()))
            })
            .unwrap()
    };
    for colours in [vec![0_u64], vec![0, 1]] {
        let step = 2 / u64::try_from(colours.len()).unwrap();
        let listing = Query::any_of(Row::COLOUR, colours);
        let (first, total, exact, rows) = looked_at(listing.clone().skip(15_000));
        assert_eq!((first, total, exact), (Some(15_000 * step), 40_000 / step, true));
        assert!(rows < 1_000, "{rows} rows");
        let (_, total, exact, rows) = looked_at(listing.from(5_000_i64).to(1_800_000_i64));
        assert_eq!((total, exact), (35_900 / step, true));
        assert!(rows < 1_300, "{rows} rows");
    }
}

#[test]
fn filters_that_hardly_meet_are_walked_in_bounded_steps_to_the_end() {
    // Only a few rows match both, at the very end of a long list.
    let rows: Vec<Row> = (0..150_000)
        .map(|id| Row { id, colour: id % 2, size: if id > 149_990 { 0 } else { (id + 1) % 2 }, at: 0 })
        .collect();
    let (_folder, store) = filled(&rows);
    let asked = Asked { colours: Some(vec![0]), sizes: Some(vec![0]), ..Asked::default() };
    let mut listing = asked.listing().limit(50);
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let page: RecordPage<Row> = store.read(|view| view.page(&listing)).unwrap();
        found.extend(page.items.iter().map(|row| row.id));
        pages += 1;
        if page.next.is_none() {
            break;
        }
        assert!(!page.total_exact);
        listing = listing.after(page.next);
    }
    assert_eq!(found, asked.by_hand(&rows));
    assert_eq!(pages, rows.len() / MAX_ROWS_READ_MERGED + 1);
}

#[test]
fn another_lists_cursor_is_refused() {
    let rows: Vec<Row> = (0..9).map(|id| Row { id, colour: id % 2, size: 0, at: 0 }).collect();
    let (_folder, store) = filled(&rows);
    let listing = Query::any_of(Row::COLOUR, [0_u64]).limit(2);
    let page: RecordPage<Row> = store.read(|view| view.page(&listing)).unwrap();
    let other = Query::any_of(Row::COLOUR, [0_u64]).and(Row::SIZE, [0_u64]).after(page.next);
    assert_eq!(store.read(|view| view.page(&other)), Err(StoreError::BadCursor));
    let by_group: BTreeMap<u64, u64> = (0..3)
        .map(|colour| {
            let page: RecordPage<Row> = store.read(|view| view.page(&Query::any_of(Row::COLOUR, [colour]))).unwrap();
            (colour, page.total)
        })
        .collect();
    assert_eq!(by_group, BTreeMap::from([(0, 5), (1, 4), (2, 0)]));
}
