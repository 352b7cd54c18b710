//! Texts for people in their language: Fluent messages from `ui/locales`, compiled in. Mails and
//! pages use them.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Locale;

/// The files of each language.
const ENGLISH: &[&str] = &[
    include_str!("../../ui/locales/en/mail.ftl"),
    include_str!("../../ui/locales/en/logs.ftl"),
    include_str!("../../ui/locales/en/settings.ftl"),
    include_str!("../../ui/locales/en/page.ftl"),
    include_str!("../../ui/locales/en/status.ftl"),
    include_str!("../../ui/locales/en/format.ftl"),
    include_str!("../../ui/locales/en/explanation.ftl"),
    include_str!("../../ui/locales/en/payments.ftl"),
    include_str!("../../ui/locales/en/vouchers.ftl"),
    include_str!("../../ui/locales/en/notifications.ftl"),
    include_str!("../../ui/locales/en/vendor.ftl"),
    include_str!("../../ui/locales/en/problem.ftl"),
    include_str!("../../ui/locales/en/sentences.ftl"),
    include_str!("../../ui/locales/en/update.ftl"),
    include_str!("../../ui/locales/en/setup.ftl"),
];
const FRENCH: &[&str] = &[
    include_str!("../../ui/locales/fr/mail.ftl"),
    include_str!("../../ui/locales/fr/logs.ftl"),
    include_str!("../../ui/locales/fr/settings.ftl"),
    include_str!("../../ui/locales/fr/page.ftl"),
    include_str!("../../ui/locales/fr/status.ftl"),
    include_str!("../../ui/locales/fr/format.ftl"),
    include_str!("../../ui/locales/fr/explanation.ftl"),
    include_str!("../../ui/locales/fr/payments.ftl"),
    include_str!("../../ui/locales/fr/vouchers.ftl"),
    include_str!("../../ui/locales/fr/notifications.ftl"),
    include_str!("../../ui/locales/fr/vendor.ftl"),
    include_str!("../../ui/locales/fr/problem.ftl"),
    include_str!("../../ui/locales/fr/sentences.ftl"),
    include_str!("../../ui/locales/fr/update.ftl"),
    include_str!("../../ui/locales/fr/setup.ftl"),
];

static ENGLISH_TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::read(Locale::English));
static FRENCH_TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::read(Locale::French));

/// A value that a message has a place for: `("count", 3.into())`.
pub type Value<'a> = (&'a str, FluentValue<'a>);

/// The messages of one language.
pub struct Texts {
    locale: Locale,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The messages in this language; English where none is asked for.
    pub fn of(locale: Option<Locale>) -> &'static Self {
        match locale {
            None | Some(Locale::English) => &ENGLISH_TEXTS,
            Some(Locale::French) => &FRENCH_TEXTS,
        }
    }

    fn read(locale: Locale) -> Self {
        let (language, files) = match locale {
            Locale::English => ("en", ENGLISH),
            Locale::French => ("fr", FRENCH),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![language.parse::<LanguageIdentifier>().unwrap_or_default()]);
        // The signs that keep directions apart are of no use in plain text of these languages.
        bundle.set_use_isolating(false);
        for file in files {
            // What can be read counts; a test sees to it that this is all of it.
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(resource, _)| resource);
            bundle.add_resource_overriding(resource);
        }
        Self { locale, bundle }
    }

    /// The language.
    pub fn locale(&self) -> Locale {
        self.locale
    }

    /// The message `id` with these values. Ids are written with hyphens; where a name in JSON is part
    /// of one, its `_` and `:` count as such. A message that is not there is shown by its name.
    pub fn text(&self, id: &str, values: &[Value<'_>]) -> String {
        self.format(id, values).map_or_else(|| id.to_owned(), |(text, _)| text)
    }

    /// The same; nothing where the message is not there, or has a place for a value that is not.
    pub fn find(&self, id: &str, values: &[Value<'_>]) -> Option<String> {
        self.format(id, values).filter(|(_, whole)| *whole).map(|(text, _)| text)
    }

    /// The message, and whether all its places are filled.
    fn format(&self, id: &str, values: &[Value<'_>]) -> Option<(String, bool)> {
        let pattern = self.bundle.get_message(&id.replace(['_', ':'], "-"))?.value()?;
        let arguments: FluentArgs<'_> = values.iter().cloned().collect();
        let mut missing = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&arguments), &mut missing).into_owned();
        Some((text, missing.is_empty()))
    }
}

/// All code below a folder of the repository, for tests that look for what is said in it.
#[cfg(test)]
pub(crate) fn source(folder: &str) -> String {
    fn read(folder: &std::path::Path, code: &mut String) {
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                read(&file, code);
            } else {
                code.push_str(&std::fs::read_to_string(&file).unwrap());
            }
        }
    }
    let mut code = String::new();
    read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut code);
    code
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The messages of a file with the variables that each names.
    fn messages(file: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = String::new();
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            if let Some((id, _)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
                id.clone_into(&mut current);
            }
            let variables = messages.entry(current.clone()).or_default();
            for part in line.split('$').skip(1) {
                variables
                    .insert(part.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect());
            }
        }
        messages.remove("");
        messages
    }

    #[test]
    fn every_language_has_the_same_messages_with_the_same_variables() {
        for (english, french) in ENGLISH.iter().zip(FRENCH) {
            assert_eq!(messages(english), messages(french));
            for file in [english, french] {
                let read = FluentResource::try_new((*file).to_owned());
                assert!(read.is_ok(), "{:?}", read.err().map(|(_, errors)| errors));
            }
        }
        assert_eq!(ENGLISH.len(), FRENCH.len());
    }

    #[test]
    fn no_message_is_in_two_files() {
        for files in [ENGLISH, FRENCH] {
            let mut known = BTreeSet::new();
            for id in files.iter().flat_map(|file| messages(file).into_keys()) {
                assert!(known.insert(id.clone()), "{id} is there twice: the later one would win");
            }
        }
    }

    #[test]
    fn french_keeps_its_marks_with_their_words() {
        let mail = FRENCH[0];
        for line in FRENCH.iter().filter(|file| **file != mail).flat_map(|file| file.lines()) {
            let text = line.trim_start_matches('#');
            for torn in [" :", " ;", " ?", " !", "« ", " »", "'"] {
                assert!(!text.contains(torn), "'{torn}' in: {line}");
            }
        }
    }

    #[test]
    fn every_message_can_be_written_with_its_variables() {
        for (locale, files) in [(Locale::English, ENGLISH), (Locale::French, FRENCH)] {
            let texts = Texts::of(Some(locale));
            for (id, variables) in files.iter().flat_map(|file| messages(file)) {
                for number in [0, 1, 2, 1_000] {
                    let values: Vec<Value<'_>> =
                        variables.iter().map(|name| (name.as_str(), FluentValue::from(number))).collect();
                    let text = texts.text(&id, &values);
                    assert!(!text.is_empty() && !text.contains('{') && !text.contains('$'), "{id}: {text}");
                }
            }
        }
    }

    /// The names in `text` that stand as the first argument of one of these calls.
    fn named(text: &str) -> Vec<String> {
        let calls = ["page.t(\"", "page.t1(\"", "page.t2(\"", "page.tn(\""];
        let parts = calls.iter().flat_map(|call| text.split(*call).skip(1));
        parts.filter_map(|part| part.split_once('"')).map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn every_text_that_a_page_names_is_there() {
        let known: BTreeSet<String> = ENGLISH.iter().flat_map(|file| messages(file).into_keys()).collect();
        let mut seen = 0;
        for folder in ["ui/templates", "src/web/pages", "src/web/pages/settings"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for file in
                std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file())
            {
                for name in named(&std::fs::read_to_string(&file).unwrap()) {
                    assert!(known.contains(&name), "{}: no text is called {name}", file.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 300, "{seen}");
    }

    #[test]
    fn every_problem_that_is_told_in_words_is_there_and_is_told_somewhere() {
        let code = source("src/web");
        let told: BTreeSet<String> = code
            .split("\"problem-")
            .skip(1)
            .map(|rest| format!("problem-{}", rest.split('"').next().unwrap_or_default()))
            .collect();
        let known = ENGLISH.iter().flat_map(|file| messages(file).into_keys()).filter(|id| id.starts_with("problem-"));
        assert_eq!(told, known.collect::<BTreeSet<String>>());
    }

    #[test]
    fn numbers_take_the_forms_of_the_language() {
        let count = |locale, count: u64| {
            Texts::of(Some(locale)).text("alert-count", &[("count", count.into()), ("last", "8:00".into())])
        };
        assert_eq!(count(Locale::English, 1), "once, at 8:00");
        assert_eq!(count(Locale::English, 12), "12 times, last at 8:00");
        assert_eq!(count(Locale::French, 1), "une fois, à 8:00");
        assert_eq!(Texts::of(None).text("no-such-message", &[]), "no-such-message");
    }
}
