//! Tests of `config/settings.rs`.

use jiff::civil::time;

use super::*;

#[test]
fn a_window_may_cross_midnight() {
    let night = TimeWindow { from: time(23, 30, 0, 0), to: time(1, 0, 0, 0) };
    let early = TimeWindow { from: time(3, 0, 0, 0), to: time(5, 0, 0, 0) };
    for (hour, minute, in_night, in_early) in [
        (23, 29, false, false),
        (23, 30, true, false),
        (0, 59, true, false),
        (1, 0, false, false),
        (3, 0, false, true),
        (5, 0, false, false),
    ] {
        let time = time(hour, minute, 0, 0);
        assert_eq!((night.contains(time), early.contains(time)), (in_night, in_early), "{time}");
    }
}
