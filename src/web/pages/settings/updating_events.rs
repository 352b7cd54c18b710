//! Server-sent events about an update, for its page. The process that sends them is replaced in between; the browser
//! reconnects to its successor.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use serde_json::json;
use tokio::sync::watch;

use super::super::page::PageFrame;
use super::events::{Watched, stream};
use super::updating::UpdateStoryView;
use crate::update::status::UpdateStatus;
use crate::update::{DownloadProgress, PendingInstall};
use crate::web::Web;
use crate::web::auth::Caller;

/// Time after which a browser reconnects if the process that sent the events has ended.
const RETRY_INTERVAL: Duration = Duration::from_millis(300);

#[derive(Template)]
#[template(path = "update_story.html", config = "ui/askama.toml")]
struct UpdatePart {
    page: PageFrame,
    story: Option<UpdateStoryView>,
}

/// The update and everything that advances it.
struct UpdateEvents {
    known: watch::Receiver<UpdateStatus>,
    errand: watch::Receiver<Option<PendingInstall>>,
    progress: watch::Receiver<Option<DownloadProgress>>,
    /// Data of the last event.
    told: Option<String>,
}

/// Streams the state of the update and the version that reports it (`story`), at once and whenever something changes.
pub(in crate::web::pages) async fn events(
    State(web): State<Web>,
    page: PageFrame,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (known, errand, progress) = (web.guard.status(), web.installer.pending(), web.updates.progress());
    stream(web, page, &caller, UpdateEvents { known, errand, progress, told: None })
}

impl Watched for UpdateEvents {
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.known.changed() => changed.is_ok(),
            changed = self.errand.changed() => changed.is_ok(),
            changed = self.progress.changed() => changed.is_ok(),
        }
    }

    fn next_event(&mut self, web: &Web, page: &PageFrame) -> Option<Event> {
        self.known.mark_unchanged();
        self.errand.mark_unchanged();
        self.progress.mark_unchanged();
        let story = UpdateStoryView::now(web, page);
        let sentence = story.as_ref().map(|story| story.sentence(page)).unwrap_or_default();
        let part = UpdatePart { page: page.clone(), story }.render().ok()?;
        let told = json!({ "version": page.version(), "sentence": sentence, "html": part }).to_string();
        if self.told.as_ref() == Some(&told) {
            return None;
        }
        self.told = Some(told.clone());
        Some(Event::default().event("story").data(told).retry(RETRY_INTERVAL))
    }
}
