//! How an update goes on, told to its page as it happens: server-sent events. The process that tells is
//! exchanged in between; the browser asks the one that comes after it.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::Page;
use super::events::{Watched, tell};
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

/// The update and everything that brings it on.
struct Update {
    known: watch::Receiver<Known>,
    errand: watch::Receiver<Option<Errand>>,
    progress: watch::Receiver<Option<Progress>>,
    /// What was told last.
    told: Option<String>,
}

/// Tells how the update stands and which version tells it (`story`), at once and whenever something
/// changes.
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: Page,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (known, errand, progress) = (web.guard.known(), web.installer.errand(), web.updates.progress());
    tell(web, page, &caller, Update { known, errand, progress, told: None })
}

impl Watched for Update {
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.known.changed() => changed.is_ok(),
            changed = self.errand.changed() => changed.is_ok(),
            changed = self.progress.changed() => changed.is_ok(),
        }
    }

    fn news(&mut self, web: &Web, page: &Page) -> Option<Event> {
        self.known.mark_unchanged();
        self.errand.mark_unchanged();
        self.progress.mark_unchanged();
        let story = Story::now(web, page);
        let sentence = story.as_ref().map(|story| story.sentence(page)).unwrap_or_default();
        let part = Part { page: page.clone(), story }.render().ok()?;
        let told = json!({ "version": page.version(), "sentence": sentence, "html": part }).to_string();
        if self.told.as_ref() == Some(&told) {
            return None;
        }
        self.told = Some(told.clone());
        Some(Event::default().event("story").data(told).retry(AGAIN_AFTER))
    }
}
