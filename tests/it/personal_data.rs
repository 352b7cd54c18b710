//! Customers' data that must not be stored, or only for a limited time.

use std::time::Duration;

use cashout::domain::inbox::Notification;
use cashout::domain::payment::CustomerPayment;
use cashout::jobs::{self, Erased};
use cashout::sandbox::enterprise::{Customers, Enterprise, EnterpriseNotice};
use cashout::sandbox::{Delivery, SandboxOptions};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::payments::{
    ACCEPTED, ANY_PORT, EXAMPLE, FOR_EVER, FORM, captured, customers, dealt_with, enterprise, notifications, payment,
    payments, serving, settlements,
};
use crate::world::World;

/// A card number of test systems.
const PAN: &str = "4111111111111111";

/// Returns true if any file of the data folder contains `bytes`.
fn is_stored(world: &World, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(world.data()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap());
    files.into_iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn card_data_is_neither_stored_nor_logged() {
    let mut world = World::with(SandboxOptions::default(), &[ANY_PORT]).await;
    world.release_store().await;
    let (running, hipay) = serving(&world).await;
    let encoded: String = PAN.chars().map(|digit| format!("%3{digit}")).collect::<Vec<_>>().concat();
    let base =
        "status=118&date_updated=2026-11-21T10:00:00+0000&order[email]=somebody@mail.example&transaction_reference=";
    let mut bodies = Vec::new();
    for (number, name) in
        ["payment_method[pan]", "payment_method[card_holder]", "message", "order[id]", "custom_data[1]", "new[x]"]
            .into_iter()
            .enumerate()
    {
        bodies.push(format!("{base}1{number}&{name}={PAN}&cvc=9357&b={encoded}"));
        bodies.push(format!("{base}2{number}&{name}=4111+1111-1111%201111&card[cvv]=9357"));
    }
    bodies.push(format!(
        "<notification><transaction_reference>31</transaction_reference><a>{PAN}</a><cvc>9357</cvc></notification>"
    ));
    bodies.push(format!(
        "{{\"settlement\":{{\"reference\":\"S\",\"amount\":1,\"currency\":\"EUR\",\"x\":{PAN},\"cvc\":9357}}}}"
    ));
    bodies.push(format!("<broken>{PAN} <cvc>9357</cvc>"));
    bodies.push(format!("{PAN} and nothing else"));
    for body in &bodies {
        assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, ACCEPTED, "{body}");
    }
    // Refused ones leave no trace either.
    let forged = Enterprise { passphrase: "guessed".to_owned(), ..hipay.clone() };
    assert_eq!(forged.send_body(FORM, bodies[0].as_bytes()).await, Delivery::Answered(401));
    running.signal("TERM");
    let told = running.end().await;
    told.ends(0).says("cannot be read").says("a payment notification was refused");
    told.hides(PAN).hides("somebody@mail.example");
    // With their names: the four digits alone occur in any store.
    let codes = ["cvc=9357", "cvv]=9357", "cvc>9357", "cvc\":9357", "cvc\":\"9357"];
    for written in codes {
        told.hides(written);
    }
    assert!(!is_stored(&world, PAN.as_bytes()), "the card number is in the store");
    for written in ["4111 1111", "4111+1111", "4111-1111", &encoded].into_iter().chain(codes) {
        assert!(!is_stored(&world, written.as_bytes()), "{written} is in the store");
    }
    world.restart().await;
    jobs::drain_inbox(&world.context).await.unwrap();
    assert_eq!(notifications(&world).len(), bodies.len());
    assert_eq!(payments(&world).len(), 13);
    let of_payments = payments(&world).into_iter().map(|payment| payment.latest.fields);
    for fields in of_payments.chain(settlements(&world).into_iter().map(|settlement| settlement.fields)) {
        assert!(fields.iter().all(|(_, value)| !value.contains("9357")));
    }
    assert_eq!(payment(&world, "10").latest.field(&["payment_method[pan]"]), Some("411111******1111"));
    let unreadable =
        notifications(&world).into_iter().filter(|one| one.message.starts_with("cannot be read: ")).count();
    assert_eq!(unreadable, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_and_old_bodies_go_once_their_time_is_over() {
    let settings = ["retention.personalData: 60", "retention.notifications: 30"];
    let world = World::with(SandboxOptions::default(), &settings).await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let mut customers = customers(&world, 1);
    let told: Vec<EnterpriseNotice> = (0..120).flat_map(|_| captured(&mut customers)).collect();
    for some in told.chunks(40) {
        join_all(some.iter().map(|notice| hipay.send(notice))).await;
    }
    dealt_with(&world).await;
    let personal = |payment: &CustomerPayment| payment.latest.field(&["payment_method[card_holder]"]).is_some();
    let body_kept = |one: &Notification| !one.body.is_empty();
    let nothing = Erased::default();
    assert_eq!(jobs::retention(&world.context).await.unwrap(), nothing);

    // The daily cleaning by the appliance itself.
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    let emptied = async {
        while notifications(&world).iter().any(body_kept) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(FOR_EVER, emptied).await.expect("old bodies are emptied");
    assert!(payments(&world).iter().all(personal));
    let late = captured(&mut Customers::new(2, world.clock.now()));
    assert_eq!(hipay.send(&late[2]).await, ACCEPTED);
    dealt_with(&world).await;
    appliance.stop().await.unwrap();

    let mut world = world;
    world.restart().await;
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    let erased = jobs::retention(&world.context).await.unwrap();
    assert_eq!((erased.payments, erased.notifications), (119, 1), "one payment was told anew, under the same number");
    let kept: Vec<_> = payments(&world).into_iter().filter(personal).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(jobs::retention(&world.context).await.unwrap(), nothing);
    assert_eq!(payments(&world).len(), 120);
    assert!(payments(&world).iter().all(|payment| payment.latest.order_id.starts_with("ORDER-")));
    // A repetition is still recognised.
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let before = notifications(&world).len();
    assert_eq!(hipay.send(&told[0]).await, ACCEPTED);
    assert_eq!(notifications(&world).len(), before);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn for_ever_is_for_ever_and_personal_data_goes_from_the_inbox_too() {
    for (settings, bodies, personal) in [
        (["retention.personalData: 0", "retention.notifications: 0"], true, true),
        (["retention.personalData: 30", "retention.notifications: 0"], false, false),
    ] {
        let world = World::with(SandboxOptions::default(), &settings).await;
        let appliance = world.serve().await;
        assert_eq!(enterprise(&world, &appliance).send_body(FORM, EXAMPLE.as_bytes()).await, ACCEPTED);
        dealt_with(&world).await;
        appliance.stop().await.unwrap();
        let mut world = world;
        world.restart().await;
        world.clock.advance(SignedDuration::from_hours(24 * 365 * 50));
        jobs::retention(&world.context).await.unwrap();
        assert_eq!(notifications(&world).iter().any(|one| !one.body.is_empty()), bodies);
        assert_eq!(payment(&world, "132255767588").latest.token().is_some(), personal);
    }
}
