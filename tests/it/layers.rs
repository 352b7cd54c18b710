//! The layers of `src`: a module imports what stands below it, and no circle of modules is left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers from the bottom up, each with its modules. A module imports from its own layer and from those before it.
const LAYERS: [&[&str]; 14] = [
    &["clock", "disk", "gate", "hex", "metrics", "random", "release", "secret", "sys", "telemetry"],
    &["text"],
    &[
        "attempt",
        "cycle",
        "enterprise",
        "explanation",
        "inbox",
        "label",
        "ledger",
        "money",
        "movement",
        "notification",
        "operation",
        "payment",
        "payment_kind",
        "refusal",
        "session",
        "settlement",
        "vendor",
        "voucher",
    ],
    &["config"],
    &["hipay", "lenient", "mirakl", "multipart", "remote"],
    &["store"],
    &["schema"],
    &["logs", "mail", "trouble"],
    &["jobs"],
    &["scheduler", "update"],
    &["app", "check", "setup"],
    &["socket", "web"],
    &["monitor", "serve"],
    &["cli", "sandbox"],
];

/// An import: the file, its module, and the module that it names.
struct Import {
    file: PathBuf,
    from: String,
    to: String,
}

fn layer_of(module: &str) -> usize {
    let place = LAYERS.iter().position(|layer| layer.contains(&module));
    place.unwrap_or_else(|| panic!("src/{module} is in no layer; name it in tests/it/layers.rs"))
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            source_files(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !is_test {
            files.push(path);
        }
    }
}

/// Every import of a module by another, without those of tests.
fn imports() -> Vec<Import> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    assert!(files.len() > 200, "only {} files", files.len());
    let mut imports = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap().to_owned();
        let from = path.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if ["build", "lib", "main"].contains(&from.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named: BTreeSet<String> = lines
            .flat_map(|line| line.split("crate::").skip(1))
            .map(|rest| rest.split(|sign: char| !(sign.is_alphanumeric() || sign == '_')).next().unwrap().to_owned())
            .filter(|to| !to.is_empty() && *to != from)
            .collect();
        imports.extend(named.into_iter().map(|to| Import { file: path.clone(), from: from.clone(), to }));
    }
    imports
}

#[test]
fn no_import_runs_up() {
    let up: Vec<String> = imports()
        .iter()
        .filter(|import| layer_of(&import.to) > layer_of(&import.from))
        .map(|Import { file, from, to }| {
            let (below, above) = (layer_of(from), layer_of(to));
            format!("src/{} (layer {below}) imports src/{to} (layer {above})", file.display())
        })
        .collect();
    assert!(up.is_empty(), "{up:#?}");
}

#[test]
fn no_circle_of_modules_is_left() {
    let mut imported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Import { from, to, .. } in imports() {
        imported.entry(from).or_default().insert(to);
    }
    // Whatever imports nothing that is left is taken away, again and again: a circle stays.
    loop {
        let known: BTreeSet<String> = imported.keys().cloned().collect();
        let before = known.len();
        imported.retain(|_, to| to.iter().any(|to| known.contains(to)));
        if imported.len() == before {
            break;
        }
    }
    assert!(imported.is_empty(), "these modules import each other: {imported:#?}");
}
