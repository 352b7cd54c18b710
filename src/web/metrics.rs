//! `GET /metrics`: for Prometheus, with `server.metricsToken` or on the listener of `server.metricsListen`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Once;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::auth::{bearer, is_token};
use super::limits::{bounded, outermost};
use super::peer::names_this_machine;
use super::problem::Problem;
use super::{Peer, Web};
use crate::inbox::Notification;
use crate::metrics as names;
use crate::operation::{Operation, Status};
use crate::store::{Reader, StoreError, View};
use crate::vendor::Vendor;

/// Says once in a process that nobody may see the metrics.
static CLOSED: Once = Once::new();

/// What is counted, for whoever shows the token.
pub(super) async fn text(State(web): State<Web>, peer: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    let settings = web.settings.get();
    let token = settings.server.metrics_token.as_ref();
    if token.is_none() {
        CLOSED.call_once(|| {
            tracing::warn!(
                action = "metrics",
                "the metrics were asked for, and are shown to nobody: set server.metricsToken, or server.metricsListen to \
                 an address of their own such as 127.0.0.1:9464"
            );
        });
        return Err(Problem::told(StatusCode::NOT_FOUND, "problem-no-address", []));
    }
    let allowed = match bearer(&headers) {
        Some(shown) => web.guesses.judged(peer.address, "the metrics", is_token(token, shown))?,
        None => false,
    };
    if !allowed {
        let title = "the metrics are for whoever shows the token of server.metricsToken";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, title));
    }
    everything(&web).await
}

/// The metrics on a listener of their own; on the loopback for this machine alone.
pub fn metrics_router(web: Web, address: SocketAddr) -> Router {
    let own = async move |State(web): State<Web>, headers: HeaderMap| {
        if address.ip().is_loopback() && !names_this_machine(&headers) {
            return Err(Problem::told(StatusCode::MISDIRECTED_REQUEST, "problem-other-host", []));
        }
        everything(&web).await
    };
    outermost(bounded(Router::new().route("/metrics", get(own)))).with_state(web)
}

async fn everything(web: &Web) -> Result<Response, Problem> {
    let now = web.context.store.reading(gauges).await?;
    let text = names::text().unwrap_or_default() + &now;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// What the store says now, in the same form: whole numbers, exact.
fn gauges(reader: &Reader<'_>) -> Result<String, StoreError> {
    let mut text = Gauges::default();
    text.begin(names::OPERATIONS);
    for status in Status::ALL {
        let count = reader.count::<Operation>("status", status.code())?;
        text.line(&[("status", status.name())], &count);
    }
    text.begin(names::OPERATIONS_AMOUNT);
    for ((code, currency), _) in reader.groups::<Operation, (i64, String)>("amount")? {
        let sum = reader.sum::<Operation>("amount", (code, currency.as_str()))?;
        text.line(&[("status", Status::from_code(code).name()), ("currency", &currency)], &sum);
    }
    text.begin(names::OPERATIONS_HELD);
    text.line(&[], &reader.count::<Operation>("held", ())?);
    text.begin(names::VENDORS);
    for ((status, wallet), count) in reader.groups::<Vendor, (String, String)>("status")? {
        text.line(&[("status", &status), ("wallet_status", &wallet)], &count);
    }
    text.begin(names::NOTIFICATIONS_OPEN);
    text.line(
        &[],
        &reader.count::<Notification>("open", false)?.saturating_add(reader.count::<Notification>("open", true)?),
    );
    text.begin(names::BUILD);
    let (version, target, commit) = (crate::release::version(), crate::release::TARGET, crate::release::COMMIT);
    text.line(&[("version", version), ("target", target), ("commit", commit)], &1);
    Ok(text.0)
}

/// Prometheus's text form. Names and labels are our own words: nothing in them has to be escaped.
#[derive(Default)]
struct Gauges(String, &'static str);

impl Gauges {
    fn begin(&mut self, name: &'static str) {
        let meaning = names::meaning(name);
        self.0.extend(["# HELP ", name, " ", meaning, "\n# TYPE ", name, " gauge\n"]);
        self.1 = name;
    }

    fn line(&mut self, labels: &[(&str, &str)], value: &dyn Display) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.extend([self.1, &labels, " ", &value.to_string(), "\n"]);
    }
}
