//! Tests of `update/status.rs`.

use proptest::prelude::*;

use super::*;

fn past(text: &str, lines: usize) -> PastUpdate {
    let at = Timestamp::UNIX_EPOCH;
    PastUpdate {
        from: text.to_owned(),
        to: text.to_owned(),
        asked_by: text.to_owned(),
        began_at: at,
        ended_at: at,
        digest: Some(text.to_owned()),
        steps: vec![StepTaken { step: UpdateStep::Verify, began_at: at }; lines],
        outcome: UpdateOutcome::RolledBack,
        reason: Some(UpdateReason::new(text, text).with(text, text)),
        lines: vec![text.to_owned(); lines],
    }
}

proptest! {
    /// Checks that the knowledge fits, whatever a release has written and however many attempts there are, and that
    /// the latest attempt is kept.
    #[test]
    fn whatever_is_known_fits(text in "\\PC{0,400}", lines in 0_usize..400, attempts in 1_usize..=MAX_PAST_REPORTED) {
        let mut known = UpdateStatus {
            impossible: Some(UpdateReason::new("x", text.clone()).bounded()),
            attempt: None,
            past: vec![past(&text, lines).bounded(); attempts],
        };
        known.fit(crate::update::channel::MAX_KNOWN);
        prop_assert!(serde_json::to_vec(&known).unwrap().len() <= crate::update::channel::MAX_KNOWN);
        prop_assert!(!known.past.is_empty());
    }
}
