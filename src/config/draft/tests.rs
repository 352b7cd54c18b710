//! Tests of `config/draft.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::tests::REQUIRED;

#[test]
fn from_nothing_the_example_is_filled_in_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/cashout/parameters.yml");
    let missing = Config::load(&path, []).unwrap_err();
    assert!(missing.is_unfinished(), "{missing}");
    let mut draft = ConfigDraft::begin(&path, Vec::new()).unwrap();
    assert!(draft.config().unwrap_err().is_unfinished());
    draft.fill_in(REQUIRED).unwrap();
    draft.fill_in([("mirakl.operatorKey", "key: 'of' #mirakl"), ("hipay.wsPassword", "pass\"word")]).unwrap();
    draft.save(&ConfigWriter::default()).unwrap();
    let config = Config::load(&path, []).unwrap();
    assert_eq!(config.hipay.password.expose(), "pass\"word");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
    assert_eq!(kept(&fs::read_to_string(&path).unwrap()), kept(EXAMPLE));
}

#[test]
fn what_is_wrong_and_not_only_missing_is_for_a_person_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.yml");
    fs::write(&path, "parameters:\n    cycle.hour: 24\n").unwrap();
    assert!(!Config::load(&path, []).unwrap_err().is_unfinished());
    fs::write(&path, "parameters:\n    cycle.hour: 23\n").unwrap();
    assert!(Config::load(&path, []).unwrap_err().is_unfinished());
}

#[test]
fn what_is_set_is_known_and_a_secret_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.yml");
    fs::write(&path, "parameters:\n    hipay.wsPassword: secret\n    hipay.entity: e\n").unwrap();
    let environment = vec![("CASHOUT_HIPAY_WSLOGIN".to_owned(), "login".to_owned())];
    let known = ConfigDraft::begin(&path, environment).unwrap().known();
    assert_eq!(known["hipay.wsPassword"], KnownSetting { value: None, is_set: true, elsewhere: None });
    assert_eq!(known["hipay.entity"], KnownSetting { value: Some("e".to_owned()), is_set: true, elsewhere: None });
    assert!(matches!(known["hipay.wsLogin"].elsewhere, Some(SettingSource::Environment { .. })));
    assert!(!known["mirakl.baseUrl"].is_set);
}

#[test]
fn a_file_that_somebody_has_changed_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.yml");
    let mut draft = ConfigDraft::begin(&path, Vec::new()).unwrap();
    draft.fill_in(REQUIRED).unwrap();
    fs::write(&path, "parameters:\n    cycle.hour: 3\n").unwrap();
    assert!(draft.save(&ConfigWriter::default()).unwrap_err().to_string().contains("in the meantime"));
    assert!(fs::read_to_string(&path).unwrap().contains("cycle.hour: 3"));
}
