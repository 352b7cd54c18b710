//! Supported languages.

/// A language of the pages, mails and labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locale {
    /// English.
    English,
    /// French.
    French,
}
