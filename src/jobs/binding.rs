//! Binding of a store to one Mirakl, one HiPay host and one technical account. With a configuration
//! that names others, one marketplace's money would be sent based on another's records.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::attempt::AttemptState;
use crate::domain::attempt::CLOCK_DIFFERENCE_LIMIT;
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::jobs::vendor::wallet_set::Moved;
use crate::jobs::{BatchRecord, Context, JobError};
use crate::remote::hipay::ActingOn;
use crate::store::{Query, StoreError, View, Writer, readable_record};
use crate::text::message::{Message, msg};

const DOCUMENT: &str = "binding";

/// Number of batches whose times are compared with the clock.
const BATCHES: usize = 20;

/// The marketplace and accounts that a store is bound to.
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
    /// HiPay ID of the operator's account; 0 if an earlier release bound the store.
    #[serde(default)]
    pub operator_account: u64,
}

/// A binding as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredBinding {
    #[serde(flatten)]
    binding: Binding,
    /// Time of the first binding (UTC): from then on this installation is responsible.
    first_bound_at: Timestamp,
    /// Time of the last binding (UTC): the store knows nothing of what happened before under another one.
    bound_at: Timestamp,
    /// Time at which HiPay last showed payments of ours that this store lacks (UTC): it knows
    /// nothing of what happened before.
    #[serde(default)]
    rewound_at: Option<Timestamp>,
    /// Earlier bindings, the oldest first.
    #[serde(default)]
    former: Vec<Binding>,
    /// The memory that was compared with HiPay's time: its start and its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked: Option<(Timestamp, u64)>,
}

/// Relation of a store to a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A store without a binding.
    Free,
    /// A store that is bound to what the configuration names.
    Ours,
    /// A store that is bound to something else.
    Foreign(Binding),
}

impl Binding {
    /// Returns the binding that the configuration names.
    pub fn of(config: &Config) -> Self {
        Self {
            mirakl: config.mirakl.base_url.clone(),
            hipay: config.hipay.base_url.clone(),
            technical_account: config.technical_account.hipay_id,
            marketplace: marketplace(config),
            operator_account: config.operator_account.hipay_id,
        }
    }

    /// Returns true if both name the same, as far as both are known.
    fn is_same(&self, other: &Self) -> bool {
        self.differences(other).is_empty()
    }

    /// Returns true if payments under way continue unchanged: only the operator's account may differ.
    fn pays_alike(&self, other: &Self) -> bool {
        Self { operator_account: 0, ..self.clone() }.is_same(other)
    }

    /// Compares the store with the configuration.
    pub async fn compare(context: &Context) -> Result<Bound, StoreError> {
        Ok(match stored(context).await? {
            None => Bound::Free,
            Some(known) if known.binding.is_same(&Self::of(&context.config)) => Bound::Ours,
            Some(known) => Bound::Foreign(known.binding),
        })
    }

    /// Returns the differences, one line each, such as `hipay: https://a (store), https://b (configuration)`.
    pub fn differences(&self, configured: &Self) -> Vec<String> {
        let technical = (self.technical_account.to_string(), configured.technical_account.to_string());
        let operator = (self.operator_account.to_string(), configured.operator_account.to_string());
        let operator_known = self.operator_account != 0 && configured.operator_account != 0;
        [
            ("mirakl.baseUrl", &self.mirakl, &configured.mirakl),
            ("hipay.baseRestUrl", &self.hipay, &configured.hipay),
            ("account.technical.hipayId", &technical.0, &technical.1),
            ("hipay.mkp.technical.id", &self.marketplace, &configured.marketplace),
            ("account.operator.hipayId", &operator.0, &operator.1),
        ]
        .into_iter()
        .filter(|(key, store, configuration)| {
            store != configuration && (operator_known || *key != "account.operator.hipayId")
        })
        .map(|(key, store, configuration)| format!("{key}: {store} (store), {configuration} (configuration)"))
        .collect()
    }
}

/// Checks that the store is bound to what the configuration names, and binds a new store to it.
pub async fn bind(context: &Context) -> Result<(), JobError> {
    let configured = Binding::of(&context.config);
    match Binding::compare(context).await? {
        Bound::Ours => note_operator_account(context, configured.operator_account).await,
        Bound::Free => rebind_from(context, None).await,
        Bound::Foreign(known) => {
            let differences = known.differences(&configured).join("; ");
            Err(JobError::Refused(msg!("binding-foreign", differences)))
        }
    }
}

/// Stores the operator's account in a binding of an earlier release, which did not keep it.
async fn note_operator_account(context: &Context, operator_account: u64) -> Result<(), JobError> {
    let lacks = |stored: &StoredBinding| stored.binding.operator_account == 0;
    if !stored(context).await?.is_some_and(|stored| lacks(&stored)) {
        return Ok(());
    }
    let noted = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut found) = writer.get_document::<StoredBinding>(DOCUMENT)?.filter(lacks) else { return Ok(()) };
        found.binding.operator_account = operator_account;
        writer.put_document(DOCUMENT, &found)
    });
    Ok(noted.await?)
}

/// The consequences for a store's operations of binding it to what the configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RebindEffect {
    /// Operations not transferred yet: each is looked up in HiPay's ledger before it is paid.
    pub to_be_looked_for: Moved,
    /// Commissions among them that will be paid to another operator's account.
    pub commissions: Moved,
}

impl RebindEffect {
    /// Computes the effect of a change of the binding now.
    pub async fn of(context: &Context) -> Result<Self, StoreError> {
        let operator = context.config.operator_account.hipay_id;
        context.store.reading(move |reader| Ok(unsent(reader, operator)?.0)).await
    }
}

impl From<&RebindEffect> for Message {
    fn from(effect: &RebindEffect) -> Self {
        let RebindEffect { to_be_looked_for, commissions } = effect;
        msg!(
            "rebind-effect",
            number = to_be_looked_for.count,
            sums = to_be_looked_for.sums_text(),
            commissions = commissions.count,
            commission_sums = commissions.sums_text(),
        )
    }
}

/// Returns the operations without a transfer that HiPay has accepted, and the commissions among
/// them whose account is not `operator`.
fn unsent(view: &impl View, operator: u64) -> Result<(RebindEffect, Vec<Operation>), StoreError> {
    let (mut effect, mut elsewhere) = (RebindEffect::default(), Vec::new());
    for status in Status::TRANSFER_PAYABLE {
        for operation in view.records(Query::group(Operation::BY_STATUS, status.code())) {
            let Some(operation) = readable_record(operation)?.filter(|operation| !operation.is_settled()) else {
                continue;
            };
            effect.to_be_looked_for.add(operation.amount);
            let last = operation.transfer.last().map(|last| last.state);
            let unsent = matches!(last, None | Some(AttemptState::Refused | AttemptState::Ended));
            let to_other = operation.beneficiary == Beneficiary::Operator && operation.recipient_hipay_id != operator;
            if unsent && to_other {
                effect.commissions.add(operation.amount);
                elsewhere.push(operation);
            }
        }
    }
    Ok((effect, elsewhere))
}

/// Binds the store to what the configuration names, as confirmed by a person. Refused while a
/// payment is under way whose outcome could no longer be looked up. Commissions that are not
/// transferred yet go to the operator's account of the configuration.
pub async fn rebind(context: &Context) -> Result<(), JobError> {
    let known = stored(context).await?;
    rebind_from(context, known).await
}

/// Binds the store, unless its binding changed since it was read: of two batches that find a new store, one binds it.
async fn rebind_from(context: &Context, known: Option<StoredBinding>) -> Result<(), JobError> {
    let now = context.hipay.no_earlier_than_theirs(context.clock.now());
    let binding = Binding::of(&context.config);
    let bound = context.store.write(move |writer: &mut Writer<'_>| {
        let found = writer.get_document::<StoredBinding>(DOCUMENT)?;
        if found != known {
            return Ok(());
        }
        let under_way = under_way(writer)?;
        let pays_alike = found.as_ref().is_none_or(|found| found.binding.pays_alike(&binding));
        if !pays_alike && under_way > 0 {
            return Err(JobError::Refused(msg!("binding-under-way", number = under_way)));
        }
        if found.is_some() {
            let account = binding.operator_account;
            for mut operation in unsent(writer, account)?.1 {
                let (former, account_text) = (operation.recipient_hipay_id.to_string(), account.to_string());
                operation.recipient_hipay_id = account;
                let last = operation.transfer.attempts.last_mut();
                if let Some(refused) = last.filter(|last| last.state == AttemptState::Refused) {
                    refused.account = account;
                }
                operation.note(&msg!("rebind-commission", account = account_text, former), now);
                writer.put(&operation)?;
            }
        }
        let first_bound_at = found.as_ref().map_or(now, |found| found.first_bound_at);
        let checked = found.as_ref().and_then(|found| found.checked);
        let former = found.map(|found| found.former.into_iter().chain([found.binding]).collect()).unwrap_or_default();
        let stored = StoredBinding { binding, first_bound_at, bound_at: now, rewound_at: None, former, checked };
        Ok(writer.put_document(DOCUMENT, &stored)?)
    });
    bound.await
}

fn under_way(view: &impl View) -> Result<u64, StoreError> {
    let mut payments = 0_u64;
    for status in [Status::TRANSFER_SENT, Status::WITHDRAW_SENT].concat() {
        payments = payments.saturating_add(view.count(Operation::BY_STATUS, status.code())?);
    }
    Ok(payments)
}

/// Returns the time since which this store knows everything that was paid under its binding.
pub(crate) async fn remembers_since(context: &Context) -> Result<Timestamp, StoreError> {
    let (began, stored) = (context.store.memory_since(), stored(context).await?);
    let is_checked = stored.as_ref().is_some_and(|known| known.checked == Some((began, context.store.memories())));
    let since = recorded(stored.as_ref(), began);
    if stored.is_none() || is_checked { Ok(since) } else { Ok(since.max(check_clock(context, began).await?)) }
}

/// Returns the recorded start of the store's memory, regardless of the clock it was written by.
pub(crate) async fn recorded_memory(context: &Context) -> Result<Timestamp, StoreError> {
    Ok(recorded(stored(context).await?.as_ref(), context.store.memory_since()))
}

fn recorded(stored: Option<&StoredBinding>, began: Timestamp) -> Timestamp {
    let known = stored.into_iter().flat_map(|known| [Some(known.bound_at), known.rewound_at]).flatten();
    known.fold(began, Timestamp::max)
}

/// Corrects the start of a memory that began at `began` by this machine's clock, using HiPay's
/// clock and the times in the store: with a slow clock the store would claim to know what others
/// have paid meanwhile. The result is persisted once HiPay's time is known.
async fn check_clock(context: &Context, began: Timestamp) -> Result<Timestamp, StoreError> {
    if context.hipay.their_time_now().is_none() {
        // Any answer of HiPay carries its time.
        let _ = context.hipay.balance(ActingOn::Technical).await;
    }
    let (now, theirs, memories) = (context.clock.now(), context.hipay.their_time_now(), context.store.memories());
    let checked = context.store.write(move |writer: &mut Writer<'_>| {
        let latest = writer.page(&Query::<BatchRecord, _>::all().descending().limit(BATCHES))?.items;
        let seen = latest.iter().filter_map(|batch| batch.ended_at);
        let newest = seen.chain(theirs).fold(now, Timestamp::max);
        let mut corrected = began;
        if newest.duration_since(now) > CLOCK_DIFFERENCE_LIMIT {
            // The difference is only known now: the memory began no later than this.
            corrected = newest;
        }
        let Some(mut found) = writer.get_document::<StoredBinding>(DOCUMENT)? else { return Ok(corrected) };
        if theirs.is_some() {
            found.checked = Some((began, memories));
            if corrected > began {
                found.rewound_at = found.rewound_at.max(Some(corrected));
            }
            writer.put_document(DOCUMENT, &found)?;
        }
        Ok::<_, StoreError>(corrected)
    });
    // Until HiPay's time is known, the start is unknown.
    let corrected = checked.await?;
    Ok(if theirs.is_some() { corrected } else { corrected.max(now) })
}

/// Restarts the store's memory now, because HiPay shows payments of ours that it lacks.
pub(crate) async fn forget_before_now(context: &Context) -> Result<(), StoreError> {
    let now = context.hipay.no_earlier_than_theirs(context.clock.now());
    let noted = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut found) = writer.get_document::<StoredBinding>(DOCUMENT)? else { return Ok(()) };
        found.rewound_at = found.rewound_at.max(Some(now));
        writer.put_document(DOCUMENT, &found)
    });
    noted.await
}

/// Returns every marketplace id that payments of this store carry or carried.
pub(crate) async fn marketplaces(context: &Context) -> Result<Vec<String>, StoreError> {
    let former = former_bindings(context).await?.into_iter().map(|binding| binding.marketplace);
    Ok(former.chain([marketplace(&context.config)]).collect())
}

/// Returns the time since which this installation is responsible for paying.
pub(crate) async fn responsible_since(context: &Context) -> Result<Timestamp, StoreError> {
    Ok(stored(context).await?.map_or(context.clock.now(), |known| known.first_bound_at))
}

/// Returns every account that was the operator's under this store, the present one last.
pub(crate) async fn operator_accounts(context: &Context) -> Result<Vec<u64>, StoreError> {
    let former = former_bindings(context).await?.into_iter().map(|binding| binding.operator_account);
    Ok(former.filter(|account| *account != 0).chain([context.config.operator_account.hipay_id]).collect())
}

/// Returns the marketplace's id in payment references.
pub(crate) fn marketplace(config: &Config) -> String {
    let technical = || config.technical_account.hipay_id.to_string();
    config.hipay.technical_marketplace_id.clone().unwrap_or_else(technical)
}

async fn former_bindings(context: &Context) -> Result<Vec<Binding>, StoreError> {
    Ok(stored(context).await?.map(|known| known.former).unwrap_or_default())
}

async fn stored(context: &Context) -> Result<Option<StoredBinding>, StoreError> {
    context.store.reading(|reader| reader.get_document::<StoredBinding>(DOCUMENT)).await
}
