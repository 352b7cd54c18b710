//! Reviewed snapshots of one small marketplace: answers of the API, exports, mails and pages.

use std::path::Path;

use cashout::domain::operation::OperationChoice;
use cashout::jobs::{Command, GenerateArguments};
use cashout::logs::LogLine;
use cashout::platform::release;
use cashout::sandbox::{Refusal, Voucher};
use cashout::serve::Appliance;
use cashout::store::StoreError;
use jiff::SignedDuration;
use jiff::civil::date;
use serde_json::{Value, json};

use crate::api::{Api, TOKEN};
use crate::french::decoded;
use crate::mail_server::{House, PostOffice, Taken};
use crate::mailing::{self, HALF_A_MINUTE, digest_mail};
use crate::market::batches;
use crate::notices::{Notice, newcomer};
use crate::payments::{ACCEPTED, FORM, dealt_with, enterprise};
use crate::signing_in::{OPERATOR, signed_in, world};
use crate::world::{World, http, wallet_of};

/// Notifications about two customers' payments, one captured and one declined.
const PAYMENTS: [&str; 2] = [
    "status=118&message=Captured&transaction_reference=132255767588&order[id]=HiPay-120034&payment_product=visa&\
     currency=EUR&decimals=2&authorized_amount=83.00&captured_amount=83.00&refunded_amount=0.00&test=false&\
     date_updated=2026-11-09T07:57:51+0000",
    "status=113&message=Refused&transaction_reference=132255767589&order[id]=HiPay-120035&payment_product=visa&\
     currency=EUR&decimals=2&authorized_amount=0.00&captured_amount=0.00&refunded_amount=0.00&test=false&\
     reason[code]=4010301&reason[message]=Insufficient%20funds&date_updated=2026-11-09T08:57:51+0000",
];

/// Beginnings of lines of a page whose rest differs between machines and builds.
const VARYING_LINES: [&str; 5] = ["Commit | ", "Store | ", "Host | ", "Base de données | ", "Hôte | "];

/// Settings without any scheduled batch.
const UNSCHEDULED: [&str; 5] = [
    "schedule.vendorProcess: ''",
    "schedule.cashoutGenerate: ''",
    "schedule.cashoutTransfer: ''",
    "schedule.cashoutWithdraw: ''",
    "schedule.transactionStatusSync: ''",
];

/// Moves the clock by a minute, so that no two events of the marketplace have the same time.
fn minute(world: &World) {
    world.clock.advance(SignedDuration::from_mins(1));
}

/// Adds a voucher of the cycle and generates its operations; amounts in cents.
pub(crate) async fn generate(world: &World, number: u64, shop: u64, vendor: i64, operator: i64) {
    world.voucher(number, shop, vendor, operator);
    minute(world);
    let cycle_date = Some(date(2026, 11, 11));
    world.run(Command::CashoutGenerate(GenerateArguments { cycle_date, ..GenerateArguments::default() })).await;
}

/// Runs the payments of a day.
async fn pay(world: &World) {
    for command in batches().into_iter().skip(1) {
        minute(world);
        world.run(command).await;
    }
}

/// Stores lines of the log.
async fn store_lines(world: &World) {
    let at = world.clock.now();
    let lines = [
        (1, 200, "cashout:transfer", 2001, "transferred 100.00 EUR"),
        (2, 300, "cashout:transfer", 2004, "not transferred: the vendor is disabled"),
        (3, 400, "vendor:process", 2007, "=the bank details are not valid"),
    ];
    let stored = world.context.store.write(move |writer| {
        for (id, level, action, shop, message) in lines {
            let line = json!({
                "id": id, "at": at, "level": level, "action": action, "mirakl_id": shop, "message": message,
            });
            writer.put(&serde_json::from_value::<LogLine>(line).unwrap())?;
        }
        Ok::<_, StoreError>(())
    });
    stored.await.unwrap();
}

/// Makes the marketplace. At most one payment is due in each run, so that every number, time and order is the same each
/// time: voucher 1 is paid; the seller's share of 2 is held by a person; 4 compensates the debt of 3,
/// and its withdrawal is refused; the seller of 6 is disabled; 7 is outside every cycle; 8 exceeds the balance.
pub(crate) async fn marketplace() -> World {
    let token = format!("dashboard.apiToken: {TOKEN}");
    let world = world(&[token.as_str(), "hipay.maxConcurrency: 1"]).await;
    for id in 2001..=2006 {
        world.seller(id);
    }
    newcomer(&world, 2010, "proof.pdf");
    world.fund(100_000);
    world.vendors().await;
    world.seller(2007);
    world.sandbox.mirakl(|mirakl| {
        let payment = mirakl.shop_mut(2007).unwrap().payment.as_mut().unwrap();
        "FR0000000000".clone_into(&mut payment.iban);
        mirakl.shop_mut(2004).unwrap().hipay_process = Some(false);
    });
    minute(&world);
    world.vendors().await;

    world.after_the_cycle();
    generate(&world, 1, 2001, 10_000, 0).await;
    pay(&world).await;
    generate(&world, 2, 2002, 5_000, 500).await;
    let held = world.operation(2).id;
    world.choose(held, OperationChoice::Hold, "the seller has moved", OPERATOR.0).await.unwrap();
    pay(&world).await;
    generate(&world, 3, 2003, -3_000, 0).await;
    generate(&world, 4, 2003, 9_000, 0).await;
    let refusal = Refusal::withdrawal_detail(4005).about(&wallet_of(2003)).times(100);
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    pay(&world).await;
    generate(&world, 6, 2004, 8_000, 0).await;
    generate(&world, 8, 2006, 500_000, 0).await;

    world.clock.set("2026-11-16T08:00:00Z".parse().unwrap());
    let outside = Voucher::new(7, 2005, "10.00", "2026-11-15T12:00:00Z".parse().unwrap());
    world.sandbox.mirakl(|mirakl| mirakl.vouchers.push(outside));
    world.generate().await;
    minute(&world);
    world.transfer().await;
    store_lines(&world).await;
    world
}

/// Serves the marketplace, and sends it notifications of both kinds.
async fn served() -> (World, Appliance) {
    let world = marketplace().await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    for body in PAYMENTS {
        assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, ACCEPTED, "{body}");
        dealt_with(&world).await;
    }
    let moved = Notice::new("other_transaction", "ok", wallet_of(2001)).of("by-hand-1", "12.00");
    assert_eq!(moved.send(appliance.address()).await, 204);
    dealt_with(&world).await;
    (world, appliance)
}

/// Returns the body of a successful answer.
async fn body(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    let (status, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{url}: {text}");
    text
}

/// Returns the text that a page shows: a line for each block, row or field, with its cells separated by bars.
fn shown(page: &str) -> String {
    let mut text = String::new();
    for piece in page.split('<') {
        let (tag, content) = piece.split_once('>').unwrap_or(("", piece));
        let closes = tag.starts_with('/');
        let ends_name = |letter: char| letter.is_ascii_whitespace() || letter == '/';
        match tag.trim_start_matches('/').split(ends_name).next().unwrap_or_default() {
            "dd" | "dt" | "option" | "td" | "th" if closes => {}
            "dd" | "option" | "td" | "th" => text.push_str(" | "),
            "a" | "bdi" | "code" | "input" | "path" | "progress" | "rect" | "select" | "span" | "strong" | "svg"
            | "time" => {}
            "br" => text.push(' '),
            _ => text.push('\n'),
        }
        text.push_str(&decoded(content).replace('\n', " "));
    }
    // Spaces that do not break a line are part of the text.
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    let lines = lines.map(|line| match line.strip_prefix("| ") {
        Some(cells) => cells.to_owned(),
        None => line,
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Replaces what differs between runs, machines and builds.
fn normalised(text: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = [
        (program.display().to_string(), "[program]"),
        (root.display().to_string(), "[root]"),
        (release::TARGET.to_owned(), "[target]"),
        (release::COMMIT.to_owned(), "[commit]"),
        (release::version().to_owned(), "[version]"),
    ];
    let known = known.into_iter().filter(|(varying, _)| !varying.is_empty());
    let text = known.fold(text.replace("\r\n", "\n"), |text, (varying, name)| text.replace(&varying, name));
    let mut parts = text.split("127.0.0.1:");
    let mut without_ports = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without_ports.push_str("127.0.0.1:[port]");
        without_ports.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    let lines = without_ports.split('\n').map(|line| {
        let varying = VARYING_LINES.iter().find(|beginning| line.starts_with(**beginning));
        varying.map_or_else(|| line.to_owned(), |beginning| format!("{beginning}[varies]"))
    });
    without_transactions(&lines.collect::<Vec<_>>().join("\n"))
}

/// Replaces the ids of HiPay's transactions: two payments that are in flight together may get them in either order.
fn without_transactions(text: &str) -> String {
    let mut without = String::new();
    for piece in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let is_id = word.len() == 18 && word.chars().all(|letter| letter.is_ascii_hexdigit());
        without.push_str(if is_id { "[transaction]" } else { word });
        without.push_str(piece.strip_prefix(word).unwrap_or_default());
    }
    without
}

/// Returns the place of the snapshots.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// Compares a text with its snapshot.
fn compare(name: &str, text: &str) {
    let text = normalised(text);
    settings().bind(|| insta::assert_snapshot!(name, text));
}

/// Compares an answer of the API with its snapshot.
fn compare_json(name: &str, answer: &Value) {
    let answer: Value = serde_json::from_str(&normalised(&answer.to_string())).unwrap();
    settings().bind(|| insta::assert_json_snapshot!(name, answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_api_are_as_reviewed() {
    let (world, appliance) = served().await;
    let api = Api::of(&appliance);
    let operation = |voucher: u64| format!("operations/{}", world.operation(voucher).id);
    let (paid, held, refused) = (operation(1), operation(2), operation(4));
    for (name, path) in [
        ("vendors", "vendors"),
        ("vendor", "vendors/2001"),
        ("vendor-with-warning", "vendors/2007"),
        ("operations", "operations"),
        ("operation-paid", paid.as_str()),
        ("operation-held", held.as_str()),
        ("operation-refused", refused.as_str()),
        ("todo", "todo"),
        ("cycles", "cycles"),
        ("cycle", "cycles/2026-11-11"),
        ("transactions", "transactions"),
        ("payments", "payments"),
        ("payment-captured", "payments/132255767588"),
        ("payment-declined", "payments/132255767589"),
        ("notifications", "notifications"),
        ("vouchers", "vouchers"),
        ("batches", "batches"),
        ("logs", "logs"),
        ("settings", "settings"),
        ("update", "update"),
        ("troubles", "troubles"),
    ] {
        let mut answer = api.get(path).await;
        if path == "update" {
            // The commit is empty in a build outside a repository.
            answer["commit"] = json!("[commit]");
        }
        compare_json(&format!("api-{name}"), &answer);
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_as_reviewed() {
    let (_world, appliance) = served().await;
    let base = format!("http://{}", appliance.address());
    for list in ["operations", "logs"] {
        let file = body(http().get(format!("{base}/api/v1/{list}.csv")).bearer_auth(TOKEN)).await;
        compare(&format!("export-api-{list}"), &file);
    }
    let visitor = signed_in(&appliance, OPERATOR).await;
    for list in ["vendors", "transfers", "vouchers", "transactions", "payments", "notifications", "logs"] {
        let file = body(visitor.ask("GET", &format!("/dashboard/{list}.csv"))).await;
        compare(&format!("export-{list}"), &file);
    }
    appliance.stop().await.unwrap();
}

/// Returns the name and the address of each page that is compared.
fn pages(world: &World) -> Vec<(&'static str, String)> {
    let mut pages = vec![("overview", "/dashboard".to_owned())];
    for name in [
        "funds",
        "todo",
        "cycles",
        "transfers",
        "vendors",
        "vouchers",
        "transactions",
        "payments",
        "notifications",
        "logs",
        "settings",
    ] {
        pages.push((name, format!("/dashboard/{name}")));
    }
    for (name, voucher) in [("operation-paid", 1), ("operation-held", 2), ("operation-refused", 4)] {
        pages.push((name, format!("/dashboard/transfers/{}", world.operation(voucher).id)));
    }
    for (name, path) in [
        ("cycle", "cycles/2026-11-11"),
        ("vendor", "vendors/2001"),
        ("vendor-with-warning", "vendors/2007"),
        ("documents", "vendors/2010/documents"),
        ("voucher-paid", "vouchers/invoices-2001-1"),
        ("voucher-outside", "vouchers/invoices-2005-7"),
        ("payment", "payments/132255767589"),
        ("notification", "notifications/1"),
    ] {
        pages.push((name, format!("/dashboard/{path}")));
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_as_reviewed() {
    let (world, appliance) = served().await;
    let visitor = signed_in(&appliance, OPERATOR).await;
    for language in ["en", "fr"] {
        let login = format!("http://{}/dashboard/login", appliance.address());
        let page = body(http().get(login).header("accept-language", language)).await;
        compare(&format!("page-{language}-sign-in"), &shown(&page));
        for (name, address) in pages(&world) {
            let page = body(visitor.ask("GET", &address).header("accept-language", language)).await;
            compare(&format!("page-{language}-{name}"), &shown(&page));
        }
    }
    appliance.stop().await.unwrap();
}

/// Returns the mail about a few errors.
async fn alert_mail(settings: &[&str]) -> Taken {
    let office = PostOffice::open(House::default()).await;
    let world = mailing::world(&office, settings).await;
    let _log = mailing::log(&world);
    let appliance = world.serve().await;
    tracing::error!(
        severity = "CRITICAL",
        action = "cashout:transfer",
        mirakl_id = 2001_u64,
        voucher = "1000001",
        "the ledger differs for seller@shops.example and FR1420041010050500013M02606"
    );
    for shop in [2002_u64, 2003] {
        tracing::error!(action = "vendor:process", mirakl_id = shop, "the bank details are refused");
    }
    let taken = mailing::after(&world, &office, HALF_A_MINUTE, 1).await;
    appliance.stop().await.unwrap();
    taken.into_iter().next().unwrap()
}

/// Compares the subject and the text of a mail with their snapshot.
fn compare_mail(name: &str, mail: &Taken) {
    compare(name, &format!("{}\n\n{}", mail.header("Subject"), mail.text()));
}

#[tokio::test]
async fn mails_are_as_reviewed() {
    for language in ["en", "fr"] {
        let locale = format!("dashboard.locale: {language}");
        let own = ["server.publicUrl: https://cashout.example.com", locale.as_str()];
        let settings = [&own[..], &UNSCHEDULED[..]].concat();
        compare_mail(&format!("mail-{language}-alert"), &alert_mail(&settings).await);
        let office = PostOffice::open(House::default()).await;
        compare_mail(&format!("mail-{language}-digest"), &digest_mail(&office, &settings).await);
    }
}
