//! A choice on several operations, or a retry of one: the page first shows what will be changed, with number and total,
//! and the confirmation is bound to what was shown. The result page shows what has become of each operation.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::page::{PageFrame, Tone, show};
use crate::domain::group_choice::{GroupChoice, RefusedChoice};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::operation::{Beneficiary, Operation, OperationChoice, Status};
use crate::domain::standing::{Stage, Standing};
use crate::jobs::{self, BatchKind, BatchRecord, Command, JobError, add_to_sums};
use crate::store::View;
use crate::text::message::{asker, logged, msg};
use crate::web::Web;
use crate::web::auth::{Caller, Operator};
use crate::web::form::Checked;
use crate::web::lists::{ListQuery, OperationFilter, failed, matching};
use crate::web::path::{Id, Name};
use crate::web::problem::Problem;

/// Upper bound on operations listed before the confirmation, and in each group of the result.
const MAX_SHOWN: usize = 100;

/// A choice, and the operations that it is made for.
struct ChoicePlan {
    choice: OperationChoice,
    operations: Vec<Operation>,
}

impl ChoicePlan {
    /// Returns the sums, one per currency.
    fn totals(&self) -> Result<Vec<Amount>, MoneyError> {
        let mut totals: BTreeMap<&'static str, Amount> = BTreeMap::new();
        for operation in &self.operations {
            let code = operation.amount.currency().code();
            let sum = totals.entry(code).or_insert(Amount::zero(operation.amount.currency()));
            *sum = sum.checked_add(operation.amount)?;
        }
        Ok(totals.into_values().collect())
    }

    /// Returns a digest of the operations as they were shown, by which a later change is detected.
    fn digest(&self) -> String {
        let mark: Vec<String> = self
            .operations
            .iter()
            .map(|operation| format!("{}:{}:{}", operation.id, operation.amount.minor(), operation.status.code()))
            .collect();
        crate::platform::hex::hex(<sha2::Sha256 as sha2::Digest>::digest(mark.join(" ")).into_iter().take(16))
    }

    /// Returns the number of operations that `is_meant` selects.
    fn number(&self, is_meant: impl Fn(&Operation) -> bool) -> u64 {
        u64::try_from(self.operations.iter().filter(|operation| is_meant(operation)).count()).unwrap_or(u64::MAX)
    }
}

/// Returns the title of a choice.
fn title_of(page: &PageFrame, choice: &str) -> String {
    page.t(&if choice == "retry" { "retry-title".to_owned() } else { format!("choice-{choice}-title") })
}

#[derive(Template)]
#[template(path = "group_choice.html", config = "ui/askama.toml")]
struct Confirm {
    page: PageFrame,
    plan: ChoicePlan,
    title: String,
    /// Explanation of the effect.
    text: String,
    is_retry: bool,
    totals: Vec<Amount>,
    mark: String,
    /// Address that the confirmation is sent to.
    action: String,
    /// Address of the list or the page that led here.
    back: String,
    changed: bool,
}

impl Confirm {
    fn of(page: PageFrame, plan: ChoicePlan, back: String, changed: bool) -> Result<Self, Problem> {
        let totals = plan.totals().map_err(|error| {
            logged!(error, action = "web", msg!("log-no-total", error = &error));
            Problem::new(StatusCode::CONFLICT, msg!("problem-total"))
        })?;
        let (action, name) = (page.address.current(), plan.choice.name());
        let is_retry = plan.choice == OperationChoice::Retry;
        let text = page.t(&if is_retry { "retry-safe".to_owned() } else { format!("choice-{name}-text") });
        let (title, mark) = (title_of(&page, name), plan.digest());
        Ok(Self { page, plan, title, text, is_retry, totals, mark, action, back, changed })
    }

    fn count(&self) -> u64 {
        self.plan.number(|_| true)
    }

    fn waiting(&self) -> u64 {
        self.plan.number(Operation::waits_for_person)
    }

    /// Returns the number of operations that the next run of transfers sends by itself.
    fn transfers(&self) -> u64 {
        self.plan.number(|one| !one.waits_for_person() && Status::TRANSFER_PAYABLE.contains(&one.status))
    }

    /// Returns the number of operations that the next run of withdrawals sends by itself.
    fn withdrawals(&self) -> u64 {
        self.plan.number(|one| !one.waits_for_person() && !Status::TRANSFER_PAYABLE.contains(&one.status))
    }

    fn shown_operations(&self) -> impl Iterator<Item = &Operation> {
        self.plan.operations.iter().take(MAX_SHOWN)
    }

    fn hidden(&self) -> u64 {
        u64::try_from(self.plan.operations.len().saturating_sub(MAX_SHOWN)).unwrap_or(u64::MAX)
    }
}

/// Shows what would be retried of the operations that pass the filters.
pub(super) async fn confirm_retry(
    web: State<Web>,
    page: PageFrame,
    operator: Operator,
    query: RawQuery,
) -> Result<Response, Problem> {
    confirm(web, page, operator, Name(OperationChoice::Retry.name().to_owned()), query).await
}

/// Shows which of the operations that pass the filters the choice would change.
pub(super) async fn confirm(
    State(web): State<Web>,
    page: PageFrame,
    _: Operator,
    Name(choice): Name,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (plan, back) = planned(&web, choice_of(&choice)?, &query.unwrap_or_default()).await?;
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

/// Returns the choice of this name, if it can be made for several operations.
fn choice_of(name: &str) -> Result<OperationChoice, Problem> {
    let choices = [OperationChoice::Retry, OperationChoice::Hold, OperationChoice::Release, OperationChoice::Settle];
    let choice = choices.into_iter().find(|choice| choice.name() == name);
    choice.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-address")))
}

async fn planned(web: &Web, choice: OperationChoice, query: &str) -> Result<(ChoicePlan, String), Problem> {
    let ListQuery(paging, filter, ..) = ListQuery::<OperationFilter>::of_form(query)?;
    let operations = if choice == OperationChoice::Retry {
        failed(web, filter, paging.q()).await?
    } else {
        matching(web, filter, paging.q(), &choice).await?
    };
    let back =
        if query.is_empty() { "/dashboard/transfers".to_owned() } else { format!("/dashboard/transfers?{query}") };
    Ok((ChoicePlan { choice, operations }, back))
}

async fn only(web: &Web, id: u64) -> Result<ChoicePlan, Problem> {
    let operation = web.record::<Operation>(id, msg!("problem-no-operation")).await?;
    let operations = Some(operation).filter(Operation::is_unpaid).into_iter().collect();
    Ok(ChoicePlan { choice: OperationChoice::Retry, operations })
}

/// A confirmation as the form sends it.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    mark: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    now: bool,
}

/// Retries the operations that pass the filters, if they are still what was confirmed.
pub(super) async fn retry_all(
    web: State<Web>,
    page: PageFrame,
    operator: Operator,
    query: RawQuery,
    confirmed: Checked<Confirmed>,
) -> Result<Response, Problem> {
    choose_all(web, page, operator, Name(OperationChoice::Retry.name().to_owned()), query, confirmed).await
}

/// Makes a choice for the operations that pass the filters, if they are still what was confirmed.
pub(super) async fn choose_all(
    State(web): State<Web>,
    page: PageFrame,
    operator: Operator,
    Name(choice): Name,
    RawQuery(query): RawQuery,
    Checked(confirmed): Checked<Confirmed>,
) -> Result<Response, Problem> {
    let (plan, back) = planned(&web, choice_of(&choice)?, &query.unwrap_or_default()).await?;
    choose(&web, page, &operator, plan, back, &confirmed).await
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
    choose(&web, page, &operator, plan, format!("/dashboard/transfers/{id}"), &confirmed).await
}

async fn choose(
    web: &Web,
    page: PageFrame,
    Operator(caller): &Operator,
    plan: ChoicePlan,
    back: String,
    confirmed: &Confirmed,
) -> Result<Response, Problem> {
    if plan.digest() != confirmed.mark {
        return show(StatusCode::CONFLICT, &Confirm::of(page, plan, back, true)?);
    }
    let reason = confirmed.reason.trim();
    if plan.choice.needs_reason() && reason.is_empty() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, msg!("choice-no-reason")));
    }
    let mut made = stored(web, caller, &plan, reason).await?;
    let (mut transfers, mut withdrawals) = (false, false);
    for operation in &plan.operations {
        let is_retry = plan.choice == OperationChoice::Retry;
        let status = if is_retry && !operation.waits_for_person() {
            // The next run processes it without a choice.
            operation.status
        } else {
            let chosen =
                jobs::choose_for_operation(&web.context, operation.id, plan.choice.clone(), reason, &caller.name);
            match chosen.await {
                Ok(changed) => changed.status,
                Err(JobError::Refused(message)) => {
                    made.refused.push(RefusedChoice { operation: operation.id, message });
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        };
        transfers |= is_retry && Status::TRANSFER_PAYABLE.contains(&status);
        // An operation on its way is looked up by the next synchronisation.
        withdrawals |= is_retry && Status::WITHDRAW_PAYABLE.contains(&status);
    }
    if plan.choice == OperationChoice::Retry {
        let message = msg!("log-operations-retried", person = asker(&caller.name), number = plan.operations.len());
        logged!(info, severity = "NOTICE", action = "retry", message);
    }
    if confirmed.now {
        for (is_wanted, command) in [(transfers, Command::CashoutTransfer), (withdrawals, Command::CashoutWithdraw)] {
            if is_wanted {
                made.batches.push(web.scheduler.enqueue(&command, &caller.name, true).await?.record().id);
            }
        }
    }
    let id = made.id;
    web.context.store.write(move |writer| writer.put(&made)).await?;
    Ok(Redirect::to(&format!("/dashboard/transfers/chosen/{id}")).into_response())
}

/// Stores the choice before the first operation is changed.
async fn stored(web: &Web, caller: &Caller, plan: &ChoicePlan, reason: &str) -> Result<GroupChoice, Problem> {
    let mut made = GroupChoice {
        id: 0,
        choice: plan.choice.name().to_owned(),
        person: caller.name.clone(),
        reason: reason.to_owned(),
        at: web.context.clock.now(),
        operations: plan.operations.iter().map(|operation| operation.id).collect(),
        refused: Vec::new(),
        batches: Vec::new(),
        unknown: serde_json::Map::new(),
    };
    let stored = web.context.store.write(move |writer| {
        made.id = writer.next_id::<GroupChoice>()?;
        writer.put(&made)?;
        Ok::<_, crate::store::StoreError>(made)
    });
    Ok(stored.await?)
}

/// Operations that have come equally far.
struct ResultGroup {
    stage: Stage,
    /// Title of the reason, if they are not paid.
    reason: Option<String>,
    sums: Vec<Amount>,
    operations: Vec<Operation>,
}

impl ResultGroup {
    fn count(&self) -> u64 {
        u64::try_from(self.operations.len()).unwrap_or(u64::MAX)
    }

    fn shown_operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().take(MAX_SHOWN)
    }

    fn hidden(&self) -> u64 {
        u64::try_from(self.operations.len().saturating_sub(MAX_SHOWN)).unwrap_or(u64::MAX)
    }
}

/// An operation that was not changed, in words.
struct RefusedRow {
    operation: u64,
    text: String,
}

#[derive(Template)]
#[template(path = "group_choice_result.html", config = "ui/askama.toml")]
struct ResultPage {
    page: PageFrame,
    made: GroupChoice,
    title: String,
    batches: Vec<BatchRecord>,
    /// True while a batch is queued or running.
    is_going_on: bool,
    /// Next scheduled runs that process the operations, if no batch was enqueued for them.
    next: Vec<(&'static str, Timestamp)>,
    groups: Vec<ResultGroup>,
    refused: Vec<RefusedRow>,
}

/// Shows what has become of the operations of a choice.
pub(super) async fn result(State(web): State<Web>, page: PageFrame, Id(id): Id) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-number"), move |reader| {
        let Some(made) = reader.get::<GroupChoice>(&id)? else { return Ok(None) };
        let (mut operations, mut batches) = (Vec::new(), Vec::new());
        for number in &made.operations {
            operations.extend(reader.get::<Operation>(number)?);
        }
        for number in &made.batches {
            batches.extend(reader.get::<BatchRecord>(number)?);
        }
        Ok(Some((made, operations, batches)))
    });
    let (made, operations, batches) = found.await?;
    let is_going_on = batches.iter().any(|batch| !batch.state().is_over());
    let groups = result_groups(&page, operations);
    let next = if batches.is_empty() && made.choice == OperationChoice::Retry.name() {
        let stages: BTreeSet<Stage> = groups.iter().map(|group| group.stage).collect();
        next_runs(&web, &stages).await?
    } else {
        Vec::new()
    };
    let refusal =
        |refused: &RefusedChoice| RefusedRow { operation: refused.operation, text: page.say(&refused.message) };
    let (refused, title) = (made.refused.iter().map(refusal).collect(), title_of(&page, &made.choice));
    show(StatusCode::OK, &ResultPage { page, made, title, batches, is_going_on, next, groups, refused })
}

/// Returns the next runs of the batches that send what is retried.
async fn next_runs(web: &Web, stages: &BTreeSet<Stage>) -> Result<Vec<(&'static str, Timestamp)>, Problem> {
    let is_unpaid = stages.iter().any(|stage| !matches!(stage, Stage::Withdrawn | Stage::Settled));
    let sends = |kind: BatchKind| matches!(kind, BatchKind::CashoutTransfer | BatchKind::CashoutWithdraw);
    let runs = web.scheduler.next_runs().await?.into_iter().filter(|run| is_unpaid && sends(run.kind));
    Ok(runs.filter_map(|run| Some((run.kind.name(), run.at?))).collect())
}

fn result_groups(page: &PageFrame, operations: Vec<Operation>) -> Vec<ResultGroup> {
    let mut groups: BTreeMap<(Stage, Option<String>), ResultGroup> = BTreeMap::new();
    for operation in operations {
        let Standing { stage, reason, .. } = Standing::of_operation(&operation);
        let title = reason.as_deref().map(|reason| page.reason(reason));
        let nothing = || ResultGroup { stage, reason: title, sums: Vec::new(), operations: Vec::new() };
        let group = groups.entry((stage, reason)).or_insert_with(nothing);
        add_to_sums(&mut group.sums, operation.amount);
        group.operations.push(operation);
    }
    groups.into_values().collect()
}

impl ResultPage {
    fn count(&self) -> u64 {
        u64::try_from(self.made.operations.len()).unwrap_or(u64::MAX)
    }

    fn requested(&self) -> String {
        let (page, made) = (&self.page, &self.made);
        page.t2("chosen-by", ("person", page.asker(&made.person)), ("time", page.time(&made.at)))
    }

    fn progress(&self, batch: &BatchRecord) -> String {
        let page = &self.page;
        page.t2("batch-done-of", ("done", page.number(&batch.done)), ("total", page.number(&batch.total)))
    }

    fn tone(&self, stage: &Stage) -> &'static str {
        match stage {
            Stage::Withdrawn | Stage::InWallets | Stage::Settled | Stage::Netted => "good",
            Stage::Transferring | Stage::Withdrawing | Stage::ToTransfer => "busy",
            Stage::HeldBack | Stage::Held | Stage::OutsideCycles => "bad",
            Stage::NothingToPay | Stage::PaidElsewhere => "quiet",
        }
    }
}
