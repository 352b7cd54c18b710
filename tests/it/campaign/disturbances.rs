//! The steps of a campaign: a batch, with or without faults, or an event in the outside world.

use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Beneficiary, Status};
use cashout::jobs::{Command, JobError, rebind};
use cashout::sandbox::{
    Account, Ending, Endpoint, Entry, EntryState, Fault, FaultKind, HipayModel, Kind, Life, OtherPayment, Refusal,
    Remote, Sending, Shop, Transaction, Until, Voucher,
};
use jiff::SignedDuration;

use super::Campaign;
use super::killing::batches;
use super::truth::{Due, Truth};
use crate::notices::Notice;
use crate::world::{IBAN, euro};

/// The kinds of steps and their weights.
const DISTURBANCES: [(u32, &str); 27] = [
    (30, "batch"),
    (8, "day"),
    (10, "kill"),
    (8, "time passes"),
    (12, "vouchers"),
    (5, "voucher corrected"),
    (4, "voucher vanishes"),
    (7, "paid by hand"),
    (3, "other provider"),
    (3, "shop renamed"),
    (5, "shop changed"),
    (2, "shop gone"),
    (5, "HiPay's pace"),
    (4, "payments end"),
    (8, "payment taken back"),
    (8, "executed after all"),
    (4, "refusal"),
    (3, "money arrives"),
    (3, "memory lost"),
    (4, "backup"),
    (5, "put back"),
    (3, "other source"),
    (2, "other marketplace id"),
    (1, "other operator"),
    (3, "notices"),
    (8, "person"),
    (2, "stray payment"),
];

impl Campaign {
    /// Makes one step, drawn by the seed.
    pub(super) async fn disturb(&mut self) {
        let total = DISTURBANCES.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.rng.u32(0..total);
        let what = DISTURBANCES.iter().find(|(weight, _)| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        let (_, what) = what.expect("one of them");
        let came = match *what {
            "batch" => self.batch().await,
            "day" => self.day().await,
            "kill" => {
                let command = self.work();
                Some(self.kill(&command).await)
            }
            "time passes" => Some(self.time_passes()),
            "vouchers" => self.vouchers(),
            "voucher corrected" => self.correct(),
            "voucher vanishes" => self.vanish(),
            "paid by hand" => self.pay_by_hand(),
            "other provider" => self.other_provider(),
            "shop renamed" => self.rename(),
            "shop changed" => self.change_shop(),
            "shop gone" => self.shop_gone(),
            "HiPay's pace" => Some(self.pace()),
            "payments end" => Some(self.settle()),
            "payment taken back" => self.take_back(),
            "executed after all" => self.execute_after_all(),
            "refusal" => Some(self.refuse()),
            "money arrives" => Some(self.money()),
            "memory lost" => self.lose_memory().await,
            "backup" => self.back_up().await,
            "put back" => self.put_back().await,
            "other source" => self.switch_source().await,
            "other marketplace id" => self.other_ids(false).await,
            "other operator" => self.other_ids(true).await,
            "notices" => self.notices().await,
            "person" => self.person().await,
            "stray payment" => self.stray(),
            other => panic!("no such disturbance: {other}"),
        };
        if let Some(came) = came {
            self.story.step(format!("{} {what}: {came}", self.world.clock.now()));
            self.story.meet(format!("step: {what}"));
        }
    }

    /// Chooses a batch that probably has something to do.
    fn work(&mut self) -> Command {
        let operations = self.world.operations();
        let any = |statuses: &[Status]| operations.iter().any(|one| statuses.contains(&one.status));
        let [vendors, generate, transfer, sync, withdraw] = batches();
        let sent = [Status::TRANSFER_SENT, Status::WITHDRAW_SENT].concat();
        let mut work = vec![vendors, generate];
        work.extend(
            any(&Status::TRANSFER_PAYABLE)
                .then_some([transfer.clone(), transfer.clone(), transfer])
                .into_iter()
                .flatten(),
        );
        work.extend(any(&sent).then_some([sync.clone(), sync]).into_iter().flatten());
        work.extend(
            any(&Status::WITHDRAW_PAYABLE)
                .then_some([withdraw.clone(), withdraw.clone(), withdraw])
                .into_iter()
                .flatten(),
        );
        self.rng.choice(work).unwrap()
    }

    /// Runs one batch; it may end early only because of a faulty remote or a store bound to another configuration.
    pub(super) async fn run(&mut self, command: Command) -> String {
        let name = command.name();
        match self.world.try_run(command).await {
            Ok(record) => {
                let told = record.failures.iter().chain(&record.warnings).map(|one| one.message.text());
                let told: Vec<&str> = told.take(4).collect();
                format!(
                    "{name} {}{}{}",
                    record.state().name(),
                    if told.is_empty() { "" } else { ": " },
                    told.join("; ")
                )
            }
            Err(error @ (JobError::Remote(_) | JobError::Refused(_))) => format!("{name}: {error}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    async fn batch(&mut self) -> Option<String> {
        let command = self.work();
        let trouble = self.trouble();
        let ran = self.run(command).await;
        self.world.sandbox.faults(|plan| {
            plan.rules.clear();
            plan.rate_percent = 0;
            plan.lost_answers_percent = 0;
        });
        Some(format!("{ran} ({trouble})"))
    }

    /// Plans the faults of the remotes during one batch.
    fn trouble(&mut self) -> String {
        match self.rng.u8(0..6) {
            0 => {
                let rate = self.rng.u8(2..30);
                self.world.sandbox.faults(|plan| {
                    plan.rate_percent = rate;
                    plan.lost_answers_percent = rate;
                });
                format!("{rate}% of the answers fail")
            }
            1 => {
                let endpoints = [
                    Endpoint::Transfer,
                    Endpoint::Withdrawal,
                    Endpoint::Transaction,
                    Endpoint::Transactions,
                    Endpoint::Balance,
                    Endpoint::Account,
                    Endpoint::Shops,
                    Endpoint::Invoices,
                    Endpoint::BillingCycles,
                ];
                let endpoint = self.rng.choice(endpoints).unwrap();
                let fault = Fault::new(FaultKind::ServerError).at(endpoint);
                let fault = if self.rng.bool() { fault.after_execution() } else { fault };
                self.world.sandbox.strike(fault.times(self.rng.u32(1..60)).skip(self.rng.u32(0..3)));
                format!("{endpoint:?} fails")
            }
            2 if self.rng.u8(0..3) == 0 => {
                let remote = self.rng.choice([Remote::Hipay, Remote::Mirakl]).unwrap();
                self.world.sandbox.strike(Fault::new(FaultKind::Reset).on(remote).times(u32::MAX));
                format!("{remote:?} is down")
            }
            _ => "well".to_owned(),
        }
    }

    async fn day(&mut self) -> Option<String> {
        let mut ran = Vec::new();
        for command in batches() {
            self.held = self.held();
            ran.push(self.run(command).await);
            self.judge();
        }
        self.world.clock.advance(SignedDuration::from_hours(22));
        Some(ran.join(", "))
    }

    fn time_passes(&mut self) -> String {
        let hours = self.rng.i64(1..60);
        self.world.clock.advance(SignedDuration::from_hours(hours));
        format!("{hours} hours")
    }

    /// Adds some vouchers, on time or late, of either sign, in some currency.
    fn vouchers(&mut self) -> Option<String> {
        let shops: Vec<u64> = self.world.sandbox.mirakl(|mirakl| mirakl.shops.iter().map(|shop| shop.id).collect());
        let mut made = Vec::new();
        for _ in 0..self.rng.u8(1..5) {
            let shop = self.rng.choice(&shops).copied()?;
            let number = self.truth.next;
            self.truth.next += 1;
            let now = self.world.clock.now();
            let age = match self.rng.u8(0..10) {
                0..5 => self.rng.i64(0..3_600),
                5..8 => self.rng.i64(0..86_400),
                _ => self.rng.i64(0..10 * 86_400),
            };
            let created = now - SignedDuration::from_secs(age);
            let currency = if self.rng.u8(0..16) == 0 { Currency::from_code("GBP").unwrap() } else { Currency::EUR };
            let vendor = self.amount();
            let operator = match self.rng.u8(0..4) {
                0 => 0,
                1 if self.rng.bool() => -self.rng.i64(1..2_000),
                _ => self.rng.i64(1..3_000),
            };
            let decimal = |minor| Amount::from_minor(minor, currency).decimal();
            let mut voucher = Voucher::new(number, shop, &decimal(vendor), created).commission(&decimal(operator));
            voucher.currency = currency;
            self.world.sandbox.mirakl(|mirakl| mirakl.vouchers.push(voucher));
            made.push(format!("{number} of {shop}: {vendor} + {operator} {} of {created}", currency.code()));
        }
        Some(made.join("; "))
    }

    /// Draws the amount of a voucher, in cents.
    fn amount(&mut self) -> i64 {
        match self.rng.u8(0..10) {
            0 | 1 => -self.rng.i64(1..20_000),
            2 if self.rng.bool() => 0,
            3 => self.rng.i64(50_000..500_000),
            _ => self.rng.i64(1..50_000),
        }
    }

    /// Returns one of the vouchers that Mirakl shows.
    fn some_voucher(&mut self) -> Option<Voucher> {
        let vouchers = self.world.sandbox.mirakl(|mirakl| mirakl.vouchers.clone());
        self.rng.choice(&vouchers).cloned()
    }

    fn correct(&mut self) -> Option<String> {
        let voucher = self.some_voucher()?;
        let (vendor, both) = (self.amount(), self.rng.bool());
        let decimal = Amount::from_minor(vendor, voucher.currency).decimal();
        self.world.sandbox.mirakl(|mirakl| {
            let known = mirakl.voucher_mut(voucher.number).unwrap();
            known.amount_transferred = Some(decimal.clone());
            if both {
                known.amount_to_operator = Some("1.23".to_owned());
            }
        });
        Some(format!("{} to {decimal}{}", voucher.number, if both { " + 1.23" } else { "" }))
    }

    fn vanish(&mut self) -> Option<String> {
        let voucher = self.some_voucher()?;
        self.world.sandbox.mirakl(|mirakl| mirakl.vouchers.retain(|one| one.number != voucher.number));
        let told = voucher.number.to_string();
        self.truth.vanished.insert(voucher.number, voucher);
        Some(told)
    }

    /// Pays a seller by hand, as the finance department, what is not paid yet, and marks it as paid in Mirakl.
    fn pay_by_hand(&mut self) -> Option<String> {
        let voucher = self.some_voucher()?;
        let due = Due { voucher: voucher.number, beneficiary: Beneficiary::Vendor };
        let owed = self.truth.owed(&self.world, due);
        let untouched = self.truth.live(&self.world, Kind::Transfer, due).is_empty();
        let ours = voucher.pay_out_psp_code.is_none() && voucher.currency == Currency::EUR;
        if !untouched || !owed.is_positive() || self.truth.elsewhere.contains(&due) || !ours {
            return None;
        }
        let wallet = Truth::wallet(&self.world, voucher.shop_id).filter(|_| self.rng.u8(0..3) > 0);
        let at_hipay = wallet.and_then(|wallet| self.by_hand(Kind::Transfer, wallet, owed, due));
        let how = if at_hipay.is_some() {
            let withdrawn = self.rng.bool().then(|| self.by_hand(Kind::Withdrawal, wallet?, owed, due)).flatten();
            if withdrawn.is_some() { "at HiPay, to the bank" } else { "at HiPay, to the wallet" }
        } else {
            self.truth.elsewhere.insert(due);
            "from another bank"
        };
        self.world.sandbox.mirakl(|mirakl| {
            "PAID".clone_into(&mut mirakl.voucher_mut(voucher.number).unwrap().state);
        });
        Some(format!("{} {how}", voucher.number))
    }

    /// Makes a person's payment at HiPay and returns its transaction.
    pub(super) fn by_hand(&mut self, kind: Kind, account: u64, amount: Amount, due: Due) -> Option<String> {
        let label = if self.rng.bool() { "By hand".to_owned() } else { format!("Voucher {}", due.voucher) };
        let payment = OtherPayment { kind, account, amount, label, reference: None };
        let id = self.world.sandbox.hipay(|hipay| {
            // A person ensures that it succeeds.
            let life = std::mem::replace(&mut hipay.life, Life::captured_at_once());
            let made = hipay.pay_otherwise(payment);
            hipay.life = life;
            made
        })?;
        self.truth.by_hand.insert(id.clone(), due);
        Some(id)
    }

    fn other_provider(&mut self) -> Option<String> {
        let voucher = self.some_voucher()?;
        self.world.sandbox.mirakl(|mirakl| {
            mirakl.voucher_mut(voucher.number).unwrap().pay_out_psp_code = Some("MANGOPAY".to_owned());
        });
        Some(voucher.number.to_string())
    }

    fn rename(&mut self) -> Option<String> {
        let now = self.world.clock.now();
        let shops: Vec<u64> = self.world.sandbox.mirakl(|mirakl| mirakl.shops.iter().map(|shop| shop.id).collect());
        let shop = self.rng.choice(&shops).copied()?;
        let tail = self.rng.u16(..);
        self.world.sandbox.mirakl(|mirakl| {
            let known = mirakl.shop_mut(shop).unwrap();
            known.name = format!("Renamed {tail}");
            known.email = Some(format!("renamed{tail}@shops.example"));
            known.updated = now;
        });
        Some(format!("{shop} to {tail}"))
    }

    fn change_shop(&mut self) -> Option<String> {
        let now = self.world.clock.now();
        let shops: Vec<Shop> = self.world.sandbox.mirakl(|mirakl| mirakl.shops.clone());
        let shop = self.rng.choice(&shops)?.id;
        let (what, off) = (self.rng.bool(), self.rng.bool());
        self.world.sandbox.mirakl(|mirakl| {
            let known = mirakl.shop_mut(shop).unwrap();
            if what {
                known.payment_blocked = off;
            } else {
                known.hipay_process = Some(!off);
            }
            known.updated = now;
        });
        let what = if what { "payment_blocked" } else { "not for HiPay" };
        Some(format!("{shop} {what} {off}"))
    }

    /// Removes a shop from Mirakl, or restores the removed one.
    fn shop_gone(&mut self) -> Option<String> {
        if let Some(back) = self.gone.pop() {
            let told = format!("{} is back", back.id);
            self.world.sandbox.mirakl(|mirakl| mirakl.shops.push(back));
            return Some(told);
        }
        let gone = self.world.sandbox.mirakl(|mirakl| (mirakl.shops.len() > 1).then(|| mirakl.shops.remove(0)))?;
        let told = format!("{} is gone", gone.id);
        self.gone.push(gone);
        Some(told)
    }

    /// Changes the course of future payments.
    fn pace(&mut self) -> String {
        let endings = [Ending::Captured, Ending::Captured, Ending::Captured, Ending::Unauthed, Ending::CancelledEnd];
        let ending = self.rng.choice(endings).unwrap();
        let (word, until) = match self.rng.u8(0..6) {
            0 => ("AUTHORIZED", Until::AtOnce),
            1 => ("AUTHORIZED", Until::ByHand),
            2 => ("STANDBY", Until::ByHand),
            3 => ("UNDER_REVIEW", Until::ByHand),
            4 => ("AUTHORIZED", Until::Lookups(self.rng.u32(1..4))),
            _ => ("AUTHORIZED", Until::Elapsed(SignedDuration::from_hours(self.rng.i64(1..40)))),
        };
        let life = if self.rng.bool() { Life::captured_at_once() } else { Life::pending(word, until, ending) };
        let told = format!("{life:?}");
        self.world.sandbox.hipay(|hipay| hipay.life = life);
        told
    }

    fn settle(&mut self) -> String {
        self.world.sandbox.hipay(HipayModel::settle_transactions);
        "all".to_owned()
    }

    /// Reverses a payment that was executed.
    fn take_back(&mut self) -> Option<String> {
        let entries: Vec<Entry> = self.world.sandbox.hipay(|hipay| hipay.ledger.paid().cloned().collect());
        let withdrawals = |due| self.truth.live(&self.world, Kind::Withdrawal, due).is_empty();
        let may_come_back = |entry: &&Entry| {
            let still_there = entry.kind == Kind::Withdrawal || self.truth.due_of(entry).is_some_and(withdrawals);
            entry.state == EntryState::Executed && !entry.by_others && still_there
        };
        let back: Vec<&Entry> = entries.iter().filter(may_come_back).collect();
        let entry = (*self.rng.choice(&back)?).clone();
        let ending = self.rng.choice([Ending::CancelledEnd, Ending::RejectedEnd, Ending::Refunded]).unwrap();
        self.truth.taken_back.insert(entry.transaction_id.clone());
        self.world.sandbox.hipay(|hipay| hipay.take_back(&entry.transaction_id, ending));
        Some(format!("{} as {}", entry.reference.unwrap_or_default(), ending.status()))
    }

    /// Executes a payment that HiPay had shown as failed.
    fn execute_after_all(&mut self) -> Option<String> {
        let technical = self.world.sandbox.credentials().technical_id;
        let failed: Vec<Transaction> = self.world.sandbox.hipay(|hipay| {
            let covered = |one: &&Transaction| one.issuer == technical || hipay.balance(one.issuer).covers(one.amount);
            let over = |one: &&Transaction| one.life.is_none() && one.captured.is_none() && one.reference.is_some();
            hipay.transactions.iter().filter(over).filter(covered).cloned().collect()
        });
        let failed = self.rng.choice(&failed)?.clone();
        if failed.issuer == technical {
            self.world.fund(failed.amount.minor());
        }
        for one in [&mut self.truth.revived, &mut self.truth.unread] {
            one.insert(failed.id.clone());
        }
        self.truth.taken_back.remove(&failed.id);
        self.world.sandbox.hipay(|hipay| hipay.execute_after_all(&failed.id));
        failed.reference
    }

    fn refuse(&mut self) -> String {
        let endpoint = self.rng.choice([Endpoint::Transfer, Endpoint::Withdrawal]).unwrap();
        let mut refusal = if endpoint == Endpoint::Withdrawal && self.rng.bool() {
            Refusal::withdrawal_detail(self.rng.choice([4004, 4005, 4007, 4014, 4015]).unwrap())
        } else {
            Refusal::code(endpoint, self.rng.choice([3, 4, 7, 13, 26, 500]).unwrap())
        };
        refusal.executes = self.rng.u8(0..4) == 0;
        refusal.times = self.rng.u32(1..5);
        let told = format!("{endpoint:?} {} {:?} executes {}", refusal.code, refusal.detail, refusal.executes);
        self.world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
        told
    }

    fn money(&mut self) -> String {
        let cents = self.rng.choice([10_000, 100_000, 1_000_000]).unwrap();
        self.world.fund(cents);
        cents.to_string()
    }

    async fn lose_memory(&mut self) -> Option<String> {
        self.held.clear();
        self.forget_what_came_back();
        self.world.release_store().await;
        std::fs::remove_dir_all(self.world.data()).unwrap();
        self.world.restart().await;
        self.is_bound().await;
        // A new store reads the whole ledger before it pays.
        self.truth.unread.clear();
        Some("the data folder is gone".to_owned())
    }

    async fn back_up(&mut self) -> Option<String> {
        self.world.release_store().await;
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.world.data()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        self.backups.push((folder, self.world.settings()));
        self.world.restart().await;
        Some(format!("number {}", self.backups.len()))
    }

    /// Restores a backup of the store, or of the whole machine.
    async fn put_back(&mut self) -> Option<String> {
        let backup = self.rng.choice(0..self.backups.len())?;
        let whole = self.rng.bool();
        self.forget_what_came_back();
        self.world.release_store().await;
        let data = self.world.data();
        if whole {
            std::fs::remove_dir_all(&data).unwrap();
            std::fs::create_dir(&data).unwrap();
        }
        let (folder, settings) = self.backups.get(backup)?;
        let settings = settings.clone();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            if whole || entry.file_name() == "store.redb" {
                std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
            }
        }
        self.world.restart().await;
        if !self.is_bound().await {
            // Pending payments are finished with the settings of the backup.
            self.world.set_all(settings).await;
            assert!(self.is_bound().await, "the settings of the backup do not fit it");
        }
        Some(format!("number {}, {}", backup + 1, if whole { "the whole machine" } else { "the store's file" }))
    }

    /// Records that after the restoration the store must find all reversals again.
    fn forget_what_came_back(&mut self) {
        let entries = self.world.sandbox.hipay(|hipay| hipay.ledger.executed().to_vec());
        let back = entries.into_iter().filter(|entry| entry.state == EntryState::Reversed);
        self.truth.taken_back.extend(back.map(|entry| entry.transaction_id));
        self.truth.unread.extend(self.truth.revived.iter().cloned());
    }

    /// Binds the store to the configuration, as a person would if a batch refuses it.
    pub(super) async fn is_bound(&mut self) -> bool {
        rebind(&self.world.context).await.is_ok()
    }

    async fn switch_source(&mut self) -> Option<String> {
        let other = self.rng.choice(["invoices", "billingCycles"]).unwrap();
        self.world.set(&format!("mirakl.voucherSource: {other}")).await;
        Some(other.to_owned())
    }

    /// Changes the marketplace's id or the operator's account.
    async fn other_ids(&mut self, operator: bool) -> Option<String> {
        let tail = self.rng.u16(1_000..);
        let before = self.world.settings();
        if operator {
            let (id, email) = (410_000 + u64::from(tail), format!("operator{tail}@marketplace.example"));
            self.world.sandbox.hipay(|hipay| hipay.add(Account::new(id, &email).ready(IBAN)));
            self.world.set(&format!("account.operator.hipayId: {id}")).await;
            self.world.set(&format!("account.operator.email: {email}")).await;
            self.truth.operators.insert(id);
        } else {
            self.world.set(&format!("hipay.mkp.technical.id: marketplace-{tail}")).await;
        }
        if let Err(error) = rebind(&self.world.context).await {
            self.world.set_all(before).await;
            return Some(format!("{tail}, refused: {error}"));
        }
        Some(tail.to_string())
    }

    /// Delivers HiPay's notices: late, twice, in any order, among others about another account.
    async fn notices(&mut self) -> Option<String> {
        let world = &self.world;
        let appliance = world.heard().await;
        let url = format!("http://{}/notifications/wallet", appliance.address());
        let transactions: Vec<String> = world.sandbox.hipay(|hipay| {
            hipay.notify.copies = 2;
            hipay.notify.shuffle = true;
            for notice in &mut hipay.notifications {
                notice.url = Some(url.clone());
                notice.delivery = cashout::sandbox::Delivery::Waiting;
            }
            hipay.transactions.iter().map(|one| one.id.clone()).collect()
        });
        world.all_heard().await;
        if let Some(of) = self.rng.choice(&transactions) {
            let accounts = world.sandbox.hipay(|hipay| hipay.accounts.keys().copied().collect::<Vec<_>>());
            let account = *self.rng.choice(&accounts).unwrap();
            let issuer = world.sandbox.hipay(|hipay| {
                let transaction = hipay.transactions.iter().find(|one| one.id == *of).unwrap();
                [Some(transaction.issuer), transaction.recipient]
            });
            if !issuer.contains(&Some(account)) {
                let words = self.rng.choice([("capture", "nok"), ("withdraw_validation", "nok"), ("capture", "ok")]);
                let (operation, status) = words.unwrap();
                Notice::new(operation, status, account).of(of, "1.00").send(appliance.address()).await;
                world.all_heard().await;
            }
        }
        appliance.stop().await.unwrap();
        world.sandbox.hipay(|hipay| hipay.notify.sending = Sending::Held);
        // Stopping the appliance has closed the store.
        self.world.restart().await;
        Some("heard".to_owned())
    }

    /// Makes a payment of an unknown system, with a reference of our form or none.
    fn stray(&mut self) -> Option<String> {
        let shops: Vec<u64> = self.world.sandbox.mirakl(|mirakl| mirakl.shops.iter().map(|shop| shop.id).collect());
        let wallet = Truth::wallet(&self.world, self.rng.choice(&shops).copied()?)?;
        let number = self.rng.u32(900_000..999_999);
        let reference = self.rng.bool().then(|| format!("TRANSFER_SALES_{number}_other_{wallet}"));
        let payment = OtherPayment {
            kind: Kind::Transfer,
            account: wallet,
            amount: euro(self.rng.i64(1..1_000)),
            label: "Voucher of nobody".to_owned(),
            reference,
        };
        let made = self.world.sandbox.hipay(|hipay| hipay.pay_otherwise(payment))?;
        Some(made)
    }

    /// Decides, as a person, about something that waits for one, or holds something on suspicion.
    async fn person(&mut self) -> Option<String> {
        let operations = self.world.operations();
        let waiting: Vec<_> = operations.iter().filter(|one| one.waits_for_person()).collect();
        if let Some(operation) = self.rng.choice(&waiting) {
            return self.decide(operation).await;
        }
        let open: Vec<_> = operations.iter().filter(|one| one.status != Status::WithdrawSuccess).collect();
        let operation = self.rng.choice(&open)?;
        self.hold_on_suspicion(operation).await
    }
}
