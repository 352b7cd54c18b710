//! The only way money moves: one payment of one operation, from whatever is known of it to
//! whatever can be known now. The rules are those of "Money never moves twice".

use jiff::{SignedDuration, Timestamp};

use super::binding::marketplace;
use super::funds::{Funds, Reserved};
use super::outcome::{self, Found};
use super::{Context, JobError, Run, Subject, labels};
use crate::attempt::{Attempt, AttemptState, Payment, Plan};
use crate::hipay::{ActingOn, Transaction};
use crate::money::Amount;
use crate::operation::{Beneficiary, Event, Hold, Operation, PaymentKind};
use crate::remote::{CallError, Rejection};
use crate::sentence::{Sentence, say};

/// How often, at most, a request is sent in one run while nobody knows what became of it.
const SENDS: u32 = 3;

/// What is said of a payment that may have been executed.
const OUTCOME_UNKNOWN: &str = "pay-open";
/// What is said of one that has not left.
const NOT_SENT: &str = "pay-unsent";

/// More look-ups than any operation has attempts.
const MOST_STEPS: u32 = 50;

/// How long a look-up may lag behind a payment at the very most. After that a refusal is believed
/// even where an earlier sending has an outcome that nobody knows.
const LOOK_UPS_LAG: SignedDuration = SignedDuration::from_hours(24);

/// A payment of one operation in one run.
pub(super) struct Paying<'a> {
    pub(super) context: &'a Context,
    pub(super) run: &'a Run,
    pub(super) kind: PaymentKind,
    pub(super) funds: &'a Funds<'a>,
    /// Since when the store knows everything that was paid.
    pub(super) memory: Timestamp,
    /// False where the checks before sending do not pass: then only the outcome of what was sent
    /// before is looked up.
    pub(super) may_send: bool,
}

/// What was reserved for a payment.
struct Reservation {
    amount: Amount,
    /// The paying account's balance as last read.
    balance: Amount,
}

/// The wallet that a payment of `kind` goes to or leaves from: the same one.
fn account(operation: &Operation) -> u64 {
    operation.recipient_hipay_id
}

pub(super) fn subject(operation: &Operation) -> Subject {
    Subject::voucher(operation.mirakl_id, &operation.voucher)
}

impl Paying<'_> {
    /// Brings the payment as far as it will go. Only what concerns the whole batch is an error.
    pub(super) async fn pay(&self, operation: Operation) -> Result<(), JobError> {
        let kind = self.kind;
        let base = operation.base_reference(kind, &marketplace(&self.context.config));
        let remembered = operation.owed_since() >= self.memory;
        let mut plan = operation.payment(kind).plan(&base, remembered);
        for _ in 0..MOST_STEPS {
            match plan {
                Plan::Ask(reference) => {
                    let number = Payment::number_of(&base, &reference);
                    let found = match self.look_up(&operation, &reference).await {
                        Ok(found) => found,
                        Err(error) => return self.not_looked_up(&operation, &error).await,
                    };
                    let state = found.as_ref().map(|transaction| transaction.state);
                    plan = operation.payment(kind).after_look_up(number, &base, state, remembered);
                    if let (Plan::Adopt, Some(transaction)) = (&plan, found) {
                        return self.adopt(&operation, number, reference, transaction).await;
                    }
                }
                Plan::Begin(number) if self.may_send => return self.begin(&operation, &base, number).await,
                Plan::Resend if self.may_send => return self.resend(&operation).await,
                Plan::Wait(reason) => {
                    self.run.fail(subject(&operation), say!("pay-not-sent", kind, reason));
                    return Ok(());
                }
                Plan::Begin(_) | Plan::Resend | Plan::Adopt => {
                    self.run.count_amount("outcome open", operation.amount);
                    self.run.warn(&subject(&operation), say!("pay-not-shown", kind));
                    return Ok(());
                }
            }
        }
        self.run.fail(subject(&operation), say!("pay-too-many", kind));
        Ok(())
    }

    async fn look_up(&self, operation: &Operation, id: &str) -> Result<Option<Transaction>, CallError> {
        self.context.hipay.transaction(self.kind, account(operation), id).await
    }

    /// A new attempt: reserve, commit the whole request, send.
    async fn begin(&self, operation: &Operation, base: &str, number: u32) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(Reservation { amount, balance }) = self.reserve(operation).await? else { return Ok(()) };
        let (public_label, private_label) = labels::of(self.context, operation, kind, amount);
        let now = self.context.clock.now();
        let attempt = Attempt {
            number,
            reference: crate::attempt::reference(base, number),
            amount,
            account: account(operation),
            public_label,
            private_label,
            intended_at: now,
            state: AttemptState::Sending,
            transaction_id: None,
            transaction_status: None,
            as_of: None,
            message: String::new(),
            said: None,
            refusal: None,
            updated_at: now,
            unknown: serde_json::Map::new(),
        };
        match outcome::begin(self.context, operation.id, kind, attempt, balance).await {
            Ok(Some(operation)) => self.send(&operation, false).await,
            other => {
                self.funds.back(amount).await;
                Ok(other.map(drop)?)
            }
        }
    }

    /// The last attempt once more. What HiPay refused before needs the money anew; what may have
    /// left already is HiPay's to judge.
    async fn resend(&self, operation: &Operation) -> Result<(), JobError> {
        let Some(attempt) = operation.payment(self.kind).last() else { return Ok(()) };
        let open = attempt.state == AttemptState::Sending;
        let amount = attempt.amount;
        let uncertain = open && self.context.clock.now().duration_since(attempt.intended_at) < LOOK_UPS_LAG;
        if open {
            self.funds.reserve_anyway(amount).await;
        } else if self.reserve_exactly(operation, amount).await?.is_none() {
            return Ok(());
        }
        let Some(operation) = outcome::reopen(self.context, operation.id, self.kind).await? else {
            self.funds.back(amount).await;
            return Ok(());
        };
        self.send(&operation, uncertain).await
    }

    /// Reserves what is to be paid. `None` where it is not there; the operation then says so.
    async fn reserve(&self, operation: &Operation) -> Result<Option<Reservation>, JobError> {
        let takes_what_is_there =
            operation.beneficiary == Beneficiary::Operator && self.kind == PaymentKind::Withdrawal;
        if !takes_what_is_there {
            return self.reserve_exactly(operation, operation.amount).await;
        }
        let amount = match self.funds.part_of(operation.amount).await {
            Ok(amount) => amount,
            Err(error) => return self.no_balance(operation, &error).map(|()| None),
        };
        let reserved = self.reserve_exactly(operation, amount).await?;
        if reserved.is_some() && amount != operation.amount {
            self.run.warn(&subject(operation), say!("pay-part", amount, whole = operation.amount));
        }
        Ok(reserved)
    }

    async fn reserve_exactly(&self, operation: &Operation, amount: Amount) -> Result<Option<Reservation>, JobError> {
        let (balance, free) = match self.funds.reserve(amount).await {
            Ok(Reserved::Yes { balance }) => return Ok(Some(Reservation { amount, balance })),
            Ok(Reserved::Short { balance, free }) => (balance, free),
            Err(error) => return self.no_balance(operation, &error).map(|()| None),
        };
        let kind = self.kind;
        let message = if free == balance {
            say!("pay-short", kind, balance, amount)
        } else {
            say!("pay-short-promised", kind, balance, free, amount)
        };
        self.run.count_amount("insufficient funds", amount);
        self.run.fail(subject(operation), message.clone());
        outcome::update(self.context, operation.id, move |operation, now| {
            if kind == PaymentKind::Withdrawal {
                operation.balance = Some(balance);
            }
            operation.happen(Event::FundsShort, &message, now).is_ok()
        })
        .await?;
        Ok(None)
    }

    fn no_balance(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if error.is_credentials() {
            return Err(JobError::Credentials(error.into()));
        }
        self.run.fail(subject(operation), say!("pay-no-balance", kind = self.kind, error));
        Ok(())
    }

    /// Sends the last attempt. Whatever is not a plain yes is looked up before it is believed.
    /// `uncertain` where an earlier sending of it may have been executed.
    async fn send(&self, operation: &Operation, mut uncertain: bool) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(attempt) = operation.payment(kind).last().cloned() else { return Ok(()) };
        for sends in 1..=SENDS {
            let error = match self.context.hipay.pay(kind, &attempt).await {
                Ok(transaction_id) => return self.accepted(operation, &attempt, transaction_id).await,
                Err(error) => error,
            };
            // It has not left, or HiPay talks to us no more: there is nothing to look up.
            if error.is_credentials() || matches!(error, CallError::NotSent { .. }) {
                if uncertain {
                    return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await;
                }
                self.funds.back(attempt.amount).await;
                return self.leave_open(operation, &error, NOT_SENT).await;
            }
            match self.look_up(operation, &attempt.reference).await {
                Err(look_up) => return self.leave_open(operation, &look_up, OUTCOME_UNKNOWN).await,
                Ok(Some(transaction)) => {
                    self.funds.left(attempt.amount).await;
                    return self.adopt(operation, attempt.number, attempt.reference, transaction).await;
                }
                Ok(None) => {}
            }
            // After an outcome that nobody knows, a refusal may mean the payment before it.
            if let CallError::Rejected(rejection) = &error
                && !uncertain
            {
                return self.refused(operation, &attempt, rejection.clone()).await;
            }
            uncertain = true;
            if sends == SENDS || self.run.is_stopping() {
                return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await;
            }
            tokio::time::sleep(self.context.hipay.wait_after(&error, sends)).await;
        }
        Ok(())
    }

    async fn accepted(&self, operation: &Operation, attempt: &Attempt, transaction: String) -> Result<(), JobError> {
        self.funds.left(attempt.amount).await;
        let reference = attempt.reference.clone();
        outcome::accepted(self.context, operation.id, self.kind, reference, transaction).await?;
        self.run.count_amount("requested", attempt.amount);
        Ok(())
    }

    async fn refused(&self, operation: &Operation, attempt: &Attempt, rejection: Rejection) -> Result<(), JobError> {
        let for_funds = self.funds.refused(attempt.amount).await;
        let (id, reference) = (operation.id, attempt.reference.clone());
        let reason = rejection.sentence.clone();
        outcome::refused(self.context, id, self.kind, reference, rejection, for_funds).await?;
        self.run.count_amount(if for_funds { "insufficient funds" } else { "refused" }, attempt.amount);
        self.run.fail(subject(operation), say!("pay-refused", kind = self.kind, reason));
        Ok(())
    }

    /// The look-up before a sending failed: what is known of the operation stays as it is.
    async fn not_looked_up(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if operation.payment(self.kind).last().is_some_and(|last| last.state == AttemptState::Sending) {
            return self.leave_open(operation, error, OUTCOME_UNKNOWN).await;
        }
        if error.is_credentials() {
            self.run.abort(JobError::Credentials(error.into()));
        }
        self.run.fail(subject(operation), say!("pay-not-asked", kind = self.kind, error));
        Ok(())
    }

    /// The operation stays as it is, with the reason for people to see, and is taken up again. `how` is
    /// the text that says what is known.
    async fn leave_open(&self, operation: &Operation, error: &CallError, how: &str) -> Result<(), JobError> {
        if error.is_credentials() {
            self.run.abort(JobError::Credentials(error.into()));
        }
        let message = Sentence::new(how, [("kind", self.kind.into()), ("error", error.into())]);
        outcome::open(self.context, operation.id, self.kind, message.clone(), error.refusal()).await?;
        self.run.fail(subject(operation), message);
        Ok(())
    }

    /// Takes over what HiPay shows under our reference, if it is the payment that we meant.
    pub(super) async fn adopt(
        &self,
        operation: &Operation,
        number: u32,
        reference: String,
        transaction: Transaction,
    ) -> Result<(), JobError> {
        let (id, kind) = (operation.id, self.kind);
        match self.mismatch(operation, &reference, &transaction).await {
            Err(error) => return self.leave_open(operation, &error, OUTCOME_UNKNOWN).await,
            Ok(Some(difference)) => {
                let transaction = transaction.transaction_id;
                let message = say!("pay-other", reference, transaction, difference);
                outcome::hold(self.context, id, Hold::OtherPayment, message.clone()).await?;
                self.run.critical(subject(operation), message);
                return Ok(());
            }
            Ok(None) => {}
        }
        let ended = transaction.state.is_ended().then(|| transaction.word.clone());
        let amount = transaction.amount.unwrap_or(operation.amount);
        let as_of = self.context.hipay.as_of(self.context.clock.now());
        let found = Found { number, reference, account: account(operation), transaction, as_of };
        outcome::adopt(self.context, id, self.kind, found).await?;
        match ended {
            None => self.run.count_amount("found at HiPay", amount),
            Some(state) => self.run.fail(subject(operation), say!("pay-shown-as", kind, state)),
        }
        Ok(())
    }

    /// What differs between the payment that HiPay shows and the one that we meant.
    async fn mismatch(
        &self,
        operation: &Operation,
        reference: &str,
        transaction: &Transaction,
    ) -> Result<Option<Sentence>, CallError> {
        if !transaction.reference.is_empty() && transaction.reference != reference {
            return Ok(Some(say!("differs-reference", reference = &transaction.reference)));
        }
        let attempts = &operation.payment(self.kind).attempts;
        let meant = attempts.iter().find(|attempt| attempt.reference == reference).map(|attempt| attempt.amount);
        let partial = operation.beneficiary == Beneficiary::Operator && self.kind == PaymentKind::Withdrawal;
        let right = match (transaction.amount, meant) {
            (Some(shown), Some(meant)) => shown == meant,
            // The operator's withdrawal may have been for less than the commission.
            (Some(shown), None) => shown == operation.amount || (partial && operation.amount.covers(shown)),
            (None, _) => false,
        };
        if !right {
            let meant = meant.unwrap_or(operation.amount);
            return Ok(Some(match transaction.amount {
                Some(shown) => say!("differs-amount", shown, meant),
                None => say!("differs-no-amount", meant),
            }));
        }
        let login = match self.kind {
            PaymentKind::Transfer => &transaction.recipient_email,
            PaymentKind::Withdrawal => &transaction.issuer_email,
        };
        if login.is_empty() || self.is_known_login(operation, login).await? {
            return Ok(None);
        }
        // The e-mail may have changed since: HiPay knows whose it is.
        let owner = self.context.hipay.account(ActingOn::Login(login)).await?.map(|account| account.hipay_id);
        if owner == Some(account(operation)) {
            return Ok(None);
        }
        Ok(Some(say!("differs-account", login, meant = account(operation))))
    }

    /// True where `login` is one that we know the operation's wallet by.
    async fn is_known_login(&self, operation: &Operation, login: &str) -> Result<bool, CallError> {
        use crate::store::View;
        let same = |known: &str| known.eq_ignore_ascii_case(login);
        let config = &self.context.config;
        if operation.beneficiary == Beneficiary::Operator {
            return Ok(same(&config.operator_account.email));
        }
        let mirakl_id = operation.mirakl_id;
        let vendor = self.context.store.reading(move |reader| reader.get::<crate::vendor::Vendor>(&mirakl_id)).await;
        let vendor = vendor.map_err(|error| CallError::unknown(&error))?;
        Ok(vendor.is_some_and(|vendor| {
            same(&vendor.email) || same(&vendor.login) || vendor.former_emails.iter().any(|former| same(former))
        }))
    }
}
