//! `POST /notifications/enterprise`: notifications of HiPay Enterprise about customers' payments and settlements.
//!
//! A handler only receives a notification that has passed its check: the check is the extractor.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use jiff::{SignedDuration, Timestamp};

use super::{Problem, Web};
use crate::domain::enterprise::{self, EnterpriseNotification, UnreadableNotification};
use crate::domain::inbox::{NewNotification, NotificationKind};
use crate::domain::payment::transaction_reference;
use crate::domain::settlement::settlement_reference;
use crate::jobs;
use crate::remote::hipay::payment_signature::{PaymentSignature, SignatureError};
use crate::text::message::{logged, msg};

/// Header that carries the signature of a notification.
pub(super) const SIGNATURE: &str = "x-allopass-signature";
/// Minimum interval between log lines about refused notifications. Anyone can send those, and they must not fill the
/// log.
const REFUSAL_LOG_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// Builds the route.
pub(super) fn route() -> MethodRouter<Web> {
    post(receive).layer(Extension(Arc::<Refusals>::default()))
}

/// The body of a notification whose signature proves knowledge of the passphrase.
struct Signed(Bytes);

impl FromRequest<Web> for Signed {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let refusals = request.extensions().get::<Arc<Refusals>>().cloned().unwrap_or_default();
        let refused = |error| refusals.refuse(web, error);
        let config = web.settings.get();
        let mut headers = request.headers().get_all(SIGNATURE).iter();
        let header = match (headers.next(), headers.next()) {
            (Some(header), None) => header.as_bytes(),
            _ => &[],
        };
        // Refuse before the body is read where possible.
        let signature =
            PaymentSignature::new(header, config.hipay.enterprise_hash, &config.hipay.enterprise_passphrase)
                .map_err(refused)?;
        let body = Bytes::from_request(request, web).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, msg!("problem-notification-size"))
            }
            status => Problem::new(status, msg!("problem-broken-body")),
        })?;
        signature.check(&body).map_err(refused)?;
        Ok(Self(body))
    }
}

/// Stores the notification once; its meaning is determined later. A notification that HiPay has signed and that cannot
/// be read is kept too, and logged: an error response would lose it.
async fn receive(State(web): State<Web>, Signed(body): Signed) -> Result<StatusCode, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, msg!("problem-empty-body")));
    }
    let text = enterprise::masked_text(&body);
    let (kind, read) = match enterprise::read(&text) {
        Ok(EnterpriseNotification::Payment(fields)) => {
            let status = fields.get("status").unwrap_or_default().chars().take(20).collect();
            (NotificationKind::Payment, transaction_reference(&fields).map(|subject| (status, subject)))
        }
        Ok(EnterpriseNotification::Settlement(fields)) => {
            let said = "settlement".to_owned();
            (NotificationKind::Settlement, settlement_reference(&fields).map(|subject| (said, subject)))
        }
        Err(error) => (NotificationKind::Payment, Err(error)),
    };
    let (read, unreadable) = match read {
        Ok(read) => (read, None),
        Err(UnreadableNotification(reason)) => (Default::default(), Some(reason)),
    };
    let (action, subject) = read;
    let new = NewNotification { kind, action, subject, account_id: None, body: text, identity: None };
    let (id, repeated) = jobs::inbox::receive(&web.context.store, new, web.context.clock.now()).await?;
    if let Some(reason) = unreadable.filter(|_| !repeated) {
        let message = msg!("log-payment-notification-unreadable", notification = id, reason);
        logged!(error, action = "notification", notification = id, message);
    }
    web.inbox.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Log throttle for refused notifications: not each is logged, but all are counted.
#[derive(Default)]
struct Refusals(Mutex<RefusalThrottle>);

#[derive(Default)]
struct RefusalThrottle {
    no_passphrase: bool,
    last: Option<Timestamp>,
    untold: u64,
}

impl Refusals {
    /// Returns the answer to a notification that is not believed; it is identical for all. The log states the reason.
    fn refuse(&self, web: &Web, error: SignatureError) -> Problem {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = web.context.clock.now();
        if error == SignatureError::NoPassphrase {
            if !std::mem::replace(&mut told.no_passphrase, true) {
                let message = msg!("log-payment-notifications-refused", error = &error);
                logged!(error, action = "notification", message);
            }
        } else if told.last.is_none_or(|last| now.duration_since(last).abs() >= REFUSAL_LOG_INTERVAL) {
            let others = std::mem::take(&mut told.untold);
            told.last = Some(now);
            let message = msg!("log-payment-notification-refused", error = &error, number = others);
            logged!(warn, action = "notification", message);
        } else {
            told.untold = told.untold.saturating_add(1);
        }
        Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-signature"))
    }
}
