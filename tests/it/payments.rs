//! HiPay Enterprise's notifications about customers' payments: signed, in three formats, repeated,
//! late, forged and broken.

use std::time::Duration;

use cashout::domain::inbox::{Notification, NotificationKind, NotificationState};
use cashout::domain::money::{Amount, Currency};
use cashout::domain::payment::{CustomerPayment, PaymentOutcome, PaymentStatus};
use cashout::domain::settlement::Settlement;
use cashout::sandbox::enterprise::{Customers, Enterprise, EnterpriseNotice, SignedBy, Written};
use cashout::sandbox::{Delivery, SandboxOptions};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::running::Running;
use crate::world::World;

/// The example of HiPay's documentation, byte for byte.
pub(crate) const EXAMPLE: &str = include_str!("../fuzz/corpus/enterprise/documented.form");
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// Upper bound on any wait; only a test that would otherwise hang reaches it.
pub(crate) const FOR_EVER: Duration = Duration::from_mins(1);

pub(crate) const ACCEPTED: Delivery = Delivery::Answered(204);

pub(crate) fn enterprise(world: &World, appliance: &Appliance) -> Enterprise {
    let url = format!("http://{}/notifications/enterprise", appliance.address());
    Enterprise::new(url, world.sandbox.credentials().enterprise_passphrase.expose())
}

pub(crate) fn notifications(world: &World) -> Vec<Notification> {
    let query = Query::all().limit(100_000);
    world.context.store.read(|reader| Ok(reader.page(&query)?.items)).unwrap()
}

/// Waits until everything in the inbox is finished, and returns it.
pub(crate) async fn dealt_with(world: &World) -> Vec<Notification> {
    let all_ended = async {
        loop {
            let notifications = notifications(world);
            if notifications.iter().all(|one| !one.state.is_open()) {
                return notifications;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(FOR_EVER, all_ended).await.expect("the inbox is worked off")
}

pub(crate) fn payments(world: &World) -> Vec<CustomerPayment> {
    let query = Query::all().limit(100_000);
    world.context.store.read(|reader| Ok(reader.page(&query)?.items)).unwrap()
}

pub(crate) fn payment(world: &World, reference: &str) -> CustomerPayment {
    let found = world.context.store.read(|reader| reader.get::<CustomerPayment>(&reference.to_owned())).unwrap();
    found.unwrap_or_else(|| panic!("no payment {reference}"))
}

pub(crate) fn settlements(world: &World) -> Vec<Settlement> {
    world.context.store.read(|reader| Ok(reader.page(&Query::all())?.items)).unwrap()
}

/// Returns the notifications about a successful payment.
pub(crate) fn captured(customers: &mut Customers) -> Vec<EnterpriseNotice> {
    loop {
        let told = customers.pay();
        if told.last().is_some_and(|last| last.field("status") == "118") {
            return told;
        }
    }
}

pub(crate) fn customers(world: &World, seed: u64) -> Customers {
    Customers::new(seed, world.clock.now())
}

/// Starts the binary on this world as a service, and returns a sender to it.
pub(crate) async fn serving(world: &World) -> (Running, Enterprise) {
    running(world, Running::start(world.cashout(&["serve", "-v"]))).await
}

pub(crate) async fn running(world: &World, mut running: Running) -> (Running, Enterprise) {
    let line = running.says(concat!("cashout ", env!("CARGO_PKG_VERSION"), " answers on")).await;
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    let passphrase = world.sandbox.credentials().enterprise_passphrase.expose();
    (running, Enterprise::new(format!("http://{address}/notifications/enterprise"), passphrase))
}

pub(crate) const ANY_PORT: &str = "server.listen: 127.0.0.1:0";

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_becomes_a_payment() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    assert_eq!(hipay.send_body(FORM, EXAMPLE.as_bytes()).await, ACCEPTED);
    let inbox = dealt_with(&world).await;
    assert_eq!(
        (inbox.len(), inbox[0].state, inbox[0].kind),
        (1, NotificationState::Applied, NotificationKind::Payment)
    );
    assert_eq!((inbox[0].action.as_str(), inbox[0].subject.as_str()), ("118", "132255767588"));
    assert_eq!(inbox[0].body, EXAMPLE);
    assert_eq!(inbox[0].message, "payment 132255767588: 118 Captured");

    let payment = payment(&world, "132255767588");
    let euro = |minor| Some(Amount::from_minor(minor, Currency::EUR));
    let latest = &payment.latest;
    assert_eq!((payment.outcome(), latest.order_id.as_str()), (PaymentOutcome::Accepted, "HiPay-120034"));
    assert_eq!(
        (latest.authorized_amount, latest.captured_amount, latest.refunded_amount),
        (euro(8_300), euro(8_300), euro(0))
    );
    assert_eq!(payment.date, "2019-08-05T13:57:51Z".parse::<Timestamp>().unwrap());
    // Every field of it, as it was sent.
    for pair in EXAMPLE.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        assert_eq!(latest.fields.get(name), Some(value).filter(|value| !value.is_empty()), "{name}");
    }
    assert_eq!(latest.fields.len(), EXAMPLE.split('&').count());
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_and_every_hash_tells_the_same() {
    let mut told = Vec::new();
    for (hash, signed_by) in [("sha1", SignedBy::Sha1), ("sha256", SignedBy::Sha256), ("sha512", SignedBy::Sha512)] {
        let setting = format!("hipay.enterprise.hashAlgorithm: {hash}");
        let world = World::with(SandboxOptions::default(), &[&setting]).await;
        let appliance = world.serve().await;
        for (reference, written) in [("1", Written::Form), ("2", Written::Xml), ("3", Written::Json)] {
            let hipay = Enterprise { written, signed_by, ..enterprise(&world, &appliance) };
            let mut notice = captured(&mut customers(&world, 7)).pop().unwrap();
            for (name, value) in &mut notice.fields {
                if name == "transaction_reference" {
                    reference.clone_into(value);
                }
            }
            assert_eq!(hipay.send(&notice).await, ACCEPTED, "{hash} {written:?}");
            let mut settled = customers(&world, 7).settle();
            settled
                .fields
                .iter_mut()
                .filter(|(name, _)| name == "reference")
                .for_each(|(_, value)| value.push_str(reference));
            assert_eq!(hipay.send(&settled).await, ACCEPTED, "{hash} {written:?}");
            // The other hashes are refused.
            for other in [SignedBy::Sha1, SignedBy::Sha256, SignedBy::Sha512] {
                if other != signed_by {
                    let wrong = Enterprise { signed_by: other, ..hipay.clone() };
                    assert_eq!(wrong.send(&notice).await, Delivery::Answered(401));
                }
            }
        }
        dealt_with(&world).await;
        assert_eq!(settlements(&world).len(), 3);
        let amounts = settlements(&world).into_iter().map(|one| (one.amount, one.sales, one.currency));
        let amounts: std::collections::HashSet<_> = amounts.collect();
        assert_eq!(amounts.len(), 1);
        for payment in payments(&world) {
            assert!(payment.latest.unreadable.is_empty(), "{:?}", payment.latest.unreadable);
            let typed =
                (payment.outcome(), payment.date, payment.latest.captured_amount, payment.latest.order_id.clone());
            told.push((typed, payment.latest.field(&["payment_method[card_holder]"]).map(str::to_owned)));
        }
        appliance.stop().await.unwrap();
    }
    assert_eq!(told.len(), 9);
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_shuffled_and_late_ones_count_once_and_turn_nothing_back() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let mut customers = customers(&world, 3);
    let stories: Vec<Vec<EnterpriseNotice>> = (0..25).map(|_| customers.pay()).collect();
    let mut told: Vec<&EnterpriseNotice> = stories.iter().flatten().flat_map(|notice| [notice; 3]).collect();
    fastrand::Rng::with_seed(11).shuffle(&mut told);
    for some in told.chunks(20) {
        let answers = join_all(some.iter().map(|notice| hipay.send(notice))).await;
        assert!(answers.iter().all(|answer| *answer == ACCEPTED), "{answers:?}");
    }
    let inbox = dealt_with(&world).await;
    let different: usize = stories.iter().map(Vec::len).sum();
    assert_eq!(inbox.len(), different);
    assert!(inbox.iter().all(|one| one.state == NotificationState::Applied && one.repeats == 2));
    assert_eq!(payments(&world).len(), stories.len());
    for story in &stories {
        let payment = payment(&world, story[0].field("transaction_reference"));
        let statuses = payment.history.iter().filter_map(|step| step.status).map(|status| status.0.to_string());
        assert_eq!(statuses.collect::<Vec<_>>(), story.iter().map(|notice| notice.field("status")).collect::<Vec<_>>());
        let last = story.last().unwrap();
        assert_eq!(payment.latest.status.map(|status| status.0.to_string()).as_deref(), Some(last.field("status")));
        assert_eq!(payment.latest.refunded_amount.map(Amount::decimal).as_deref(), Some(last.field("refunded_amount")));
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_found_by_what_people_ask_for() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let mut customers = customers(&world, 5);
    let stories: Vec<Vec<EnterpriseNotice>> = (0..60).map(|_| customers.pay()).collect();
    let all: Vec<&EnterpriseNotice> = stories.iter().flatten().collect();
    for some in all.chunks(40) {
        join_all(some.iter().map(|notice| hipay.send(notice))).await;
    }
    dealt_with(&world).await;
    let count_of = |statuses: &[&str]| {
        let lasts = stories.iter().filter_map(|story| story.last());
        u64::try_from(lasts.filter(|last| statuses.contains(&last.field("status"))).count()).unwrap()
    };
    let reader = |query: Query<CustomerPayment>| world.context.store.read(|reader| reader.page(&query)).unwrap();
    let listed = |listing: Query<CustomerPayment, jiff::Timestamp>| {
        world.context.store.read(|reader| reader.page(&listing.descending().limit(60))).unwrap()
    };
    let of = |outcome: PaymentOutcome| listed(Query::group(CustomerPayment::BY_OUTCOME, (outcome,)));
    let accepted = of(PaymentOutcome::Accepted);
    assert_eq!((accepted.total, accepted.total_exact), (count_of(&["118", "125", "126"]), true));
    assert!(accepted.items.is_sorted_by(|one, next| one.date >= next.date));
    assert_eq!(of(PaymentOutcome::Declined).total, count_of(&["109", "113", "115"]));
    assert_eq!(of(PaymentOutcome::Pending).total, count_of(&["112", "200"]));
    assert_eq!(of(PaymentOutcome::Disputed).total, count_of(&["129"]));
    let declined = (PaymentOutcome::Declined, false, Some(113_u32));
    assert_eq!(listed(Query::any_of(CustomerPayment::BY_OUTCOME, [declined])).total, count_of(&["113"]));
    let real = listed(Query::any_of(CustomerPayment::BY_OUTCOME, PaymentOutcome::ALL.map(|outcome| (outcome, false))));
    assert_eq!((real.total, reader(Query::group(CustomerPayment::BY_DATE, ()).in_any_order()).total), (60, 60));
    let one = &stories[17][0];
    let found = reader(
        Query::group(CustomerPayment::BY_ORDER, CustomerPayment::searched(one.field("order[id]"))).in_any_order(),
    );
    assert_eq!(found.items[0].transaction_reference, one.field("transaction_reference"));
    let beginning = |text: &str| Query::group(CustomerPayment::SEARCH, ()).beginning_with(text).in_any_order();
    assert_eq!(reader(beginning("order-00001")).items.len(), 10);
    assert_eq!(reader(beginning("80000000001")).items.len(), 10);
    let declined =
        of(PaymentOutcome::Declined).items.into_iter().find(|one| one.latest.status == Some(PaymentStatus(113)));
    assert!(declined.is_some_and(|one| !one.latest.reason_code.is_empty() && !one.latest.reason_message.is_empty()));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_is_recorded_and_may_be_corrected() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let mut customers = customers(&world, 9);
    for _ in 0..20 {
        customers.pay();
    }
    let notice = customers.settle();
    assert_eq!(hipay.send(&notice).await, ACCEPTED);
    let mut corrected = notice.clone();
    corrected.fields.iter_mut().filter(|(name, _)| name == "other").for_each(|(_, value)| "-1.50".clone_into(value));
    assert_eq!(hipay.send(&corrected).await, ACCEPTED);
    assert_eq!(hipay.send(&notice).await, ACCEPTED);
    let inbox = dealt_with(&world).await;
    assert!(
        inbox.iter().all(|one| one.kind == NotificationKind::Settlement && one.state == NotificationState::Applied)
    );
    let [settlement] = settlements(&world).try_into().unwrap();
    assert_eq!((settlement.reference.as_str(), settlement.account.as_str()), ("SETTLEMENT-00001", "1234567"));
    assert_eq!(settlement.notifications, [1, 2]);
    assert_eq!(settlement.other, Some(Amount::from_minor(-150, Currency::EUR)));
    let sum = [settlement.sales, settlement.refunds, settlement.fees, settlement.chargeback].into_iter().flatten();
    let sum = sum.reduce(|left, right| left.checked_add(right).unwrap());
    assert_eq!((sum, settlement.unreadable.len()), (settlement.amount, 0));
    assert!(settlement.sales.is_some_and(Amount::is_positive));
    appliance.stop().await.unwrap();
}
