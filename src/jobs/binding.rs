//! The store belongs to one Mirakl, one HiPay host and one technical account. A configuration that
//! names others would send one marketplace's money by another's memory.

use serde::{Deserialize, Serialize};

use super::{Context, JobError};
use crate::config::Config;
use crate::store::{StoreError, View};

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
        }
    }

    /// Compares the store with the configuration.
    pub async fn compare(context: &Context) -> Result<Bound, StoreError> {
        let known = context.store.reading(|reader| reader.get_document::<Self>(DOCUMENT)).await?;
        Ok(match known {
            None => Bound::Free,
            Some(known) if known == Self::of(&context.config) => Bound::Ours,
            Some(known) => Bound::Foreign(known),
        })
    }

    /// What differs, one line each: `hipay: https://a (store), https://b (configuration)`.
    pub fn differences(&self, configured: &Self) -> Vec<String> {
        let technical = (self.technical_account.to_string(), configured.technical_account.to_string());
        [
            ("mirakl.baseUrl", &self.mirakl, &configured.mirakl),
            ("hipay.baseRestUrl", &self.hipay, &configured.hipay),
            ("account.technical.hipayId", &technical.0, &technical.1),
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
        Bound::Free => Ok(rebind(context).await?),
        Bound::Foreign(known) => Err(JobError::Refused(format!(
            "the store belongs to another installation, so nothing is sent: {}. Correct the configuration, or confirm \
             the change with `cashout check --rebind`",
            known.differences(&configured).join("; ")
        ))),
    }
}

/// Binds the store to what the configuration names. A person has confirmed it.
pub async fn rebind(context: &Context) -> Result<(), StoreError> {
    let configured = Binding::of(&context.config);
    context.store.write(move |writer| writer.put_document(DOCUMENT, &configured)).await
}
