//! Power cuts in the middle of an exchange, by which any part of the unflushed changes is lost.
//!
//! The model: the content of a file is on the disk once it was flushed, and a name (made, renamed or removed) once its
//! folder was. Until then each of these changes is present or absent, in any combination. A line that is being written
//! is present in part.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::fault_injection::DiskOperation;
use super::install_dir::Place;
use super::journal::JournalState;
use super::swap::Resume;
use super::tests::{Installation, stage};
use crate::update::status::{UpdateOutcome, UpdateReason};

/// The bytes of a file, or `None` for a folder.
type Node = Option<Vec<u8>>;
type Tree = BTreeMap<PathBuf, Node>;

/// A change of names that is made completely or not at all: the node at each path afterwards, `None` if it is gone.
type RenameSet = Vec<(PathBuf, Option<Node>)>;

/// A disk at a moment: its flushed content, and the changes that may be on it.
#[derive(Debug, Clone, Default)]
struct Disk {
    flushed: Tree,
    pending: Vec<RenameSet>,
}

/// All moments of a disk, and its current state.
#[derive(Debug, Default)]
pub(super) struct DiskRecorder {
    root: PathBuf,
    now: Disk,
    moments: Vec<Disk>,
}

impl DiskRecorder {
    /// Begins with all existing files, flushed.
    fn of(root: &Path) -> Rc<RefCell<Self>> {
        let now = Disk { flushed: tree(root), pending: Vec::new() };
        Rc::new(RefCell::new(Self { root: root.to_owned(), moments: vec![now.clone()], now }))
    }

    /// Records an operation.
    pub(super) fn takes(&mut self, operation: DiskOperation<'_>) {
        let at = |path: &Path| path.strip_prefix(&self.root).unwrap().to_owned();
        match operation {
            DiskOperation::Write(path) => {
                let bytes = fs::read(path).unwrap();
                let before = self.seen().remove(&at(path)).flatten().unwrap_or_default();
                let old = if bytes.starts_with(&before) { before.len() } else { 0 };
                let half = bytes[..old + (bytes.len() - old) / 2].to_vec();
                let name = at(path);
                // Half of the content first. If the name of the file is flushed, its content counts as flushed with it.
                for content in [half, bytes] {
                    self.now.pending.retain(|change| !matches!(&change[..], [(path, Some(_))] if *path == name));
                    let changes = self.now.pending.iter().flatten().any(|(path, _)| *path == name);
                    match self.now.flushed.get_mut(&name).filter(|_| !changes) {
                        Some(known) => *known = Some(content),
                        None => self.now.pending.push(vec![(name.clone(), Some(Some(content)))]),
                    }
                    self.moments.push(self.now.clone());
                }
            }
            DiskOperation::Rename(from, to) => {
                let content = self.seen()[&at(from)].clone();
                self.now.pending.push(vec![(at(from), None), (at(to), Some(content))]);
            }
            DiskOperation::Make(path) => self.now.pending.push(vec![(at(path), Some(None))]),
            DiskOperation::Remove(path) => {
                let gone = self.seen().into_keys().filter(|known| known.starts_with(at(path)));
                let changes: Vec<RenameSet> = gone.map(|path| vec![(path, None)]).collect();
                self.now.pending.extend(changes);
            }
            DiskOperation::Flush(folder) => {
                let folder = at(folder);
                let pending = std::mem::take(&mut self.now.pending);
                for change in pending {
                    let names = |(path, _): &(PathBuf, Option<Node>)| path.parent() == Some(&folder);
                    if change.iter().any(names) {
                        apply(&mut self.now.flushed, &change);
                    } else {
                        self.now.pending.push(change);
                    }
                }
            }
        }
        self.moments.push(self.now.clone());
    }

    /// Returns the tree that a process sees now.
    fn seen(&self) -> Tree {
        self.now.with(|_| true)
    }
}

impl Disk {
    /// Returns the tree with the pending changes that `is_there` selects.
    fn with(&self, is_there: impl Fn(usize) -> bool) -> Tree {
        let mut tree = self.flushed.clone();
        for (_, change) in self.pending.iter().enumerate().filter(|(nth, _)| is_there(*nth)) {
            apply(&mut tree, change);
        }
        // A path in an absent folder is absent too.
        let whole = tree.clone();
        tree.retain(|path, _| path.parent().is_none_or(|folder| folder == Path::new("") || whole.contains_key(folder)));
        tree
    }

    /// Returns every state that a power cut may leave.
    fn states(&self) -> Vec<Tree> {
        assert!(self.pending.len() < 10, "too much is never flushed: {:?}", self.pending);
        (0_u32..1 << self.pending.len()).map(|some| self.with(|nth| some & (1 << nth) != 0)).collect()
    }
}

fn apply(tree: &mut Tree, change: &RenameSet) {
    for (path, node) in change {
        match node {
            Some(node) => tree.insert(path.clone(), node.clone()),
            None => tree.remove(path),
        };
    }
}

fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let node = if path.is_dir() { None } else { Some(fs::read(&path).unwrap()) };
            tree.insert(path.strip_prefix(root).unwrap().to_owned(), node.clone());
            if node.is_none() {
                folders.push(path);
            }
        }
    }
    tree
}

/// Runs `what`, and then `then` with the power cut at every moment of it, each time with every part of the unflushed
/// changes.
fn power_is_cut(what: impl Fn(&Installation, &Place), then: impl Fn(&Installation)) {
    let installation = Installation::new();
    let place = installation.place();
    let film = DiskRecorder::of(installation.root());
    place.trap.film(&film);
    what(&installation, &place);
    let mut seen: Vec<Tree> = Vec::new();
    for state in film.borrow().moments.iter().flat_map(Disk::states) {
        if !seen.contains(&state) {
            then(&installation.after_a_power_cut(&state));
            seen.push(state);
        }
    }
    assert!(seen.len() > 20, "there are only {} states", seen.len());
}

impl Installation {
    /// Returns an installation of the same releases with `tree` on its disk.
    fn after_a_power_cut(&self, tree: &Tree) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, node) in tree {
            let path = folder.path().join(path);
            match node {
                None => fs::create_dir(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
        }
        self.on(folder)
    }
}

#[test]
fn a_swap_ends_in_a_whole_release_that_is_tried_or_forgotten() {
    power_is_cut(
        |installation, place| {
            let mut journal = installation.journal();
            place.write(&mut journal, JournalState::Preparing).unwrap();
            stage(place);
            place.reserve().unwrap();
            place.swap(&mut journal).unwrap();
        },
        Installation::is_tried_or_forgotten,
    );
}

#[test]
fn a_way_back_is_gone_to_its_end() {
    power_is_cut(
        |installation, place| {
            let mut journal = installation.journal();
            stage(place);
            place.reserve().unwrap();
            place.swap(&mut journal).unwrap();
            journal.reason = Some(UpdateReason::new("not_well", "it is not well"));
            place.put_back(&mut journal).unwrap();
        },
        |installation| {
            if let Resume::Trial(mut journal) = installation.start() {
                installation.place().put_back(&mut journal).unwrap();
            }
            assert_eq!(installation.there(), installation.old.digest);
            assert_eq!(installation.start(), Resume::Work);
            let outcomes = installation.outcomes();
            installation.is_tidy(&outcomes);
            assert!(outcomes.len() <= 1, "{outcomes:?}");
        },
    );
}

#[test]
fn a_commit_stays_one_or_is_tried_again() {
    power_is_cut(
        |installation, place| {
            let mut journal = installation.journal();
            stage(place);
            place.reserve().unwrap();
            place.swap(&mut journal).unwrap();
            place.write(&mut journal, JournalState::GuardTrial).unwrap();
            place.write(&mut journal, JournalState::Committed).unwrap();
            place.close(&journal, UpdateOutcome::Committed).unwrap();
        },
        |installation| {
            let resumed = installation.start();
            if let Resume::Trial(journal) = &resumed {
                installation.place().close(journal, UpdateOutcome::Committed).unwrap();
            }
            let there = installation.there();
            assert!(there == installation.old.digest || there == installation.new.digest);
            let outcomes = installation.outcomes();
            installation.is_tidy(&outcomes);
            let committed = outcomes == [UpdateOutcome::Committed];
            assert_eq!(there == installation.new.digest, committed, "{resumed:?}: {outcomes:?}");
        },
    );
}
