//! The layers of `src`: a module imports only what stands below it, and no modules import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, SourceFile, module_name};

/// The layers from the bottom up. A layer imports only the layers before it.
const LAYERS: [&str; 18] = [
    "platform",
    "text",
    "domain",
    "config",
    "remote",
    "store",
    "schema",
    "trouble",
    "logs",
    "mail",
    "jobs",
    "scheduler",
    "update",
    "admin",
    "web",
    "serve",
    "sandbox",
    "cli",
];

/// Layers that are made of independent modules; within the others, a folder is one module.
const COMPOSED: [&str; 4] = ["platform", "domain", "remote", "admin"];

/// Returns the part of a module path to which the rule against circles applies.
fn unit(path: &[String]) -> String {
    let deep = path.first().is_some_and(|layer| COMPOSED.contains(&layer.as_str()));
    path.iter().take(if deep { 2 } else { 1 }).cloned().collect::<Vec<_>>().join("::")
}

fn layer_of(path: &[String]) -> usize {
    let layer = path.first().map_or("", String::as_str);
    let place = LAYERS.iter().position(|known| *known == layer);
    place.unwrap_or_else(|| panic!("`{layer}` is in no layer; name it in tests/it/layers.rs"))
}

/// Returns every import by code other than tests, from one module into another layer or module.
fn imports() -> Vec<Import> {
    let imports: Vec<Import> = SourceFile::all("src")
        .iter()
        .filter(|file| !file.module.is_empty() && !file.path.starts_with("src/build/") && !file.is_test())
        .flat_map(SourceFile::imports)
        .filter(|import| unit(&import.from) != unit(&import.to))
        .collect();
    assert!(imports.len() > 500, "only {} imports were found", imports.len());
    imports
}

#[test]
fn no_import_runs_up() {
    let up: Vec<String> = imports()
        .iter()
        .filter(|import| layer_of(&import.to) > layer_of(&import.from))
        .map(|Import { file, target, from, to }| {
            format!("{} ({}) imports {} ({})", file, module_name(from), target, module_name(to))
        })
        .collect();
    assert!(up.is_empty(), "{up:#?}");
}

#[test]
fn no_circle_of_modules_is_left() {
    let mut imported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Import { from, to, .. } in imports() {
        imported.entry(unit(&from)).or_default().insert(unit(&to));
    }
    // A module that no longer imports a remaining module is not part of a circle.
    loop {
        let left: BTreeSet<String> = imported.keys().cloned().collect();
        for targets in imported.values_mut() {
            targets.retain(|to| left.contains(to));
        }
        imported.retain(|_, targets| !targets.is_empty());
        if imported.len() == left.len() {
            break;
        }
    }
    assert!(imported.is_empty(), "these modules import each other: {imported:#?}");
}

#[test]
fn the_models_of_the_remotes_know_nothing_of_the_program_that_they_judge() {
    let known = |import: &&Import| {
        let allowed = import.to.first().is_some_and(|layer| layer == "platform");
        allowed || module_name(&import.to).starts_with("domain::money")
    };
    let of_sandbox: Vec<Import> = imports().into_iter().filter(|import| import.from[0] == "sandbox").collect();
    let wrong: Vec<String> = of_sandbox
        .iter()
        .filter(|import| !known(import))
        .map(|import| format!("{} imports {}", import.file, module_name(&import.to)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let users: BTreeSet<String> =
        imports().into_iter().filter(|import| import.to[0] == "sandbox").map(|import| import.from[0].clone()).collect();
    assert_eq!(users, BTreeSet::from(["cli".to_owned()]));
}
