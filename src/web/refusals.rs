//! Refused notifications, counted since this process began, for the pages and for monitoring. Requests that HiPay has
//! not signed must not cause writes to the disk, so that a restart resets the counts.

use std::sync::atomic::{AtomicU64, Ordering};

use ::metrics::counter;
use axum::http::StatusCode;
use axum::response::Response;
use strum::{IntoStaticStr, VariantArray};

use crate::platform::metrics;
use crate::platform::variants::named;

/// Reason for refusing a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Why {
    /// A missing or wrong signature.
    Forged,
    /// Unreadable content.
    Unreadable,
    /// A size beyond that of any notification of HiPay's.
    TooLarge,
    /// Any other cause: a temporary one, or a kind of request that no notification uses.
    TurnedAway,
}

named!(pub(super) Why);

impl Why {
    fn of(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED => Some(Self::Forged),
            StatusCode::BAD_REQUEST => Some(Self::Unreadable),
            StatusCode::PAYLOAD_TOO_LARGE => Some(Self::TooLarge),
            status if status.is_success() => None,
            _ => Some(Self::TurnedAway),
        }
    }
}

/// Numbers of refused notifications, in the order of [`Why::ALL`].
static REFUSED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Counts a refused notification by its reason. Accepted ones are counted where they are stored.
pub(super) fn count(kind: &'static str, response: Response) -> Response {
    if let Some(why) = Why::of(response.status()) {
        counter!(metrics::NOTIFICATIONS, "kind" => kind, "outcome" => why.name()).increment(1);
        for (_, number) in Why::ALL.into_iter().zip(&REFUSED).filter(|(known, _)| *known == why) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }
    response
}

/// Returns the numbers of refused notifications by reason, without reasons that have not occurred.
pub(super) fn counted() -> Vec<(Why, u64)> {
    let all = Why::ALL.into_iter().zip(&REFUSED).map(|(why, number)| (why, number.load(Ordering::Relaxed)));
    all.filter(|(_, number)| *number > 0).collect()
}
