//! The wallet of a shop: created, found, or refreshed.

use crate::domain::refusal::Refusal;
use crate::domain::vendor::{Vendor, VendorProblem, Warning, civility, country_alpha2, login};
use crate::jobs::vendor::process::{ShopRun, change};
use crate::jobs::vendor::wallet_search::WalletSearch;
use crate::jobs::{BatchCount, Context, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{Account, ActingOn, NewAccount};
use crate::remote::mirakl::Shop;
use crate::store::{StoreError, View};
use crate::text::message::Message;

impl ShopRun<'_> {
    /// Ensures that the shop has a wallet and that we know its state. Returns its HiPay ID, or `None`
    /// with the reason among the warnings.
    pub(crate) async fn settle_wallet(
        &mut self,
        search: &WalletSearch<'_>,
        known: Option<Vendor>,
    ) -> Result<Option<u64>, JobError> {
        let shop = self.shop;
        let country = country_alpha2(&shop.country);
        let (name, vat_number, payment_blocked) = (shop.name.clone(), shop.vat_number.clone(), shop.payment_blocked);
        let shop_country = country.clone();
        let blocked_by_person = known.as_ref().is_some_and(|known| known.is_block_of_person(payment_blocked));
        change(self.context, shop.shop_id, move |vendor| {
            vendor.enabled = true;
            vendor.gone = false;
            vendor.name = name;
            vendor.vat_number = vat_number;
            vendor.payment_blocked = payment_blocked;
            vendor.blocked_by_person = blocked_by_person;
            vendor.country = shop_country;
        })
        .await?;

        let hipay_id = known.as_ref().and_then(|known| known.hipay_id);
        let outcome = match (known, hipay_id) {
            (Some(known), Some(hipay_id)) => self.refresh(&known, hipay_id).await,
            (known, _) => {
                let former = known.map(|known| known.former_emails).unwrap_or_default();
                self.create(search, country, former).await
            }
        };
        match outcome {
            Err(JobError::Remote(reason)) => {
                self.warnings.push(not_settled(&reason, None));
                Ok(None)
            }
            other => other,
        }
    }

    /// Updates the vendor with HiPay's present data of a known wallet.
    async fn refresh(&mut self, known: &Vendor, hipay_id: u64) -> Result<Option<u64>, JobError> {
        let hipay = &self.context.hipay;
        let asked_at = self.context.clock.now();
        let Some(account) = hipay.account(ActingOn::Wallet(hipay_id)).await? else {
            let message = format!("HiPay does not know the wallet {hipay_id} any more");
            self.warn_about(VendorProblem::WalletGone, hipay_id.to_string(), message);
            return Ok(None);
        };
        if account.hipay_id != hipay_id {
            let other = account.hipay_id;
            let message = format!("HiPay shows the wallet {other} in place of {hipay_id}; nothing is sent to either");
            self.warn_about(VendorProblem::WalletReplaced, hipay_id.to_string(), message);
            return Ok(None);
        }
        let as_of = hipay.as_of(asked_at);
        let callback_url = account.callback_url.clone().or_else(|| known.callback_url.clone());
        change(self.context, self.shop.shop_id, move |vendor| {
            vendor.identification_read(account.identified, as_of);
            // An answer without a salt does not invalidate the known one.
            if !account.callback_salt.is_empty() {
                vendor.callback_salt = account.callback_salt;
            }
            vendor.callback_url = account.callback_url.or(vendor.callback_url.take());
            vendor.user_space_id = account.user_space_id.or(vendor.user_space_id);
        })
        .await?;
        self.correct(hipay_id, &known.email, callback_url.as_deref()).await?;
        Ok(Some(hipay_id))
    }

    /// Corrects the e-mail and the callback URL that HiPay has for a wallet, if they differ from those
    /// of a wallet created now. An empty `email` is unknown.
    async fn correct(&mut self, hipay_id: u64, email: &str, callback_url: Option<&str>) -> Result<(), JobError> {
        let wanted = &self.shop.email;
        if !wanted.is_empty() && !wanted.eq_ignore_ascii_case(email) {
            self.correct_email(hipay_id, email).await?;
        }
        match self.context.config.server.wallet_notifications_url() {
            Some(wanted) if !callback_url.is_some_and(|url| same_url(url, &wanted)) => {
                self.correct_callback_url(hipay_id, wanted).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn correct_email(&mut self, hipay_id: u64, known: &str) -> Result<(), JobError> {
        let email = self.shop.email.clone();
        if let Err(error) = self.context.hipay.change_email(hipay_id, &email).await {
            let kept = if known.is_empty() { "another" } else { known };
            let message = format!("the e-mail changed to {email} in Mirakl, but HiPay keeps {kept}: {error}");
            return self.warn_because(&error, Warning::new(VendorProblem::EmailNotChanged, message).about(email));
        }
        change(self.context, self.shop.shop_id, move |vendor| {
            let former = std::mem::replace(&mut vendor.email, email);
            vendor.former_emails.extend(Some(former).filter(|former| !former.is_empty()));
        })
        .await
    }

    async fn correct_callback_url(&mut self, hipay_id: u64, url: String) -> Result<(), JobError> {
        if let Err(error) = self.context.hipay.change_callback_url(hipay_id, &url).await {
            let message = format!("HiPay did not take {url} for the wallet's notifications: {error}");
            return self.warn_because(&error, Warning::new(VendorProblem::CallbackNotChanged, message).about(url));
        }
        self.run.count(BatchCount::CallbackUrlsSet);
        change(self.context, self.shop.shop_id, move |vendor| vendor.callback_url = Some(url)).await
    }

    /// Finds or creates a wallet for a shop without a known one: the one that HiPay has for it already,
    /// else a new one. Several that may be the shop's wait for a person.
    async fn create(
        &mut self,
        search: &WalletSearch<'_>,
        country: Option<String>,
        former_emails: Vec<String>,
    ) -> Result<Option<u64>, JobError> {
        let (context, shop) = (self.context, self.shop);
        if shop.email.is_empty() {
            self.warn(VendorProblem::NoEmail, "the shop has no e-mail in Mirakl; HiPay needs one for its wallet");
            return Ok(None);
        }
        let Some(country) = country else {
            let message =
                format!("'{}' is no country that HiPay knows; correct the shop's address in Mirakl", shop.country);
            self.warn_about(VendorProblem::UnknownCountry, shop.country.as_str(), message);
            return Ok(None);
        };
        let login = login(&shop.name, shop.shop_id);
        let email_free = context.hipay.is_available(&shop.email).await?;
        let taken = Some(shop.email.clone()).filter(|_| !email_free);
        let emails: Vec<String> = former_emails.into_iter().chain(taken).collect();
        let mut found = search.wallets_of(shop, &login, &emails).await?;
        if found.len() > 1 {
            let ids = found.keys().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let message = format!(
                "HiPay has several accounts that may be the shop's: {ids}; say which one it is with `cashout \
                 vendor:wallet:set {} HIPAY_ID --reason TEXT`",
                shop.shop_id
            );
            self.warn_about(VendorProblem::SeveralWallets, ids, message);
            return Ok(None);
        }
        if let Some((_, account)) = found.pop_first() {
            self.run.count(BatchCount::WalletsFound);
            // An e-mail that no account has is not this wallet's.
            let email = if email_free { String::new() } else { shop.email.clone() };
            let callback_url = account.callback_url.clone();
            let kept = self.keep(login, email.clone(), account).await?;
            if let Some(hipay_id) = kept {
                self.correct(hipay_id, &email, callback_url.as_deref()).await?;
            }
            return Ok(kept);
        }
        if !email_free {
            let email = &shop.email;
            let message = format!("HiPay says that {email} is taken, but shows no account for it or for {login}");
            self.warn_about(VendorProblem::EmailTaken, email.as_str(), message);
            return Ok(None);
        }
        let new = new_account(context, shop, &login, country);
        let Some(account) = self.create_account(new).await? else { return Ok(None) };
        self.run.count(BatchCount::WalletsCreated);
        self.keep(login, shop.email.clone(), account).await
    }

    /// Creates an account at HiPay. Returns `None`, with a warning, if HiPay refuses it.
    async fn create_account(&mut self, new: NewAccount) -> Result<Option<Account>, JobError> {
        let hipay = &self.context.hipay;
        match hipay.create_account(&new).await {
            Ok(created) => Ok(Some(Account {
                hipay_id: created.hipay_id,
                user_space_id: created.user_space_id,
                identified: false,
                bank_details_validated: false,
                callback_salt: created.callback_salt,
                callback_url: new.callback_url,
            })),
            // It may have been created nevertheless.
            Err(error @ CallError::Unknown { .. }) => match hipay.account(ActingOn::Login(&new.login)).await? {
                Some(account) => Ok(Some(account)),
                None => Err(error.into()),
            },
            Err(error) if error.is_credentials() => Err(error.into()),
            Err(error) => {
                self.warnings.push(not_settled(&(&error).into(), error.refusal()));
                Ok(None)
            }
        }
    }

    /// Saves the wallet, unless it belongs to another vendor. An empty `email` is unknown.
    async fn keep(&mut self, login: String, email: String, account: Account) -> Result<Option<u64>, JobError> {
        let (context, shop) = (self.context, self.shop);
        let hipay_id = account.hipay_id;
        if context.config.is_own_account(hipay_id) {
            // Its bank details would become the seller's.
            let message = format!(
                "the e-mail {} belongs to the marketplace's own HiPay account {hipay_id}; give the shop one of its own",
                shop.email
            );
            self.warn_about(VendorProblem::EmailOfMarketplace, shop.email.as_str(), message);
            return Ok(None);
        }
        let owner = context.store.reading(move |reader| reader.by_unique(Vendor::BY_HIPAY_ID, hipay_id)).await?;
        if let Some(owner) = owner.filter(|owner| owner.mirakl_id != shop.shop_id) {
            let other = owner.mirakl_id;
            let message = format!(
                "the wallet {hipay_id} of {} belongs to the shop {other} already; give each shop an e-mail of its own",
                shop.email
            );
            self.warn_about(VendorProblem::WalletOfOtherShop, other.to_string(), message);
            return Ok(None);
        }
        let now = context.clock.now();
        let saved = change(context, shop.shop_id, move |vendor| {
            vendor.hipay_id = Some(hipay_id);
            vendor.wallet_since = Some(now);
            vendor.user_space_id = account.user_space_id;
            vendor.identified = account.identified;
            vendor.callback_salt = account.callback_salt;
            vendor.callback_url = account.callback_url;
            vendor.login = login;
            vendor.email = email;
        });
        match saved.await {
            Ok(()) => Ok(Some(hipay_id)),
            // Another shop was faster with the same wallet.
            Err(JobError::Store(StoreError::Conflict { holder, .. })) => {
                let message = format!("the wallet {hipay_id} belongs to the shop {holder} already");
                self.warn_about(VendorProblem::WalletOfOtherShop, holder, message);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns true if two addresses are equal, ignoring a slash at the end.
fn same_url(left: &str, right: &str) -> bool {
    left.trim_end_matches('/') == right.trim_end_matches('/')
}

fn not_settled(reason: &Message, said: Option<Refusal>) -> Warning {
    let message = format!("the wallet could not be settled: {reason}");
    Warning::new(VendorProblem::WalletNotSettled, message).because(reason, said)
}

fn new_account(context: &Context, shop: &Shop, login: &str, country: String) -> NewAccount {
    let address = [shop.street1.as_str(), &shop.street2].into_iter().filter(|line| !line.is_empty());
    NewAccount {
        email: shop.email.clone(),
        login: login.to_owned(),
        first_name: shop.first_name.clone(),
        last_name: shop.last_name.clone(),
        currency: if shop.currency.is_empty() { "EUR".to_owned() } else { shop.currency.clone() },
        civility: civility(&shop.civility),
        is_professional: shop.is_professional,
        company_name: if shop.corporate_name.is_empty() { shop.name.clone() } else { shop.corporate_name.clone() },
        vat_number: shop.vat_number.clone().unwrap_or_default(),
        address: address.collect::<Vec<_>>().join(", "),
        zip_code: shop.zip_code.clone(),
        city: shop.city.clone(),
        country,
        phone: shop.phone.clone(),
        fax: shop.fax.clone(),
        external_account_id: shop.shop_id,
        callback_url: context.config.server.wallet_notifications_url(),
    }
}
