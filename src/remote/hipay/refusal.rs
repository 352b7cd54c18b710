//! Messages for HiPay's refusals that state the cause and the remedy.

use crate::domain::explanation::{REFUSAL_CODES, REFUSAL_DETAILS};
use crate::text::message::Message;

/// Returns the meaning of an answer's `code`, or of its HTTP status if there is none.
pub(super) fn code_sentence(code: i64) -> Option<Message> {
    let (_, meant, _) = REFUSAL_CODES.into_iter().find(|(known, ..)| *known == code)?;
    Some(Message::new(&format!("hipay-code-{meant}"), []))
}

/// Returns the meaning of an `error_code_detail` of a refused withdrawal, and the remedy.
pub(super) fn detail_sentence(detail: i64) -> Option<Message> {
    let is_known = REFUSAL_DETAILS.iter().any(|(known, _)| *known == detail);
    is_known.then(|| Message::new(&format!("hipay-detail-{detail}"), []))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_documented_number_has_its_own_sentence() {
        let sentences: BTreeSet<String> =
            REFUSAL_DETAILS.into_iter().map(|(detail, _)| detail_sentence(detail).unwrap().to_string()).collect();
        assert_eq!(sentences.len(), REFUSAL_DETAILS.len());
        let sentences: BTreeSet<String> =
            REFUSAL_CODES.into_iter().map(|(code, ..)| code_sentence(code).unwrap().to_string()).collect();
        assert_eq!(sentences.len(), REFUSAL_CODES.len() - 2);
        assert_eq!((code_sentence(99), detail_sentence(4099)), (None, None));
    }
}
