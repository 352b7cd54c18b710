//! What is told to a page as it changes: server-sent events. Here is how pages are told of anything, and
//! how far batches are.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::Page;
use crate::domain::session::Session;
use crate::scheduler::LiveBatches;
use crate::store::View;
use crate::web::Web;
use crate::web::auth::Caller;

/// How often at most a page is told, and how often it is looked whether its reader is still signed in.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);
const LOOKED_AT_EVERY: Duration = Duration::from_secs(10);

/// What a page is told of.
pub(super) trait Watched: Send {
    /// Waits until something has changed; false where nothing will any more.
    fn changed(&mut self) -> impl Future<Output = bool> + Send;

    /// What is to be told as it stands now, if anything.
    fn news(&mut self, web: &Web, page: &Page) -> Option<Event>;
}

/// Somebody who watches.
struct Watcher<T> {
    web: Web,
    page: Page,
    /// The key of the session; none has a session without one.
    session: Option<String>,
    watched: T,
    begun: bool,
}

/// Tells `watched` at once and whenever it changes. Ends with the session, and when the process stops.
pub(super) fn tell<T: Watched + 'static>(
    web: Web,
    page: Page,
    caller: &Caller,
    watched: T,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<T>> {
    let session = caller.session().map(|session| session.key.clone());
    let events = unfold(Watcher { web, page, session, watched, begun: false }, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(LOOKED_AT_EVERY))
}

impl<T: Watched> Watcher<T> {
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.begun, true)
            && let Some(first) = self.watched.news(&self.web, &self.page)
        {
            return Some(first);
        }
        let stopping = self.web.stopping.clone();
        loop {
            let changed = tokio::select! {
                () = stopping.cancelled() => return None,
                changed = tokio::time::timeout(LOOKED_AT_EVERY, self.watched.changed()) => changed,
            };
            if changed == Ok(false) || !is_signed_in(&self.web, self.session.clone()).await {
                return None;
            }
            if changed.is_err() {
                // Nothing has changed; the session is looked at again later.
                continue;
            }
            // What changes meanwhile is told with it.
            tokio::time::sleep(AT_MOST_EVERY).await;
            if let Some(event) = self.watched.news(&self.web, &self.page) {
                return Some(event);
            }
        }
    }
}

/// Whether the session with this key still lasts. Watching is no use of a session: it does not make it
/// last longer.
async fn is_signed_in(web: &Web, session: Option<String>) -> bool {
    let Some(key) = session else { return false };
    let found = web.context.store.reading(move |reader| reader.get::<Session>(&key)).await;
    found.ok().flatten().is_some_and(|session| session.is_valid(web.context.clock.for_people()))
}

/// The batches that run, and the queue.
struct Batches {
    live: watch::Receiver<LiveBatches>,
    /// What was told last.
    told: Option<String>,
}

/// Tells how far every batch is that runs (`progress`), and that the queue has changed (`queue`).
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: Page,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let batches = Batches { live: web.scheduler.live(), told: None };
    tell(web, page, &caller, batches)
}

impl Watched for Batches {
    async fn changed(&mut self) -> bool {
        self.live.changed().await.is_ok()
    }

    fn news(&mut self, _web: &Web, page: &Page) -> Option<Event> {
        let batches: Vec<_> = self.live.borrow_and_update().values().cloned().collect();
        let told = batches.iter().map(|batch| {
            let (done, total) = (batch.done(), batch.total());
            let text = page.t2("batch-done-of", ("done", page.number(&done)), ("total", page.number(&total)));
            json!({ "id": batch.id, "done": done, "total": total, "text": text })
        });
        let told = json!(told.collect::<Vec<_>>()).to_string();
        // The same again: then it was the queue that changed.
        if self.told.as_ref() == Some(&told) {
            // A browser does not tell of an event without data.
            return Some(Event::default().event("queue").data("changed"));
        }
        self.told = Some(told.clone());
        Some(Event::default().event("progress").data(told))
    }
}
