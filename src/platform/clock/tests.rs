//! Tests of `platform/clock.rs`.

use super::*;

#[test]
fn a_turned_clock_moves_only_by_hand_and_for_all_who_share_it() {
    let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let clock = Clock::manual(start);
    let shared = clock.clone();
    clock.advance(SignedDuration::from_hours(2));
    assert_eq!(shared.now().to_string(), "2026-11-21T12:00:00Z");
    assert_eq!(shared.now(), clock.now());
}

#[tokio::test]
async fn waiting_ends_when_the_clock_is_turned_far_enough_and_not_before() {
    let clock = Clock::manual("2026-11-21T10:00:00Z".parse().unwrap());
    let waiting = tokio::spawn({
        let clock = clock.clone();
        async move {
            clock.sleep(SignedDuration::from_mins(10)).await;
            clock.now()
        }
    });
    tokio::task::yield_now().await;
    clock.advance(SignedDuration::from_mins(9));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(waiting.await.unwrap().to_string(), "2026-11-21T10:10:00Z");
    Clock::system().until(Timestamp::UNIX_EPOCH).await;
}

#[tokio::test]
async fn a_fast_clock_runs_steadily_and_people_do_not_run_with_it() {
    let clock = Clock::fast(14_400);
    assert_eq!(clock.speed(), Some(14_400));
    let (begun, people) = (clock.now(), clock.wall_now());
    tokio::select! {
        () = clock.run() => {}
        () = clock.sleep(SignedDuration::from_hours(2)) => {}
    }
    // The real duration is some seconds, however busy the machine is.
    let passed = clock.now().duration_since(begun);
    assert!(passed >= SignedDuration::from_hours(2) && passed < SignedDuration::from_hours(3), "{passed:?}");
    assert!(clock.wall_now().duration_since(people) < SignedDuration::from_mins(30));
    let other = Clock::manual(begun);
    assert_eq!((other.speed(), other.wall_now()), (None, other.now()));
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_the_wait_of_who_asked_to_be_told() {
    let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let clock = Clock::manual(start);
    let later = start + SignedDuration::from_hours(1);
    let waiting = tokio::spawn({
        let clock = clock.clone();
        async move { clock.until_or_set_back(later, start).await }
    });
    tokio::task::yield_now().await;
    clock.advance(SignedDuration::from_mins(30));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    clock.set(start - SignedDuration::from_hours(24));
    waiting.await.unwrap();
}
