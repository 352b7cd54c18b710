//! Notices that HiPay has not sent, or that are signed with another salt than the known one.

use std::collections::BTreeSet;

use cashout::domain::inbox::NotificationState as State;
use cashout::jobs;
use cashout::sandbox::{Endpoint, Fault, FaultKind, Remote, SandboxOptions, Traffic};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::notices::{Notice, post, until};
use crate::world::{World, wallet_of};

/// Makes a world with one seller and the appliance, before any call to HiPay about notices.
async fn world() -> (World, cashout::serve::Appliance) {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.seller(2001);
    world.vendors().await;
    let appliance = world.heard().await;
    world.sandbox.traffic(Traffic::clear);
    (world, appliance)
}

fn calls(world: &World) -> usize {
    world.sandbox.traffic(|traffic| traffic.exchanges().count())
}

fn known() -> Notice {
    Notice::new("bank_info_validation", "nok", wallet_of(2001))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_notice_is_refused_reveals_nothing_and_has_hipay_asked_once() {
    let (world, appliance) = world().await;
    let technical = world.sandbox.credentials().technical_id;
    let forged: Vec<String> = [wallet_of(2001), wallet_of(2002), technical, 1, u64::MAX]
        .into_iter()
        .flat_map(|account| {
            let notice = Notice::new("bank_info_validation", "nok", account);
            ["guess", "", &format!("salt-of-{}", account.wrapping_add(1))].map(|salt| notice.clone().salted(salt).xml())
        })
        .collect();
    let sent = forged.iter().cycle().take(300).map(|xml| post(appliance.address(), "/notifications/wallet", xml));
    let answers: BTreeSet<(u16, String)> = join_all(sent).await.into_iter().collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (status, body) = answers.into_iter().next().unwrap();
    assert_eq!(status, 401);
    for word in ["salt", "account", "502", "400001"] {
        assert!(!body.contains(word), "{body}");
    }
    // Once for each of the two known accounts; unknown ones cause no call.
    assert_eq!(calls(&world), 2);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Account)), 2);
    world.clock.advance(SignedDuration::from_secs(599));
    assert_eq!(known().salted("guess").send(appliance.address()).await, 401);
    assert_eq!(calls(&world), 2);
    world.clock.advance(SignedDuration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(known().salted("guess").send(appliance.address()).await, 401);
    }
    assert_eq!(calls(&world), 3);
    assert!(world.notifications().is_empty());
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_salt_that_hipay_has_changed_is_found_out_by_the_first_notice_that_does_not_fit() {
    let (world, appliance) = world().await;
    let technical = world.sandbox.credentials().technical_id;
    world.sandbox.hipay(|hipay| {
        for account in [wallet_of(2001), technical] {
            "renewed".clone_into(&mut hipay.account_mut(account).unwrap().callback_salt);
        }
    });
    for account in [wallet_of(2001), technical] {
        world.sandbox.traffic(Traffic::clear);
        // Many at once: one of them makes the call to HiPay, and all use its answer.
        let notices = (0..20).map(|number| {
            Notice::new("other_transaction", "ok", account).with("label", &number.to_string()).salted("renewed")
        });
        let address = appliance.address();
        let sent = notices.map(|notice| async move { notice.send(address).await });
        assert!(join_all(sent).await.iter().all(|status| *status == 204));
        assert_eq!(calls(&world), 1);
        // The former salt is no longer accepted.
        assert_eq!(Notice::new("other_transaction", "ok", account).with("label", "x").send(address).await, 401);
        assert_eq!(jobs::callback_salt(&world.context, account).await.unwrap().unwrap().expose(), "renewed");
    }
    world.all_heard().await;
    assert_eq!(world.count_of(State::Applied), 40);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_hipay_cannot_be_asked_whoever_does_not_fit_is_to_come_again_and_a_right_one_is_taken() {
    let (world, appliance) = world().await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).on(Remote::Hipay).times(10_000));
    assert_eq!(known().salted("guess").send(appliance.address()).await, 503);
    let asked = calls(&world);
    assert_eq!(known().salted("other").send(appliance.address()).await, 503);
    assert_eq!(calls(&world), asked);
    assert_eq!(Notice::new("something", "ok", wallet_of(2001)).send(appliance.address()).await, 204);
    world.all_heard().await;
    // Nothing of it is stored, and once HiPay answers again it is distinguished from a true one.
    assert_eq!(world.notifications().len(), 1);
    world.sandbox.faults(|plan| plan.rules.clear());
    world.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(known().salted("guess").send(appliance.address()).await, 401);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_salts_are_read_as_soon_as_hipay_can_be_asked_and_remembered() {
    let mut world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).on(Remote::Hipay).times(10_000));
    let appliance = world.serve().await;
    let technical = world.sandbox.credentials().technical_id;
    let operator = world.sandbox.credentials().operator_id;
    let funding = Notice::new("other_transaction", "ok", technical);
    until("HiPay was asked", || calls(&world) >= 8).await;
    // Not known yet is not forged.
    assert_eq!(funding.send(appliance.address()).await, 503);
    assert_eq!(Notice::new("capture", "ok", wallet_of(2001)).send(appliance.address()).await, 503);
    world.sandbox.faults(|plan| plan.rules.clear());
    let both_known = async {
        for account in [technical, operator] {
            while jobs::callback_salt(&world.context, account).await.unwrap().is_none() {
                world.clock.advance(SignedDuration::from_mins(1));
                tokio::task::yield_now().await;
            }
        }
    };
    both_known.await;
    assert_eq!(funding.send(appliance.address()).await, 204);
    world.all_heard().await;
    appliance.stop().await.unwrap();
    // The next start does not need HiPay for it.
    world.restart().await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).on(Remote::Hipay).times(10_000));
    let appliance = world.serve().await;
    assert_eq!(funding.with("label", "next").send(appliance.address()).await, 204);
    world.all_heard().await;
    appliance.stop().await.unwrap();
}
