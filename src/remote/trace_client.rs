//! The collector of traces, called over HTTP.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::Client;

use super::{ClientPolicy, Unusable, client, plain};
use crate::config::NetworkConfig;
use crate::platform::telemetry::EXPORT_TIMEOUT;
use crate::text::message::{logged, msg};

/// Maximum size of an answer, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The client of the collector; it is called from the exporter's own thread, which has no runtime.
#[derive(Debug)]
pub struct TraceClient {
    base: String,
    client: Client,
    /// Flag of a failed last request, so that an outage of the collector is logged once.
    is_failing: AtomicBool,
}

impl TraceClient {
    /// Returns the client of the collector at `base`, a URL without a trailing slash.
    pub fn new(base: &str, network: &NetworkConfig) -> Result<Self, Unusable> {
        let manners = ClientPolicy { network: network.clone(), timeout: EXPORT_TIMEOUT, ..ClientPolicy::default() };
        let client = client("telemetry.otlp", base, &manners)?;
        Ok(Self { base: base.to_owned(), client, is_failing: AtomicBool::new(false) })
    }

    fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut response = self.client.execute(request.try_into()?).await?;
            let mut answer = http::Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.extend(response.headers().clone());
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
                    return Err(format!("its answer is longer than {ANSWER_LIMIT} bytes").into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(answer.body(body.into())?)
        })
    }

    fn note(&self, failure: Option<String>) {
        let base = &self.base;
        match (failure, self.is_failing.load(Ordering::Relaxed)) {
            (Some(reason), false) => {
                self.is_failing.store(true, Ordering::Relaxed);
                logged!(warn, action = "telemetry", msg!("log-traces-dropped", address = base, reason));
            }
            (None, true) => {
                self.is_failing.store(false, Ordering::Relaxed);
                logged!(info, action = "telemetry", msg!("log-traces-sent-again", address = base));
            }
            (Some(_), true) | (None, false) => {}
        }
    }
}

#[async_trait]
impl HttpClient for TraceClient {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let answer = self.send(request);
        self.note(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
            Err(error) => Some(error.downcast_ref().map_or_else(|| error.to_string(), plain)),
        });
        answer
    }
}
