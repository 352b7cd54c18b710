//! HiPay's notifications about vendors: identification, documents, bank details; their effect here and in Mirakl.

use cashout::domain::inbox::NotificationState as State;
use cashout::domain::vendor::{DocumentValidation, SentDocument, WalletStatus};
use cashout::sandbox::{Document, Endpoint, Fault, FaultKind, HipayModel, Moment, Reviews, SandboxOptions, Shop};
use cashout::store::{Query, View};
use jiff::SignedDuration;

use crate::notices::{Notice, newcomer, port};
use crate::world::{World, wallet_of};

fn shop(world: &World, id: u64) -> Shop {
    world.sandbox.mirakl(|mirakl| mirakl.shop(id).unwrap().clone())
}

/// Returns the shop's state in Mirakl: KYC status, payments blocked, suspended.
fn in_mirakl(world: &World, id: u64) -> (String, bool, bool) {
    let shop = shop(world, id);
    (shop.kyc_status, shop.payment_blocked, shop.suspended)
}

/// Makes a world in which HiPay reviews documents on demand, and sends notices about new wallets.
async fn listening() -> (World, cashout::serve::Appliance) {
    let (listener, url) = port();
    let world = World::unscheduled(SandboxOptions::default(), &[&format!("server.publicUrl: {url}")]).await;
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
    let appliance = world.heard_on(listener, &url).await;
    (world, appliance)
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_bank_details_suspend_the_shop_until_others_are_validated() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "06_rib.pdf");
    world.vendors().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), true, false));
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("REFUSED".to_owned(), true, true));
    let reason = "HiPay has refused the bank details: The document is inconsistent";
    assert_eq!(shop(&world, 2001).kyc_reason.as_deref(), Some(reason));
    let vendor = world.vendor(2001);
    assert_eq!((vendor.status(), vendor.bank_status), ("warning", 1));
    assert!(vendor.reasons().any(|one| one == reason), "{vendor:#?}");
    // A run in between finds nothing new to send, and does not undo it.
    world.vendors().await;
    assert_eq!(in_mirakl(&world, 2001), ("REFUSED".to_owned(), true, true));
    assert!(world.vendor(2001).reasons().any(|one| one == reason));

    world.clock.advance(SignedDuration::from_hours(1));
    world.sandbox.mirakl(|mirakl| {
        mirakl.documents.push(Document::new(99_999, 2001, "ALL_PROOF_OF_BANK_ACCOUNT", "better.pdf"));
    });
    world.vendors().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), true, false));
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    let vendor = world.vendor(2001);
    assert_eq!((vendor.status(), vendor.bank_status, vendor.payment_blocked), ("success", 3, false), "{vendor:#?}");

    // An hour-old result of HiPay arrives again in another notice: it is outdated.
    let late = Notice::new("bank_info_validation", "nok", vendor.hipay_id.unwrap())
        .with("date", "2026-11-09")
        .salted(vendor.callback_salt.expose());
    assert_eq!(late.send(appliance.address()).await, 204);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    assert_eq!(world.told_of("bank_info_validation").last().unwrap().0, State::Ignored);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_somebody_elses_stays() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    let payment = world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment.take());
    world.vendors().await;
    world.sandbox.mirakl(|mirakl| {
        let shop = mirakl.shop_mut(2001).unwrap();
        (shop.payment_blocked, shop.payment) = (true, payment);
    });
    world.vendors().await;
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), true, false));
    let vendor = world.vendor(2001);
    assert_eq!((vendor.bank_status, vendor.payment_blocked), (3, true));
    assert!(vendor.reasons().any(|one| one.contains("someone else has blocked them")), "{vendor:#?}");
    let (state, message) = world.told_of("bank_info_validation").remove(0);
    assert_eq!(state, State::Applied);
    assert!(message.contains("payments stay blocked"), "{message}");
    appliance.stop().await.unwrap();
}

/// Checks that a block that is older than the store's knowledge of the shop ends with HiPay's notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_from_before_we_knew_the_shop_ends_with_the_validation() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment_blocked = true);
    world.vendors().await;
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    assert_eq!((world.vendor(2001).bank_status, world.vendor(2001).payment_blocked), (3, false));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mirakl_is_told_as_soon_as_it_can_be_and_across_a_restart() {
    let (mut world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    newcomer(&world, 2002, "rib.pdf");
    world.vendors().await;
    let out = |endpoint| Fault::new(FaultKind::Unavailable(None)).at(endpoint).times(10_000);
    world.sandbox.strike(out(Endpoint::UpdateShops));
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    // Mirakl is not needed for this.
    assert_eq!(world.vendor(2001).wallet_status(), WalletStatus::Identified);
    let told = world.told_of("bank_info_validation");
    assert!(
        told.iter()
            .all(|(state, message)| *state == State::Waiting && message.contains("could not be passed on to Mirakl"))
    );
    assert!(world.vendor(2001).payment_blocked);
    // Longer than the limit for subjects that stay unknown.
    for _ in 0..30 {
        world.clock.advance(SignedDuration::from_hours(8));
        world.all_heard().await;
    }
    assert_eq!(world.count_of(State::Waiting), 2);
    appliance.stop().await.unwrap();
    world.restart().await;
    world.sandbox.faults(|plan| plan.rules.clear());
    world.clock.advance(SignedDuration::from_hours(1));
    let appliance = world.heard().await;
    world.all_heard().await;
    for id in [2001, 2002] {
        assert_eq!(in_mirakl(&world, id), ("APPROVED".to_owned(), false, false));
        assert_eq!((world.vendor(id).bank_status, world.vendor(id).payment_blocked), (3, false));
    }
    assert_eq!(world.count_of(State::Waiting), 0);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_comes_while_a_run_deals_with_the_shop_waits_its_turn() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    // HiPay validates before we have made Mirakl block.
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::AtOnce);
    let mut blocking = world.sandbox.pause_at(Endpoint::UpdateShops, Moment::Before, 1);
    let meanwhile = async {
        assert!(blocking.reached().await);
        world.sandbox.notices_delivered().await;
        assert_eq!(world.notifications_of("bank_info_validation")[0].state, State::Received);
        blocking.release();
    };
    let (batch, ()) = tokio::join!(world.vendors(), meanwhile);
    assert_eq!(batch.failed, 0, "{:?}", batch.failures);
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    let vendor = world.vendor(2001);
    assert_eq!((vendor.bank_status, vendor.payment_blocked, vendor.blocked_for_bank_details), (3, false, false));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_is_remembered_with_what_hipay_thinks_of_it() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    world.sandbox.mirakl(|mirakl| {
        for document in &mut mirakl.documents {
            if document.file_name == "identity.pdf" {
                "03_identity.pdf".clone_into(&mut document.file_name);
            }
        }
    });
    world.vendors().await;
    let documents = |world: &World| {
        let page = world.context.store.read(|reader| reader.page(&Query::<SentDocument, _>::all())).unwrap();
        let told = page.items.into_iter().map(|one| (one.file_name, one.validation, one.validation_message));
        told.collect::<Vec<_>>()
    };
    assert!(documents(&world).iter().all(|(_, validation, _)| *validation == DocumentValidation::Waiting));
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    let file = |name: &str, validation, message: &str| (name.to_owned(), validation, message.to_owned());
    assert_eq!(
        documents(&world),
        [
            file("03_identity.pdf", DocumentValidation::Invalid, "The document is unreadable"),
            file("register.pdf", DocumentValidation::Valid, ""),
            file("rib.pdf", DocumentValidation::Waiting, ""),
        ]
    );
    let vendor = world.vendor(2001);
    assert_eq!((vendor.wallet_status(), vendor.status()), (WalletStatus::NotIdentified, "warning"), "{vendor:#?}");

    // Another one is sent; the review is of that one.
    world.clock.advance(SignedDuration::from_hours(1));
    world.sandbox.mirakl(|mirakl| {
        mirakl.documents.push(Document::new(99_999, 2001, "LEGAL_IDENTITY_OF_REPRESENTATIVE", "readable.pdf"));
    });
    world.vendors().await;
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.all_heard().await;
    let known = documents(&world);
    assert_eq!(known[0].1, DocumentValidation::Invalid);
    assert_eq!(known[3], file("readable.pdf", DocumentValidation::Valid, ""));
    let vendor = world.vendor(2001);
    assert_eq!((vendor.wallet_status(), vendor.status()), (WalletStatus::Identified, "success"), "{vendor:#?}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hipay_has_doubts_about_again_says_so() {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.seller(2001);
    world.vendors().await;
    world.clock.set("2026-11-10T12:00:00Z".parse().unwrap());
    let appliance = world.heard().await;
    let notice = |status, time| {
        Notice::new("Identification", status, wallet_of(2001)).with("date", "2026-11-10").with("time", time)
    };
    let no = notice("nok", "10:00:00 UTC+0000").with("message", "The register has no such company");
    assert_eq!(no.send(appliance.address()).await, 204);
    world.all_heard().await;
    let vendor = world.vendor(2001);
    assert_eq!((vendor.identified, vendor.status()), (false, "warning"));
    assert!(vendor.reasons().any(|one| one.ends_with("The register has no such company")), "{vendor:#?}");
    // A result from before that, and one from after.
    assert_eq!(notice("ok", "09:57:59 UTC+0000").send(appliance.address()).await, 204);
    world.all_heard().await;
    assert!(!world.vendor(2001).identified);
    assert_eq!(notice("ok", "10:00:01 UTC+0000").send(appliance.address()).await, 204);
    world.all_heard().await;
    let vendor = world.vendor(2001);
    assert_eq!((vendor.identified, vendor.status()), (true, "success"), "{vendor:#?}");
    // Notices about our own accounts belong to no vendor.
    let technical = world.sandbox.credentials().technical_id;
    assert_eq!(Notice::new("identification", "nok", technical).send(appliance.address()).await, 204);
    world.all_heard().await;
    assert!(
        world
            .told_of("identification")
            .iter()
            .any(|(state, told)| { *state == State::Ignored && told.contains("our own account") })
    );
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validation_that_hipay_itself_does_not_show_frees_nothing() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    world.vendors().await;
    let vendor = world.vendor(2001);
    // Signed as by HiPay: a seller may know how the notices of the own wallet are signed.
    world.clock.advance(SignedDuration::from_mins(1));
    let claim =
        Notice::new("bank_info_validation", "ok", vendor.hipay_id.unwrap()).salted(vendor.callback_salt.expose());
    assert_eq!(claim.send(appliance.address()).await, 204);
    world.all_heard().await;
    let (state, message) = world.told_of("bank_info_validation").remove(0);
    assert!(state == State::Waiting && message.contains("does not show"), "{state:?}: {message}");
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), true, false));
    assert!(world.vendor(2001).payment_blocked);

    world.sandbox.hipay(HipayModel::settle_reviews);
    world.clock.advance(SignedDuration::from_mins(30));
    world.all_heard().await;
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    assert!(!world.vendor(2001).payment_blocked);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_listed_the_shop_before_a_notice_does_not_undo_it() {
    let (world, appliance) = listening().await;
    newcomer(&world, 2001, "rib.pdf");
    world.vendors().await;
    world.clock.advance(SignedDuration::from_mins(5));
    // The run has listed the shop as blocked, and is held before it processes it.
    let mut held = world.sandbox.pause_at(Endpoint::ShopDocuments, Moment::Before, 1);
    let meanwhile = async {
        assert!(held.reached().await);
        world.clock.advance(SignedDuration::from_secs(5));
        world.sandbox.hipay(HipayModel::settle_reviews);
        world.all_heard().await;
        assert!(!world.vendor(2001).payment_blocked);
        held.release();
    };
    let ((), batch) = tokio::join!(meanwhile, world.vendors());
    assert_eq!(batch.failed, 0, "{:?}", batch.failures);
    assert!(!world.vendor(2001).payment_blocked);
    assert_eq!(in_mirakl(&world, 2001), ("APPROVED".to_owned(), false, false));
    appliance.stop().await.unwrap();
}
