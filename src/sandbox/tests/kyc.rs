//! Documents, bank details, and the notifications about them and about money.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use md5::{Digest, Md5};

use super::*;
use crate::sandbox::{BankStatus, Delivery, Ending, HipayModel, KycStatus, Life, Reviews, Sending};

/// Adds account 600, of a vendor who has not submitted anything yet.
fn newcomer(sandbox: &Sandbox) {
    sandbox.hipay(|hipay| hipay.add(Account::new(600, "new@sellers.example")));
}

#[tokio::test]
async fn documents_decide_by_file_name_whether_a_vendor_is_identified() {
    let sandbox = sandbox().await;
    newcomer(&sandbox);
    assert_eq!(code(document(&sandbox, 600, "3", "02_identity.jpg")).await, (200, 0));
    assert_eq!(code(document(&sandbox, 600, "4", "register.pdf")).await, (200, 0));
    assert_eq!(code(document(&sandbox, 600, "4", "register.pdf")).await, (200, 415), "one is waiting already");
    sandbox.hipay(|hipay| {
        hipay.settle_reviews();
        let account = hipay.account(600).unwrap();
        assert_eq!(account.documents[0].status, KycStatus::Refused);
        assert_eq!((account.documents[1].status, account.identified), (KycStatus::Validated, false));
    });
    let (_, listed) =
        answer(hipay(&sandbox, Method::GET, "/identification.json").header("php-auth-subaccount-id", "600")).await;
    assert_eq!(listed["identification_status"], "Unidentified");
    assert_eq!(listed["documents"][0]["message"], "The document is falsified");

    sandbox.hipay(|hipay| hipay.reviews = Reviews::After(jiff::SignedDuration::from_hours(24)));
    assert_eq!(code(document(&sandbox, 600, "3", "identity.jpg")).await, (200, 0));
    sandbox.clock().advance(jiff::SignedDuration::from_hours(24));
    assert_eq!(code(document(&sandbox, 600, "5", "articles.pdf")).await, (200, 414), "identified by now");
}

#[tokio::test]
async fn documents_are_refused_for_their_form() {
    let sandbox = sandbox().await;
    newcomer(&sandbox);
    let send = |fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]| {
        hipay(&sandbox, Method::POST, "/identification.json")
            .header("php-auth-subaccount-id", "600")
            .multipart(multipart(fields, files))
    };
    let front: (&str, &str, &[u8]) = ("file", "a.jpg", b"bytes");
    assert_eq!(code(send(&[("type", "3")], &[front])).await, (400, 2), "no validity date");
    assert_eq!(code(send(&[("type", "3"), ("validity_date", "2020-01-01")], &[front])).await, (400, 3), "past");
    assert_eq!(code(send(&[("type", "3"), ("validity_date", "21/11/2027")], &[front])).await, (400, 3));
    assert_eq!(code(send(&[("type", "10")], &[front])).await, (400, 3), "no such type");
    assert_eq!(code(send(&[("type", "4")], &[])).await, (400, 2), "no file");
    assert_eq!(code(send(&[("type", "4")], &[("file", "a.exe", b"bytes")])).await, (400, 3));
    assert_eq!(code(send(&[("type", "4")], &[("file", "a.pdf", b"")])).await, (400, 2), "empty");
    let large = vec![0; 15 * 1024 * 1024 + 1];
    assert_eq!(code(send(&[("type", "4")], &[("file", "a.pdf", &large)])).await, (400, 3));
    assert!(sandbox.hipay(|hipay| hipay.account(600).unwrap().documents.is_empty()));
}

#[tokio::test]
async fn bank_details_go_from_none_to_waiting_to_validated_or_back() {
    let sandbox = sandbox().await;
    newcomer(&sandbox);
    let status = async || {
        let request = hipay(&sandbox, Method::GET, "/user-account/bank-info/fr_FR.json");
        number(&answer(request.header("php-auth-subaccount-id", "600")).await.1["status_code"])
    };
    assert_eq!(status().await, 1);
    assert_eq!(code(bank(&sandbox, 600, "06_bank.pdf")).await, (201, 0));
    assert_eq!(status().await, 2);
    assert_eq!(code(bank(&sandbox, 600, "bank.pdf")).await, (400, 23), "one set is being validated");
    sandbox.hipay(HipayModel::settle_reviews);
    assert_eq!(status().await, 1);
    sandbox.hipay(|hipay| hipay.reviews = Reviews::AtOnce);
    assert_eq!(code(bank(&sandbox, 600, "bank.pdf")).await, (201, 0));
    assert_eq!(status().await, 3);
    assert_eq!(sandbox.hipay(|hipay| hipay.account(600).unwrap().bank.clone().unwrap().status), BankStatus::Validated);
}

#[tokio::test]
async fn bank_details_are_refused_for_their_form() {
    let sandbox = sandbox().await;
    newcomer(&sandbox);
    let long = "x".repeat(51);
    let file: (&str, &str, &[u8]) = ("file", "bank.pdf", b"bytes");
    for (fields, files, expected) in [
        (vec![("bank_country", "FR"), ("iban", IBAN)], vec![], (400, 2)),
        (vec![("bank_country", "FR"), ("iban", IBAN), ("bank_name", long.as_str())], vec![file], (400, 3)),
        (vec![("bank_country", "FR"), ("iban", IBAN), ("bank_city", long.as_str())], vec![file], (400, 3)),
        (vec![("bank_country", "DE"), ("iban", IBAN)], vec![file], (400, 3)),
        (vec![("bank_country", "FR"), ("iban", "FR1420041010050500013M02607")], vec![file], (400, 3)),
        (vec![("bank_country", "FR")], vec![file], (400, 2)),
    ] {
        let request = hipay(&sandbox, Method::POST, "/user-account/bank-info.json")
            .header("php-auth-subaccount-id", "600")
            .multipart(multipart(&fields, &files));
        assert_eq!(code(request).await, expected, "{fields:?}");
    }
}

type Received = Arc<Mutex<Vec<String>>>;

/// Starts a receiver that keeps the notifications it gets.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, Form(fields): Form<Vec<(String, String)>>| {
        assert_eq!(fields[0].0, "xml");
        received.lock().unwrap().push(fields[0].1.clone());
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/wallet", axum::routing::post(take)).with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wallet", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

fn between<'xml>(xml: &'xml str, start: &str, end: &str) -> &'xml str {
    xml.split_once(start).unwrap().1.split_once(end).unwrap().0
}

/// Checks a signature as HiPay documents it, implemented independently.
fn signature_fits(xml: &str, salt: &str) -> bool {
    let inner = between(xml, "<result>", "</result>").replace(['\r', '\n', '\t'], "");
    let mut squeezed = format!("<result>{inner}</result>");
    while squeezed.contains("> <") || squeezed.contains(">  ") {
        squeezed = squeezed.replace("> <", "><").replace(">  ", "> ");
    }
    let squeezed = squeezed.replace("<message></message>", "<message/>").replace("<label></label>", "<label/>");
    let digest: String =
        Md5::digest(squeezed + salt).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    digest == between(xml, "<md5content>", "</md5content>")
}

#[tokio::test]
async fn everything_that_happens_is_told_with_a_signature_that_fits() {
    let sandbox = sandbox().await;
    let (url, received) = receiver().await;
    newcomer(&sandbox);
    sandbox.hipay(|hipay| {
        hipay.notify.sending = Sending::On;
        for id in [500, 600, 400_001] {
            let account = hipay.account_mut(id).unwrap();
            account.callback_url = Some(url.clone());
            account.callback_salt = "pepper".to_owned();
        }
        hipay.lives.insert("U".to_owned(), Life::failing(Ending::Unauthed));
        hipay.lives.insert("V".to_owned(), Life::failing(Ending::Aborted));
        hipay.fund(400_001, euro(500)).unwrap();
    });
    answer(document(&sandbox, 600, "3", "03_identity.jpg")).await;
    answer(document(&sandbox, 600, "4", "register.pdf")).await;
    answer(bank(&sandbox, 600, "bank.pdf")).await;
    sandbox.hipay(HipayModel::settle_reviews);
    for reference in ["T", "U", "V"] {
        answer(transfer(&sandbox, "10.00", reference)).await;
    }
    answer(withdrawal(&sandbox, "10.00", "W")).await;
    sandbox.notices_delivered().await;

    let told: Vec<(String, bool)> = sandbox.hipay(|hipay| {
        assert!(hipay.notifications.iter().all(|notice| notice.delivery == Delivery::Answered(204)));
        hipay.notifications.iter().map(|notice| (notice.operation.clone(), notice.ok)).collect()
    });
    let expected = [
        ("other_transaction", true),
        ("document_validation", false),
        ("document_validation", true),
        ("identification", false),
        ("bank_info_validation", true),
        ("authorization", true),
        ("capture", true),
        ("authorization", false),
        ("authorization", true),
        ("capture", false),
        ("withdraw_validation", true),
    ];
    assert_eq!(told, expected.map(|(operation, ok)| (operation.to_owned(), ok)));
    let received = received.lock().unwrap();
    assert_eq!(received.len(), expected.len());
    for (xml, (operation, ok)) in received.iter().zip(expected) {
        assert!(signature_fits(xml, "pepper"), "{xml}");
        assert!(!signature_fits(xml, "salt"), "{xml}");
        let named = between(xml, "<operation>", "</operation>").to_lowercase();
        assert_eq!(named.replace("withdrawal_", "withdraw_"), operation);
        assert_eq!(between(xml, "<status>", "</status>"), if ok { "ok" } else { "nok" });
        assert!(["500", "600", "400001"].contains(&between(xml, "<account_id>", "</account_id>")));
    }
}

#[tokio::test]
async fn held_notifications_are_sent_repeated_and_shuffled_and_strangers_are_not_called() {
    let sandbox = sandbox().await;
    let (url, received) = receiver().await;
    sandbox.hipay(|hipay| {
        hipay.notify.sending = Sending::Held;
        hipay.account_mut(400_001).unwrap().callback_url = Some(url);
        hipay.account_mut(500).unwrap().callback_url = Some("https://shop.example/".to_owned());
        for cents in 1..=8 {
            hipay.fund(400_001, euro(cents)).unwrap();
        }
        hipay.fund(500, euro(1)).unwrap();
        hipay.notify.copies = 2;
        hipay.notify.shuffle = true;
        hipay.notify.sending = Sending::On;
    });
    sandbox.notices_delivered().await;
    let amounts: Vec<String> =
        received.lock().unwrap().iter().map(|xml| between(xml, "<amount>", "</amount>").to_owned()).collect();
    let mut sorted = amounts.clone();
    sorted.sort();
    assert_eq!(amounts.len(), 16);
    assert_ne!(amounts, sorted, "shuffled");
    assert!(sorted.chunks(2).all(|pair| pair[0] == pair[1]), "each one twice");
    let last = sandbox.hipay(|hipay| hipay.notifications.last().unwrap().delivery.clone());
    assert_eq!(last, Delivery::NotAllowed);
}
