//! HiPay's refusals: each documented code, its message, and the behaviour of the next run.

use cashout::domain::operation::{Operation, PaymentKind, Status};
use cashout::jobs::{Command, JobError};
use cashout::sandbox::{Document, Endpoint, Refusal, Reviews};

use crate::world::{World, wallet_of};

/// Codes that are final if HiPay does not know the reference, with our messages for them.
const FINAL: [(u32, &str); 8] = [
    (2, "HiPay found a parameter missing"),
    (3, "HiPay found a parameter invalid"),
    (4, "HiPay does not allow this action"),
    (7, "HiPay does not know this"),
    (23, "the bank details are in a state at HiPay that does not allow this"),
    (400, "HiPay found the request invalid"),
    (403, "HiPay does not allow this account"),
    (404, "HiPay does not know this"),
];

/// Returns the codes after which the outcome is unknown. HTTP 200 with 13 is HiPay's refusal of a withdrawal.
fn open_codes(kind: PaymentKind) -> Vec<(u32, &'static str)> {
    let open = [(13, "HiPay had a technical error"), (26, "the same request is under way at HiPay")];
    open.into_iter().filter(|(code, _)| kind == PaymentKind::Transfer || *code != 13).collect()
}

fn endpoint_of(kind: PaymentKind) -> Endpoint {
    match kind {
        PaymentKind::Transfer => Endpoint::Transfer,
        PaymentKind::Withdrawal => Endpoint::Withdrawal,
    }
}

fn batch_of(kind: PaymentKind) -> Command {
    match kind {
        PaymentKind::Transfer => Command::CashoutTransfer,
        PaymentKind::Withdrawal => Command::CashoutWithdraw,
    }
}

/// Makes a world with this number of sellers, each with a payment of `kind` that is due.
async fn due(kind: PaymentKind, sellers: u64) -> World {
    let world = World::new().await;
    for id in 1..=sellers {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    if kind == PaymentKind::Withdrawal {
        world.transfer().await;
        world.sync().await;
    }
    world
}

fn last_message(operation: &Operation, kind: PaymentKind) -> String {
    operation.payment(kind).last().map(|attempt| attempt.message.to_string()).unwrap_or_default()
}

async fn refused_for_good(kind: PaymentKind) {
    let world = due(kind, 8).await;
    let before = world.sandbox.hipay(|hipay| hipay.ledger.paid().count());
    for (id, (code, _)) in (1..).zip(FINAL) {
        let refusal = Refusal::code(endpoint_of(kind), code).about(&wallet_of(id));
        let refusal = refusal.error("amount", "is too small").error("public_label", "is too long");
        world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    }
    let batch = world.run(batch_of(kind)).await;
    assert_eq!(batch.failed, 8, "{:#?}", batch.failures);
    for (id, (code, words)) in (1..).zip(FINAL) {
        let operation = world.operation(id);
        let failed = match kind {
            PaymentKind::Transfer => Status::TransferFailed,
            PaymentKind::Withdrawal => Status::WithdrawFailed,
        };
        assert_eq!(operation.status, failed, "{code}");
        let code_told = format!("(code {code}: Refused with code {code}");
        for words in [words, &code_told, "amount: is too small", "public_label: is too long"] {
            assert!(operation.message.contains(words), "{code}: '{words}' is missing in {}", operation.message);
        }
        assert_eq!(last_message(&operation, kind), operation.message);
        let refusal = operation.payment(kind).last().unwrap().refusal.clone().unwrap();
        assert_eq!(refusal.code, Some(i64::from(code)));
        assert!(refusal.words.starts_with(&format!("Refused with code {code}; amount: is too small")), "{refusal:?}");
    }
    assert_eq!(world.sandbox.hipay(|hipay| hipay.ledger.paid().count()), before, "nothing moved");
    // The references are unused: the next run sends the same ones.
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
    assert!(world.operations().iter().all(|one| one.payment(kind).attempts.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transfer_says_why_and_is_sent_again_under_the_same_reference() {
    refused_for_good(PaymentKind::Transfer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_withdrawal_says_why_and_is_sent_again_under_the_same_reference() {
    refused_for_good(PaymentKind::Withdrawal).await;
}

/// Returns the number of payments without a scripted answer, or executed despite it.
fn paid_all_the_same(kind: PaymentKind) -> usize {
    4 - open_codes(kind).len()
}

/// Checks HiPay's answers to a withdrawal that it does not make, word for word from its description.
#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_hipay_did_not_create_is_failed_with_its_reason_and_tried_again() {
    let world = due(PaymentKind::Withdrawal, 3).await;
    world.sandbox.hipay(|hipay| {
        let mut not_created = Refusal::code(Endpoint::Withdrawal, 13).about(&wallet_of(1));
        "Withdrawal not created".clone_into(&mut not_created.message);
        hipay.refusals.push(not_created);
        // Executed nevertheless: the look-up shows it.
        let mut lie = Refusal::code(Endpoint::Withdrawal, 13).about(&wallet_of(2)).but_executes();
        "Withdrawal not created".clone_into(&mut lie.message);
        hipay.refusals.push(lie);
        // A detail, with or without a code beside it.
        hipay.refusals.push(Refusal::withdrawal_detail(4013).about(&wallet_of(3)));
    });
    let batch = world.withdraw().await;
    assert_eq!(batch.failed, 2, "{:?}", batch.failures);
    let refused = world.operation(1);
    assert_eq!(refused.status, Status::WithdrawFailed, "{refused:?}");
    assert!(refused.message.contains("Withdrawal not created"), "{}", refused.message);
    assert_ne!(world.status(2), Status::WithdrawFailed);
    let limit = world.operation(3);
    assert_eq!(limit.status, Status::WithdrawFailed, "{limit:?}");
    assert_eq!(limit.withdrawal.last().unwrap().refusal.as_ref().unwrap().detail, Some(4013));
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
    assert!(world.operations().iter().all(|one| one.withdrawal.attempts.len() == 1));
}

async fn refused_in_words_that_settle_nothing(kind: PaymentKind) {
    let world = due(kind, 4).await;
    let before = world.sandbox.hipay(|hipay| hipay.ledger.paid().count());
    let codes = open_codes(kind);
    for (id, (code, _)) in (1..).zip(codes.clone()) {
        let refusal = Refusal::code(endpoint_of(kind), code);
        world.sandbox.hipay(|hipay| {
            // Answered throughout one run and not executed; answered once, and executed nevertheless.
            hipay.refusals.push(refusal.clone().about(&wallet_of(id)).times(3));
            hipay.refusals.push(refusal.about(&wallet_of(id + 2)).but_executes());
        });
    }
    world.run(batch_of(kind)).await;
    let (sending, requested) = match kind {
        PaymentKind::Transfer => (Status::TransferSending, Status::TransferRequested),
        PaymentKind::Withdrawal => (Status::WithdrawSending, Status::WithdrawRequested),
    };
    for (id, (code, words)) in (1..).zip(codes.clone()) {
        let open = world.operation(id);
        assert_eq!(open.status, sending, "{code}");
        assert!(open.message.contains("outcome is not known yet") && open.message.contains(words), "{}", open.message);
        let refusal = open.payment(kind).last().unwrap().refusal.clone().unwrap();
        assert_eq!((refusal.code, refusal.words), (Some(i64::from(code)), format!("Refused with code {code}")));
        let done = world.operation(id + 2).status;
        assert!(done == requested || done == Status::TransferSuccess || done == Status::WithdrawSuccess, "{done}");
    }
    assert_eq!(world.sandbox.hipay(|hipay| hipay.ledger.paid().count()), before + paid_all_the_same(kind));
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
    assert!(world.operations().iter().all(|one| one.payment(kind).attempts.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_with_an_unknown_outcome_stays_open_and_is_paid_once() {
    refused_in_words_that_settle_nothing(PaymentKind::Transfer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_with_an_unknown_outcome_stays_open_and_is_paid_once() {
    refused_in_words_that_settle_nothing(PaymentKind::Withdrawal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_refused_in_the_middle_end_the_batch_and_lose_nothing() {
    for kind in [PaymentKind::Transfer, PaymentKind::Withdrawal] {
        for code in [1, 401] {
            let world = due(kind, 3).await;
            let refusal = Refusal::code(endpoint_of(kind), code).about(&wallet_of(2));
            // The technical account is affected as well, not this wallet alone.
            let technical = world.sandbox.credentials().technical_id;
            let own = Refusal::code(Endpoint::Account, code).about(&technical);
            world.sandbox.hipay(|hipay| hipay.refusals.extend([refusal, own]));
            let error = world.try_run(batch_of(kind)).await.unwrap_err();
            let words = "check hipay.wsLogin and hipay.wsPassword";
            assert!(matches!(&error, JobError::Credentials(why) if why.contains(words)), "{error}");
            world.pay_day().await;
            assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
            assert_eq!(world.paid_out()[&wallet_of(2)], 1_000);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_about_one_wallet_stops_that_wallet_alone() {
    let world = due(PaymentKind::Withdrawal, 3).await;
    let refusal = Refusal::code(Endpoint::Withdrawal, 401).about(&wallet_of(2));
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    let batch = world.withdraw().await;
    assert_eq!((batch.failed, batch.counts["requested"]), (1, 2));
    assert!(batch.failures[0].message.contains("does not let us act on this account"), "{:?}", batch.failures);
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_listed_and_end_with_1_and_the_next_run_with_0() {
    let world = due(PaymentKind::Transfer, 2).await;
    world.release_store().await;
    let refusal = Refusal::code(Endpoint::Transfer, 3).about(&wallet_of(2)).error("amount", "is too small");
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal.clone()));
    let told = world.told(&["cashout:transfer"]).await;
    told.ends(1).says("cashout:transfer: partly (2 of 2)").says("1  requested, 10.00 EUR").says("1  failed:");
    told.says("shop 2, voucher 2: the transfer was refused: HiPay found a parameter invalid (code 3");
    told.says("amount: is too small");
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    let json = world.told(&["cashout:transfer", "--json"]).await.ends(1).json();
    assert_eq!((&json["failed"], &json["failures"][0]["mirakl_id"]), (&1.into(), &2.into()), "{json}");
    assert_eq!(json["failures"][0]["voucher"], "2");
    world.told(&["cashout:transfer"]).await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_for_hipay_end_with_their_own_code_and_nothing_is_sent() {
    let mut world = due(PaymentKind::Transfer, 2).await;
    world.set("hipay.wsPassword: wrong-canary").await;
    world.release_store().await;
    let wallet = wallet_of(1).to_string();
    for arguments in
        [&["vendor:process"][..], &["cashout:transfer"], &["vendor:wallet:list"], &["vendor:wallet:bankInfos", &wallet]]
    {
        let told = world.told(&[arguments, &["-vvv"]].concat()).await;
        told.ends(3).says("check hipay.wsLogin and hipay.wsPassword").hides("wrong-canary");
        assert_eq!(world.told(&[arguments, &["--json"]].concat()).await.ends(3).json()["exit"], 3);
    }
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 0);
    world.set("hipay.wsPassword: sandbox-password").await;
    assert!(world.operations().iter().all(|one| one.status == Status::Created));
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hipay_has_identified_or_is_looking_at_is_no_failure() {
    for code in [414, 415] {
        let world = World::new().await;
        world.seller(2001);
        world.sandbox.hipay(|hipay| {
            hipay.reviews = Reviews::ByHand;
            hipay.refusals.push(Refusal::code(Endpoint::SendDocument, code).times(1_000));
        });
        world.sandbox.mirakl(|mirakl| {
            mirakl.documents.push(Document::new(7, 2001, "LEGAL_PROOF_OF_REGISTRATION_NUMBER", "kbis.pdf"));
        });
        let batch = world.vendors().await;
        assert_eq!(batch.failed, 0, "{:#?}", batch.failures);
        assert_eq!((world.vendor(2001).documents_sent, world.vendor(2001).status()), (1, "success"));
        world.vendors().await;
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::SendDocument)), 1, "sent once, whatever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_hipay_refuses_is_told_and_sent_again() {
    let world = World::new().await;
    world.seller(2001);
    let refusal = Refusal::code(Endpoint::SendDocument, 3).error("file", "is not readable");
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    world.sandbox.mirakl(|mirakl| {
        mirakl.documents.push(Document::new(7, 2001, "LEGAL_PROOF_OF_REGISTRATION_NUMBER", "kbis.pdf"));
    });
    let batch = world.vendors().await;
    assert_eq!(batch.failed, 1);
    let message = &batch.failures[0].message;
    assert!(message.contains("document 7:") && message.contains("file: is not readable"), "{message}");
    assert_eq!(world.vendors().await.failed, 0);
    assert_eq!(world.vendor(2001).documents_sent, 1);
}
