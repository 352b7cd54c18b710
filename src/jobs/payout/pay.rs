//! The only code that moves money: one payment of one operation, from whatever is known of it to
//! whatever can be known now. The rules are those of "Money never moves twice".

use jiff::{SignedDuration, Timestamp};

use crate::domain::attempt::{Attempt, AttemptState, NextStep, ReferenceParts, TransactionState, split_number};
use crate::domain::ledger::{LedgerEntry, LedgerVerdict, SoughtPayment};
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Hold, Operation, OperationEvent, PaymentKind, Unready};
use crate::domain::vendor::Vendor;
use crate::jobs::binding::{self, marketplace};
use crate::jobs::ledger::{self, Ledger};
use crate::jobs::payout::funds::{AccountFunds, Reserved};
use crate::jobs::payout::labels;
use crate::jobs::payout::outcome::{self, AmendedRequest, FoundTransaction};
use crate::jobs::vendor::process::vendor;
use crate::jobs::{BatchCount, BatchRun, Context, JobError, Subject};
use crate::remote::hipay::{ActingOn, Transaction};
use crate::remote::{CallError, Rejection};
use crate::store::StoreError;
use crate::text::message::{Message, msg};

/// Upper bound on the sendings of a request in one run while its outcome is unknown.
const MAX_SENDS: u32 = 3;

/// Message about a payment that may have been executed.
const OUTCOME_UNKNOWN: &str = "pay-open";
/// Message about a payment that was not sent.
const NOT_SENT: &str = "pay-unsent";

/// Time by which a payment may be dated before its voucher: clocks and time zones differ.
const LEDGER_MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// Maximum number of attempts without a person (rules, number 5 of "Money never moves twice").
const MAX_ATTEMPTS: u32 = 9;

/// Upper bound on look-ups per run; more than any operation has attempts.
const MAX_STEPS: u32 = 50;

/// Upper bound on the lag of a look-up behind a payment. After that a refusal is believed even if
/// the outcome of an earlier sending is unknown.
const LOOK_UP_LAG_LIMIT: SignedDuration = SignedDuration::from_hours(24);

/// A payment of one operation in one run.
pub(crate) struct Paying<'a> {
    pub(crate) context: &'a Context,
    pub(crate) run: &'a BatchRun,
    pub(crate) kind: PaymentKind,
    pub(crate) funds: &'a AccountFunds<'a>,
    /// The ledger that would show the payment.
    pub(crate) ledger: &'a Ledger<'a>,
    /// Time since which the store knows everything that was paid.
    pub(crate) memory: Timestamp,
    /// False if the checks before sending fail: then only the outcome of earlier sendings is looked up.
    pub(crate) may_send: bool,
}

/// The attempt that a transaction of HiPay's is matched to.
pub(crate) struct AttemptMatch {
    /// Time of the request to HiPay, by our clock (UTC).
    pub(crate) asked_at: Timestamp,
    pub(crate) number: u32,
    /// Its reference; empty if the payment carries none.
    pub(crate) reference: String,
    /// The account that the money went to, or that it left for the bank.
    pub(crate) account: u64,
}

/// The decision of HiPay's ledger about an operation.
enum ByLedger {
    /// An operation that was not paid.
    ToBePaid(Operation),
    /// An operation that was paid under one of our own references: those are looked up one after
    /// the other, and nothing is sent.
    ToBeLookedUp(Operation),
    /// An operation that was adopted or held.
    Done,
}

/// The amount reserved for a payment.
struct Reservation {
    amount: Amount,
    /// The paying account's balance as last read.
    balance: Amount,
}

/// Returns the wallet that a transfer goes to and a withdrawal leaves from.
fn account(operation: &Operation) -> u64 {
    operation.recipient_hipay_id
}

pub(crate) fn subject(operation: &Operation) -> Subject {
    Subject::voucher(operation.mirakl_id, &operation.voucher)
}

impl Paying<'_> {
    /// Advances the payment as far as possible. Only what concerns the whole batch is an error.
    pub(crate) async fn pay(&self, mut operation: Operation) -> Result<(), JobError> {
        let kind = self.kind;
        let vendor = vendor(self.context, operation.mirakl_id).await?;
        let remembered = self.is_within_memory(&operation, vendor.as_ref());
        let first = operation
            .payment(kind)
            .last()
            .is_none_or(|last| matches!(last.state, AttemptState::Ended | AttemptState::Refused));
        let mut may_send = self.may_send;
        if first && !remembered {
            match self.match_ledger(operation, vendor.as_ref()).await? {
                ByLedger::ToBePaid(to_be_paid) => operation = to_be_paid,
                ByLedger::ToBeLookedUp(paid) => (operation, may_send) = (paid, false),
                ByLedger::Done => return Ok(()),
            }
        }
        let base = self.base(&operation);
        let mut plan = operation.payment(kind).plan(&base, remembered);
        for _ in 0..MAX_STEPS {
            match plan {
                NextStep::LookUp { number, reference } => {
                    let next = self.look_up_attempt(&operation, number, reference, &base, remembered).await?;
                    let Some(next) = next else { return Ok(()) };
                    plan = next;
                }
                NextStep::Begin(number)
                    if may_send && number > MAX_ATTEMPTS && !operation.waived.contains(&Hold::TooManyAttempts) =>
                {
                    let message = msg!("pay-most-attempts", kind, number = MAX_ATTEMPTS.to_string());
                    return self.hold_for(&operation, Hold::TooManyAttempts, message, Vec::new()).await;
                }
                NextStep::Begin(number) if may_send => {
                    let operation = self.to_present_account(operation, vendor.as_ref()).await?;
                    return self.begin(&operation, number).await;
                }
                NextStep::Resend if may_send && !self.has_never_arrived(&operation) => {
                    let operation = self.to_present_account(operation, vendor.as_ref()).await?;
                    return self.resend(&operation).await;
                }
                NextStep::Wait(reason) => {
                    self.run.fail(subject(&operation), msg!("pay-not-sent", kind, reason));
                    return Ok(());
                }
                NextStep::Resend if self.has_never_arrived(&operation) => {
                    return self.report_never_arrived(&operation).await;
                }
                NextStep::Begin(_) | NextStep::Resend | NextStep::Adopt => {
                    self.run.count_amount(BatchCount::OutcomeOpen, operation.amount);
                    self.run.warn(&subject(&operation), msg!("pay-not-shown", kind));
                    return Ok(());
                }
            }
        }
        self.run.fail(subject(&operation), msg!("pay-too-many", kind));
        Ok(())
    }

    /// Looks an attempt up at HiPay. Returns the next step; `None` if there is none, since what HiPay
    /// shows was adopted or holds the operation, or HiPay cannot be asked.
    async fn look_up_attempt(
        &self,
        operation: &Operation,
        number: u32,
        reference: String,
        base: &str,
        remembered: bool,
    ) -> Result<Option<NextStep>, JobError> {
        let asked_at = self.context.clock.now();
        let found = match self.look_up_anywhere(operation, &reference).await {
            Ok(found) => found,
            Err(error) => return self.not_looked_up(operation, &error).await.map(|()| None),
        };
        let shown_by = found.as_ref().map_or(account(operation), |(account, _)| *account);
        let claim = AttemptMatch { asked_at, number, reference: reference.clone(), account: shown_by };
        let found = match found {
            Some((_, shown)) => match self.used_up_by_another(operation, &claim, shown).await {
                Ok(shown) => Some(shown),
                Err(error) => return self.not_looked_up(operation, &error).await.map(|()| None),
            },
            None => None,
        };
        let payment = operation.payment(self.kind);
        let state = match &found {
            Some(shown) if shown.state == TransactionState::Unknown => {
                let mut attempts = payment.attempts.iter();
                let ended = attempts.find(|attempt| attempt.number == number && attempt.state == AttemptState::Ended);
                match ended {
                    // A person was shown this very word, and has ended the attempt.
                    Some(ended) if ended.transaction_status.as_ref() == Some(&shown.word) => {
                        Some(TransactionState::Failed)
                    }
                    Some(_) => {
                        return self.hold_for_word(operation, reference, &shown.word).await.map(|()| None);
                    }
                    None => Some(TransactionState::Unknown),
                }
            }
            _ => found.as_ref().map(|transaction| transaction.state),
        };
        let next = payment.after_look_up(number, base, state, remembered);
        if let (NextStep::Adopt, Some(transaction)) = (&next, found) {
            return self.adopt(operation, claim, transaction).await.map(|()| None);
        }
        Ok(Some(next))
    }

    /// Returns true if the last attempt was sent so long ago that HiPay would show it, and is not
    /// sent again unchanged: a person can only decide about what is not under way.
    fn has_never_arrived(&self, operation: &Operation) -> bool {
        let last = operation.payment(self.kind).last();
        let now = self.context.clock.now();
        last.is_some_and(|last| {
            let stays = self.may_send && operation.held.is_none() && last.amount == operation.amount;
            let sent = last.state == AttemptState::Sending && !last.reference.is_empty();
            sent && !stays && now.duration_since(last.updated_at) >= LOOK_UP_LAG_LIMIT
        })
    }

    /// Ends the last attempt as one that never arrived at HiPay, and reports that.
    async fn report_never_arrived(&self, operation: &Operation) -> Result<(), JobError> {
        let (context, kind) = (self.context, self.kind);
        let message = msg!("pay-never-arrived", kind);
        let sent_at = operation.payment(kind).last().map_or(Timestamp::MIN, |last| last.updated_at);
        if outcome::record_never_arrived(context, operation.id, kind, sent_at, message.clone()).await? {
            self.run.warn(&subject(operation), message);
        }
        Ok(())
    }

    /// Returns true if a payment of the operation could not have been made without this store's knowledge: its voucher
    /// is younger than the memory, its wallet is not younger than the voucher (otherwise another wallet may have been
    /// paid), and its transfer was not made by another installation, which may have withdrawn it as well.
    fn is_within_memory(&self, operation: &Operation, vendor: Option<&Vendor>) -> bool {
        let owed_since = operation.owed_since();
        let base = operation.base_reference(PaymentKind::Transfer, &marketplace(&self.context.config));
        let of_others = |last: &Attempt| split_number(&last.reference).0 != base;
        if self.kind == PaymentKind::Withdrawal && operation.transfer.last().is_some_and(of_others) {
            return false;
        }
        let wallet_since = vendor.and_then(|vendor| vendor.wallet_since);
        owed_since >= self.memory && wallet_since.is_none_or(|since| since <= owed_since)
    }

    /// Returns the reference that the attempts are numbered by; a first one names the wallet that is paid.
    fn base(&self, operation: &Operation) -> String {
        let computed = operation.base_reference(self.kind, &marketplace(&self.context.config));
        operation.payment(self.kind).base(&computed).to_owned()
    }

    /// Decides by HiPay's ledger whether a payment that this store may not remember was made.
    async fn match_ledger(&self, operation: Operation, vendor: Option<&Vendor>) -> Result<ByLedger, JobError> {
        let (context, kind, id) = (self.context, self.kind, operation.id);
        if let Err(error) = self.ledger.read_since(operation.owed_since()).await {
            if error.is_credentials() {
                return Err(JobError::Credentials((&error).into()));
            }
            if operation.waived.contains(&Hold::LedgerUnread) {
                return Ok(ByLedger::ToBePaid(operation));
            }
            return self.hold_for_unread_ledger(&operation, &error).await.map(|()| ByLedger::Done);
        }
        let vouchers = operation.voucher_numbers();
        let config = &context.config;
        let operator_logins = [config.operator_account.email.clone()];
        let recipient_logins = match operation.beneficiary {
            Beneficiary::Operator => operator_logins.to_vec(),
            Beneficiary::Vendor => vendor.map(Vendor::logins).unwrap_or_default(),
        };
        let own_login = match kind {
            PaymentKind::Transfer => config.technical_account.email.clone(),
            PaymentKind::Withdrawal => recipient_logins.first().cloned().unwrap_or_default(),
        };
        let shared = ledger::is_shared(context, &operation).await?;
        let sought = SoughtPayment {
            kind,
            beneficiary: operation.beneficiary,
            vouchers: &vouchers,
            only_wallet: shared.then_some(operation.vendor_hipay_id),
            amount: operation.amount,
            recipient_logins: &recipient_logins,
            operator_logins: &operator_logins,
            own_login: &own_login,
            since: operation.owed_since().checked_sub(LEDGER_MARGIN).unwrap_or(Timestamp::MIN),
        };
        let entries = self.ledger.candidates(operation.mirakl_id, &sought).await?;
        let unsure = self.ledger.of_unsure_vouchers(&operation, &sought).await?;
        let open = |entry: &&LedgerEntry| !operation.dismissed.contains(&entry.transaction_id);
        let ids = |found: &[&LedgerEntry]| found.iter().map(|entry| entry.transaction_id.clone()).collect();
        match sought.judge(entries.iter().filter(open), unsure.iter().filter(open)) {
            LedgerVerdict::Paid(entry) if self.is_numbered_from(&operation, entry) => {
                Ok(ByLedger::ToBeLookedUp(operation))
            }
            LedgerVerdict::NotPaid => {
                let note = msg!("pay-ledger-read-again");
                let released = outcome::release(context, id, Hold::LedgerUnread, note).await?;
                let released = released.filter(|operation| operation.held.is_none());
                Ok(released.map_or(ByLedger::Done, ByLedger::ToBePaid))
            }
            LedgerVerdict::Paid(entry) => self.adopt_entry(&operation, entry).await.map(|()| ByLedger::Done),
            LedgerVerdict::Several(found) => {
                let message = msg!("pay-ledger-several", kind, payments = self.described(&found));
                self.hold_for(&operation, Hold::SeveralPayments, message, ids(&found)).await.map(|()| ByLedger::Done)
            }
            LedgerVerdict::Possible(found) => {
                let message = msg!("pay-ledger-possible", kind, payments = self.described(&found));
                self.hold_for(&operation, Hold::PossiblePayment, message, ids(&found)).await.map(|()| ByLedger::Done)
            }
        }
    }

    async fn hold_for_unread_ledger(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        let message = msg!("pay-ledger-unread", kind = self.kind, error);
        outcome::hold(self.context, operation.id, Hold::LedgerUnread, message.clone(), Vec::new()).await?;
        self.run.unanswered(subject(operation), message);
        Ok(())
    }

    /// Adopts the payment that the ledger shows as the operation's, once its account is known.
    async fn adopt_entry(&self, operation: &Operation, entry: &LedgerEntry) -> Result<(), JobError> {
        let Some(account) = self.account_paid(operation, entry).await? else { return Ok(()) };
        let note = msg!("pay-ledger-read-again");
        outcome::release(self.context, operation.id, Hold::LedgerUnread, note).await?;
        let attempts = &operation.payment(self.kind).attempts;
        let of_reference = ReferenceParts::of(&entry.reference).map_or(1, |parts| parts.number);
        let number = attempts.last().map_or(of_reference, |last| last.number.saturating_add(1));
        let asked_at = entry.read_at;
        let claim = AttemptMatch { asked_at, number, reference: entry.reference.clone(), account };
        self.adopt(operation, claim, ledger::transaction_of(entry)).await
    }

    /// Returns true if looking up our own references one after the other finds the entry, which
    /// covers the earlier attempts as well.
    fn is_numbered_from(&self, operation: &Operation, entry: &LedgerEntry) -> bool {
        let base = self.base(operation);
        operation.held.is_none() && !entry.reference.is_empty() && split_number(&entry.reference).0 == base
    }

    /// Describes the payments that a person has to look at.
    fn described(&self, found: &[&LedgerEntry]) -> Message {
        const MAX_DESCRIBED: usize = 5;
        let described = found.iter().take(MAX_DESCRIBED).map(|entry| ledger::describe(self.context, entry));
        described.reduce(|one, other| msg!("asked-both", one, other)).unwrap_or_default()
    }

    async fn hold_for(
        &self,
        operation: &Operation,
        why: Hold,
        message: Message,
        candidates: Vec<String>,
    ) -> Result<(), JobError> {
        outcome::hold(self.context, operation.id, why, message.clone(), candidates).await?;
        self.run.critical(subject(operation), message);
        Ok(())
    }

    /// Returns the account that a payment in the ledger went to, or that a withdrawal left. Returns
    /// `None` if HiPay cannot be asked for its owner; the operation then waits.
    async fn account_paid(&self, operation: &Operation, entry: &LedgerEntry) -> Result<Option<u64>, JobError> {
        let parts = entry.reference_parts();
        if self.kind == PaymentKind::Withdrawal || parts.is_none() {
            return Ok(Some(account(operation)));
        }
        let computed = match operation.beneficiary {
            Beneficiary::Vendor => parts.map_or_else(|| account(operation), |parts| parts.wallet),
            Beneficiary::Operator => account(operation),
        };
        let login = &entry.recipient_email;
        if login.is_empty() || (computed == account(operation) && self.is_known_login(operation, login).await?) {
            return Ok(Some(computed));
        }
        let operators = binding::operator_accounts(self.context).await?;
        match self.context.hipay.account(ActingOn::Login(login)).await {
            // A commission went to an account that is or was the operator's; any other owner is a mismatch.
            Ok(Some(owner))
                if operation.beneficiary == Beneficiary::Operator && !operators.contains(&owner.hipay_id) =>
            {
                Ok(Some(computed))
            }
            Ok(owner) => Ok(Some(owner.map_or(computed, |owner| owner.hipay_id))),
            Err(error) => self.not_looked_up(operation, &error).await.map(|()| None),
        }
    }

    /// Looks up the transaction with this reference; one without a reference is looked up by its id.
    async fn look_up(&self, operation: &Operation, reference: &str) -> Result<Option<Transaction>, CallError> {
        self.look_up_at(account(operation), operation, reference).await
    }

    async fn look_up_at(
        &self,
        account: u64,
        operation: &Operation,
        reference: &str,
    ) -> Result<Option<Transaction>, CallError> {
        let mut attempts = operation.payment(self.kind).attempts.iter().rev();
        let known = attempts.find(|attempt| attempt.reference == reference);
        let id = known.filter(|_| reference.is_empty()).and_then(|known| known.transaction_id.as_deref());
        self.context.hipay.transaction(self.kind, account, id.unwrap_or(reference)).await
    }

    /// Looks the reference up in every account that the payment may have left, and returns the
    /// account that shows it. Only the account that a withdrawal left shows it.
    async fn look_up_anywhere(
        &self,
        operation: &Operation,
        reference: &str,
    ) -> Result<Option<(u64, Transaction)>, CallError> {
        let own = account(operation);
        if let Some(found) = self.look_up(operation, reference).await? {
            return Ok(Some((own, found)));
        }
        if self.kind == PaymentKind::Transfer {
            return Ok(None);
        }
        let attempts = operation.withdrawal.attempts.iter();
        let left = attempts.filter(|attempt| attempt.reference == reference).map(|attempt| attempt.account);
        let mut others: Vec<u64> = left.collect();
        if operation.beneficiary == Beneficiary::Operator {
            let operators = binding::operator_accounts(self.context).await;
            others.extend(operators.map_err(|error| CallError::unknown(&error))?);
        }
        others.retain(|account| *account != own);
        for former in others {
            match self.look_up_at(former, operation, reference).await {
                Ok(Some(found)) => {
                    // Without a transfer of this operation to that account, it is another payment.
                    let paid_into = operation.transfer.attempts.iter().any(|attempt| attempt.account == former);
                    return Ok(Some((if paid_into { former } else { own }, found)));
                }
                // A closed account, or one of another marketplace, shows none of our payments.
                Ok(None) | Err(CallError::Rejected(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Moves an operation without a live transfer to the shop's present wallet, or to the operator's present account.
    async fn to_present_account(&self, operation: Operation, vendor: Option<&Vendor>) -> Result<Operation, StoreError> {
        let former = account(&operation);
        let present = match operation.beneficiary {
            Beneficiary::Vendor => vendor.and_then(|vendor| vendor.hipay_id),
            Beneficiary::Operator => Some(self.context.config.operator_account.hipay_id),
        };
        let over = |attempt: &Attempt| matches!(attempt.state, AttemptState::Ended | AttemptState::Refused);
        let nothing_live = self.kind == PaymentKind::Transfer && operation.transfer.attempts.iter().all(over);
        let Some(present) = present.filter(|present| nothing_live && *present != former) else { return Ok(operation) };
        let note = msg!("pay-present-account", account = present.to_string(), former = former.to_string());
        let moved = outcome::update(self.context, operation.id, move |operation, now| {
            if operation.recipient_hipay_id != former || !operation.transfer.attempts.iter().all(over) {
                return false;
            }
            operation.recipient_hipay_id = present;
            if operation.beneficiary == Beneficiary::Vendor {
                operation.vendor_hipay_id = present;
            }
            operation.note(&note, now);
            true
        });
        Ok(moved.await?.unwrap_or(operation))
    }

    /// Makes a new attempt: reserves the amount, commits the whole request, sends it.
    async fn begin(&self, operation: &Operation, number: u32) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(Reservation { amount, balance }) = self.reserve(operation).await? else { return Ok(()) };
        let (public_label, private_label) = labels::of(self.context, operation, kind, amount);
        let now = self.context.clock.now();
        let reference = crate::domain::attempt::reference(&self.base(operation), number);
        let new = outcome::new_attempt(number, reference, amount, account(operation), now);
        let attempt = Attempt { public_label, private_label, ..new };
        match outcome::begin(self.context, operation.id, kind, attempt, balance).await {
            Ok(Some(operation)) => self.send(&operation, false).await,
            other => {
                self.funds.release(amount).await;
                Ok(other.map(drop)?)
            }
        }
    }

    /// Sends the last attempt again. One that HiPay refused needs a new reservation; one that may
    /// have left already is left to HiPay to judge.
    async fn resend(&self, operation: &Operation) -> Result<(), JobError> {
        let Some(attempt) = operation.payment(self.kind).last() else { return Ok(()) };
        if attempt.reference.is_empty() {
            // Not ours, and HiPay would execute each repetition.
            self.run.fail(subject(operation), msg!("pay-not-shown", kind = self.kind));
            return Ok(());
        }
        let open = attempt.state == AttemptState::Sending;
        let mut amount = attempt.amount;
        let uncertain = open && self.context.clock.now().duration_since(attempt.updated_at) < LOOK_UP_LAG_LIMIT;
        let mut amended = None;
        if open {
            self.funds.reserve_anyway(amount).await;
            self.funds.end_turn(operation.id);
        } else {
            // HiPay does not know it, so the part that is taken of a commission may differ now.
            let Some(reserved) = self.reserve(operation).await? else { return Ok(()) };
            amount = reserved.amount;
            let (public_label, private_label) = labels::of(self.context, operation, self.kind, amount);
            amended = Some(AmendedRequest { amount, balance: reserved.balance, public_label, private_label });
        }
        let Some(operation) = outcome::resume_attempt(self.context, operation.id, self.kind, amended).await? else {
            self.funds.release(amount).await;
            self.run.warn(&subject(operation), msg!("pay-not-shown", kind = self.kind));
            return Ok(());
        };
        self.send(&operation, uncertain).await
    }

    /// Reserves the amount to pay. Returns `None` if it is not available; the operation then records it.
    async fn reserve(&self, operation: &Operation) -> Result<Option<Reservation>, JobError> {
        if !operation.may_pay_a_part(self.kind) {
            return self.reserve_exactly(operation, operation.amount).await;
        }
        let amount = match self.funds.available_part(operation.amount).await {
            Ok(amount) => amount,
            Err(error) => return self.no_balance(operation, &error).map(|()| None),
        };
        let reserved = self.reserve_exactly(operation, amount).await?;
        if reserved.is_some() && amount != operation.amount {
            self.run.warn(&subject(operation), msg!("pay-part", amount, whole = operation.amount));
        }
        Ok(reserved)
    }

    async fn reserve_exactly(&self, operation: &Operation, amount: Amount) -> Result<Option<Reservation>, JobError> {
        let kind = self.kind;
        let mut unready = None;
        let (balance, message) = match self.funds.reserve(operation.id, amount).await {
            Ok(Reserved::Yes { balance }) => return Ok(Some(Reservation { amount, balance })),
            Ok(Reserved::Short { balance, free }) if free == balance => {
                (balance, msg!("pay-short", kind, balance, amount))
            }
            Ok(Reserved::Short { balance, free }) => (balance, msg!("pay-short-promised", kind, balance, free, amount)),
            Ok(Reserved::Kept { balance, needed }) => {
                unready = Some(Unready::MoneyKept);
                (balance, msg!("pay-short-kept", kind, balance, needed))
            }
            Ok(Reserved::OtherCurrency { balance }) => {
                return self.no_account(operation, amount, balance).await.map(|()| None);
            }
            Err(error) => return self.no_balance(operation, &error).map(|()| None),
        };
        self.run.count_amount(BatchCount::InsufficientFunds, amount);
        self.run.fail(subject(operation), message.clone());
        outcome::update(self.context, operation.id, move |operation, now| {
            if kind == PaymentKind::Withdrawal {
                operation.balance = Some(balance);
            }
            let happened = operation.apply_event(OperationEvent::FundsShort, &message, now).is_ok();
            operation.unready = unready;
            happened
        })
        .await?;
        Ok(None)
    }

    /// Records that the paying account is in another currency than the payment.
    async fn no_account(&self, operation: &Operation, amount: Amount, balance: Amount) -> Result<(), JobError> {
        let message = msg!("pay-other-currency", kind = self.kind, balance, amount);
        outcome::record_unready(self.context, operation.id, Unready::NoAccountInCurrency, message.clone()).await?;
        self.run.count_amount(BatchCount::NoAccountInCurrency, amount);
        self.run.fail(subject(operation), message);
        Ok(())
    }

    fn no_balance(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if error.is_credentials() {
            return Err(JobError::Credentials(error.into()));
        }
        self.run.unanswered(subject(operation), msg!("pay-no-balance", kind = self.kind, error));
        Ok(())
    }

    /// Sends the last attempt. Any answer except a plain acceptance is looked up before it is
    /// believed. `uncertain` is true if an earlier sending of it may have been executed.
    async fn send(&self, operation: &Operation, mut uncertain: bool) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(attempt) = operation.payment(kind).last().cloned() else { return Ok(()) };
        for sends in 1..=MAX_SENDS {
            let error = match self.context.hipay.pay(kind, &attempt).await {
                Ok(transaction_id) => return self.accepted(operation, &attempt, transaction_id).await,
                Err(error) => error,
            };
            // It has not left, or HiPay rejects our credentials: there is nothing to look up.
            if error.is_credentials() || matches!(error, CallError::NotSent { .. }) {
                if uncertain {
                    return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await;
                }
                self.funds.release(attempt.amount).await;
                return self.leave_open(operation, &error, NOT_SENT).await;
            }
            let asked_at = self.context.clock.now();
            match self.look_up(operation, &attempt.reference).await {
                Err(look_up) => return self.leave_open(operation, &look_up, OUTCOME_UNKNOWN).await,
                Ok(Some(transaction)) => {
                    self.funds.commit(attempt.amount).await;
                    let Attempt { number, reference, account, .. } = attempt;
                    let claim = AttemptMatch { asked_at, number, reference, account };
                    return self.adopt(operation, claim, transaction).await;
                }
                Ok(None) => {}
            }
            // After an unknown outcome, a refusal may refer to the previous sending.
            if let CallError::Rejected(rejection) = &error
                && !uncertain
            {
                return self.refused(operation, &attempt, rejection.clone()).await;
            }
            uncertain = true;
            if sends == MAX_SENDS || self.run.is_stopping() {
                return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await;
            }
            tokio::time::sleep(self.context.hipay.wait_after(&error, sends)).await;
        }
        Ok(())
    }

    async fn accepted(&self, operation: &Operation, attempt: &Attempt, transaction: String) -> Result<(), JobError> {
        self.funds.commit(attempt.amount).await;
        let reference = attempt.reference.clone();
        outcome::record_accepted(self.context, operation.id, self.kind, reference, transaction).await?;
        self.run.count_amount(BatchCount::Requested, attempt.amount);
        Ok(())
    }

    async fn refused(&self, operation: &Operation, attempt: &Attempt, rejection: Rejection) -> Result<(), JobError> {
        let for_funds = self.funds.release_refused(attempt.amount).await;
        let (id, reference) = (operation.id, attempt.reference.clone());
        let reason = rejection.sentence.clone();
        outcome::refused(self.context, id, self.kind, reference, rejection, for_funds).await?;
        self.run
            .count_amount(if for_funds { BatchCount::InsufficientFunds } else { BatchCount::Refused }, attempt.amount);
        self.run.fail(subject(operation), msg!("pay-refused", kind = self.kind, reason));
        Ok(())
    }

    /// Handles a failed look-up before a sending: the known state of the operation is kept.
    async fn not_looked_up(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if operation.payment(self.kind).last().is_some_and(|last| last.state == AttemptState::Sending) {
            return self.leave_open(operation, error, OUTCOME_UNKNOWN).await;
        }
        if error.is_credentials() {
            self.run.abort(JobError::Credentials(error.into()));
        }
        self.run.unanswered(subject(operation), msg!("pay-not-asked", kind = self.kind, error));
        Ok(())
    }

    /// Leaves the operation open, with the reason for people to see; the next run continues it.
    /// `how` is the id of the message.
    async fn leave_open(&self, operation: &Operation, error: &CallError, how: &str) -> Result<(), JobError> {
        if error.is_credentials() {
            self.run.abort(JobError::Credentials(error.into()));
        }
        let message = Message::new(how, [("kind", self.kind.into()), ("error", error.into())]);
        outcome::record_unknown(self.context, operation.id, self.kind, message.clone(), error.refusal()).await?;
        self.run.unanswered(subject(operation), message);
        Ok(())
    }

    /// Adopts what HiPay shows as the claimed attempt, if it is the intended payment.
    pub(crate) async fn adopt(
        &self,
        operation: &Operation,
        claim: AttemptMatch,
        transaction: Transaction,
    ) -> Result<(), JobError> {
        let (id, kind) = (operation.id, self.kind);
        let claim = match self.with_former_operator(operation, claim, &transaction).await {
            Ok(claim) => claim,
            Err(error) => return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await,
        };
        // A failed transaction under our own reference moved no money.
        let ours = transaction.reference.is_empty() || transaction.reference == claim.reference;
        let over = transaction.state.is_ended() && ours && !claim.reference.is_empty();
        match self.mismatch(operation, &claim, &transaction).await {
            Ok(Some(_)) if over => {}
            Err(error) => return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await,
            Ok(Some(difference)) => return self.hold_other(operation, &claim, &transaction, difference).await,
            Ok(None) => {}
        }
        let dismissed = operation.dismissed.contains(&transaction.transaction_id);
        let ended = transaction.state.is_ended().then(|| {
            let (state, transaction) = (&transaction.word, &transaction.transaction_id);
            if dismissed { msg!("pay-dismissed", transaction) } else { msg!("pay-shown-as", kind, state) }
        });
        let amount = transaction.amount.unwrap_or(operation.amount);
        let AttemptMatch { asked_at, number, reference, account } = claim;
        let as_of = self.context.hipay.as_of(asked_at);
        let found = FoundTransaction { number, reference, account, transaction, as_of };
        outcome::adopt(self.context, id, self.kind, found).await?;
        match ended {
            None => self.run.count_amount(BatchCount::FoundAtHiPay, amount),
            Some(why) => self.run.fail(subject(operation), why),
        }
        Ok(())
    }

    /// Marks a transaction that a person has dismissed as failed: it only used up the reference.
    async fn used_up_by_another(
        &self,
        operation: &Operation,
        claim: &AttemptMatch,
        mut shown: Transaction,
    ) -> Result<Transaction, CallError> {
        if operation.dismissed.contains(&shown.transaction_id) {
            let used_up = operation.payment(self.kind).attempts.iter().any(|attempt| {
                attempt.state == AttemptState::Ended && attempt.transaction_id.as_ref() == Some(&shown.transaction_id)
            });
            if used_up || self.mismatch(operation, claim, &shown).await?.is_some() {
                shown.state = TransactionState::Failed;
            }
        }
        Ok(shown)
    }

    /// Assigns a commission that this store does not remember to the account that was the operator's then.
    async fn with_former_operator(
        &self,
        operation: &Operation,
        claim: AttemptMatch,
        transaction: &Transaction,
    ) -> Result<AttemptMatch, CallError> {
        let login = &transaction.recipient_email;
        let known = operation.payment(self.kind).attempts.iter().any(|one| one.reference == claim.reference);
        let commission = operation.beneficiary == Beneficiary::Operator && self.kind == PaymentKind::Transfer;
        let over = transaction.state.is_ended();
        if !commission || known || over || login.is_empty() || self.is_known_login(operation, login).await? {
            return Ok(claim);
        }
        let operators = binding::operator_accounts(self.context).await.map_err(|error| CallError::unknown(&error))?;
        let owner = self.context.hipay.account(ActingOn::Login(login)).await?.map(|owner| owner.hipay_id);
        Ok(match owner.filter(|owner| operators.contains(owner)) {
            Some(account) => AttemptMatch { account, ..claim },
            None => claim,
        })
    }

    /// Holds the operation because HiPay shows an ended attempt with an unknown status.
    async fn hold_for_word(&self, operation: &Operation, reference: String, word: &str) -> Result<(), JobError> {
        let (id, kind) = (operation.id, self.kind);
        let message = msg!("sync-unknown-word", kind, state = word);
        let shown = (reference, word.to_owned());
        outcome::hold_for_word(self.context, id, kind, shown, message.clone()).await?;
        self.run.fail(subject(operation), message);
        Ok(())
    }

    /// Holds the operation because HiPay shows another payment than the intended one.
    pub(crate) async fn hold_other(
        &self,
        operation: &Operation,
        claim: &AttemptMatch,
        transaction: &Transaction,
        difference: Message,
    ) -> Result<(), JobError> {
        let transaction = &transaction.transaction_id;
        let message = msg!("pay-other", reference = &claim.reference, transaction, difference);
        self.hold_for(operation, Hold::OtherPayment, message, vec![transaction.clone()]).await
    }

    /// Returns the difference between the payment that HiPay shows and the intended one.
    pub(crate) async fn mismatch(
        &self,
        operation: &Operation,
        claim: &AttemptMatch,
        transaction: &Transaction,
    ) -> Result<Option<Message>, CallError> {
        let reference = &claim.reference;
        if !transaction.reference.is_empty() && transaction.reference != *reference {
            return Ok(Some(msg!("differs-reference", reference = &transaction.reference)));
        }
        let attempts = &operation.payment(self.kind).attempts;
        let meant = attempts.iter().find(|attempt| attempt.reference == *reference).map(|attempt| attempt.amount);
        let partial = operation.may_pay_a_part(self.kind);
        let right = match (transaction.amount, meant) {
            // A person may have accepted another amount of Mirakl's meanwhile.
            (Some(shown), Some(meant)) => shown == meant && (partial || meant == operation.amount),
            // The operator's withdrawal may have been for less than the commission.
            (Some(shown), None) => shown == operation.amount || (partial && operation.amount.covers(shown)),
            (None, _) => false,
        };
        if !right {
            let meant = meant.filter(|meant| transaction.amount != Some(*meant)).unwrap_or(operation.amount);
            return Ok(Some(match transaction.amount {
                Some(shown) => msg!("differs-amount", shown, meant),
                None => msg!("differs-no-amount", meant),
            }));
        }
        let login = match self.kind {
            PaymentKind::Transfer => &transaction.recipient_email,
            PaymentKind::Withdrawal => &transaction.issuer_email,
        };
        let own = claim.account == account(operation);
        if login.is_empty() || (own && self.is_known_login(operation, login).await?) {
            return Ok(None);
        }
        // The e-mail may have changed since: HiPay knows its owner.
        let owner = self.context.hipay.account(ActingOn::Login(login)).await?.map(|account| account.hipay_id);
        if owner == Some(claim.account) {
            return Ok(None);
        }
        Ok(Some(msg!("differs-account", login, meant = claim.account)))
    }

    /// Returns true if `login` is one that we know for the operation's wallet.
    async fn is_known_login(&self, operation: &Operation, login: &str) -> Result<bool, CallError> {
        let same = |known: &str| known.eq_ignore_ascii_case(login);
        if operation.beneficiary == Beneficiary::Operator {
            return Ok(same(&self.context.config.operator_account.email));
        }
        let vendor = vendor(self.context, operation.mirakl_id).await.map_err(|error| CallError::unknown(&error))?;
        // The logins are those of the vendor's present wallet.
        let vendor = vendor.filter(|vendor| vendor.hipay_id == Some(account(operation)));
        Ok(vendor.is_some_and(|vendor| vendor.logins().iter().any(|known| same(known))))
    }
}
