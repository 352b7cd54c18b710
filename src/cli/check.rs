//! `cashout check`: finds problems before money depends on it, and their remedies.

use std::io::{BufRead, IsTerminal};

use axum::http::Method;
use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{notice, print, print_json};
use super::{CheckArgs, Exit, Failed, Global, owner, runtime};
use crate::admin::check::{self, Findings};
use crate::jobs::{Binding, Bound, Context, RebindEffect, rebind};
use crate::text::message::{Message, msg};
use crate::web::{CheckFinding, CheckResult};

pub(super) fn run(global: &Global, arguments: &CheckArgs) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let settled = read_settings(global)?;
    let mut findings = Findings::default();
    findings.add_success(msg!("checked-configuration"), Message::quoting(global.config.display().to_string()));
    let (mut confirmed, mut through_service) = (true, Vec::new());
    match settled.connect(global)? {
        Reached::Service(_) if arguments.rebind => {
            let sentence = "the cashout service is running with the settings from its start; stop it, run `cashout \
                            check --rebind` with the new ones, and start it again";
            return Err(Failed::new(Exit::Busy, sentence));
        }
        Reached::Service(service) => {
            let body = json!({ "offline": arguments.offline });
            let checked: CheckResult = runtime()?.block_on(service.call(Method::POST, "/check", Some(&body)))?;
            let (folder, version) = (global.data.display().to_string(), checked.version);
            findings.add_success(msg!("checked-store"), msg!("check-through-service", folder, version));
            through_service = checked.findings;
        }
        Reached::Store(context) => {
            findings.add_success(msg!("checked-store"), Message::quoting(global.data.display().to_string()));
            let looked = runtime()?.block_on(async {
                confirmed = !arguments.rebind || rebind_if_confirmed(&context, arguments.yes).await?;
                Ok::<_, Failed>(check::run_checks(&context, arguments.offline).await?)
            })?;
            findings.0.extend(looked.0);
            if !confirmed {
                findings.add_defect(check::binding(), msg!("check-not-rebound"));
            }
            close(global, *context)?;
        }
    }
    let mut findings: Vec<CheckFinding> = findings.0.into_iter().map(CheckFinding::from).collect();
    findings.extend(through_service);
    print_checks(&findings, global.json)?;
    let all_ok = findings.iter().all(|finding| finding.ok);
    Ok(if all_ok && confirmed { Exit::Done } else { Exit::Failures })
}

/// Binds a store of another installation to the configured one; returns false if a person declined.
async fn rebind_if_confirmed(context: &Context, yes: bool) -> Result<bool, Failed> {
    if let Bound::Foreign(known) = Binding::compare(context).await? {
        let differences = known.differences(&Binding::of(&context.config)).join("\n  ");
        let effect = Message::from(&RebindEffect::of(context).await?);
        if !yes && !confirm(&differences, &effect)? {
            return Ok(false);
        }
        rebind(context).await?;
        notice(&format!("the store is now bound to what the configuration names; {effect}"));
    }
    Ok(true)
}

fn confirm(differences: &str, effect: &Message) -> Result<bool, Failed> {
    notice(&format!(
        "The store belongs to another installation:\n  {differences}\nIts operations would be paid through the \
         configured one from now on: {effect}. Continue? [y/N]"
    ));
    if !std::io::stdin().is_terminal() {
        notice("there is no terminal to confirm on; add --yes to confirm");
        return Ok(false);
    }
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn print_checks(findings: &[CheckFinding], json: bool) -> Result<(), Failed> {
    if json {
        return print_json(&json!({ "ok": findings.iter().all(|finding| finding.ok), "findings": findings }));
    }
    for finding in findings {
        let mark = match finding {
            CheckFinding { ok: false, .. } => "WRONG",
            CheckFinding { warning: true, .. } => "WARN ",
            CheckFinding { .. } => "ok   ",
        };
        print(&format!("{mark}  {:<18}  {}", finding.what, finding.detail))?;
    }
    Ok(())
}
