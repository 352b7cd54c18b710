//! Tests of `domain/attempt/notice_relation.rs`.

use super::super::tests::attempt;
use super::*;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn what_is_over_is_only_turned_back_by_a_person() {
    use AttemptState as A;
    use TransactionState::{Canceled, Captured, Failed, Pending, Standby};
    for (state, as_of, told, at, news) in [
        (A::Requested, None, Captured, Some(5), NoticeRelation::New),
        (A::Requested, None, Failed, None, NoticeRelation::New),
        (A::Requested, Some(900), Captured, Some(5), NoticeRelation::New),
        (A::Requested, None, Pending, Some(5), NoticeRelation::Known),
        (A::Sending, None, Captured, Some(5), NoticeRelation::New),
        (A::Captured, Some(5), Captured, Some(5), NoticeRelation::Known),
        (A::Captured, Some(5), Standby, Some(9), NoticeRelation::Late),
        (A::Captured, Some(500), Failed, Some(379), NoticeRelation::Late),
        // Clocks may differ by two minutes.
        (A::Captured, Some(500), Failed, Some(380), NoticeRelation::Revoked),
        // A future time that an earlier release stored counts as unknown.
        (A::Captured, Some(9_999_999), Failed, Some(5), NoticeRelation::Revoked),
        (A::Captured, Some(5), Canceled, Some(9), NoticeRelation::Revoked),
        (A::Captured, Some(5), Canceled, None, NoticeRelation::Revoked),
        (A::Captured, None, Failed, Some(1), NoticeRelation::Revoked),
        (A::Ended, Some(5), Failed, Some(9), NoticeRelation::Known),
        (A::Ended, Some(500), Captured, Some(4), NoticeRelation::Late),
        (A::Ended, Some(5), Captured, Some(6), NoticeRelation::Revived),
        (A::Unknown, None, Captured, Some(6), NoticeRelation::NotOurs),
    ] {
        let attempt = Attempt { state, as_of: as_of.map(second), ..attempt(1) };
        assert_eq!(attempt.judge(told, at.map(second), second(10_000)), news, "{state:?} {as_of:?} {told:?} {at:?}");
    }
}
