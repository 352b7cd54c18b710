//! The salts that wallet notices are checked with: a vendor's is stored with it, those of the technical
//! and the operator account beside them. HiPay may change any of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::vendor::Vendor;
use crate::jobs::Context;
use crate::platform::secret::Secret;
use crate::remote::CallError;
use crate::remote::hipay::ActingOn;
use crate::store::{StoreError, View, Writer};
use crate::text::message::msg;

/// How often, at most, an account's salt is read again because a notice did not fit.
const READ_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How long a notice waits for that.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long until the salts of our own accounts are asked for again, where that failed; it doubles.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// The longest such wait.
const ASK_AGAIN_AT_THE_LATEST: SignedDuration = SignedDuration::from_mins(15);

/// How long a salt is used without a look into the store. Notices of a flood are about few accounts; a
/// salt that HiPay has given up checks a little longer what it has signed.
const KNOWN_FOR: Duration = Duration::from_secs(10);

const DOCUMENT: &str = "own_accounts";

/// What is stored of the marketplace's own accounts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OwnAccounts {
    /// Salts by HiPay ID.
    #[serde(default)]
    callback_salts: BTreeMap<u64, Secret>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// When the salt of each account was last read because a notice did not fit. Only accounts that we
/// know have an entry.
#[derive(Debug, Default)]
pub(crate) struct ReadAgain(Mutex<HashMap<u64, Turn>>);

/// Held while one reads, so that the others get what it has read.
type Turn = Arc<tokio::sync::Mutex<Option<LastRead>>>;

/// When an account's salt was last asked for, and whether HiPay answered.
#[derive(Debug, Clone, Copy)]
struct LastRead {
    at: Timestamp,
    answered: bool,
}

/// Why nobody can say whether a notice is HiPay's. The sender is to come again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SaltError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// HiPay could not be asked whether the salt has changed.
    #[error("HiPay cannot be asked at the moment")]
    NotAnswered,
}

impl ReadAgain {
    fn turn(&self, hipay_id: u64) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(hipay_id).or_default())
    }
}

/// The salts that were looked up last, by account; only accounts that we know have an entry.
#[derive(Debug, Default)]
pub(crate) struct KnownSalts(Mutex<HashMap<u64, (Secret, Instant)>>);

impl KnownSalts {
    fn get(&self, hipay_id: u64) -> Option<Secret> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hipay_id).filter(|(_, since)| since.elapsed() < KNOWN_FOR).map(|(salt, _)| salt.clone())
    }

    fn keep(&self, hipay_id: u64, salt: &Secret) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(hipay_id, (salt.clone(), Instant::now()));
    }
}

/// The salt of an account, as it was ten seconds ago at the earliest; `None` where we know no such
/// account, or none of its salts.
pub async fn callback_salt(context: &Context, hipay_id: u64) -> Result<Option<Secret>, StoreError> {
    if let Some(salt) = context.known_salts.get(hipay_id) {
        return Ok(Some(salt));
    }
    stored_callback_salt(context, hipay_id).await
}

/// The same where it is not known yet: HiPay is asked about an account that we know, as in
/// [`callback_salt_other_than`], and while this store knows no vendor at all about any. `None` where there is no
/// such account.
pub async fn callback_salt_or_asked(context: &Context, hipay_id: u64) -> Result<Option<Secret>, SaltError> {
    if let Some(salt) = callback_salt(context, hipay_id).await? {
        return Ok(Some(salt));
    }
    let own = context.config.is_own_account(hipay_id);
    let (is_vendor, vendors) = context
        .store
        .reading(move |reader| {
            let vendor = reader.by_unique::<Vendor>("hipay_id", hipay_id)?;
            Ok((vendor.is_some(), reader.total::<Vendor>()?))
        })
        .await?;
    if own || is_vendor {
        return callback_salt_other_than(context, hipay_id, &Secret::default()).await;
    }
    if vendors > 0 {
        return Ok(None);
    }
    // One at a time: anybody can name an account.
    let turn = context.read_again.turn(0);
    let Ok(_turn) = turn.try_lock() else { return Err(SaltError::NotAnswered) };
    let asked = tokio::time::timeout(PATIENCE, context.hipay.account(ActingOn::Wallet(hipay_id))).await;
    match asked {
        Ok(Ok(account)) => {
            let account = account.filter(|account| account.hipay_id == hipay_id);
            Ok(account.map(|account| account.callback_salt).filter(|salt| !salt.is_empty()))
        }
        Ok(Err(error)) if matches!(error, CallError::Rejected(_)) && !error.is_credentials() => Ok(None),
        Ok(Err(_)) | Err(_) => Err(SaltError::NotAnswered),
    }
}

async fn stored_callback_salt(context: &Context, hipay_id: u64) -> Result<Option<Secret>, StoreError> {
    let salt = context
        .store
        .reading(move |reader| {
            if let Some(vendor) = reader.by_unique::<Vendor>("hipay_id", hipay_id)? {
                return Ok(Some(vendor.callback_salt));
            }
            let own = reader.get_document::<OwnAccounts>(DOCUMENT)?.unwrap_or_default();
            Ok(own.callback_salts.get(&hipay_id).cloned())
        })
        .await?
        .filter(|salt| !salt.is_empty());
    if let Some(salt) = &salt {
        context.known_salts.keep(hipay_id, salt);
    }
    Ok(salt)
}

/// The salt of an account that we know, where it is another than `tried`: HiPay is asked, once in
/// ten minutes for each account, however many notices do not fit.
pub async fn callback_salt_other_than(
    context: &Context,
    hipay_id: u64,
    tried: &Secret,
) -> Result<Option<Secret>, SaltError> {
    let turn = context.read_again.turn(hipay_id);
    let mut last = turn.lock().await;
    let known = stored_callback_salt(context, hipay_id).await?;
    if known.as_ref().is_some_and(|known| known != tried) {
        return Ok(known);
    }
    let now = context.clock.now();
    if let Some(last) = last.filter(|last| now.duration_since(last.at).abs() < READ_AGAIN_AFTER) {
        return if last.answered { Ok(None) } else { Err(SaltError::NotAnswered) };
    }
    *last = Some(LastRead { at: now, answered: false });
    let asked = tokio::time::timeout(PATIENCE, ask(context, hipay_id)).await;
    let asked = asked.unwrap_or_else(|_| Err(CallError::unknown(msg!("call-late", remote = "HiPay"))));
    *last = Some(LastRead { at: now, answered: asked.is_ok() });
    match asked {
        Ok(salt) if salt != *tried => {
            keep(context, hipay_id, salt.clone()).await?;
            context.known_salts.keep(hipay_id, &salt);
            tracing::info!(action = "notification", "HiPay has changed the salt of the account {hipay_id}");
            Ok(Some(salt))
        }
        Ok(_) => {
            tracing::warn!(
                action = "notification",
                "a notice about the account {hipay_id} does not fit to its checksum: somebody else sent it"
            );
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(
                action = "notification",
                "a notice about the account {hipay_id} does not fit to its checksum, and HiPay could not be asked \
                 whether its salt has changed: {error}"
            );
            Err(SaltError::NotAnswered)
        }
    }
}

/// Reads the salts of the marketplace's own accounts at HiPay and remembers them. What fails is
/// tried again until it succeeds; meanwhile those that were read before are in use.
pub async fn read_own_callback_salts(context: &Context) {
    let mut missing = vec![context.config.technical_account.hipay_id, context.config.operator_account.hipay_id];
    missing.dedup();
    let mut wait = ASK_AGAIN_AFTER;
    loop {
        let mut failed = Vec::new();
        for hipay_id in missing {
            let kept = match ask(context, hipay_id).await {
                Ok(salt) => keep(context, hipay_id, salt).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = kept {
                tracing::warn!(
                    action = "notification",
                    "the salt of our account {hipay_id} could not be read, so its notices may be refused: {error}"
                );
                failed.push(hipay_id);
            }
        }
        if failed.is_empty() {
            return;
        }
        missing = failed;
        context.clock.pass(wait).await;
        wait = wait.saturating_mul(2).min(ASK_AGAIN_AT_THE_LATEST);
    }
}

async fn ask(context: &Context, hipay_id: u64) -> Result<Secret, CallError> {
    let technical = hipay_id == context.config.technical_account.hipay_id;
    let on = if technical { ActingOn::Technical } else { ActingOn::Wallet(hipay_id) };
    let account = context.hipay.account(on).await?.filter(|account| account.hipay_id == hipay_id);
    let salt = account.map(|account| account.callback_salt).filter(|salt| !salt.is_empty());
    salt.ok_or_else(|| CallError::unknown(msg!("hipay-no-salt")))
}

async fn keep(context: &Context, hipay_id: u64, salt: Secret) -> Result<(), StoreError> {
    let now = context.clock.now();
    let kept = context.store.write(move |writer: &mut Writer<'_>| {
        if let Some(mut vendor) = writer.by_unique::<Vendor>("hipay_id", hipay_id)? {
            vendor.callback_salt = salt;
            vendor.updated_at = now;
            return writer.put(&vendor);
        }
        let mut own = writer.get_document::<OwnAccounts>(DOCUMENT)?.unwrap_or_default();
        own.callback_salts.insert(hipay_id, salt);
        writer.put_document(DOCUMENT, &own)
    });
    kept.await
}
