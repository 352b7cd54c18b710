//! The marketplace's records in SQLite: write-ahead log, an index for each filter, and as much memory
//! for pages as our store has.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::question::Place;
use super::record_kinds::Shelf;

/// Upper bound on counted rows, one more than our store counts.
const MAX_COUNTED: u64 = 5_001;
/// Upper bound on the results of a search that are read, as in our store.
const MAX_FOUND: u64 = 150;

/// Opens the database in `folder`.
pub(super) fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("sqlite.db")).unwrap();
    // The default of our store, in KiB.
    let cache = cashout::store::StoreOptions::default().cache_bytes.div_euclid(1024);
    connection
        .execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{cache};"))
        .unwrap();
    connection.set_prepared_statement_cache_capacity(200);
    connection
}

/// Creates the tables of a kind of record.
pub(super) fn create<R: Shelf>(connection: &Connection) {
    let columns = R::COLUMNS.join(", ");
    let table = R::TABLE;
    let sql = format!(
        "CREATE TABLE {table} (key PRIMARY KEY, at INTEGER NOT NULL, {columns}, json BLOB NOT NULL);
         CREATE TABLE {table}_search (text TEXT NOT NULL, key, PRIMARY KEY (text, key)) WITHOUT ROWID;"
    );
    // An integer key is the table's own order.
    let whole = R::TABLE != "payments";
    connection.execute_batch(&if whole { sql.replacen("key PRIMARY", "key INTEGER PRIMARY", 1) } else { sql }).unwrap();
}

/// Creates the indexes, once the records are there.
pub(super) fn index<R: Shelf>(connection: &Connection) {
    for (nth, columns) in R::COLUMN_SETS.iter().enumerate() {
        let columns = [*columns, &["at", "key"]].concat().join(", ");
        let table = R::TABLE;
        connection.execute_batch(&format!("CREATE INDEX {table}_{nth} ON {table} ({columns});")).unwrap();
    }
}

/// Stores records, in one transaction.
pub(super) fn put<R: Shelf>(connection: &Connection, records: &[R]) {
    let table = R::TABLE;
    let places = vec!["?"; R::COLUMNS.len() + 3].join(", ");
    connection.execute_batch("BEGIN").unwrap();
    let mut insert = connection.prepare_cached(&format!("INSERT INTO {table} VALUES ({places})")).unwrap();
    let mut found = connection.prepare_cached(&format!("INSERT OR IGNORE INTO {table}_search VALUES (?, ?)")).unwrap();
    for record in records {
        let json = Value::Blob(serde_json::to_vec(record).unwrap());
        let mut values = vec![record.number(), Value::Integer(record.at().as_microsecond())];
        values.extend(record.values());
        values.push(json);
        insert.execute(params_from_iter(values)).unwrap();
        for text in record.texts() {
            found.execute(params_from_iter([Value::Text(text), record.number()])).unwrap();
        }
    }
    drop((insert, found));
    connection.execute_batch("COMMIT").unwrap();
}

/// A query in SQL.
pub(super) struct Sql {
    page: String,
    count: String,
    /// The count without a limit.
    count_all: String,
    values: Vec<Value>,
    counted: Vec<Value>,
}

impl Sql {
    /// Makes the query for the page of a list that begins at `place`, and for the number of rows;
    /// without a limit if `exact`.
    pub(super) fn list<R: Shelf>(
        filters: &[(&'static str, String)],
        (from, to): (Option<i64>, Option<i64>),
        earliest_first: bool,
        place: &Place,
        exact: bool,
    ) -> Self {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for (name, value) in filters {
            conditions.push(format!("{name} = ?"));
            let order = *name == "order_id";
            values.push(match value.parse::<i64>() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Text(if order { value.to_lowercase() } else { value.clone() }),
            });
        }
        for (condition, at) in [("at >= ?", from), ("at < ?", to)] {
            if let Some(at) = at {
                conditions.push(condition.to_owned());
                values.push(Value::Integer(at));
            }
        }
        let counted = values.clone();
        let every = |conditions: &[String]| {
            if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) }
        };
        let (table, all) = (R::TABLE, every(&conditions));
        let count_all = format!("SELECT count(*) FROM {table} {all}");
        let count = if exact {
            count_all.clone()
        } else {
            format!("SELECT count(*) FROM (SELECT 1 FROM {table} {all} LIMIT {MAX_COUNTED})")
        };
        if let Some((at, key)) = &place.after {
            conditions.push(format!("(at, key) {} (?, ?)", if earliest_first { ">" } else { "<" }));
            values.extend([Value::Integer(*at), key.clone()]);
        }
        let way = if earliest_first { "ASC" } else { "DESC" };
        let (rest, skip) = (every(&conditions), place.skip);
        let page = format!("SELECT json FROM {table} {rest} ORDER BY at {way}, key {way} LIMIT 50 OFFSET {skip}");
        Self { page, count, count_all, values, counted }
    }

    /// Makes the query for records that begin with `prefix`, the latest first, and for their number.
    pub(super) fn search<R: Shelf>(prefix: &str) -> Self {
        let table = R::TABLE;
        // The upper end of the range sorts after every letter.
        let values = vec![Value::Text(prefix.to_owned()), Value::Text(format!("{prefix}\u{10ffff}"))];
        let keys = format!("SELECT key FROM {table}_search WHERE text >= ? AND text < ? LIMIT {MAX_FOUND}");
        let count = format!("SELECT count(DISTINCT key) FROM ({keys})");
        Self {
            page: format!("SELECT json FROM {table} WHERE key IN ({keys}) ORDER BY at DESC, key DESC LIMIT 50"),
            count_all: count.clone(),
            count,
            counted: values.clone(),
            values,
        }
    }

    /// Returns the number of rows of the whole list, however long that takes.
    pub(super) fn count_all(&self, connection: &Connection) -> u64 {
        let counted: i64 =
            connection.query_row(&self.count_all, params_from_iter(&self.counted), |row| row.get(0)).unwrap();
        u64::try_from(counted).unwrap()
    }

    /// Runs the query; returns the records, and the length of the whole list.
    pub(super) fn ask<R: Shelf>(&self, connection: &Connection) -> (Vec<R>, u64) {
        let mut page = connection.prepare_cached(&self.page).unwrap();
        let mut rows = page.query(params_from_iter(&self.values)).unwrap();
        let mut records = Vec::with_capacity(50);
        while let Some(row) = rows.next().unwrap() {
            records.push(serde_json::from_slice(row.get_ref(0).unwrap().as_blob().unwrap()).unwrap());
        }
        let mut count = connection.prepare_cached(&self.count).unwrap();
        let counted: i64 = count.query_row(params_from_iter(&self.counted), |row| row.get(0)).unwrap();
        (records, u64::try_from(counted).unwrap())
    }

    /// Returns SQLite's query plan, for the analysis of a slow query.
    pub(super) fn plan(&self, connection: &Connection) -> String {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", self.page)).unwrap();
        let rows = plan.query_map(params_from_iter(&self.values), |row| row.get::<_, String>(3)).unwrap();
        rows.map(|row| row.unwrap()).collect::<Vec<_>>().join("; ")
    }
}
