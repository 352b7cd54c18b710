//! Notifications that were not taken, counted since this process began: on pages, and for those who
//! watch. Whoever sends what HiPay has not signed is to cause no write to the disk, so that a restart
//! begins to count anew.

use std::sync::atomic::{AtomicU64, Ordering};

use ::metrics::counter;
use axum::http::StatusCode;
use axum::response::Response;

use crate::platform::metrics;

/// Why a notification was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its signature is missing or wrong.
    Forged,
    /// It cannot be read.
    Unreadable,
    /// It is larger than any of HiPay's.
    TooLarge,
    /// It could not be taken at that moment, or was sent in a way that none is.
    TurnedAway,
}

impl Why {
    const ALL: [Self; 4] = [Self::Forged, Self::Unreadable, Self::TooLarge, Self::TurnedAway];

    fn of(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED => Some(Self::Forged),
            StatusCode::BAD_REQUEST => Some(Self::Unreadable),
            StatusCode::PAYLOAD_TOO_LARGE => Some(Self::TooLarge),
            status if status.is_success() => None,
            _ => Some(Self::TurnedAway),
        }
    }

    /// The name in what is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::TurnedAway => "turned_away",
        }
    }
}

/// How many, in the order of [`Why::ALL`].
static REFUSED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Counts a notification that was not taken, and why. What was taken is counted where it is stored.
pub(super) fn count(kind: &'static str, response: Response) -> Response {
    if let Some(why) = Why::of(response.status()) {
        counter!(metrics::NOTIFICATIONS, "kind" => kind, "outcome" => why.name()).increment(1);
        for (_, number) in Why::ALL.into_iter().zip(&REFUSED).filter(|(known, _)| *known == why) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }
    response
}

/// How many were refused, by why; what has not happened is left out.
pub(super) fn counted() -> Vec<(Why, u64)> {
    let all = Why::ALL.into_iter().zip(&REFUSED).map(|(why, number)| (why, number.load(Ordering::Relaxed)));
    all.filter(|(_, number)| *number > 0).collect()
}
