//! HTTP to a remote: the part that Mirakl's and HiPay's clients share. Bounded concurrency, time-outs, size
//! limits, waits as requested by the remote, and errors grouped by what the caller must do.

pub mod hipay;
pub mod lenient;
pub mod mirakl;
pub mod multipart;
mod trace_client;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::metrics::{counter, histogram};
use jiff::Timestamp;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, StatusCode, Url, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use strum::IntoStaticStr;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use trace_client::TraceClient;

use crate::config::NetworkConfig;
use crate::domain::refusal::Refusal;
use crate::platform::metrics;
use crate::platform::telemetry;
use crate::text::message::{Message, msg};

/// The reason for a failed call, by what the caller must do.
#[derive(Debug, Clone, PartialEq, Eq, Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CallError {
    /// A request that did not reach the remote, or that the remote declined to process: try again.
    #[error("{reason}")]
    NotSent {
        /// Description of the obstacle.
        reason: Message,
        /// Wait that the remote asked for.
        retry_after: Option<Duration>,
    },
    /// A refusal after processing: final.
    #[error("{0}")]
    Rejected(Rejection),
    /// A call with an unknown outcome: look it up.
    #[error("{reason}")]
    Unknown {
        /// Description of the failure.
        reason: Message,
        /// The remote's message, if it sent one that does not settle the outcome.
        said: Option<Box<Refusal>>,
        /// Wait that the remote asked for.
        retry_after: Option<Duration>,
    },
}

/// A remote's refusal, with its own words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{sentence}")]
pub struct Rejection {
    /// HTTP status.
    pub http_status: u16,
    /// The remote's own code, if there is one.
    pub code: Option<i64>,
    /// HiPay's `error_code_detail`, if given.
    pub detail: Option<i64>,
    /// Message for people, with the reason.
    pub sentence: Message,
    /// The remote's own words, on one line and of bounded length; may be empty.
    pub words: String,
}

impl CallError {
    /// Makes an error for an unknown outcome.
    pub fn unknown(reason: impl Into<Message>) -> Self {
        Self::Unknown { reason: reason.into(), said: None, retry_after: None }
    }

    /// Makes the error for an answer of `remote` that cannot be decoded.
    pub(crate) fn unreadable(remote: &str, answer: &RemoteAnswer, error: &serde_json::Error) -> Self {
        Self::unknown(msg!("call-unreadable", remote, answer = answer.describe()).detailed(error))
    }

    /// Returns its name in metrics and traces.
    fn name(&self) -> &'static str {
        self.into()
    }

    /// Returns true if the remote refused our credentials, so that no other call will work either.
    pub fn is_credentials(&self) -> bool {
        matches!(self, Self::Rejected(rejection) if rejection.http_status == 401 || rejection.code == Some(1))
    }

    /// Returns true if the remote does not know the object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Rejected(rejection) if matches!(rejection.code, Some(7 | 404)))
    }

    /// Returns the remote's refusal, for a later explanation; `None` if it sent none.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::NotSent { .. } => None,
            Self::Rejected(rejection) => Some(rejection.refusal()),
            Self::Unknown { said, .. } => said.as_deref().cloned(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotSent { retry_after, .. } | Self::Unknown { retry_after, .. } => *retry_after,
            Self::Rejected(_) => None,
        }
    }
}

impl From<&CallError> for Message {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::NotSent { reason, .. } | CallError::Unknown { reason, .. } => reason.clone(),
            CallError::Rejected(rejection) => rejection.sentence.clone(),
        }
    }
}

impl Rejection {
    /// Returns the part that is stored for a later explanation.
    pub fn refusal(&self) -> Refusal {
        let Self { http_status, code, detail, words, .. } = self;
        Refusal { http_status: Some(*http_status), code: *code, detail: *detail, words: words.clone() }
    }
}

/// The limits and waits for calls to a remote.
#[derive(Debug, Clone)]
pub struct ClientPolicy {
    /// Maximum number of concurrent requests.
    pub max_concurrency: usize,
    /// Time limit for a connection.
    pub connect_timeout: Duration,
    /// Time limit for a whole answer.
    pub timeout: Duration,
    /// Maximum number of tries per call.
    pub tries: u32,
    /// First wait between two tries; later ones double, with jitter.
    pub first_wait: Duration,
    /// Longest wait between two tries, unless the remote asks for one.
    pub longest_wait: Duration,
    /// Longest wait to accept if the remote asks for one.
    pub longest_asked: Duration,
    /// Proxy and certificates.
    pub network: NetworkConfig,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            max_concurrency: 8,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(1),
            tries: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_mins(1),
            longest_asked: Duration::from_mins(15),
            network: NetworkConfig::default(),
        }
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct RemoteAnswer {
    /// HTTP status.
    pub status: u16,
    /// Media type, in lower case, without parameters.
    pub content_type: String,
    /// Body, within the size limit of the call.
    pub body: Vec<u8>,
}

impl RemoteAnswer {
    /// Returns true for a status from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Describes the answer for a message about an undecodable one. The body itself is never included, since it
    /// may contain anything.
    pub fn describe(&self) -> Message {
        let (status, bytes) = (self.status, self.body.len());
        if self.content_type.is_empty() {
            return msg!("answer-without-type", status, bytes);
        }
        msg!("answer", status, kind = &self.content_type, bytes)
    }
}

/// Maximum size of a JSON answer, in bytes.
pub const JSON_LIMIT: usize = 16 * 1024 * 1024;

/// User agent of all requests.
pub(crate) const USER_AGENT: &str = concat!("cashout/", env!("CARGO_PKG_VERSION"));

/// One remote and its client. Clones share connections, limits and waits.
#[derive(Debug, Clone)]
pub struct Remote {
    name: &'static str,
    base: String,
    client: Client,
    permits: Arc<Semaphore>,
    not_before: Arc<Mutex<Option<Instant>>>,
    their_time: Arc<Mutex<Option<(Timestamp, Instant)>>>,
    silence: Arc<Mutex<Option<Silence>>>,
    manners: ClientPolicy,
}

/// A series of unanswered calls to a remote.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Time of the first unanswered call in the series.
    pub since: Instant,
    /// Time of the last one.
    pub last: Instant,
    /// Number of unanswered calls in a row.
    pub calls: u32,
    /// Reason of the last one.
    pub reason: Message,
}

/// Makes the TLS configuration of every client: rustls on ring, with the compiled-in root certificates and
/// those of `tls.caFile`.
fn tls(network: &NetworkConfig) -> Result<rustls::ClientConfig, NoClient> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = &network.ca_file {
        let unusable = |reason: String| NoClient::Authorities { file: file.display().to_string(), reason };
        let own = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let own = own.map_err(|error| unusable(error.to_string()))?;
        if own.is_empty() {
            return Err(unusable("it holds no certificate in PEM".to_owned()));
        }
        for certificate in own {
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
    }
    Ok(rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Makes the builder of every client: our TLS, our user agent, no redirects. The caller sets the time limit of
/// a whole answer.
pub(crate) fn builder(url: &Url, manners: &ClientPolicy) -> Result<ClientBuilder, NoClient> {
    let network = &manners.network;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(network)?)
        .user_agent(USER_AGENT)
        // Credentials must never follow a redirect.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(manners.connect_timeout);
    let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if here {
        return Ok(builder.no_proxy());
    }
    let Some(proxy) = &network.proxy else { return Ok(builder) };
    // The library's message may repeat the address, which may contain a password.
    let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| NoClient::Proxy)?;
    Ok(builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(&network.no_proxy.join(",")))))
}

/// Makes the client for `base`; messages call it `name`.
fn client(name: &'static str, base: &str, manners: &ClientPolicy) -> Result<Client, Unusable> {
    let unusable = |reason: String| Unusable { name, base: base.to_owned(), reason };
    let url = Url::parse(base).map_err(|error| unusable(error.to_string()))?;
    let builder = builder(&url, manners).map_err(|error| unusable(error.to_string()))?;
    builder.timeout(manners.timeout).build().map_err(|error| unusable(plain(&error)))
}

/// The reason why no client can be made, by the setting to correct.
#[derive(Debug, Error)]
pub(crate) enum NoClient {
    /// Certificate authorities that cannot be used.
    #[error("tls.caFile: {file} cannot be used: {reason}")]
    Authorities {
        /// Path of the file.
        file: String,
        /// Description of the problem.
        reason: String,
    },
    /// A proxy that cannot be used.
    #[error("network.proxy: it cannot be used")]
    Proxy,
    /// A failure of TLS itself.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// The error for a remote's address, or our own TLS set-up, that cannot be used.
#[derive(Debug, Error)]
#[error("no connection to {name} can be made at {base}: {reason}")]
pub struct Unusable {
    name: &'static str,
    base: String,
    reason: String,
}

impl Remote {
    /// Makes the remote `name` (for messages) at `base`, a URL without a trailing slash.
    pub fn new(name: &'static str, base: &str, manners: ClientPolicy) -> Result<Self, Unusable> {
        let client = client(name, base, &manners)?;
        Ok(Self {
            name,
            base: base.trim_end_matches('/').to_owned(),
            client,
            permits: Arc::new(Semaphore::new(manners.max_concurrency.max(1))),
            not_before: Arc::default(),
            their_time: Arc::default(),
            silence: Arc::default(),
            manners,
        })
    }

    /// Returns the address, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the remote's own time as of its last answer, to the second; `None` before the first.
    pub fn their_time(&self) -> Option<Timestamp> {
        self.their_time.lock().unwrap_or_else(PoisonError::into_inner).map(|(date, _)| date)
    }

    /// Returns the remote's own time if its last answer is no older than `age`.
    pub fn their_time_within(&self, age: Duration) -> Option<Timestamp> {
        let told = *self.their_time.lock().unwrap_or_else(PoisonError::into_inner);
        told.filter(|(_, at)| at.elapsed() < age).map(|(date, _)| date)
    }

    /// Returns the current series of unanswered calls; `None` if the remote answered the last one.
    pub fn silence(&self) -> Option<Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records whether the remote answered a call; a refusal is an answer too.
    fn listen<T>(&self, outcome: &Result<T, CallError>) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        *silence = match outcome {
            Ok(_) | Err(CallError::Rejected(_) | CallError::Unknown { said: Some(_), .. }) => None,
            Err(CallError::NotSent { reason, .. } | CallError::Unknown { reason, said: None, .. }) => {
                let (since, calls) = silence.as_ref().map_or((Instant::now(), 0), |known| (known.since, known.calls));
                Some(Silence { since, last: Instant::now(), calls: calls.saturating_add(1), reason: reason.clone() })
            }
        };
    }

    /// Returns the client, for building requests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a call that changes nothing: retried after everything but a refusal.
    pub async fn read<T>(
        &self,
        limit: usize,
        request: impl Fn() -> RequestBuilder,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.repeat(limit, request, judge, |error| !matches!(error, CallError::Rejected(_))).await
    }

    /// Makes a call that changes something: retried only if the remote has not processed it.
    pub async fn change<T>(
        &self,
        limit: usize,
        request: impl Fn() -> RequestBuilder,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.repeat(limit, request, judge, |error| matches!(error, CallError::NotSent { .. })).await
    }

    async fn repeat<T>(
        &self,
        limit: usize,
        request: impl Fn() -> RequestBuilder,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
        again: impl Fn(&CallError) -> bool,
    ) -> Result<T, CallError> {
        let mut tried = 1;
        loop {
            let error = match self.counted(limit, request(), &judge).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !again(&error) || tried >= self.manners.tries {
                return Err(error);
            }
            let wait = self.wait_after(&error, tried);
            tracing::debug!(remote = self.name, tried, wait_ms = wait.as_millis(), "trying again: {error}");
            tokio::time::sleep(wait).await;
            tried = tried.saturating_add(1);
        }
    }

    /// Makes one try and counts it by its outcome.
    async fn counted<T>(
        &self,
        limit: usize,
        request: RequestBuilder,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let (client, request) = request.build_split();
        let outcome = match request {
            Ok(request) => Box::pin(self.traced(limit, &client, request, judge)).await,
            Err(error) => Err(self.failure(&error)),
        };
        self.listen(&outcome);
        let word = outcome.as_ref().err().map_or("ok", CallError::name);
        counter!(metrics::REMOTE_CALLS, "remote" => self.name, "outcome" => word).increment(1);
        histogram!(metrics::REMOTE_CALL_SECONDS, "remote" => self.name).record(begun.elapsed());
        outcome
    }

    /// Makes one try as a span of the current trace.
    async fn traced<T>(
        &self,
        limit: usize,
        client: &Client,
        request: Request,
        judge: impl Fn(RemoteAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let (method, url) = (request.method().clone(), request.url().clone());
        let status = AtomicU16::new(0);
        let call = async { self.once(limit, client.execute(request), &status).await.and_then(judge) };
        telemetry::call(self.name, (&method, &url), call, |outcome| {
            let status = Some(status.load(Ordering::Relaxed)).filter(|status| *status != 0);
            (status, outcome.as_ref().err().map(CallError::name))
        })
        .await
    }

    /// Returns the wait after try number `tried` ended in `error`: as long as the remote asked for, otherwise
    /// exponentially longer with jitter.
    pub fn wait_after(&self, error: &CallError, tried: u32) -> Duration {
        let doubled =
            self.manners.first_wait.saturating_mul(1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX));
        let most = doubled.min(self.manners.longest_wait);
        let half = most / 2;
        let jitter = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        let waited = half.saturating_add(Duration::from_micros(fastrand::u64(0..=jitter)));
        match error.retry_after() {
            Some(asked) => asked.min(self.manners.longest_asked).max(half),
            None => waited,
        }
    }

    async fn once(
        &self,
        limit: usize,
        request: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
        seen: &AtomicU16,
    ) -> Result<RemoteAnswer, CallError> {
        let closed = |_| CallError::NotSent { reason: msg!("call-closing"), retry_after: None };
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instant) = not_before {
            tokio::time::sleep_until(instant).await;
        }
        let response = request.await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        seen.store(status.as_u16(), Ordering::Relaxed);
        let retry_after = retry_after(response.headers());
        if let Some(date) = date(response.headers()) {
            *self.their_time.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(self.overloaded(status, retry_after));
        }
        let content_type = media_type(response.headers());
        let body = self.body(response, limit).await?;
        Ok(RemoteAnswer { status: status.as_u16(), content_type, body })
    }

    /// Handles 429 and every 5xx. All calls to this remote wait as long as it asks.
    fn overloaded(&self, status: StatusCode, retry_after: Option<Duration>) -> CallError {
        if let Some(wait) = retry_after {
            let until = Instant::now() + wait.min(self.manners.longest_asked);
            let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            *not_before = Some(not_before.map_or(until, |earlier| earlier.max(until)));
        }
        let reason = msg!("call-overloaded", remote = self.name, status = status.as_u16());
        if status == StatusCode::TOO_MANY_REQUESTS {
            CallError::NotSent { reason, retry_after }
        } else {
            CallError::Unknown { reason, said: None, retry_after }
        }
    }

    async fn body(&self, mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, CallError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(CallError::unknown(msg!("call-too-large", remote = self.name, limit)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failure(&self, error: &reqwest::Error) -> CallError {
        let remote = self.name;
        if error.is_connect() || error.is_builder() {
            let reason = msg!("call-unreachable", remote).detailed(plain(error));
            return CallError::NotSent { reason, retry_after: None };
        }
        if error.is_timeout() {
            let seconds = self.manners.timeout.as_secs();
            return CallError::unknown(msg!("call-silent", remote, seconds));
        }
        CallError::unknown(msg!("call-broke", remote).detailed(plain(error)))
    }
}

/// Text of a cause that reports an unresolved name.
const DNS_ERROR: &str = "dns error";

/// Formats an error's innermost cause on one line, without the URL: its query may contain confidential data.
pub(crate) fn plain(error: &reqwest::Error) -> String {
    innermost(error).unwrap_or_else(|| "request failed".to_owned())
}

/// Returns a helpful text of an error's innermost cause; `None` for an error without a cause.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = error.source();
    let mut last = None;
    while let Some(inner) = cause {
        let words = inner.to_string();
        if words == DNS_ERROR {
            // The causes below are internals of a library.
            return Some(
                "its host name cannot be resolved; check the address, and the name servers of this machine".to_owned(),
            );
        }
        last = Some(words);
        cause = inner.source();
    }
    last
}

/// Parses `Retry-After` in seconds; neither remote uses a date there.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Parses the `Date` header.
fn date(headers: &header::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn media_type(headers: &header::HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
