//! The only way money moves: one payment of one operation, from whatever is known of it to
//! whatever can be known now. The rules are those of "Money never moves twice".

use super::funds::{Funds, Reserved};
use super::outcome::{self, Found};
use super::{Context, JobError, Run, Subject, labels};
use crate::attempt::{Attempt, AttemptState, Payment, Plan};
use crate::hipay::{ActingOn, Transaction};
use crate::money::Amount;
use crate::operation::{Beneficiary, Event, Operation, PaymentKind};
use crate::remote::CallError;

/// How often, at most, a request is sent in one run while nobody knows what became of it.
const SENDS: u32 = 3;

/// More look-ups than any operation has attempts.
const MOST_STEPS: u32 = 50;

/// A payment of one operation in one run.
pub(super) struct Paying<'a> {
    pub(super) context: &'a Context,
    pub(super) run: &'a Run,
    pub(super) kind: PaymentKind,
    pub(super) funds: &'a Funds<'a>,
    /// False where the checks before sending do not pass: then only the outcome of what was sent
    /// before is looked up.
    pub(super) may_send: bool,
}

/// The wallet that a payment of `kind` goes to or leaves from: the same one.
fn account(operation: &Operation) -> u64 {
    operation.recipient_hipay_id
}

pub(super) fn subject(operation: &Operation) -> Subject {
    Subject::voucher(operation.mirakl_id, &operation.voucher)
}

/// The base of a payment's references.
pub(super) fn base_reference(context: &Context, operation: &Operation, kind: PaymentKind) -> String {
    let config = &context.config;
    let technical = config.technical_account.hipay_id.to_string();
    let marketplace = config.hipay.technical_marketplace_id.as_deref().unwrap_or(&technical);
    operation.base_reference(kind, marketplace)
}

impl Paying<'_> {
    /// Brings the payment as far as it will go. Only what concerns the whole batch is an error.
    pub(super) async fn pay(&self, operation: Operation) -> Result<(), JobError> {
        let kind = self.kind;
        let base = base_reference(self.context, &operation, kind);
        let remembered = operation.cycle_at >= self.context.store.memory_since();
        let mut plan = operation.payment(kind).plan(&base, remembered);
        for _ in 0..MOST_STEPS {
            match plan {
                Plan::Ask(reference) => {
                    let number = Payment::number_of(&base, &reference);
                    let found = match self.look_up(&operation, &reference).await {
                        Ok(found) => found,
                        Err(error) => return self.leave_open(&operation, &error).await,
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
                    self.run.fail(subject(&operation), format!("the {} is not sent: {reason}", kind.word()));
                    return Ok(());
                }
                Plan::Begin(_) | Plan::Resend | Plan::Adopt => return Ok(()),
            }
        }
        Ok(())
    }

    async fn look_up(&self, operation: &Operation, id: &str) -> Result<Option<Transaction>, CallError> {
        self.context.hipay.transaction(self.kind, account(operation), id).await
    }

    /// A new attempt: reserve, commit the whole request, send.
    async fn begin(&self, operation: &Operation, base: &str, number: u32) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(amount) = self.reserve(operation).await? else { return Ok(()) };
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
            message: String::new(),
            updated_at: now,
            unknown: serde_json::Map::new(),
        };
        let begun = outcome::begin(self.context, operation.id, kind, attempt).await;
        match begun {
            Ok(Some(operation)) => self.send(&operation).await,
            other => {
                self.funds.left(amount).await;
                Ok(other.map(drop)?)
            }
        }
    }

    /// The last attempt once more. What HiPay refused before needs the money anew; what may have
    /// left already is HiPay's to judge.
    async fn resend(&self, operation: &Operation) -> Result<(), JobError> {
        let Some(attempt) = operation.payment(self.kind).last() else { return Ok(()) };
        if attempt.state == AttemptState::Sending {
            self.funds.reserve_anyway(attempt.amount).await;
        } else if self.reserve_exactly(operation, attempt.amount).await?.is_none() {
            return Ok(());
        }
        match outcome::reopen(self.context, operation.id, self.kind).await? {
            Some(operation) => self.send(&operation).await,
            None => Ok(()),
        }
    }

    /// Reserves what is to be paid. `None` where it is not there; the operation then says so.
    async fn reserve(&self, operation: &Operation) -> Result<Option<Amount>, JobError> {
        let takes_what_is_there =
            operation.beneficiary == Beneficiary::Operator && self.kind == PaymentKind::Withdrawal;
        if !takes_what_is_there {
            return self.reserve_exactly(operation, operation.amount).await;
        }
        match self.funds.part_of(operation.amount).await {
            Ok(amount) => self.reserve_exactly(operation, amount).await,
            Err(error) => self.no_balance(operation, &error).map(|()| None),
        }
    }

    async fn reserve_exactly(&self, operation: &Operation, amount: Amount) -> Result<Option<Amount>, JobError> {
        let (reserved, balance) = match self.funds.reserve(amount).await {
            Ok(Reserved::Yes(balance)) => (true, balance),
            Ok(Reserved::Short(free)) => (false, free),
            Err(error) => return self.no_balance(operation, &error).map(|()| None),
        };
        self.show_balance(operation, balance, amount).await?;
        if reserved {
            return Ok(Some(amount));
        }
        let word = self.kind.word();
        let message = format!("the account holds {balance}, the {word} needs {amount}");
        outcome::happen(self.context, operation.id, Event::FundsShort, message).await?;
        self.run.count_amount("insufficient funds", amount);
        Ok(None)
    }

    /// The wallet's balance at its withdrawal, and what the operator's withdrawal leaves behind.
    async fn show_balance(&self, operation: &Operation, balance: Amount, amount: Amount) -> Result<(), JobError> {
        if self.kind != PaymentKind::Withdrawal {
            return Ok(());
        }
        let shortfall = operation.amount.checked_sub(amount).ok().filter(|rest| rest.is_positive());
        if operation.balance == Some(balance) && operation.shortfall == shortfall {
            return Ok(());
        }
        outcome::update(self.context, operation.id, move |operation, _| {
            operation.balance = Some(balance);
            operation.shortfall = shortfall;
            true
        })
        .await?;
        Ok(())
    }

    fn no_balance(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if error.is_credentials() {
            return Err(JobError::Credentials(error.to_string()));
        }
        self.run.fail(subject(operation), format!("the {} waits: no balance could be read: {error}", self.kind.word()));
        Ok(())
    }

    /// Sends the last attempt. Whatever is not a plain yes is looked up before it is believed.
    async fn send(&self, operation: &Operation) -> Result<(), JobError> {
        let kind = self.kind;
        let Some(attempt) = operation.payment(kind).last().cloned() else { return Ok(()) };
        let mut uncertain = false;
        for sends in 1..=SENDS {
            let error = match self.context.hipay.pay(kind, &attempt).await {
                Ok(transaction_id) => return self.accepted(operation, &attempt, transaction_id).await,
                Err(error) => error,
            };
            // It has not left, or HiPay talks to us no more: there is nothing to look up.
            if error.is_credentials() || matches!(error, CallError::NotSent { .. }) {
                return self.leave_open(operation, &error).await;
            }
            match self.look_up(operation, &attempt.reference).await {
                Err(look_up) => return self.leave_open(operation, &look_up).await,
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
                return self.refused(operation, &attempt, &rejection.sentence).await;
            }
            uncertain = true;
            if sends == SENDS || self.run.is_stopping() {
                return self.leave_open(operation, &error).await;
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

    async fn refused(&self, operation: &Operation, attempt: &Attempt, sentence: &str) -> Result<(), JobError> {
        let for_funds = self.funds.refused(attempt.amount).await;
        let (id, reference) = (operation.id, attempt.reference.clone());
        outcome::refused(self.context, id, self.kind, reference, sentence.to_owned(), for_funds).await?;
        if for_funds {
            self.run.count_amount("insufficient funds", attempt.amount);
        } else {
            self.run.count_amount("refused", attempt.amount);
            self.run.fail(subject(operation), format!("the {} was refused: {sentence}", self.kind.word()));
        }
        Ok(())
    }

    /// Nobody knows (or nothing was sent): the operation stays as it is and is taken up again.
    async fn leave_open(&self, operation: &Operation, error: &CallError) -> Result<(), JobError> {
        if error.is_credentials() {
            self.run.abort(JobError::Credentials(error.to_string()));
        }
        let word = self.kind.word();
        let message = format!("the {word}'s outcome is not known yet: {error}; it is looked up at the next run");
        outcome::open(self.context, operation.id, message.clone()).await?;
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
        let (id, word) = (operation.id, self.kind.word());
        match self.mismatch(operation, &reference, &transaction).await {
            Err(error) => return self.leave_open(operation, &error).await,
            Ok(Some(difference)) => {
                let message = format!(
                    "HiPay shows another payment under the reference {reference} (transaction {}): {difference}. \
                     Nothing is paid until a person has looked",
                    transaction.transaction_id
                );
                outcome::hold(self.context, id, message.clone()).await?;
                self.run.critical(subject(operation), message);
                return Ok(());
            }
            Ok(None) => {}
        }
        let ended = transaction.state.is_ended().then(|| transaction.word.clone());
        let amount = transaction.amount.unwrap_or(operation.amount);
        let found = Found { number, reference, account: account(operation), transaction };
        outcome::adopt(self.context, id, self.kind, found).await?;
        match ended {
            None => self.run.count_amount("found at HiPay", amount),
            Some(state) => self.run.fail(subject(operation), format!("HiPay shows the {word} as {state}")),
        }
        Ok(())
    }

    /// What differs between the payment that HiPay shows and the one that we meant.
    async fn mismatch(
        &self,
        operation: &Operation,
        reference: &str,
        transaction: &Transaction,
    ) -> Result<Option<String>, CallError> {
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
            let shown = transaction.amount.map_or_else(|| "no amount".to_owned(), |amount| amount.to_string());
            return Ok(Some(format!("it shows {shown}, we meant {}", meant.unwrap_or(operation.amount))));
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
        Ok(Some(format!("it is of the account {login}, we meant the account {}", account(operation))))
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
        let vendor = vendor.map_err(|error| CallError::unknown(error.to_string()))?;
        Ok(vendor.is_some_and(|vendor| same(&vendor.email) || same(&vendor.login)))
    }
}
