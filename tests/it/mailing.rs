//! Alerts and digests by e-mail, against a real mail server: taken, refused, encrypted, away.

use std::time::Duration;

use cashout::config::LogLevel;
use cashout::logs::{Logs, Options, Stream, Style};
use cashout::mail::{Mail, MailState};
use cashout::sandbox::SandboxOptions;
use cashout::store::{Query, View};
use jiff::SignedDuration;
use tracing::subscriber::DefaultGuard;

use crate::post_office::{House, PostOffice, Speech, Taken};
use crate::world::World;

/// A world whose alerts go to `office`, with a log of its own on this thread.
async fn world(office: &PostOffice, settings: &[&str]) -> World {
    let settings = office.settings(settings);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    World::with(SandboxOptions::default(), &settings).await
}

fn log(world: &World) -> DefaultGuard {
    let options = Options {
        stream: Stream::Error,
        style: Style::Text { colours: false },
        level: LogLevel::Emergency,
        foreign_level: LogLevel::Emergency,
        hand_over: false,
    };
    tracing::subscriber::set_default(Logs::new(options, world.clock.clone()).subscriber())
}

/// Lets everything that is ready on this thread run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Turns the clock on by `step`, again and again, until `done` is.
async fn turning<T>(world: &World, step: SignedDuration, done: impl Future<Output = T>) -> T {
    let turn = async {
        loop {
            settle().await;
            world.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = done => done,
        () = turn => unreachable!("it turns for ever"),
    }
}

/// Turns the clock on until so many mails were taken.
async fn after(world: &World, office: &PostOffice, step: SignedDuration, count: usize) -> Vec<Taken> {
    turning(world, step, office.takes(count)).await
}

/// The mails in the outbox.
fn mails(world: &World) -> Vec<Mail> {
    world.context.store.read(|reader| Ok(reader.page::<Mail>(&Query::all())?.items)).unwrap()
}

/// Waits until the outbox is as it should be.
async fn until(world: &World, what: &str, reached: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
    let begun = tokio::time::Instant::now();
    loop {
        let mails = mails(world);
        if reached(&mails) {
            return mails;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {mails:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const HALF_A_MINUTE: SignedDuration = SignedDuration::from_secs(31);

#[tokio::test]
async fn an_alert_tells_what_happened_in_words_and_nothing_personal() {
    let office = PostOffice::open(House::default()).await;
    let world = world(&office, &["server.publicUrl: https://cashout.example.com"]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    tracing::error!(
        severity = "CRITICAL",
        action = "cashout:transfer",
        mirakl_id = 2001_u64,
        voucher = "1000001",
        "the <ledger> differs for seller@shops.example and FR1420041010050500013M02606"
    );
    tracing::warn!("below the level that is mailed");
    let taken = after(&world, &office, HALF_A_MINUTE, 1).await;
    let mail = &taken[0];
    assert_eq!((mail.to.as_str(), mail.encrypted), ("ops@example.com", false));
    assert_eq!(mail.header("Subject"), "Cash-out alert: CRITICAL, 1 line");
    assert_eq!(mail.header("From"), "cashout <cashout@example.com>");
    assert!(mail.header("Message-ID").ends_with("@example.com>"), "{}", mail.raw);
    let text = mail.text();
    for words in [
        "cashout on cashout.example.com logged one line",
        "CRITICAL cashout:transfer: the <ledger> differs for s…@shops.example and FR14…2606",
        "once, at 2026-11-09 09:00",
        "Shops: 2001",
        "Vouchers: 1000001",
        "https://cashout.example.com/dashboard/logs",
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    assert!(!text.contains("below the level"), "{text}");
    assert!(mail.part("text/html").contains("the &lt;ledger&gt; differs"), "{}", mail.raw);
    appliance.stop().await.unwrap();
}

#[tokio::test]
async fn a_storm_of_ten_thousand_errors_is_one_message_with_their_number() {
    let office = PostOffice::open(House::default()).await;
    let world = world(&office, &["dashboard.locale: fr"]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    for number in 0..10_000_u64 {
        tracing::error!(action = "cashout:withdraw", mirakl_id = number % 50, "operation {number} failed");
        if number % 100 == 0 {
            settle().await;
        }
    }
    tracing::error!(severity = "ALERT", "the store is nearly full");
    let taken = after(&world, &office, HALF_A_MINUTE, 1).await;
    assert_eq!(taken[0].header("Subject"), "Cash-out alert : ALERTE, 10001 lignes");
    let text = taken[0].text();
    let first = text.find("ALERTE the store is nearly full").unwrap_or_else(|| panic!("{text}"));
    let second = text.find("ERREUR cashout:withdraw: operation 0 failed").unwrap_or_else(|| panic!("{text}"));
    assert!(first < second && text.contains("10000 fois, la dernière à 09/11/2026 09:00"), "{text}");
    assert!(text.contains("Boutiques : 0, 1, 2, 3, 4, …") && text.len() < 2_000, "{text}");
    // What comes within the next minutes waits, and comes together.
    for number in 0..3 {
        tracing::error!("again {number}");
        world.clock.advance(SignedDuration::from_mins(1));
        settle().await;
    }
    assert_eq!(office.taken().len(), 1);
    let taken = after(&world, &office, SignedDuration::from_mins(1), 2).await;
    assert_eq!(taken[1].header("Subject"), "Cash-out alert : ERREUR, 3 lignes");
    appliance.stop().await.unwrap();
    assert_eq!(office.taken().len(), 2);
}

#[tokio::test]
async fn while_the_server_is_away_nothing_is_lost_and_its_return_is_no_storm() {
    let mut office = PostOffice::open(House::default()).await;
    let world = world(&office, &[]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    office.close().await;
    for number in 0..40 {
        tracing::error!(action = "vendor:process", "shop {number} is wrong");
        world.clock.advance(SignedDuration::from_mins(3));
        settle().await;
    }
    tracing::error!(severity = "CRITICAL", "and this");
    let waits = |mails: &[Mail]| mails.len() == 1 && mails[0].tries > 3 && mails[0].state == MailState::Queued;
    let waiting = turning(&world, SignedDuration::from_mins(1), until(&world, "one waits", waits)).await;
    assert!(waiting[0].message.contains("localhost:"), "{}", waiting[0].message);
    // Another process takes over what waits.
    appliance.stop().await.unwrap();
    let mut world = world;
    world.restart().await;
    let appliance = world.serve().await;
    office.reopen().await;
    after(&world, &office, SignedDuration::from_mins(5), 1).await;
    until(&world, "all are sent", |mails| mails.iter().all(|mail| mail.state == MailState::Sent)).await;
    appliance.stop().await.unwrap();
    let texts: Vec<String> = office.taken().iter().map(Taken::text).collect();
    assert!(texts.len() <= 2, "{texts:#?}");
    let all = texts.concat();
    assert!(all.contains("40 times, last at") && all.contains("CRITICAL and this"), "{all}");
}

#[tokio::test]
async fn a_refused_recipient_is_final_and_the_others_get_theirs() {
    let refuses = vec![("gone", "550 5.1.1 no such user"), ("full", "452 4.2.2 mailbox full")];
    let office = PostOffice::open(House { refuses, ..House::default() }).await;
    let world = world(&office, &["mail.to: [gone@example.com, ops@example.com, full@example.com]"]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    tracing::error!("for three");
    after(&world, &office, HALF_A_MINUTE, 1).await;
    let waiting =
        until(&world, "one recipient is left", |mails| mails.iter().any(|mail| mail.delivered == 1 && mail.tries > 0))
            .await;
    assert_eq!(
        (waiting[0].to.as_slice(), waiting[0].refused.as_slice()),
        (&["full@example.com".to_owned()][..], &["gone@example.com".to_owned()][..])
    );
    office.change(|house| house.refuses.clear());
    let taken = after(&world, &office, SignedDuration::from_mins(1), 2).await;
    assert_eq!([&taken[0].to, &taken[1].to], ["ops@example.com", "full@example.com"]);
    // It is one mail, and nobody got it twice.
    assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    until(&world, "it is done", |mails| mails.len() == 1 && mails[0].state == MailState::Sent).await;
    // Mail about mail would never end.
    for _ in 0..20 {
        world.clock.advance(SignedDuration::from_mins(10));
        settle().await;
    }
    appliance.stop().await.unwrap();
    assert_eq!(office.taken().len(), 2);
}

#[tokio::test]
async fn a_server_that_asks_to_come_again_is_asked_again_and_one_that_refuses_the_mail_is_not() {
    let next = ["451 4.3.0 later", "421 4.3.2 closing", "250 taken", "554 5.7.1 spam"].into();
    let office = PostOffice::open(House { next, ..House::default() }).await;
    let world = world(&office, &[]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    tracing::error!("first");
    after(&world, &office, SignedDuration::from_mins(1), 1).await;
    assert_eq!(until(&world, "sent", |mails| mails[0].state == MailState::Sent).await[0].tries, 3);
    tracing::error!("second");
    for _ in 0..20 {
        world.clock.advance(SignedDuration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = until(&world, "refused", |mails| mails.len() == 2 && mails[1].state == MailState::Refused).await;
    assert!(refused[1].message.contains("554"), "{}", refused[1].message);
    let visits = office.visits();
    for _ in 0..20 {
        world.clock.advance(SignedDuration::from_hours(1));
        settle().await;
    }
    appliance.stop().await.unwrap();
    assert_eq!((office.taken().len(), office.visits()), (1, visits));
}

#[tokio::test]
async fn mail_goes_through_tls_with_a_login_or_not_at_all() {
    let login = Some(("cashout", "correct horse"));
    for (house, security) in [
        (House { speech: Speech::StartTls, login, ..House::default() }, "mail.security: tls"),
        (House { speech: Speech::Tls, login, ..House::default() }, "mail.security: ssl"),
    ] {
        let office = PostOffice::open(house).await;
        let trusted = office.trusted();
        let settings = [security, &trusted, "mail.username: cashout", "mail.password: correct horse"];
        let world = world(&office, &settings).await;
        let _log = log(&world);
        let appliance = world.serve().await;
        tracing::error!("through TLS");
        let taken = after(&world, &office, HALF_A_MINUTE, 1).await;
        assert!(taken[0].encrypted && taken[0].user.as_deref() == Some("cashout"), "{taken:?}");
        appliance.stop().await.unwrap();
    }
}

#[tokio::test]
async fn without_the_encryption_that_was_asked_for_nothing_is_sent() {
    let plain = House::default;
    let starttls = || House { speech: Speech::StartTls, ..House::default() };
    for (house, security, trusted, words) in [
        (plain(), "mail.security: tls", true, "STARTTLS is not supported"),
        (plain(), "mail.security: ssl", true, "localhost:"),
        // Its certificate is not known.
        (starttls(), "mail.security: tls", false, "localhost:"),
    ] {
        let office = PostOffice::open(house).await;
        let authority = office.trusted();
        let mut settings = vec![security];
        settings.extend(trusted.then_some(authority.as_str()));
        let world = world(&office, &settings).await;
        let _log = log(&world);
        let appliance = world.serve().await;
        tracing::error!("not in the open");
        let waiting =
            turning(&world, HALF_A_MINUTE, until(&world, "it waits", |mails| mails.iter().any(|mail| mail.tries > 1)))
                .await;
        assert!(waiting[0].state == MailState::Queued && waiting[0].message.contains(words), "{}", waiting[0].message);
        appliance.stop().await.unwrap();
        assert!(office.taken().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_loses_no_mail() {
    let office = PostOffice::open(House { login: Some(("cashout", "new")), ..House::default() }).await;
    let world = world(&office, &["mail.username: cashout", "mail.password: old"]).await;
    let _log = log(&world);
    let appliance = world.serve().await;
    tracing::error!("important");
    let waiting =
        turning(&world, HALF_A_MINUTE, until(&world, "it waits", |mails| mails.iter().any(|mail| mail.tries > 0)))
            .await;
    assert_eq!(waiting[0].state, MailState::Queued);
    assert!(waiting[0].message.contains("check mail.username and mail.password"), "{}", waiting[0].message);
    office.change(|house| house.login = Some(("cashout", "old")));
    after(&world, &office, SignedDuration::from_mins(1), 1).await;
    appliance.stop().await.unwrap();
}
