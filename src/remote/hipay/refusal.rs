//! HiPay's refusals in sentences that say what happened and what to do.
//!
//! The codes are those of HiPay's description and of its guides.

use crate::text::message::Message;

/// Every documented `code` of an answer (and HTTP status, where an answer has no code) with the one that
/// it means.
const CODES: [(i64, i64); 14] = [
    (1, 1),
    (401, 1),
    (2, 2),
    (3, 3),
    (400, 400),
    (4, 4),
    (7, 7),
    (404, 7),
    (13, 13),
    (23, 23),
    (26, 26),
    (403, 403),
    (414, 414),
    (415, 415),
];

/// Every documented `error_code_detail` of a refused withdrawal.
const DETAILS: [i64; 13] = [4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4012, 4013, 4014, 4015];

/// What an answer's `code` (or its HTTP status where there is none) means.
pub(super) fn code_sentence(code: i64) -> Option<Message> {
    let (_, meant) = CODES.into_iter().find(|(known, _)| *known == code)?;
    Some(Message::new(&format!("hipay-code-{meant}"), []))
}

/// What an `error_code_detail` of a refused withdrawal means, and the mend.
pub(super) fn detail_sentence(detail: i64) -> Option<Message> {
    DETAILS.contains(&detail).then(|| Message::new(&format!("hipay-detail-{detail}"), []))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_documented_number_has_its_own_sentence() {
        let sentences: BTreeSet<String> =
            DETAILS.into_iter().map(|detail| detail_sentence(detail).unwrap().to_string()).collect();
        assert_eq!(sentences.len(), DETAILS.len());
        let sentences: BTreeSet<String> =
            CODES.into_iter().map(|(code, _)| code_sentence(code).unwrap().to_string()).collect();
        assert_eq!(sentences.len(), CODES.len() - 2);
        assert_eq!((code_sentence(99), detail_sentence(4099)), (None, None));
    }
}
