//! Tests of `store/error.rs`.

use super::*;

#[test]
fn every_kind_of_full_disk_says_to_make_room() {
    for code in [/* ENOSPC */ 28, /* EDQUOT */ 122, /* EFBIG */ 27] {
        let error = StoreError::from(redb::StorageError::Io(io::Error::from_raw_os_error(code)));
        assert!(matches!(&error, StoreError::Machine(text) if text.contains("make room on the disk")), "{error}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_damaged_not_the_machines_fault() {
    let error = StoreError::from(redb::StorageError::Io(ErrorKind::UnexpectedEof.into()));
    assert!(error.to_string().contains("restore the last backup"), "{error}");
}
