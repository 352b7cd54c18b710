//! The exchange of two binaries, cut off at every single file operation.

use std::fs;
use std::path::Path;

use super::install_dir::{Place, digest_at};
use super::journal::{Binary, Journal, JournalState};
use super::swap::Resume;
use crate::update::status::{MAX_PAST, UpdateOutcome, UpdateReason};

/// An installation with an old release in place and a new one on the stage.
pub(super) struct Installation {
    folder: tempfile::TempDir,
    pub(super) old: Binary,
    pub(super) new: Binary,
}

impl Installation {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(folder.path().join("bin/cashout"), "the old release").unwrap();
        fs::write(folder.path().join("bin/cashout.prev"), "one that is older still").unwrap();
        let place = place(folder.path());
        stage(&place);
        let digest = |path: &Path| digest_at(path).unwrap().unwrap();
        let binary = |version: &str, path: &Path| Binary { version: version.to_owned(), digest: digest(path) };
        let (old, new) = (binary("1.0.0", &place.program), binary("1.1.0", &place.candidate()));
        Self { folder, old, new }
    }

    /// Returns the same releases in another folder.
    pub(super) fn on(&self, folder: tempfile::TempDir) -> Self {
        Self { folder, old: self.old.clone(), new: self.new.clone() }
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the place as a process sees it for the first time.
    pub(super) fn place(&self) -> Place {
        place(self.folder.path())
    }

    pub(super) fn journal(&self) -> Journal {
        Journal::new(self.old.clone(), self.new.clone(), "somebody")
    }

    /// Starts the binary in place, and whichever takes over, until all that it finds to do is done.
    pub(super) fn start(&self) -> Resume {
        let mut running = self.there();
        for _ in 0..3 {
            match self.place().recover(&running).unwrap() {
                Resume::Exec => running = self.there(),
                Resume::Work => return Resume::Work,
                Resume::Trial(journal) => return Resume::Trial(journal),
            }
        }
        panic!("the binaries replace each other endlessly");
    }

    pub(super) fn there(&self) -> String {
        digest_at(&self.place().program).unwrap().expect("there is a binary at every instant")
    }

    /// Checks a swap that was cut off: the binary in place is complete, and either goes on to its trial or is as if
    /// there had been no attempt.
    pub(super) fn is_tried_or_forgotten(&self) {
        match self.start() {
            Resume::Trial(mut journal) => {
                assert_eq!(self.there(), self.new.digest);
                let place = self.place();
                assert_eq!(digest_at(&place.previous()).unwrap().as_ref(), Some(&self.old.digest));
                place.put_back(&mut journal).unwrap();
                self.is_tidy(&[UpdateOutcome::RolledBack]);
                assert_eq!(self.there(), self.old.digest);
            }
            other @ (Resume::Work | Resume::Exec) => {
                assert_eq!((other, self.there()), (Resume::Work, self.old.digest.clone()));
                let began = !self.place().history().unwrap().is_empty();
                self.is_tidy(if began { &[UpdateOutcome::Interrupted] } else { &[] });
            }
        }
    }

    /// Returns the outcomes of the attempts in the history.
    pub(super) fn outcomes(&self) -> Vec<UpdateOutcome> {
        self.place().history().unwrap().iter().map(|past| past.outcome).collect()
    }

    /// Checks that a complete binary is in place, and that no file of an attempt is left.
    pub(super) fn is_tidy(&self, outcomes: &[UpdateOutcome]) {
        let place = self.place();
        let there = self.there();
        assert!(there == self.old.digest || there == self.new.digest, "an unknown binary");
        assert!(!place.stage().exists() && place.journal().unwrap().is_none(), "something is left");
        assert_eq!(self.outcomes(), outcomes);
        let names: Vec<_> = fs::read_dir(place.state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "history" || name.to_string_lossy().ends_with(".new")), "{names:?}");
    }
}

#[test]
fn what_was_rolled_back_is_not_forgotten_by_refusals() {
    let installation = Installation::new();
    let place = installation.place();
    let attempt = |nth: usize, outcome| {
        let mut journal = installation.journal();
        journal.began_at += jiff::SignedDuration::from_secs(i64::try_from(nth).unwrap());
        place.close(&journal, outcome).unwrap();
    };
    attempt(0, UpdateOutcome::RolledBack);
    for nth in 1..=3 * MAX_PAST {
        if nth % 5 == 0 { attempt(nth, UpdateOutcome::Interrupted) } else { attempt(nth, UpdateOutcome::Refused) }
    }
    let history = place.history().unwrap();
    assert_eq!((history.len(), history[0].outcome), (MAX_PAST, UpdateOutcome::RolledBack));
    for nth in 1..=MAX_PAST {
        attempt(nth, UpdateOutcome::Committed);
    }
    let history = place.history().unwrap();
    assert_eq!(history.len(), MAX_PAST);
    assert!(history.iter().all(|past| past.outcome == UpdateOutcome::Committed));
}

/// Puts the new release on the stage.
pub(super) fn stage(place: &Place) {
    place.make_stage().unwrap();
    fs::write(place.candidate(), "the new release").unwrap();
    place.prepare_candidate().unwrap();
}

fn place(folder: &Path) -> Place {
    Place::new(folder.join("bin/cashout"), folder.join("state"))
}

/// Runs `what` with a process that dies at the first point, at the second, and so on, until it completes; runs `then`
/// after each.
fn cut_off_everywhere(what: impl Fn(&Installation, &Place) -> std::io::Result<()>, then: impl Fn(&Installation)) {
    for point in 0.. {
        let installation = Installation::new();
        let place = installation.place();
        place.trap.fails_at(point);
        let done = what(&installation, &place).is_ok();
        then(&installation);
        if done {
            assert!(point > 8, "there are only {point} points");
            return;
        }
    }
}

#[test]
fn a_swap_that_is_cut_off_anywhere_leaves_a_whole_binary_and_is_tried_or_forgotten() {
    cut_off_everywhere(
        |installation, place| place.swap(&mut installation.journal()),
        Installation::is_tried_or_forgotten,
    );
}

#[test]
fn a_way_back_that_is_cut_off_anywhere_is_gone_to_its_end() {
    cut_off_everywhere(
        |installation, place| {
            let mut journal = installation.journal();
            installation.place().swap(&mut journal).unwrap();
            journal.reason = Some(UpdateReason::new("not_well", "it is not well"));
            place.put_back(&mut journal)
        },
        |installation| {
            if let Resume::Trial(mut journal) = installation.start() {
                // It was cut off before it had recorded its intent: the trial begins again, and fails again.
                installation.place().put_back(&mut journal).unwrap();
            }
            assert_eq!(installation.there(), installation.old.digest);
            assert_eq!(installation.start(), Resume::Work);
            installation.is_tidy(&[UpdateOutcome::RolledBack]);
        },
    );
}

#[test]
fn a_commit_that_is_cut_off_anywhere_stays_one_or_is_tried_again() {
    cut_off_everywhere(
        |installation, place| {
            let mut journal = installation.journal();
            installation.place().swap(&mut journal).unwrap();
            place.write(&mut journal, JournalState::GuardTrial)?;
            place.write(&mut journal, JournalState::Committed)?;
            place.close(&journal, UpdateOutcome::Committed)
        },
        |installation| {
            if let Resume::Trial(journal) = installation.start() {
                assert!(journal.tries == 1);
                installation.place().close(&journal, UpdateOutcome::Committed).unwrap();
            }
            assert_eq!(installation.there(), installation.new.digest);
            installation.is_tidy(&[UpdateOutcome::Committed]);
        },
    );
}

#[test]
fn a_trial_that_is_cut_off_again_and_again_ends_with_the_old_release() {
    let installation = Installation::new();
    installation.place().swap(&mut installation.journal()).unwrap();
    for tries in 1..=2 {
        match installation.start() {
            Resume::Trial(journal) => assert_eq!(journal.tries, tries),
            other @ (Resume::Work | Resume::Exec) => panic!("{other:?}"),
        }
    }
    assert_eq!(installation.start(), Resume::Work);
    assert_eq!(installation.there(), installation.old.digest);
    installation.is_tidy(&[UpdateOutcome::RolledBack]);
}

#[test]
fn the_old_release_lets_the_new_one_start_twice_and_then_takes_its_place_back() {
    let installation = Installation::new();
    assert_eq!(installation.place().rescue().unwrap(), None);
    installation.place().swap(&mut installation.journal()).unwrap();
    for _ in 0..2 {
        assert_eq!(installation.place().rescue().unwrap(), None);
        assert_eq!(installation.there(), installation.new.digest);
    }
    let said = installation.place().rescue().unwrap().unwrap();
    assert_eq!(said, "1.1.0 did not come up; 1.0.0 is back");
    assert_eq!((installation.there(), installation.start()), (installation.old.digest.clone(), Resume::Work));
    installation.is_tidy(&[UpdateOutcome::RolledBack]);
    assert_eq!(installation.place().rescue().unwrap(), None);
}

#[test]
fn what_somebody_has_put_in_place_by_hand_stays() {
    let installation = Installation::new();
    let place = installation.place();
    place.swap(&mut installation.journal()).unwrap();
    fs::write(&place.program, "another release").unwrap();
    let mine = digest_at(&place.program).unwrap().unwrap();
    assert_eq!(place.recover(&mine).unwrap(), Resume::Work);
    assert_eq!(fs::read_to_string(&place.program).unwrap(), "another release");
    assert_eq!(place.history().unwrap().last().unwrap().outcome, UpdateOutcome::Interrupted);
}

#[test]
fn a_line_of_the_history_that_was_cut_off_costs_no_other() {
    let installation = Installation::new();
    let place = installation.place();
    let mut journal = installation.journal();
    place.close(&journal, UpdateOutcome::Refused).unwrap();
    place.close(&journal, UpdateOutcome::Refused).unwrap();
    let path = place.state.join("history");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{{\"from\":\"1.")).unwrap();
    journal.began_at += jiff::SignedDuration::from_secs(1);
    place.close(&journal, UpdateOutcome::Committed).unwrap();
    assert_eq!(installation.outcomes(), [UpdateOutcome::Refused, UpdateOutcome::Committed]);
}
