//! Requests to unknown addresses. Notifications of HiPay's among them are logged: a wrong address is registered at
//! HiPay.

use crate::text::message::{logged, msg};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::enterprise_notifications::SIGNATURE;
use super::{Problem, Web};

/// Minimum interval between log lines about stray notifications, which anyone can send.
const REPORT_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Characters of a path that a log line quotes.
const MAX_QUOTED_LENGTH: usize = 100;

/// Time of the last log line about stray notifications.
#[derive(Debug, Default)]
pub(super) struct Strays(Mutex<Option<Timestamp>>);

/// Answers 404, and logs a stray notification.
pub(super) async fn unknown(
    State(web): State<Web>,
    Extension(strays): Extension<Arc<Strays>>,
    request: Request,
) -> Problem {
    let nothing = Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-address"));
    if request.method() != Method::POST {
        return nothing;
    }
    let path: String =
        request.uri().path().chars().filter(|letter| !letter.is_control()).take(MAX_QUOTED_LENGTH).collect();
    let signed = request.headers().contains_key(SIGNATURE);
    let is_notification =
        signed || Bytes::from_request(request, &web).await.is_ok_and(|body| body.starts_with(b"xml="));
    if is_notification && strays.is_line_due(web.context.clock.now()) {
        logged!(warn, action = "notification", msg!("log-notification-misdirected", path));
    }
    nothing
}

impl Strays {
    /// Returns true if another log line is due, and then records its time.
    fn is_line_due(&self, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last).abs() >= REPORT_INTERVAL);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_hour_tells_of_them() {
        let strays = Strays::default();
        let at = |minute: i64| Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let told: Vec<bool> = [0, 1, 59, 60, 61, 121, 10].map(|minute| strays.is_line_due(at(minute))).to_vec();
        // A clock that was set back starts a new interval.
        assert_eq!(told, [true, false, false, true, false, true, true]);
    }
}
