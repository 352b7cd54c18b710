//! The word for each status, kind and command. Each type defines which message is its word.

use std::borrow::Cow;

use super::Texts;

/// A value that people read as one word: a status, a kind.
pub trait Word {
    /// Returns the message's id: the kind of value, and its name in JSON; `None` for a value without a word.
    fn id(&self) -> Option<Cow<'static, str>>;

    /// Returns the text that is shown if there is no word.
    fn plain(&self) -> String {
        String::new()
    }
}

/// Implements [`Word`] for types whose message ids consist of a prefix and the name in JSON.
macro_rules! word_by_name {
    ($($type:ty => $prefix:literal),+ $(,)?) => {$(
        impl $crate::text::Word for $type {
            fn id(&self) -> Option<std::borrow::Cow<'static, str>> {
                Some(format!(concat!($prefix, "-{}"), self.name()).into())
            }
        }
    )+};
}
pub(crate) use word_by_name;

impl Texts {
    /// Returns the word for a value.
    pub fn word(&self, thing: &impl Word) -> String {
        thing.id().map_or_else(|| thing.plain(), |id| self.text(&id, &[]))
    }

    /// Returns the word for a vendor's status, `success` or `warning`.
    pub fn vendor_status(&self, status: &str) -> String {
        self.text(&format!("vendor-{status}"), &[])
    }

    /// Returns the word for HiPay's status number of bank details; 0 means not read yet.
    pub fn bank_status(&self, code: u8) -> String {
        let id = match code {
            1 => "bank-none",
            2 => "bank-in-progress",
            3 => "bank-validated",
            _ => "bank-unread",
        };
        self.text(id, &[])
    }

    /// Returns the name of a batch by that of its command (`cashout:transfer`). A command of a later release is shown
    /// unchanged.
    pub fn command(&self, name: &str) -> String {
        self.find(&format!("command-{name}"), &[]).unwrap_or_else(|| name.to_owned())
    }
}
