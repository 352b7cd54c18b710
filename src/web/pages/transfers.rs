//! Transfers and withdrawals, and the whole history of one operation.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::choices::{OfferedChoice, offered_choices};
use super::page::{ExplanationView, ListFrame, ListRows, PageFrame, Tone, show};
use crate::domain::attempt::{Attempt, AttemptState};
use crate::domain::explanation::explain;
use crate::domain::inbox::Notification;
use crate::domain::operation::{AmountDifference, Beneficiary, Column, Operation, PaymentKind, Status};
use crate::domain::standing::Stage;
use crate::domain::vendor::Vendor;
use crate::store::{Query, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::lists::OperationFilter;
use crate::web::path::Id;
use crate::web::problem::Problem;

/// Upper bound on notifications read for a transaction; there are fewer.
const NOTIFICATIONS: usize = 50;

#[derive(Template)]
#[template(path = "transfers.html", config = "ui/askama.toml")]
struct Transfers {
    page: PageFrame,
    rows: ListRows<Operation>,
}

/// Shows the operations that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<OperationFilter>) -> Result<Response, Problem> {
    show(rows.status(), &Transfers { page, rows })
}

impl Tone for Column {
    fn tone(&self) -> &'static str {
        match self {
            Column::Ok | Column::Adjusted => "good",
            Column::Requested | Column::Sending => "busy",
            Column::None | Column::InvalidAmount => "quiet",
            Column::Failed
            | Column::InsufficientFunds
            | Column::Canceled
            | Column::VendorDisabled
            | Column::PaymentBlocked => "bad",
        }
    }
}

/// One line of an operation's history, from any source.
struct HistoryLine {
    at: Timestamp,
    title: String,
    text: String,
    facts: Vec<Fact>,
    tone: &'static str,
}

/// One of HiPay's ids or references.
struct Fact {
    name: String,
    value: String,
    /// Address of a page with more details.
    address: Option<String>,
}

impl Fact {
    fn new(name: String, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), address: None }
    }
}

#[derive(Template)]
#[template(path = "operation.html", config = "ui/askama.toml")]
struct OperationPage {
    page: PageFrame,
    operation: Operation,
    transfer: (PaymentKind, Column),
    withdrawal: (PaymentKind, Column),
    vendor: Option<Vendor>,
    told: Vec<ExplanationView>,
    can_be_retried: bool,
    choices: Vec<OfferedChoice>,
    events: Vec<HistoryLine>,
}

/// Shows one operation: its status, the reasons, and everything that happened.
pub(super) async fn operation(State(web): State<Web>, page: PageFrame, Id(id): Id) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-operation"), move |reader| {
        let Some(operation) = reader.get::<Operation>(&id)? else { return Ok(None) };
        let vendor = reader.get::<Vendor>(&operation.mirakl_id)?;
        let mut notifications = Vec::new();
        for transaction in operation.transaction_ids() {
            let query = Query::group(Notification::BY_SUBJECT, ())
                .from(transaction)
                .beginning_with(transaction)
                .limit(NOTIFICATIONS);
            notifications.extend(reader.page(&query)?.items);
        }
        Ok(Some((operation, vendor, notifications)))
    });
    let (operation, vendor, notifications) = found.await?;
    let events = story(&page, &operation, &notifications);
    let (transfer, withdrawal) = operation.status.columns();
    let (transfer, withdrawal) = ((PaymentKind::Transfer, transfer), (PaymentKind::Withdrawal, withdrawal));
    let told = page.explanations(explain(&operation));
    let can_be_retried = page.may_change() && operation.is_unpaid();
    let choices = if page.may_change() { offered_choices(&page, &operation) } else { Vec::new() };
    let page = OperationPage { page, operation, transfer, withdrawal, vendor, told, can_be_retried, choices, events };
    show(StatusCode::OK, &page)
}

/// Returns everything that happened, in order: changes, what was sent, and HiPay's notifications.
fn story(page: &PageFrame, operation: &Operation, notifications: &[Notification]) -> Vec<HistoryLine> {
    let mut events = Vec::new();
    let attempts = |kind: PaymentKind| operation.payment(kind).attempts.iter().map(move |attempt| (kind, attempt));
    let mut attempts: Vec<_> = attempts(PaymentKind::Transfer).chain(attempts(PaymentKind::Withdrawal)).collect();
    let mut status_before = None;
    for change in &operation.history {
        let is_note = status_before.replace(change.status) == Some(change.status);
        if change.status == Status::Created && !is_note {
            let title = page.t1("story-made", "voucher", page.short(&operation.voucher));
            events.push(HistoryLine { at: change.at, title, text: String::new(), facts: Vec::new(), tone: "quiet" });
            continue;
        }
        let sending =
            [(Status::TransferSending, PaymentKind::Transfer), (Status::WithdrawSending, PaymentKind::Withdrawal)];
        let sending = sending.into_iter().find(|(status, _)| *status == change.status).map(|(_, kind)| kind);
        // An attempt is shown at the point where it was sent.
        let at = attempts.iter().position(|(kind, attempt)| Some(*kind) == sending && attempt.intended_at == change.at);
        if let Some(at) = at {
            let (kind, attempt) = attempts.remove(at);
            events.push(sent(page, kind, attempt));
            continue;
        }
        let tone = status_tone(change.status);
        let (title, text) = (page.of(&change.status), page.say(&change.message));
        // A note without a change of status: held, released, decided by a person.
        let title = if is_note && !text.is_empty() { page.t("story-noted") } else { title };
        events.push(HistoryLine { at: change.at, title, text, facts: Vec::new(), tone });
    }
    events.extend(attempts.into_iter().map(|(kind, attempt)| sent(page, kind, attempt)));
    for notification in notifications {
        let facts = vec![
            Fact::new(page.t("story-transaction"), &notification.subject),
            Fact {
                address: Some(format!("/dashboard/notifications/{}", notification.id)),
                ..Fact::new(page.t("story-notification"), notification.id.to_string())
            },
        ];
        events.push(HistoryLine {
            at: notification.received_at,
            title: page.t1("story-told", "action", page.short(&notification.action)),
            text: page.say(&notification.message),
            facts,
            tone: "quiet",
        });
    }
    // Events of the same time stay as listed: what was sent comes before what it led to.
    events.sort_by_key(|event| event.at);
    events
}

fn sent(page: &PageFrame, kind: PaymentKind, attempt: &Attempt) -> HistoryLine {
    let mut facts = vec![
        Fact::new(page.t("story-reference"), &attempt.reference),
        Fact::new(page.t("amount"), page.amount(&attempt.amount)),
        Fact::new(page.t("story-account"), attempt.account.to_string()),
    ];
    facts.extend(attempt.transaction_id.iter().map(|id| Fact::new(page.t("story-transaction"), id)));
    facts.extend(attempt.transaction_status.iter().map(|status| Fact::new(page.t("story-hipay-status"), status)));
    let tone = match attempt.state {
        AttemptState::Captured => "good",
        AttemptState::Sending | AttemptState::Requested => "busy",
        AttemptState::Refused | AttemptState::Ended => "bad",
        AttemptState::Unknown => "quiet",
    };
    let title = page.t2("story-sent", ("kind", page.of(&kind)), ("state", page.of(&attempt.state)));
    HistoryLine { at: attempt.intended_at, title, text: page.say(&attempt.message), facts, tone }
}

fn status_tone(status: Status) -> &'static str {
    match status.columns() {
        (transfer, Column::None) => transfer.tone(),
        (_, withdrawal) => withdrawal.tone(),
    }
}

impl Transfers {
    /// Returns the stages of operations; the others are those of vouchers.
    fn stages(&self) -> impl Iterator<Item = Stage> {
        let of_vouchers = [Stage::Held, Stage::PaidElsewhere, Stage::OutsideCycles];
        Stage::ALL.into_iter().filter(move |stage| !of_vouchers.contains(stage))
    }

    /// Returns the choices of a status filter, in the order of the product's documentation.
    fn columns(&self, kind: PaymentKind) -> Vec<Column> {
        let of_transfer = |column: &Column| !matches!(column, Column::Canceled | Column::PaymentBlocked);
        Column::ALL.into_iter().filter(|column| kind == PaymentKind::Withdrawal || of_transfer(column)).collect()
    }

    fn choice(&self, kind: PaymentKind, column: &Column) -> String {
        self.page.of(&(kind, *column))
    }

    /// Returns the word of a status; `None` while nothing has happened.
    fn word(&self, kind: PaymentKind, column: &Column) -> Option<String> {
        Some(self.page.column(&(kind, *column))).filter(|word| !word.is_empty())
    }

    /// Returns true if the operation's message is about this status; it is about the last event.
    fn explains(&self, kind: PaymentKind, operation: &Operation) -> bool {
        let (transfer, withdrawal) = operation.status.columns();
        match kind {
            PaymentKind::Transfer => withdrawal == Column::None && transfer.tone() == "bad",
            PaymentKind::Withdrawal => withdrawal.tone() == "bad",
        }
    }

    fn explanations(&self, operation: &Operation) -> Vec<ExplanationView> {
        self.page.explanations(explain(operation))
    }
}
