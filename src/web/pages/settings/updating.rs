//! The page that follows an update: its steps, the one under way, and the outcome.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use strum::IntoStaticStr;

use super::super::page::{PageFrame, Tone, show};
use crate::text::message::Message;
use crate::update::status::{PastUpdate, StepTaken, UpdateAttempt, UpdateOutcome, UpdateStep};
use crate::update::{PendingInstall, PendingInstallState};
use crate::web::Web;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "update.html", config = "ui/askama.toml")]
struct UpdatePage {
    page: PageFrame,
    story: Option<UpdateStoryView>,
    /// Address of the events that keep the page up to date.
    events: &'static str,
}

/// Shows the page.
pub(in crate::web::pages) async fn updating(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let story = UpdateStoryView::now(&web, &page);
    show(StatusCode::OK, &UpdatePage { page, story, events: "/dashboard/update/events" })
}

/// The update under way, or else the last one.
#[derive(Debug)]
pub(super) struct UpdateStoryView {
    pub(super) from: String,
    /// Version to install; empty while it is not known.
    pub(super) to: String,
    pub(super) asked_by: String,
    pub(super) began_at: Timestamp,
    pub(super) steps: Vec<Passage>,
    /// Outcome, once the update has ended.
    ended: Option<UpdateOutcome>,
    /// Reason for the outcome, in the language of the page.
    pub(super) reason: String,
    /// Last lines of a release that was rolled back.
    pub(super) lines: Vec<String>,
}

/// A step on the page.
#[derive(Debug)]
pub(super) struct Passage {
    name: &'static str,
    state: PassageState,
    pub(super) began_at: Option<Timestamp>,
    /// Duration, if the step is over.
    took: Option<SignedDuration>,
    /// Received and total size, in KiB.
    pub(super) bytes: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum PassageState {
    Waits,
    UnderWay,
    Done,
    Failed,
    /// A step that was not reached.
    Left,
}

impl Passage {
    fn new(name: &'static str, state: PassageState) -> Self {
        Self { name, state, began_at: None, took: None, bytes: None }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.state == PassageState::UnderWay
    }

    pub(super) fn tone(&self) -> &'static str {
        match self.state {
            PassageState::Waits | PassageState::Left => "quiet",
            PassageState::UnderWay => "busy",
            PassageState::Done => "good",
            PassageState::Failed => "bad",
        }
    }

    pub(super) fn duration(&self, page: &PageFrame) -> Option<String> {
        self.took.map(|took| page.span(took))
    }

    /// Formats the received and the total size.
    pub(super) fn come(&self, page: &PageFrame) -> String {
        let (done, total) = self.bytes.unwrap_or_default();
        page.t2("update-bytes", ("done", page.number(&done)), ("total", page.number(&total)))
    }

    /// Returns the name of the word for the state.
    pub(super) fn state(&self) -> &'static str {
        self.state.into()
    }
}

impl UpdateStoryView {
    /// Returns the update under way, or else the last one; `None` if there was none so far.
    pub(super) fn now(web: &Web, page: &PageFrame) -> Option<Self> {
        let known = web.guard.status().borrow().clone();
        if let Some(attempt) = known.attempt {
            return Some(Self::of_attempt(attempt));
        }
        if let Some(errand) = web.installer.pending_now() {
            let progress = web.updates.progress().borrow().clone();
            let bytes = progress.filter(|progress| progress.version == errand.version);
            let bytes = bytes.map(|bytes| (bytes.done / 1024, bytes.total.div_ceil(1024)));
            return Some(Self::of_errand(errand, bytes, page));
        }
        known.past.into_iter().next().map(|past| Self::of_past(past, page))
    }

    /// Describes a package on its way to the guard.
    fn of_errand(errand: PendingInstall, bytes: Option<(u64, u64)>, page: &PageFrame) -> Self {
        let (fetching, ended, rest, reason) = match errand.state {
            PendingInstallState::Fetching => (PassageState::UnderWay, None, PassageState::Waits, String::new()),
            PendingInstallState::HandedOver => (PassageState::Done, None, PassageState::Waits, String::new()),
            PendingInstallState::Failed(obstacle) => {
                let reason = page.say(&obstacle.message(page.zone()));
                (PassageState::Failed, Some(UpdateOutcome::Refused), PassageState::Left, reason)
            }
        };
        let download = Passage { began_at: Some(errand.began_at), bytes, ..Passage::new("download", fetching) };
        let others = UpdateStep::FORWARD.iter().map(|step| Passage::new(step.name(), rest));
        Self {
            from: page.version().to_owned(),
            to: errand.version.to_string(),
            asked_by: errand.asked_by,
            began_at: errand.began_at,
            steps: std::iter::once(download).chain(others).collect(),
            ended,
            reason,
            lines: Vec::new(),
        }
    }

    fn of_attempt(attempt: UpdateAttempt) -> Self {
        let to = if attempt.to == "?" { String::new() } else { attempt.to };
        Self {
            from: attempt.from,
            to,
            asked_by: attempt.asked_by,
            began_at: attempt.began_at,
            steps: steps(&attempt.steps, None),
            ended: None,
            reason: String::new(),
            lines: Vec::new(),
        }
    }

    fn of_past(past: PastUpdate, page: &PageFrame) -> Self {
        let steps = if past.steps.is_empty() { Vec::new() } else { steps(&past.steps, Some(&past)) };
        Self {
            steps,
            from: past.from,
            to: past.to,
            asked_by: past.asked_by,
            began_at: past.began_at,
            ended: Some(past.outcome),
            reason: past.reason.map(|reason| page.say(&Message::from(&reason))).unwrap_or_default(),
            lines: past.lines,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn tone(&self) -> &'static str {
        self.ended.map_or("busy", |outcome| outcome.tone())
    }

    /// Returns the state in a word.
    pub(super) fn word(&self, page: &PageFrame) -> String {
        self.ended.map_or_else(|| page.t("update-under-way"), |outcome| page.word("update-outcome", outcome.name()))
    }

    /// Returns a message about the state.
    pub(super) fn sentence(&self, page: &PageFrame) -> String {
        let id = match self.ended {
            None => match self.steps.iter().find(|step| step.is_under_way()) {
                Some(step) => return page.word("update-doing", step.name),
                None => "update-doing-other",
            },
            Some(UpdateOutcome::Committed) => "update-told-committed",
            Some(UpdateOutcome::RolledBack) => "update-told-rolled-back",
            Some(UpdateOutcome::Refused) => "update-told-refused",
            Some(UpdateOutcome::Interrupted) => "update-told-interrupted",
            Some(UpdateOutcome::Other) => "update-told-other",
        };
        page.t2(id, ("from", self.from.clone()), ("to", self.to.clone()))
    }
}

/// Returns the steps that were taken, and those still to come.
fn steps(taken: &[StepTaken], over: Option<&PastUpdate>) -> Vec<Passage> {
    let mut passages = vec![Passage::new("download", PassageState::Done)];
    let went_well = over.is_some_and(|past| past.outcome == UpdateOutcome::Committed);
    let rolls_back = taken.iter().any(|taken| taken.step == UpdateStep::RollBack);
    for (place, this) in taken.iter().enumerate() {
        let next = taken.get(place.saturating_add(1));
        let state = match (next, over) {
            (None, None) => PassageState::UnderWay,
            (None, Some(_)) if went_well || this.step == UpdateStep::RollBack => PassageState::Done,
            (None, Some(_)) => PassageState::Failed,
            (Some(next), _) if next.step == UpdateStep::RollBack => PassageState::Failed,
            (Some(_), _) => PassageState::Done,
        };
        let until = next.map(|next| next.began_at).or(over.map(|past| past.ended_at));
        passages.push(Passage {
            began_at: Some(this.began_at),
            took: until.map(|until| until.duration_since(this.began_at)),
            ..Passage::new(this.step.name(), state)
        });
    }
    let rest = if over.is_some() || rolls_back { PassageState::Left } else { PassageState::Waits };
    let furthest =
        taken.iter().filter_map(|taken| UpdateStep::FORWARD.iter().position(|step| *step == taken.step)).max();
    let to_come = furthest.map_or(0, |furthest| furthest.saturating_add(1));
    let left = UpdateStep::FORWARD.iter().skip(to_come).map(|step| Passage::new(step.name(), rest));
    // The rollback is the last step.
    let back =
        passages.iter().position(|passage| passage.name == UpdateStep::RollBack.name()).unwrap_or(passages.len());
    let way_back = passages.split_off(back);
    passages.extend(left);
    passages.extend(way_back);
    passages
}
