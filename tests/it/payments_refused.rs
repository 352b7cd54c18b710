//! Payment notifications that are forged, broken or hostile, and a receiver that is not set up.

use cashout::domain::inbox::NotificationState;
use cashout::sandbox::enterprise::{Enterprise, SignedBy};
use cashout::sandbox::{Delivery, SandboxOptions};

use crate::payments::{
    ACCEPTED, ANY_PORT, EXAMPLE, FORM, dealt_with, enterprise, notifications, payment, payments, serving,
};
use crate::world::{World, http};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_rightly_is_refused_and_nothing_is_kept() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let client = http();
    let right = hipay.signature(EXAMPLE.as_bytes());
    let other = Enterprise { passphrase: "guessed".to_owned(), ..hipay.clone() }.signature(EXAMPLE.as_bytes());
    let one_off = format!("{}{}", right.split_at(63).0, if right.ends_with('0') { '1' } else { '0' });
    let mut answers = std::collections::HashSet::new();
    for signature in
        ["", "x", "00", &other, &one_off, right.split_at(40).0, &format!("{right}00"), &right.replace('a', "g")]
    {
        let request = client.post(&hipay.url).header("content-type", FORM).header("x-allopass-signature", signature);
        let answer = request.body(EXAMPLE).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{signature}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        answers.insert(answer.text().await.unwrap());
    }
    let unsigned = client.post(&hipay.url).header("content-type", FORM).body(EXAMPLE).send().await.unwrap();
    answers.insert(unsigned.text().await.unwrap());
    let changed = EXAMPLE.replace("status=118", "status=119");
    let request = client.post(&hipay.url).header("x-allopass-signature", &right).body(changed);
    answers.insert(request.send().await.unwrap().text().await.unwrap());
    // Two signatures are invalid, even if one of them is right.
    let request = client.post(&hipay.url).header("x-allopass-signature", &right).header("x-allopass-signature", &other);
    answers.insert(request.body(EXAMPLE).send().await.unwrap().text().await.unwrap());
    // All get the same answer: it reveals nothing.
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(client.get(&hipay.url).send().await.unwrap().status(), 405);
    assert!(notifications(&world).is_empty() && payments(&world).is_empty());
    // Capital letters are as valid as small ones.
    let request = client.post(&hipay.url).header("x-allopass-signature", right.to_uppercase()).body(EXAMPLE);
    assert_eq!(request.send().await.unwrap().status(), 204);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_passphrase_everything_is_refused_and_that_is_said_once() {
    let settings = [ANY_PORT, "hipay.enterprise.passphrase: ~"];
    let world = World::with(SandboxOptions::default(), &settings).await;
    world.release_store().await;
    let (running, hipay) = serving(&world).await;
    let unsigned = Enterprise { passphrase: String::new(), ..hipay.clone() };
    for _ in 0..3 {
        assert_eq!(hipay.send_body(FORM, EXAMPLE.as_bytes()).await, Delivery::Answered(401));
        assert_eq!(unsigned.send_body(FORM, EXAMPLE.as_bytes()).await, Delivery::Answered(401));
    }
    running.signal("TERM");
    let told = running.end().await;
    assert_eq!(told.out.matches("hipay.enterprise.passphrase is not set").count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_algorithm_is_named_and_a_flood_of_forgeries_is_told_in_a_line() {
    let world = World::with(SandboxOptions::default(), &[ANY_PORT]).await;
    world.release_store().await;
    let (running, hipay) = serving(&world).await;
    let other = Enterprise { signed_by: SignedBy::Sha1, ..hipay.clone() };
    for _ in 0..50 {
        assert_eq!(other.send_body(FORM, EXAMPLE.as_bytes()).await, Delivery::Answered(401));
    }
    running.signal("TERM");
    let told = running.end().await;
    told.says("its signature looks like sha1, and hipay.enterprise.hashAlgorithm is sha256");
    assert!(told.out.matches("a payment notification was refused").count() <= 2, "{told:?}");
    assert!(!told.out.contains(world.sandbox.credentials().enterprise_passphrase.expose()));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_get_clear_answers() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let brackets = format!("transaction_reference=1&a{}=1", "[b]".repeat(10));
    let deep = format!("a{}=1", "[b]".repeat(5_000));
    let many: String = (0..5_000).map(|number| format!("a{number}=1&")).collect::<Vec<_>>().concat();
    let elements = format!("<notification>{}{}</notification>", "<a>".repeat(9_000), "</a>".repeat(4_000));
    let laughs = "<!DOCTYPE n [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><notification><x>&b;</x></notification>";
    let file = "<!DOCTYPE n [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><notification><x>&x;</x></notification>";
    let objects = "{\"a\":".repeat(12_000);
    let bodies: [&[u8]; 14] = [
        brackets.as_bytes(),
        deep.as_bytes(),
        many.as_bytes(),
        elements.as_bytes(),
        laughs.as_bytes(),
        file.as_bytes(),
        objects.as_bytes(),
        b"transaction_reference=2&x=\xff\xfe\x00\x80&y=%ff%00",
        b"\x00\x00\x00",
        b"\xff\xfe<\x00a\x00>\x00",
        b"<notification/>",
        b"[]",
        b"status=118",
        b"&&&&===&[=&]=&[]=&%=%&%zz=+",
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(body);
        for content_type in [FORM, "text/xml", "application/json", "image/png; charset=\"nonsense"] {
            assert_eq!(hipay.send_body(content_type, body).await, ACCEPTED, "{shown:.80}");
        }
    }
    let inbox = dealt_with(&world).await;
    assert_eq!(inbox.len(), bodies.len());
    for one in &inbox {
        let is_payment = ["1", "2"].contains(&one.subject.as_str());
        let state = if is_payment { NotificationState::Applied } else { NotificationState::Ignored };
        assert_eq!((one.state, one.message.starts_with("cannot be read: ")), (state, !is_payment), "{one:?}");
        assert!(one.message.len() < 500, "{}", one.message);
    }
    assert!(inbox.iter().all(|one| !one.message.contains("root:")));
    // Too large, by one byte and by far, signed or not; and empty.
    let limit = 64 * 1024;
    assert_eq!(hipay.send_body(FORM, &vec![b'a'; limit]).await, ACCEPTED);
    assert_eq!(hipay.send_body(FORM, &vec![b'a'; limit + 1]).await, Delivery::Answered(413));
    assert_eq!(hipay.send_body(FORM, b" \n").await, Delivery::Answered(400));
    let client = http();
    let signature = hipay.signature(b"");
    let request = client.post(&hipay.url).header("x-allopass-signature", signature).body(vec![b'a'; 10 * limit]);
    // A sender of that much may find the connection closed before it reads the answer.
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(hipay.send_body(FORM, EXAMPLE.as_bytes()).await, ACCEPTED);
    dealt_with(&world).await;
    assert_eq!(payment(&world, "132255767588").latest.order_id, "HiPay-120034");
    appliance.stop().await.unwrap();
}
