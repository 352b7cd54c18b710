//! `POST /notifications/wallet`: HiPay's notices about accounts, documents, transfers and withdrawals. Older
//! installations have the bare root registered as the address.
//!
//! A handler only receives a notice that has passed its check: the check is the extractor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{MethodRouter, post};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::limits::BODY_LIMIT;
use super::{Problem, Web};
use crate::domain::inbox::{NewNotification, NotificationKind};
use crate::domain::notification::{NoticeDocument, form_field, form_value};
use crate::jobs::{self, SaltError};
use crate::remote::hipay::signature::{VerifiedNotice, verify_wallet_notice};
use crate::text::message::{Message, msg};

/// Upper bound on notices that wait for the disk at once.
const MAX_STORING_AT_ONCE: usize = 512;
/// Time that one more notice waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Upper bound on each of HiPay's words kept beside the notice itself, in characters.
const WORD: usize = 100;

/// Builds the route, which is the same at every address.
pub(super) fn route() -> MethodRouter<Web> {
    let storing = Extension(Storing(Arc::new(Semaphore::new(MAX_STORING_AT_ONCE))));
    let methods: MethodRouter<Web> = post(receive).layer(storing);
    methods.layer(Extension(Arc::<Quotas>::default()))
}

#[derive(Clone)]
struct Storing(Arc<Semaphore>);

/// A notice whose checksum proves that HiPay has sent it.
struct Verified(VerifiedNotice);

impl FromRequest<Web> for Verified {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let xml = match form(request.headers())? {
            Form::UrlEncoded => {
                let body =
                    Bytes::from_request(request, web).await.map_err(|rejection| not_received(rejection.status()))?;
                form_field(&body).map_err(|error| unreadable(Message::quoting(error.to_string())))?
            }
            Form::Multipart => multipart_field(request, web).await?,
        };
        let document = NoticeDocument::read(&xml).map_err(|error| unreadable(Message::quoting(error.to_string())))?;
        // Nothing leaves this machine before this point. An unknown account costs a look-up in the store, and is
        // answered like any other notice whose checksum does not match.
        let account = document.account_id();
        let salt = jobs::callback_salt_or_asked(&web.context, account).await.map_err(salt_unavailable)?;
        let salt = salt.ok_or_else(invalid_checksum)?;
        if let Some(notice) = verify_wallet_notice(&document, &salt) {
            return Ok(Self(notice));
        }
        let other = jobs::callback_salt_other_than(&web.context, account, &salt).await;
        let other = other.map_err(salt_unavailable)?.ok_or_else(invalid_checksum)?;
        verify_wallet_notice(&document, &other).map(Self).ok_or_else(invalid_checksum)
    }
}

/// Stores the notice once; its meaning is determined later.
async fn receive(
    State(web): State<Web>,
    Extension(Storing(turns)): Extension<Storing>,
    Extension(quotas): Extension<Arc<Quotas>>,
    Verified(verified): Verified,
) -> Result<StatusCode, Problem> {
    let turn = tokio::time::timeout(PATIENCE, turns.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::unavailable(msg!("problem-many-notices"), 1));
    };
    let notice = verified.notice();
    let new = NewNotification {
        kind: NotificationKind::Wallet,
        action: notice.operation.chars().take(WORD).collect(),
        subject: notice.transaction_id.iter().flat_map(|id| id.chars()).take(WORD).collect(),
        account_id: Some(notice.account_id),
        // Independent of layout and encoding: what was signed is the same.
        identity: Some(format!("{} {}", notice.account_id, verified.checksum())),
        body: verified.signed().to_owned(),
    };
    let (account, bytes) = (notice.account_id, new.body.len());
    // A repeated notice takes no room.
    if !quotas.take_quota(&web, account, bytes).await? && !jobs::inbox::is_known(&web.context.store, &new).await? {
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(Problem::new(status, msg!("problem-notices-today")));
    }
    let received = jobs::inbox::receive(&web.context.store, new, web.context.clock.now()).await;
    if !matches!(received, Ok((_, false))) {
        quotas.return_quota(account, bytes);
    }
    received?;
    web.inbox.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Encoding of the form that carries the notice.
enum Form {
    UrlEncoded,
    Multipart,
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let form = match kind.as_str() {
        "application/x-www-form-urlencoded" => Form::UrlEncoded,
        "multipart/form-data" => Form::Multipart,
        _ => {
            return Err(unreadable(msg!("problem-notice-form")));
        }
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) { Err(too_large()) } else { Ok(form) }
}

async fn multipart_field(request: Request, web: &Web) -> Result<Vec<u8>, Problem> {
    let mut form = Multipart::from_request(request, web).await.map_err(|rejection| not_received(rejection.status()))?;
    let mut found = None;
    while let Some(field) = form.next_field().await.map_err(|error| not_received(error.status()))? {
        let named = field.name() == Some("xml");
        let value = field.bytes().await.map_err(|error| not_received(error.status()))?;
        if named && found.replace(form_value(value.to_vec())).is_some() {
            return Err(unreadable(msg!("problem-xml-twice")));
        }
    }
    found.ok_or_else(|| unreadable(msg!("problem-xml-missing")))
}

fn not_received(status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { unreadable(msg!("problem-broken-body")) }
}

/// Daily quota (UTC) of one account, in notices and bytes: a sender who knows one salt must not fill the disk.
const QUOTA: (usize, usize) = (200, 4 * 1024 * 1024);

/// Daily quota (UTC) of the marketplace's own accounts, which get a notice of every transfer.
const OWN_QUOTA: (usize, usize) = (200_000, 1024 * 1024 * 1024);

/// Quota used today, by account.
#[derive(Debug, Default)]
struct Quotas(Mutex<HashMap<u64, QuotaUsed>>);

/// Quota used by one account in a day.
#[derive(Debug, Clone, Copy)]
struct QuotaUsed {
    day: Timestamp,
    notices: usize,
    bytes: usize,
}

impl Quotas {
    /// Takes room for one more notice; returns false if the account has used up its quota for today.
    async fn take_quota(&self, web: &Web, account: u64, bytes: usize) -> Result<bool, Problem> {
        let own = web.context.config.is_own_account(account);
        let day = day_of(web.context.clock.now());
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&account).copied();
        let kept = match begun.filter(|begun| begun.day == day) {
            Some(_) => None,
            None if own => Some((0, 0)),
            None => Some(jobs::inbox::kept_since(&web.context.store, account, day).await?),
        };
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = quotas.entry(account).or_insert(QuotaUsed { day: Timestamp::MIN, notices: 0, bytes: 0 });
        if let Some((notices, bytes)) = kept
            && taken.day != day
        {
            *taken = QuotaUsed { day, notices, bytes };
        }
        let (most_notices, most_bytes) = if own { OWN_QUOTA } else { QUOTA };
        let after =
            QuotaUsed { day, notices: taken.notices.saturating_add(1), bytes: taken.bytes.saturating_add(bytes) };
        let fits = after.notices <= most_notices && after.bytes <= most_bytes;
        if fits {
            *taken = after;
        }
        Ok(fits)
    }

    /// Returns room that was taken and not needed.
    fn return_quota(&self, account: u64, bytes: usize) {
        if let Some(taken) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&account) {
            taken.notices = taken.notices.saturating_sub(1);
            taken.bytes = taken.bytes.saturating_sub(bytes);
        }
    }
}

/// Returns the start of the day of `at` (UTC).
fn day_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second.saturating_sub(second.rem_euclid(86_400))).unwrap_or(at)
}

fn unreadable(reason: Message) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, reason)
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, msg!("problem-notice-size"))
}

/// Converts the failure to get a salt: the notice cannot be verified now, and HiPay has to send it again.
fn salt_unavailable(error: SaltError) -> Problem {
    match error {
        SaltError::Store(error) => error.into(),
        SaltError::NotAnswered => Problem::unavailable(msg!("problem-checksum-unchecked"), 600),
    }
}

/// Returns the 401 for a checksum that does not match, identical for every account and every cause.
fn invalid_checksum() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-checksum"))
}
