//! Payment notifications that were acknowledged: neither a kill nor a full disk loses them.

use cashout::domain::payment::PaymentStatus;
use cashout::jobs;
use cashout::sandbox::SandboxOptions;
use cashout::sandbox::enterprise::{EnterpriseNotice, Written};
use futures_util::future::join_all;

use crate::bad_store::limitable;
use crate::payments::{
    ACCEPTED, ANY_PORT, FOR_EVER, captured, customers, dealt_with, enterprise, payment, payments, running, serving,
};
use crate::running::Running;
use crate::world::{World, http};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_kill() {
    for round in 0..4 {
        let mut world = World::with(SandboxOptions::default(), &[ANY_PORT]).await;
        world.release_store().await;
        let (running, hipay) = serving(&world).await;
        let mut customers = customers(&world, round);
        let told: Vec<EnterpriseNotice> = (0..150).flat_map(|_| customers.pay()).collect();
        let kill_after = usize::try_from(round * 37 + 5).unwrap();
        let acknowledged = std::sync::Mutex::new(Vec::new());
        let sending = join_all(told.iter().map(|notice| async {
            if hipay.send(notice).await == ACCEPTED {
                let mut acknowledged = acknowledged.lock().unwrap();
                acknowledged
                    .push((notice.field("transaction_reference").to_owned(), notice.field("status").to_owned()));
                if acknowledged.len() == kill_after {
                    running.signal("KILL");
                }
            }
        }));
        tokio::time::timeout(FOR_EVER, sending).await.unwrap();
        assert!(acknowledged.lock().unwrap().len() >= kill_after, "{acknowledged:?}");
        assert_eq!(running.end().await.code, None);
        world.restart().await;
        jobs::drain_inbox(&world.context).await.unwrap();
        let acknowledged = acknowledged.into_inner().unwrap();
        for (reference, status) in &acknowledged {
            let history = payment(&world, reference).history;
            let times = history.iter().filter(|step| step.status.is_some_and(|known| known.0.to_string() == *status));
            assert_eq!(times.count(), 1, "{reference} {status}");
        }
        // HiPay repeats both the unanswered and the answered ones: each counts once.
        let appliance = world.serve().await;
        let hipay = enterprise(&world, &appliance);
        for some in told.chunks(40) {
            join_all(some.iter().map(|notice| hipay.send(notice))).await;
        }
        dealt_with(&world).await;
        assert_eq!(payments(&world).iter().map(|payment| payment.history.len()).sum::<usize>(), told.len());
        appliance.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_with_come_again_and_nothing_that_was_answered_is_lost() {
    let mut world = World::with(SandboxOptions::default(), &[ANY_PORT]).await;
    world.release_store().await;
    let (running, hipay) = running(&world, Running::start(limitable(&world, &["serve", "-v"]))).await;
    let mut customers = customers(&world, 4);
    let told: Vec<EnterpriseNotice> = (0..5).flat_map(|_| customers.pay()).collect();
    for notice in &told {
        assert_eq!(hipay.send(notice).await, ACCEPTED);
    }
    let full = std::process::Command::new("prlimit").args(["--fsize=0", "--pid", &running.worker()]).status().unwrap();
    assert!(full.success());
    for _ in 0..3 {
        let (content_type, body) = captured(&mut customers)[0].written(Written::Form);
        let request = http().post(&hipay.url).header("content-type", content_type);
        let answer =
            request.header("x-allopass-signature", hipay.signature(body.as_bytes())).body(body).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "30"));
    }
    running.signal("KILL");
    running.end().await;
    world.restart().await;
    jobs::drain_inbox(&world.context).await.unwrap();
    for notice in &told {
        let history = payment(&world, notice.field("transaction_reference")).history;
        let status = |number: PaymentStatus| number.0.to_string() == notice.field("status");
        assert_eq!(history.iter().filter(|step| step.status.is_some_and(status)).count(), 1);
    }
}
