//! The rules of the source: unique names of types, short functions, summaries of the documentation, and plain words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::source::{SourceFile, is_for_tests};

/// Upper bound on the lines of a function, from its name to its closing brace.
const MAX_FUNCTION_LINES: usize = 70;

/// First words that a summary must not have.
const FORBIDDEN_STARTS: [&str; 9] = ["What", "How", "Whether", "Why", "Where", "Which", "Of", "True where", "The same"];

/// Words of the dialect that texts for users avoid.
const OLD_WORDS: [&str; 12] = [
    "anew",
    "whoever",
    "nobody",
    "nobody's",
    "lies",
    "behind",
    "told",
    "said",
    "mend",
    "mends",
    "mended",
    "in place of",
];

/// Upper bound on the words of the dialect in all texts for users.
const MAX_OLD_WORDS: usize = 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the source of the program and of its tests.
fn all_files() -> Vec<SourceFile> {
    let mut files = SourceFile::all("src");
    files.extend(SourceFile::all("tests"));
    files
}

/// A collector of the types that a file defines outside its tests.
#[derive(Default)]
struct TypeNames(Vec<String>);

impl TypeNames {
    fn add(&mut self, attributes: &[syn::Attribute], name: &syn::Ident) {
        if !is_for_tests(attributes) {
            self.0.push(name.to_string());
        }
    }
}

impl<'code> Visit<'code> for TypeNames {
    fn visit_item_struct(&mut self, item: &'code syn::ItemStruct) {
        self.add(&item.attrs, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'code syn::ItemEnum) {
        self.add(&item.attrs, &item.ident);
    }

    fn visit_item_trait(&mut self, item: &'code syn::ItemTrait) {
        self.add(&item.attrs, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'code syn::ItemType) {
        self.add(&item.attrs, &item.ident);
    }

    fn visit_item_fn(&mut self, item: &'code syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'code syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

#[test]
fn no_two_types_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in SourceFile::all("src") {
        if file.is_test() || file.path.starts_with("src/sandbox") || file.path.starts_with("src/build") {
            continue;
        }
        let mut names = TypeNames::default();
        names.visit_file(&file.content);
        for name in names.0 {
            places.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(places.len() > 500, "only {} types were found", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// Indexes are constants, and a record lists them: the store maintains no other.
#[test]
fn every_index_is_listed() {
    let mut found = 0;
    for file in SourceFile::all("src").into_iter().filter(|file| !file.is_test()) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file.path)).unwrap();
        for record in text.split("\nimpl ").filter(|part| part.contains(": Index<Self, ")) {
            let of = record.split_whitespace().next().unwrap();
            let listing = format!("impl Record for {of} {{");
            let listed = text.split_once(&listing).map(|(_, listed)| listed);
            let listed = listed.unwrap_or_else(|| panic!("{}: no {listing}", file.path));
            let listed = listed.split_once("\n}\n").unwrap().0;
            for constant in record.split("const ").skip(1).filter(|part| part.contains(": Index<Self, ")) {
                let name = constant.split_once(':').unwrap().0;
                let names = [",", "]"].map(|end| format!("&Self::{name}{end}"));
                assert!(
                    names.iter().any(|name| listed.contains(name)),
                    "{}: {of}::{name} is not in INDEXES",
                    file.path
                );
                found += 1;
            }
        }
    }
    assert!(found > 50, "only {found} indexes were found");
}

/// A collector of functions that are too long.
#[derive(Default)]
struct LongFunctions(Vec<(String, usize)>);

impl LongFunctions {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.brace_token.span.close().end().line + 1 - signature.fn_token.span.start().line;
        if lines > MAX_FUNCTION_LINES {
            self.0.push((signature.ident.to_string(), lines));
        }
    }
}

impl<'code> Visit<'code> for LongFunctions {
    fn visit_item_fn(&mut self, item: &'code syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'code syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let long = all_files().into_iter().filter_map(|file| {
        let mut functions = LongFunctions::default();
        functions.visit_file(&file.content);
        (!functions.0.is_empty()).then_some((file.path, functions.0))
    });
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Returns the first line of each comment of the documentation, with its number.
fn summaries(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        if let Some(comment) = comment.filter(|_| !inside) {
            found.push((number + 1, comment.trim()));
        }
        inside = comment.is_some();
    }
    found
}

#[test]
fn summaries_begin_with_a_verb_or_a_noun() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in all_files() {
        let text = fs::read_to_string(root().join(&file.path)).unwrap();
        for (line, summary) in summaries(&text) {
            seen += 1;
            let forbidden = |word: &&str| {
                summary.strip_prefix(*word).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
            };
            if FORBIDDEN_STARTS.iter().any(forbidden) {
                wrong.push(format!("{}:{line}: {summary}", file.path));
            }
        }
    }
    assert!(seen > 5_000, "only {seen} summaries were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A collector of constants that bound something, by their names.
#[derive(Default)]
struct Constants(Vec<String>);

impl<'code> Visit<'code> for Constants {
    fn visit_item_const(&mut self, item: &'code syn::ItemConst) {
        self.0.push(item.ident.to_string());
    }
}

#[test]
fn limits_are_named_by_the_rule() {
    let wrong_start = ["MOST_", "LONGEST", "LARGEST", "SHORTEST", "SMALLEST", "FEWEST", "LEAST"];
    let wrong_end = ["_AT_MOST", "_WITHIN", "_EVERY", "_KEPT_FOR"];
    let wrong = |name: &String| {
        wrong_start.iter().any(|word| name.starts_with(word)) || wrong_end.iter().any(|word| name.ends_with(word))
    };
    let mut found = Vec::new();
    for file in all_files() {
        let mut constants = Constants::default();
        constants.visit_file(&file.content);
        found.extend(constants.0.into_iter().filter(wrong).map(|name| format!("{}: {name}", file.path)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_are_of_a_size_to_read() {
    let mut lines: Vec<usize> = SourceFile::all("src")
        .iter()
        .map(|file| fs::read_to_string(root().join(&file.path)).unwrap().lines().count())
        .collect();
    lines.sort_unstable();
    let (median, ninth) = (lines[lines.len() / 2], lines[lines.len() * 9 / 10]);
    assert!(median <= 150 && ninth <= 400, "median {median} lines, nine tenths up to {ninth}");
}

fn files_below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files_below(&path, extension, found);
        } else if path.extension().is_some_and(|kind| kind == extension) {
            found.push(path);
        }
    }
}

/// Returns the documents: those at the root and those in `docs`.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(&root().join("docs"), "md", &mut found);
    for name in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        found.push(root().join(name));
    }
    found
}

/// Returns the files that a document links to, relative links alone.
fn links(document: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(document).unwrap();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let relative = targets.map(|target| target.split('#').next().unwrap()).filter(|target| {
        !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") && !target.contains(' ')
    });
    relative.map(|target| document.parent().unwrap().join(target)).collect()
}

#[test]
fn every_link_of_a_document_resolves_and_every_document_is_reached() {
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    let mut wanted = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut broken = Vec::new();
    while let Some(document) = wanted.pop() {
        let document = document.canonicalize().unwrap();
        if !reached.insert(document.clone()) {
            continue;
        }
        for target in links(&document) {
            match target.canonicalize() {
                Ok(target) if target.extension().is_some_and(|kind| kind == "md") => wanted.push(target),
                Ok(_) => {}
                Err(_) => broken.push(format!("{} links to {}", document.display(), target.display())),
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    let missing: Vec<_> =
        documents().into_iter().filter(|document| !reached.contains(&document.canonicalize().unwrap())).collect();
    assert!(missing.is_empty(), "no document links to {missing:#?}");
}

/// Returns the texts that users read: English messages, help of the commands, and documents.
fn texts_for_users() -> Vec<(String, String)> {
    let mut files = documents();
    files.retain(|path| !path.ends_with("CHANGELOG.md"));
    files_below(&root().join("ui/locales/en"), "ftl", &mut files);
    let mut texts: Vec<(String, String)> = files
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            // The keys of messages are names, and code in documents is code.
            let of_messages = path.extension().is_some_and(|kind| kind == "ftl");
            let text = if of_messages {
                text.lines()
                    .filter_map(|line| line.split_once('='))
                    .map(|(_, text)| text)
                    .collect::<Vec<_>>()
                    .join("\n")
            } else {
                text.split('`').step_by(2).collect::<Vec<_>>().join(" ")
            };
            (path.display().to_string(), text)
        })
        .collect();
    for file in ["src/cli/mod.rs", "src/cli/demo/mod.rs"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let help = text.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
        texts.push((file.to_owned(), help.collect::<Vec<_>>().join("\n")));
    }
    texts
}

#[test]
fn texts_are_written_in_plain_words() {
    let mut found = Vec::new();
    for (place, text) in texts_for_users() {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'').collect();
        let joined = format!(" {} ", words.join(" "));
        for word in OLD_WORDS {
            let count = joined.matches(&format!(" {word} ")).count();
            if count > 0 {
                found.push(format!("{place}: {word}, {count}"));
            }
        }
    }
    let count: usize = found.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert!(count <= MAX_OLD_WORDS, "{count} words of the old dialect: {found:#?}");
}
