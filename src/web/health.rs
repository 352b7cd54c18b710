//! Health checks: is the process alive, and can it work?

use crate::text::message::{Message, msg};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Web;
use super::problem::Problem;

/// Readiness to take on work, with the reason if there is none. Clones share it.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<Option<Message>>>);

impl Readiness {
    /// Creates a state that is not ready yet because of `reason`.
    pub fn waiting_for(reason: Message) -> Self {
        Self(Arc::new(Mutex::new(Some(reason))))
    }

    /// Marks the process as ready to take on work.
    pub fn ready(&self) {
        self.set(None);
    }

    /// Marks the process as not ready because of `reason`.
    pub fn mark_unready(&self, reason: Message) {
        self.set(Some(reason));
    }

    /// Returns the reason why no work is taken on; `None` if it is.
    pub fn reason(&self) -> Option<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reason: Option<Message>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// Answers `GET /healthz`: the process is alive. Touches nothing that could hang.
pub(super) async fn alive() -> Response {
    Json(json!({ "status": "ok", "version": crate::platform::release::version() })).into_response()
}

/// Answers `GET /readyz`: the store answers and batches are run.
pub(super) async fn ready(State(web): State<Web>) -> Result<Response, Problem> {
    if let Some(reason) = web.readiness.reason() {
        return Err(Problem::unavailable(reason, 5));
    }
    if !web.scheduler.is_at_work() {
        return Err(Problem::unavailable(msg!("problem-scheduler"), 30));
    }
    if let Some(trouble) = web.context.store.trouble() {
        return Err(trouble.into());
    }
    web.context.store.reading(|_| Ok(())).await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}
