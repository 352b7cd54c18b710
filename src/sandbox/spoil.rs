//! Applying a fault to an answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, repeat};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::call::Answer;
use super::fault::FaultKind;
use super::json::Json;
use super::server::respond;
use super::wire::Switch;

const MAX_HANG: Duration = Duration::from_secs(30);
const OVERSIZED_BYTES: u64 = 64 * 1024 * 1024;
/// Number of pieces of a slow body.
const SLOW_PIECES: usize = 20;
/// Interval between the pieces of a slow body.
const SLOW_STEP: Duration = Duration::from_millis(100);
/// Time for the sent part of a truncated body to reach the wire before the connection ends.
const FLUSH: Duration = Duration::from_millis(50);

/// Returns the answer to a request that a fault keeps from being executed.
pub(super) fn not_executed() -> Answer {
    Answer::json(
        500,
        Json::object([("code", Json::number(500)), ("message", Json::text("Internal server error, nothing was done"))]),
    )
}

/// Applies the fault `kind` to `answer`.
pub(super) async fn spoil(kind: FaultKind, answer: Answer, switch: &Switch, stop: &CancellationToken) -> Response {
    match kind {
        FaultKind::Reset => {
            switch.cut();
            respond(answer)
        }
        FaultKind::Hang => {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(MAX_HANG) => {}
            }
            switch.cut();
            respond(answer)
        }
        FaultKind::ServerError => respond(error(500, "Internal server error", None)),
        FaultKind::Unavailable(seconds) => respond(error(503, "Service unavailable", seconds)),
        FaultKind::TooMany(seconds) => respond(error(429, "Too many requests", Some(seconds))),
        FaultKind::HtmlPage(status) => respond(html(status)),
        FaultKind::SlowBody => slow(answer),
        FaultKind::TruncatedBody => truncated(answer),
        FaultKind::OversizedBody => oversized(answer),
    }
}

fn error(status: u16, message: &str, retry_after: Option<u32>) -> Answer {
    let body = Json::object([
        ("code", Json::number(status)),
        ("status", Json::number(status)),
        ("message", Json::text(message)),
    ]);
    let mut answer = Answer::json(status, body);
    if let Some(seconds) = retry_after {
        answer.headers.push(("retry-after", seconds.to_string()));
    }
    answer
}

fn html(status: u16) -> Answer {
    Answer {
        status,
        content_type: "text/html; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: b"<!DOCTYPE html>\n<html><head><title>Proxy</title></head><body><h1>The gateway could not reach the server</h1></body></html>\n"
            .to_vec(),
    }
}

/// Splits an answer into its head and a body that is written through the returned stream.
fn piped(answer: Answer) -> (Response, DuplexStream, Vec<u8>) {
    let (writer, reader) = duplex(64 * 1024);
    let body = answer.body.clone();
    let mut response = respond(answer);
    *response.body_mut() = Body::from_stream(ReaderStream::new(reader));
    if let Ok(length) = HeaderValue::from_str(&body.len().to_string()) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    (response, writer, body)
}

fn slow(answer: Answer) -> Response {
    let (response, mut writer, body) = piped(answer);
    tokio::spawn(async move {
        for piece in body.chunks(body.len().div_ceil(SLOW_PIECES).max(1)) {
            // The reader has gone away.
            if writer.write_all(piece).await.is_err() {
                return;
            }
            tokio::time::sleep(SLOW_STEP).await;
        }
    });
    response
}

fn truncated(answer: Answer) -> Response {
    let (response, mut writer, body) = piped(answer);
    tokio::spawn(async move {
        let half = body.get(..body.len() / 2).unwrap_or_default();
        let _ = writer.write_all(half).await;
        tokio::time::sleep(FLUSH).await;
    });
    response
}

fn oversized(answer: Answer) -> Response {
    let mut response = respond(answer);
    *response.body_mut() = Body::from_stream(ReaderStream::new(repeat(b' ').take(OVERSIZED_BYTES)));
    response
}
