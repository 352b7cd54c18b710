//! GitHub: authentication, the pages of releases, and the redirects to their files.

pub(super) mod model;

use axum::http::header;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::call::{Answer, Call, Endpoint};
use super::json::Json;
use crate::platform::hex::hex;
use model::{GitHubModel, Throttle};

/// The only version of the API.
const API_VERSION: &str = "2022-11-28";
/// Signature in the address of a file, as storage services use; its holder needs no token.
const PASS: &str = "sandbox-pass";

/// A refusal: HTTP status and message.
struct Refused(u16, String);

/// Answers one request to the API.
pub(super) fn answer(model: &mut GitHubModel, call: &Call, now: Timestamp) -> Answer {
    let mut answer = match route(model, call, now) {
        Ok(answer) => answer,
        Err(Refused(status, message)) => Answer::json(
            status,
            Json::object([
                ("message", Json::text(&message)),
                ("documentation_url", Json::text("https://docs.github.com/rest")),
                ("status", Json::text(&status.to_string())),
            ]),
        ),
    };
    let (limit, left, reset) = model.quota(now);
    answer.headers.push(("x-ratelimit-limit", limit.to_string()));
    answer.headers.push(("x-ratelimit-remaining", left.to_string()));
    answer.headers.push(("x-ratelimit-reset", reset.to_string()));
    if let Some(Throttle::ComeBackAfter(_, seconds)) = model.throttle {
        answer.headers.push(("retry-after", seconds.to_string()));
    }
    answer
}

fn route(model: &GitHubModel, call: &Call, now: Timestamp) -> Result<Answer, Refused> {
    if call.header(header::USER_AGENT.as_str()).is_none_or(str::is_empty) {
        return Err(Refused(403, "Request forbidden by administrative rules. Please have a User-Agent header".into()));
    }
    if call.header("x-github-api-version").is_some_and(|version| version != API_VERSION) {
        return Err(Refused(400, "That API version is not supported".to_owned()));
    }
    if let Some(elsewhere) = &model.moved_to {
        let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return Ok(redirect(301, format!("{elsewhere}{}?{}", call.path, query.join("&"))));
    }
    match model.throttle {
        Some(Throttle::UsedUp(status, until)) if now < until => {
            return Err(Refused(status, "API rate limit exceeded for user ID 1.".to_owned()));
        }
        Some(Throttle::ComeBackAfter(status, _)) => {
            return Err(Refused(status, "You have exceeded a secondary rate limit.".to_owned()));
        }
        Some(Throttle::WithoutAWord) => return Err(Refused(429, "Too many requests".to_owned())),
        Some(Throttle::UsedUp(..)) | None => {}
    }
    let_in(model, call)?;
    if call.endpoint == Some(Endpoint::Releases) {
        return releases(model, call);
    }
    if call.endpoint == Some(Endpoint::ReleaseAsset) {
        return asset(model, call);
    }
    Err(Refused(404, "Not Found".to_owned()))
}

fn let_in(model: &GitHubModel, call: &Call) -> Result<(), Refused> {
    let not_found = || Refused(404, "Not Found".to_owned());
    // A private repository is reported as missing to callers who may not see it.
    let given = call.header(header::AUTHORIZATION.as_str()).ok_or_else(not_found)?;
    let token = given.strip_prefix("Bearer ").or_else(|| given.strip_prefix("token "));
    if token != Some(model.token.expose()) {
        return Err(Refused(401, "Bad credentials".to_owned()));
    }
    if let Some(rule) = &model.forbids {
        return Err(Refused(403, rule.clone()));
    }
    let named = format!("/repos/{}/", model.repository);
    if model.token_may_read && call.path.contains(&named) { Ok(()) } else { Err(not_found()) }
}

fn number(call: &Call, name: &str, default: usize) -> Result<usize, Refused> {
    let Some(text) = call.query(name) else { return Ok(default) };
    let number: Option<usize> = text.parse().ok();
    number.filter(|number| *number > 0).ok_or_else(|| Refused(422, format!("'{name}' is no number above 0: {text}")))
}

/// Returns a page of releases; an unchanged page is answered with 304.
fn releases(model: &GitHubModel, call: &Call) -> Result<Answer, Refused> {
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !["per_page", "page"].contains(&name.as_str())) {
        return Err(Refused(422, format!("Unknown parameter '{name}'")));
    }
    let (page, length) = (number(call, "page", 1)?, number(call, "per_page", 30)?.min(model.longest_page));
    let total = model.releases.len();
    let listed = model.releases.iter().enumerate().skip((page - 1) * length).take(length);
    let body = Json::list(listed.map(|(place, release)| model.release_json(total - place, release)));
    let mut answer = Answer::json(200, body);
    "application/json; charset=utf-8".clone_into(&mut answer.content_type);
    let etag = format!("W/\"{}\"", hex(Sha256::digest(&answer.body)));
    if call.header(header::IF_NONE_MATCH.as_str()) == Some(&etag) {
        answer.status = 304;
        answer.body.clear();
    }
    answer.headers.push(("etag", etag));
    if page * length < total {
        let at = |page: usize| format!("<http://{}{}?per_page={length}&page={page}>", model.api, call.path);
        let last = total.div_ceil(length);
        answer.headers.push(("link", format!("{}; rel=\"next\", {}; rel=\"last\"", at(page + 1), at(last))));
    }
    Ok(answer)
}

/// Returns a file's metadata, or, if the caller accepts bytes, its content or its address.
fn asset(model: &GitHubModel, call: &Call) -> Result<Answer, Refused> {
    let asset = model.asset(&call.named).ok_or_else(|| Refused(404, "Not Found".to_owned()))?;
    if call.header(header::ACCEPT.as_str()) != Some("application/octet-stream") {
        return Ok(Answer::json(200, Json::object([("name", Json::text(&asset.name))])));
    }
    if model.sends_files_itself {
        return Ok(bytes(asset.bytes.clone()));
    }
    Ok(redirect(302, format!("http://{}/files/{}?pass={PASS}", model.files, call.named)))
}

fn redirect(status: u16, to: String) -> Answer {
    Answer {
        status,
        content_type: "text/html; charset=utf-8".to_owned(),
        headers: vec![("location", to)],
        body: Vec::new(),
    }
}

fn bytes(body: Vec<u8>) -> Answer {
    Answer { status: 200, content_type: "application/octet-stream".to_owned(), headers: Vec::new(), body }
}

/// Answers one request to the file host. A credential that arrives here has leaked from GitHub, which
/// is recorded as a complaint.
pub(super) fn file(model: &mut GitHubModel, call: &Call) -> Answer {
    let refused = |status, message: &str| Answer::json(status, Json::object([("message", Json::text(message))]));
    let secret = model.token.expose();
    let mut told = call.headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    let with_secret = told.any(|(name, value)| name == "authorization" || value.contains(secret));
    if with_secret || call.query.iter().any(|(_, value)| value.contains(secret)) {
        model.complaints.push(format!("{} was asked for with credentials", call.path));
        return refused(400, "Only one auth mechanism allowed");
    }
    if call.endpoint != Some(Endpoint::ReleaseFile) || call.query("pass") != Some(PASS) {
        return refused(403, "AuthenticationFailed");
    }
    model.asset(&call.named).map_or_else(|| refused(404, "BlobNotFound"), |asset| bytes(asset.bytes.clone()))
}
