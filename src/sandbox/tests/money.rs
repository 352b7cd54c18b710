//! Tests that money moves exactly once, regardless of the number and order of requests.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::sandbox::{Ending, EntryState, HipayModel, Lag, Life, Place, Refusal, RepeatAnswer, Repeats, Until};
use crate::sandbox::{Endpoint, Kind};

#[tokio::test]
async fn a_transfer_and_a_withdrawal_move_the_money_and_are_written_down() {
    let sandbox = sandbox().await;
    assert_eq!(code(transfer(&sandbox, "83.00", "T")).await, (201, 0));
    assert_eq!(code(withdrawal(&sandbox, "80.00", "W")).await, (201, 0));
    sandbox.hipay(|hipay| {
        assert_eq!((hipay.balance(400_001), hipay.balance(500)), (euro(91_700), euro(300)));
        let written = hipay.ledger.by_reference("W").unwrap();
        assert_eq!(
            (written.kind, written.amount, written.state),
            (Kind::Withdrawal, euro(8_000), EntryState::Executed)
        );
        assert_eq!(written.to, Place::Bank(IBAN.to_owned()));
    });
    assert_eq!(sandbox.verify_once(), Ok(()));
}

#[tokio::test]
async fn concurrent_posts_of_one_reference_execute_it_once() {
    let sandbox = sandbox().await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..24 {
        posts.spawn(transfer(&sandbox, "10.00", "T").send());
    }
    let answers = posts.join_all().await;
    assert_eq!(answers.len(), 24);
    assert_eq!(sandbox.hipay(|hipay| hipay.balance(500)), euro(1_000));
    assert_eq!(sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 24);
    assert_eq!(sandbox.verify_once(), Ok(()));
}

#[tokio::test]
async fn a_repeated_reference_is_answered_in_every_way_and_never_executed() {
    let sandbox = sandbox().await;
    let (_, first) = answer(transfer(&sandbox, "10.00", "T")).await;
    for (repeat, expected) in RepeatAnswer::ALL.into_iter().zip([
        (200, 26),
        (400, 3),
        (400, 400),
        (200, 4),
        (403, 403),
        (404, 7),
        (201, 0),
        (500, 13),
    ]) {
        sandbox.hipay(|hipay| hipay.repeats = Repeats::Always(repeat));
        let (status, body) = answer(transfer(&sandbox, "10.00", "T")).await;
        assert_eq!((status, number(&body["code"])), expected, "{repeat:?}");
        if repeat == RepeatAnswer::Replay {
            assert_eq!(body["transaction_id"], first["transaction_id"]);
        }
    }
    assert_eq!(sandbox.hipay(|hipay| hipay.balance(500)), euro(1_000));
}

#[tokio::test]
async fn a_reference_that_failed_terminally_is_used_up_too() {
    let sandbox = sandbox().await;
    sandbox.hipay(|hipay| {
        hipay.lives.insert("T".to_owned(), Life::failing(Ending::RejectedEnd));
        hipay.repeats = Repeats::Always(RepeatAnswer::InProgress);
    });
    assert_eq!(code(transfer(&sandbox, "10.00", "T")).await, (201, 0));
    let (_, found) = answer(look_up(&sandbox, "T")).await;
    assert_eq!(found["transaction_status"], "REJECTED_END");
    assert_eq!(sandbox.hipay(|hipay| hipay.balance(400_001)), euro(100_000), "the money is back");
    assert_eq!(code(transfer(&sandbox, "10.00", "T")).await, (200, 26));
    assert_eq!(code(transfer(&sandbox, "10.00", "T_R2")).await, (201, 0));
    assert_eq!(sandbox.hipay(|hipay| hipay.ledger.paid().count()), 1);
    assert_eq!(sandbox.verify_once(), Ok(()));
}

#[tokio::test]
async fn a_transaction_is_found_only_by_the_account_that_pays() {
    let sandbox = sandbox().await;
    let as_vendor = |id: &str| look_up(&sandbox, id).header("php-auth-subaccount-id", "500");
    let (_, done) = answer(transfer(&sandbox, "10.00", "T")).await;
    assert_eq!(code(withdrawal(&sandbox, "10.00", "W")).await, (201, 0));
    let id = done["transaction_id"].as_str().unwrap();
    assert_eq!((code(look_up(&sandbox, "T")).await.0, code(look_up(&sandbox, id)).await.0), (200, 200));
    assert_eq!(code(as_vendor("T")).await, (404, 7));
    assert_eq!((code(as_vendor("W")).await.0, code(look_up(&sandbox, "W")).await), (200, (404, 7)));
}

#[tokio::test]
async fn look_ups_lag_behind_by_count_or_by_the_clock() {
    let sandbox = sandbox().await;
    sandbox.hipay(|hipay| hipay.lag = Lag::Lookups(2));
    answer(transfer(&sandbox, "10.00", "T")).await;
    for expected in [404, 404, 200] {
        assert_eq!(code(look_up(&sandbox, "T")).await.0, expected);
    }
    sandbox.hipay(|hipay| hipay.lag = Lag::Elapsed(jiff::SignedDuration::from_mins(5)));
    answer(transfer(&sandbox, "10.00", "U")).await;
    assert_eq!(code(look_up(&sandbox, "U")).await, (404, 7));
    sandbox.clock().advance(jiff::SignedDuration::from_mins(5));
    assert_eq!(code(look_up(&sandbox, "U")).await.0, 200);
}

#[tokio::test]
async fn a_payment_stays_pending_until_it_is_settled_or_looked_up_often_enough() {
    let sandbox = sandbox().await;
    let status = async |reference: &str| {
        answer(look_up(&sandbox, reference)).await.1["transaction_status"].as_str().unwrap().to_owned()
    };
    sandbox.hipay(|hipay| hipay.life = Life::pending("STANDBY", Until::ByHand, Ending::Captured));
    answer(transfer(&sandbox, "10.00", "T")).await;
    assert_eq!(status("T").await, "STANDBY");
    assert_eq!(sandbox.hipay(|hipay| (hipay.balance(400_001), hipay.balance(500))), (euro(99_000), euro(0)));
    assert_eq!(sandbox.verify_once(), Ok(()), "on its way is not lost");
    sandbox.hipay(HipayModel::settle_transactions);
    assert_eq!(status("T").await, "CAPTURED");

    sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::Lookups(2), Ending::CancelledEnd));
    answer(transfer(&sandbox, "10.00", "U")).await;
    assert_eq!([status("U").await, status("U").await], ["AUTHORIZED", "CANCELLED_END"]);
}

#[tokio::test]
async fn scripted_refusals_come_as_often_as_asked_and_may_lie() {
    let sandbox = sandbox().await;
    sandbox.hipay(|hipay| {
        hipay.refusals.push(Refusal::code(Endpoint::Transfer, 13).about(&"T").times(2));
        hipay.refusals.push(Refusal::withdrawal_detail(4012).about(&500));
        hipay.refusals.push(Refusal::code(Endpoint::Transfer, 403).about(&"U").but_executes());
    });
    assert_eq!(code(transfer(&sandbox, "1.00", "other")).await, (201, 0));
    assert_eq!(
        [code(transfer(&sandbox, "1.00", "T")).await, code(transfer(&sandbox, "1.00", "T")).await],
        [(200, 13); 2]
    );
    assert_eq!(code(transfer(&sandbox, "1.00", "T")).await, (201, 0));
    let (_, refused) = answer(withdrawal(&sandbox, "1.00", "W")).await;
    assert_eq!(number(&refused["error_code_detail"]), 4012);
    assert_eq!(code(transfer(&sandbox, "1.00", "U")).await, (403, 403));
    assert!(sandbox.hipay(|hipay| hipay.ledger.by_reference("U").is_some()), "refused in words only");
}

/// An event that affects the money.
#[derive(Debug, Clone)]
enum Step {
    Transfer { reference: u8, cents: i64 },
    Withdrawal { reference: u8, cents: i64 },
    Fund(i64),
    Live(Until, Ending),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let until = prop::sample::select(vec![Until::AtOnce, Until::ByHand]);
    let ending = prop::sample::select(vec![Ending::Captured, Ending::Captured, Ending::Unauthed, Ending::CancelledEnd]);
    let step = prop_oneof![
        4 => (0u8..12, 1i64..60_000).prop_map(|(reference, cents)| Step::Transfer { reference, cents }),
        3 => (0u8..12, 1i64..30_000).prop_map(|(reference, cents)| Step::Withdrawal { reference, cents }),
        1 => (1i64..20_000).prop_map(Step::Fund),
        1 => (until, ending).prop_map(|(until, ending)| Step::Live(until, ending)),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_sequence_creates_loses_or_repeats_money(steps in steps(), seed: u64) {
        Runtime::new().unwrap().block_on(async {
            let options = SandboxOptions { seed, clock: clock(), lost_answers_percent: 20, ..SandboxOptions::default() };
            let sandbox = start(options).await;
            for step in steps {
                match step {
                    Step::Transfer { reference, cents } => {
                        let _ = transfer(&sandbox, &euro(cents).decimal(), &format!("T{reference}")).send().await;
                    }
                    Step::Withdrawal { reference, cents } => {
                        let _ = withdrawal(&sandbox, &euro(cents).decimal(), &format!("W{reference}")).send().await;
                    }
                    Step::Fund(cents) => sandbox.hipay(|hipay| hipay.fund(400_001, euro(cents)).unwrap()),
                    Step::Live(until, ending) => sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", until, ending)),
                    Step::Settle => sandbox.hipay(HipayModel::settle_transactions),
                }
                sandbox.verify_once().unwrap();
                sandbox.hipay(|hipay| assert!(hipay.accounts.values().all(|account| account.balance.minor() >= 0)));
            }
        });
    }
}
