//! Vouchers that Mirakl has shown, single vouchers, and a person's choices on them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::page::{ExplanationView, ListFrame, ListRows, PageFrame, Tone, show};
use crate::domain::explanation::explain_voucher;
use crate::domain::operation::Operation;
use crate::domain::standing::Stage;
use crate::domain::voucher::{VoucherChoice, VoucherNote, VoucherRecord, VoucherState};
use crate::jobs;
use crate::store::View;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::lists::VoucherFilter;
use crate::web::path::Name;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "vouchers.html", config = "ui/askama.toml")]
struct Vouchers {
    page: PageFrame,
    rows: ListRows<VoucherRecord>,
}

/// Shows the vouchers that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<VoucherFilter>) -> Result<Response, Problem> {
    show(rows.status(), &Vouchers { page, rows })
}

/// Returns the address of a voucher's page.
pub(super) fn address_of(record: &VoucherRecord) -> String {
    format!("/dashboard/vouchers/{}", utf8_percent_encode(&record.id(), NON_ALPHANUMERIC))
}

impl Tone for VoucherState {
    fn tone(&self) -> &'static str {
        match self {
            VoucherState::Operations => "good",
            VoucherState::PaidElsewhere | VoucherState::NothingToPay => "quiet",
            VoucherState::Held | VoucherState::OutsideCycles | VoucherState::Gone => "bad",
        }
    }
}

impl Vouchers {
    /// Returns the stages of vouchers without operations.
    fn stages(&self) -> [Stage; 4] {
        [Stage::Held, Stage::PaidElsewhere, Stage::OutsideCycles, Stage::Settled]
    }

    fn link(&self, record: &VoucherRecord) -> String {
        address_of(record)
    }

    fn explanations(&self, record: &VoucherRecord) -> Vec<ExplanationView> {
        self.page.explanations(explain_voucher(record).into_iter().collect())
    }
}

/// A choice as it is offered.
struct OfferedVoucherChoice {
    choice: VoucherChoice,
    /// Explanation of the effect.
    text: String,
    needs_reason: bool,
}

#[derive(Template)]
#[template(path = "voucher.html", config = "ui/askama.toml")]
struct VoucherPage {
    page: PageFrame,
    record: VoucherRecord,
    operations: Vec<Operation>,
    told: Vec<ExplanationView>,
    choices: Vec<OfferedVoucherChoice>,
}

/// Shows one voucher: its state, its operations, and the choices made on it.
pub(super) async fn voucher(State(web): State<Web>, page: PageFrame, Name(id): Name) -> Result<Response, Problem> {
    let (record, operations) = known_voucher(&web, &id).await?;
    let told = page.explanations(explain_voucher(&record).into_iter().collect());
    let offer = |choice: VoucherChoice| OfferedVoucherChoice {
        choice,
        text: page.t(&format!("vouchers-{}-text", choice.name())),
        needs_reason: choice == VoucherChoice::Settle,
    };
    let applies =
        |choice: &VoucherChoice| page.may_change() && jobs::refuses_voucher_choice(&record, *choice).is_none();
    let choices: Vec<OfferedVoucherChoice> =
        [VoucherChoice::Release, VoucherChoice::Settle].into_iter().filter(applies).map(offer).collect();
    show(StatusCode::OK, &VoucherPage { page, record, operations, told, choices })
}

/// Returns the voucher and the operations that it has made, or a 404.
async fn known_voucher(web: &Web, id: &str) -> Result<(VoucherRecord, Vec<Operation>), Problem> {
    let missing = || msg!("problem-no-name");
    let key = VoucherRecord::key_of(id).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, missing()))?;
    let found = web.find(missing(), move |reader| {
        let Some(record) = reader.get::<VoucherRecord>(&key)? else { return Ok(None) };
        let operations = jobs::operations_of(reader, &record)?;
        Ok(Some((record, operations)))
    });
    found.await
}

impl VoucherPage {
    fn address(&self) -> String {
        address_of(&self.record)
    }

    fn seen(&self) -> String {
        seen(&self.record)
    }

    fn note(&self, note: &VoucherNote) -> String {
        let (choice, person) = (self.page.of(&note.choice), self.page.asker(&note.who));
        self.page.t2("vouchers-note", ("choice", choice), ("person", person))
    }

    fn changed(&self) -> Option<String> {
        let (vendor, operator) = self.record.changed_to?;
        let (vendor, operator) = (self.page.amount(&vendor), self.page.amount(&operator));
        Some(self.page.t2("vouchers-changed-amounts", ("vendor", vendor), ("operator", operator)))
    }
}

/// Returns a mark by which a later change is detected: the state, and the number of choices made on the voucher.
fn seen(record: &VoucherRecord) -> String {
    format!("{}-{}", record.state().name(), record.story.len())
}

/// A choice as the form sends it.
#[derive(Debug, Deserialize)]
pub(super) struct VoucherChoiceForm {
    choice: String,
    /// Mark of the voucher as it was shown.
    seen: String,
    #[serde(default)]
    reason: String,
}

/// Applies the choice if the voucher is still as it was shown.
pub(super) async fn choose(
    State(web): State<Web>,
    Operator(caller): Operator,
    Name(id): Name,
    Checked(chosen): Checked<VoucherChoiceForm>,
) -> Result<Response, Problem> {
    let (record, _) = known_voucher(&web, &id).await?;
    if seen(&record) != chosen.seen {
        return Err(Problem::new(StatusCode::CONFLICT, msg!("vouchers-changed-since")));
    }
    let choice = match chosen.choice.as_str() {
        "release" => VoucherChoice::Release,
        "settle" => VoucherChoice::Settle,
        _ => VoucherChoice::Unknown,
    };
    jobs::choose_for_voucher(&web.context, &id, choice, &chosen.reason, &caller.name).await?;
    Ok(Redirect::to(&address_of(&record)).into_response())
}
