//! `cashout check`: what is wrong before money depends on it, and how to mend it.

use std::io::{BufRead, IsTerminal};

use serde_json::json;

use super::output::{notice, print, print_json};
use super::{CheckArgs, Exit, Failed, Global, close, configuration, open, owner, runtime};
use crate::hipay::ActingOn;
use crate::jobs::{Binding, Bound, Context, read_setup, rebind};
use crate::mail;
use crate::remote::CallError;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    wrong: Option<String>,
    detail: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { what, wrong: None, detail: detail.into() });
    }

    fn bad(&mut self, what: &'static str, wrong: impl Into<String>) {
        self.0.push(Finding { what, wrong: Some(wrong.into()), detail: String::new() });
    }

    fn any_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.wrong.is_some())
    }
}

pub(super) fn run(global: &Global, arguments: &CheckArgs) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let config = configuration(global)?;
    let context = open(global, config)?;
    let mut findings = Findings::default();
    findings.good("configuration", global.config.display().to_string());
    findings.good("store", global.data.display().to_string());
    let confirmed = runtime()?.block_on(async {
        let confirmed = binding(&context, arguments, &mut findings).await?;
        if !arguments.offline {
            mirakl(&context, &mut findings).await;
            hipay(&context, &mut findings).await;
            mail(&context, &mut findings).await;
        }
        Ok::<_, Failed>(confirmed)
    })?;
    tell(&findings, global.json)?;
    close(global, context)?;
    Ok(if findings.any_bad() || !confirmed { Exit::Failures } else { Exit::Done })
}

/// Whether the store belongs to what the configuration names; false where a person said no.
async fn binding(context: &Context, arguments: &CheckArgs, findings: &mut Findings) -> Result<bool, Failed> {
    let configured = Binding::of(&context.config);
    match Binding::compare(context).await? {
        Bound::Free => findings.good("binding", "the store is new and belongs to nobody yet"),
        Bound::Ours => findings.good("binding", "the store belongs to this Mirakl, HiPay and technical account"),
        Bound::Foreign(known) if arguments.rebind => {
            let differences = known.differences(&configured).join("\n  ");
            if !arguments.yes && !confirm(&differences)? {
                findings.bad("binding", "the store was not bound anew");
                return Ok(false);
            }
            rebind(context).await?;
            findings.good("binding", "the store is now bound to what the configuration names");
        }
        Bound::Foreign(known) => findings.bad(
            "binding",
            format!(
                "the store belongs to another installation: {}. Correct the configuration, or confirm the change with \
                 --rebind",
                known.differences(&configured).join("; ")
            ),
        ),
    }
    Ok(true)
}

fn confirm(differences: &str) -> Result<bool, Failed> {
    notice(&format!(
        "The store belongs to another installation:\n  {differences}\nIts operations would be paid through the \
         configured one from now on. Go on? [y/N]"
    ));
    if !std::io::stdin().is_terminal() {
        notice("nobody is there to answer; add --yes to confirm");
        return Ok(false);
    }
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn mirakl(context: &Context, findings: &mut Findings) {
    match context.mirakl.version().await {
        Ok(version) => findings.good("Mirakl", format!("{} (version {version})", context.config.mirakl.base_url)),
        Err(error) => {
            let mend = if error.is_credentials() {
                "check mirakl.operatorKey, mirakl.bearerToken or mirakl.clientId and mirakl.clientSecret"
            } else {
                "check mirakl.baseUrl and the way to it"
            };
            return findings.bad("Mirakl", format!("{error}; {mend}"));
        }
    }
    let types = &context.config.hipay.document_types;
    let needed: Vec<String> = types.iter().map(|kind| kind.mirakl_type.clone()).collect();
    match read_setup(context, true).await {
        Err(error) => findings.bad("Mirakl's settings", error.to_string()),
        Ok(setup) => {
            let missing = setup.missing(&needed);
            if missing.is_empty() {
                findings.good("Mirakl's settings", "the document types and the custom field are there");
            }
            for missing in missing {
                findings.bad("Mirakl's settings", missing);
            }
        }
    }
}

async fn hipay(context: &Context, findings: &mut Findings) {
    let config = &context.config;
    let technical = match context.hipay.account(ActingOn::Technical).await {
        Ok(Some(account)) => account,
        Ok(None) => return findings.bad("HiPay", "HiPay does not know the technical account"),
        Err(error) => return findings.bad("HiPay", with_mend(&error)),
    };
    findings.good("HiPay", config.hipay.base_url.clone());
    let configured = config.technical_account.hipay_id;
    if technical.hipay_id == configured {
        match context.hipay.balance(ActingOn::Technical).await {
            Ok(wallet) => findings.good("technical account", format!("{configured}, balance {}", wallet.balance)),
            Err(error) => findings.bad("technical account", error.to_string()),
        }
    } else {
        let real = technical.hipay_id;
        findings.bad(
            "technical account",
            format!(
                "hipay.wsLogin belongs to the account {real}, account.technical.hipayId says {configured}: correct it"
            ),
        );
    }
    let operator = config.operator_account.hipay_id;
    match context.hipay.account(ActingOn::Wallet(operator)).await {
        Err(error) => findings.bad("operator account", error.to_string()),
        Ok(None) => findings.bad(
            "operator account",
            format!("HiPay does not know the account {operator}: correct account.operator.hipayId"),
        ),
        Ok(Some(account)) if !account.identified => {
            findings.bad("operator account", format!("HiPay has not identified the account {operator}: ask HiPay"));
        }
        Ok(Some(account)) if !account.bank_details_validated => findings.bad(
            "operator account",
            format!("HiPay has not validated the bank details of the account {operator}: commissions stay there"),
        ),
        Ok(Some(_)) => findings.good("operator account", operator.to_string()),
    }
}

/// Whether the mail server would take an alert. Nothing is sent.
async fn mail(context: &Context, findings: &mut Findings) {
    let Some(config) = &context.config.mail else { return };
    match mail::try_out(config).await {
        Ok(()) => findings.good("mail server", format!("{}:{}", config.host, config.port)),
        Err(error) => findings.bad(
            "mail server",
            format!("{error}; check mail.host, mail.port and mail.security, and whether it takes mail from here"),
        ),
    }
}

fn with_mend(error: &CallError) -> String {
    if error.is_credentials() {
        error.to_string()
    } else {
        format!("{error}; check hipay.baseRestUrl and the way to it")
    }
}

fn tell(findings: &Findings, json: bool) -> Result<(), Failed> {
    if json {
        let all: Vec<_> = findings
            .0
            .iter()
            .map(|one| json!({ "what": one.what, "ok": one.wrong.is_none(), "detail": one.wrong.as_ref().unwrap_or(&one.detail) }))
            .collect();
        return print_json(&json!({ "ok": !findings.any_bad(), "findings": all }));
    }
    for finding in &findings.0 {
        let (mark, text) = match &finding.wrong {
            None => ("ok   ", &finding.detail),
            Some(wrong) => ("WRONG", wrong),
        };
        print(&format!("{mark}  {:<18}  {text}", finding.what))?;
    }
    Ok(())
}
