//! A test marketplace: the sandbox, a store in its own folder, a clock that tests set. When it is
//! dropped, HiPay's ledger is compared with what the vouchers owed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command as Process, Output};
use std::sync::Arc;
use std::time::Duration;

use cashout::admin::wiring::{self, Wiring};
use cashout::config::{Config, Settings};
use cashout::domain::attempt::ReferenceParts;
use cashout::domain::ledger::LedgerEntry;
use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Beneficiary, Operation, OperationChoice, Status};
use cashout::domain::vendor::Vendor;
use cashout::domain::voucher::VoucherRecord;
use cashout::jobs::{self, BatchRecord, Command, Context, GenerateArguments, JobError, Silent};
use cashout::platform::clock::Clock;
use cashout::remote::ClientPolicy;
use cashout::sandbox::{
    Account, Endpoint, Entry, Kind, Newcomer, PendingAddition, Place, Reviews, Sandbox, SandboxOptions, Shop, Voucher,
};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// A valid IBAN for every wallet that the tests make.
pub(crate) const IBAN: &str = "FR1420041010050500013M02606";

/// The cycle that the world's vouchers belong to. The store is created two days before it.
pub(crate) const CYCLE: Date = date(2026, 11, 11);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) context: Context,
    /// Lines added to the configuration, each `key: value`.
    settings: Vec<String>,
    manners: ClientPolicy,
    folder: tempfile::TempDir,
    /// Set to false by a test that makes the ledger differ on purpose.
    pub(crate) check_ledger: bool,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SandboxOptions::default(), &[]).await
    }

    /// Makes a world whose configuration has these additional lines (`key: value`).
    pub(crate) async fn with(options: SandboxOptions, settings: &[&str]) -> Self {
        let clock = Clock::manual("2026-11-09T08:00:00Z".parse().unwrap());
        let sandbox = Sandbox::start(SandboxOptions { clock: clock.clone(), ..options }).await.unwrap();
        sandbox.hipay(|hipay| {
            hipay.reviews = Reviews::AtOnce;
            // So that the operator can withdraw its commissions.
            let operator = sandbox.credentials().operator_id;
            let known = hipay.account_mut(operator).expect("the operator's account");
            *known = known.clone().ready(IBAN);
        });
        let folder = folder();
        let settings: Vec<String> = settings.iter().map(|&line| line.to_owned()).collect();
        let manners = manners();
        let context = open(&sandbox, &folder, &clock, &settings, &manners).await;
        Self { sandbox, clock, context, settings, manners, folder, check_ledger: true }
    }

    /// Makes a world in which no batch is scheduled, whatever the clock shows.
    pub(crate) async fn unscheduled(options: SandboxOptions, settings: &[&str]) -> Self {
        let batches =
            ["vendorProcess", "cashoutGenerate", "cashoutTransfer", "cashoutWithdraw", "transactionStatusSync"];
        let off: Vec<String> = batches.iter().map(|batch| format!("schedule.{batch}: ''")).collect();
        let all: Vec<&str> = off.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        Self::with(options, &all).await
    }

    /// Writes the configuration file and returns its path.
    pub(crate) fn configuration(&self) -> PathBuf {
        write_configuration(&self.sandbox, &self.folder, &self.settings)
    }

    /// Returns the data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Closes the store and opens it again, as a new process would.
    pub(crate) async fn restart(&mut self) {
        self.release_store().await;
        self.context = open(&self.sandbox, &self.folder, &self.clock, &self.settings, &self.manners).await;
    }

    /// Restarts with clients that wait for an answer at most this long.
    pub(crate) async fn patience(&mut self, timeout: Duration) {
        self.manners.timeout = timeout;
        self.restart().await;
    }

    /// Restarts with a store that cannot know whether it is unchanged: its memory begins now.
    pub(crate) async fn forget_where_the_store_was(&mut self) {
        self.release_store().await;
        std::fs::remove_file(self.data().join("store.seal")).unwrap();
        self.restart().await;
    }

    /// Restarts with a separate clock that shows `at`; the remotes keep theirs.
    pub(crate) async fn restart_with_the_clock_at(&mut self, at: Timestamp) {
        self.release_store().await;
        let wrong = Clock::manual(at);
        self.context = open(&self.sandbox, &self.folder, &wrong, &self.settings, &self.manners).await;
    }

    /// Changes one setting and restarts.
    pub(crate) async fn set(&mut self, line: &str) {
        self.settings.push(line.to_owned());
        self.restart().await;
    }

    /// Returns the lines that were added to the configuration.
    pub(crate) fn settings(&self) -> Vec<String> {
        self.settings.clone()
    }

    /// Replaces the added lines with these, and restarts.
    pub(crate) async fn set_all(&mut self, settings: Vec<String>) {
        self.settings = settings;
        self.restart().await;
    }

    /// Closes the store, so that another process can open it.
    pub(crate) async fn release_store(&self) {
        let store = self.context.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap().unwrap();
    }

    /// Adds a seller without problems: a shop in Mirakl, an identified wallet with validated bank details.
    pub(crate) fn seller(&self, id: u64) {
        let email = format!("seller{id}@shops.example");
        self.sandbox.mirakl(|mirakl| {
            let mut shop = Shop::new(id, &format!("Shop {id}"));
            shop.email = Some(email.clone());
            shop.hipay_process = Some(true);
            if let Some(payment) = &mut shop.payment {
                IBAN.clone_into(&mut payment.iban);
            }
            mirakl.shops.push(shop);
        });
        self.sandbox.hipay(|hipay| hipay.add(Account::new(wallet_of(id), &email).ready(IBAN)));
    }

    /// Adds a voucher of [`CYCLE`]; amounts in cents.
    pub(crate) fn voucher(&self, number: u64, shop_id: u64, vendor: i64, operator: i64) {
        let created = "2026-11-11T02:00:00Z".parse::<Timestamp>().unwrap()
            + SignedDuration::from_secs(i64::try_from(number % 1_000).unwrap());
        self.sandbox.mirakl(|mirakl| {
            mirakl.vouchers.push(
                Voucher::new(number, shop_id, &euro(vendor).decimal(), created).commission(&euro(operator).decimal()),
            );
        });
    }

    /// Adds money to the technical account, in cents.
    pub(crate) fn fund(&self, minor: i64) {
        let technical = self.sandbox.credentials().technical_id;
        self.sandbox.hipay(|hipay| hipay.fund(technical, euro(minor))).unwrap();
    }

    /// Sets the clock to the day after the cycle.
    pub(crate) fn after_the_cycle(&self) {
        self.clock.set("2026-11-12T08:00:00Z".parse().unwrap());
    }

    /// Starts the appliance on this world, on its own port. The world's context continues to use the same store.
    pub(crate) async fn serve(&self) -> Appliance {
        self.serve_on(std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap()).await
    }

    /// Starts the appliance on the test's own socket.
    pub(crate) async fn serve_on(&self, listener: std::net::TcpListener) -> Appliance {
        let settings = Settings::new(&self.configuration(), Arc::clone(&self.context.config));
        Appliance::start(self.context.clone(), settings, listener, self.data()).await.unwrap()
    }

    pub(crate) async fn try_run(&self, command: Command) -> Result<BatchRecord, JobError> {
        jobs::run(&self.context, &command, "test", Arc::new(Silent), CancellationToken::new()).await
    }

    pub(crate) async fn run(&self, command: Command) -> BatchRecord {
        let name = command.name();
        self.try_run(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) async fn vendors(&self) -> BatchRecord {
        self.run(Command::VendorProcess { since: None }).await
    }

    pub(crate) async fn generate(&self) -> BatchRecord {
        self.run(Command::CashoutGenerate(GenerateArguments::default())).await
    }

    pub(crate) async fn transfer(&self) -> BatchRecord {
        self.run(Command::CashoutTransfer).await
    }

    pub(crate) async fn withdraw(&self) -> BatchRecord {
        self.run(Command::CashoutWithdraw).await
    }

    pub(crate) async fn sync(&self) -> BatchRecord {
        self.run(Command::TransactionStatusSync).await
    }

    /// Processes vendors, advances to the day after the cycle, and generates operations.
    pub(crate) async fn up_to_operations(&self) {
        self.vendors().await;
        self.after_the_cycle();
        let generated = self.generate().await;
        assert_eq!(generated.failed, 0, "{:?}", generated.failures);
    }

    /// Runs transfer, sync, withdrawal and sync, like the cron jobs of a day.
    pub(crate) async fn pay_day(&self) {
        self.transfer().await;
        self.sync().await;
        self.withdraw().await;
        self.sync().await;
    }

    /// Makes a person's choice on an operation.
    pub(crate) async fn choose(
        &self,
        id: u64,
        choice: OperationChoice,
        reason: &str,
        who: &str,
    ) -> Result<Operation, JobError> {
        cashout::jobs::choose_for_operation(&self.context, id, choice, reason, who).await
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.context.store.read(|reader| Ok(reader.page(&Query::all().limit(100_000))?.items)).unwrap()
    }

    /// Returns the stored part of HiPay's ledger.
    pub(crate) fn ledger(&self) -> Vec<LedgerEntry> {
        let query = Query::group(LedgerEntry::BY_DATE, ()).limit(1_000);
        self.context.store.read(|reader| reader.page(&query)).unwrap().items
    }

    /// Returns the ids of all vouchers.
    pub(crate) fn vouchers(&self) -> Vec<String> {
        let query = Query::group(VoucherRecord::BY_DATE, ()).limit(1_000);
        let records = self.context.store.read(|reader| reader.page(&query)).unwrap().items;
        records.iter().map(VoucherRecord::id).collect()
    }

    /// Returns the vendor's operation of a voucher.
    pub(crate) fn operation(&self, voucher: u64) -> Operation {
        let number = voucher.to_string();
        let of_vendor = |one: &Operation| one.voucher == number && one.beneficiary == Beneficiary::Vendor;
        self.operations().into_iter().find(of_vendor).unwrap_or_else(|| panic!("no operation for voucher {voucher}"))
    }

    pub(crate) fn status(&self, voucher: u64) -> Status {
        self.operation(voucher).status
    }

    pub(crate) fn vendor(&self, mirakl_id: u64) -> Vendor {
        let found = self.context.store.read(|reader| reader.get::<Vendor>(&mirakl_id)).unwrap();
        found.unwrap_or_else(|| panic!("no vendor {mirakl_id}"))
    }

    /// Returns the amount that each wallet has paid out to its bank according to HiPay's own ledger, in cents.
    pub(crate) fn paid_out(&self) -> BTreeMap<u64, i64> {
        let wallet = |entry: &Entry| match (entry.kind, &entry.from) {
            (Kind::Withdrawal, Place::Account(id)) => Some(*id),
            _ => None,
        };
        let sums = self.sandbox.hipay(|hipay| hipay.ledger.sum_by(Currency::EUR, wallet));
        sums.into_iter().map(|(wallet, sum)| (wallet, sum.minor())).collect()
    }

    /// Returns a command of the binary with this world's configuration and data folder.
    pub(crate) fn cashout(&self, arguments: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_cashout"));
        process.env_clear().args(arguments);
        process.arg("--config").arg(self.configuration()).arg("--data").arg(self.data());
        process
    }

    /// Runs the binary to its end. The store must be closed before.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Output {
        let mut process = self.cashout(arguments);
        tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap()
    }
}

/// Makes an addition of a voucher to the front of Mirakl's list of invoices after one more page of it.
pub(crate) fn added_in_front(voucher: Voucher) -> PendingAddition {
    PendingAddition {
        after_pages: 1,
        endpoint: Endpoint::Invoices,
        at_front: true,
        newcomer: Newcomer::Voucher(Box::new(voucher)),
    }
}

/// Returns the wallet that [`World::seller`] gives a shop.
pub(crate) fn wallet_of(shop_id: u64) -> u64 {
    500_000 + shop_id
}

pub(crate) fn euro(minor: i64) -> Amount {
    Amount::from_minor(minor, Currency::EUR)
}

/// Returns an address of this machine that no other process of the tests uses, so that a free port stays free.
pub(crate) fn own_address() -> std::net::Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    std::net::Ipv4Addr::new(127, 64 | (high & 63), middle, low.max(2))
}

/// Makes a client for our own pages and webhooks: it follows no redirect and stores no cookies.
pub(crate) fn http() -> reqwest::Client {
    // Fails if another test of this process was faster; both install the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Returns short timeouts and waits: tests wait for nothing that does not happen.
pub(crate) fn manners() -> ClientPolicy {
    ClientPolicy {
        timeout: Duration::from_secs(2),
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(20),
        longest_asked: Duration::from_millis(20),
        tries: 4,
        ..ClientPolicy::default()
    }
}

/// Makes a folder in the machine's memory if available, because hundreds of worlds would wait for the
/// disk. Written data survives a kill there too; the store's own tests simulate a power failure.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn write_configuration(sandbox: &Sandbox, folder: &tempfile::TempDir, settings: &[String]) -> PathBuf {
    let mut text = sandbox.credentials().parameters_yml();
    for line in settings {
        // A later line with the same key would be a duplicate: it replaces the earlier one.
        let key = line.split_once(':').map_or(line.as_str(), |(key, _)| key);
        let kept: Vec<&str> = text.lines().filter(|known| !known.trim().starts_with(&format!("{key}:"))).collect();
        text = format!("{}\n    {line}\n", kept.join("\n"));
    }
    let file = folder.path().join("parameters.yml");
    std::fs::write(&file, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    file
}

async fn open(
    sandbox: &Sandbox,
    folder: &tempfile::TempDir,
    clock: &Clock,
    settings: &[String],
    manners: &ClientPolicy,
) -> Context {
    let file = write_configuration(sandbox, folder, settings);
    let (data, clock, manners) = (folder.path().join("data"), clock.clone(), manners.clone());
    tokio::task::spawn_blocking(move || {
        let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        wiring::open(config, &data, &Wiring { clock, manners, ..Wiring::default() }).unwrap()
    })
    .await
    .unwrap()
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.check_ledger {
            return;
        }
        if let Err(wrong) = self.sandbox.verify_once() {
            panic!("HiPay's ledger: {}", wrong.join("; "));
        }
        self.never_paid_twice();
        let complaints = self.sandbox.github(|github| github.complaints.clone());
        assert!(complaints.is_empty(), "GitHub: {}", complaints.join("; "));
        self.only_what_is_owed();
    }
}

impl World {
    /// Checks that of each payment of a voucher at most one was executed and not returned, whatever
    /// the references and ids of the attempts.
    fn never_paid_twice(&self) {
        let mut paid: BTreeMap<(Kind, String), Vec<String>> = BTreeMap::new();
        for entry in self.sandbox.hipay(|hipay| hipay.ledger.paid().cloned().collect::<Vec<_>>()) {
            let Some(reference) = entry.reference.clone() else {
                assert!(entry.by_others, "a payment without a reference: {entry:?}");
                continue;
            };
            let payment = match ReferenceParts::of(&reference) {
                Some(parts) => {
                    // The worlds' numbers contain no underscore, and some belong to several shops.
                    let named = parts.rest.split('_').next().unwrap_or_default();
                    let of_several = self.shops_of(named) > 1;
                    let wallet = if of_several { parts.wallet.to_string() } else { String::new() };
                    let voucher = self.invoice_of(named);
                    // The remainder of an operation is another payment of its voucher.
                    let part = parts.rest.split('_').nth(1).filter(|part| part.starts_with('P')).unwrap_or_default();
                    format!("{:?} {:?} {voucher} {part} {wallet}", parts.kind, parts.beneficiary)
                }
                None => reference.clone(),
            };
            paid.entry((entry.kind, payment)).or_default().push(reference);
        }
        for ((_, payment), references) in paid {
            assert_eq!(references.len(), 1, "{payment} was paid as {references:?}");
        }
    }

    /// Returns the invoice number of the voucher that either source identifies by `number`.
    fn invoice_of(&self, number: &str) -> String {
        self.sandbox.mirakl(|mirakl| {
            let named = mirakl.vouchers.iter().find(|voucher| voucher.payment_voucher_number == number);
            named.map_or_else(|| number.to_owned(), |voucher| voucher.number.to_string())
        })
    }

    /// Returns the number of shops that have a voucher of this number.
    fn shops_of(&self, number: &str) -> usize {
        self.sandbox.mirakl(|mirakl| {
            let named =
                |voucher: &&Voucher| voucher.payment_voucher_number == number || voucher.number.to_string() == number;
            mirakl.vouchers.iter().filter(named).map(|voucher| voucher.shop_id).collect::<BTreeSet<_>>().len()
        })
    }

    /// Checks that every transfer to a seller is for a voucher of its shop, at most as large, and not paid by others.
    fn only_what_is_owed(&self) {
        let transfers: Vec<(String, u64, Amount)> = self.sandbox.hipay(|hipay| {
            let sales = hipay.ledger.paid().filter(|entry| entry.kind == Kind::Transfer);
            let parts = sales.filter_map(|entry| match (entry.reference.as_deref()?.split('_').nth(2), &entry.to) {
                (Some(number), Place::Account(to)) if entry.reference.as_deref()?.contains("_SALES_") => {
                    Some((number.to_owned(), *to, entry.amount))
                }
                _ => None,
            });
            parts.collect()
        });
        for (number, to, amount) in transfers {
            let owner = self.sandbox.hipay(|hipay| hipay.account(to).and_then(|account| account.external_id.clone()));
            let shop = owner.and_then(|id| id.parse().ok()).unwrap_or(to.saturating_sub(500_000));
            let owed = self.sandbox.mirakl(|mirakl| {
                mirakl.vouchers.iter().any(|voucher| {
                    let named = voucher.number.to_string() == number || voucher.payment_voucher_number == number;
                    let whole = voucher.amount_transferred.as_deref().map(|text| Amount::parse(text, voucher.currency));
                    let covers = matches!(whole, Some(Ok(whole)) if whole.covers(amount));
                    named && voucher.shop_id == shop && covers && voucher.state != "PAID"
                })
            });
            assert!(owed, "{amount} went to the account {to} for the voucher {number}, which does not owe it");
        }
    }
}
