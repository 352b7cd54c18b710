//! Explanations of HiPay's refusals, by their documented numbers.

use super::{Actor, Explanation};
use crate::domain::refusal::Refusal;

/// Documented values of an answer's `code` (or of the HTTP status, for an answer without a code), each with the code
/// whose texts it uses and the party that has to act. They are those of HiPay's API description and guides.
pub(crate) const REFUSAL_CODES: [(i64, u16, Actor); 14] = [
    (1, 1, Actor::Administrator),
    (401, 1, Actor::Administrator),
    (2, 2, Actor::Marketplace),
    (3, 3, Actor::Marketplace),
    (4, 4, Actor::HiPay),
    (7, 7, Actor::Marketplace),
    (404, 7, Actor::Marketplace),
    (13, 13, Actor::Nobody),
    (23, 23, Actor::Vendor),
    (26, 26, Actor::Nobody),
    (400, 400, Actor::Marketplace),
    (403, 403, Actor::HiPay),
    (414, 414, Actor::Nobody),
    (415, 415, Actor::Nobody),
];

/// Documented values of `error_code_detail` of a refused withdrawal.
pub(crate) const REFUSAL_DETAILS: [(i64, Actor); 13] = [
    (4002, Actor::Vendor),
    (4003, Actor::Vendor),
    (4004, Actor::Vendor),
    (4005, Actor::Vendor),
    (4006, Actor::HiPay),
    (4007, Actor::Vendor),
    (4008, Actor::HiPay),
    (4009, Actor::HiPay),
    (4010, Actor::HiPay),
    (4012, Actor::Vendor),
    (4013, Actor::HiPay),
    (4014, Actor::HiPay),
    (4015, Actor::Vendor),
];

/// Explains a refusal by its detail, else by its code, else by its HTTP status. An undocumented one gets a general
/// message. HiPay's own words are always quoted.
pub(super) fn explain(refusal: &Refusal) -> Explanation {
    documented(refusal).unwrap_or_else(|| Explanation::new("refusal-other", Actor::HiPay)).quoting(Some(refusal))
}

/// Explains a refusal if it is documented.
pub(super) fn documented(refusal: &Refusal) -> Option<Explanation> {
    let by_detail = |detail| {
        let known = REFUSAL_DETAILS.iter().find(|(known, _)| *known == detail)?;
        Some(Explanation::new(format!("refusal-{}", known.0), known.1))
    };
    let by_code = |code| {
        let (_, shown, by) = REFUSAL_CODES.iter().find(|(known, ..)| *known == code)?;
        Some(Explanation::new(format!("refusal-{shown}"), *by))
    };
    let detail = refusal.detail.and_then(by_detail);
    // An undocumented detail or code is more specific than the general code that comes with it.
    if detail.is_some() || refusal.detail.is_some_and(|detail| detail != 0) {
        return detail;
    }
    match refusal.code {
        Some(code) => by_code(code),
        None => refusal.http_status.and_then(|status| by_code(i64::from(status))),
    }
}
