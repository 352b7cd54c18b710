//! The word for each status, kind and command. Each type says beside itself which message is its word.

use std::borrow::Cow;

use super::Texts;

/// A thing that people read as one word: a status, a kind.
pub trait Word {
    /// Returns the message's id: the kind of thing, and its name in JSON. `None` for a thing without a word.
    fn id(&self) -> Option<Cow<'static, str>>;

    /// Returns the text that is shown in place of a missing word.
    fn plain(&self) -> String {
        String::new()
    }
}

/// The words of types whose name in JSON follows a prefix.
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
    /// Returns the word for a thing.
    pub fn word(&self, thing: &impl Word) -> String {
        thing.id().map_or_else(|| thing.plain(), |id| self.text(&id, &[]))
    }

    /// Returns the word for a vendor's status, `success` or `warning`.
    pub fn vendor_status(&self, status: &str) -> String {
        self.text(&format!("vendor-{status}"), &[])
    }

    /// Returns the word for HiPay's number of the status of bank details; 0 is not read yet.
    pub fn bank_status(&self, code: u8) -> String {
        let id = match code {
            1 => "bank-none",
            2 => "bank-in-progress",
            3 => "bank-validated",
            _ => "bank-unread",
        };
        self.text(id, &[])
    }

    /// Returns the name of a batch by that of its command (`cashout:transfer`). One of a later release is shown as it is.
    pub fn command(&self, name: &str) -> String {
        self.find(&format!("command-{name}"), &[]).unwrap_or_else(|| name.to_owned())
    }
}
