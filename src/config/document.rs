//! The text of a configuration file as settings with their lines.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_yaml::{Mapping, Value};

use super::error::{ConfigError, quote_value};
use crate::text::message::{Message, msg};

/// Maximum number of aliases (`*name`). With it, and with the maximum length of a text with any (in bytes), no
/// text expands beyond some megabytes.
const MAX_ALIASES: usize = 10;
const MAX_LENGTH_WITH_ALIASES: usize = 64 * 1024;

/// Maximum number of brackets, far more than a configuration needs. The time of the YAML reader grows with the
/// square of the nesting, and it has no bound of its own.
const MAX_BRACKETS: usize = 2_000;

/// One setting of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SettingEntry {
    /// Dotted name of the setting.
    pub(super) key: String,
    /// Value of the setting. A number or a truth value is kept as the text in the file, since only the setting
    /// knows whether it is one: `0x1F` or `1e5` may be a password.
    pub(super) value: Value,
    /// Line of the key, counted from 1.
    pub(super) line: usize,
}

/// Parses the settings below `parameters:`, in their order. Mistakes name the file by `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Vec<SettingEntry>, Vec<ConfigError>> {
    let whole = |problem| vec![ConfigError::of_file(name, problem)];
    if text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}').is_empty() {
        return Err(whole(msg!("file-empty")));
    }
    if let Some((before, _)) = text.split_once('\0') {
        return Err(vec![ConfigError::of_line(name, before.lines().count().max(1), msg!("file-nul"))]);
    }
    if too_nested(text) {
        return Err(whole(msg!("file-nested", most = MAX_BRACKETS)));
    }
    if multiplies(text) {
        return Err(whole(msg!("file-aliases", most = MAX_ALIASES)));
    }
    let outer = read_yaml(text).map_err(|error| vec![syntax_mistake(name, text, &error)])?;
    entries(name, text, outer)
}

/// Parses one YAML value, such as a structured setting in the environment. The error gives the position and
/// never quotes the text.
pub(super) fn parse_value(text: &str) -> Result<Value, Message> {
    if too_nested(text) || multiplies(text) {
        return Err(msg!("value-nested"));
    }
    serde_yaml::from_str(text).map_err(|error| {
        let column = error.location().map_or(1, |location| location.column());
        msg!("value-yaml", column, problem = yaml_problem(&error))
    })
}

/// Returns true for a text whose aliases (`*name`) could expand to far more than its own length.
fn multiplies(text: &str) -> bool {
    let lines = text.split(['\n', '\r']).filter(|line| !line.trim_start().starts_with('#'));
    let aliases: usize = lines.map(aliases_in).sum();
    aliases > MAX_ALIASES || (aliases > 0 && text.len() > MAX_LENGTH_WITH_ALIASES)
}

/// Counts the stars in a line that have a name and are where a value begins: an upper bound of its aliases.
fn aliases_in(line: &str) -> usize {
    let is_alias = |at: usize| {
        let before = line.get(..at).unwrap_or_default();
        // The parser recognises more spaces and line ends than ASCII has.
        let trimmed = before.trim_end_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
        let is_after_break = before.get(trimmed.len()..).is_some_and(|gap| gap.contains(|gap: char| !gap.is_ascii()));
        let begins = is_after_break || trimmed.chars().next_back().is_none_or(|before| ":-[,{?".contains(before));
        let after = line.get(at.saturating_add(1)..).and_then(|rest| rest.chars().next());
        begins && after.is_some_and(|after| !after.is_whitespace() && after != '/' && after != '*')
    };
    line.match_indices('*').filter(|(at, _)| is_alias(*at)).count()
}

fn too_nested(text: &str) -> bool {
    text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_BRACKETS
}

/// The top level of the file.
#[derive(Default)]
struct Outer {
    parameters: Vec<Pairs>,
    others: Vec<String>,
}

/// A map with all its pairs, including repeated keys.
#[derive(Default)]
struct Pairs(Vec<(Value, Value)>);

impl<'de> Deserialize<'de> for Outer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OuterVisitor;
        impl<'de> Visitor<'de> for OuterVisitor {
            type Value = Outer;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("'parameters:' at the top")
            }
            fn visit_none<E>(self) -> Result<Outer, E> {
                Ok(Outer::default())
            }
            fn visit_unit<E>(self) -> Result<Outer, E> {
                Ok(Outer::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outer, A::Error> {
                let mut outer = Outer::default();
                while let Some(key) = map.next_key::<Value>()? {
                    match key.as_str() {
                        Some("parameters") => outer.parameters.push(map.next_value()?),
                        other => {
                            map.next_value::<IgnoredAny>()?;
                            outer.others.push(other.unwrap_or_default().to_owned());
                        }
                    }
                }
                Ok(outer)
            }
        }
        deserializer.deserialize_any(OuterVisitor)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("settings, each as 'key: value'")
            }
            fn visit_unit<E>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Pairs::default();
                while let Some(pair) = map.next_entry()? {
                    pairs.0.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_any(PairsVisitor)
    }
}

/// Parses the whole file. Older YAML readers accepted values that begin with `%`, `@` or a backtick without
/// quotes, so a file that cannot be parsed is tried once more with these values quoted.
fn read_yaml(text: &str) -> Result<Outer, serde_yaml::Error> {
    serde_yaml::from_str(text).or_else(|error| serde_yaml::from_str(&quote_reserved(text)).map_err(|_| error))
}

fn quote_reserved(text: &str) -> String {
    let quoted = |line: &str| {
        let (key, rest) = line.split_once(": ")?;
        let value = rest.trim();
        if !value.starts_with(['%', '@', '`']) {
            return None;
        }
        let (value, comment) = value.split_once(" #").unwrap_or((value, ""));
        Some(format!("{key}: '{}' #{comment}\n", value.trim_end().replace('\'', "''")))
    };
    text.split_inclusive('\n').map(|line| quoted(line).unwrap_or_else(|| line.to_owned())).collect()
}

fn syntax_mistake(name: &str, text: &str, error: &serde_yaml::Error) -> ConfigError {
    let Some(location) = error.location() else {
        return ConfigError::of_file(name, yaml_problem(error));
    };
    if let Some(line) = unclosed_quote(text, location.line()) {
        let is_last = line >= text.trim_end().lines().count();
        let problem = msg!("yaml-quote");
        return ConfigError::of_line(name, line, if is_last { msg!("file-cut-off", problem) } else { problem });
    }
    let is_indented_by_tab = |line: &str| line.chars().take_while(|letter| letter.is_whitespace()).any(|it| it == '\t');
    let line = location.line().max(1);
    if text.lines().nth(location.line().saturating_sub(1)).is_some_and(is_indented_by_tab) {
        return ConfigError::of_line(name, line, msg!("yaml-tab"));
    }
    let problem = yaml_problem(error);
    // At the very end, the line itself is not wrong: its continuation is missing.
    if location.index() >= text.trim_end().len() {
        return ConfigError::of_line(name, text.trim_end().lines().count(), msg!("file-cut-off", problem));
    }
    ConfigError::of_line(name, line, msg!("file-column", column = location.column(), problem))
}

/// Returns the line, at most `until` (both from 1), that opens a quote which swallows the next setting.
fn unclosed_quote(text: &str, until: usize) -> Option<usize> {
    let looks_like_setting = |line: &str| {
        let key = line.trim_start().split_once(": ").or_else(|| line.trim().strip_suffix(':').map(|key| (key, "")));
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        key.is_some_and(|(key, _)| !key.is_empty() && key.chars().all(is_letter))
    };
    let mut open: Option<(usize, char)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        open = match open {
            Some((opener, _)) if looks_like_setting(line) => return Some(opener),
            // An apostrophe in a comment is not meant to close it.
            Some(open) if line.trim_start().starts_with('#') => Some(open),
            Some((opener, quote)) => quote_after(line, Some(quote)).map(|quote| (opener, quote)),
            None if number > until => return None,
            None => quote_after(line, None).map(|quote| (number, quote)),
        };
    }
    open.map(|(opener, _)| opener)
}

/// Returns the quote that is open at the end of a line, if any; `quote` is the one that is open at its
/// beginning. A quote opens only where a value begins.
fn quote_after(line: &str, mut quote: Option<char>) -> Option<char> {
    let (mut before, mut letters) = (':', line.chars().peekable());
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') if ":-[{,".contains(before) => quote = Some(letter),
            (None, '#') => return None,
            (None, _) if letter.is_whitespace() => {}
            (None, _) => before = letter,
            (Some('"'), '\\') => {
                letters.next();
            }
            // A doubled quote is an escaped one.
            (Some('\''), '\'') if letters.peek() == Some(&'\'') => {
                letters.next();
            }
            (Some(open), _) if letter == open => (quote, before) = (None, letter),
            (Some(_), _) => {}
        }
    }
    quote
}

/// Returns the reader's message without the position. A message that quotes the file is replaced: the quote
/// might be a secret.
fn yaml_problem(error: &serde_yaml::Error) -> Message {
    let message = error.to_string();
    if message.contains(['"', '`']) || message.contains("invalid type") {
        return msg!("yaml-other-kind");
    }
    let message = message.split(" at line ").next().unwrap_or_default();
    msg!("yaml-invalid").detailed(message)
}

fn entries(name: &str, text: &str, outer: Outer) -> Result<Vec<SettingEntry>, Vec<ConfigError>> {
    let lines = key_lines(text);
    let line_of = |key: &str, nth: usize| {
        let found = lines.get(key).and_then(|found| found.get(nth).or(found.last()));
        found.copied().unwrap_or((1, ""))
    };
    let mut blocks = outer.parameters.into_iter();
    let Some(pairs) = blocks.next() else {
        return Err(vec![ConfigError::of_file(name, msg!("file-no-top"))]);
    };
    let mut mistakes = Vec::new();
    if blocks.next().is_some() {
        mistakes.push(ConfigError::of_line(name, line_of("parameters", 1).0, msg!("file-top-twice")));
    }
    for other in outer.others {
        let problem = msg!("file-outside", key = key_shown(&other));
        mistakes.push(ConfigError::of_line(name, line_of(&other, 0).0, problem));
    }

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (key, value) in pairs.0 {
        let Some(key) = scalar(&key) else {
            mistakes.push(ConfigError::of_file(name, msg!("file-name-no-text")));
            continue;
        };
        let times = seen.entry(key.clone()).or_insert(0);
        let (line, rest) = line_of(&key, *times);
        if *times > 0 {
            let problem = msg!("setting-twice", first = line_of(&key, 0).0);
            mistakes.push(ConfigError::of_key(format!("{name}:{line}"), &key_shown(&key), problem));
        }
        *times = times.saturating_add(1);
        found.push(SettingEntry { key, value: as_written(value, rest), line });
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// Returns a setting's name in a form that is safe to show: a malformed line could have made a secret part of it.
pub(super) fn key_shown(key: &str) -> String {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if key.len() <= 60 && key.chars().all(harmless) {
        quote_value(key)
    } else {
        "a name that no setting has".to_owned()
    }
}

/// Returns the text of a scalar; `None` for lists, maps and null.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

/// Returns access to the scalar values of a map whose fields are all in `allowed`.
pub(super) fn known_fields(map: &Mapping, allowed: &[&str]) -> Result<impl Fn(&str) -> Option<String>, Message> {
    for (name, value) in map {
        let known = name.as_str().is_some_and(|name| allowed.contains(&name));
        if !known || matches!(value, Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_)) {
            return Err(msg!("map-unknown", allowed = allowed.join(", ")));
        }
    }
    Ok(move |name: &str| map.get(name).and_then(scalar).filter(|text| !text.trim().is_empty()))
}

/// Restores the text after the key for numbers and truth values.
fn as_written(value: Value, rest: &str) -> Value {
    let Some(text) = scalar(&value) else { return value };
    let written = rest.split(" #").next().unwrap_or_default().trim();
    let same = serde_yaml::from_str::<Value>(written).is_ok_and(|read| read == value);
    Value::String(if same && !value.is_string() { written.to_owned() } else { text })
}

/// Maps every word at the position of a key to its lines, each with the text after the colon.
fn key_lines(text: &str) -> BTreeMap<&str, Vec<(usize, &str)>> {
    let mut lines: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let content = content.trim_start();
        let pair = match content.chars().next() {
            Some(quote @ ('\'' | '"')) => content
                .strip_prefix(quote)
                .and_then(|rest| rest.split_once(quote))
                .and_then(|(key, rest)| Some((key, rest.trim_start().strip_prefix(':')?))),
            _ => content
                .split_once(": ")
                .or_else(|| content.trim_end().strip_suffix(':').map(|key| (key, "")))
                .map(|(key, rest)| (key.trim_end(), rest)),
        };
        if let Some((key, rest)) = pair {
            lines.entry(key).or_default().push((line, rest));
        }
    }
    lines
}
