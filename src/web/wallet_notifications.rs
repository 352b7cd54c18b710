//! `POST /notifications/wallet`: HiPay tells about accounts, documents, transfers and withdrawals. Older
//! installations have the bare root registered as the address.
//!
//! A handler can only get a notice that has passed its check: the check is the extractor.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{MethodRouter, post};
use tokio::sync::Semaphore;

use super::limits::BODY_LIMIT;
use super::{Problem, Web};
use crate::hipay::signature::{VerifiedNotice, verify_wallet_notice};
use crate::inbox::{self, NewNotification, NotificationKind};
use crate::jobs::{self, SaltError};
use crate::notification::{Document, form_field};

/// How many notices may wait for the disk at once.
const STORING_AT_ONCE: usize = 512;
/// How long one more waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of HiPay's words is kept beside the notice itself, in characters.
const WORD: usize = 100;

/// The route; the same at every address.
pub(super) fn route() -> MethodRouter<Web> {
    post(receive).layer(Extension(Storing(Arc::new(Semaphore::new(STORING_AT_ONCE)))))
}

#[derive(Clone)]
struct Storing(Arc<Semaphore>);

/// A notice that HiPay has sent.
struct Verified(VerifiedNotice);

impl FromRequest<Web> for Verified {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        is_form(request.headers())?;
        let body = Bytes::from_request(request, web).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => unreadable("the body could not be received as a whole"),
        })?;
        let document = form_field(&body).and_then(|xml| Document::read(&xml));
        let document = document.map_err(|error| unreadable(error.to_string()))?;
        // Nothing that leaves this machine before here. An account that we do not know costs a look
        // into the store, and is answered like any other notice that does not fit.
        let account = document.account_id();
        let salt = jobs::callback_salt(&web.context, account).await?.ok_or_else(does_not_fit)?;
        if let Some(notice) = verify_wallet_notice(&document, &salt) {
            return Ok(Self(notice));
        }
        let other = jobs::callback_salt_other_than(&web.context, account, &salt).await;
        let other = other.map_err(cannot_tell)?.ok_or_else(does_not_fit)?;
        verify_wallet_notice(&document, &other).map(Self).ok_or_else(does_not_fit)
    }
}

/// Stores the notice, once; what it means is found out afterwards.
async fn receive(
    State(web): State<Web>,
    Extension(Storing(turns)): Extension<Storing>,
    Verified(verified): Verified,
) -> Result<StatusCode, Problem> {
    let turn = tokio::time::timeout(PATIENCE, turns.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::unavailable("more notices come than can be stored; try again", 1));
    };
    let notice = verified.notice();
    let new = NewNotification {
        kind: NotificationKind::Wallet,
        action: notice.operation.chars().take(WORD).collect(),
        subject: notice.transaction_id.iter().flat_map(|id| id.chars()).take(WORD).collect(),
        account_id: Some(notice.account_id),
        // However it is laid out or encoded: what was signed is the same.
        identity: Some(format!("{} {}", notice.account_id, verified.checksum())),
        body: verified.signed().to_owned(),
    };
    inbox::receive(&web.context.store, new, web.context.clock.now()).await?;
    web.inbox.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

fn is_form(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(unreadable("a notice comes as application/x-www-form-urlencoded, with the field xml"));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) { Err(too_large()) } else { Ok(()) }
}

fn unreadable(reason: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, reason)
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a notice has at most 64 KiB")
}

/// Whether it is HiPay's cannot be said now: HiPay is to send it again.
fn cannot_tell(error: SaltError) -> Problem {
    match error {
        SaltError::Store(error) => error.into(),
        SaltError::NotAnswered => Problem::unavailable("the checksum cannot be checked at the moment; try again", 600),
    }
}

/// The same answer whoever is named in it and whatever is wrong.
fn does_not_fit() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "the checksum does not fit")
}
