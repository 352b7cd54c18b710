//! The client of GitHub: the releases of the repository, and the bytes of a file. The token is sent to the API's own
//! host and nowhere else.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use octocrab::models::repos::Release;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use super::UpdateObstacle;
use crate::config::UpdateConfig;
use crate::platform::secret::Secret;
use crate::remote::{self, ClientPolicy, JSON_LIMIT, USER_AGENT, innermost, plain};
use crate::text::one_line;

/// Upper bound on the pages of the list of releases; later pages are ignored.
const MAX_PAGES: u32 = 10;
/// Upper bound on the redirects to a file.
const MAX_REDIRECTS: u32 = 5;
/// Upper bound on GitHub's own message that is kept, in characters.
const MAX_QUOTE_LENGTH: usize = 200;
/// Delay if GitHub reports too many calls and no time.
const DEFAULT_WAIT: SignedDuration = SignedDuration::from_mins(1);
/// Upper bound on a delay that GitHub asks for.
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// A client of GitHub for the repository of the releases.
pub(super) struct GitHub {
    api: Url,
    client: Client,
    token: Secret,
    repository: String,
    /// Time limit of a whole list.
    timeout: Duration,
}

/// The answer to a request for the releases.
pub(super) enum ReleasesAnswer {
    /// No change since the state of the given entity tag.
    Unchanged,
    /// All releases, and the entity tag of this state.
    Releases(Vec<Release>, Option<String>),
}

impl GitHub {
    /// Creates the client from the configuration. A token that does not fit into a header is refused: GitHub never
    /// issues such a token.
    pub(super) fn new(config: &UpdateConfig, manners: &ClientPolicy) -> Result<Self, UpdateObstacle> {
        let repository = config.repository.clone().ok_or(UpdateObstacle::NoRepository)?;
        let token = config.token.clone().ok_or(UpdateObstacle::NoToken)?;
        bearer(&token)?;
        let unusable = |detail: String| UpdateObstacle::Unreachable { detail };
        let api = Url::parse(&config.api_url).map_err(|error| unusable(error.to_string()))?;
        let builder = remote::builder(&api, manners).map_err(|error| unusable(error.to_string()))?;
        // The pause between two reads is limited, not the whole download: a file may take long.
        let client = builder.read_timeout(manners.timeout).build().map_err(|error| unusable(plain(&error)))?;
        Ok(Self { api, client, token, repository, timeout: manners.timeout })
    }

    /// Returns all releases, unless they are unchanged since `etag`. Delays that GitHub asks for are counted from
    /// `now`.
    pub(super) async fn releases(&self, etag: Option<&str>, now: Timestamp) -> Result<ReleasesAnswer, UpdateObstacle> {
        let listing = self.all_pages(etag, now);
        let late = || UpdateObstacle::Unreachable { detail: format!("no answer within {} s", self.timeout.as_secs()) };
        tokio::time::timeout(self.timeout, listing).await.map_err(|_| late())?
    }

    async fn all_pages(&self, etag: Option<&str>, now: Timestamp) -> Result<ReleasesAnswer, UpdateObstacle> {
        let octocrab = self.octocrab().map_err(|error| unreachable(&error))?;
        let (mut all, mut tag) = (Vec::new(), None);
        for page in 1..=MAX_PAGES {
            let mut headers = HeaderMap::new();
            if let Some(etag) = etag.filter(|_| page == 1).and_then(|etag| HeaderValue::from_str(etag).ok()) {
                headers.insert(header::IF_NONE_MATCH, etag);
            }
            let path = format!("/repos/{}/releases?per_page=100&page={page}", self.repository);
            let answer = octocrab._get_with_headers(path, Some(headers)).await.map_err(|error| unreachable(&error))?;
            let (head, body) = answer.into_parts();
            if head.status == StatusCode::NOT_MODIFIED && page == 1 && etag.is_some() {
                return Ok(ReleasesAnswer::Unchanged);
            }
            let body = Limited::new(body, JSON_LIMIT).collect().await;
            let body = body.map_err(|error| unreachable(error.as_ref()))?.to_bytes();
            if head.status != StatusCode::OK {
                return Err(self.refused(head.status, &head.headers, &body, now));
            }
            let releases: Vec<Release> = serde_json::from_slice(&body).map_err(|_| UpdateObstacle::Failed {
                detail: "HTTP 200 with something that is not a list of releases".into(),
            })?;
            all.extend(releases);
            if page == 1 {
                tag = text(&head.headers, header::ETAG.as_str()).map(str::to_owned);
            }
            if !text(&head.headers, header::LINK.as_str()).is_some_and(|link| link.contains("rel=\"next\"")) {
                break;
            }
        }
        Ok(ReleasesAnswer::Releases(all, tag))
    }

    /// Returns Octocrab on our own client. Both of its addresses are the API's, so that the token is sent to no other
    /// host.
    fn octocrab(&self) -> octocrab::Result<Octocrab> {
        Octocrab::builder()
            .base_uri(self.api.as_str())?
            .upload_uri(self.api.as_str())?
            .add_header(header::USER_AGENT, USER_AGENT.to_owned())
            .add_header(header::ACCEPT, "application/vnd.github+json".to_owned())
            .personal_token(self.token.expose().to_owned())
            .build_with_reqwest(self.client.clone())
    }

    /// Requests a file, and returns the response to read it from. GitHub redirects to another host, which gets no
    /// token.
    pub(super) async fn file(&self, address: &str, now: Timestamp) -> Result<Response, UpdateObstacle> {
        let failed = |detail: &str| UpdateObstacle::Failed { detail: detail.to_owned() };
        let mut address = Url::parse(address).map_err(|_| failed("the address of the file is not valid"))?;
        for _ in 0..=MAX_REDIRECTS {
            if address.scheme() != self.api.scheme() && address.scheme() != "https" {
                return Err(failed("the address of the file has no TLS"));
            }
            let mut request = self.client.get(address.clone()).header(header::ACCEPT, "application/octet-stream");
            if address.origin() == self.api.origin() {
                request = request.header(header::AUTHORIZATION, bearer(&self.token)?);
            }
            let answer = request.send().await.map_err(|error| UpdateObstacle::Unreachable { detail: plain(&error) })?;
            let status = answer.status();
            if status.is_redirection() {
                let to = text(answer.headers(), header::LOCATION.as_str()).and_then(|to| address.join(to).ok());
                address = to.ok_or_else(|| failed("a redirect without an address"))?;
                continue;
            }
            if status == StatusCode::OK {
                return Ok(answer);
            }
            return Err(self.refused(status, answer.headers(), &[], now));
        }
        Err(failed("too many redirects"))
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> UpdateObstacle {
        let repository = self.repository.clone();
        let limited = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        if let Some(until) = allowed_again(headers, status, now).filter(|_| limited) {
            return UpdateObstacle::LimitReached { until };
        }
        match status {
            StatusCode::UNAUTHORIZED => UpdateObstacle::TokenRefused,
            StatusCode::NOT_FOUND | StatusCode::GONE => UpdateObstacle::NotFound { repository },
            StatusCode::FORBIDDEN => UpdateObstacle::Forbidden { repository, words: words(body) },
            _ => UpdateObstacle::Failed { detail: format!("HTTP {}", status.as_u16()) },
        }
    }
}

/// Returns the value of the header with the token.
fn bearer(token: &Secret) -> Result<HeaderValue, UpdateObstacle> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| UpdateObstacle::TokenRefused)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the time at which GitHub allows the next call (UTC); `None` if the refusal has another reason.
fn allowed_again(headers: &HeaderMap, status: StatusCode, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| text(headers, name).and_then(|text| text.trim().parse::<i64>().ok());
    let asked = if let Some(seconds) = number(header::RETRY_AFTER.as_str()) {
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    } else if number("x-ratelimit-remaining") == Some(0) {
        number("x-ratelimit-reset").and_then(|second| Timestamp::from_second(second).ok())
    } else {
        None
    };
    let untold = || (status == StatusCode::TOO_MANY_REQUESTS).then(|| now.checked_add(DEFAULT_WAIT).ok()).flatten();
    let longest = now.checked_add(MAX_WAIT).unwrap_or(Timestamp::MAX);
    asked.or_else(untold).map(|until| until.clamp(now, longest))
}

fn text<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns GitHub's own message in a refusal, in one short line.
fn words(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = json.get("message").and_then(serde_json::Value::as_str).unwrap_or("no reason");
    one_line(message, MAX_QUOTE_LENGTH)
}

/// Returns an obstacle with the innermost cause, in one line: it contains no address.
fn unreachable(error: &(dyn Error + 'static)) -> UpdateObstacle {
    UpdateObstacle::Unreachable { detail: innermost(error).unwrap_or_else(|| error.to_string()) }
}
