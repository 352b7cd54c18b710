//! Wrong answers of Mirakl: each causes a clear message, and nothing half-done.

use cashout::domain::money::Currency;
use cashout::domain::operation::Status;
use cashout::jobs::{BatchState, Command, GenerateArguments, JobError};
use cashout::sandbox::{Document, Endpoint, Fault, FaultKind, SandboxOptions, Voucher};

use crate::world::{CYCLE, World, euro, wallet_of};

/// Makes a world with one seller and one voucher of 100.00, up to the day after the cycle.
async fn one_voucher() -> World {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.vendors().await;
    world.after_the_cycle();
    world
}

fn generate() -> Command {
    Command::CashoutGenerate(GenerateArguments::default())
}

fn asked(world: &World, endpoint: Endpoint) -> u64 {
    world.sandbox.traffic(|traffic| traffic.count(endpoint))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_ends_the_batch_with_a_sentence_and_the_next_one_makes_up_for_it() {
    for (kind, words) in [
        (FaultKind::HtmlPage(200), "Mirakl's answer cannot be read (HTTP 200, text/html"),
        (FaultKind::HtmlPage(403), "Mirakl refused with HTTP 403"),
        (FaultKind::HtmlPage(502), "Mirakl answered HTTP 502"),
        (FaultKind::ServerError, "Mirakl answered HTTP 500"),
        (FaultKind::TruncatedBody, "the connection to Mirakl broke"),
        (FaultKind::Reset, "the connection to Mirakl broke"),
        (FaultKind::OversizedBody, "the answer of Mirakl is larger than 16777216 bytes"),
        (FaultKind::TooMany(1), "Mirakl answered HTTP 429"),
    ] {
        let world = one_voucher().await;
        world.sandbox.strike(Fault::new(kind).at(Endpoint::Invoices).after_execution().times(1_000));
        let error = world.try_run(generate()).await.unwrap_err();
        assert!(matches!(&error, JobError::Remote(why) if why.contains(words)), "{kind:?}: {error}");
        assert!(world.operations().is_empty());
        world.sandbox.faults(|plan| plan.rules.clear());
        // The cycle was not recorded as done.
        world.generate().await;
        world.pay_day().await;
        assert_eq!(world.status(1), Status::WithdrawSuccess);
        assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirakl_that_cannot_be_reached_is_told() {
    let world = World::with(SandboxOptions::default(), &["mirakl.baseUrl: http://127.0.0.1:1"]).await;
    let error = world.try_run(Command::VendorProcess { since: None }).await.unwrap_err();
    assert!(matches!(&error, JobError::Remote(why) if why.contains("Mirakl cannot be reached")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_mirakl_ended_ends_with_1_and_the_next_one_with_0() {
    let world = World::new().await;
    world.seller(2001);
    world.release_store().await;
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(403)).at(Endpoint::Shops).times(2));
    world.told(&["vendor:process"]).await.ends(1).says("cashout: Mirakl refused with HTTP 403");
    let json = world.told(&["vendor:process", "--json"]).await.ends(1).json();
    assert!(json["error"].as_str().is_some_and(|why| why.contains("HTTP 403")), "{json}");
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::CreateAccount)), 0);
    world.told(&["vendor:process"]).await.ends(0).says("vendor:process: done (1 of 1)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_once_is_read_again() {
    for kind in [FaultKind::HtmlPage(200), FaultKind::TruncatedBody, FaultKind::Unavailable(Some(0))] {
        let world = one_voucher().await;
        let before = asked(&world, Endpoint::Invoices);
        world.sandbox.strike(Fault::new(kind).at(Endpoint::Invoices).after_execution());
        assert_eq!(world.generate().await.state(), BatchState::Done);
        assert_eq!(world.operations().len(), 1);
        assert!(asked(&world, Endpoint::Invoices) > before + 1, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_waited_out_as_mirakl_asks() {
    let world = one_voucher().await;
    world.sandbox.strike(Fault::new(FaultKind::TooMany(1)).at(Endpoint::Invoices).times(2));
    assert_eq!(world.generate().await.failed, 0);
    // Refused twice, then served, without any extra request.
    let refused = world.sandbox.traffic(|traffic| {
        let to_invoices = traffic.exchanges().filter(|one| one.endpoint == Some(Endpoint::Invoices));
        to_invoices.map(|one| one.outcome).collect::<Vec<_>>()
    });
    assert!(matches!(
        refused[..3],
        [
            cashout::sandbox::Outcome::Spoiled(FaultKind::TooMany(1), _),
            cashout::sandbox::Outcome::Spoiled(FaultKind::TooMany(1), _),
            cashout::sandbox::Outcome::Answered(200)
        ]
    ));
    assert_eq!(world.operations().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_makes_no_sense_is_an_error_on_it_alone() {
    let row = |number: u64, rest: &str| {
        let created = "2026-11-11T02:00:00Z".parse().unwrap();
        let mut voucher = Voucher::new(number, 2001, "1.00", created);
        voucher.invoice_served_as = Some(format!("{{\"invoice_id\": {number}, {rest}}}"));
        voucher
    };
    let amounts = |amount: &str| format!("\"summary\": {{\"amount_transferred\": {amount}}}");
    let of_shop = |currency: &str, amount: &str| {
        let date = "\"date_created\": \"2026-11-11T02:00:00Z\"";
        format!("\"shop_id\": 2001, \"currency_iso_code\": \"{currency}\", {date}, {}", amounts(amount))
    };
    let table = [
        (11, of_shop("EUR", "10.005"), "10.005"),
        (12, of_shop("EUX", "10.00"), "EUX"),
        (13, of_shop("EUR", "\"ten\""), "ten"),
        (14, of_shop("EUR", "1e400"), "the amount is too large"),
        (15, of_shop("EUR", "null"), "it has no amount"),
        (16, "\"shop_id\": 2001, \"currency_iso_code\": \"EUR\"".to_owned(), "it has no summary"),
        (17, format!("\"currency_iso_code\": \"EUR\", {}", amounts("1.00")), "it has no shop_id"),
        (18, format!("\"shop_id\": 2001, {}", amounts("1.00")), "it has no currency_iso_code"),
        (19, of_shop("JPY", "10.5"), "10.5"),
        (20, of_shop("EUR", "99999999999999999999.00"), "the amount is too large"),
    ];
    let world = one_voucher().await;
    world.sandbox.mirakl(|mirakl| {
        mirakl.vouchers.extend(table.iter().map(|(number, rest, _)| row(*number, rest)));
    });
    let batch = world.generate().await;
    assert_eq!(batch.failed, 10, "{:#?}", batch.failures);
    for (number, _, words) in &table {
        let about = format!("voucher {number}: ");
        let told: Vec<_> = batch.failures.iter().filter(|one| one.message.starts_with(&about)).collect();
        assert_eq!(told.len(), 1, "{number}: {:#?}", batch.failures);
        assert!(told[0].message.contains(words), "{number}: {}", told[0].message);
    }
    // The valid one among them is paid, and the others are read again once Mirakl has corrected them.
    assert_eq!(world.operations().len(), 1);
    world.sandbox.mirakl(|mirakl| mirakl.vouchers.iter_mut().for_each(|voucher| voucher.invoice_served_as = None));
    assert_eq!(world.generate().await.failed, 0);
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000 + 10 * 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_decimals_that_are_zero_are_the_same_amount_and_a_currency_without_any_is_its_own() {
    let world = one_voucher().await;
    world.sandbox.mirakl(|mirakl| {
        mirakl.voucher_mut(1).unwrap().invoice_served_as = Some(
            "{\"invoice_id\": 1, \"shop_id\": 2001, \"currency_iso_code\": \"EUR\", \"date_created\": \
             \"2026-11-11T02:00:00Z\", \"summary\": {\"amount_transferred\": 100.000}}"
                .to_owned(),
        );
    });
    assert_eq!(world.generate().await.failed, 0);
    assert_eq!(world.operation(1).amount, euro(10_000));
    assert_eq!(world.operation(1).amount.currency(), Currency::EUR);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_is_listed_twice_is_paid_once() {
    for source in ["invoices", "billingCycles"] {
        let setting = format!("mirakl.voucherSource: {source}");
        let world = World::with(SandboxOptions::default(), &[&setting]).await;
        world.seller(2001);
        world.voucher(1, 2001, 10_000, 500);
        world.fund(100_000);
        world.sandbox.mirakl(|mirakl| {
            let twin = mirakl.vouchers[0].clone();
            mirakl.vouchers.extend([twin.clone(), twin]);
        });
        world.up_to_operations().await;
        let again = Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() });
        world.run(again).await;
        assert_eq!(world.operations().len(), 2, "{source}");
        world.pay_day().await;
        assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_listed_twice_with_two_amounts_is_told_and_paid_once_mirakl_is_of_one_mind() {
    for source in ["invoices", "billingCycles"] {
        let world = World::with(SandboxOptions::default(), &[&format!("mirakl.voucherSource: {source}")]).await;
        world.seller(2001);
        world.voucher(1, 2001, 10_000, 0);
        world.fund(100_000);
        world.vendors().await;
        world.after_the_cycle();
        world.sandbox.mirakl(|mirakl| {
            let mut later = mirakl.vouchers[0].clone();
            later.amount_transferred = Some("250.00".to_owned());
            mirakl.vouchers.push(later);
        });
        let batch = world.generate().await;
        assert_eq!((batch.failed, world.operations().len()), (1, 0), "{source}");
        assert!(batch.failures[0].message.contains("shows it twice"), "{:?}", batch.failures);
        world.sandbox.mirakl(|mirakl| mirakl.vouchers.pop());
        world.generate().await;
        world.pay_day().await;
        assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_an_email_gets_no_wallet_and_says_so_until_it_has_one() {
    let world = World::new().await;
    world.seller(2001);
    world.seller(2002);
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().email = None);
    let batch = world.vendors().await;
    assert_eq!(batch.failed, 1);
    assert_eq!(batch.failures[0].subject.mirakl_id, Some(2001));
    assert!(batch.failures[0].message.contains("the shop has no e-mail in Mirakl"), "{:?}", batch.failures);
    assert_eq!((world.vendor(2001).hipay_id, world.vendor(2002).hipay_id), (None, Some(wallet_of(2002))));
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().email = Some("seller2001@shops.example".to_owned()));
    assert_eq!(world.vendors().await.failed, 0);
    assert_eq!(world.vendor(2001).hipay_id, Some(wallet_of(2001)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_an_unknown_type_is_nobodys_business() {
    let world = World::new().await;
    world.seller(2001);
    world.sandbox.mirakl(|mirakl| mirakl.documents.push(Document::new(77, 2001, "HOLIDAY_PICTURE", "beach.jpg")));
    assert_eq!(world.vendors().await.failed, 0);
    assert_eq!(asked(&world, Endpoint::DownloadDocument), 0);
    assert_eq!(asked(&world, Endpoint::SendDocument), 0);
    assert_eq!(world.vendor(2001).documents_sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_hidden_in_a_good_answer_is_a_refusal() {
    let world = World::new().await;
    world.seller(2001);
    world.sandbox.hipay(|hipay| {
        hipay.reviews = cashout::sandbox::Reviews::ByHand;
        hipay.account_mut(wallet_of(2001)).unwrap().bank = None;
    });
    world.sandbox.mirakl(|mirakl| {
        mirakl.documents.push(Document::new(88, 2001, "ALL_PROOF_OF_BANK_ACCOUNT", "rib.pdf"));
        mirakl.refuse_updates.insert(2001, "The shop is being migrated".to_owned());
    });
    let batch = world.vendors().await;
    let words = "payments could not be blocked in Mirakl: Mirakl refused the change";
    assert!(batch.failures.iter().any(|one| one.message.contains(words)), "{:#?}", batch.failures);
    assert!(batch.failures[0].message.contains("The shop is being migrated"), "{:#?}", batch.failures);
    assert_eq!(world.vendor(2001).status(), "warning");
    assert!(!world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    // Once Mirakl accepts it, the payments are blocked after all; the bank details are not sent again.
    world.sandbox.mirakl(|mirakl| mirakl.refuse_updates.clear());
    assert_eq!(world.vendors().await.failed, 0);
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    assert_eq!(asked(&world, Endpoint::RegisterBank), 1);
}
