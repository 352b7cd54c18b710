//! The store belongs to one Mirakl, one HiPay host and one technical account. A configuration that
//! names others would send one marketplace's money by another's memory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Context, JobError};
use crate::config::Config;
use crate::operation::{Operation, Status};
use crate::sentence::say;
use crate::store::{StoreError, View, Writer};

const DOCUMENT: &str = "binding";

/// Whom a store belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Mirakl's address.
    pub mirakl: String,
    /// HiPay's address.
    pub hipay: String,
    /// HiPay ID of the technical account.
    pub technical_account: u64,
    /// The marketplace's id in payment references (`hipay.mkp.technical.id`).
    #[serde(default)]
    pub marketplace: String,
}

/// A binding as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    binding: Binding,
    /// When the store was first bound (UTC): from then on this installation is responsible.
    first_bound_at: Timestamp,
    /// When it was last bound (UTC): of what went before under another binding it knows nothing.
    bound_at: Timestamp,
}

/// How a store and a configuration go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The store belongs to nobody yet.
    Free,
    /// They belong together.
    Ours,
    /// The store belongs to somebody else.
    Foreign(Binding),
}

impl Binding {
    /// What the configuration names.
    pub fn of(config: &Config) -> Self {
        Self {
            mirakl: config.mirakl.base_url.clone(),
            hipay: config.hipay.base_url.clone(),
            technical_account: config.technical_account.hipay_id,
            marketplace: marketplace(config),
        }
    }

    /// Compares the store with the configuration.
    pub async fn compare(context: &Context) -> Result<Bound, StoreError> {
        Ok(match stored(context).await? {
            None => Bound::Free,
            Some(known) if known.binding == Self::of(&context.config) => Bound::Ours,
            Some(known) => Bound::Foreign(known.binding),
        })
    }

    /// What differs, one line each: `hipay: https://a (store), https://b (configuration)`.
    pub fn differences(&self, configured: &Self) -> Vec<String> {
        let technical = (self.technical_account.to_string(), configured.technical_account.to_string());
        [
            ("mirakl.baseUrl", &self.mirakl, &configured.mirakl),
            ("hipay.baseRestUrl", &self.hipay, &configured.hipay),
            ("account.technical.hipayId", &technical.0, &technical.1),
            ("hipay.mkp.technical.id", &self.marketplace, &configured.marketplace),
        ]
        .into_iter()
        .filter(|(_, store, configuration)| store != configuration)
        .map(|(key, store, configuration)| format!("{key}: {store} (store), {configuration} (configuration)"))
        .collect()
    }
}

/// Makes sure that the store belongs to what the configuration names; a new store is bound to it.
pub async fn bind(context: &Context) -> Result<(), JobError> {
    let configured = Binding::of(&context.config);
    match Binding::compare(context).await? {
        Bound::Ours => Ok(()),
        Bound::Free => rebind_from(context, None).await,
        Bound::Foreign(known) => {
            let differences = known.differences(&configured).join("; ");
            Err(JobError::Refused(say!("binding-foreign", differences)))
        }
    }
}

/// Binds the store to what the configuration names. A person has confirmed it. Refused while a
/// payment is under way: what it came to could not be asked any more.
pub async fn rebind(context: &Context) -> Result<(), JobError> {
    let known = stored(context).await?;
    rebind_from(context, known).await
}

/// Binds the store, unless somebody else has bound it since it was looked at: of two batches that
/// find a new store, one binds it.
async fn rebind_from(context: &Context, known: Option<Stored>) -> Result<(), JobError> {
    let now = context.clock.now();
    let binding = Binding::of(&context.config);
    let bound = context.store.write(move |writer: &mut Writer<'_>| {
        let found = writer.get_document::<Stored>(DOCUMENT)?;
        if found != known {
            return Ok(());
        }
        let under_way = under_way(writer)?;
        if found.is_some() && under_way > 0 {
            return Err(JobError::Refused(say!("binding-under-way", number = under_way)));
        }
        let first_bound_at = found.map_or(now, |found| found.first_bound_at);
        Ok(writer.put_document(DOCUMENT, &Stored { binding, first_bound_at, bound_at: now })?)
    });
    bound.await
}

fn under_way(view: &impl View) -> Result<u64, StoreError> {
    let mut payments = 0_u64;
    for status in [Status::TRANSFER_SENT, Status::WITHDRAW_SENT].concat() {
        payments = payments.saturating_add(view.count::<Operation>("status", status.code())?);
    }
    Ok(payments)
}

/// Since when this store knows everything that was paid under its binding.
pub(super) async fn remembers_since(context: &Context) -> Result<Timestamp, StoreError> {
    let bound = stored(context).await?.map(|known| known.bound_at);
    Ok(bound.into_iter().fold(context.store.memory_since(), Timestamp::max))
}

/// Since when this installation is responsible for paying.
pub(super) async fn responsible_since(context: &Context) -> Result<Timestamp, StoreError> {
    Ok(stored(context).await?.map_or(context.clock.now(), |known| known.first_bound_at))
}

/// The marketplace's id in payment references.
pub(super) fn marketplace(config: &Config) -> String {
    let technical = || config.technical_account.hipay_id.to_string();
    config.hipay.technical_marketplace_id.clone().unwrap_or_else(technical)
}

async fn stored(context: &Context) -> Result<Option<Stored>, StoreError> {
    context.store.reading(|reader| reader.get_document::<Stored>(DOCUMENT)).await
}
