//! How an update goes on, told to its page as it happens: server-sent events. The process that tells is
//! exchanged in between; the browser asks the one that comes after it.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::Page;
use super::events::{AT_MOST_EVERY, LOOKED_AT_EVERY, is_signed_in};
use super::updating::Story;
use crate::update::story::Known;
use crate::update::{Errand, Progress};
use crate::web::Web;
use crate::web::auth::Caller;

/// How soon a browser asks again where the process that told it has ended.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

#[derive(Template)]
#[template(path = "update_story.html", config = "ui/askama.toml")]
struct Part {
    page: Page,
    story: Option<Story>,
}

/// Somebody who watches.
struct Watcher {
    web: Web,
    page: Page,
    known: watch::Receiver<Known>,
    errand: watch::Receiver<Option<Errand>>,
    progress: watch::Receiver<Option<Progress>>,
    /// The key of the session; none has a session without one.
    session: Option<String>,
    /// What was told last.
    told: Option<String>,
}

/// Tells how the update stands and which version tells it (`story`), at once and whenever something
/// changes. Ends with the session, and when the process stops.
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: Page,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let session = caller.session().map(|session| session.key.clone());
    let (known, errand, progress) = (web.guard.known(), web.installer.errand(), web.updates.progress());
    let watcher = Watcher { web, page, known, errand, progress, session, told: None };
    let events = unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(LOOKED_AT_EVERY))
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.news() {
            return Some(first.retry(AGAIN_AFTER));
        }
        let stopping = self.web.stopping.clone();
        loop {
            let changed = tokio::select! {
                () = stopping.cancelled() => return None,
                changed = self.known.changed() => changed.is_ok(),
                changed = self.errand.changed() => changed.is_ok(),
                changed = self.progress.changed() => changed.is_ok(),
                () = tokio::time::sleep(LOOKED_AT_EVERY) => true,
            };
            if !changed || !is_signed_in(&self.web, self.session.clone()).await {
                return None;
            }
            // What changes meanwhile is told with it.
            tokio::time::sleep(AT_MOST_EVERY).await;
            if let Some(event) = self.news() {
                return Some(event);
            }
        }
    }

    /// The story as it stands, where it is not the one that was told last.
    fn news(&mut self) -> Option<Event> {
        self.known.mark_unchanged();
        self.errand.mark_unchanged();
        self.progress.mark_unchanged();
        let story = Story::now(&self.web, &self.page);
        let sentence = story.as_ref().map(|story| story.sentence(&self.page)).unwrap_or_default();
        let part = Part { page: self.page.clone(), story }.render().ok()?;
        let told = json!({ "version": self.page.version(), "sentence": sentence, "html": part }).to_string();
        if self.told.as_ref() == Some(&told) {
            return None;
        }
        self.told = Some(told.clone());
        Some(Event::default().event("story").data(told))
    }
}
