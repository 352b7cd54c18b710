//! Effect of HiPay's news of a transaction on the attempt that it belongs to: new, known, late, or contrary to what was
//! known.

use jiff::{SignedDuration, Timestamp};

use super::{Attempt, AttemptState, TransactionState};

/// Tolerated difference between HiPay's clock and ours.
pub const CLOCK_DIFFERENCE_LIMIT: SignedDuration = SignedDuration::from_mins(2);

/// Returns true if a notice of `at` describes a time before `known`. A `known` time in the future counts as unknown: an
/// earlier release accepted notices with future dates.
pub fn is_late(at: Option<Timestamp>, known: Option<Timestamp>, now: Timestamp) -> bool {
    let (Some(at), Some(until)) = (at, known) else { return false };
    is_known(known, now) && at.checked_add(CLOCK_DIFFERENCE_LIMIT).unwrap_or(Timestamp::MAX) < until
}

/// Returns true if there is a time and it is not in the future.
pub fn is_known(known: Option<Timestamp>, now: Timestamp) -> bool {
    known.is_some_and(|known| known <= now.checked_add(CLOCK_DIFFERENCE_LIMIT).unwrap_or(Timestamp::MAX))
}

/// Relation of a notice about an attempt to what is known of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeRelation {
    /// A change that advances the attempt.
    New,
    /// A state that was known already.
    Known,
    /// An older state than the one that is known.
    Late,
    /// A report that what HiPay had executed is not executed. It changes nothing by itself: a person has to inquire.
    Revoked,
    /// A report that what had failed for good was executed after all.
    Revived,
    /// News of an attempt that a newer release wrote; the attempt is left alone.
    NotOurs,
}

impl Attempt {
    /// Judges HiPay's report of `state` as of `at` (by its clock; `None` means that HiPay gives no time and that this
    /// is its latest state). The judgement concerns this attempt only, never the operation.
    pub fn judge(&self, state: TransactionState, at: Option<Timestamp>, now: Timestamp) -> NoticeRelation {
        // A time that came with a notice is compared with another notice's exactly: both are by HiPay's clock.
        let by_notice = self.transaction_status.as_deref().is_some_and(|word| word.contains(' '));
        let exact = matches!((at, self.as_of), (Some(at), Some(known)) if at.as_second() < known.as_second());
        let late = if by_notice { exact && is_known(self.as_of, now) } else { is_late(at, self.as_of, now) };
        let against = |otherwise| if late { NoticeRelation::Late } else { otherwise };
        match (self.state, state.attempt_state()) {
            (AttemptState::Unknown, _) => NoticeRelation::NotOurs,
            (known, told) if known == told => NoticeRelation::Known,
            // Pending precedes every other state.
            (AttemptState::Captured | AttemptState::Ended, AttemptState::Requested) => NoticeRelation::Late,
            (AttemptState::Captured, _) => against(NoticeRelation::Revoked),
            (AttemptState::Ended, _) => against(NoticeRelation::Revived),
            (AttemptState::Sending | AttemptState::Requested | AttemptState::Refused, _) => NoticeRelation::New,
        }
    }
}

#[cfg(test)]
mod tests;
