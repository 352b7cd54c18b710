//! Copies of the store.

use super::*;
use crate::platform::clock::Clock;

#[test]
fn three_copies_are_kept_and_the_one_just_made_whatever_the_clock_says() {
    let (folder, store) = opened();
    let clock = Clock::manual("2026-11-22T03:00:00Z".parse().unwrap());
    let names = || {
        let entries = std::fs::read_dir(folder.path().join("backups")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    for _ in 0..4 {
        put(&store, [item(1, "a", 0)]);
        let made = store.back_up("before-update", &clock).unwrap();
        assert!(made.exists());
        clock.advance(jiff::SignedDuration::from_secs(1));
    }
    let at = |time: &str| format!("before-update-{time}.redb");
    assert_eq!(names(), ["20261122T030001Z", "20261122T030002Z", "20261122T030003Z"].map(at));
    // A clock that was a year ahead and has been corrected.
    clock.set("2025-11-22T03:00:00Z".parse().unwrap());
    let made = store.back_up("before-update", &clock).unwrap();
    assert!(made.exists(), "the copy that was just made is gone");
    assert_eq!(names(), ["20251122T030000Z", "20261122T030002Z", "20261122T030003Z"].map(at));
}
