//! Tests of `config/writer.rs`.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::config::{LogLevel, Settings};

const FILE: &str = "# our cash-out
parameters:
    # Mirakl
    mirakl.baseUrl: https://marketplace.example.com
    mirakl.operatorKey: 'it''s a key'   # from the back office
    hipay.wsLogin: login
    hipay.wsPassword: \"a \\\"password\\\"\"
    hipay.baseRestUrl: https://test-professional.hipay.com/api

    hipay.entity: ENTITY # the entity
    hipay.merchantGroupId: 12
    account.technical.email: technical@example.com
    account.technical.hipayId: 1001
    account.operator.email: operator@example.com
    account.operator.hipayId: 1002
    cycle.days: [1, 11, 21]
    email.logger.alert.level: 400 # ERROR
    mail.subject: >
        folded
        text
    # The end.
";

struct Place {
    folder: TempDir,
    file: PathBuf,
}

fn place(text: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    fs::write(&file, text).unwrap();
    Place { folder, file }
}

impl Place {
    fn write(&self, key: &str, value: &str) -> Result<(), WriteBackError> {
        write_settings(&self.file, [], &[(key, value)])
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    /// Returns the old and the new text of every line that differs.
    fn differences(&self, before: &str) -> Vec<(String, String)> {
        let after = self.text();
        assert_eq!(before.lines().count(), after.lines().count());
        let pairs = before.split('\n').zip(after.split('\n')).filter(|(old, new)| old != new);
        pairs.map(|(old, new)| (old.to_owned(), new.to_owned())).collect()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

#[test]
fn only_the_changed_line_differs() {
    for ends in ["\n", "\r\n"] {
        let text = FILE.replace('\n', ends);
        for (key, value, line) in [
            ("email.logger.alert.level", "500", "    email.logger.alert.level: 500 # ERROR"),
            ("mirakl.operatorKey", "another", "    mirakl.operatorKey: another   # from the back office"),
            ("mirakl.operatorKey", "a: b # c", "    mirakl.operatorKey: 'a: b # c'   # from the back office"),
            ("cycle.days", "5, 15", "    cycle.days: 5, 15"),
        ] {
            let place = place(&text);
            place.write(key, value).unwrap();
            let differences = place.differences(&text);
            assert_eq!(differences.len(), 1, "{differences:?}");
            assert_eq!(differences[0].1.trim_end_matches('\r'), line);
            assert_eq!(differences[0].1.ends_with('\r'), ends == "\r\n");
        }
    }
}

#[test]
fn a_setting_that_is_not_there_is_added_and_nothing_else_moves() {
    for text in [FILE.to_owned(), FILE.replace('\n', "\r\n"), FILE.trim_end().replace("    # The end.", "    debug: ~")]
    {
        let place = place(&text);
        place.write("github.token", "ghp_1").unwrap();
        let after = place.text();
        let line = "    github.token: ghp_1";
        assert!(after.lines().any(|added| added == line), "{after}");
        let without: String = after.split_inclusive('\n').filter(|added| added.trim_end() != line).collect();
        assert_eq!(without.trim_end(), text.trim_end());
        let config = Config::load(&place.file, []).unwrap();
        assert_eq!(config.update.token.unwrap().expose(), "ghp_1");
    }
}

#[test]
fn the_value_that_stands_there_changes_no_byte_and_no_file() {
    let place = place(FILE);
    let before = fs::metadata(&place.file).unwrap().ino();
    for (key, value) in [
        ("mirakl.operatorKey", "it's a key"),
        ("hipay.wsPassword", "a \"password\""),
        ("hipay.merchantGroupId", "12"),
        ("mail.subject", "folded text\n"),
    ] {
        place.write(key, value).unwrap();
        assert_eq!(changed(FILE, key, value).as_deref(), Some(FILE), "{key}");
    }
    assert_eq!((place.text().as_str(), fs::metadata(&place.file).unwrap().ino()), (FILE, before));
}

#[test]
fn what_would_not_be_valid_is_refused_and_the_file_stays() {
    let place = place(FILE);
    for (key, value, told) in [
        ("no.such", "1", "there is no setting no.such"),
        ("debug", "1", "there is no setting debug"),
        ("cycle.hour", "24", "cycle.hour: 24 is not allowed"),
        ("hipay.wsLogin", "", "hipay.wsLogin: is required"),
        ("mail.subject", "a\nb", "mail.subject: holds a line break"),
    ] {
        let error = place.write(key, value).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert_eq!(place.text(), FILE);
    }
    let token = place.write("dashboard.apiToken", "cAnArY").unwrap_err();
    assert!(!format!("{token} {token:?}").contains("cAnArY"), "{token}");
    assert_eq!(place.files(), 1);
}

#[test]
fn what_wins_over_the_file_is_refused_with_its_source() {
    let place = place(FILE);
    let environment = [("CASHOUT_GITHUB_TOKEN".to_owned(), "x".to_owned())];
    let error = write_settings(&place.file, environment, &[("github.token", "y")]).unwrap_err();
    assert!(error.to_string().starts_with("github.token is set by environment variable CASHOUT_GITHUB_TOKEN"));
    fs::write(place.folder.path().join("github.token"), "x").unwrap();
    let folder = place.folder.path().to_str().unwrap().to_owned();
    let environment = [("CREDENTIALS_DIRECTORY".to_owned(), folder)];
    let error = write_settings(&place.file, environment, &[("github.token", "y")]).unwrap_err();
    assert!(error.to_string().starts_with("github.token is set by credential "), "{error}");
}

#[test]
fn mode_and_owner_stay_and_a_link_stays_a_link() {
    let place = place(FILE);
    fs::set_permissions(&place.file, Permissions::from_mode(0o640)).unwrap();
    // Only root may give files away; for any other user the owner stays the same.
    let _ = std::os::unix::fs::chown(&place.file, Some(1234), Some(1235));
    let before = fs::metadata(&place.file).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("parameters.yml");
    symlink(&place.file, &link).unwrap();

    write_settings(&link, [], &[("cycle.hour", "3")]).unwrap();
    let after = fs::metadata(&place.file).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert!(link.is_symlink() && place.text().contains("cycle.hour: 3\n"));
    assert_eq!((place.files(), fs::read_dir(elsewhere.path()).unwrap().count()), (1, 1));
}

#[test]
fn a_file_that_cannot_be_written_stays_and_the_mend_is_told() {
    let place = place(FILE);
    // Not even root can remove a folder this way.
    let in_the_way = place.folder.path().join(".parameters.yml.new");
    fs::create_dir(&in_the_way).unwrap();
    let error = place.write("cycle.hour", "3").unwrap_err().to_string();
    assert!(error.contains("cannot be written") && error.contains("chown cashout"), "{error}");
    assert_eq!(place.text(), FILE);
    fs::remove_dir(&in_the_way).unwrap();
    // The remains of a crash are no obstacle.
    fs::write(&in_the_way, "half").unwrap();
    place.write("cycle.hour", "3").unwrap();
    assert_eq!(place.files(), 1);

    let missing = write_settings(Path::new("/nonexistent/p.yml"), [], &[("cycle.hour", "3")]).unwrap_err().to_string();
    assert!(missing.contains("create it first"), "{missing}");
}

#[test]
fn two_changes_at_once_are_both_kept() {
    let place = place(FILE);
    let changes = [("cycle.hour", "3"), ("cycle.minute", "7"), ("github.token", "t"), ("mail.port", "26")];
    std::thread::scope(|scope| {
        for (key, value) in changes {
            let place = &place;
            scope.spawn(move || place.write(key, value).unwrap());
        }
    });
    for (key, value) in changes {
        assert!(place.text().contains(&format!("{key}: {value}\n")), "{key}");
    }
}

fn setting() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["hipay.wsPassword", "mirakl.operatorKey", "github.token", "mail.subject", "debug"])
}

proptest! {
    #[test]
    fn any_text_that_is_written_is_read_back_equal(
        key in setting(),
        value in ".{0,20}|[-~?:,#&*!|>%@`'\" \\[\\]{}a0]{1,8}|[0-9_.exo+-]{1,8}|(yes|no|true|null|~|Off|<<|=)",
        ends in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let text = FILE.replace('\n', ends);
        let after = changed(&text, key, &value).expect("can be written");
        let read = document::parse("", &after).unwrap();
        let entry = read.iter().find(|entry| entry.key == key).unwrap();
        let scalar = document::scalar(&entry.value);
        prop_assert_eq!(scalar.as_deref(), Some(value.as_str()));
        // Every other byte is unchanged.
        let others = |text: &str| text.lines().filter(|line| !line.contains(key)).map(str::to_owned).collect::<Vec<_>>();
        if key != "mail.subject" {
            prop_assert_eq!(others(&after), others(&text));
        }
        prop_assert_eq!(changed(&after, key, &value), Some(after));
    }

    #[test]
    fn no_file_panics(text in "parameters:\n(    [a-z.]{1,6}: ?[\\PC\n]{0,20}\n){0,6}", value in ".{0,8}") {
        let _ = changed(&text, "a.b", &value);
    }
}

#[test]
fn a_change_takes_over_nothing_that_was_edited_by_hand_since_the_start() {
    let place = place(FILE);
    let settings = Settings::new(&place.file, Arc::new(Config::load(&place.file, []).unwrap()));
    let edited = FILE.replace("account.technical.hipayId: 1001", "account.technical.hipayId: 2001");
    fs::write(&place.file, &edited).unwrap();

    let wanted = [("github.token", "a-token"), ("email.logger.alert.level", "500")];
    assert_eq!(wanted.map(|(key, _)| key), CHANGEABLE, "each of them is read back below");
    let changed = settings.change(&wanted).unwrap();
    assert_eq!(changed.technical_account.hipay_id, 1001, "it waits for the next start");
    assert_eq!(changed.logs.alert_level, Some(LogLevel::Critical));
    assert!(changed.update.token.is_some());
    assert!(matches!(changed.source_of("github.token"), Some(SettingSource::File { .. })));
    assert_eq!(Config::load(&place.file, []).unwrap().technical_account.hipay_id, 2001);
}
