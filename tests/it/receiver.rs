//! A realistic receiver of webhooks: it accepts posts, checks the signature, and keeps them.
#![expect(clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

/// Key of the signatures; the settings contain it in base64.
const KEY: [u8; 32] = [7; 32];

/// A request that was posted.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) path: String,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Books {
    posted: Vec<Posted>,
    /// Answer instead of 200.
    answer: Option<StatusCode>,
}

/// The receiver.
pub(crate) struct Receiver {
    pub(crate) address: std::net::SocketAddr,
    books: Arc<Mutex<Books>>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    pub(crate) async fn open() -> Self {
        let books = Arc::<Mutex<Books>>::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&books));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, books, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Returns the settings that post everything here.
    pub(crate) fn settings(&self) -> Vec<String> {
        let address = self.address;
        vec![
            format!("alert.webhook.url: http://{address}/hook?from=cashout"),
            format!("alert.webhook.secret: whsec_{}", STANDARD.encode(KEY)),
            format!("alert.slack.url: http://{address}/slack/T0/B0/secret"),
            format!("alert.teams.url: http://{address}/teams"),
            format!("alert.pagerduty.url: http://{address}/pagerduty"),
            "alert.pagerduty.routingKey: 0123456789abcdef0123456789abcdef".to_owned(),
        ]
    }

    /// Sets the answer from now on; `None` for 200.
    pub(crate) fn answer(&self, answer: Option<StatusCode>) {
        self.books.lock().unwrap().answer = answer;
    }

    pub(crate) fn posted(&self, path: &str) -> Vec<Posted> {
        self.books.lock().unwrap().posted.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Returns the webhook's messages about trouble `key`: type and data.
    pub(crate) fn about(&self, key: &str) -> Vec<(String, Value)> {
        let hooks = self.posted("/hook").into_iter().filter(|one| one.body["data"]["key"] == key);
        hooks.map(|one| (one.body["type"].as_str().unwrap().to_owned(), one.body["data"].clone())).collect()
    }

    /// Waits until the webhook's messages about trouble `key` have these types.
    pub(crate) async fn told(&self, key: &str, types: &[&str]) {
        let begun = tokio::time::Instant::now();
        loop {
            let told: Vec<String> = self.about(key).into_iter().map(|(kind, _)| kind).collect();
            if told == types {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(25), "{key}: {told:?} in place of {types:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn take(State(books): State<Arc<Mutex<Books>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    if uri.path() == "/hook" {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = [format!("{id}.{at}.").as_bytes(), &body].concat();
        let signature = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), &signed));
        if header("webhook-signature") != format!("v1,{signature}") {
            return StatusCode::UNAUTHORIZED;
        }
    }
    let mut books = books.lock().unwrap();
    if let Some(answer) = books.answer {
        return answer;
    }
    let body = serde_json::from_slice(&body).unwrap();
    books.posted.push(Posted { path: uri.path().to_owned(), body });
    StatusCode::OK
}
