//! What is wrong before money depends on it, and how to mend it: the look at the store's binding,
//! Mirakl and HiPay that `cashout check` takes.

use serde::{Deserialize, Serialize};

use crate::hipay::ActingOn;
use crate::jobs::{Binding, Bound, Context, read_setup};
use crate::mail;
use crate::remote::CallError;
use crate::store::StoreError;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `Mirakl`, `technical account`.
    pub what: String,
    /// What is wrong with it and how to mend it; nothing where it is well.
    pub wrong: Option<String>,
    /// What was found, where it is well.
    pub detail: String,
}

/// All that was looked at, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// This is well.
    pub fn good(&mut self, what: &str, detail: impl Into<String>) {
        self.0.push(Finding { what: what.to_owned(), wrong: None, detail: detail.into() });
    }

    /// This is not.
    pub fn bad(&mut self, what: &str, wrong: impl Into<String>) {
        self.0.push(Finding { what: what.to_owned(), wrong: Some(wrong.into()), detail: String::new() });
    }

    /// True where anything is wrong.
    pub fn any_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.wrong.is_some())
    }
}

/// Looks at the store's binding and, unless `offline`, at both remotes.
pub async fn look(context: &Context, offline: bool) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    match Binding::compare(context).await? {
        Bound::Free => findings.good("binding", "the store is new and belongs to nobody yet"),
        Bound::Ours => findings.good("binding", "the store belongs to this Mirakl, HiPay and technical account"),
        Bound::Foreign(known) => findings.bad(
            "binding",
            format!(
                "the store belongs to another installation: {}. Correct the configuration, or confirm the change with \
                 --rebind",
                known.differences(&Binding::of(&context.config)).join("; ")
            ),
        ),
    }
    if !offline {
        mirakl(context, &mut findings).await;
        hipay(context, &mut findings).await;
        mail(context, &mut findings).await;
    }
    Ok(findings)
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
                findings.bad("Mirakl's settings", missing.to_string());
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
