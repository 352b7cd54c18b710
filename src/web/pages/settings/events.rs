//! Server-sent events that keep a page up to date: the general mechanism, and the progress of batches.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::PageFrame;
use crate::scheduler::LiveBatches;
use crate::web::Web;
use crate::web::auth::Caller;

/// Minimum interval between two events for a page.
const MIN_INTERVAL: Duration = Duration::from_millis(250);
/// Interval between checks of the reader's session, and between keep-alive messages.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// A source of events for a page.
pub(super) trait Watched: Send {
    /// Waits until something has changed; returns false if nothing will change any more.
    fn changed(&mut self) -> impl Future<Output = bool> + Send;

    /// Returns an event with the current state, if there is anything new.
    fn next_event(&mut self, web: &Web, page: &PageFrame) -> Option<Event>;
}

/// The state of one stream of events.
struct Watcher<T> {
    web: Web,
    page: PageFrame,
    caller: Caller,
    watched: T,
    begun: bool,
}

/// Streams the state of `watched` at once and whenever it changes. Ends with the session, and when the process stops.
pub(super) fn stream<T: Watched + 'static>(
    web: Web,
    page: PageFrame,
    caller: &Caller,
    watched: T,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<T>> {
    let caller = caller.clone();
    let events = unfold(Watcher { web, page, caller, watched, begun: false }, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(CHECK_INTERVAL))
}

impl<T: Watched> Watcher<T> {
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.begun, true)
            && let Some(first) = self.watched.next_event(&self.web, &self.page)
        {
            return Some(first);
        }
        let stopping = self.web.stopping.clone();
        loop {
            let changed = tokio::select! {
                () = stopping.cancelled() => return None,
                changed = tokio::time::timeout(CHECK_INTERVAL, self.watched.changed()) => changed,
            };
            if changed == Ok(false) || !self.caller.is_still_let_in(&self.web).await {
                return None;
            }
            if changed.is_err() {
                // Nothing has changed; the session is checked again later.
                continue;
            }
            // Changes in the meantime go into the same event.
            tokio::time::sleep(MIN_INTERVAL).await;
            if let Some(event) = self.watched.next_event(&self.web, &self.page) {
                return Some(event);
            }
        }
    }
}

/// The running batches and the queue.
struct QueueState {
    live: watch::Receiver<LiveBatches>,
    /// Data of the last event.
    told: Option<String>,
}

/// Streams the progress of every running batch (`progress`), and changes of the queue (`queue`).
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: PageFrame,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let batches = QueueState { live: web.scheduler.live(), told: None };
    stream(web, page, &caller, batches)
}

impl Watched for QueueState {
    async fn changed(&mut self) -> bool {
        self.live.changed().await.is_ok()
    }

    fn next_event(&mut self, _web: &Web, page: &PageFrame) -> Option<Event> {
        let batches: Vec<_> = self.live.borrow_and_update().values().cloned().collect();
        let told = batches.iter().map(|batch| {
            let (done, total) = (batch.done(), batch.total());
            let text = page.t2("batch-done-of", ("done", page.number(&done)), ("total", page.number(&total)));
            json!({ "id": batch.id, "done": done, "total": total, "text": text })
        });
        let told = json!(told.collect::<Vec<_>>()).to_string();
        // Unchanged progress means that the queue has changed.
        if self.told.as_ref() == Some(&told) {
            // Browsers ignore an event without data.
            return Some(Event::default().event("queue").data("changed"));
        }
        self.told = Some(told.clone());
        Some(Event::default().event("progress").data(told))
    }
}
