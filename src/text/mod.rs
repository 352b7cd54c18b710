//! Texts for people: messages in their language, and how amounts, numbers and dates are written in it.

mod catalog;
mod format;
mod locale;
pub mod message;
mod word;

pub use catalog::{TextArgument, Texts};
pub(crate) use catalog::{assert_message, message_keys};
pub use format::{WrittenAmount, one_line, plain_decimal};
pub use locale::Locale;
pub use word::Word;
pub(crate) use word::word_by_name;
