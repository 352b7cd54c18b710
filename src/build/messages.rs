//! Reads the texts of every language and generates the list of messages with the names of their arguments. The build
//! fails if the languages differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use fluent_syntax::parser;

/// Messages with the names of their arguments.
type Messages = BTreeMap<String, BTreeSet<String>>;

/// The languages, by the names of their folders and constants.
const LANGUAGES: [(&str, &str); 2] = [("en", "ENGLISH"), ("fr", "FRENCH")];

/// Writes `messages.rs` into the build's output folder. An error names the message to correct.
pub(crate) fn compile() -> Result<(), String> {
    let mut code = String::new();
    let mut all: Vec<Messages> = Vec::new();
    for (folder, constant) in LANGUAGES {
        let files = files(&Path::new("ui/locales").join(folder), "ftl");
        all.push(read(&files)?);
        // The folder of the package is inserted by the compiler: the output may outlive a move of the source.
        let paths = files
            .iter()
            .map(|file| format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{}\")),", file.display()));
        let _ = writeln!(code, "const {constant}: &[&str] = &[{}];", paths.collect::<String>());
    }
    if let [english, french] = all.as_slice() {
        for (key, names) in english {
            if french.get(key) != Some(names) {
                return Err(format!("the message {key} is not in French with the arguments {names:?}"));
            }
        }
        if let Some(key) = french.keys().find(|key| !english.contains_key(*key)) {
            return Err(format!("the message {key} is in French alone"));
        }
        let entries =
            english.iter().map(|(key, names)| format!("({key:?}, &{names:?}),").replace('{', "[").replace('}', "]"));
        let _ = writeln!(code, "const MESSAGES: &[(&str, &[&str])] = &[{}];", entries.collect::<String>());
    }
    let place = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("messages.rs");
    std::fs::write(&place, code).map_err(|error| format!("{}: {error}", place.display()))
}

/// Returns the files of a folder with this extension, sorted; none if the folder cannot be read.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    let mut files: Vec<PathBuf> = entries.unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|known| known == extension));
    files.sort();
    files
}

/// Reads all messages of a language. Fails with the name of a file that is not valid Fluent, or of a duplicate message.
fn read(files: &[PathBuf]) -> Result<Messages, String> {
    let mut messages = Messages::new();
    let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let resource = parser::parse(text.as_str());
        let resource = resource.map_err(|(_, errors)| format!("{}: {errors:?}", file.display()))?;
        for entry in resource.body {
            let Entry::Message(message) = entry else { continue };
            let mut found = Found::default();
            if let Some(value) = &message.value {
                found.pattern(value);
            }
            let name = message.id.name.to_owned();
            references.insert(name.clone(), found.references);
            if messages.insert(name, found.arguments).is_some() {
                return Err(format!("{}: {} is there twice", file.display(), message.id.name));
            }
        }
    }
    // A message that is referenced by another one adds its arguments to it.
    for (name, references) in references {
        for reference in references {
            let arguments = messages.get(&reference).cloned();
            let arguments = arguments.ok_or_else(|| format!("{name} names {reference}, which is no message"))?;
            messages.entry(name.clone()).or_default().extend(arguments);
        }
    }
    Ok(messages)
}

/// Names in a text: of arguments, and of other messages.
#[derive(Default)]
struct Found {
    arguments: BTreeSet<String>,
    references: BTreeSet<String>,
}

impl Found {
    fn pattern(&mut self, pattern: &Pattern<&str>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                self.expression(expression);
            }
        }
    }

    fn expression(&mut self, expression: &Expression<&str>) {
        match expression {
            Expression::Inline(inline) => self.inline(inline),
            Expression::Select { selector, variants } => {
                self.inline(selector);
                for variant in variants {
                    self.pattern(&variant.value);
                }
            }
        }
    }

    fn inline(&mut self, inline: &InlineExpression<&str>) {
        match inline {
            InlineExpression::VariableReference { id } => drop(self.arguments.insert(id.name.to_owned())),
            InlineExpression::MessageReference { id, .. } => drop(self.references.insert(id.name.to_owned())),
            InlineExpression::Placeable { expression } => self.expression(expression),
            InlineExpression::FunctionReference { arguments, .. } => {
                for argument in &arguments.positional {
                    self.inline(argument);
                }
            }
            InlineExpression::StringLiteral { .. }
            | InlineExpression::NumberLiteral { .. }
            | InlineExpression::TermReference { .. } => {}
        }
    }
}
