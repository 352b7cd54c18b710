//! Replay of a notification by an operator: as safe as the first processing.

use cashout::domain::inbox::{Notification, NotificationState as State};
use cashout::sandbox::{Delivery, Ending, Life, Until};
use cashout::serve::Appliance;
use cashout::store::Writer;
use jiff::SignedDuration;

use crate::notices::{Notice, until};
use crate::payments::{EXAMPLE, FORM, customers, enterprise, payment, settlements};
use crate::signing_in::{Browser, OPERATOR, VIEWER, signed_in, world};
use crate::world::{World, http, wallet_of};

/// Presses *Replay* and returns the status and the target of the redirect.
async fn replays(browser: &Browser, id: u64) -> (u16, String) {
    let fields = [("_csrf", browser.token())];
    let answer =
        browser.ask("POST", &format!("/dashboard/notifications/{id}/replay")).form(&fields).send().await.unwrap();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default())
}

fn led_to(id: u64, what: &str) -> (u16, String) {
    (303, format!("/dashboard/notifications/{id}?replayed={what}"))
}

fn one(world: &World, id: u64) -> Notification {
    world.notifications().into_iter().find(|one| one.id == id).unwrap()
}

/// Makes a world with one seller whose voucher's transfer has been requested, and whose HiPay notices were received.
async fn requested() -> (World, Appliance, String) {
    let world = world(&[]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured));
    let appliance = world.heard().await;
    world.transfer().await;
    world.all_heard().await;
    let transaction = world.operation(1).transfer.last().unwrap().transaction_id.clone().unwrap();
    (world, appliance, transaction)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_dealt_with_at_once_and_what_was_given_up_again() {
    let (world, appliance, _) = requested().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let notice = Notice::new("capture", "ok", wallet_of(2001)).of("nobody-knows-it", "100.00");
    assert_eq!(notice.send(appliance.address()).await, 204);
    world.all_heard().await;
    let waiting = world.notifications().pop().unwrap();
    assert_eq!((waiting.state, waiting.tries), (State::Waiting, 1));
    // The clock stands still: without the replay it would not be tried yet.
    assert_eq!(replays(&operator, waiting.id).await, led_to(waiting.id, "again"));
    until("it is tried again", || one(&world, waiting.id).tries == 2).await;
    assert_eq!(one(&world, waiting.id).state, State::Waiting);

    world.clock.advance(SignedDuration::from_hours(8 * 24));
    until("it is given up", || one(&world, waiting.id).state == State::Unmatched).await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let page = operator.ask("GET", &format!("/dashboard/notifications/{}", waiting.id)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("/replay\""), "the button is there");
    let given_up = one(&world, waiting.id).ended_at;
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(replays(&operator, waiting.id).await, led_to(waiting.id, "again"));
    until("it is given up once more", || {
        let now = one(&world, waiting.id);
        now.state == State::Unmatched && now.ended_at > given_up
    })
    .await;
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_its_effect_changes_nothing_twice() {
    let (world, appliance, transaction) = requested().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.all_heard().await;
    let captured = world.notifications_of("capture").into_iter().find(|one| one.state == State::Applied).unwrap();
    assert_eq!(captured.subject, transaction);
    // The same content in another notice changed nothing; processed again, it changes nothing either.
    let same = Notice::new("capture", "ok", wallet_of(2001)).of(&transaction, "100.00").with("label", "again");
    assert_eq!(same.send(appliance.address()).await, 204);
    world.all_heard().await;
    let ignored = world.notifications().pop().unwrap();
    assert_eq!(ignored.state, State::Ignored);

    // A corrected settlement, and a payment.
    let hipay = enterprise(&world, &appliance);
    let first = customers(&world, 7).settle();
    let mut corrected = first.clone();
    corrected
        .fields
        .iter_mut()
        .filter(|(name, _)| name == "amount")
        .for_each(|(_, amount)| *amount = "1.00".to_owned());
    for notice in [&first, &corrected] {
        assert_eq!(hipay.send(notice).await, Delivery::Answered(204));
        world.all_heard().await;
    }
    assert_eq!(hipay.send_body(FORM, EXAMPLE.as_bytes()).await, Delivery::Answered(204));
    world.all_heard().await;

    let known =
        |world: &World| (world.operations(), world.vendor(2001), payment(world, "132255767588"), settlements(world));
    let before = known(&world);
    let inbox = world.notifications();
    for notification in &inbox {
        let what = if notification.state == State::Applied { "had-its-effect" } else { "again" };
        for _ in 0..2 {
            assert_eq!(replays(&operator, notification.id).await, led_to(notification.id, what), "{notification:#?}");
        }
    }
    world.all_heard().await;
    assert_eq!(known(&world), before);
    for notification in &inbox {
        let now = one(&world, notification.id);
        assert_eq!((now.state, &now.message), (notification.state, &notification.message), "{notification:#?}");
    }
    // Nothing is sent again either.
    world.transfer().await;
    assert_eq!(world.operations(), before.0);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_an_operator_s_from_a_page_of_ours() {
    let (world, appliance, _) = requested().await;
    let notice = Notice::new("capture", "ok", wallet_of(2001)).of("nobody-knows-it", "100.00");
    assert_eq!(notice.send(appliance.address()).await, 204);
    world.all_heard().await;
    let waiting = world.notifications().pop().unwrap();
    let path = format!("/dashboard/notifications/{}/replay", waiting.id);

    let viewer = signed_in(&appliance, VIEWER).await;
    assert_eq!(replays(&viewer, waiting.id).await.0, 403);
    let page = viewer.ask("GET", path.trim_end_matches("/replay")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains("/replay\""), "a viewer has no button");
    let operator = signed_in(&appliance, OPERATOR).await;
    let unproven = operator.ask("POST", &path).form(&[("_csrf", "")]).send().await.unwrap();
    assert_eq!(unproven.status(), 403);
    let stranger = http().post(format!("http://{}{path}", appliance.address())).form(&[("_csrf", "")]);
    let stranger = stranger.send().await.unwrap();
    assert_eq!(
        (stranger.status().as_u16(), stranger.headers()["location"].to_str().unwrap()),
        (303, "/dashboard/login?undone=true")
    );
    assert_eq!(replays(&operator, 999).await.0, 404);
    assert_eq!(one(&world, waiting.id), waiting, "nothing of that changed anything");

    // A notification whose body is no longer stored cannot be read again.
    let emptied = Notification { body: String::new(), ..waiting.clone() };
    world.context.store.write(move |writer: &mut Writer<'_>| writer.put(&emptied)).await.unwrap();
    assert_eq!(replays(&operator, waiting.id).await, led_to(waiting.id, "emptied"));
    assert_eq!(one(&world, waiting.id).tries, waiting.tries);
    appliance.stop().await.unwrap();
}
