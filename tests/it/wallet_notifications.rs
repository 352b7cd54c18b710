//! HiPay's notifications about transfers, withdrawals and other movements of money, and their effects.

use cashout::domain::inbox::NotificationState as State;
use cashout::domain::movement::Movement;
use cashout::domain::operation::{Hold, OperationChoice, PaymentKind, Status};
use cashout::domain::vendor::WalletStatus;
use cashout::sandbox::{Delivery, Ending, Endpoint, Fault, Lag, Life, Moment, Reviews, SandboxOptions, Sending, Until};
use cashout::store::{Query, View};
use jiff::SignedDuration;

use crate::notices::{Notice, newcomer, port};
use crate::world::{World, euro, wallet_of};

/// Makes a world with one seller with one voucher of 100.00, up to its operation; payments that HiPay
/// accepts stay pending.
async fn one_operation() -> World {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured));
    world
}

/// Returns the id of the last attempt's transaction.
fn transaction(world: &World, kind: PaymentKind) -> String {
    world.operation(1).payment(kind).last().unwrap().transaction_id.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cycle_runs_on_notices_alone() {
    let (listener, url) = port();
    let world = World::unscheduled(SandboxOptions::default(), &[&format!("server.publicUrl: {url}/")]).await;
    let appliance = world.heard_on(listener, &url).await;
    world.sandbox.hipay(|hipay| {
        hipay.reviews = Reviews::ByHand;
        hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured);
        // Each three times and in any order, half of them encoded a second time.
        hipay.notify.copies = 3;
        hipay.notify.shuffle = true;
    });
    for id in 2001..=2004 {
        newcomer(&world, id, "rib.pdf");
        world.voucher(id, id, 10_000, 500);
    }

    assert_eq!(world.vendors().await.failed, 0);
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shops.iter().all(|shop| shop.payment_blocked)));
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_reviews);
    world.all_heard().await;
    for id in 2001..=2004 {
        let vendor = world.vendor(id);
        assert_eq!((vendor.wallet_status(), vendor.status()), (WalletStatus::Identified, "success"));
        assert_eq!((vendor.bank_status, vendor.payment_blocked, vendor.blocked_for_bank_details), (3, false, false));
        let shop = world.sandbox.mirakl(|mirakl| mirakl.shop(id).unwrap().clone());
        assert_eq!((shop.kyc_status.as_str(), shop.payment_blocked, shop.suspended), ("APPROVED", false, false));
    }

    world.sandbox.hipay(|hipay| hipay.notify.encoded_twice = true);
    world.fund(1_000_000);
    world.after_the_cycle();
    world.generate().await;
    world.transfer().await;
    world.all_heard().await;
    assert!(world.operations().iter().all(|one| one.status == Status::TransferRequested));
    for expected in [Status::TransferSuccess, Status::WithdrawSuccess] {
        world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
        world.all_heard().await;
        assert!(world.operations().iter().all(|one| one.status == expected), "{:#?}", world.operations());
        world.withdraw().await;
    }
    let operator = world.sandbox.credentials().operator_id;
    assert_eq!(world.paid_out().get(&operator), Some(&2_000));
    assert_eq!(world.paid_out().len(), 5);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transaction)), 0, "HiPay was asked");

    let technical = world.sandbox.credentials().technical_id;
    let movements = world.context.store.read(|reader| reader.page(&Query::group(Movement::BY_ACCOUNT, technical)));
    let movements = movements.unwrap().items;
    assert_eq!(movements.len(), 1);
    assert_eq!((movements[0].amount, movements[0].settlement_type.as_deref()), (Some(euro(1_000_000)), Some("sales")));
    assert!(movements[0].settlement_id.is_some());

    // Three copies of each, all answered, each counted once.
    let (sent, ok) = world.sandbox.hipay(|hipay| {
        let ok = |delivery: &Delivery| *delivery == Delivery::Answered(204);
        (hipay.notifications.len(), hipay.notifications.iter().all(|notice| ok(&notice.delivery)))
    });
    let heard = world.notifications();
    assert!(ok);
    assert_eq!(heard.len(), sent);
    assert!(heard.iter().all(|one| one.repeats == 2 && !one.state.is_open()), "{heard:#?}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_overtakes_our_own_answer_waits_for_it() {
    let world = one_operation().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
    let appliance = world.heard().await;
    for (endpoint, done) in
        [(Endpoint::Transfer, Status::TransferSuccess), (Endpoint::Withdrawal, Status::WithdrawSuccess)]
    {
        let mut answer = world.sandbox.pause_at(endpoint, Moment::After, 1);
        let batch =
            async { if endpoint == Endpoint::Transfer { world.transfer().await } else { world.withdraw().await } };
        let overtaken = async {
            assert!(answer.reached().await);
            world.all_heard().await;
            assert_eq!(world.count_of(State::Waiting), 1, "{:#?}", world.notifications());
            answer.release();
        };
        let (batch, ()) = tokio::join!(batch, overtaken);
        assert_eq!(batch.failed, 0);
        // At once: the clock stands still.
        world.all_heard().await;
        assert_eq!((world.status(1), world.count_of(State::Waiting)), (done, 0));
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_takes_a_notice_and_no_other_method() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    let paths = [
        "/notifications/wallet",
        "/notifications/wallet/",
        "/",
        "/index.php",
        "/index.php/",
        "/index.php/notification",
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let notice = Notice::new("something_new", "ok", wallet_of(2001)).with("label", &number.to_string());
        let (status, body) = crate::notices::post(appliance.address(), path, &notice.xml()).await;
        assert_eq!((status, body.as_str()), (204, ""), "{path}");
        let address = format!("http://{}{path}", appliance.address());
        let put = crate::world::http().put(&address).send().await.unwrap();
        assert_eq!(put.status(), 405);
        // A person who opens one of the older addresses is redirected to the pages.
        let got = crate::world::http().get(&address).send().await.unwrap();
        let to = got.headers().get("location").map(|to| to.to_str().unwrap());
        if number < 2 {
            assert_eq!((got.status().as_u16(), to), (405, None));
        } else {
            assert_eq!((got.status().as_u16(), to), (303, Some("/dashboard")));
        }
    }
    world.all_heard().await;
    assert!(world.notifications().iter().all(|one| one.state == State::Ignored), "{:#?}", world.notifications());
    assert_eq!(world.notifications().len(), paths.len());
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_notice_of_an_earlier_attempt_says_nothing_about_the_next() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    world.sandbox.hipay(|hipay| hipay.notify.sending = Sending::Held);
    let first = {
        world.transfer().await;
        transaction(&world, PaymentKind::Transfer)
    };
    let reference = world.operation(1).transfer.last().unwrap().reference.clone();
    world.sandbox.hipay(|hipay| hipay.settle_transaction(&reference, Ending::Aborted));
    world.sync().await;
    assert_eq!(world.status(1), Status::TransferFailed);
    world.transfer().await;
    assert_ne!(transaction(&world, PaymentKind::Transfer), first);
    assert_eq!(world.status(1), Status::TransferRequested);

    world.sandbox.hipay(|hipay| hipay.notify.sending = Sending::On);
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferRequested);
    assert_eq!(world.told_of("capture"), [(State::Ignored, "already known".to_owned())]);

    world.clock.advance(SignedDuration::from_secs(5));
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    // The first attempt had failed, and now HiPay reports that it succeeded.
    let revived = Notice::new("capture", "ok", wallet_of(2001)).of(&first, "100.00").with("time", "09:00:00 UTC+0000");
    assert_eq!(revived.send(appliance.address()).await, 204);
    world.all_heard().await;
    let operation = world.operation(1);
    assert!(operation.held.as_ref().is_some_and(|held| held.contains("moved twice")), "{operation:#?}");
    assert_eq!(operation.held_for, Some(Hold::ExecutedAfterAll));
    assert_eq!(operation.status, Status::TransferSuccess);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_news_fails_a_transfer_and_cancels_a_withdrawal() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::failing(Ending::Unauthed));
    world.transfer().await;
    world.all_heard().await;
    let operation = world.operation(1);
    assert_eq!(operation.status, Status::TransferFailed, "{operation:#?}");
    assert!(operation.message.contains("authorization nok"), "{operation:#?}");
    // Nothing is paid under a new reference before HiPay has been asked; then it continues.
    world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
    world.transfer().await;
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    assert!(world.operation(1).transfer.last().unwrap().reference.ends_with("_R2"));

    world.sandbox.hipay(|hipay| hipay.life = Life::failing(Ending::CancelledEnd));
    world.withdraw().await;
    world.all_heard().await;
    assert_eq!(world.status(1), Status::WithdrawCanceled);
    assert_eq!(world.withdraw().await.total, 0, "a canceled withdrawal waits for a person");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_is_held_for_a_person() {
    let world = one_operation().await;
    world.seller(2002);
    world.vendors().await;
    let appliance = world.heard().await;
    world.transfer().await;
    world.all_heard().await;
    let id = transaction(&world, PaymentKind::Transfer);
    for (notice, words) in [
        (Notice::new("capture", "ok", wallet_of(2001)).of(&id, "100.01"), "its amount is 100.01 EUR instead of 100.00"),
        (Notice::new("capture", "ok", wallet_of(2001)).of(&id, "ten"), "cannot be read"),
        (Notice::new("capture", "ok", wallet_of(2001)).of(&id, "100").with("currency", "USD"), "100.00 USD"),
    ] {
        assert_eq!(notice.send(appliance.address()).await, 204);
        world.all_heard().await;
        let operation = world.operation(1);
        assert_eq!(operation.status, Status::TransferRequested);
        assert!(operation.held.as_ref().is_some_and(|held| held.contains(words)), "{words}: {operation:#?}");
        assert_eq!(operation.held_for, Some(Hold::OtherPayment));
        world.choose(operation.id, OperationChoice::Retry, "", "a person").await.unwrap();
    }
    // The right one, from either side of the transfer.
    let right = Notice::new("capture", "ok", wallet_of(2001)).of(&id, "100");
    assert_eq!(right.send(appliance.address()).await, 204);
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.all_heard().await;
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_executed_is_not_turned_back_without_a_person() {
    let world = one_operation().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
    let appliance = world.heard().await;
    world.transfer().await;
    world.all_heard().await;
    world.withdraw().await;
    world.all_heard().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
    let id = transaction(&world, PaymentKind::Withdrawal);
    let nok =
        |time: &str| Notice::new("withdrawal_validation", "nok", wallet_of(2001)).of(&id, "100.00").with("time", time);
    // HiPay executed it at 8: an earlier result is outdated, a later one contradicts.
    assert_eq!(nok("09:57:59 Europe/Berlin+0200").send(appliance.address()).await, 204);
    world.all_heard().await;
    assert_eq!((world.status(1), world.operation(1).held), (Status::WithdrawSuccess, None));
    assert_eq!(world.told_of("withdrawal_validation")[0].0, State::Ignored);
    assert_eq!(nok("10:30:00 Europe/Berlin+0100").send(appliance.address()).await, 204);
    world.all_heard().await;
    let operation = world.operation(1);
    assert_eq!((operation.status, &operation.held), (Status::WithdrawCanceled, &None), "it waits for a person");
    assert!(operation.message.contains("now reports it as not executed"), "{}", operation.message);
    // A person requests a retry, and HiPay shows that it was executed after all: it is not paid again.
    world.choose(operation.id, OperationChoice::Retry, "", "finance").await.unwrap();
    world.withdraw().await;
    world.all_heard().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
    assert_eq!(world.operation(1).withdrawal.attempts.len(), 1);
    appliance.stop().await.unwrap();
}

/// Checks that a payment that HiPay reverses is paid again under the next reference when a person retries it.
#[tokio::test(flavor = "multi_thread")]
async fn what_hipay_takes_back_is_paid_again_once_a_person_asks_for_it() {
    for kind in [PaymentKind::Withdrawal, PaymentKind::Transfer] {
        let world = one_operation().await;
        world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
        let appliance = world.heard().await;
        world.transfer().await;
        world.all_heard().await;
        if kind == PaymentKind::Withdrawal {
            world.withdraw().await;
            world.all_heard().await;
        }
        let id = transaction(&world, kind);
        world.clock.advance(SignedDuration::from_hours(48));
        world.sandbox.hipay(|hipay| hipay.take_back(&id, Ending::CancelledEnd));
        world.all_heard().await;
        let operation = world.operation(1);
        let status = match kind {
            PaymentKind::Withdrawal => Status::WithdrawCanceled,
            PaymentKind::Transfer => Status::TransferFailed,
        };
        assert_eq!(operation.status, status, "{operation:?}");
        assert!(operation.waits_for_person(), "{operation:?}");
        world.transfer().await;
        world.withdraw().await;
        assert_eq!(world.operation(1), operation, "no run touches it");
        world.choose(operation.id, OperationChoice::Retry, "", "finance").await.unwrap();
        world.transfer().await;
        world.all_heard().await;
        world.withdraw().await;
        world.all_heard().await;
        let paid = world.operation(1);
        assert_eq!(paid.status, Status::WithdrawSuccess, "{paid:?}");
        let references: Vec<&str> =
            paid.payment(kind).attempts.iter().map(|attempt| attempt.reference.as_str()).collect();
        assert!(references.len() == 2 && references[1].ends_with("_R2"), "{references:?}");
        assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
        appliance.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_matches_is_kept_and_matched_all_the_same_once_it_can_be() {
    let mut world = one_operation().await;
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        // The outcome is unknown: the answer is lost and look-ups find nothing.
        hipay.lag = Lag::Elapsed(SignedDuration::from_hours(24 * 30));
    });
    world.sandbox.strike(Fault::lost_answer(Endpoint::Transfer));
    let appliance = world.heard().await;
    world.transfer().await;
    world.all_heard().await;
    assert_eq!((world.status(1), world.count_of(State::Waiting)), (Status::TransferSending, 1));
    let stranger = Notice::new("capture", "ok", wallet_of(2001)).of("somebodyelses", "1.00");
    assert_eq!(stranger.send(appliance.address()).await, 204);
    world.all_heard().await;
    // It is tried again at growing intervals, and given up after a week.
    let mut tries = 0;
    for _ in 0..24 * 9 {
        world.clock.advance(SignedDuration::from_hours(1));
        world.all_heard().await;
        tries = tries.max(world.notifications_of("capture")[0].tries);
    }
    assert!(tries > 100, "{tries}");
    assert_eq!(world.count_of(State::Unmatched), 2);
    let message = "no operation has this transaction (yet)";
    assert!(world.told_of("capture").iter().all(|told| told == &(State::Unmatched, message.to_owned())));
    appliance.stop().await.unwrap();

    // A restart changes nothing; once HiPay shows the transaction, its notice is matched.
    world.restart().await;
    let appliance = world.heard().await;
    world.clock.advance(SignedDuration::from_hours(24 * 30));
    world.sync().await;
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    let mut told: Vec<State> = world.told_of("capture").into_iter().map(|(state, _)| state).collect();
    told.sort_by_key(|state| state.name());
    assert_eq!(told, [State::Ignored, State::Unmatched]);
    appliance.stop().await.unwrap();
}

/// Checks that a valid signature does not entitle an account to report about others: its notices
/// about their transactions are ignored, whatever they contain.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_another_account_touches_no_operation() {
    let world = one_operation().await;
    world.seller(2002);
    world.vendors().await;
    let appliance = world.heard().await;
    world.transfer().await;
    let id = transaction(&world, PaymentKind::Transfer);
    let operator = world.sandbox.credentials().operator_id;
    for (operation, status) in [
        ("capture", "ok"),
        ("capture", "nok"),
        ("authorization", "ok"),
        ("authorization", "nok"),
        ("withdraw_validation", "nok"),
    ] {
        for (account, amount) in [(wallet_of(2002), "100.00"), (wallet_of(2002), "1.00"), (operator, "100.00")] {
            let notice = Notice::new(operation, status, account).of(&id, amount);
            assert_eq!(notice.send(appliance.address()).await, 204);
        }
    }
    // Its own notice, which decides nothing yet, with another amount.
    assert_eq!(
        Notice::new("authorization", "ok", wallet_of(2001)).of(&id, "7.00").send(appliance.address()).await,
        204
    );
    world.all_heard().await;
    let operation = world.operation(1);
    assert_eq!((operation.status, operation.held), (Status::TransferRequested, None));
    assert!(world.notifications().iter().all(|one| one.state == State::Ignored), "{:#?}", world.notifications());
    appliance.stop().await.unwrap();
}

/// Checks that the time of a notice is never taken as later than its arrival.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_dated_into_the_future_makes_no_later_one_late() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
    world.transfer().await;
    let id = transaction(&world, PaymentKind::Transfer);
    let dated = |status: &str, date: &str, time: &str| {
        Notice::new("capture", status, wallet_of(2001)).of(&id, "100.00").with("date", date).with("time", time)
    };
    assert_eq!(dated("ok", "2099-01-01", "08:00:00 UTC+0000").send(appliance.address()).await, 204);
    world.all_heard().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    world.clock.advance(SignedDuration::from_hours(1));
    let now = world.clock.now().strftime("%H:%M:%S UTC+0000").to_string();
    let today = world.clock.now().strftime("%Y-%m-%d").to_string();
    assert_eq!(dated("nok", &today, &now).send(appliance.address()).await, 204);
    world.all_heard().await;
    assert_eq!((world.status(1), world.operation(1).held_for), (Status::TransferFailed, Some(Hold::Revoked)));
    appliance.stop().await.unwrap();
}

/// Checks that the holder of one account's salt cannot fill the disk.
#[tokio::test(flavor = "multi_thread")]
async fn one_account_stores_no_more_than_its_share_of_a_day() {
    let mut world = one_operation().await;
    world.seller(2002);
    world.vendors().await;
    let appliance = world.heard().await;
    let to = appliance.address();
    let notice = |number: u32| Notice::new("something_new", "ok", wallet_of(2001)).with("label", &number.to_string());
    for number in 0..200 {
        assert_eq!(notice(number).send(to).await, 204, "{number}");
    }
    assert_eq!(notice(200).send(to).await, 429);
    // A repetition takes no room, other accounts are served, and a new day begins.
    assert_eq!(notice(3).send(to).await, 204);
    assert_eq!(Notice::new("something_new", "ok", wallet_of(2002)).send(to).await, 204);
    let technical = world.sandbox.credentials().technical_id;
    for number in 0..250 {
        let told = Notice::new("other_transaction", "ok", technical).of(&format!("tx{number}"), "1.00");
        assert_eq!(told.send(to).await, 204);
    }
    world.all_heard().await;
    assert_eq!(world.notifications().len(), 451);
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(notice(200).send(to).await, 204);
    appliance.stop().await.unwrap();
    // Another process continues the count from the store.
    world.restart().await;
    let appliance = world.serve().await;
    world.all_heard().await;
    for number in 201..400 {
        assert_eq!(notice(number).send(appliance.address()).await, 204, "{number}");
    }
    assert_eq!(notice(400).send(appliance.address()).await, 429);
    world.all_heard().await;
    appliance.stop().await.unwrap();
}

/// Checks that large notices count by their size.
#[tokio::test(flavor = "multi_thread")]
async fn one_account_stores_no_more_than_four_mebibytes_of_a_day() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    let long = "x".repeat(50_000);
    let mut answers = Vec::new();
    for number in 0..100 {
        let notice = Notice::new("something_new", "ok", wallet_of(2001)).with("label", &format!("{number}{long}"));
        answers.push(notice.send(appliance.address()).await);
    }
    let taken = answers.iter().filter(|answer| **answer == 204).count();
    assert!((80..=84).contains(&taken), "{answers:?}");
    assert!(answers.iter().skip(taken).all(|answer| *answer == 429));
    world.all_heard().await;
    appliance.stop().await.unwrap();
}

/// Checks every encoding of the field: in a multipart form, and encoded a second time with a plus in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_field_is_taken_however_it_comes() {
    let world = one_operation().await;
    let appliance = world.heard().await;
    let url = format!("http://{}/notifications/wallet", appliance.address());
    let notice = |label: &str| Notice::new("something_new", "ok", wallet_of(2001)).with("label", label).xml();
    let encoded =
        |xml: &str| percent_encoding::utf8_percent_encode(xml, percent_encoding::NON_ALPHANUMERIC).to_string();
    for (number, xml) in [notice("files + one"), encoded(&notice("files + two"))].into_iter().enumerate() {
        let form = reqwest::multipart::Form::new().text("other", "1").text("xml", xml);
        let answer = crate::world::http().post(&url).multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{number}");
    }
    // A sender that leaves a plus unencoded when it encodes the document itself.
    let once = encoded(&notice("plus+plus")).replace("%2B", "+");
    let answer = crate::world::http().post(&url).form(&[("xml", once)]).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    for broken in ["nothing", "xml"] {
        let mut form = reqwest::multipart::Form::new().text(broken, "<");
        if broken == "xml" {
            form = form.text("xml", notice("twice"));
        }
        let answer = crate::world::http().post(&url).multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{broken}");
    }
    world.all_heard().await;
    let labels: Vec<bool> = world.notifications().iter().map(|one| one.body.contains('+')).collect();
    assert_eq!(labels, [true, true, true]);
    appliance.stop().await.unwrap();
}
