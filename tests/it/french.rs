//! Pages in French are entirely in French: every page of a marketplace in trouble is visited, and
//! contains no English except for third-party text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cashout::config::{Config, Settings};
use cashout::domain::operation::{Operation, OperationChoice, PaymentKind};
use cashout::jobs::{self, Command, GenerateArguments, Silent};
use cashout::sandbox::{Endpoint, Fault, FaultKind, Life, Refusal};
use cashout::serve::Appliance;
use cashout::web::paths;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::notices::{Notice, newcomer};
use crate::payments::{ACCEPTED, FORM, enterprise};
use crate::signing_in::{OPERATOR, signed_in, world};
use crate::world::{CYCLE, World, wallet_of};

/// Stand-in for third-party text: identical in every language, and not a word in any.
const THEIRS: &str = "X1-Y2";

/// Words of which every English sentence contains one, and that do not exist in French.
const ENGLISH: [&str; 26] = [
    "the", "is", "was", "not", "of", "with", "has", "have", "had", "cannot", "this", "that", "been", "which", "your",
    "and", "are", "were", "it", "by", "its", "will", "be", "no", "since", "before",
];

/// Returns the texts of a language by name; texts that span several lines are left out.
fn texts(language: &str) -> BTreeMap<String, String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/locales").join(language);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|file| !file.ends_with("mail.ftl"));
    let text: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let entries = text.lines().filter(|line| !line.starts_with([' ', '#'])).filter_map(|line| line.split_once(" = "));
    let whole = entries.filter(|(_, text)| !text.ends_with("->"));
    whole.map(|(id, text)| (id.to_owned(), text.to_owned())).collect()
}

/// English texts that must not occur on a page.
struct English {
    /// Complete texts.
    whole: BTreeSet<String>,
    /// Parts of texts between their arguments.
    parts: Vec<String>,
}

impl English {
    fn new() -> Self {
        let french: BTreeSet<String> = texts("fr").into_values().collect();
        let (mut whole, mut parts) = (BTreeSet::new(), Vec::new());
        for text in texts("en").into_values().filter(|text| !french.contains(text)) {
            if !text.contains('{') {
                whole.insert(text);
                continue;
            }
            let between = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest).trim());
            let said = between.filter(|part| part.split_whitespace().count() > 2);
            parts.extend(said.filter(|part| !french.iter().any(|text| text.contains(part))).map(str::to_owned));
        }
        assert!(whole.len() > 500 && parts.len() > 100, "{} {}", whole.len(), parts.len());
        Self { whole, parts }
    }

    fn is_in(&self, text: &str) -> bool {
        // Names of settings count as one word.
        let words = || text.split(|letter: char| !letter.is_alphanumeric() && !"-_.".contains(letter));
        self.whole.contains(text)
            || self.parts.iter().any(|part| text.contains(part.as_str()))
            || words().any(|word| ENGLISH.contains(&word.trim_matches('.').to_lowercase().as_str()))
    }
}

/// Returns a text of a page with its entities replaced by their characters.
pub(crate) fn decoded(text: &str) -> String {
    let text = text.replace("&#39;", "'").replace("&#34;", "\"").replace("&quot;", "\"");
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Returns the visible and spoken texts of a page. Log lines are in English, and sent bodies are
/// shown verbatim, so both are left out.
fn seen(page: &str) -> Vec<String> {
    let mut page = page.to_owned();
    for (begin, end) in [
        ("<table id=\"table_logs\"", "</table>"),
        ("<table id=\"table_lines\"", "</table>"),
        ("<datalist", "</datalist>"),
        ("<pre", "</pre>"),
        ("<code", "</code>"),
        ("lang=\"en\"", "</a>"),
    ] {
        while let Some((before, rest)) = page.split_once(begin) {
            let (_, after) = rest.split_once(end).expect("it ends");
            page = format!("{before}{after}");
        }
    }
    let mut seen = Vec::new();
    for piece in page.split('<') {
        let (tag, text) = piece.split_once('>').unwrap_or(("", piece));
        seen.push(decoded(text.trim()));
        for attribute in ["title=\"", "aria-label=\"", "placeholder=\""] {
            let value = tag.split_once(attribute).and_then(|(_, rest)| rest.split_once('"'));
            seen.extend(value.map(|(value, _)| decoded(value)));
        }
    }
    seen.retain(|text| text.chars().any(char::is_alphabetic));
    seen
}

/// Requests a page and returns its status; adds the English texts on it to `found`.
async fn walk(visitor: &crate::signing_in::Browser, english: &English, path: &str, found: &mut Vec<String>) -> u16 {
    let asked = visitor.ask("GET", path).header("accept-language", "fr").header("accept", "text/html");
    let answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    if kind.starts_with("text/html") {
        judge(path, &answer.text().await.unwrap(), english, found);
    }
    status
}

fn judge(path: &str, page: &str, english: &English, found: &mut Vec<String>) {
    assert!(page.contains("<html lang=\"fr\">"), "{path}");
    found.extend(seen(page).into_iter().filter(|text| english.is_in(text)).map(|text| format!("{path}: {text}")));
}

fn refusal(endpoint: Endpoint, code: u32) -> Refusal {
    let mut refusal = Refusal::code(endpoint, code);
    THEIRS.clone_into(&mut refusal.message);
    refusal
}

fn shops() -> Command {
    Command::VendorProcess { since: None }
}

fn generation() -> Command {
    Command::CashoutGenerate(GenerateArguments::default())
}

/// Returns the transaction of a voucher's payment.
fn transaction(world: &World, voucher: u64, kind: PaymentKind) -> String {
    world.operation(voucher).payment(kind).last().unwrap().transaction_id.clone().unwrap()
}

/// Produces every failure of Mirakl and HiPay as a whole.
async fn nobody_answers(world: &World) {
    for kind in [
        FaultKind::HtmlPage(200),
        FaultKind::HtmlPage(403),
        FaultKind::HtmlPage(502),
        FaultKind::TruncatedBody,
        FaultKind::Reset,
        FaultKind::TooMany(1),
    ] {
        world.sandbox.strike(Fault::new(kind).at(Endpoint::Shops).after_execution().times(1_000));
        world.try_run(shops()).await.unwrap_err();
        world.sandbox.faults(|plan| plan.rules.clear());
    }
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(200)).at(Endpoint::Balance).after_execution().times(1_000));
    world.transfer().await;
    world.sandbox.faults(|plan| plan.rules.clear());
}

/// Adds sellers, most of them with a voucher, and what is wrong with them.
fn wrong_shops(world: &World) {
    for id in 2001..=2012 {
        world.seller(id);
        world.voucher(id, id, if id == 2012 { 90_000_000 } else { 10_000 }, 1_000);
    }
    world.voucher(2098, 2098, 1_000, 0);
    world.voucher(2013, 2001, -1_000, 0);
    newcomer(world, 2020, "proof.docx");
    newcomer(world, 2021, "proof.pdf");
    world.sandbox.mirakl(|mirakl| {
        mirakl.shop_mut(2020).unwrap().email = None;
        let wrong_iban = &mut mirakl.shop_mut(2011).unwrap().payment.as_mut().unwrap().iban;
        "FR1420041010050500013M02607".clone_into(wrong_iban);
        "Atlantis".clone_into(&mut mirakl.shop_mut(2010).unwrap().country);
    });
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal(Endpoint::SendDocument, 3).times(100)));
}

/// Runs the batches before the payments, each in more than one way.
async fn batches_in_trouble(world: &World) {
    world.vendors().await;
    world.fund(1_000_000);
    world.after_the_cycle();
    world.run(generation()).await;
    nobody_answers(world).await;
    let since = "2026-11-10T00:00:00Z".parse().unwrap();
    world.run(Command::VendorProcess { since: Some(since) }).await;
    let asked = GenerateArguments {
        cycle_date: Some(CYCLE),
        before: Some(SignedDuration::from_hours(20)),
        ..Default::default()
    };
    world.run(Command::CashoutGenerate(asked)).await;
    for asked_by in ["schedule", "command line"] {
        jobs::run(&world.context, &shops(), asked_by, Arc::new(Silent), CancellationToken::new()).await.unwrap();
    }
}

/// Makes transfers that are refused, of unknown outcome, without money, and held.
async fn transfers_in_trouble(world: &World, appliance: &Appliance) {
    world.sandbox.hipay(|hipay| {
        for (shop, code) in [(2002, 3), (2003, 400), (2004, 13), (2005, 26)] {
            hipay.refusals.push(refusal(Endpoint::Transfer, code).about(&wallet_of(shop)).times(3));
        }
    });
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2009).unwrap().hipay_process = Some(false));
    world.vendors().await;
    world.transfer().await;
    world.all_heard().await;
    for (notice, shop, amount) in [
        (Notice::new("capture", "ok", wallet_of(2001)), 2001, "100.00"),
        (Notice::new("authorize", "ok", wallet_of(2001)), 2001, "100.00"),
        (Notice::new("capture", "nok", wallet_of(2006)).with("message", THEIRS), 2006, "100.00"),
        (Notice::new("capture", "ok", wallet_of(2008)), 2007, "100.00"),
        (Notice::new("capture", "ok", wallet_of(2007)), 2007, "99.00"),
    ] {
        let of = notice.of(&transaction(world, shop, PaymentKind::Transfer), amount);
        assert_eq!(of.send(appliance.address()).await, 204);
    }
    world.all_heard().await;
    world.choose(world.operation(2007).id, OperationChoice::Retry, "", "Otto").await.unwrap();
    world.sync().await;
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.all_heard().await;
    world.sync().await;
}

/// Makes withdrawals that are refused with a detail, blocked, not identified, and canceled.
async fn withdrawals_in_trouble(world: &World) {
    world.sandbox.hipay(|hipay| {
        let mut detailed = Refusal::withdrawal_detail(4005).about(&wallet_of(2007));
        THEIRS.clone_into(&mut detailed.message);
        hipay.refusals.push(detailed);
        hipay.account_mut(wallet_of(2008)).unwrap().identified = false;
        hipay.life =
            Life::pending("AUTHORIZED", cashout::sandbox::Until::ByHand, cashout::sandbox::Ending::CancelledEnd);
    });
    world.withdraw().await;
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.all_heard().await;
    world.sync().await;
    world.transfer().await;
}

/// Makes a marketplace with a failure of every kind.
async fn in_trouble(world: &World) -> Appliance {
    wrong_shops(world);
    let appliance = world.heard().await;
    batches_in_trouble(world).await;
    transfers_in_trouble(world, &appliance).await;
    withdrawals_in_trouble(world).await;
    others_tell(world, &appliance).await;
    appliance
}

/// Sends notifications about everything else, and about nothing.
async fn others_tell(world: &World, appliance: &Appliance) {
    let (own, shop) = (world.sandbox.credentials().technical_id, wallet_of(2001));
    for notice in [
        Notice::new("capture", "ok", shop).of("no-such-transaction", "1.00"),
        Notice::new("capture", "ok", shop),
        Notice::new("moon_landing", "ok", shop),
        Notice::new("other_transaction", "ok", shop).of("by-hand-1", "12.00"),
        Notice::new("identification", "ok", shop),
        Notice::new("identification", "nok", shop).with("message", THEIRS),
        Notice::new("identification", "ok", own),
        Notice::new("bank_info_validation", "ok", shop),
        Notice::new("bank_info_validation", "nok", wallet_of(2003)).with("message", THEIRS),
        Notice::new("document_validation", "ok", shop).with("document_type", "3"),
        Notice::new("document_validation", "nok", shop).with("document_type", "3").with("message", THEIRS),
    ] {
        assert_eq!(notice.send(appliance.address()).await, 204);
    }
    let enterprise = enterprise(world, appliance);
    for body in [
        "status=118&transaction_reference=900000000001&authorized_amount=83.00&captured_amount=83.00&currency=EUR",
        "status=118&transaction_reference=900000000001&captured_amount=83.00&currency=EUR&test=perhaps",
        "status=many&transaction_reference=900000000002&captured_amount=8.333&currency=EUR&decimals=2&date_created=soon",
        "status=777&transaction_reference=900000000003&captured_amount=1&currency=XXX",
        "status=118",
        "<a><b></a>",
        "{\"status\": ",
        "rubbish",
        "notification_type=settlement&reference=R1&amount=12.00&currency=EUR&account=A1",
        "notification_type=settlement&reference=R2&account=A1",
    ] {
        assert_eq!(enterprise.send_body(FORM, body.as_bytes()).await, ACCEPTED, "{body}");
    }
    world.all_heard().await;
}

/// Returns what the parameter of a page's path stands for; one empty text for a path without one.
fn parameters(world: &World, path: &str) -> Vec<String> {
    match path.split_once('{') {
        None => vec![String::new()],
        Some((_, rest)) if rest.starts_with("mirakl_id") => (2001..=2021).map(|id| id.to_string()).collect(),
        Some((_, rest)) if rest.starts_with("transaction_reference") => {
            (1..4).map(|number| format!("90000000000{number}")).collect()
        }
        Some((before, _)) if before.contains("vouchers") => world.vouchers(),
        Some((before, _)) if before.contains("transfers") => {
            world.operations().iter().map(|operation: &Operation| operation.id.to_string()).collect()
        }
        Some(_) => world.notifications().iter().map(|one| one.id.to_string()).collect(),
    }
}

/// Returns the addresses of all pages.
fn right_addresses(world: &World) -> Vec<String> {
    let [_, pages, _] = paths();
    let mut addresses: Vec<String> = Vec::new();
    for path in &pages {
        if path.contains(".csv") || path.ends_with("/events") {
            continue;
        }
        for id in parameters(world, path) {
            let filled = path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part });
            addresses.push(filled.collect::<Vec<_>>().join("/"));
        }
    }
    assert!(addresses.len() > 100, "{}", addresses.len());
    addresses
}

/// Returns addresses with wrong filters and wrong ids, and the longest lists.
fn wrong_addresses() -> Vec<String> {
    let mut addresses = Vec::new();
    for list in ["vendors", "vouchers", "transfers", "transactions", "payments", "notifications", "logs", "settings"] {
        for query in
            ["nonsense=1", "page=9999", "per_page=x", "from=soon", "status=x", "state=x", "level=x", "page=1&page=2"]
        {
            addresses.push(format!("/dashboard/{list}?{query}"));
        }
        addresses.push(format!("/dashboard/{list}/999999"));
        addresses.push(format!("/dashboard/{list}/first"));
    }
    addresses.push("/dashboard/notifications?per_page=200".to_owned());
    addresses.push("/dashboard/settings?per_page=200".to_owned());
    addresses
}

/// Sends forms that are refused; adds the English texts of the answers to `found`.
async fn refused_forms(visitor: &crate::signing_in::Browser, english: &English, found: &mut Vec<String>) {
    for (path, form) in [
        ("/dashboard/settings/run", [("command", "cashout:transfer"), ("date", "2026-11-11")]),
        ("/dashboard/settings/run", [("command", "cashout:everything"), ("date", "")]),
        ("/dashboard/settings/change", [("level", "1"), ("token", "")]),
        ("/dashboard/settings/change", [("remove_token", "perhaps"), ("token", "")]),
    ] {
        let token = visitor.token();
        let asked = visitor.ask("POST", path).header("accept-language", "fr").header("x-csrf-token", token);
        let answer = asked.form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{path} {form:?}");
        judge(&format!("{path} {form:?}"), &answer.text().await.unwrap(), english, found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_in_french_for_whoever_reads_french() {
    let world = world(&[]).await;
    let appliance = in_trouble(&world).await;
    let (english, mut found) = (English::new(), Vec::new());
    let visitor = signed_in(&appliance, OPERATOR).await;
    for address in right_addresses(&world).into_iter().chain(wrong_addresses()) {
        let status = walk(&visitor, &english, &address, &mut found).await;
        assert!(status < 500, "{address}: {status}");
    }
    refused_forms(&visitor, &english, &mut found).await;
    // HiPay's name for a transaction is third-party text, and a label is chosen by the marketplace.
    let entries = world.ledger();
    let theirs = |text: &String| {
        entries.iter().any(|entry| {
            *text == format!("/dashboard/transactions: {}", entry.label)
                || *text == format!("/dashboard/transactions: {}", entry.kind)
        })
    };
    found.retain(|text| !theirs(text));
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} texts in English:\n{}", found.len(), found.join("\n"));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_from_elsewhere_and_a_file_that_is_wrong_are_told_in_french() {
    let world = world(&[]).await;
    let file = world.configuration();
    let token = ("CASHOUT_GITHUB_TOKEN".to_owned(), "a-token".to_owned());
    let config = Arc::new(Config::load(&file, [token]).unwrap());
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let settings = Settings::new(&file, config);
    let appliance = Appliance::start(world.context.clone(), settings, listener, world.data()).await.unwrap();
    let visitor = signed_in(&appliance, OPERATOR).await;
    let (english, mut found) = (English::new(), Vec::new());
    assert_eq!(walk(&visitor, &english, "/dashboard/settings", &mut found).await, 200);
    let right = std::fs::read_to_string(&file).unwrap();
    for wrong in [
        "autre.chose: 1",
        "cycle.hour: 25",
        "cycle.days: [31]",
        "cycle.interval.before: soon",
        "server.publicUrl: ftp://somewhere",
        "server.publicUrl: somewhere",
        "mail.to: nobody",
        "country.filter: [Atlantis]",
        "schedule.cashoutTransfer: at night",
        "server.trustedProxies: [somebody]",
        "server.listen: here",
        "server.tls.key: key.pem",
        "server.metricsToken: short",
        "update.window: tonight",
        "update.repository: nothing",
        "retention.logs: 3",
        "retention.logLines: 3",
        "dashboard.locale: de",
        "dashboard.users: nobody",
        "hipay.timezone: Moon/Base",
        "hipay.locale: french",
        "cashout.firstCycle: soon",
        "mail.digest: noon",
        "hipay.maxConcurrency: many",
        "hipay.transfer.withdraw.rest: false",
        "mirakl.bearerToken: another",
        "- rubbish",
        "cycle.minute: [1, 2]",
    ] {
        let key = wrong.split(':').next().unwrap();
        let kept: Vec<&str> = right.lines().filter(|line| !line.trim().starts_with(&format!("{key}:"))).collect();
        std::fs::write(&file, format!("{}\n    {wrong}\n", kept.join("\n"))).unwrap();
        let asked = visitor.ask("POST", "/dashboard/settings/change").header("accept-language", "fr");
        let asked = asked.header("x-csrf-token", visitor.token()).form(&[("level", "550")]);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
        judge(wrong, &answer.text().await.unwrap(), &english, &mut found);
    }
    std::fs::write(&file, right).unwrap();
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} texts in English:\n{}", found.len(), found.join("\n"));
    appliance.stop().await.unwrap();
}
