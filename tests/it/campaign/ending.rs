//! The end of a campaign: all disturbances stop, a person decides what waits for one, and everything is finished.

use cashout::domain::explanation::{Actor, explain, explain_voucher};
use cashout::domain::ledger::LedgerMatch;
use cashout::domain::operation::{Beneficiary, Operation, Status};
use cashout::domain::voucher::{HeldBecause, VoucherRecord};
use cashout::jobs::Command;
use cashout::sandbox::{Entry, Kind, Life, Place};
use cashout::store::{Query, View};
use cashout::text::Texts;
use jiff::{SignedDuration, Timestamp};

use super::Campaign;
use super::killing::batches;
use super::truth::Due;
use crate::world::IBAN;

/// Number of days after the last disturbance within which everything must be finished.
const DAYS: usize = 16;

/// Number of days after which a person settles what HiPay refuses because of an account that no store remembers.
const PATIENT_DAYS: usize = 10;

impl Campaign {
    pub(super) fn records(&self) -> Vec<VoucherRecord> {
        let query = Query::group(VoucherRecord::BY_DATE, ()).limit(1_000);
        self.world.context.store.read(|reader| reader.page(&query)).unwrap().items
    }

    /// Removes every obstacle.
    fn calm(&mut self) {
        let now = self.world.clock.now();
        self.world.sandbox.hipay(|hipay| {
            hipay.life = Life::captured_at_once();
            hipay.refusals.clear();
            hipay.settle_transactions();
        });
        let back = std::mem::take(&mut self.gone);
        self.world.sandbox.mirakl(|mirakl| {
            mirakl.shops.extend(back);
            for shop in &mut mirakl.shops {
                shop.payment_blocked = false;
                shop.hipay_process = Some(true);
                shop.updated = now;
            }
        });
        self.world.fund(100_000_000);
        // The open cycle closes.
        self.world.clock.advance(SignedDuration::from_hours(24 * 11));
    }

    pub(super) async fn come_to_an_end(&mut self) {
        self.calm();
        self.story.step(format!("{} calm", self.world.clock.now()));
        for day in 1..=DAYS {
            for command in batches().into_iter().chain([Command::TransactionStatusSync]) {
                self.held = self.held();
                let ran = self.run(command).await;
                self.judge();
                self.story.step(format!("{} {ran}", self.world.clock.now()));
            }
            let mut decided = false;
            for operation in self.world.operations() {
                Self::judge_words(&operation);
                if day > PATIENT_DAYS && self.is_used_up_elsewhere(&operation) {
                    let told = self.settle_operation(&operation).await;
                    decided |= told.is_some();
                    self.story.step(format!("{} {told:?}", self.world.clock.now()));
                } else if operation.waits_for_person() || is_over_but_for_a_person(&operation) {
                    let told = self.decide(&operation).await;
                    decided |= told.is_some();
                    self.story.step(format!("{} {told:?}", self.world.clock.now()));
                }
            }
            for record in self.records() {
                if let Some(told) = self.decide_voucher(&record).await {
                    decided = true;
                    self.story.step(format!("{} {told}", self.world.clock.now()));
                }
            }
            self.world.sandbox.hipay(|hipay| {
                hipay.settle_transactions();
                // The same for the wallets that are created only now.
                for account in hipay.accounts.values_mut() {
                    *account = account.clone().ready(IBAN);
                }
            });
            self.world.clock.advance(SignedDuration::from_hours(25));
            if day > 3 {
                self.truth.taken_back.clear();
                self.truth.unread.clear();
                if !decided && self.open().is_empty() {
                    self.all_is_accounted_for();
                    return;
                }
            }
        }
        panic!("after {DAYS} days these are still open: {:#?}", self.open());
    }

    /// Returns true for a refused withdrawal of a commission whose reference a former account of the operator may have
    /// used: with the memory of that account, the way to look there is lost.
    fn is_used_up_elsewhere(&self, operation: &Operation) -> bool {
        let refused = operation.status == Status::WithdrawFailed && operation.held.is_none();
        refused && operation.beneficiary == Beneficiary::Operator && self.truth.operators.len() > 1
    }

    /// Describes the operations and vouchers that are not finished.
    fn open(&self) -> Vec<String> {
        let operations = self.world.operations();
        let open = operations.iter().filter(|one| !is_at_its_end(one)).map(|one| {
            let Operation { id, voucher, beneficiary, status, held, message, .. } = one;
            format!("operation {id} of voucher {voucher}, {beneficiary:?}: {status}, held {held:?}, {message}")
        });
        let records = self.records();
        let waits = |record: &&VoucherRecord| !matches!(record.held, None | Some(HeldBecause::Settled));
        let held = records.iter().filter(waits).map(|record| format!("voucher {}: {:?}", record.id(), record.held));
        open.chain(held).collect()
    }

    /// Checks that an unpaid operation explains why, and who has to act.
    fn judge_words(operation: &Operation) {
        if operation.status == Status::WithdrawSuccess && operation.held.is_none() {
            return;
        }
        let told = explain(operation);
        let english = Texts::of(None);
        assert!(told.iter().any(|one| !one.what(english).is_empty()), "nothing is said of {operation:#?}");
        let acts = told.iter().any(|one| one.by() != Actor::Nobody);
        assert!(acts || !operation.waits_for_person(), "nobody acts: {operation:#?}");
    }

    /// Checks that every voucher in Mirakl is known and finished, and that no wallet holds money by mistake.
    fn all_is_accounted_for(&mut self) {
        let (records, operations) = (self.records(), self.world.operations());
        let vouchers = self.world.sandbox.mirakl(|mirakl| mirakl.vouchers.clone());
        // Vouchers older than the window of the first cycle belong to the previous installation.
        let first: Timestamp = "2026-11-10T11:00:00Z".parse().unwrap();
        for voucher in vouchers.iter().filter(|voucher| voucher.created >= first) {
            let names = [voucher.number.to_string(), voucher.payment_voucher_number.clone()];
            let known: Vec<&VoucherRecord> =
                records.iter().filter(|record| names.contains(&record.voucher.number)).collect();
            assert!(!known.is_empty(), "voucher {} is not known", voucher.number);
            let made = operations.iter().any(|one| names.contains(&one.voucher));
            for record in &known {
                if let Some(explanation) = explain_voucher(record) {
                    assert!(!explanation.what(Texts::of(None)).is_empty());
                }
                self.story.meet(format!("voucher: {}", record.state().name()));
            }
            assert!(made || known.iter().any(|one| one.held.is_some()), "voucher {} made nothing", voucher.number);
            // Two records exist if nothing links the two sources of Mirakl.
            if let [record] = known.as_slice()
                && record.held.is_none()
            {
                let due = |beneficiary| Due { voucher: voucher.number, beneficiary };
                let [vendor, operator] = Beneficiary::ALL.map(|one| self.truth.owed(&self.world, due(one)));
                let shown = record.changed_to.unwrap_or((record.voucher.vendor_amount, record.voucher.operator_amount));
                assert_eq!(shown, (vendor, operator), "voucher {}: {record:#?}", voucher.number);
            }
        }
        self.nothing_lies_about(&operations);
        for operation in &operations {
            Self::is_netted_once(operation, &operations);
            let end = operation.held_for.map_or_else(|| operation.status.to_string(), |why| format!("{why:?}"));
            self.story.meet(format!("end: {end}"));
        }
    }

    /// Checks that every payment belongs to an operation or is listed as an orphan, and that a wallet holds at most the
    /// payments of others and the orphans.
    fn nothing_lies_about(&self, operations: &[Operation]) {
        let shown = self.world.ledger();
        let entries: Vec<Entry> = self.world.sandbox.hipay(|hipay| hipay.ledger.paid().cloned().collect());
        for entry in entries.iter().filter(|entry| !entry.by_others) {
            let id = &entry.transaction_id;
            // A wallet without operations is not read, but the list shows the transfer to it.
            let due = Due::named(entry.reference.as_deref().unwrap_or_default());
            let told = shown.iter().any(|one| due.is_some() && Due::named(&one.reference) == due);
            let owned = operations.iter().any(|one| one.transaction_ids().any(|known| known == id));
            let listed = shown.iter().any(|one| one.transaction_id == *id && one.matched != LedgerMatch::Foreign);
            assert!(owned || listed || told, "nobody is told of {entry:?}");
        }
        let technical = self.world.sandbox.credentials().technical_id;
        let accounts = self.world.sandbox.hipay(|hipay| hipay.accounts.clone());
        for (id, account) in accounts.iter().filter(|(id, _)| **id != technical) {
            let of_nobody = |entry: &&Entry| {
                let known = |one: &Operation| one.transaction_ids().any(|known| known == entry.transaction_id);
                let due = self.truth.due_of(entry);
                let live = due.map_or(0, |due| self.truth.live(&self.world, Kind::Transfer, due).len());
                let doubled = self.truth.revived.contains(&entry.transaction_id) && live > 1;
                entry.by_others || doubled || !operations.iter().any(known)
            };
            let to_it = entries.iter().filter(|entry| entry.kind == Kind::Transfer && entry.to == Place::Account(*id));
            let put = to_it.filter(of_nobody);
            // The part that a commission's withdrawal could not take is reported as missing, and stays in the account.
            let short = operations.iter().filter(|one| one.recipient_hipay_id == *id).filter_map(|one| one.shortfall);
            // Payments that were settled because their reference is used up stay there as well.
            let settled = operations.iter().filter(|one| {
                let commission = one.beneficiary == Beneficiary::Operator && one.recipient_hipay_id == *id;
                commission && one.is_settled() && one.status == Status::WithdrawFailed
            });
            let put = put.map(|entry| entry.amount).chain(short).chain(settled.map(|one| one.amount));
            let put = put.fold(account.opening, |sum, amount| sum.checked_add(amount).unwrap());
            assert!(
                put.covers(account.balance),
                "account {id} holds {}, of which {put} are of others",
                account.balance
            );
        }
    }

    /// Checks that each debt is netted into exactly one operation.
    fn is_netted_once(operation: &Operation, all: &[Operation]) {
        for debt in &operation.adjusts {
            let debt = all.iter().find(|one| one.id == *debt).expect("a debt that is there");
            assert_eq!((debt.status, debt.adjusted_by), (Status::AdjustedOperations, Some(operation.id)), "{debt:#?}");
        }
        if operation.status == Status::AdjustedOperations {
            let into = all.iter().filter(|one| one.adjusts.contains(&operation.id)).count();
            assert_eq!(into, 1, "{operation:#?}");
        }
    }
}

/// Returns true if only a person can finish the operation although its status does not say so.
fn is_over_but_for_a_person(operation: &Operation) -> bool {
    !operation.is_settled() && operation.unready == Some(cashout::domain::operation::Unready::NoAccountInCurrency)
}

fn is_at_its_end(operation: &Operation) -> bool {
    let over = matches!(operation.status, Status::WithdrawSuccess | Status::AdjustedOperations | Status::InvalidAmount);
    operation.is_settled() || (over && operation.held.is_none())
}
