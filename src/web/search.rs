//! Search over everything that has a number or a name: shops, operations, vouchers, HiPay's transactions and customers'
//! payments.
//!
//! What is searched for is never logged, since it may be a name or an e-mail.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use strum::IntoStaticStr;
use utoipa::ToSchema;

use super::Web;
use super::lists::check_search_text;
use super::lists::finding::{self, beginning_with};
use super::problem::Problem;
use crate::domain::ledger::LedgerEntry;
use crate::domain::operation::Operation;
use crate::domain::payment::CustomerPayment;
use crate::domain::search_text::folded;
use crate::domain::standing::Standing;
use crate::domain::vendor::Vendor;
use crate::domain::voucher::VoucherRecord;
use crate::store::{Ordered, Query, Record, StoreError, StoreReader, View};
use crate::text::Texts;

/// Maximum number of hits.
const MAX_HITS: usize = 20;
/// Number of hits that each kind may have, whatever the other kinds have.
const SHARE: usize = 4;
/// Maximum number of entries of an index that are read; those under the text itself come first.
const MAX_CANDIDATES: usize = 50;

/// Kind of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum SearchKind {
    /// A shop.
    Vendor,
    /// A transfer and withdrawal.
    Operation,
    /// A voucher.
    Voucher,
    /// A transaction of HiPay's ledger.
    Transaction,
    /// A customer's payment.
    Payment,
}

impl SearchKind {
    /// Returns the name of the kind in JSON.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }
}

/// Closeness of a hit to the text, the closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// The text itself.
    Exact,
    /// A text that begins with it.
    Beginning,
    /// A name of which a word begins with it.
    Word,
    /// A text that contains it.
    Part,
}

/// A record that a search has found, some with the name of their shop.
enum SearchRecord {
    Vendor(Box<Vendor>),
    Operation(Box<Operation>, String),
    Voucher(Box<VoucherRecord>, String),
    Transaction(Box<LedgerEntry>),
    Payment(Box<CustomerPayment>),
}

/// A hit: a record and its closeness to the text.
pub(super) struct SearchHit {
    record: SearchRecord,
    closeness: Closeness,
}

/// A hit in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchItem {
    /// Kind of the record.
    pub(super) kind: SearchKind,
    /// Id of the record, as its endpoint takes it; of a transaction, HiPay's id.
    #[schema(example = "2001")]
    pub(super) id: String,
    /// Name or number, in words.
    #[schema(example = "Chez Élise")]
    pub(super) title: String,
    /// Further identification, in words.
    #[schema(example = "Shop 2001 · HiPay ID 502001")]
    pub(super) text: String,
    /// Path of its page.
    #[schema(example = "/dashboard/vendors/2001")]
    pub(super) address: String,
}

/// Searches for a text. Returns the closest hits first: all that are exact, then those of each kind in turn.
pub(super) async fn search(web: &Web, text: &str) -> Result<Vec<SearchHit>, Problem> {
    check_search_text(text)?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let found = web.context.store.reading(move |reader| {
        let mut hits = vendors(reader, &text)?;
        let lower = text.to_lowercase();
        hits.extend(operations(reader, &lower)?);
        hits.extend(vouchers(reader, &text, &lower)?);
        hits.extend(transactions(reader, &lower)?);
        hits.extend(payments(reader, &lower)?);
        Ok(hits)
    });
    Ok(choose(found.await?))
}

/// Returns the address of the only exact hit; `None` if there are several or none.
pub(super) fn only_exact(hits: &[SearchHit]) -> Option<String> {
    let mut exact = hits.iter().filter(|hit| hit.closeness == Closeness::Exact);
    let only = exact.next().filter(|_| exact.next().is_none())?;
    Some(only.record.address())
}

/// Chooses the hits to show: every exact one, then the share of each kind, then whatever is closest.
fn choose(mut hits: Vec<SearchHit>) -> Vec<SearchHit> {
    hits.sort_by_key(|hit| hit.closeness);
    let mut taken: BTreeMap<SearchKind, usize> = BTreeMap::new();
    let (mut chosen, others): (Vec<_>, Vec<_>) = hits.into_iter().partition(|hit| {
        let number = taken.entry(hit.record.kind()).or_default();
        *number = number.saturating_add(1);
        hit.closeness == Closeness::Exact || *number <= SHARE
    });
    chosen.extend(others);
    chosen.truncate(MAX_HITS);
    chosen.sort_by_key(|hit| hit.closeness);
    chosen
}

/// Returns the closeness of the closest of some texts.
fn closest(texts: impl IntoIterator<Item = impl AsRef<str>>, wanted: &str) -> Closeness {
    let closeness = |text: &str| match text {
        text if text == wanted => Closeness::Exact,
        text if text.starts_with(wanted) => Closeness::Beginning,
        _ => Closeness::Part,
    };
    texts.into_iter().map(|text| closeness(text.as_ref())).min().unwrap_or(Closeness::Part)
}

/// Reads the records under these keys, each once, and makes hits of them.
fn hits_of<R: Record>(
    view: &StoreReader<'_>,
    keys: impl IntoIterator<Item = R::Key>,
    hit: impl Fn(R) -> Result<SearchHit, StoreError>,
) -> Result<Vec<SearchHit>, StoreError> {
    let (mut seen, mut hits) = (BTreeSet::new(), Vec::new());
    for key in keys {
        if seen.insert(key.encoded())
            && let Some(record) = view.get::<R>(&key)?
        {
            hits.push(hit(record)?);
        }
    }
    Ok(hits)
}

fn vendors(view: &StoreReader<'_>, text: &str) -> Result<Vec<SearchHit>, StoreError> {
    let wanted = folded(text);
    let found = finding::vendors(view, text, MAX_CANDIDATES)?;
    let mut hits = hits_of(view, found.keys, |vendor: Vendor| {
        let closeness = closest(vendor.search_texts(), &wanted).min(closeness_of_words(&vendor.name, &wanted));
        Ok(SearchHit { record: SearchRecord::Vendor(Box::new(vendor)), closeness })
    })?;
    // A shop without a wallet may be known from its vouchers alone.
    if let Ok(id) = text.parse::<u64>()
        && view.get::<Vendor>(&id)?.is_none()
    {
        let voucher = view.page_uncounted(&Query::group(VoucherRecord::BY_SHOP, (id,)).limit(1))?.items.pop();
        hits.extend(voucher.map(|voucher| {
            let shop = Vendor::new(id, voucher.first_seen_at);
            SearchHit { record: SearchRecord::Vendor(Box::new(shop)), closeness: Closeness::Exact }
        }));
    }
    Ok(hits)
}

/// Returns [`Closeness::Word`] if what follows a space or a sign of a name begins with the text.
fn closeness_of_words(name: &str, wanted: &str) -> Closeness {
    let mut ends = name.match_indices(|sign: char| !sign.is_alphanumeric()).filter_map(|(at, _)| name.get(at..));
    if ends.any(|end| folded(end).starts_with(wanted)) { Closeness::Word } else { Closeness::Part }
}

fn shop_name(view: &StoreReader<'_>, shop: u64) -> Result<String, StoreError> {
    Ok(view.get::<Vendor>(&shop)?.map(|vendor| vendor.name).unwrap_or_default())
}

fn operations(view: &StoreReader<'_>, text: &str) -> Result<Vec<SearchHit>, StoreError> {
    let id = text.parse::<u64>().ok();
    let found = finding::operations_by_number(view, text, MAX_CANDIDATES)?;
    hits_of(view, id.into_iter().chain(found.keys), |operation: Operation| {
        let is_meant = id == Some(operation.id);
        let closeness = if is_meant { Closeness::Exact } else { closest(texts_of(&operation), text) };
        let shop = shop_name(view, operation.mirakl_id)?;
        Ok(SearchHit { record: SearchRecord::Operation(Box::new(operation), shop), closeness })
    })
}

/// Returns the numbers, transactions and references of an operation, in lower case.
fn texts_of(operation: &Operation) -> impl Iterator<Item = String> {
    let payments = operation.transaction_ids().chain(operation.references()).map(str::to_lowercase);
    operation.voucher_numbers().into_iter().map(|number| number.to_lowercase()).chain(payments)
}

fn vouchers(view: &StoreReader<'_>, text: &str, lower: &str) -> Result<Vec<SearchHit>, StoreError> {
    let id = VoucherRecord::key_of(text);
    let found = beginning_with(view, VoucherRecord::NUMBERS, lower, MAX_CANDIDATES)?;
    hits_of(view, id.clone().into_iter().chain(found.keys), |record: VoucherRecord| {
        let numbers = record.voucher.identities().into_iter().map(|(_, number)| number);
        let texts = numbers.chain([record.voucher.number.clone()]).map(|number| number.to_lowercase());
        let closeness = if id.as_ref() == Some(&record.key()) { Closeness::Exact } else { closest(texts, lower) };
        let shop = shop_name(view, record.voucher.shop_id)?;
        Ok(SearchHit { record: SearchRecord::Voucher(Box::new(record), shop), closeness })
    })
}

fn transactions(view: &StoreReader<'_>, text: &str) -> Result<Vec<SearchHit>, StoreError> {
    let found = beginning_with(view, LedgerEntry::SEARCH, text, MAX_CANDIDATES)?;
    // Both accounts list a transaction between two of ours.
    let mut seen = BTreeSet::new();
    let keys = found.keys.into_iter().filter(|(_, transaction)| seen.insert(transaction.clone()));
    hits_of(view, keys, |entry: LedgerEntry| {
        let closeness = closest([entry.transaction_id.to_lowercase(), entry.reference.to_lowercase()], text);
        Ok(SearchHit { record: SearchRecord::Transaction(Box::new(entry)), closeness })
    })
}

fn payments(view: &StoreReader<'_>, text: &str) -> Result<Vec<SearchHit>, StoreError> {
    let found = beginning_with(view, CustomerPayment::SEARCH, text, MAX_CANDIDATES)?;
    hits_of(view, found.keys, |payment: CustomerPayment| {
        let texts = [&payment.transaction_reference, &payment.latest.order_id].map(|text| text.to_lowercase());
        let closeness = closest(texts, text);
        Ok(SearchHit { record: SearchRecord::Payment(Box::new(payment)), closeness })
    })
}

impl SearchRecord {
    fn kind(&self) -> SearchKind {
        match self {
            Self::Vendor(_) => SearchKind::Vendor,
            Self::Operation(..) => SearchKind::Operation,
            Self::Voucher(..) => SearchKind::Voucher,
            Self::Transaction(_) => SearchKind::Transaction,
            Self::Payment(_) => SearchKind::Payment,
        }
    }

    fn id(&self) -> String {
        match self {
            Self::Vendor(vendor) => vendor.mirakl_id.to_string(),
            Self::Operation(operation, _) => operation.id.to_string(),
            Self::Voucher(record, _) => record.id(),
            Self::Transaction(entry) => entry.transaction_id.clone(),
            Self::Payment(payment) => payment.transaction_reference.clone(),
        }
    }

    /// Returns the path of the record's page; of a transaction, that of the list with it.
    fn address(&self) -> String {
        let id = self.id();
        let id = utf8_percent_encode(&id, NON_ALPHANUMERIC);
        match self {
            Self::Vendor(_) => format!("/dashboard/vendors/{id}"),
            Self::Operation(..) => format!("/dashboard/transfers/{id}"),
            Self::Voucher(..) => format!("/dashboard/vouchers/{id}"),
            Self::Transaction(_) => format!("/dashboard/transactions?q={id}"),
            Self::Payment(_) => format!("/dashboard/payments/{id}"),
        }
    }

    /// Returns what names the record, in words.
    fn title(&self, texts: &Texts) -> String {
        let say = |id, name, value: &str| texts.text(id, &[(name, value.into())]);
        match self {
            Self::Vendor(vendor) if vendor.name.is_empty() => say("search-shop", "shop", &vendor.mirakl_id.to_string()),
            Self::Vendor(vendor) => vendor.name.clone(),
            Self::Operation(operation, _) => say("operation-title", "voucher", &operation.voucher),
            Self::Voucher(record, _) => say("vouchers-title", "voucher", &record.voucher.number),
            Self::Transaction(entry) => say("search-transaction", "transaction", &entry.transaction_id),
            Self::Payment(payment) => say("search-payment", "payment", &payment.transaction_reference),
        }
    }

    /// Returns what else is known of the record, part by part; a part may be empty.
    fn details(&self, texts: &Texts) -> Vec<String> {
        let say = |id, name, value: &str| texts.text(id, &[(name, value.into())]);
        let of_shop = |shop: u64| say("search-shop", "shop", &shop.to_string());
        match self {
            Self::Vendor(vendor) => {
                let wallet = vendor.hipay_id.map(|wallet| say("search-wallet", "wallet", &wallet.to_string()));
                vec![of_shop(vendor.mirakl_id), wallet.unwrap_or_default(), vendor.login.clone(), vendor.email.clone()]
            }
            Self::Operation(operation, shop) => vec![
                say("search-operation", "operation", &operation.id.to_string()),
                texts.word(&operation.beneficiary),
                texts.amount(operation.amount),
                texts.text(&format!("stage-{}", Standing::of_operation(operation).stage.name()), &[]),
                of_shop(operation.mirakl_id),
                shop.clone(),
            ],
            Self::Voucher(record, shop) => vec![
                texts.word(&record.state()),
                texts.amount(record.voucher.vendor_amount),
                of_shop(record.voucher.shop_id),
                shop.clone(),
            ],
            Self::Transaction(entry) => vec![
                texts.word(&entry.matched),
                entry.amount.map(|amount| texts.amount(amount)).unwrap_or_default(),
                entry.reference.clone(),
            ],
            Self::Payment(payment) => vec![
                say("search-order", "order", &payment.latest.order_id),
                texts.word(&payment.outcome()),
                payment.latest.authorized_amount.map(|amount| texts.amount(amount)).unwrap_or_default(),
            ],
        }
    }
}

impl SearchItem {
    /// Writes a hit in the language of `texts`.
    pub(super) fn new(hit: &SearchHit, texts: &Texts) -> Self {
        let record = &hit.record;
        let details = record.details(texts).into_iter().filter(|part| !part.is_empty());
        Self {
            kind: record.kind(),
            id: record.id(),
            title: record.title(texts),
            text: details.collect::<Vec<_>>().join(" · "),
            address: record.address(),
        }
    }
}
