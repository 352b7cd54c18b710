//! How far batches are, told to a page as it changes: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::Page;
use crate::scheduler::LiveBatches;
use crate::session::Session;
use crate::store::View;
use crate::web::Web;
use crate::web::auth::Caller;

/// How often at most a page is told, and how often it is looked whether its reader is still signed in.
pub(super) const AT_MOST_EVERY: Duration = Duration::from_millis(250);
pub(super) const LOOKED_AT_EVERY: Duration = Duration::from_secs(10);

/// Somebody who watches.
struct Watcher {
    web: Web,
    page: Page,
    live: watch::Receiver<LiveBatches>,
    /// The key of the session; none has a session without one.
    session: Option<String>,
    /// What was told last.
    told: Option<String>,
}

/// Tells how far every batch is that runs (`progress`), and that the queue has changed (`queue`). Ends with
/// the session, and when the process stops.
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: Page,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let session = caller.session().map(|session| session.key.clone());
    let watcher = Watcher { live: web.scheduler.live(), web, page, session, told: None };
    let events = unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(LOOKED_AT_EVERY))
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        if self.told.is_none() {
            return Some(self.progress());
        }
        let stopping = self.web.stopping.clone();
        loop {
            let changed = tokio::select! {
                () = stopping.cancelled() => return None,
                changed = tokio::time::timeout(LOOKED_AT_EVERY, self.live.changed()) => changed,
            };
            if !self.is_signed_in().await {
                return None;
            }
            match changed {
                // Nothing has changed; the session is looked at again later.
                Err(_) => {}
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {
                    // What changes meanwhile is told with it.
                    tokio::time::sleep(AT_MOST_EVERY).await;
                    return Some(self.progress());
                }
            }
        }
    }

    fn progress(&mut self) -> Event {
        let batches: Vec<_> = self.live.borrow_and_update().values().cloned().collect();
        let told = batches.iter().map(|batch| {
            let (done, total) = (batch.done(), batch.total());
            let words = ("done", self.page.number(&done));
            let text = self.page.t2("batch-done-of", words, ("total", self.page.number(&total)));
            json!({ "id": batch.id, "done": done, "total": total, "text": text })
        });
        let told = json!(told.collect::<Vec<_>>()).to_string();
        // The same again: then it was the queue that changed.
        if self.told.as_ref() == Some(&told) {
            // A browser does not tell of an event without data.
            return Event::default().event("queue").data("changed");
        }
        self.told = Some(told.clone());
        Event::default().event("progress").data(told)
    }

    async fn is_signed_in(&self) -> bool {
        is_signed_in(&self.web, self.session.clone()).await
    }
}

/// Whether the session with this key still lasts. Watching is no use of a session: it does not make it
/// last longer.
pub(super) async fn is_signed_in(web: &Web, session: Option<String>) -> bool {
    let Some(key) = session else { return false };
    let found = web.context.store.reading(move |reader| reader.get::<Session>(&key)).await;
    found.ok().flatten().is_some_and(|session| session.is_valid(web.context.clock.for_people()))
}
