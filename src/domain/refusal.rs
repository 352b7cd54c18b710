//! A remote's refusal, kept so that it can be explained to people in their language later.
//!
//! Pure.

use serde::{Deserialize, Serialize};

/// A remote's negative answer: its numbers, and its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status of the answer; `None` if the refusal came in another way, such as a notice.
    pub http_status: Option<u16>,
    /// HiPay's `code`.
    pub code: Option<i64>,
    /// HiPay's `error_code_detail`.
    pub detail: Option<i64>,
    /// The remote's own words, on one line and of bounded length; may be empty.
    #[serde(default)]
    pub words: String,
}

impl Refusal {
    /// Makes a refusal without numbers.
    pub fn in_words(words: &str) -> Self {
        Self { words: words.to_owned(), ..Self::default() }
    }
}
