//! Is the process alive, and can it do its work?

use crate::text::message::{Message, msg};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Web;
use super::problem::Problem;

/// Whether work is taken on, and why not. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<Option<Message>>>);

impl Readiness {
    /// Not ready yet, because of `reason`.
    pub fn waiting_for(reason: Message) -> Self {
        Self(Arc::new(Mutex::new(Some(reason))))
    }

    /// From now on work is taken on.
    pub fn ready(&self) {
        self.set(None);
    }

    /// From now on it is not, because of `reason`.
    pub fn unready(&self, reason: Message) {
        self.set(Some(reason));
    }

    /// Why no work is taken on; `None` where it is.
    pub fn reason(&self) -> Option<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reason: Option<Message>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// `GET /healthz`: the process is alive. Touches nothing that could hang.
pub(super) async fn alive() -> Response {
    Json(json!({ "status": "ok", "version": crate::platform::release::version() })).into_response()
}

/// `GET /readyz`: the store answers and batches are run.
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
