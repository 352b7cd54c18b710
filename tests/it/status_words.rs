//! The texts for each status, kind and command, in both languages.

use std::collections::BTreeSet;

use cashout::config::Role;
use cashout::domain::attempt::AttemptState;
use cashout::domain::inbox::{NotificationKind, NotificationState};
use cashout::domain::operation::{Beneficiary, Column, PaymentKind, Status};
use cashout::domain::payment::{PaymentOutcome, PaymentStatus};
use cashout::domain::vendor::{DocumentStatus, WalletStatus};
use cashout::jobs::{BatchKind, BatchState};
use cashout::text::{Locale, Texts, Word};

const LOCALES: [Locale; 2] = [Locale::English, Locale::French];

/// Checks the texts of all these values, in both languages.
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
        for command in BatchKind::ALL.map(BatchKind::name) {
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
            let word = if column == Column::None { String::new() } else { texts.word(&(kind, column)) };
            assert_eq!(word, column.text(kind));
        }
    }
    for status in WalletStatus::ALL {
        assert_eq!(texts.word(&status), status.name().replace('_', " "));
    }
    for status in (0..1_000).map(PaymentStatus).filter(|status| status.name().is_some()) {
        assert_eq!(texts.word(&status), status.name().unwrap());
    }
    assert_eq!(texts.word(&PaymentStatus(777)), "777");
    assert_eq!((texts.vendor_status("success"), texts.vendor_status("warning")), ("success".into(), "warning".into()));
    let commands = BatchKind::ALL.map(|kind| texts.command(kind.name()));
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
