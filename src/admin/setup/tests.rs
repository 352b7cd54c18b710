//! Tests of `admin/setup.rs`.

use super::*;
use crate::text::Locale;
use crate::text::Texts;

fn setup(folder: &Path) -> FirstRun {
    let paths = [folder.join("parameters.yml"), folder.to_owned()];
    FirstRun::begin(paths, Vec::new(), ConfigWriter::default(), ([127, 0, 0, 1], 8080).into(), |_| {}).unwrap()
}

#[test]
fn a_code_opens_once_and_ends_after_too_many_wrong_ones() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(folder.path());
    let code = |setup: &FirstRun| setup.access_code().code.expose().to_owned();
    let first = code(&setup);
    assert_eq!(setup.enter_code("").unwrap(), None);
    assert_eq!(setup.enter_code(first.trim_end_matches(char::is_alphanumeric)).unwrap(), None);
    let token = setup.enter_code(&format!(" {} ", first.to_lowercase())).unwrap().unwrap();
    assert!(setup.session_of(token.expose()).is_some() && setup.session_of("").is_none());
    assert_eq!(setup.enter_code(&first).unwrap(), None, "a code opens once");
    let second = code(&setup);
    for _ in 0..MAX_WRONG_CODES {
        assert_eq!(setup.enter_code("AAAA-AAAA-AAAA").unwrap(), None);
    }
    assert_eq!(setup.enter_code(&second).unwrap(), None, "it was looked for too often");
    assert!(setup.enter_code(&code(&setup)).unwrap().is_some());
    assert!(setup.session_of(token.expose()).is_none(), "there is one visit at a time");
}

#[test]
fn the_page_is_on_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.yml");
    for (listen, at) in [
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("203.0.113.9:8081", "127.0.0.1:8081"),
        ("127.0.0.2:9", "127.0.0.2:9"),
        ("'[::]:443'", "[::1]:443"),
    ] {
        std::fs::write(&path, format!("parameters:\n    server.listen: {listen}\n")).unwrap();
        assert_eq!(address(&path, crate::config::open_file(&path), Vec::new()).unwrap().to_string(), at);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(address(&path, crate::config::open_file(&path), Vec::new()).unwrap().to_string(), "127.0.0.1:8080");
}

#[test]
fn every_question_has_its_words_in_every_language() {
    for locale in [Locale::English, Locale::French] {
        let texts = Texts::of(Some(locale));
        for (section, settings) in ASKED {
            assert_ne!(texts.text(&format!("setup-{section}"), &[]), format!("setup-{section}"));
            for asked in settings {
                for id in [id_of(asked.key), format!("{}-hint", id_of(asked.key))] {
                    assert_ne!(texts.text(&id, &[]), id);
                }
            }
        }
    }
}

#[test]
fn a_store_whose_settings_are_lost_is_not_set_up_anew() {
    let folder = tempfile::tempdir().unwrap();
    let errors = Config::load(&folder.path().join("parameters.yml"), []).unwrap_err();
    assert!(is_wanted(&errors, folder.path()));
    std::fs::write(folder.path().join("store.redb"), "").unwrap();
    assert!(!is_wanted(&errors, folder.path()));
}
