//! Finding shops by any part of name, login or e-mail among 100,000, compared with SQLite's `LIKE`, which reads them all.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cashout::admin::wiring::schema;
use cashout::domain::search_text::{MAX_PART_LENGTH, folded};
use cashout::domain::vendor::{Vendor, login};
use cashout::store::{Query, Store, StoreError, StoreOptions, View};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::table::{milliseconds, percentile, rate};
use crate::{Scale, table};

/// Number of vendors per commit.
const GROUP: u64 = 1_000;
/// Upper bound on the records that a search reads, as on a page.
const MAX_FOUND: usize = 150;
/// Number of searches for each text.
const ROUNDS: usize = 20;

/// Texts that find one shop, some, many and none.
const TEXTS: [&str; 6] = ["quincaillerie 77123", "77123@", "cerie 9", "lise", "shops.example", "nothing like it"];

const HEADS: [&str; 5] = ["Mercerie", "Épicerie", "Quincaillerie", "Chez Élise", "Grand Comptoir"];

fn vendor(id: u64) -> Vendor {
    let head = HEADS.iter().cycle().nth(usize::try_from(id % 5).unwrap()).unwrap();
    let name = format!("{head} {id}");
    let email = format!("contact-{id}@shops.example");
    Vendor {
        login: login(&name, id),
        name,
        email,
        hipay_id: Some(500_000 + id),
        ..Vendor::new(id, Timestamp::UNIX_EPOCH)
    }
}

/// Stores the vendors in both stores, and prints the times of searches in each.
pub(crate) fn measure(scale: Scale) {
    let (folder, count) = (tempfile::tempdir().unwrap(), scale.of(100_000));
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    let begun = Instant::now();
    for first in (1..=count).step_by(usize::try_from(GROUP).unwrap()) {
        let group = first..(first + GROUP).min(count + 1);
        let put = store.write_blocking(move |writer| group.into_iter().try_for_each(|id| writer.put(&vendor(id))));
        put.map_err(|error: StoreError| error).unwrap();
    }
    let (written, size) = (begun.elapsed(), store.size().unwrap().file.div_euclid(1024 * 1024));
    println!("\nsearch: {count} vendors, {:.0} /s, {size} MiB", rate(count, written));
    let sqlite = Connection::open(folder.path().join("sqlite.db")).unwrap();
    sqlite
        .execute_batch("CREATE TABLE vendors (id INTEGER PRIMARY KEY, name, login, email, json BLOB); BEGIN")
        .unwrap();
    for vendor in (1..=count).map(vendor) {
        // What our search compares: SQLite's LIKE knows no accents.
        let texts = (folded(&vendor.name), folded(&vendor.login), folded(&vendor.email));
        let json = serde_json::to_vec(&vendor).unwrap();
        sqlite
            .prepare_cached("INSERT INTO vendors VALUES (?, ?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![i64::try_from(vendor.mirakl_id).unwrap(), texts.0, texts.1, texts.2, json])
            })
            .unwrap();
    }
    sqlite.execute_batch("COMMIT").unwrap();
    let rows = TEXTS.map(|text| {
        let wanted = folded(text);
        let ours = timed(&|| found_here(&store, &wanted));
        let theirs = timed(&|| found_in_sqlite(&sqlite, &wanted));
        assert_eq!(ours.0.min(MAX_FOUND), theirs.0.min(MAX_FOUND), "{text}");
        vec![text.to_owned(), ours.0.to_string(), milliseconds(ours.1), milliseconds(theirs.1)]
    });
    table::print("search: a part of a name", &["", "found", "cashout p50", "SQLite LIKE p50"], &rows);
}

/// Returns the result of a search and the median of its times.
fn timed(search: &dyn Fn() -> usize) -> (usize, Duration) {
    let mut found = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            found = search();
            begun.elapsed()
        })
        .collect();
    (found, percentile(&mut times, 50))
}

fn found_here(store: &Store, wanted: &str) -> usize {
    let found = store.read(|reader| {
        let beginning: String = wanted.chars().take(MAX_PART_LENGTH).collect();
        let mut keys = BTreeSet::new();
        for (index, text) in [(Vendor::SEARCH, wanted), (Vendor::PARTS, &beginning)] {
            keys.extend(reader.keys(&Query::group(index, ()).beginning_with(text).limit(MAX_FOUND))?.keys);
        }
        let mut records = Vec::new();
        for key in keys.iter().take(MAX_FOUND) {
            records.extend(reader.get::<Vendor>(key)?);
        }
        Ok(records.len())
    });
    found.unwrap()
}

fn found_in_sqlite(connection: &Connection, wanted: &str) -> usize {
    let sql = "SELECT json FROM vendors WHERE name LIKE ?1 OR login LIKE ?1 OR email LIKE ?1 LIMIT ?2";
    let mut select = connection.prepare_cached(sql).unwrap();
    let most = i64::try_from(MAX_FOUND).unwrap();
    let rows = select.query_map(params![format!("%{wanted}%"), most], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let vendors: Vec<Vendor> = rows.map(|json| serde_json::from_slice(&json.unwrap()).unwrap()).collect();
    vendors.len()
}
