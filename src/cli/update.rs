//! `cashout app:update`: through the running service, whose guard exchanges the binary.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::http::Method;
use semver::Version;
use serde_json::json;

use super::connect::read_settings;
use super::guard::state_folder;
use super::output::{notice, print, print_json, table};
use super::service_client::ServiceClient;
use super::{Exit, Failed, Global, UpdateArgs, owner, runtime};
use crate::config::EXAMPLE;
use crate::platform::release;
use crate::update::force::{Insistence, Insisting};
use crate::update::running;
use crate::update::status::{PastUpdate, UpdateOutcome, UpdateStatus, UpdateStep};
use crate::update::{ReleaseRequest, Releases};

/// Time limit of an update, starting with its package.
const UPDATE_TIMEOUT: Duration = Duration::from_mins(30);
/// Maximum silence of an update: longer than an exchange, and than an old release takes to come back.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);
/// Interval between looks at the progress.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn run(
    global: &Global,
    arguments: UpdateArgs,
    insists: bool,
    guard_state: Option<&PathBuf>,
) -> Result<Exit, Failed> {
    if let Some(_insisting) = prove_force(global, &arguments, insists, guard_state)? {
        return owner::run_as_owner_of(&global.data);
    }
    owner::become_owner_of(&global.data)?;
    // A mistake in the settings is reported before anything is requested.
    read_settings(global)?;
    let wanted = if arguments.check {
        ReleaseRequest::Check
    } else if arguments.history {
        ReleaseRequest::Look
    } else if arguments.rollback {
        ReleaseRequest::Return
    } else if let Some(path) = arguments.package {
        let version = version_of(&path)?;
        let path = std::path::absolute(&path)?;
        ReleaseRequest::Package { path, version, insists }
    } else {
        ReleaseRequest::Install { version: arguments.wanted, insists }
    };
    runtime()?.block_on(async {
        let before = request(global, ReleaseRequest::Look).await?;
        let told = request(global, wanted.clone()).await?;
        match wanted {
            ReleaseRequest::Look => history(&told, global.json),
            ReleaseRequest::Check => newer(&told, global.json),
            ReleaseRequest::Install { .. } | ReleaseRequest::Package { .. } | ReleaseRequest::Return => {
                if let Some(sentence) = told.obstacle.or(told.known.impossible.map(|reason| reason.sentence)) {
                    return Err(Failed::new(Exit::Failures, sentence));
                }
                follow_attempt(global, &before.known).await
            }
        }
    })
}

/// Runs `cashout app:verify`: checks a package against the keys that are compiled into this release.
pub(super) fn verify(package: &Path, not_older: bool, json: bool) -> Result<Exit, Failed> {
    if release::keys().is_empty() {
        return Err(Failed::new(Exit::Usage, "this build has no key to check a release with; compare its checksum"));
    }
    let version = version_of(package)?;
    let name = package.file_name().unwrap_or_default().display();
    let unreadable = |error| Failed::new(Exit::Machine, format!("{} cannot be read: {error}", package.display()));
    std::fs::File::open(package).map_err(unreadable)?;
    let ours = release::version();
    self_update::verify_signature(package, release::keys()).map_err(|_| {
        let sentence = format!(
            "{name} is not signed by a key that cashout {ours} trusts, for this name: it was changed in transit, \
             signed by someone else, or belongs to another release"
        );
        Failed::new(Exit::Failures, sentence)
    })?;
    if not_older && version.parse::<Version>().is_ok_and(|version| version < running()) {
        let sentence =
            format!("{name} is older than cashout {ours}, which is installed: name its version to go back to it");
        return Err(Failed::new(Exit::Failures, sentence));
    }
    if json {
        print_json(&json!({ "package": name.to_string(), "verified": true }))?;
    } else {
        print(&format!("{name} is signed by a key that cashout {ours} trusts"))?;
    }
    Ok(Exit::Done)
}

/// Runs `cashout app:file`: files installed next to the binary come out of it, since only the binary is signed.
pub(super) fn own_file(name: &str) -> Result<Exit, Failed> {
    let text = match name {
        "cashout.service" => include_str!("../../packaging/cashout.service"),
        "parameters.yml" => EXAMPLE,
        _ => return Err(Failed::new(Exit::Usage, format!("no file {name} belongs to a release"))),
    };
    print(text.trim_end_matches('\n'))?;
    Ok(Exit::Done)
}

/// Proves to a root guard that root insists on the update. Returns `None` for a guard of the worker's own user,
/// which needs no proof.
fn prove_force(
    global: &Global,
    arguments: &UpdateArgs,
    insists: bool,
    guard_state: Option<&PathBuf>,
) -> Result<Option<Insisting>, Failed> {
    let (true, Some(user)) = (insists || arguments.rollback, owner::worker_user(&global.data)) else {
        return Ok(None);
    };
    let state = state_folder(guard_state, Some(user), &global.data);
    if !state.is_dir() {
        // There was never a guard of root's here: the guard runs as the owner and needs no proof.
        return Ok(None);
    }
    let version = |text: &str| {
        let unreadable = |_| Failed::new(Exit::Usage, format!("{text} is not a version; allowed: such as 1.2.3"));
        text.parse().map(Insistence::Version).map_err(unreadable)
    };
    let wanted = match (&arguments.package, &arguments.wanted) {
        _ if arguments.rollback => Insistence::Previous,
        (Some(path), _) => version(&version_of(path)?)?,
        (None, Some(wanted)) => version(wanted)?,
        (None, None) => Insistence::Newest,
    };
    wanted.write_order(&state).map(Some).map_err(|error| {
        if error.kind() == std::io::ErrorKind::WouldBlock {
            return Failed::new(Exit::Busy, "another app:update with --insist is running; wait for its end");
        }
        Failed::new(Exit::Machine, format!("the guard cannot be reached through {}: {error}", state.display()))
    })
}

/// Returns the version in a package's name.
fn version_of(path: &Path) -> Result<String, Failed> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = format!("-{}.tar.gz", release::TARGET);
    let version = name.strip_prefix("cashout-").and_then(|rest| rest.strip_suffix(&ending));
    version.map(str::to_owned).ok_or_else(|| {
        let sentence = format!(
            "{name} is not the name of a package for this machine; allowed: cashout-VERSION{ending}, the name that is \
             signed"
        );
        Failed::new(Exit::Usage, sentence)
    })
}

async fn request(global: &Global, wanted: ReleaseRequest) -> Result<Releases, Failed> {
    let Some(service) = ServiceClient::find(global) else {
        let data = global.data.display();
        let sentence =
            format!("no cashout service is running on {data}; start it, since its guard replaces the binary");
        return Err(Failed::new(Exit::Machine, sentence));
    };
    service.call(Method::POST, "/update/request", Some(&json!(wanted))).await
}

/// Follows the attempt that began after `before` to its end, even through the exchange, during which the
/// service briefly does not answer.
async fn follow_attempt(global: &Global, before: &UpdateStatus) -> Result<Exit, Failed> {
    let deadline = Instant::now() + UPDATE_TIMEOUT;
    let (mut shown, mut heard) = (0, Instant::now());
    let earlier = before.past.first().map(|past| past.began_at);
    while Instant::now() < deadline {
        if let Ok(told) = request(global, ReleaseRequest::Look).await {
            if let Some(attempt) = &told.known.attempt {
                heard = Instant::now();
                for taken in attempt.steps.iter().skip(shown).filter(|_| !global.json) {
                    notice(in_words(taken.step));
                }
                shown = attempt.steps.len().max(shown);
            }
            let latest = told.known.past.first().filter(|past| Some(past.began_at) != earlier);
            if let Some(past) = latest.filter(|_| told.known.attempt.is_none()) {
                return ended(past, global.json);
            }
        }
        if heard.elapsed() > SILENCE_LIMIT {
            let sentence = "the update no longer answers: the service was stopped before it began, or does not start; \
                            check app:update --history, and try again";
            return Err(Failed::new(Exit::Machine, sentence));
        }
        // The answering process changes during an update, so a subscription is not possible.
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
    Err(Failed::new(Exit::Machine, "the update did not end in time; check app:update --history"))
}

fn in_words(step: UpdateStep) -> &'static str {
    match step {
        UpdateStep::Verify => "verifying the package",
        UpdateStep::Preflight => "checking the new release",
        UpdateStep::BackUp => "copying the store",
        UpdateStep::Drain => "pausing batches",
        UpdateStep::Swap => "switching over",
        UpdateStep::Trial => "running the trial of the new release",
        UpdateStep::GuardTrial => "letting the new release take over",
        UpdateStep::RollBack => "restoring the previous release",
        UpdateStep::Other => "continuing",
    }
}

fn ended(past: &PastUpdate, json: bool) -> Result<Exit, Failed> {
    let (from, to) = (&past.from, &past.to);
    let reason = past.reason.as_ref().map_or("", |reason| reason.sentence.as_str());
    if json {
        print_json(&json!(past))?;
    } else {
        match past.outcome {
            UpdateOutcome::Committed => print(&format!("updated from {from} to {to}"))?,
            UpdateOutcome::RolledBack => print(&format!("{to} failed its trial, and {from} runs again: {reason}"))?,
            UpdateOutcome::Refused | UpdateOutcome::Interrupted | UpdateOutcome::Other => {
                print(&format!("no update to {to}: {reason}"))?;
            }
        }
        for line in &past.lines {
            print(&format!("  {line}"))?;
        }
    }
    Ok(if past.outcome == UpdateOutcome::Committed { Exit::Done } else { Exit::Failures })
}

fn newer(told: &Releases, json: bool) -> Result<Exit, Failed> {
    if json {
        print_json(&json!({ "version": told.version, "newer": told.newer, "obstacle": told.obstacle }))?;
    } else if let Some(obstacle) = &told.obstacle {
        print(obstacle)?;
    } else if told.newer.is_empty() {
        print(&format!("{} is the newest release", told.version))?;
    } else {
        print(&format!("{} is running; newer: {}", told.version, told.newer.join(", ")))?;
    }
    Ok(if told.obstacle.is_some() { Exit::Failures } else { Exit::Done })
}

fn history(told: &Releases, json: bool) -> Result<Exit, Failed> {
    let past = &told.known.past;
    if json {
        print_json(&json!({ "version": told.version, "updates": past }))?;
    } else if past.is_empty() {
        print(&format!("{} is running; no updates yet", told.version))?;
    } else {
        let rows: Vec<Vec<String>> = past.iter().map(row).collect();
        print(&table(&["When", "From", "To", "Requested by", "Outcome", "Reason"], &rows, &[]))?;
    }
    Ok(Exit::Done)
}

/// Returns a past update as a row of the history.
fn row(past: &PastUpdate) -> Vec<String> {
    let outcome = match past.outcome {
        UpdateOutcome::Committed => "done",
        UpdateOutcome::RolledBack => "rolled back",
        UpdateOutcome::Refused => "refused",
        UpdateOutcome::Interrupted => "interrupted",
        UpdateOutcome::Other => "?",
    };
    let reason = past.reason.as_ref().map(|reason| reason.sentence.clone()).unwrap_or_default();
    let at = past.began_at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    vec![at, past.from.clone(), past.to.clone(), past.asked_by.clone(), outcome.to_owned(), reason]
}
