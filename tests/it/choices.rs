//! A person's choices on operations: each has the effect that it announces, and one that would have none is refused.

use cashout::domain::attempt::AttemptState;
use cashout::domain::operation::{Beneficiary, Hold, Operation, OperationChoice, Status};
use cashout::domain::voucher::VoucherRecord;
use cashout::jobs::{Command, GenerateArguments, JobError};
use cashout::sandbox::{Ending, Endpoint, Kind, Life, OtherPayment, Refusal, SandboxOptions, Until};
use cashout::store::View;
use cashout::text::message::Message;
use serde_json::json;

use crate::api::TOKEN;
use crate::running::Running;
use crate::world::{CYCLE, World, euro, http, wallet_of};

fn accept(transaction_id: &str) -> OperationChoice {
    OperationChoice::Accept { transaction_id: transaction_id.to_owned() }
}

/// Makes a world with one seller who is owed 100.00, with 1.00 of commission, and money for both.
async fn owed() -> World {
    let token = format!("dashboard.apiToken: {TOKEN}");
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0", &token]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 100);
    world.fund(100_000);
    world.up_to_operations().await;
    world
}

/// Checks that the history shows the reason and the person.
fn told(operation: &Operation, who: &str, why: &str) {
    let told = |message: &str| message.contains(who) && message.contains(why);
    assert!(operation.history.iter().any(|change| told(&change.message)), "{:?}", operation.history);
}

fn refused(outcome: Result<Operation, JobError>, why: &str) {
    match outcome {
        Err(JobError::Refused(sentence)) => assert!(sentence.text().contains(why), "{sentence}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_holds_is_paid_once_it_is_released_and_not_before() {
    let world = owed().await;
    let id = world.operation(1).id;
    refused(world.choose(id, OperationChoice::Hold, " ", "Otto").await, "a reason is required");
    let held = world.choose(id, OperationChoice::Hold, "fraud is suspected", "Otto").await.unwrap();
    told(&held, "Otto", "fraud is suspected");
    refused(world.choose(id, OperationChoice::Hold, "again", "Otto").await, "is held already: Otto holds it");
    for _ in 0..2 {
        world.pay_day().await;
    }
    assert_eq!(world.status(1), Status::Created);
    let released = world.choose(id, OperationChoice::Release, "it was not", "Ada").await.unwrap();
    told(&released, "Ada", "it was not");
    refused(world.choose(id, OperationChoice::Release, "", "Ada").await, "is not held");
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
    refused(world.choose(id, OperationChoice::Hold, "late", "Otto").await, "it will not be paid");
    refused(world.choose(id, OperationChoice::Settle, "late", "Otto").await, "it will not be paid");
}

/// Checks that a payment that was sent is still looked up while the operation is held, and that its withdrawal waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_held_under_way_arrives_and_stays_in_the_wallet() {
    let world = owed().await;
    world.transfer().await;
    let id = world.operation(1).id;
    refused(world.choose(id, OperationChoice::Settle, "by hand", "Otto").await, "its payment is under way");
    world.choose(id, OperationChoice::Hold, "fraud is suspected", "Otto").await.unwrap();
    for _ in 0..2 {
        world.sync().await;
        world.withdraw().await;
    }
    assert_eq!(world.status(1), Status::TransferSuccess);
    world.choose(id, OperationChoice::Release, "", "Otto").await.unwrap();
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_is_never_paid_and_counts_no_more() {
    let world = owed().await;
    let id = world.operation(1).id;
    let settled = world.choose(id, OperationChoice::Settle, "paid by cheque", "Otto").await.unwrap();
    told(&settled, "Otto", "paid by cheque");
    assert!(settled.is_settled() && !settled.is_unpaid() && !settled.waits_for_person());
    refused(world.choose(id, OperationChoice::Retry, "", "Otto").await, "is settled");
    for _ in 0..2 {
        world.pay_day().await;
    }
    assert_eq!(world.operation(1).transfer.attempts.len(), 0);
    // The cheque did not settle it after all.
    world.choose(id, OperationChoice::Release, "the cheque bounced", "Otto").await.unwrap();
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

/// Checks that a debt that the seller has paid by other means does not reduce later payments.
#[tokio::test(flavor = "multi_thread")]
async fn a_debt_that_was_settled_is_netted_with_nothing() {
    for settles in [false, true] {
        let world = World::new().await;
        world.seller(2001);
        world.voucher(1, 2001, -3_000, 0);
        world.up_to_operations().await;
        if settles {
            let id = world.operation(1).id;
            world.choose(id, OperationChoice::Settle, "the seller has paid it", "Otto").await.unwrap();
        }
        world.voucher(2, 2001, 10_000, 0);
        world.run(Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() })).await;
        assert_eq!(world.operation(2).amount, euro(if settles { 10_000 } else { 7_000 }));
    }
}

/// Checks a smaller payment by another party under our own reference: it is accepted with its amount,
/// and the remainder waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_payment_under_our_reference_is_accepted_and_the_rest_waits() {
    let mut world = owed().await;
    let technical = world.sandbox.credentials().technical_id;
    let reference = format!("TRANSFER_SALES_1_{technical}_{}", wallet_of(2001));
    let transaction = world.sandbox.hipay(|hipay| {
        let payment = OtherPayment {
            kind: Kind::Transfer,
            account: wallet_of(2001),
            amount: euro(6_000),
            label: String::new(),
            reference: Some(reference.clone()),
        };
        hipay.pay_otherwise(payment).unwrap()
    });
    world.forget_where_the_store_was().await;
    let operation = world.operation(1);
    for _ in 0..2 {
        world.transfer().await;
        let held = world.operation(1);
        assert_eq!((held.held_for, &held.candidates), (Some(Hold::OtherPayment), &vec![transaction.clone()]));
        // A retry alone leads to the same hold: HiPay executes one payment per reference.
        world.choose(operation.id, OperationChoice::Retry, "", "Otto").await.unwrap();
    }
    world.transfer().await;
    refused(world.choose(operation.id, accept("nothing"), "ours", "Otto").await, "HiPay shows no");
    let accepted = world.choose(operation.id, accept(&transaction), "paid by hand", "Otto").await.unwrap();
    told(&accepted, "Otto", "paid by hand");
    assert_eq!((accepted.amount, accepted.origin_amount, accepted.held.clone()), (euro(6_000), euro(6_000), None));
    assert_eq!(accepted.transfer.attempts.last().unwrap().state, AttemptState::Captured);
    let rest = world.operations().into_iter().find(|one| one.remainder_of == Some(operation.id)).unwrap();
    assert_eq!((rest.amount, rest.origin_amount, rest.voucher.as_str()), (euro(4_000), euro(4_000), "1"));
    assert_eq!(
        (rest.held_for, rest.status, rest.beneficiary),
        (Some(Hold::Remainder), Status::Created, Beneficiary::Vendor)
    );
    for _ in 0..2 {
        world.pay_day().await;
    }
    let paid = world.operations();
    let status = |id: u64| paid.iter().find(|one| one.id == id).unwrap().status;
    assert_eq!((status(operation.id), status(rest.id)), (Status::WithdrawSuccess, Status::Created));
    // The remainder is owed as well: it is paid under its own reference.
    world.choose(rest.id, OperationChoice::Release, "it is owed", "Otto").await.unwrap();
    for _ in 0..2 {
        world.pay_day().await;
    }
    assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&10_000));
    let rest = world.operations().into_iter().find(|one| one.id == rest.id).unwrap();
    assert_eq!(rest.status, Status::WithdrawSuccess);
    assert_ne!(rest.transfer.attempts[0].reference, reference);
}

/// Checks the case in which another installation netted the seller's debt into one voucher and this one nets it into
/// the next: the remainder of the first is owed, and the person who decides about it sees the reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_debt_that_was_netted_twice_is_named_with_the_rest() {
    let mut world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.voucher(2, 2001, -3_000, 0);
    world.voucher(3, 2001, 9_000, 0);
    for _ in 0..2 {
        let generate = GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() };
        world.run(Command::CashoutGenerate(generate)).await;
    }
    let (first, debt, second) = (world.operation(1), world.operation(2), world.operation(3));
    assert_eq!((debt.adjusted_by, second.amount), (Some(second.id), euro(6_000)));
    let technical = world.sandbox.credentials().technical_id;
    let reference = Some(format!("TRANSFER_SALES_1_{technical}_{}", wallet_of(2001)));
    let transaction = world.sandbox.hipay(|hipay| {
        let (kind, account, label) = (Kind::Transfer, wallet_of(2001), String::new());
        hipay.pay_otherwise(OtherPayment { kind, account, amount: euro(7_000), label, reference }).unwrap()
    });
    world.forget_where_the_store_was().await;
    world.transfer().await;
    assert_eq!(world.operation(1).held_for, Some(Hold::OtherPayment));
    world.choose(first.id, accept(&transaction), "made by the other one", "Otto").await.unwrap();
    let rest = world.operations().into_iter().find(|one| one.remainder_of == Some(first.id)).unwrap();
    let told = rest.held.clone().unwrap();
    assert!(told.contains(&format!("#{}", second.id)) && told.contains("deducted twice"), "{told}");
    let of_voucher = world.context.store.read(|reader| {
        let key = VoucherRecord::key_of("invoices-2001-1").unwrap();
        cashout::jobs::operations_of(reader, &reader.get(&key)?.unwrap())
    });
    let ids: Vec<u64> = of_voucher.unwrap().iter().map(|operation| operation.id).collect();
    assert_eq!(ids, [first.id, rest.id]);
    world.choose(rest.id, OperationChoice::Release, "netted twice", "Otto").await.unwrap();
    for _ in 0..3 {
        world.pay_day().await;
    }
    assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&16_000));
}

/// Checks a payment by hand without a reference that the person who made it identifies.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_by_hand_is_accepted_by_its_number_and_nothing_more_is_sent() {
    let world = owed().await;
    let id = world.operation(1).id;
    let transaction = world.sandbox.hipay(|hipay| {
        let (account, amount) = (wallet_of(2001), euro(10_000));
        let payment =
            OtherPayment { kind: Kind::Transfer, account, amount, label: "by hand".to_owned(), reference: None };
        hipay.pay_otherwise(payment).unwrap()
    });
    world.choose(id, accept(&transaction), "paid by hand", "Otto").await.unwrap();
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
    assert_eq!(world.operation(1).transfer.attempts.len(), 1);
}

/// Checks that the findings of a run or a notice are shown without replacing a decision, and that a
/// decision preserves the hold that it covers.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_replaced_by_nobody_but_a_person() {
    for choice in [OperationChoice::Hold, OperationChoice::Settle] {
        let mut world = owed().await;
        let id = world.operation(1).id;
        world.forget_where_the_store_was().await;
        world.sandbox.hipay(|hipay| {
            hipay.refusals.push(Refusal::code(Endpoint::Transactions, 403).times(1_000));
        });
        world.transfer().await;
        assert_eq!(world.operation(1).held_for, Some(Hold::LedgerUnread));
        let decided = world.choose(id, choice, "look first", "Otto").await.unwrap().held_for;
        for round in 0..4 {
            if round == 2 {
                world.sandbox.hipay(|hipay| hipay.refusals.clear());
            }
            world.pay_day().await;
            assert_eq!((world.status(1), world.operation(1).held_for), (Status::Created, decided));
        }
        world.choose(id, OperationChoice::Release, "", "Otto").await.unwrap();
        assert_eq!(world.operation(1).held_for, Some(Hold::LedgerUnread));
        for _ in 0..2 {
            world.pay_day().await;
        }
        assert_eq!(world.status(1), Status::WithdrawSuccess);
    }
}

/// Checks the case in which the first attempt was executed after all while later ones were made and
/// refused: the first is the payment, and none of the later ones is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_attempt_that_is_accepted_is_the_last_word() {
    let mut world = owed().await;
    world.check_ledger = false;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::AtOnce, Ending::Aborted));
    world.transfer().await;
    world.sync().await;
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        hipay.refusals.push(Refusal::code(Endpoint::Transfer, 4).times(2));
    });
    world.transfer().await;
    let failed = world.operation(1);
    let states: Vec<AttemptState> = failed.transfer.attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Ended, AttemptState::Refused]);
    let first = failed.transfer.attempts[0].transaction_id.clone().unwrap();
    world.sandbox.hipay(|hipay| {
        let transaction = hipay.transactions.iter_mut().find(|one| one.id == first).unwrap();
        "CAPTURED".clone_into(&mut transaction.status);
    });
    let accepted = world.choose(failed.id, accept(&first), "HiPay says so", "Otto").await.unwrap();
    assert_eq!(accepted.status, Status::TransferSuccess);
    let sent = world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer));
    for _ in 0..2 {
        world.transfer().await;
    }
    let other = world.operations().into_iter().find(|one| one.beneficiary == Beneficiary::Operator).unwrap();
    let of_other = u64::from(other.transfer.attempts.len() > 1);
    assert!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)) - sent <= of_other * 2);
    assert_eq!(world.operation(1).transfer.attempts.len(), 2);
}

/// Checks that a reason that a notice reports only once appears when the person's own hold ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_under_a_decision_comes_up_after_it() {
    let world = owed().await;
    world.transfer().await;
    world.sync().await;
    let operation = world.operation(1);
    world.choose(operation.id, OperationChoice::Hold, "look first", "Otto").await.unwrap();
    let mut held = world.operation(1);
    held.hold(Hold::Revoked, &Message::quoting("HiPay took it back"), world.clock.now());
    world.context.store.write(move |writer| writer.put(&held)).await.unwrap();
    let released = world.choose(operation.id, OperationChoice::Release, "", "Otto").await.unwrap();
    assert_eq!((released.held_for, released.held.as_deref()), (Some(Hold::Revoked), Some("HiPay took it back")));
    world.withdraw().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
}

/// Checks that another payment is not accepted as this one.
#[tokio::test(flavor = "multi_thread")]
async fn the_payment_of_somebody_else_is_not_accepted() {
    let mut world = owed().await;
    world.check_ledger = false;
    world.seller(2002);
    world.voucher(2, 2002, 7_000, 0);
    world.vendors().await;
    world.run(Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() })).await;
    let (id, technical) = (world.operation(1).id, world.sandbox.credentials().technical_id);
    let made = |account: u64, reference: Option<String>| {
        let payment =
            OtherPayment { kind: Kind::Transfer, account, amount: euro(3_000), label: String::new(), reference };
        world.sandbox.hipay(|hipay| hipay.pay_otherwise(payment)).unwrap()
    };
    let to_another = made(wallet_of(2002), None);
    refused(world.choose(id, accept(&to_another), "ours", "Otto").await, "its accounts are different");
    let of_another = made(wallet_of(2001), Some(format!("TRANSFER_SALES_2_{technical}_{}", wallet_of(2001))));
    refused(world.choose(id, accept(&of_another), "ours", "Otto").await, "which belongs to another payment");
    let commission = made(wallet_of(2001), Some(format!("TRANSFER_COMMISSION_1_{technical}_{}", wallet_of(2001))));
    refused(world.choose(id, accept(&commission), "ours", "Otto").await, "which belongs to another payment");
    let ours = made(wallet_of(2001), None);
    world.choose(id, accept(&ours), "ours", "Otto").await.unwrap();
    let rest = world.operations().into_iter().find(|one| one.remainder_of == Some(id)).unwrap();
    refused(world.choose(rest.id, accept(&ours), "ours", "Otto").await, "is the payment of operation");
    // Its own transfer is not accepted as its withdrawal.
    assert_eq!(world.operations().into_iter().find(|one| one.id == id).unwrap().status, Status::TransferSuccess);
    assert!(world.choose(id, accept(&ours), "ours", "Otto").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_and_the_api_do_the_same() {
    let world = owed().await;
    let id = world.operation(1).id.to_string();
    world.release_store().await;
    let arguments = ["operation:hold", &id, "--reason", "fraud is suspected"];
    world.told(&arguments).await.ends(0).says("is held: nothing more of it is sent until someone releases it");
    world.told(&arguments).await.ends(2).says("is held already");
    world.told(&["operation:hold", &id]).await.ends(2).says("--reason");
    let mut running = Running::start(world.cashout(&["serve"]));
    let line = running.says("answers on").await;
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    world.told(&["operation:release", &id]).await.ends(0).says("is released");
    world.told(&["operation:accept", &id, "--transaction", "x", "--reason", "y"]).await.ends(2).says("HiPay shows no");
    let url = |what: &str| format!("http://{address}/api/v1/operations/{id}/{what}");
    let post = |what: &str| http().post(url(what)).bearer_auth(TOKEN);
    assert_eq!(post("settle").json(&json!({})).send().await.unwrap().status(), 409);
    assert_eq!(post("retry").send().await.unwrap().status(), 409);
    let held = post("hold").json(&json!({"reason": "look first"})).send().await.unwrap();
    assert_eq!(held.status(), 200);
    let body: serde_json::Value = held.json().await.unwrap();
    assert_eq!(body["held"], "API holds it: look first");
    assert_eq!(post("retry").json(&json!({})).send().await.unwrap().status(), 200);
    let settled = post("settle").json(&json!({"reason": "paid by cheque"})).send().await.unwrap();
    assert_eq!(settled.status(), 200);
    world.told(&["operation:settle", &id, "--reason", "z"]).await.ends(2).says("is settled");
    running.signal("TERM");
    running.end().await.ends(0);
}
