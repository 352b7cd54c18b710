//! Retry of operations that were not paid: one, or all that pass the filters. The page first shows what will be sent,
//! with number and total; the confirmation is bound to what was shown.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{PageFrame, show};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::operation::{Beneficiary, Operation, OperationChoice, Status};
use crate::jobs::{self, Command, JobError};
use crate::text::message::{asker, logged, msg};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::lists::{ListQuery, OperationFilter, failed};
use crate::web::path::Id;
use crate::web::problem::Problem;
use crate::web::session::safe_next;

/// Upper bound on operations listed before the confirmation.
const MAX_SHOWN: usize = 100;

/// Operations to retry, by what retries them.
#[derive(Default)]
struct RetryPlan {
    /// Operations that wait for a person.
    waiting: Vec<Operation>,
    /// Operations that the next run of transfers retries by itself.
    transfers: Vec<Operation>,
    /// Operations that the next run of withdrawals retries by itself.
    withdrawals: Vec<Operation>,
}

impl RetryPlan {
    fn of(operations: Vec<Operation>) -> Self {
        let mut plan = Self::default();
        for operation in operations {
            if operation.waits_for_person() {
                plan.waiting.push(operation);
            } else if Status::TRANSFER_PAYABLE.contains(&operation.status) {
                plan.transfers.push(operation);
            } else {
                plan.withdrawals.push(operation);
            }
        }
        plan
    }

    fn all(&self) -> impl Iterator<Item = &Operation> {
        self.waiting.iter().chain(&self.transfers).chain(&self.withdrawals)
    }

    /// Returns the sums, one per currency.
    fn totals<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Result<Vec<Amount>, MoneyError> {
        let mut totals: BTreeMap<&'static str, Amount> = BTreeMap::new();
        for operation in operations {
            let code = operation.amount.currency().code();
            let sum = totals.entry(code).or_insert(Amount::zero(operation.amount.currency()));
            *sum = sum.checked_add(operation.amount)?;
        }
        Ok(totals.into_values().collect())
    }

    /// Returns a digest of the operations as they were shown, by which a later change is detected.
    fn digest(&self) -> String {
        let mark: Vec<String> = self
            .all()
            .map(|operation| format!("{}:{}:{}", operation.id, operation.amount.minor(), operation.status.code()))
            .collect();
        crate::platform::hex::hex(<sha2::Sha256 as sha2::Digest>::digest(mark.join(" ")).into_iter().take(16))
    }
}

#[derive(Template)]
#[template(path = "retry.html", config = "ui/askama.toml")]
struct Confirm {
    page: PageFrame,
    plan: RetryPlan,
    totals: Vec<Amount>,
    count: u64,
    mark: String,
    /// Address that the confirmation is sent to.
    action: String,
    /// Address of the list or the page that led here.
    back: String,
    changed: bool,
}

impl Confirm {
    fn of(page: PageFrame, plan: RetryPlan, back: String, changed: bool) -> Result<Self, Problem> {
        let totals = RetryPlan::totals(plan.all()).map_err(|error| {
            logged!(error, action = "web", msg!("log-no-total", error = &error));
            Problem::new(StatusCode::CONFLICT, msg!("problem-total"))
        })?;
        let count = u64::try_from(plan.all().count()).unwrap_or(u64::MAX);
        let action = page.address.current();
        Ok(Self { mark: plan.digest(), page, plan, totals, count, action, back, changed })
    }

    fn shown_operations(&self) -> impl Iterator<Item = &Operation> {
        self.plan.all().take(MAX_SHOWN)
    }

    fn hidden(&self) -> u64 {
        u64::try_from(self.plan.all().count().saturating_sub(MAX_SHOWN)).unwrap_or(u64::MAX)
    }

    fn number(&self, operations: &[Operation]) -> u64 {
        u64::try_from(operations.len()).unwrap_or(u64::MAX)
    }
}

/// Shows what would be retried of the operations that pass the filters.
pub(super) async fn confirm_all(
    State(web): State<Web>,
    page: PageFrame,
    _: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (plan, back) = matching(&web, &query.unwrap_or_default()).await?;
    show(StatusCode::OK, &Confirm::of(page, plan, back, false)?)
}

/// Shows what would be retried of one operation.
pub(super) async fn confirm_one(
    State(web): State<Web>,
    page: PageFrame,
    _: Operator,
    Id(id): Id,
) -> Result<Response, Problem> {
    let plan = only(&web, id).await?;
    show(StatusCode::OK, &Confirm::of(page, plan, format!("/dashboard/transfers/{id}"), false)?)
}

async fn matching(web: &Web, query: &str) -> Result<(RetryPlan, String), Problem> {
    let ListQuery(paging, filter, ..) = ListQuery::<OperationFilter>::of_form(query)?;
    let plan = RetryPlan::of(failed(web, filter, paging.q()).await?);
    let back =
        if query.is_empty() { "/dashboard/transfers".to_owned() } else { format!("/dashboard/transfers?{query}") };
    Ok((plan, back))
}

async fn only(web: &Web, id: u64) -> Result<RetryPlan, Problem> {
    let operation = web.record::<Operation>(id, msg!("problem-no-operation")).await?;
    Ok(RetryPlan::of(Some(operation).filter(Operation::is_unpaid).into_iter().collect()))
}

/// A confirmation as the form sends it.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    mark: String,
    #[serde(default)]
    now: bool,
}

/// Retries the operations that pass the filters, if they are still what was confirmed.
pub(super) async fn retry_all(
    State(web): State<Web>,
    page: PageFrame,
    operator: Operator,
    RawQuery(query): RawQuery,
    Checked(confirmed): Checked<Confirmed>,
) -> Result<Response, Problem> {
    let (plan, back) = matching(&web, &query.unwrap_or_default()).await?;
    retry(&web, page, &operator, plan, back, &confirmed).await
}

/// Retries one operation, if it is still what was confirmed.
pub(super) async fn retry_one(
    State(web): State<Web>,
    page: PageFrame,
    operator: Operator,
    Id(id): Id,
    Checked(confirmed): Checked<Confirmed>,
) -> Result<Response, Problem> {
    let plan = only(&web, id).await?;
    retry(&web, page, &operator, plan, format!("/dashboard/transfers/{id}"), &confirmed).await
}

async fn retry(
    web: &Web,
    page: PageFrame,
    Operator(caller): &Operator,
    plan: RetryPlan,
    back: String,
    confirmed: &Confirmed,
) -> Result<Response, Problem> {
    if plan.digest() != confirmed.mark {
        return show(StatusCode::CONFLICT, &Confirm::of(page, plan, back, true)?);
    }
    let (mut transfers, mut withdrawals) = (!plan.transfers.is_empty(), !plan.withdrawals.is_empty());
    for operation in &plan.waiting {
        match jobs::choose_for_operation(&web.context, operation.id, OperationChoice::Retry, "", &caller.name).await {
            Ok(taken_up) if Status::TRANSFER_PAYABLE.contains(&taken_up.status) => transfers = true,
            Ok(taken_up) if Status::WITHDRAW_PAYABLE.contains(&taken_up.status) => withdrawals = true,
            // An operation on its way is looked up by the next synchronisation. One that somebody else was quicker to
            // retry needs nothing more.
            Ok(_) | Err(JobError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let count = plan.all().count();
    let message = msg!("log-operations-retried", person = asker(&caller.name), number = count);
    logged!(info, severity = "NOTICE", action = "retry", message);
    if confirmed.now {
        for (wanted, command) in [(transfers, Command::CashoutTransfer), (withdrawals, Command::CashoutWithdraw)] {
            if wanted {
                web.scheduler.enqueue(&command, &caller.name, true).await?;
            }
        }
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("count", &count.to_string())
        .append_pair("back", &back)
        .finish();
    Ok(Redirect::to(&format!("/dashboard/transfers/retried?{query}")).into_response())
}

/// Result of a retry, and the way back.
#[derive(Debug, Deserialize)]
pub(super) struct RetryResult {
    #[serde(default)]
    count: u64,
    #[serde(default)]
    back: String,
}

#[derive(Template)]
#[template(path = "retried.html", config = "ui/askama.toml")]
struct Retried {
    page: PageFrame,
    count: u64,
    back: String,
}

/// Shows how many operations were retried.
pub(super) async fn done(page: PageFrame, Query(done): Query<RetryResult>) -> Result<Response, Problem> {
    let back = safe_next(&done.back).to_owned();
    show(StatusCode::OK, &Retried { page, count: done.count, back })
}
