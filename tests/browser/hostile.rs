//! Hostile text on every page: it is shown as text, shortened if it is long, and shown in full on demand.

use cashout::domain::attempt::{Attempt, AttemptState};
use cashout::domain::group_choice::{GroupChoice, RefusedChoice};
use cashout::domain::inbox::Notification;
use cashout::domain::ledger::{LedgerEntry, LedgerMatch};
use cashout::domain::operation::{Hold, Operation, PaymentKind};
use cashout::domain::refusal::Refusal;
use cashout::domain::vendor::{SentDocument, Vendor, VendorProblem, Warning};
use cashout::domain::voucher::{HeldBecause, VoucherChoice, VoucherNote, VoucherRecord};
use cashout::jobs::{BatchRecord, Failure, Subject};
use cashout::logs::LogLine;
use cashout::sandbox::{Delivery, Kyc, KycStatus, SandboxOptions};
use cashout::store::{Query, StoreError, View, Writer};
use cashout::text::message::Message;
use cashout::update::status::{PastUpdate, UpdateOutcome, UpdateReason, UpdateStatus};
use cashout::web::paths;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use crate::browser::Browser;
use crate::notices::{Notice, until};
use crate::payments::{enterprise, known, notice};
use crate::users::signed_in;
use crate::world::{Site, World, wallet_of};

/// A formula, markup that would run or appear as an element, the ends of attributes and elements, an
/// unterminated change of direction, characters of four bytes.
const HOSTILE: &str = "=1+1<script id=injected>alert('x')</script>\"'><img id=injected src=x onerror=alert(1)>\
    </td></table></bdi>&amp;&#60;{{ 7 * 7 }} \u{202e}drawkcab\u{2066} 🛒𝒳";
/// Hostile reference of a payment, which has at most 100 characters.
const REFERENCE: &str = "=<script id=injected>alert(1)</script>\"'>/..?a=b&c#\u{202e}🛒";
/// Upper bound on the initially visible length of foreign text, in characters; the body of a
/// notification has a separate part of the page.
const MAX_VISIBLE_LENGTH: usize = 400;
const SHOP: u64 = 2001;

/// Pages without hostile text, because they show nothing that comes from outside.
const OUR_WORDS: [&str; 7] = [
    "/dashboard/cycles",
    "/dashboard/cycles/{date}",
    "/dashboard/funds",
    "/dashboard/password",
    "/dashboard/settings/remotes",
    "/dashboard/todo",
    "/dashboard/vouchers",
];

/// Returns the hostile text with 10,000 more characters without a line break.
fn long() -> String {
    format!("{HOSTILE}{}.", "x".repeat(10_000))
}

/// Makes a site on which every name that comes from outside is hostile.
async fn hostile_site() -> Site {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.seller(SHOP);
    world.sandbox.mirakl(|mirakl| mirakl.shops[0].name = long());
    world.sandbox.hipay(|hipay| {
        let account = hipay.account_mut(wallet_of(SHOP)).unwrap();
        account.documents.push(Kyc {
            kind: 1,
            file_name: "passport.pdf".to_owned(),
            size: 1,
            back: None,
            validity: None,
            sent: "2026-11-09T08:00:00Z".parse().unwrap(),
            status: KycStatus::Refused,
            message: Some(long()),
        });
    });
    // Without money it is not transferred.
    world.voucher(1, SHOP, 8_300, 0);
    world.up_to_operations().await;
    let batch = world.transfer().await.id;
    let site = Site::of(world).await;

    let to = site.base().trim_start_matches("http://").parse().unwrap();
    assert_eq!(Notice::new("capture", "ok", wallet_of(SHOP)).of("5d935783d9cd316415", "83.00").send(to).await, 204);
    let paid = notice(&[
        ("transaction_reference", REFERENCE),
        ("status", "777"),
        ("message", &long()),
        ("reason[code]", HOSTILE),
        ("reason[message]", &long()),
        ("order[id]", &long()),
        ("payment_product", &long()),
        ("payment_method[card_holder]", &long()),
        ("operation[type]", HOSTILE),
        ("operation[id]", HOSTILE),
        ("date_updated", HOSTILE),
        (&format!("custom_data[{HOSTILE}]"), &long()),
    ]);
    let delivery = enterprise(&site).send_body("application/x-www-form-urlencoded", paid.as_bytes()).await;
    assert_eq!(delivery, Delivery::Answered(204));
    known(&site, 1).await;
    let now = site.world.clock.now();
    until("both are dealt with", || site.world.notifications().iter().all(|one| !one.is_due(now))).await;

    let planted = site.world.context.store.write(move |writer| plant(writer, batch)).await;
    planted.unwrap();
    let at = "2026-11-20T08:00:00Z".parse().unwrap();
    let past = PastUpdate {
        from: "1.0.0".to_owned(),
        to: "1.1.0".to_owned(),
        asked_by: long(),
        began_at: at,
        ended_at: at,
        digest: None,
        steps: Vec::new(),
        outcome: UpdateOutcome::RolledBack,
        reason: Some(UpdateReason::new("another", long())),
        lines: vec![long()],
    };
    site.told_by_the_guard(UpdateStatus { past: vec![past], ..UpdateStatus::default() });
    site
}

/// Returns the id of the planted voucher.
fn voucher_id() -> String {
    format!("invoices-{SHOP}-{HOSTILE}")
}

/// Stores a voucher and a line of HiPay's ledger with hostile texts.
fn plant_voucher(writer: &mut Writer<'_>, found: &str) -> Result<(), StoreError> {
    let all = writer.page(&Query::group(VoucherRecord::BY_DATE, ()).limit(1))?;
    let mut record = all.items.into_iter().next().expect(found);
    let voucher = &mut record.voucher;
    HOSTILE.clone_into(&mut voucher.number);
    voucher.invoice_id = Some(long());
    voucher.billing_cycle_id = Some(long());
    (voucher.payment_state, voucher.pay_out_provider) = (Some(long()), Some(long()));
    record.held = Some(HeldBecause::OtherProvider);
    let (at, who) = (record.first_seen_at, long());
    record.story = vec![VoucherNote { at, choice: VoucherChoice::Release, who, reason: long() }];
    assert_eq!(record.id(), voucher_id());
    writer.put(&record)?;
    writer.put(&LedgerEntry {
        account: 1,
        transaction_id: long(),
        kind: long(),
        status: long(),
        amount: None,
        fees: None,
        reference: HOSTILE.to_owned(),
        label: long(),
        issuer_email: long(),
        recipient_email: long(),
        refusal_reason: long(),
        created_at: at,
        first_read_at: at,
        read_at: at,
        matched: LedgerMatch::Foreign,
        operation: None,
        unknown: serde_json::Map::new(),
    })
}

/// Stores hostile texts of a vendor and of a document.
fn plant_vendor(writer: &mut Writer<'_>, found: &str) -> Result<(), StoreError> {
    let mut vendor = writer.get::<Vendor>(&SHOP)?.expect(found);
    let at = vendor.updated_at;
    (vendor.login, vendor.email, vendor.vat_number) = (long(), long(), Some(long()));
    vendor.identification_refusal = Some(long());
    vendor.warn(
        Warning::new(VendorProblem::DocumentNotSent, long())
            .about(long())
            .because(&Message::quoting(long()), Some(Refusal::in_words(&long()))),
    );
    writer.put(&vendor)?;
    writer.put(&SentDocument {
        document_id: 1,
        mirakl_id: SHOP,
        document_type: long(),
        hipay_type: 1,
        file_name: long(),
        message: long(),
        validation: cashout::domain::vendor::DocumentValidation::Invalid,
        validation_message: long(),
        validation_as_of: None,
        iban: None,
        sent_at: at,
        unknown: serde_json::Map::new(),
    })
}

/// Stores a choice for several operations with hostile texts.
fn plant_group_choice(writer: &mut Writer<'_>, at: Timestamp) -> Result<(), StoreError> {
    let refused = vec![RefusedChoice { operation: 1, message: Message::quoting(long()) }];
    writer.put(&GroupChoice {
        id: 1,
        choice: "hold".to_owned(),
        person: "otto".to_owned(),
        reason: long(),
        at,
        operations: vec![1],
        refused,
        batches: Vec::new(),
        unknown: serde_json::Map::new(),
    })
}

/// Stores hostile texts of an operation and of a payment of it.
fn plant_operation(writer: &mut Writer<'_>, found: &str, at: Timestamp) -> Result<(), StoreError> {
    let mut operation = writer.get::<Operation>(&1)?.expect(found);
    operation.voucher = long();
    operation.invoice_id = Some(long());
    operation.message = long();
    operation.hold(Hold::Unknown, &Message::quoting(long()), at);
    let amount = operation.amount;
    operation.payment_mut(PaymentKind::Transfer).attempts.push(Attempt {
        number: 1,
        reference: long(),
        amount,
        account: 1,
        public_label: long(),
        private_label: long(),
        intended_at: at,
        state: AttemptState::Refused,
        transaction_id: Some(HOSTILE.to_owned()),
        transaction_status: Some(long()),
        as_of: None,
        message: Message::quoting(long()),
        refusal: Some(Refusal::in_words(&long())),
        updated_at: at,
        unknown: serde_json::Map::new(),
    });
    writer.put(&operation)
}

/// Stores hostile texts that the remotes of these tests do not send.
fn plant(writer: &mut Writer<'_>, batch: u64) -> Result<(), StoreError> {
    let found = "what was made before";
    plant_voucher(writer, found)?;
    let at = writer.get::<Vendor>(&SHOP)?.expect(found).updated_at;
    plant_vendor(writer, found)?;
    plant_group_choice(writer, at)?;
    plant_operation(writer, found, at)?;

    let mut told = writer.get::<Notification>(&1)?.expect(found);
    (told.action, told.subject, told.message, told.body) =
        (long(), HOSTILE.to_owned(), Message::quoting(long()), long());
    told.mirakl_id = Some(SHOP);
    writer.put(&told)?;
    writer.put(&LogLine {
        id: 1_000_000,
        at,
        level: 300,
        action: long(),
        mirakl_id: Some(SHOP),
        batch: None,
        message: long(),
        target: String::new(),
        fields: serde_json::Map::new(),
        said: String::new(),
        unknown: serde_json::Map::new(),
    })?;

    let mut record = writer.get::<BatchRecord>(&batch)?.expect(found);
    (record.arguments, record.asked_by, record.error) = (long(), long(), Some(Message::quoting(long())));
    record.failures = vec![Failure::new(Subject::shop(SHOP), Message::quoting(long()))];
    writer.put(&record)
}

/// Occurrences of the hostile text on a page.
#[derive(Debug, Deserialize)]
struct Look {
    /// Number of texts that contain it.
    texts: usize,
    /// Number of texts that contain all of the long form.
    whole: usize,
    /// Places of texts whose direction is not isolated from the surrounding text.
    bare: Vec<String>,
    /// Places of texts that are visible at once and should have been shortened.
    uncut: Vec<String>,
    /// Number of elements that it has injected into the page.
    injected: usize,
}

const LOOK: &str = "
    const [hostile, long, atOnce] = arguments;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const look = {texts: 0, whole: 0, bare: [], uncut: [], injected: document.querySelectorAll('#injected').length};
    const place = node => node.parentElement.closest('[id]')?.id + ' ' + node.parentElement.tagName;
    for (let node; (node = walker.nextNode());) {
        const text = node.textContent;
        if (!text.includes(hostile)) continue;
        look.texts++;
        if (text.includes(long)) look.whole++;
        if (!node.parentElement.closest('bdi, pre')) look.bare.push(place(node));
        if (text.length > atOnce && node.parentElement.checkVisibility() && !node.parentElement.closest('pre')) {
            look.uncut.push(place(node));
        }
    }
    return look;";

async fn look(browser: &Browser) -> Look {
    let beginning = HOSTILE.split("alert").next().unwrap();
    let arguments = vec![json!(beginning), json!(long()), json!(MAX_VISIBLE_LENGTH)];
    serde_json::from_value(browser.execute(LOOK, arguments).await.unwrap()).unwrap()
}

/// Returns the address of a page of the route table. An unknown parameter belongs to a new page,
/// which must be given hostile text here.
fn address(path: &str) -> String {
    if path == "/dashboard/search" {
        // A part of the hostile name.
        return format!("{path}?q=injected");
    }
    let part = |part: &str| match part {
        "{mirakl_id}" => SHOP.to_string(),
        "{id}" if path.contains("/vouchers/") => utf8_percent_encode(&voucher_id(), NON_ALPHANUMERIC).to_string(),
        "{id}" => "1".to_owned(),
        "{choice}" => "hold".to_owned(),
        "{date}" => "2026-11-11".to_owned(),
        "{transaction_reference}" => utf8_percent_encode(REFERENCE, NON_ALPHANUMERIC).to_string(),
        other => {
            assert!(!other.starts_with('{'), "{path}: what is to stand for {other}?");
            other.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Returns the status and the content type of an address.
async fn kind(browser: &Browser, address: &str) -> (u64, String) {
    let head = "return fetch(arguments[0], {method: 'HEAD', redirect: 'manual'})
        .then(answer => [answer.status, answer.headers.get('content-type') || ''])";
    serde_json::from_value(browser.execute_waiting(head, vec![json!(address)]).await.unwrap()).unwrap()
}

/// Checks that no cell of the file begins like a formula, and that the hostile text is contained in it.
fn is_harmless(path: &str, text: &str) {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> =
        reader.records().map(|record| record.expect("the file can be read")).collect();
    assert!(!records.is_empty(), "{path} has no row");
    for cell in records.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{path}: {cell}");
    }
    let formula = HOSTILE.split('<').next().unwrap();
    let kept = records.iter().flatten().any(|cell| cell.starts_with(&format!("'{formula}")) || cell.contains(HOSTILE));
    assert!(kept, "{path} does not have it");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_it_as_text_cut_and_whole_on_demand() {
    let site = hostile_site().await;
    walk(signed_in(site.window().width(390), "/dashboard/vendors").await, "hostile").await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_every_page_that_is_wide_and_dark_and_in_french() {
    let site = hostile_site().await;
    let window = site.window().width(1440).dark().language("fr");
    walk(signed_in(window, "/dashboard/vendors").await, "hostile-wide").await;
    site.stop().await;
}

/// Opens every page of the route table; the names of the screenshots begin with `name`.
async fn walk(browser: Browser, name: &str) {
    // Addresses that only accept forms are opened nevertheless.
    browser.allow_finding("answered 405");
    browser.allow_finding("Failed to load resource");
    let [_, pages, _] = paths();
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for path in &pages {
        let address = address(path);
        let (status, kind) = kind(&browser, &address).await;
        if status == 405 {
            continue;
        }
        if kind.starts_with("text/csv") {
            is_harmless(path, browser.download(&address).await.text());
            continue;
        }
        if kind.starts_with("text/event-stream") {
            continue;
        }
        assert!(kind.starts_with("text/html") && status == 200, "{path} answers {status} {kind}");
        browser.open(&address).await;
        let there = look(&browser).await;
        browser.fits_the_window().await;
        if !there.bare.is_empty() || !there.uncut.is_empty() || there.injected > 0 {
            wrong.push(format!("{path}: {there:?}"));
        }
        browser.screenshot(&format!("{name}{}", path.replace(['/', '{', '}'], "-"))).await;
        // The shortened text is complete in the page, and fits when opened as well.
        let told = !OUR_WORDS.contains(&path.as_str());
        if told && (there.texts == 0 || there.whole == 0) {
            wrong.push(format!("{path} does not show it: {there:?}"));
        }
        browser
            .execute("document.querySelectorAll('details').forEach(one => one.open = true)", Vec::new())
            .await
            .unwrap();
        browser.fits_the_window().await;
        seen.push(path.as_str());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 12, "{seen:?}");
    // Documents are inserted into the page on demand.
    browser.allow_finding("layout shift");
    browser.done().await;
}
