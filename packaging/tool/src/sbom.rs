//! The components of a binary as a `CycloneDX` document: every crate that was compiled into it or helped
//! to build it, with its licence and the checksum of its source. The same inputs give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

/// Returns the document. Reads cargo's metadata for the target from the standard input.
pub(crate) fn list(lock: &Path, rustc: &str, package: &Path) -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let metadata = serde_json::from_str(&text).map_err(|error| format!("cargo's metadata: {error}"))?;
    let lock = fs::read_to_string(lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let document = document(&metadata, &checksums(&lock), rustc, &name).ok_or("cargo's metadata is incomplete")?;
    serde_json::to_string_pretty(&document).map_err(|error| error.to_string())
}

/// Returns the checksums of `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        line.map(str::to_owned)
    };
    lock.split("[[package]]")
        .filter_map(|block| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?)))
        .collect()
}

/// Returns the packages that are reached from `root` along the given kinds of dependency.
fn reached<'a>(
    root: &'a str,
    nodes: &BTreeMap<&'a str, &'a Value>,
    follows: impl Fn(&str, Option<&str>) -> bool,
) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::from([root]), vec![root]);
    while let Some(id) = open.pop() {
        let edges = nodes.get(id).and_then(|node| node.get("deps")?.as_array()).into_iter().flatten();
        for edge in edges {
            let Some(to) = edge.get("pkg").and_then(Value::as_str) else { continue };
            let kinds = edge.get("dep_kinds").and_then(Value::as_array).into_iter().flatten();
            let mut kinds = kinds.map(|kind| kind.get("kind").and_then(Value::as_str));
            if kinds.any(|kind| follows(to, kind)) && seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

fn document(
    metadata: &Value,
    checksums: &BTreeMap<(String, String), String>,
    rustc: &str,
    package: &str,
) -> Option<Value> {
    let resolve = metadata.get("resolve")?;
    let root = resolve.get("root")?.as_str()?;
    let nodes = indexed(resolve.get("nodes")?)?;
    let packages = indexed(metadata.get("packages")?)?;
    let runs_in_compiler = |id: &str| {
        let targets = packages.get(id).and_then(|package| package.get("targets")?.as_array()).into_iter().flatten();
        let mut kinds = targets.filter_map(|target| target.get("kind")?.as_array()).flatten();
        kinds.any(|kind| kind == "proc-macro")
    };
    let contained = reached(root, &nodes, |to, kind| kind.is_none() && !runs_in_compiler(to));
    let all = reached(root, &nodes, |_, kind| kind != Some("dev"));

    let mut components = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    for id in &all {
        let found = packages.get(id)?;
        let (name, version) = (found.get("name")?.as_str()?, found.get("version")?.as_str()?);
        let scope = if contained.contains(id) { "required" } else { "excluded" };
        let mut component = json!({
            "type": if *id == root { "application" } else { "library" },
            "bom-ref": reference(found)?,
            "name": name,
            "version": version,
            "purl": reference(found)?,
            "scope": scope,
        });
        if let Some(licence) = found.get("license").and_then(Value::as_str) {
            // Older crates write a choice with a slash.
            let licence = licence.replace('/', " OR ").replace("  ", " ");
            component.as_object_mut()?.insert("licenses".to_owned(), json!([{ "expression": licence }]));
        }
        if let Some(sum) = checksums.get(&(name.to_owned(), version.to_owned())) {
            component.as_object_mut()?.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": sum }]));
        }
        components.insert(*id, component);
        let edges = nodes.get(id)?.get("deps")?.as_array()?;
        let on: BTreeSet<String> = edges
            .iter()
            .filter_map(|edge| edge.get("pkg")?.as_str())
            .filter(|to| all.contains(to))
            .filter_map(|to| reference(packages.get(to)?))
            .collect();
        dependencies.insert(reference(found)?, json!({ "ref": reference(found)?, "dependsOn": on }));
    }
    let mut this = components.remove(root)?;
    let properties =
        json!([{ "name": "cashout:package", "value": package }, { "name": "cashout:rustc", "value": rustc }]);
    this.as_object_mut()?.insert("properties".to_owned(), properties);
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": this },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    }))
}

/// Returns the objects of a list by their `id`.
fn indexed(list: &Value) -> Option<BTreeMap<&str, &Value>> {
    list.as_array()?.iter().map(|entry| Some((entry.get("id")?.as_str()?, entry))).collect()
}

/// Returns the package URL, which every tool understands.
fn reference(package: &Value) -> Option<String> {
    let (name, version) = (package.get("name")?.as_str()?, package.get("version")?.as_str()?);
    Some(format!("pkg:cargo/{name}@{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_told_from_what_only_builds_or_tests() {
        let package = |name: &str, kind: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "targets": [{ "kind": [kind] }] });
        let on = |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("it", "bin"), package("used", "lib"), package("below", "lib"), package("macro", "proc-macro"),
                package("built", "lib"), package("tried", "lib"), package("of-macro", "lib"),
            ],
            "resolve": { "root": "it", "nodes": [
                { "id": "it", "deps": [on("used", None), on("macro", None), on("built", Some("build")), on("tried", Some("dev"))] },
                { "id": "used", "deps": [on("below", None)] },
                { "id": "macro", "deps": [on("of-macro", None)] },
                { "id": "below", "deps": [] }, { "id": "built", "deps": [] }, { "id": "tried", "deps": [] },
                { "id": "of-macro", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"below\"\nversion = \"1.0.0\"\nsource = \"x\"\nchecksum = \"abc\"\n";
        let document = document(&metadata, &checksums(lock), "rustc 1", "it-1.tar.gz").unwrap();
        let scopes: BTreeMap<&str, &str> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| (component["name"].as_str().unwrap(), component["scope"].as_str().unwrap()))
            .collect();
        let wanted = [
            ("used", "required"),
            ("below", "required"),
            ("macro", "excluded"),
            ("built", "excluded"),
            ("of-macro", "excluded"),
        ];
        assert_eq!(scopes, BTreeMap::from(wanted));
        let below = document["components"].as_array().unwrap().iter().find(|it| it["name"] == "below").unwrap();
        assert_eq!(below["hashes"][0]["content"], "abc");
        assert_eq!(below["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(document["metadata"]["component"]["bom-ref"], "pkg:cargo/it@1.0.0");
    }
}
