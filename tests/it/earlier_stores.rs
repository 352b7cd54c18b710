//! Stores that earlier releases wrote, kept in `tests/stores`: every record is readable, every list
//! is complete, and work continues.

use std::fs::File;
use std::path::{Path, PathBuf};

use cashout::admin::wiring::schema;
use cashout::domain::inbox::Notification;
use cashout::domain::movement::Movement;
use cashout::domain::operation::Operation;
use cashout::domain::vendor::{SentDocument, Vendor};
use cashout::domain::voucher::VoucherRecord;
use cashout::jobs::{BatchRecord, CycleRecord};
use cashout::logs::LogLine;
use cashout::mail::Mail;
use cashout::store::{Query, Record, Store, StoreError, StoreOptions, View, format};

fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut stores: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|kind| kind == "gz")).collect();
    stores.sort();
    stores
}

/// Opens a copy of a kept store with this release.
fn opened(kept: &Path) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::read::GzDecoder::new(File::open(kept).unwrap());
    std::io::copy(&mut packed, &mut File::create(folder.path().join("store.redb")).unwrap()).unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
    (folder, store)
}

/// Returns all records of a collection; each must be readable.
fn all<R: Record>(store: &Store) -> Vec<R> {
    let page = store.read(|view| view.page(&Query::all().limit(100_000))).unwrap();
    assert_eq!(page.unreadable, [], "{}", R::COLLECTION);
    assert_eq!(page.total, u64::try_from(page.items.len()).unwrap(), "{}", R::COLLECTION);
    page.items
}

/// Checks that a list is complete, also at its far end.
fn lists<R: Record>(store: &Store, listing: &Query<R>, count: usize) {
    let listing = listing.clone().descending().limit(10);
    let page = store.read(|view| view.page(&listing)).unwrap();
    assert_eq!((page.total, page.total_exact), (u64::try_from(count).unwrap(), true), "{}", R::COLLECTION);
    let last = store.read(|view| view.page(&listing.skip(count - 1))).unwrap();
    assert_eq!((last.items.len(), last.next), (1, None), "{}", R::COLLECTION);
}

#[test]
fn what_an_earlier_release_has_stored_is_read_and_worked_on_with() {
    let kept = kept();
    assert!(!kept.is_empty());
    for path in kept {
        println!("{}", path.display());
        let (folder, store) = opened(&path);
        let operations = all::<Operation>(&store);
        let vendors = all::<Vendor>(&store);
        let lines = all::<LogLine>(&store);
        let others = [
            all::<VoucherRecord>(&store).len(),
            all::<CycleRecord>(&store).len(),
            all::<BatchRecord>(&store).len(),
            all::<Notification>(&store).len(),
            all::<Movement>(&store).len(),
            all::<SentDocument>(&store).len(),
            all::<Mail>(&store).len(),
        ];
        assert!(!operations.is_empty() && !vendors.is_empty() && !lines.is_empty(), "beside {others:?}");
        lists(&store, &Query::group(Operation::BY_DATE, ()).in_any_order(), operations.len());
        let statuses = operations.iter().map(|operation| operation.status.code());
        lists(&store, &Query::any_of(Operation::BY_STATUS, statuses).in_any_order(), operations.len());
        lists(&store, &Query::group(Vendor::BY_STATUS, ()).in_any_order(), vendors.len());
        lists(&store, &Query::all().numbered_by(LogLine::BY_LEVEL).in_any_order(), lines.len());

        // The first change of a record rewrites its entries: each must be there.
        let changed = operations.clone();
        store
            .write_blocking(move |writer| {
                for mut operation in changed {
                    operation.updated_at += jiff::SignedDuration::from_hours(30);
                    writer.put(&operation)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        lists(&store, &Query::group(Operation::BY_DATE, ()).in_any_order(), operations.len());
        store.close().unwrap();
        let again = Store::open(folder.path(), &StoreOptions::default(), &schema()).unwrap();
        assert_eq!(all::<Operation>(&again).len(), operations.len());
    }
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/stores/format-{}.redb.gz", format())).exists());
}
