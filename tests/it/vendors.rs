//! Processing of shops in Mirakl to wallets at HiPay.

use cashout::domain::vendor::WalletStatus;
use cashout::sandbox::{Document, Endpoint, Fault, FaultKind, Refusal, Reviews, SandboxOptions, Shop};

use crate::world::{IBAN, World, wallet_of};

/// Adds a shop with all its documents and no wallet yet.
fn newcomer(world: &World, id: u64, name: &str) {
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(id, name);
        shop.email = Some(format!("Contact{id}@Shops.example"));
        shop.hipay_process = Some(true);
        shop.professional = true;
        if let Some(payment) = &mut shop.payment {
            IBAN.clone_into(&mut payment.iban);
        }
        mirakl.shops.push(shop);
        for (index, kind) in [
            "LEGAL_IDENTITY_OF_REPRESENTATIVE",
            "LEGAL_PROOF_OF_REGISTRATION_NUMBER",
            "LEGAL_ARTICLES_DISTR_OF_POWERS",
            "ALL_PROOF_OF_BANK_ACCOUNT",
        ]
        .into_iter()
        .enumerate()
        {
            let document = id * 10 + u64::try_from(index).unwrap();
            mirakl.documents.push(Document::new(document, id, kind, &format!("file{index}.pdf")));
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_shop_gets_a_wallet_documents_and_bank_details() {
    let world = World::new().await;
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
    newcomer(&world, 2001, "L'Atelier d'Été");
    let batch = world.vendors().await;
    assert_eq!(batch.failed, 0, "{:?}", batch.failures);
    let vendor = world.vendor(2001);
    assert_eq!(vendor.login, "mirakl_LAtelierdt_2001");
    assert_eq!(
        (vendor.wallet_status(), vendor.documents_sent, vendor.status()),
        (WalletStatus::NotIdentified, 4, "success")
    );
    assert_eq!((vendor.bank_status, vendor.payment_blocked), (2, true));
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    // HiPay validates; the next run sees it and unblocks.
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_reviews);
    world.vendors().await;
    let vendor = world.vendor(2001);
    assert_eq!(
        (vendor.wallet_status(), vendor.bank_status, vendor.payment_blocked),
        (WalletStatus::Identified, 3, false)
    );
    assert!(!world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    // Nothing is sent again.
    let sent = |world: &World| {
        world.sandbox.traffic(|traffic| (traffic.count(Endpoint::SendDocument), traffic.count(Endpoint::RegisterBank)))
    };
    let before = sent(&world);
    world.vendors().await;
    assert_eq!(sent(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_shop_does_not_stop_the_others() {
    let world = World::new().await;
    for id in 2001..=2006 {
        newcomer(&world, id, "Shop");
    }
    world.sandbox.mirakl(|mirakl| {
        mirakl.shop_mut(2001).unwrap().email = None;
        mirakl.shop_mut(2002).unwrap().served_as = Some("{\"shop_name\": \"nobody\"}".to_owned());
        mirakl.shop_mut(2003).unwrap().country = "Atlantis".to_owned();
        mirakl.shop_mut(2004).unwrap().payment.as_mut().unwrap().iban = "FR1420041010050500013M02607".to_owned();
        mirakl.documents.push(Document::new(99, 2005, "SOMETHING_NEW", "new.pdf"));
        mirakl.documents.push(Document::new(98, 2005, "LEGAL_PROOF_OF_REGISTRATION_NUMBER", "letter.docx"));
    });
    let batch = world.vendors().await;
    let told: Vec<&str> = batch.failures.iter().map(|failure| failure.message.text()).collect();
    for expected in
        ["no e-mail", "no shop_id", "'Atlantis' is no country", "IBAN in Mirakl is wrong", "none that HiPay takes"]
    {
        assert_eq!(told.iter().filter(|one| one.contains(expected)).count(), 1, "{expected}: {told:#?}");
    }
    assert_eq!(batch.failed, 5);
    assert_eq!(world.vendor(2001).wallet_status(), WalletStatus::NotCreated);
    assert_eq!(world.vendor(2004).status(), "warning");
    // HiPay has reviewed the documents by the next run.
    world.vendors().await;
    assert_eq!(world.vendor(2006).wallet_status(), WalletStatus::Identified);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_email_means_the_wallet_that_is_there() {
    let world = World::new().await;
    world.seller(2001);
    world.vendors().await;
    assert_eq!(world.vendor(2001).hipay_id, Some(wallet_of(2001)));
    // A second shop with the same e-mail does not get the same wallet.
    newcomer(&world, 2002, "Copy");
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2002).unwrap().email = Some("seller2001@shops.example".to_owned()));
    world.vendors().await;
    assert_eq!(world.vendor(2002).hipay_id, None);
    assert!(world.vendor(2002).warnings[0].contains("belongs to the shop 2001"), "{:?}", world.vendor(2002).warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_is_lost_makes_no_second_wallet() {
    let world = World::new().await;
    newcomer(&world, 2001, "Shop");
    world.sandbox.strike(Fault::lost_answer(Endpoint::CreateAccount));
    world.vendors().await;
    assert!(world.vendor(2001).hipay_id.is_some());
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::CreateAccount)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_changed_in_mirakl_is_changed_at_hipay() {
    let world = World::new().await;
    world.seller(2001);
    world.vendors().await;
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().email = Some("new@shops.example".to_owned()));
    world.vendors().await;
    assert_eq!(world.vendor(2001).email, "new@shops.example");
    assert_eq!(world.sandbox.hipay(|hipay| hipay.account(wallet_of(2001)).unwrap().email.clone()), "new@shops.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_414_and_415_are_remembered_and_not_sent_again() {
    let world = World::new().await;
    newcomer(&world, 2001, "Shop");
    world.sandbox.hipay(|hipay| {
        hipay.reviews = Reviews::ByHand;
        hipay.refusals.push(Refusal::code(Endpoint::SendDocument, 414));
        hipay.refusals.push(Refusal::code(Endpoint::SendDocument, 415));
    });
    assert_eq!(world.vendors().await.failed, 0);
    let sent = world.sandbox.traffic(|traffic| traffic.count(Endpoint::SendDocument));
    world.vendors().await;
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::SendDocument)), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirakl_without_the_custom_field_disables_nobody() {
    let world = World::new().await;
    world.seller(2001);
    world.vendors().await;
    world.clock.advance(jiff::SignedDuration::from_hours(25));
    world.sandbox.mirakl(|mirakl| {
        mirakl.additional_fields.clear();
        mirakl.shop_mut(2001).unwrap().hipay_process = None;
    });
    let command = cashout::jobs::Command::VendorProcess { since: None };
    assert!(world.try_run(command).await.is_err());
    assert!(world.vendor(2001).enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_shops_than_a_page_and_a_bad_line() {
    let world = World::with(SandboxOptions { fault_rate_percent: 5, ..SandboxOptions::default() }, &[]).await;
    for id in 2001..2126 {
        world.seller(id);
    }
    for _ in 0..6 {
        let command = cashout::jobs::Command::VendorProcess { since: None };
        let _ = world.try_run(command).await;
    }
    assert!((2001..2126).all(|id| world.vendor(id).hipay_id == Some(wallet_of(id))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_html_or_half_an_answer_is_asked_for_again_and_then_told() {
    let world = World::new().await;
    world.seller(2001);
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(200)).at(Endpoint::Shops));
    world.sandbox.strike(Fault::new(FaultKind::TruncatedBody).at(Endpoint::Shops));
    assert_eq!(world.vendors().await.failed, 0);
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(200)).at(Endpoint::Shops).times(100));
    let error = world.try_run(cashout::jobs::Command::VendorProcess { since: None }).await.unwrap_err();
    assert!(error.to_string().contains("text/html"), "{error}");
}
