//! Messages for HiPay's refusals that state the cause and the remedy.
//!
//! The codes are those of HiPay's API description and guides.

use crate::text::message::Message;

/// Every documented `code` of an answer (and HTTP status, for an answer without a code) with the code whose
/// message applies.
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

/// Returns the meaning of an answer's `code`, or of its HTTP status if there is none.
pub(super) fn code_sentence(code: i64) -> Option<Message> {
    let (_, meant) = CODES.into_iter().find(|(known, _)| *known == code)?;
    Some(Message::new(&format!("hipay-code-{meant}"), []))
}

/// Returns the meaning of an `error_code_detail` of a refused withdrawal, and the remedy.
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
