//! What comes to an address that there is not. HiPay's notifications that do are told: somebody has registered
//! a wrong address.

use crate::text::message::msg;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::enterprise_notifications::SIGNATURE;
use super::{Problem, Web};

/// How often a line of the log tells of them: anybody can send such things.
const TOLD_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How much of a path a line quotes, in characters.
const QUOTED: usize = 100;

/// When they were told of last.
#[derive(Debug, Default)]
pub(super) struct Strays(Mutex<Option<Timestamp>>);

/// Answers that there is nothing here.
pub(super) async fn unknown(
    State(web): State<Web>,
    Extension(strays): Extension<Arc<Strays>>,
    request: Request,
) -> Problem {
    let nothing = Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-address"));
    if request.method() != Method::POST {
        return nothing;
    }
    let path: String = request.uri().path().chars().filter(|letter| !letter.is_control()).take(QUOTED).collect();
    let signed = request.headers().contains_key(SIGNATURE);
    let is_notification =
        signed || Bytes::from_request(request, &web).await.is_ok_and(|body| body.starts_with(b"xml="));
    if is_notification && strays.tell(web.context.clock.now()) {
        tracing::warn!(
            action = "notification",
            "a notification came to {path}, where nothing is: correct the address at HiPay to \
             /notifications/wallet or /notifications/enterprise"
        );
    }
    nothing
}

impl Strays {
    /// True where it is time for another line.
    fn tell(&self, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last).abs() >= TOLD_EVERY);
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
        let told: Vec<bool> = [0, 1, 59, 60, 61, 121, 10].map(|minute| strays.tell(at(minute))).to_vec();
        // A clock that was set back begins anew.
        assert_eq!(told, [true, false, false, true, false, true, true]);
    }
}
