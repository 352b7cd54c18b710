//! Search for wallets that a shop may have already, done before one is created, so that a shop has
//! one wallet regardless of its earlier e-mails and names.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::OnceCell;

use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::remote::CallError;
use crate::remote::hipay::{Account, ActingOn, GroupMember};
use crate::remote::mirakl::Shop;
use crate::text::message::msg;

/// The search of one run: the merchant group's list is read once, for the first search.
pub(crate) struct WalletSearch<'a> {
    context: &'a Context,
    run: &'a BatchRun,
    /// HiPay IDs by shop, as far as the list identifies the shops.
    group: OnceCell<BTreeMap<u64, BTreeSet<u64>>>,
}

impl<'a> WalletSearch<'a> {
    pub(crate) fn new(context: &'a Context, run: &'a BatchRun) -> Self {
        Self { context, run, group: OnceCell::new() }
    }

    /// Returns every wallet at HiPay that may be the shop's, by HiPay ID: the one with `login`, those with an e-mail of
    /// `emails`, and those that the merchant group's list shows for the shop.
    pub(crate) async fn wallets_of(
        &self,
        shop: &Shop,
        login: &str,
        emails: &[String],
    ) -> Result<BTreeMap<u64, Account>, JobError> {
        let mut found = BTreeMap::new();
        let logins = std::iter::once(login.to_owned()).chain(emails.iter().map(|email| email.to_lowercase()));
        for login in logins.collect::<BTreeSet<_>>() {
            if let Some(account) = self.context.hipay.account(ActingOn::Login(&login)).await? {
                found.insert(account.hipay_id, account);
            }
        }
        let group = self.group.get_or_try_init(|| self.read_group()).await?;
        for hipay_id in group.get(&shop.shop_id).into_iter().flatten() {
            if !found.contains_key(hipay_id)
                && let Some(account) = self.context.hipay.account(ActingOn::Wallet(*hipay_id)).await?
            {
                found.insert(account.hipay_id, account);
            }
        }
        Ok(found)
    }

    async fn read_group(&self) -> Result<BTreeMap<u64, BTreeSet<u64>>, JobError> {
        let members = match self.context.hipay.merchant_group().await {
            Ok(members) => members,
            Err(error) if error.is_credentials() => return Err(error.into()),
            // HiPay does not give it to us: the other sources must suffice.
            Err(error @ CallError::Rejected(_)) => {
                self.run.warn(&Subject::default(), msg!("wallets-no-group", error = &error));
                Vec::new()
            }
            Err(error) => return Err(JobError::Remote(msg!("wallets-group-unread", error = &error))),
        };
        let mut by_shop: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for member in members {
            if let (Some(hipay_id), Some(shop_id)) = (member.hipay_id, shop_of(&member)) {
                by_shop.entry(shop_id).or_default().insert(hipay_id);
            }
        }
        Ok(by_shop)
    }
}

/// Returns the shop that a wallet was created for: by `external_account_id` if HiPay shows it, else
/// by the end of its login.
fn shop_of(member: &GroupMember) -> Option<u64> {
    let by_login = || {
        let (name, shop_id) = member.login.rsplit_once('_')?;
        shop_id.parse().ok().filter(|_| name.starts_with("mirakl_"))
    };
    member.external_account_id.or_else(by_login)
}

#[cfg(test)]
mod tests;
