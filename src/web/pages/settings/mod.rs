//! The settings page: batches run by hand, past batches, technical information, changeable settings, and updates.

mod batches;
mod events;
mod machine;
mod update;
mod updating;
mod updating_events;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use serde::Deserialize;

use super::Address;
use super::page::{PageFrame, Tone, show};
use crate::config::{Config, LogLevel};
use crate::jobs::{BatchKind, BatchRecord, BatchState, Command, Enqueued, GenerateArguments};
use crate::platform::secret::Secret;
use crate::store::View;
use crate::text::message::{Message, asker, logged, msg};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::changes::{self, SettingItem};
use crate::web::form::Checked;
use crate::web::problem::Problem;

use batches::BatchesPage;
pub(super) use events::events;
use machine::Machine;
pub(super) use machine::remotes;
use update::UpdateView;
pub(super) use update::{check as look_for_update, install as install_update};
pub(super) use updating::updating;
pub(super) use updating_events::events as update_events;

/// Path of the settings page.
const HERE: &str = "/dashboard/settings";
/// Parameters by which an address reports what was just done; not part of the list's state.
const TOLD: [&str; 4] = ["asked", "behind", "joined", "changed"];
/// Level that no log line reaches.
const NO_LEVEL: &str = "9999";

#[derive(Template)]
#[template(path = "settings.html", config = "ui/askama.toml")]
struct SettingsPage {
    page: PageFrame,
    batches: BatchesPage,
    machine: Machine,
    settings: Values,
    update: UpdateView,
    /// Report of what was just done.
    done: Option<ActionReport>,
    /// Refusal, if it was not done.
    refusal: Option<ActionReport>,
    /// Fields of the refused form, which the person corrects.
    typed: TypedFields,
}

/// A report of an action, at the form that it belongs to.
struct ActionReport {
    /// Id of the form.
    form: &'static str,
    sentence: String,
}

/// Fields of a refused form, as they were sent. Secrets are not among them.
#[derive(Default)]
struct TypedFields {
    command: Option<BatchKind>,
    date: String,
    level: Option<String>,
}

impl SettingsPage {
    fn done(&self, form: &str) -> Option<&str> {
        self.done.as_ref().filter(|done| done.form == form).map(|done| done.sentence.as_str())
    }

    fn refused(&self, form: &str) -> Option<&str> {
        self.refusal.as_ref().filter(|refusal| refusal.form == form).map(|refusal| refusal.sentence.as_str())
    }

    fn is_typed(&self, command: &BatchKind) -> bool {
        self.typed.command == Some(*command)
    }

    /// Returns true if this level is chosen: in the refused form, else in the settings.
    fn is_level(&self, number: &str) -> bool {
        self.typed.level.as_deref().map_or_else(|| self.settings.is_level(number), |typed| typed == number)
    }
}

/// The settings that can be changed here.
struct Values {
    token: SettingItem,
    level: SettingItem,
    /// Recipients of alerts by mail; empty if there are none.
    recipients: String,
}

impl Values {
    fn of(config: &Config) -> Option<Self> {
        let mut items = changes::changeable_settings(config).into_iter();
        let (token, level) = (items.next()?, items.next()?);
        let recipients = config.mail.as_ref().map(|mail| mail.to.join(", ")).unwrap_or_default();
        Some(Self { token, level, recipients })
    }

    fn is_level(&self, number: &str) -> bool {
        self.level.value.as_deref() == Some(number)
    }

    /// Returns the name of the level, if one is set.
    fn level_name(&self) -> Option<&'static str> {
        let number = self.level.value.as_deref()?.parse::<u16>().ok()?;
        LogLevel::ALL.into_iter().find(|level| level.number() == number).map(LogLevel::name)
    }
}

/// Shows the settings page.
pub(super) async fn overview(State(web): State<Web>, page: PageFrame, headers: HeaderMap) -> Result<Response, Problem> {
    let done = done_message(&web, &page).await?;
    let known = headers.get("x-list-state").and_then(|state| state.to_str().ok());
    let address = page.address.clone().except(&TOLD);
    let page = page.at(address);
    let batches = BatchesPage::read(&web, &page).await?;
    if known == Some(batches.state.as_str()) {
        // Nothing has changed: the page that somebody reads is left alone.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let status = batches.rows.status();
    whole(&web, page, batches, (done, None), TypedFields::default(), status).await
}

async fn whole(
    web: &Web,
    page: PageFrame,
    batches: BatchesPage,
    (done, refusal): (Option<ActionReport>, Option<ActionReport>),
    typed: TypedFields,
    status: StatusCode,
) -> Result<Response, Problem> {
    let machine = Machine::measure(web).await?;
    let settings = Values::of(&web.settings.get());
    let settings = settings.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, msg!("problem-defect")))?;
    let update = UpdateView::check_now(web, &page).await?;
    show(status, &SettingsPage { page, batches, machine, settings, update, done, refusal, typed })
}

/// Shows the page again with the problem and the typed fields, at the form that caused it.
async fn refuse(
    web: &Web,
    page: PageFrame,
    form: &'static str,
    typed: TypedFields,
    problem: &Problem,
) -> Result<Response, Problem> {
    let page = page.at(Address::new(HERE, None));
    let batches = BatchesPage::read(web, &page).await?;
    let refusal = ActionReport { form, sentence: problem.in_words(page.texts()) };
    whole(web, page, batches, (None, Some(refusal)), typed, problem.status()).await
}

/// Describes what the address reports as just done, in its current state.
async fn done_message(web: &Web, page: &PageFrame) -> Result<Option<ActionReport>, Problem> {
    let address = &page.address;
    if !address.value("changed").is_empty() {
        return Ok(Some(ActionReport { form: "settings-form", sentence: page.t("settings-changed") }));
    }
    let Ok(id) = address.value("asked").parse::<u64>() else { return Ok(None) };
    let Some(record) = web.context.store.reading(move |reader| reader.get::<BatchRecord>(&id)).await? else {
        return Ok(None);
    };
    let values = |id: &str| page.t2(id, ("batch", record.id.to_string()), ("command", page.command(&record.command)));
    let ahead = address.value("behind").parse::<u64>().ok();
    let sentence = match (record.state(), ahead) {
        (BatchState::Queued, _) if address.has("joined", "true") => values("batch-told-joined"),
        (BatchState::Queued, Some(ahead)) => {
            let (batch, ahead) = (("batch", record.id.to_string()), ("ahead", ahead.to_string()));
            page.t2("batch-told-behind", batch, ahead)
        }
        (BatchState::Queued, None) => values("batch-told-queued"),
        (BatchState::Running, _) => values("batch-told-running"),
        (
            BatchState::Done | BatchState::Partly | BatchState::Failed | BatchState::Interrupted | BatchState::Unknown,
            _,
        ) => values("batch-told-over"),
    };
    Ok(Some(ActionReport { form: "fix-errors", sentence }))
}

/// A batch to run, as the form requests it.
#[derive(Debug, Deserialize)]
pub(super) struct WantedBatch {
    command: BatchKind,
    #[serde(default)]
    date: String,
}

/// Enqueues a batch in the caller's name.
pub(super) async fn run(
    State(web): State<Web>,
    page: PageFrame,
    Operator(caller): Operator,
    Checked(wanted): Checked<WantedBatch>,
) -> Result<Response, Problem> {
    let typed = TypedFields { command: Some(wanted.command), date: wanted.date.clone(), level: None };
    let command = match command(&web, &wanted) {
        Ok(command) => command,
        Err(problem) => return refuse(&web, page, "fix-errors", typed, &problem).await,
    };
    let asked = match web.scheduler.enqueue(&command, &caller.name, true).await {
        Ok(asked) => asked,
        Err(error) => return refuse(&web, page, "fix-errors", typed, &error.into()).await,
    };
    let query = match &asked {
        Enqueued::Queued { record, behind: Some(ahead) } => format!("asked={}&behind={ahead}", record.id),
        Enqueued::Queued { record, behind: None } => format!("asked={}", record.id),
        Enqueued::Joined(record) | Enqueued::Busy(record) => format!("asked={}&joined=true", record.id),
    };
    let (name, person) = (command.name(), asker(&caller.name));
    let message = msg!("log-batch-requested", person, command = name, arguments = command.arguments());
    logged!(info, severity = "NOTICE", action = name, message);
    Ok(Redirect::to(&format!("{HERE}?{query}")).into_response())
}

/// Builds the command. Its date is the day since which shops were updated, or that of a cycle.
fn command(web: &Web, wanted: &WantedBatch) -> Result<Command, Problem> {
    let wrong = |message| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message);
    let text = wanted.date.trim();
    let date = if text.is_empty() { None } else { Some(text.parse::<Date>().map_err(|_| wrong(msg!("run-no-date")))?) };
    let (since, cycle_date) = match wanted.command {
        BatchKind::CashoutGenerate => (None, date),
        BatchKind::VendorProcess
        | BatchKind::CashoutTransfer
        | BatchKind::CashoutWithdraw
        | BatchKind::TransactionStatusSync => {
            let zone = web.settings.get().hipay.time_zone.clone();
            let begins = date.map(|date| date.to_zoned(zone)).transpose().map_err(|_| wrong(msg!("run-no-date")))?;
            (begins.map(|begins| begins.timestamp()), None)
        }
    };
    let name = wanted.command.name();
    wanted
        .command
        .with(since, GenerateArguments { cycle_date, ..GenerateArguments::default() })
        .map_err(|_| wrong(msg!("run-date-of-no-use", command = Message::new(&format!("command-{name}"), []))))
}

/// New values of the settings, as the form sends them.
#[derive(Deserialize)]
pub(super) struct NewValues {
    #[serde(default)]
    token: Option<Secret>,
    #[serde(default)]
    remove_token: bool,
    #[serde(default)]
    level: Option<String>,
}

/// Changes settings in the file, in the caller's name.
pub(super) async fn change_settings(
    State(web): State<Web>,
    page: PageFrame,
    Operator(caller): Operator,
    Checked(new): Checked<NewValues>,
) -> Result<Response, Problem> {
    let config = web.settings.get();
    let now = Values::of(&config).and_then(|values| values.level.value).unwrap_or_default();
    let mut wanted = Vec::new();
    let typed = TypedFields { level: new.level.clone(), ..TypedFields::default() };
    let token = new.token.as_ref().map(|token| token.expose().trim()).unwrap_or_default();
    if new.remove_token {
        wanted.push(("github.token", String::new()));
    } else if !token.is_empty() {
        if !changes::is_plain(token) {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, msg!("settings-token-wrong"));
            return refuse(&web, page, "settings-form", typed, &problem).await;
        }
        wanted.push(("github.token", token.to_owned()));
    }
    // A level that was not touched may be one that cannot be chosen.
    if let Some(level) = new.level.filter(|level| *level != now) {
        let known = level == NO_LEVEL || LogLevel::ALL.iter().any(|known| known.number().to_string() == level);
        if !known {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, msg!("settings-level-wrong"));
            return refuse(&web, page, "settings-form", typed, &problem).await;
        }
        wanted.push(("email.logger.alert.level", level));
    }
    if !wanted.is_empty()
        && let Err(problem) = changes::apply(&web, &caller, wanted).await
    {
        return refuse(&web, page, "settings-form", typed, &problem).await;
    }
    Ok(Redirect::to(&format!("{HERE}?changed=true#settings")).into_response())
}
