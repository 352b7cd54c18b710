//! Tests of `update/fetch.rs`.

use super::*;

#[test]
fn an_update_takes_two_binaries_two_stores_and_something_to_spare() {
    assert_eq!(needed(15 * MIB, 100 * MIB), (30 + 200 + 64) * MIB);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(enough_room(folder.path(), 0), Ok(()));
    let refused = enough_room(folder.path(), u64::MAX / 4).unwrap_err();
    assert!(matches!(&refused, UpdateObstacle::NoRoom { needed, free, .. } if needed > free), "{refused:?}");
}
