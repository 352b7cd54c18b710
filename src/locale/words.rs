//! The word for each status, kind and command.

use std::borrow::Cow;

use super::Texts;
use crate::attempt::AttemptState;
use crate::config::Role;
use crate::inbox::{NotificationKind, NotificationState};
use crate::jobs::BatchState;
use crate::ledger::LedgerMatch;
use crate::operation::{Beneficiary, Column, PaymentKind, Status};
use crate::payment::{PaymentOutcome, PaymentStatus};
use crate::vendor::{DocumentStatus, WalletStatus};
use crate::voucher::{VoucherChoice, VoucherState};

/// What people read as one word: a status, a kind.
pub trait Word {
    /// The message's id: what kind of thing it is, and its name in JSON. `None` where there is no
    /// word for it.
    fn id(&self) -> Option<Cow<'static, str>>;

    /// What is shown where there is no word.
    fn plain(&self) -> String {
        String::new()
    }
}

/// What stands in the column of a payment.
impl Word for (PaymentKind, Column) {
    fn id(&self) -> Option<Cow<'static, str>> {
        let column = match self.0 {
            PaymentKind::Transfer => "transfer",
            PaymentKind::Withdrawal => "withdraw",
        };
        Some(format!("{column}-{}", self.1.name()).into())
    }
}

impl Word for Status {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(format!("operation-{}", self.name().to_ascii_lowercase()).into())
    }
}

/// The words of a type whose name in JSON follows a prefix.
macro_rules! named {
    ($($type:ty => $prefix:literal),+ $(,)?) => {$(
        impl Word for $type {
            fn id(&self) -> Option<Cow<'static, str>> {
                Some(format!(concat!($prefix, "-{}"), self.name()).into())
            }
        }
    )+};
}

named! {
    Beneficiary => "beneficiary",
    AttemptState => "attempt",
    WalletStatus => "wallet",
    DocumentStatus => "document",
    NotificationState => "notification",
    NotificationKind => "notification-kind",
    BatchState => "batch",
    PaymentOutcome => "outcome",
    VoucherState => "voucher-state",
    VoucherChoice => "voucher-choice",
    LedgerMatch => "ledger-match",
}

impl Word for PaymentKind {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(format!("kind-{}", self.word()).into())
    }
}

impl Word for Role {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Viewer => "role-viewer",
            Self::Operator => "role-operator",
        }))
    }
}

/// Beside it stands its number, so that one without a word is shown by that alone.
impl Word for PaymentStatus {
    fn id(&self) -> Option<Cow<'static, str>> {
        self.name().map(|_| format!("payment-{}", self.0).into())
    }

    fn plain(&self) -> String {
        self.0.to_string()
    }
}

impl Texts {
    /// The word for it.
    pub fn word(&self, thing: &impl Word) -> String {
        thing.id().map_or_else(|| thing.plain(), |id| self.text(&id, &[]))
    }

    /// What stands in the column of a payment: [`Texts::word`], and nothing as long as nothing has
    /// happened.
    pub fn column(&self, kind: PaymentKind, column: Column) -> String {
        if column == Column::None { String::new() } else { self.word(&(kind, column)) }
    }

    /// The word for a vendor's status, `success` or `warning`.
    pub fn vendor_status(&self, status: &str) -> String {
        self.text(&format!("vendor-{status}"), &[])
    }

    /// The word for HiPay's number of the status of bank details; 0 is not read yet.
    pub fn bank_status(&self, code: u8) -> String {
        let id = match code {
            1 => "bank-none",
            2 => "bank-in-progress",
            3 => "bank-validated",
            _ => "bank-unread",
        };
        self.text(id, &[])
    }

    /// The name of a batch by that of its command (`cashout:transfer`). One of a later release is
    /// shown as it is.
    pub fn command(&self, name: &str) -> String {
        if crate::jobs::Command::NAMES.contains(&name) {
            return self.text(&format!("command-{name}"), &[]);
        }
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Locale;
    use crate::jobs::Command;

    const LOCALES: [Locale; 2] = [Locale::English, Locale::French];

    /// The words of all these things, in both languages.
    fn all(things: &[impl Word]) {
        for locale in LOCALES {
            let texts = Texts::of(Some(locale));
            for thing in things {
                let id = thing.id().unwrap();
                let word = texts.word(thing);
                assert!(word != *id && !word.contains(&id.replace(['_', ':'], "-")), "{id} has no word: {word}");
            }
        }
    }

    #[test]
    fn everything_has_a_word_in_both_languages() {
        all(&PaymentKind::ALL.map(|kind| Column::ALL.map(|column| (kind, column))).concat());
        all(&Status::ALL);
        all(&[Status::Unknown(99)]);
        all(&PaymentKind::ALL);
        all(&Beneficiary::ALL);
        all(&AttemptState::ALL);
        all(&WalletStatus::ALL);
        all(&DocumentStatus::ALL);
        all(&NotificationState::ALL);
        all(&NotificationKind::ALL);
        all(&BatchState::ALL);
        all(&PaymentOutcome::ALL);
        all(&[Role::Viewer, Role::Operator]);
        let known: Vec<_> = (0..1_000).map(PaymentStatus).filter(|status| status.name().is_some()).collect();
        assert_eq!(known.len(), 43);
        all(&known);
        for locale in LOCALES {
            let texts = Texts::of(Some(locale));
            let banks: BTreeSet<_> = (0..4).map(|code| texts.bank_status(code)).collect();
            assert_eq!(banks.len(), 4);
            for command in Command::NAMES {
                assert!(!texts.command(command).contains(':'), "{command}");
            }
            for status in ["success", "warning"] {
                assert!(!texts.vendor_status(status).starts_with("vendor-"));
            }
        }
    }

    #[test]
    fn english_says_it_in_the_words_of_the_product() {
        let texts = Texts::of(Some(Locale::English));
        for kind in PaymentKind::ALL {
            for column in Column::ALL {
                assert_eq!(texts.column(kind, column), column.text(kind));
            }
        }
        for status in WalletStatus::ALL {
            assert_eq!(texts.word(&status), status.name().replace('_', " "));
        }
        for status in (0..1_000).map(PaymentStatus).filter(|status| status.name().is_some()) {
            assert_eq!(texts.word(&status), status.name().unwrap());
        }
        assert_eq!(texts.word(&PaymentStatus(777)), "777");
        assert_eq!(
            (texts.vendor_status("success"), texts.vendor_status("warning")),
            ("success".into(), "warning".into())
        );
        let commands = Command::NAMES.map(|name| texts.command(name));
        assert_eq!(
            commands.split_last().unwrap().1,
            ["Wallet account creation", "Generate operations", "Transfer", "Withdraw"]
        );
        assert_eq!(texts.command("cashout:later"), "cashout:later");
    }

    #[test]
    fn a_name_in_json_finds_its_word() {
        let texts = Texts::of(Some(Locale::French));
        let name = Column::InsufficientFunds.name();
        assert_eq!(texts.text(&format!("transfer-{name}"), &[]), "KO (fonds insuffisants)");
        assert_eq!(texts.text("command-cashout:transfer", &[]), "Virements");
    }
}
