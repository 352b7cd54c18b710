//! Alerts and digests by e-mail, sent to a real mail server that accepts, refuses, encrypts, or is down.

use std::process::Command;
use std::time::Duration;

use cashout::config::LogLevel;
use cashout::logs::{Logs, Options, Stream, Style};
use cashout::mail::{Letter, Mail, MailState, Post, PostError};
use cashout::sandbox::{Endpoint, Moment, SandboxOptions};
use cashout::store::{Query, View};
use jiff::SignedDuration;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use crate::bad_store::limitable;
use crate::mail_server::{House, PostOffice, Speech, Taken};
use crate::running::Running;
use crate::world::World;

/// Makes a world whose alerts go to `office`.
pub(crate) async fn world(office: &PostOffice, settings: &[&str]) -> World {
    let settings = office.settings(settings);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    World::with(SandboxOptions::default(), &settings).await
}

/// Returns the options of a log that shows nothing.
pub(crate) fn silent() -> Options {
    let (level, style) = (LogLevel::Emergency, Style::Text { colours: false });
    Options { stream: Stream::Error, style, level, foreign_level: level, hand_over: false }
}

pub(crate) fn log(world: &World) -> DefaultGuard {
    tracing::subscriber::set_default(Logs::new(silent(), world.clock.clone()).subscriber())
}

/// Lets all ready tasks of this thread run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Advances the clock by `step` repeatedly until `done` completes.
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

/// Advances the clock until `count` mails were accepted.
pub(crate) async fn after(world: &World, office: &PostOffice, step: SignedDuration, count: usize) -> Vec<Taken> {
    turning(world, step, office.takes(count)).await
}

/// Returns the mails in the outbox.
fn mails(world: &World) -> Vec<Mail> {
    world.context.store.read(|reader| Ok(reader.page(&Query::<Mail, _>::all())?.items)).unwrap()
}

/// Waits until the outbox satisfies the condition.
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

pub(crate) const HALF_A_MINUTE: SignedDuration = SignedDuration::from_secs(31);

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
    // Errors within the next minutes wait and are sent together.
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
    // Another process takes over the waiting mail.
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
    // It is one mail, and no recipient got it twice.
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
        // Its certificate is not trusted.
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

#[tokio::test]
async fn what_a_killed_process_had_logged_and_not_mailed_is_mailed_by_the_next_one() {
    let office = PostOffice::open(House::default()).await;
    let mut world = world(&office, &[]).await;
    // A runtime that is dropped ends its tasks at any point, as a kill does.
    std::thread::scope(|scope| {
        let world = &world;
        scope.spawn(move || {
            let _log = log(world);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _appliance = world.serve().await;
                let store = &world.context.store;
                for begun in ["mail/alerts", "service/at_work"] {
                    while store.read(|reader| reader.get_document::<Value>(begun)).unwrap().is_none() {
                        tokio::task::yield_now().await;
                    }
                }
                world.clock.advance(SignedDuration::from_secs(1));
                tracing::error!(action = "cashout:transfer", "said right before the end");
                assert!(Logs::current().unwrap().flush());
            });
        });
    });
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_mins(1));
        let _log = log(&world);
        world.restart().await;
        let appliance = world.serve().await;
        // The abnormal end is reported too, and the recovery.
        let taken = after(&world, &office, HALF_A_MINUTE, 3).await;
        let tells = |words: &str| taken.iter().filter(|mail| mail.text().contains(words)).count();
        assert_eq!((tells("said right before the end"), tells("ended unexpectedly")), (1, 2), "{taken:#?}");
        for _ in 0..20 {
            world.clock.advance(SignedDuration::from_mins(1));
            settle().await;
        }
        appliance.stop().await.unwrap();
    }
    // Sent by the next one, and by that one only.
    assert_eq!(office.taken().len(), 3);
}

/// Plays a day with two transfers, a vendor with wrong bank details and one error; returns its digest.
pub(crate) async fn digest_mail(office: &PostOffice, settings: &[&str]) -> Taken {
    let before = office.taken().len();
    let settings = [&["mail.digest: '07:00'", "email.logger.alert.level: none"][..], settings].concat();
    let world = world(office, &settings).await;
    for id in [2001, 2002] {
        world.seller(id);
        world.voucher(id, id, 8_300, 0);
    }
    // A shop whose bank details are invalid.
    world.seller(2003);
    world.sandbox.mirakl(|mirakl| {
        let payment = mirakl.shops.iter_mut().find(|shop| shop.id == 2003).unwrap().payment.as_mut().unwrap();
        "FR0000000000".clone_into(&mut payment.iban);
    });
    world.fund(100_000);
    world.up_to_operations().await;
    let _log = log(&world);
    // It is 9 o'clock: this day's time for a digest has passed.
    let appliance = world.serve().await;
    settle().await;
    world.transfer().await;
    tracing::error!("counted");
    assert!(Logs::current().unwrap().flush());
    world.clock.advance(SignedDuration::from_hours(21));
    settle().await;
    assert_eq!(office.taken().len(), before);
    let mut taken = after(&world, office, SignedDuration::from_hours(1), before + 1).await;
    // Once a day, even after a day without any process.
    appliance.stop().await.unwrap();
    assert_eq!(office.taken().len(), before + 1);
    taken.pop().unwrap()
}

#[tokio::test]
async fn the_digest_tells_the_day_before_in_numbers() {
    let office = PostOffice::open(House::default()).await;
    for (locale, lines) in [
        (
            "en",
            [
                "Cash-out alert: digest of 2026-11-12",
                "cashout:transfer: one run, none ended early, no item failed",
                "TRANSFER_REQUESTED: 2, 166.00 EUR",
                "One vendor: 2003",
                "ERROR: 1",
                "None remained unmatched; none waits.",
            ],
        ),
        (
            "fr",
            [
                "Cash-out alert : résumé du 12/11/2026",
                "cashout:transfer : une exécution, aucune interrompue, aucun élément en échec",
                "TRANSFER_REQUESTED : 2, 166.00 EUR",
                "Un vendeur : 2003",
                "ERREUR : 1",
                "Aucune n’est restée sans correspondance ; aucune n’attend.",
            ],
        ),
    ] {
        let locale = format!("dashboard.locale: {locale}");
        let mail = digest_mail(&office, &[&locale]).await;
        let text = format!("{}\n{}", mail.header("Subject"), mail.text());
        for line in lines {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert!(!text.contains("FR0000000000") && !text.contains("Shop 2003"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_mails_what_went_wrong_in_it() {
    let office = PostOffice::open(House::default()).await;
    let world = world(&office, &["mirakl.operatorKey: wrong-key"]).await;
    world.release_store().await;
    let output = world.output(&["vendor:process"]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let taken = office.takes(1).await;
    let text = taken[0].text();
    assert!(text.contains("ERROR vendor:process ended early"), "{text}");
    // While the server refuses it, it waits for the next command; the command itself is not delayed.
    let mut office = office;
    office.close().await;
    assert_eq!(world.output(&["vendor:process"]).await.status.code(), Some(3));
    assert_eq!(office.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tries_the_mail_server_and_sends_nothing() {
    let house = House { speech: Speech::StartTls, login: Some(("cashout", "right-password")), ..House::default() };
    let mut office = PostOffice::open(house).await;
    let trusted = office.trusted();
    let settings = ["mail.security: tls", &trusted, "mail.username: cashout", "mail.password: right-password"];
    let mut world = world(&office, &settings).await;
    world.release_store().await;
    world.told(&["check"]).await.ends(0).says("ok     mail server");
    world.told(&["check", "--offline"]).await.ends(0).hides("mail server");
    world.restart().await;
    world.set("mail.password: wrong-password").await;
    world.release_store().await;
    world
        .told(&["check"])
        .await
        .ends(1)
        .says("WRONG  mail server")
        .says("535")
        .says("check mail.username and mail.password");
    office.close().await;
    world.told(&["check"]).await.ends(1).says("WRONG  mail server").says("check mail.host, mail.port");
    assert!(office.taken().is_empty());
}

#[tokio::test]
async fn a_server_that_goes_silent_or_breaks_off_is_tried_again_with_the_same_mail() {
    let office = PostOffice::open(House { speech: Speech::Silence, ..House::default() }).await;
    let world = world(&office, &[]).await;
    let config = world.context.config.mail.clone().unwrap();
    let letter = Letter {
        subject: "À l’aide".to_owned(),
        text: "é\n.\nend".to_owned(),
        html: "<p>é</p>".to_owned(),
        token: "0123".to_owned(),
        at: world.clock.now(),
    };
    let post = Post::new(&config, Duration::from_millis(300)).await.unwrap();
    let silent = post.send(&letter, "ops@example.com").await.unwrap_err();
    assert!(matches!(&silent, PostError::Unreachable(reason) if reason.contains("did not answer")), "{silent}");
    office.change(|house| (house.speech, house.breaks) = (Speech::Plain, true));
    let broken = post.send(&letter, "ops@example.com").await.unwrap_err();
    assert!(matches!(broken, PostError::Unreachable(_)), "{broken}");
    office.change(|house| house.breaks = false);
    post.send(&letter, "ops@example.com").await.unwrap();
    let taken = office.takes(2).await;
    assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    assert_eq!((taken[1].header("Subject").as_str(), taken[1].text().trim_end()), ("À l’aide", "é\n.\nend"));
}

#[tokio::test]
async fn a_strict_server_gets_a_name_and_its_refusal_is_heard_although_it_never_says_goodbye() {
    let office = PostOffice::open(House { wants_a_name: true, clings: true, ..House::default() }).await;
    let letter = |world: &World| Letter {
        subject: "strict".to_owned(),
        text: "text".to_owned(),
        html: "<p>text</p>".to_owned(),
        token: "0123".to_owned(),
        at: world.clock.now(),
    };
    for (settings, greeting) in [
        (vec!["mail.ehlo: vm1.example.net"], "EHLO vm1.example.net"),
        (vec!["server.publicUrl: https://cashout.example.com/pay"], "EHLO cashout.example.com"),
    ] {
        let world = world(&office, &settings).await;
        let post = Post::new(world.context.config.mail.as_ref().unwrap(), Duration::from_secs(10)).await.unwrap();
        let begun = tokio::time::Instant::now();
        post.send(&letter(&world), "ops@example.com").await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "it waits for a goodbye");
        assert_eq!(office.greetings().last().unwrap(), greeting);
        office.change(|house| house.refuses = vec![("gone", "550 5.1.1 no such user")]);
        let refused = post.send(&letter(&world), "gone@example.com").await.unwrap_err();
        assert!(matches!(&refused, PostError::Refused(reason) if reason.contains("no such user")), "{refused}");
    }
    // The same applies if the password is refused.
    for mechanism in [None, Some("250-AUTH LOGIN")] {
        office.change(|house| (house.mechanism, house.login) = (mechanism, Some(("cashout", "a-long-password"))));
        let named = ["mail.ehlo: vm1.example.net", "mail.username: cashout"];
        let right = world(&office, &[named.as_slice(), &["mail.password: a-long-password"]].concat()).await;
        let post = Post::new(right.context.config.mail.as_ref().unwrap(), Duration::from_secs(10)).await.unwrap();
        post.send(&letter(&right), "ops@example.com").await.unwrap();
        let wrong = world(&office, &[named.as_slice(), &["mail.password: another-password"]].concat()).await;
        let post = Post::new(wrong.context.config.mail.as_ref().unwrap(), Duration::from_secs(10)).await.unwrap();
        let refused = post.send(&letter(&wrong), "ops@example.com").await.unwrap_err().to_string();
        assert!(refused.contains("wrong name or password") && refused.contains("check mail.username"), "{refused}");
    }
    office.change(|house| house.login = None);
    // A refused EHLO name says nothing about the mail: it is sent once the name is corrected.
    let unnamed = world(&office, &["mail.ehlo: vm1"]).await;
    let post = Post::new(unnamed.context.config.mail.as_ref().unwrap(), Duration::from_secs(3)).await.unwrap();
    let refused = post.send(&letter(&unnamed), "ops@example.com").await.unwrap_err();
    assert!(matches!(refused, PostError::Unreachable(_)), "{refused}");
    office.change(|house| house.clings = false);
    let refused = post.send(&letter(&unnamed), "ops@example.com").await.unwrap_err();
    assert!(matches!(&refused, PostError::Unreachable(why) if why.contains("fully-qualified")), "{refused}");
    // An internationalised domain is written in the form that mail servers use.
    let world = world(&office, &["mail.to: ops@bücher.example"]).await;
    let config = world.context.config.mail.clone().unwrap();
    let post = Post::new(&config, Duration::from_secs(10)).await.unwrap();
    post.send(&letter(&world), &config.to[0]).await.unwrap();
    assert_eq!(office.taken().last().unwrap().to, "ops@xn--bcher-kva.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_that_no_outbox_can_be_written_on_is_mailed_all_the_same() {
    let office = PostOffice::open(House::default()).await;
    let world = world(&office, &["hipay.maxConcurrency: 1"]).await;
    for id in 1..=5 {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.release_store().await;
    let mut second = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    let running = Running::start(limitable(&world, &["cashout:transfer"]));
    assert!(second.reached().await);
    assert!(Command::new("prlimit").args(["--fsize=0", "--pid", &running.id()]).status().unwrap().success());
    second.release();
    running.end().await.ends(4).says("make room on the disk");
    let taken = office.takes(1).await;
    let text = taken[0].text();
    assert!(text.contains("ERROR cashout:transfer ended early") && text.contains("make room on the disk"), "{text}");
}
