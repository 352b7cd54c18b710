//! The salts for checking wallet notices: a vendor's salt is stored with the vendor, those of the
//! technical and the operator account separately. HiPay may change any of them.

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
use crate::text::message::{Message, logged, msg};

/// Minimum interval between two readings of an account's salt because a notice did not match.
const REREAD_INTERVAL: SignedDuration = SignedDuration::from_mins(10);
/// Time limit of a notice for such a reading.
const PATIENCE: Duration = Duration::from_secs(10);
/// First delay before the salts of our own accounts are requested again after a failure; it doubles.
const MIN_RETRY_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// Maximum of this delay.
const MAX_RETRY_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// Time for which a salt is used without reading the store. Notices of a flood concern few
/// accounts; a salt that HiPay has replaced verifies old signatures a little longer.
const KNOWN_RETENTION: Duration = Duration::from_secs(10);

const DOCUMENT: &str = "own_accounts";

/// Stored data of the marketplace's own accounts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OwnAccountSalts {
    /// Salts by HiPay ID.
    #[serde(default)]
    callback_salts: BTreeMap<u64, Secret>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Last readings of each account's salt because a notice did not match. Only accounts that we know have an entry.
#[derive(Debug, Default)]
pub(crate) struct ReadAgain(Mutex<HashMap<u64, ReadingTurn>>);

/// Lock held during a reading, so that waiting callers get its result.
type ReadingTurn = Arc<tokio::sync::Mutex<Option<LastRead>>>;

/// Last request for an account's salt, and its success.
#[derive(Debug, Clone, Copy)]
struct LastRead {
    at: Timestamp,
    answered: bool,
}

/// Error when a notice can neither be verified nor rejected. The sender has to retry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SaltError {
    /// A failure of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A failure to ask HiPay for a possible new salt.
    #[error("HiPay cannot be asked at the moment")]
    NotAnswered,
}

impl ReadAgain {
    fn turn_of(&self, hipay_id: u64) -> ReadingTurn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(hipay_id).or_default())
    }
}

/// Salts that were looked up recently, by account; only accounts that we know have an entry.
#[derive(Debug, Default)]
pub(crate) struct KnownSalts(Mutex<HashMap<u64, (Secret, Instant)>>);

impl KnownSalts {
    fn get(&self, hipay_id: u64) -> Option<Secret> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hipay_id).filter(|(_, since)| since.elapsed() < KNOWN_RETENTION).map(|(salt, _)| salt.clone())
    }

    fn store_salt(&self, hipay_id: u64, salt: &Secret) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(hipay_id, (salt.clone(), Instant::now()));
    }
}

/// Returns the salt of an account, at most ten seconds old; `None` if the account or its salt is unknown.
pub async fn callback_salt(context: &Context, hipay_id: u64) -> Result<Option<Secret>, StoreError> {
    if let Some(salt) = context.known_salts.get(hipay_id) {
        return Ok(Some(salt));
    }
    stored_callback_salt(context, hipay_id).await
}

/// Returns the salt of an account, and asks HiPay if it is not stored: for an account that we know,
/// as in [`callback_salt_other_than`], and for any account while this store knows no vendor at all.
/// Returns `None` if there is no such account.
pub async fn callback_salt_or_asked(context: &Context, hipay_id: u64) -> Result<Option<Secret>, SaltError> {
    if let Some(salt) = callback_salt(context, hipay_id).await? {
        return Ok(Some(salt));
    }
    let own = context.config.is_own_account(hipay_id);
    let known = context.store.reading(move |reader| {
        let vendor = reader.by_unique(Vendor::BY_HIPAY_ID, hipay_id)?;
        Ok((vendor.is_some(), reader.total::<Vendor>()?))
    });
    let (is_vendor, vendors) = known.await?;
    if own || is_vendor {
        return callback_salt_other_than(context, hipay_id, &Secret::default()).await;
    }
    if vendors > 0 {
        return Ok(None);
    }
    // One at a time: any sender can name an account.
    let turn = context.read_again.turn_of(0);
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
    let stored = context.store.reading(move |reader| {
        if let Some(vendor) = reader.by_unique(Vendor::BY_HIPAY_ID, hipay_id)? {
            return Ok(Some(vendor.callback_salt));
        }
        let own = reader.get_document::<OwnAccountSalts>(DOCUMENT)?.unwrap_or_default();
        Ok(own.callback_salts.get(&hipay_id).cloned())
    });
    let salt = stored.await?.filter(|salt| !salt.is_empty());
    if let Some(salt) = &salt {
        context.known_salts.store_salt(hipay_id, salt);
    }
    Ok(salt)
}

/// Returns the salt of an account that we know if it differs from `tried`. HiPay is asked once in
/// ten minutes for each account, however many notices do not match.
pub async fn callback_salt_other_than(
    context: &Context,
    hipay_id: u64,
    tried: &Secret,
) -> Result<Option<Secret>, SaltError> {
    let turn = context.read_again.turn_of(hipay_id);
    let mut last = turn.lock().await;
    let known = stored_callback_salt(context, hipay_id).await?;
    if known.as_ref().is_some_and(|known| known != tried) {
        return Ok(known);
    }
    let now = context.clock.now();
    if let Some(last) = last.filter(|last| now.duration_since(last.at).abs() < REREAD_INTERVAL) {
        return if last.answered { Ok(None) } else { Err(SaltError::NotAnswered) };
    }
    *last = Some(LastRead { at: now, answered: false });
    let asked = tokio::time::timeout(PATIENCE, read_from_hipay(context, hipay_id)).await;
    let asked = asked.unwrap_or_else(|_| Err(CallError::unknown(msg!("call-late", remote = "HiPay"))));
    *last = Some(LastRead { at: now, answered: asked.is_ok() });
    match asked {
        Ok(salt) if salt != *tried => {
            store_salt(context, hipay_id, salt.clone()).await?;
            context.known_salts.store_salt(hipay_id, &salt);
            logged!(info, action = "notification", msg!("log-salt-changed", account = hipay_id));
            Ok(Some(salt))
        }
        Ok(_) => {
            logged!(warn, action = "notification", msg!("log-notice-forged", account = hipay_id));
            Ok(None)
        }
        Err(error) => {
            let message = msg!("log-notice-unchecked", account = hipay_id, error = &error);
            logged!(warn, action = "notification", message);
            Err(SaltError::NotAnswered)
        }
    }
}

/// Reads the salts of the marketplace's own accounts at HiPay and stores them. Failed readings are
/// retried until they succeed; meanwhile the stored salts are used.
pub async fn read_own_callback_salts(context: &Context) {
    let mut missing = vec![context.config.technical_account.hipay_id, context.config.operator_account.hipay_id];
    missing.dedup();
    let mut wait = MIN_RETRY_INTERVAL;
    loop {
        let mut failed = Vec::new();
        for hipay_id in missing {
            let kept = match read_from_hipay(context, hipay_id).await {
                Ok(salt) => store_salt(context, hipay_id, salt).await.map_err(|error| Message::from(&error)),
                Err(error) => Err(Message::from(&error)),
            };
            if let Err(error) = kept {
                logged!(warn, action = "notification", msg!("log-own-salt-unread", account = hipay_id, error));
                failed.push(hipay_id);
            }
        }
        if failed.is_empty() {
            return;
        }
        missing = failed;
        context.clock.sleep(wait).await;
        wait = wait.saturating_mul(2).min(MAX_RETRY_INTERVAL);
    }
}

async fn read_from_hipay(context: &Context, hipay_id: u64) -> Result<Secret, CallError> {
    let technical = hipay_id == context.config.technical_account.hipay_id;
    let on = if technical { ActingOn::Technical } else { ActingOn::Wallet(hipay_id) };
    let account = context.hipay.account(on).await?.filter(|account| account.hipay_id == hipay_id);
    let salt = account.map(|account| account.callback_salt).filter(|salt| !salt.is_empty());
    salt.ok_or_else(|| CallError::unknown(msg!("hipay-no-salt")))
}

async fn store_salt(context: &Context, hipay_id: u64, salt: Secret) -> Result<(), StoreError> {
    let now = context.clock.now();
    let kept = context.store.write(move |writer: &mut Writer<'_>| {
        if let Some(mut vendor) = writer.by_unique(Vendor::BY_HIPAY_ID, hipay_id)? {
            vendor.callback_salt = salt;
            vendor.updated_at = now;
            return writer.put(&vendor);
        }
        let mut own = writer.get_document::<OwnAccountSalts>(DOCUMENT)?.unwrap_or_default();
        own.callback_salts.insert(hipay_id, salt);
        writer.put_document(DOCUMENT, &own)
    });
    kept.await
}
