//! The check of an installation before money depends on it: what is wrong, and how to fix it. `cashout check` looks at
//! the store's binding, Mirakl and HiPay.

use serde::{Deserialize, Serialize};

use crate::jobs::{Binding, Bound, Context, read_setup};
use crate::mail;
use crate::remote::CallError;
use crate::remote::hipay::{Account, ActingOn};
use crate::store::StoreError;
use crate::text::message::{Message, msg};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Subject of the check: `Mirakl`, `technical account`.
    pub what: Message,
    /// Defect and how to fix it; `None` if all is well.
    pub wrong: Option<Message>,
    /// Observation, if all is well.
    pub detail: Message,
    /// Set if `detail` is a disadvantage that does not make anything wrong.
    #[serde(default)]
    pub is_warning: bool,
}

/// All findings, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding that all is well.
    pub fn add_success(&mut self, what: Message, detail: Message) {
        self.0.push(Finding { what, wrong: None, detail, is_warning: false });
    }

    /// Adds a defect.
    pub fn add_defect(&mut self, what: Message, wrong: impl Into<Message>) {
        self.0.push(Finding { what, wrong: Some(wrong.into()), detail: Message::none(), is_warning: false });
    }

    /// Adds a finding that all works, with the disadvantage that `detail` names.
    pub fn add_warning(&mut self, what: Message, detail: Message) {
        self.0.push(Finding { what, wrong: None, detail, is_warning: true });
    }

    /// Returns true if any finding is a defect.
    pub fn has_defect(&self) -> bool {
        self.0.iter().any(|finding| finding.wrong.is_some())
    }
}

/// Checks the store's binding, the address for notifications and, unless `offline`, both remotes and the mail server.
pub async fn run_checks(context: &Context, offline: bool) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let what = binding();
    match Binding::compare(context).await? {
        Bound::Free => findings.add_success(what, msg!("check-new")),
        Bound::Ours => findings.add_success(what, msg!("check-ours")),
        Bound::Foreign(known) => {
            let differences = known.differences(&Binding::of(&context.config)).join("; ");
            findings.add_defect(what, msg!("check-foreign", differences));
        }
    }
    let what = msg!("checked-notifications");
    match context.config.server.wallet_notifications_url() {
        Some(url) => findings.add_success(what, msg!("check-public-url", url)),
        None => findings.add_warning(what, msg!("check-no-public-url")),
    }
    if !offline {
        mirakl(context, &mut findings).await;
        hipay(context, &mut findings).await;
        mail(context, &mut findings).await;
    }
    Ok(findings)
}

/// Returns the subject of the finding about the store's owner.
pub fn binding() -> Message {
    msg!("checked-binding")
}

async fn mirakl(context: &Context, findings: &mut Findings) {
    let what = msg!("checked-mirakl");
    match context.mirakl.version().await {
        Ok(version) => {
            let address = &context.config.mirakl.base_url;
            findings.add_success(what, msg!("check-mirakl-version", address = address.as_str(), version));
        }
        Err(error) if error.is_credentials() => {
            return findings.add_defect(what, msg!("check-mirakl-refused", error = &error));
        }
        Err(error) => return findings.add_defect(what, msg!("check-mirakl-unreachable", error = &error)),
    }
    let what = || msg!("checked-mirakl-settings");
    let types = &context.config.hipay.document_types;
    let needed: Vec<String> = types.iter().map(|kind| kind.mirakl_type.clone()).collect();
    match read_setup(context, true).await {
        Err(error) => findings.add_defect(what(), &error),
        Ok(setup) => {
            let missing = setup.missing(&needed);
            if missing.is_empty() {
                findings.add_success(what(), msg!("check-set-up"));
            }
            for missing in missing {
                findings.add_defect(what(), missing);
            }
        }
    }
}

async fn hipay(context: &Context, findings: &mut Findings) {
    let config = &context.config;
    let what = msg!("checked-hipay");
    let technical = match context.hipay.account(ActingOn::Technical).await {
        Ok(Some(account)) => account,
        Ok(None) => return findings.add_defect(what, msg!("check-hipay-unknown")),
        Err(error) => return findings.add_defect(what, with_mend(&error)),
    };
    findings.add_success(what, Message::quoting(config.hipay.base_url.clone()));
    let what = msg!("checked-technical");
    let (account, configured) = (technical.hipay_id, config.technical_account.hipay_id);
    callback_url(context, &technical, findings);
    if account == configured {
        match context.hipay.balance(ActingOn::Technical).await {
            Ok(wallet) => findings.add_success(what, msg!("check-balance", account, balance = wallet.balance)),
            Err(error) => findings.add_defect(what, &error),
        }
    } else {
        findings.add_defect(what, msg!("check-other-account", account, configured));
    }
    let what = msg!("checked-operator");
    let operator = config.operator_account.hipay_id;
    if operator == configured {
        return findings.add_defect(what, msg!("check-operator-technical", operator));
    }
    match context.hipay.account(ActingOn::Wallet(operator)).await {
        Err(error) => findings.add_defect(what, &error),
        Ok(None) => findings.add_defect(what, msg!("check-operator-unknown", operator)),
        Ok(Some(account)) => {
            callback_url(context, &account, findings);
            if !account.identified {
                findings.add_defect(what, msg!("check-operator-unidentified", operator));
            } else if !account.bank_details_validated {
                findings.add_defect(what, msg!("check-operator-bank", operator));
            } else {
                findings.add_success(what, Message::quoting(operator.to_string()));
            }
        }
    }
}

/// Warns if HiPay sends an account's notifications to another host. Only a person changes that: other systems of the
/// marketplace may use the account.
fn callback_url(context: &Context, account: &Account, findings: &mut Findings) {
    let host = |url: &str| url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).map(str::to_owned);
    let Some(wanted) = context.config.server.wallet_notifications_url() else { return };
    let Some(url) = account.callback_url.as_deref().filter(|url| host(url) != host(&wanted)) else { return };
    let account = account.hipay_id.to_string();
    findings.add_warning(msg!("checked-notifications"), msg!("check-callback-elsewhere", account, url, wanted));
}

async fn mail(context: &Context, findings: &mut Findings) {
    let Some(config) = &context.config.mail else { return };
    let what = msg!("checked-mail");
    match mail::try_out(config).await {
        Ok(()) => findings.add_success(what, Message::quoting(format!("{}:{}", config.host, config.port))),
        Err(error) => findings.add_defect(what, msg!("check-mail", error = error.to_string())),
    }
}

fn with_mend(error: &CallError) -> Message {
    if error.is_credentials() { error.into() } else { msg!("check-hipay-unreachable", error) }
}
