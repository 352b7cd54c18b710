//! HiPay's refusals in sentences that say what happened and what to do.
//!
//! The codes are those of HiPay's description and of its guides.

/// What an answer's `code` (or its HTTP status where there is none) means.
pub(super) fn code_sentence(code: i64) -> Option<&'static str> {
    Some(match code {
        1 | 401 => "HiPay refused our credentials; check hipay.wsLogin and hipay.wsPassword",
        2 => "HiPay misses a parameter",
        3 => "HiPay found a parameter invalid",
        400 => "HiPay found the request invalid",
        4 => "HiPay does not allow this action",
        7 | 404 => "HiPay does not know this",
        13 => "HiPay had a technical error",
        23 => "the bank details are in a state at HiPay that does not allow this",
        26 => "the same request is under way at HiPay",
        403 => "HiPay does not allow this account",
        414 => "HiPay has identified this vendor already",
        415 => "a document of this type is waiting for validation at HiPay already",
        _ => return None,
    })
}

/// What an `error_code_detail` of a refused withdrawal means, and the mend.
pub(super) fn detail_sentence(detail: i64) -> Option<&'static str> {
    Some(match detail {
        4002 => "the wallet's user space is not activated; the vendor has to confirm the account with HiPay",
        4003 => "the vendor's professional information is invalid at HiPay; it has to be corrected there",
        4004 => "the vendor is not identified; its documents have to be validated by HiPay first",
        4005 => "the bank details are invalid; correct them in Mirakl and run vendor:process",
        4006 => "the wallet is not in its normal state; ask HiPay",
        4007 => "the wallet is not activated; the vendor has to confirm the account with HiPay",
        4008 => "the wallet is disabled; ask HiPay",
        4009 => "the wallet is deleted; ask HiPay",
        4010 => "the wallet is not a main account; money can only be withdrawn from that",
        4012 => "HiPay does not pay to banks in this country",
        4013 => "the amount is over HiPay's maximum for a withdrawal",
        4014 => "the wallet would fall below its minimum balance",
        4015 => "the vendor's beneficial owners are not declared at HiPay",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_detail_has_its_own_sentence() {
        let details = [4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4012, 4013, 4014, 4015];
        let sentences: std::collections::BTreeSet<_> = details.map(|detail| detail_sentence(detail).unwrap()).into();
        assert_eq!(sentences.len(), details.len());
        for code in [1, 2, 3, 4, 7, 13, 23, 26, 400, 403, 404, 414, 415] {
            assert!(code_sentence(code).is_some(), "{code}");
        }
    }
}
