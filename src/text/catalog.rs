//! Texts for people in their language: Fluent messages from `ui/locales`, compiled in. Mails and pages use them.

use std::cmp::Ordering;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Locale;

// Defines the files of each language as `ENGLISH` and `FRENCH`, and each message with its arguments' names as
// `MESSAGES`.
include!(concat!(env!("OUT_DIR"), "/messages.rs"));

static ENGLISH_TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::read(Locale::English));
static FRENCH_TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::read(Locale::French));

/// An argument of a message: `("count", 3.into())`.
pub type TextArgument<'a> = (&'a str, FluentValue<'a>);

/// The messages of one language.
pub struct Texts {
    locale: Locale,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Returns the messages in this language, in English if none is given.
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
        // The isolation marks for mixed text directions are useless in plain text of these languages.
        bundle.set_use_isolating(false);
        for file in files {
            // The valid part of a file is used; a test ensures that every file is valid as a whole.
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(resource, _)| resource);
            bundle.add_resource_overriding(resource);
        }
        Self { locale, bundle }
    }

    /// Returns the language.
    pub fn locale(&self) -> Locale {
        self.locale
    }

    /// Returns the one of two conventions that this language has.
    pub(crate) fn convention<T>(&self, english: T, french: T) -> T {
        match self.locale {
            Locale::English => english,
            Locale::French => french,
        }
    }

    /// Returns the message `id` with these arguments. Ids are written with hyphens; `_` and `:` of a JSON name in an id
    /// count as hyphens. A missing message is shown by its id.
    pub fn text(&self, id: &str, values: &[TextArgument<'_>]) -> String {
        self.format(id, values).map_or_else(|| id.to_owned(), |(text, _)| text)
    }

    /// Returns the message `id`; `None` if it does not exist or an argument is missing.
    pub fn find(&self, id: &str, values: &[TextArgument<'_>]) -> Option<String> {
        self.format(id, values).filter(|(_, whole)| *whole).map(|(text, _)| text)
    }

    /// Returns the message, and true if it has all its arguments.
    fn format(&self, id: &str, values: &[TextArgument<'_>]) -> Option<(String, bool)> {
        let pattern = self.bundle.get_message(&id.replace(['_', ':'], "-"))?.value()?;
        let arguments: FluentArgs<'_> = values.iter().cloned().collect();
        let mut missing = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&arguments), &mut missing).into_owned();
        Some((text, missing.is_empty()))
    }
}

/// Returns the keys of all messages.
pub(crate) fn message_keys() -> impl Iterator<Item = &'static str> {
    MESSAGES.iter().map(|(key, _)| *key)
}

/// Fails to compile if no message has this key, or if its arguments are not these: the check behind
/// [`msg!`](crate::text::message::msg).
pub(crate) const fn assert_message(key: &str, names: &[&str]) {
    let arguments = arguments_of(key);
    assert!(arguments.is_some(), "there is no message of this key in ui/locales/en");
    if let Some(arguments) = arguments {
        assert!(names.len() == arguments.len(), "the message has other arguments: see ui/locales/en");
        let mut left = names;
        while let Some((name, others)) = left.split_first() {
            assert!(contains(arguments, name), "the message has no argument of this name: see ui/locales/en");
            left = others;
        }
    }
}

/// Returns the names of a message's arguments; `None` for an unknown key.
const fn arguments_of(key: &str) -> Option<&'static [&'static str]> {
    let mut left = MESSAGES;
    loop {
        let (before, after) = left.split_at(left.len() / 2);
        let Some(((known, arguments), after)) = after.split_first() else { return None };
        match compare(key.as_bytes(), known.as_bytes()) {
            Ordering::Less => left = before,
            Ordering::Greater => left = after,
            Ordering::Equal => return Some(arguments),
        }
    }
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut left = names;
    while let Some((first, others)) = left.split_first() {
        if matches!(compare(first.as_bytes(), name.as_bytes()), Ordering::Equal) {
            return true;
        }
        left = others;
    }
    false
}

/// Compares like [`Ord`], which is not available in constants yet.
const fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        match (one.split_first(), other.split_first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some((first, ones)), Some((second, others))) => {
                if *first < *second {
                    return Ordering::Less;
                }
                if *first > *second {
                    return Ordering::Greater;
                }
                (one, other) = (ones, others);
            }
        }
    }
}

/// Returns all code in a folder of the repository, for tests that search it.
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn french_keeps_its_marks_with_their_words() {
        let mail = include_str!("../../ui/locales/fr/mail.ftl");
        for line in FRENCH.iter().filter(|file| **file != mail).flat_map(|file| file.lines()) {
            let text = line.trim_start_matches('#');
            for torn in [" :", " ;", " ?", " !", "« ", " »", "'"] {
                assert!(!text.contains(torn), "'{torn}' in: {line}");
            }
        }
    }

    #[test]
    fn every_message_can_be_written_with_its_variables() {
        for locale in [Locale::English, Locale::French] {
            let texts = Texts::of(Some(locale));
            for (id, variables) in MESSAGES {
                for number in [0, 1, 2, 1_000] {
                    let values: Vec<TextArgument<'_>> =
                        variables.iter().map(|name| (*name, FluentValue::from(number))).collect();
                    let text = texts.text(id, &values);
                    assert!(!text.is_empty() && !text.contains('{') && !text.contains('$'), "{id}: {text}");
                }
            }
        }
    }

    /// Names in code: of messages, and prefixes of families of messages.
    struct Named(BTreeSet<String>);

    impl Named {
        fn read(code: &str) -> Self {
            let mut before = "";
            let mut named = BTreeSet::new();
            for text in code.split('"') {
                let name: String =
                    text.chars().take_while(|sign| sign.is_ascii_alphanumeric() || *sign == '-').collect();
                let is_family = name.ends_with('-') && text.get(name.len()..).is_some_and(|rest| rest.starts_with('{'));
                if is_family || name.len() == text.len() {
                    if ["=> ", "word("].iter().any(|call| before.ends_with(call)) {
                        named.insert(format!("{name}-"));
                    }
                    named.insert(name);
                }
                before = text;
            }
            Self(named)
        }

        fn uses(&self, key: &str) -> bool {
            let described = key.strip_suffix("-mend").or(key.strip_suffix("-title")).unwrap_or(key);
            let mut beginnings = described.match_indices('-').filter_map(|(dash, _)| described.get(..=dash));
            self.0.contains(key) || self.0.contains(described) || beginnings.any(|beginning| self.0.contains(beginning))
        }
    }

    #[test]
    fn every_message_is_used() {
        let named = Named::read(&format!("{}\"{}", source("src"), source("ui/templates")));
        let texts: String = ENGLISH.concat();
        let unused = MESSAGES.iter().map(|(key, _)| *key);
        let unused: Vec<&str> =
            unused.filter(|key| !named.uses(key) && !texts.contains(&format!("{{ {key} }}"))).collect();
        assert!(unused.is_empty(), "{unused:?}");
        assert!(!named.uses(concat!("unheard", "-of")));
    }

    /// Returns the names in `text` that are the first argument of one of these calls.
    fn named(text: &str) -> Vec<String> {
        let calls = ["page.t(\"", "page.t1(\"", "page.t2(\"", "page.tn(\""];
        let parts = calls.iter().flat_map(|call| text.split(*call).skip(1));
        parts.filter_map(|part| part.split_once('"')).map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn every_text_that_a_page_names_is_there() {
        let known: BTreeSet<&str> = MESSAGES.iter().map(|(key, _)| *key).collect();
        let mut seen = 0;
        for folder in ["ui/templates", "src/web/pages"] {
            for name in named(&source(folder)) {
                assert!(known.contains(name.as_str()), "{folder}: no text is called {name}");
                seen += 1;
            }
        }
        assert!(seen > 300, "{seen}");
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
