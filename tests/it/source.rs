//! The source text of the program, parsed, for the tests that hold its rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// One file of Rust source.
pub(crate) struct SourceFile {
    /// Its path from the root of the repository.
    pub(crate) path: String,
    /// The module that it is, from the crate's root: `["domain", "money"]`.
    pub(crate) module: Vec<String>,
    /// Its parsed content.
    pub(crate) content: syn::File,
    modules: BTreeSet<Vec<String>>,
}

/// A module named in another module.
pub(crate) struct Import {
    /// Path of the file that imports.
    pub(crate) file: String,
    /// Path of the file that is imported.
    pub(crate) target: String,
    /// The importing module.
    pub(crate) from: Vec<String>,
    /// The imported module.
    pub(crate) to: Vec<String>,
}

/// Returns the path of a module as it is written in code.
pub(crate) fn module_name(path: &[String]) -> String {
    path.join("::")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
}

/// Returns the module of the file at `path` below its source folder; `lib.rs`, `main.rs` and `build.rs` are the root.
fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let roots: &[&str] = if module.len() == 1 { &["lib", "main", "build"] } else { &["mod"] };
    if module.last().is_some_and(|name| roots.contains(&name.as_str())) {
        module.pop();
    }
    module
}

impl SourceFile {
    /// Returns all files below `folder` of the repository, by path.
    ///
    /// # Panics
    ///
    /// Panics if a file is not valid Rust.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let folder = root().join(folder);
        let mut paths = Vec::new();
        rust_files(&folder, &mut paths);
        paths.sort();
        let modules: BTreeSet<_> = paths.iter().map(|path| module_of(path.strip_prefix(&folder).unwrap())).collect();
        let parsed = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            Self {
                path: path.strip_prefix(root()).unwrap().display().to_string(),
                module: module_of(path.strip_prefix(&folder).unwrap()),
                content: syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
                modules: modules.clone(),
            }
        };
        paths.iter().map(parsed).collect()
    }

    /// Returns true for a file of unit tests.
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }

    /// Returns each module of the crate that this file uses outside its tests, once.
    pub(crate) fn imports(&self) -> Vec<Import> {
        let mut names = Names { module: self.module.clone(), found: BTreeSet::new() };
        names.visit_file(&self.content);
        let known = |path: &[String]| {
            let mut path = path.to_vec();
            while !path.is_empty() && !self.modules.contains(&path) {
                path.pop();
            }
            path
        };
        let targets: BTreeSet<Vec<String>> = names.found.iter().map(|path| known(path)).collect();
        let file_of = |module: &[String]| {
            let path = format!("src/{}", module.join("/"));
            let one = format!("{path}.rs");
            if root().join(&one).exists() { one } else { format!("{path}/mod.rs") }
        };
        let import =
            |to: Vec<String>| Import { file: self.path.clone(), target: file_of(&to), from: self.module.clone(), to };
        targets.into_iter().filter(|to| !to.is_empty()).map(import).collect()
    }
}

/// Returns true if one of the attributes is `#[cfg(test)]`.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|flag| flag.is_ident("test"))
    })
}

/// A collector of the absolute paths that code uses.
struct Names {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Names {
    /// Adds a path as it is written: `crate::…` and `super::…` are resolved; other paths refer to no other module.
    fn add(&mut self, written: &[String]) {
        let mut path = match written.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for part in written {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => {
                    path.pop();
                }
                name => path.push(name.to_owned()),
            }
        }
        self.found.insert(path);
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, before)),
            syn::UseTree::Name(syn::UseName { ident }) | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                before.push(ident.to_string());
                self.add(before);
                before.pop();
            }
            syn::UseTree::Glob(_) => self.add(before),
        }
    }

    /// Adds the paths within a macro, whose content is not parsed.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            if matches!(&token, TokenTree::Punct(sign) if sign.as_char() == ':') {
                colons += 1;
                continue;
            }
            let goes_on = colons == 2 && matches!(token, TokenTree::Ident(_));
            colons = 0;
            if !goes_on {
                self.add(&std::mem::take(&mut path));
            }
            match token {
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        self.add(&path);
    }
}

impl<'code> Visit<'code> for Names {
    fn visit_item_fn(&mut self, item: &'code syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'code syn::ItemImpl) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'code syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'code syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'code syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.add(&written);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'code syn::Macro) {
        self.add_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}
