//! Batches: executed, running and queued.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::page::{ListRows, PageFrame, Tone};
use crate::jobs::{BatchRecord, BatchState, Command};
use crate::platform::hex::hex;
use crate::web::Web;
use crate::web::lists::{self, BatchFilter, PageParams};
use crate::web::problem::Problem;

/// Upper bound on failed items shown with a batch; the log has them all.
const MAX_FAILURES_SHOWN: usize = 20;

/// A page of the list.
pub(super) struct BatchesPage {
    pub(super) rows: ListRows<BatchRecord>,
    pub(super) states: [BatchState; 6],
    /// Digest of everything shown: while it stays the same, nothing has changed.
    pub(super) state: String,
}

impl BatchesPage {
    /// Reads the page that the address requests; the progress of a running batch comes from the batch itself.
    pub(super) async fn read(web: &Web, page: &PageFrame) -> Result<Self, Problem> {
        let found = lists::query_records::<BatchFilter, PageParams>(web, &page.address.query()).await;
        let mut rows = ListRows::of(found, page)?;
        let live = web.scheduler.live().borrow().clone();
        for record in &mut rows.items {
            let Some(batch) = live.get(&record.id) else { continue };
            record.done = batch.done();
            record.total = batch.total();
        }
        let all = BatchState::ALL;
        let [queued, running, done, partly, failed, interrupted, _] = all;
        let state = json!([rows.items, rows.total, page.lang()]).to_string();
        Ok(Self {
            rows,
            states: [queued, running, done, partly, failed, interrupted],
            state: hex(Sha256::digest(state).into_iter().take(8)),
        })
    }

    pub(super) fn is_waiting(&self, record: &BatchRecord) -> bool {
        record.state() == BatchState::Queued
    }

    pub(super) fn runs(&self, record: &BatchRecord) -> bool {
        record.state() == BatchState::Running
    }

    /// Formats the number of processed items and the total.
    pub(super) fn progress(&self, page: &PageFrame, record: &BatchRecord) -> String {
        page.t2("batch-done-of", ("done", page.number(&record.done)), ("total", page.number(&record.total)))
    }

    /// Returns the arguments of a batch, in words.
    pub(super) fn arguments(&self, page: &PageFrame, record: &BatchRecord) -> String {
        match record.request() {
            Some(Command::VendorProcess { since: Some(since) }) => page.t1("asked-since", "since", page.time(&since)),
            Some(command) => command.arguments().in_words(page.texts()),
            None => record.arguments.clone(),
        }
    }

    /// Returns what went wrong: with the whole batch first, then with single items.
    pub(super) fn trouble(&self, page: &PageFrame, record: &BatchRecord) -> Vec<String> {
        let error = record.error.iter().map(|error| page.say(error));
        let failures = record.failures.iter().take(MAX_FAILURES_SHOWN);
        error.chain(failures.map(|failure| page.say(&failure.message))).collect()
    }
}

impl Tone for BatchState {
    fn tone(&self) -> &'static str {
        match self {
            BatchState::Queued | BatchState::Unknown => "quiet",
            BatchState::Running => "busy",
            BatchState::Done => "good",
            BatchState::Failed => "bad",
            BatchState::Partly | BatchState::Interrupted => "warn",
        }
    }
}
