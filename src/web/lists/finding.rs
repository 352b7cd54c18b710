//! Finding records by a text that a person types: a number, a reference, or a part of a shop's name.

use crate::domain::attempt::prefix;
use crate::domain::operation::{Beneficiary, Operation, PaymentKind};
use crate::domain::search_text::{MAX_PART_LENGTH, folded};
use crate::domain::vendor::Vendor;
use crate::domain::voucher::VoucherRecord;
use crate::store::{Index, Query, Record, StoreError, StoreReader, View};

/// Upper bound on the shops of one name whose operations and vouchers are found.
const MAX_SHOPS: usize = 20;

/// Keys of the records that a search has found, the closest first.
pub(in crate::web) struct FoundKeys<K> {
    /// The keys, each once.
    pub(in crate::web) keys: Vec<K>,
    /// True if there are no others.
    pub(in crate::web) all: bool,
}

impl<K: PartialEq> FoundKeys<K> {
    /// Makes a result of keys of which some may be there twice.
    fn new(found: impl IntoIterator<Item = K>, all: bool) -> Self {
        let mut unique = Self { keys: Vec::new(), all };
        unique.add(found);
        unique
    }

    fn add(&mut self, found: impl IntoIterator<Item = K>) {
        for key in found {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }

    /// Returns the result of a search without any text.
    pub(super) fn nothing() -> Self {
        Self { keys: Vec::new(), all: true }
    }

    /// Adds those of another search that are not there yet.
    fn and(mut self, others: Self) -> Self {
        self.all = self.all && others.all;
        self.add(others.keys);
        self
    }
}

type KeysOf<R> = Result<FoundKeys<<R as Record>::Key>, StoreError>;

/// Finds the records that `index` has under texts that begin with `text`, those under `text` itself first.
pub(in crate::web) fn beginning_with<R: Record<Key: PartialEq>>(
    view: &StoreReader<'_>,
    index: Index<R, (), String>,
    text: &str,
    most: usize,
) -> KeysOf<R> {
    if text.is_empty() {
        return Ok(FoundKeys::nothing());
    }
    let found = view.keys(&Query::group(index, ()).beginning_with(text).limit(most))?;
    Ok(FoundKeys::new(found.keys, found.next.is_none()))
}

/// Finds the records that `index` has under `text` itself.
fn exactly<R: Record<Key: PartialEq>>(
    view: &StoreReader<'_>,
    index: Index<R, (), String>,
    text: &str,
    most: usize,
) -> KeysOf<R> {
    let query = Query::group(index, ()).from(text.to_owned()).to(format!("{text}\u{1}")).limit(most);
    let found = view.keys(&query)?;
    Ok(FoundKeys::new(found.keys, found.next.is_none()))
}

/// Finds vendors by an id, or by a part of the name, the login or the e-mail.
pub(in crate::web) fn vendors(view: &StoreReader<'_>, text: &str, most: usize) -> KeysOf<Vendor> {
    let wanted = folded(text);
    let whole = beginning_with(view, Vendor::SEARCH, &wanted, most)?;
    let beginning: String = wanted.chars().take(MAX_PART_LENGTH).collect();
    let mut within = beginning_with(view, Vendor::PARTS, &beginning, most)?;
    if beginning != wanted {
        let candidates = std::mem::take(&mut within.keys);
        for key in candidates {
            let vendor = view.get::<Vendor>(&key)?;
            let has_all = vendor.is_some_and(|vendor| vendor.search_texts().iter().any(|one| one.contains(&wanted)));
            within.keys.extend(has_all.then_some(key));
        }
    }
    Ok(whole.and(within))
}

/// Finds the shops that a text names; an id alone names none, since the indexes of operations and vouchers have it.
fn shops_named(view: &StoreReader<'_>, text: &str) -> KeysOf<Vendor> {
    if text.chars().any(char::is_alphabetic) { vendors(view, text, MAX_SHOPS) } else { Ok(FoundKeys::nothing()) }
}

/// Finds operations by the numbers of their vouchers, and by HiPay's transactions and references.
pub(in crate::web) fn operations_by_number(view: &StoreReader<'_>, text: &str, most: usize) -> KeysOf<Operation> {
    let text = text.to_lowercase();
    let numbered = beginning_with(view, Operation::NUMBERS, &text, most)?;
    Ok(numbered.and(operations_by_reference(view, &text, most)?))
}

/// Finds operations by the beginning of a reference, in lower case. It contains the voucher's number, which may contain
/// underscores itself.
fn operations_by_reference(view: &StoreReader<'_>, text: &str, most: usize) -> KeysOf<Operation> {
    let prefixes = PaymentKind::ALL
        .into_iter()
        .flat_map(|kind| Beneficiary::ALL.map(|beneficiary| prefix(kind, beneficiary).to_lowercase()));
    let Some(rest) = prefixes.into_iter().find_map(|prefix| text.strip_prefix(&prefix)) else {
        return Ok(FoundKeys::nothing());
    };
    let mut found = beginning_with(view, Operation::NUMBERS, rest, most)?;
    for (end, _) in rest.match_indices('_') {
        found = found.and(exactly(view, Operation::NUMBERS, rest.get(..end).unwrap_or_default(), most)?);
    }
    let candidates = std::mem::take(&mut found.keys);
    for key in candidates {
        let operation = view.get::<Operation>(&key)?;
        let has_reference = |one: Operation| one.references().any(|known| known.to_lowercase().starts_with(text));
        found.keys.extend(operation.is_some_and(has_reference).then_some(key));
    }
    Ok(found)
}

/// Finds operations by shop, wallet, number, transaction or reference.
pub(super) fn operations(view: &StoreReader<'_>, text: &str, most: usize) -> KeysOf<Operation> {
    let found = beginning_with(view, Operation::SEARCH, &text.to_lowercase(), most)?;
    let found = found.and(operations_by_number(view, text, most)?);
    let shops = shops_named(view, text)?;
    if shops.keys.is_empty() {
        return Ok(found);
    }
    let of_shops = Query::any_of(Operation::BY_VENDOR, shops.keys.into_iter().map(|shop| (shop,)));
    let of_shops = view.keys(&of_shops.descending().limit(most))?;
    Ok(found.and(FoundKeys::new(of_shops.keys, shops.all && of_shops.next.is_none())))
}

/// Finds vouchers by shop or number, and by the transactions and references of their operations.
pub(super) fn vouchers(view: &StoreReader<'_>, text: &str, most: usize) -> KeysOf<VoucherRecord> {
    let mut found = beginning_with(view, VoucherRecord::SEARCH, &text.to_lowercase(), most)?;
    let operations = operations_by_number(view, text, most)?;
    for id in operations.keys {
        let Some(operation) = view.get::<Operation>(&id)? else { continue };
        for number in operation.voucher_numbers() {
            let mut paid = exactly(view, VoucherRecord::NUMBERS, &number.to_lowercase(), most)?;
            paid.keys.retain(|(_, shop, _)| *shop == operation.mirakl_id);
            found = found.and(paid);
        }
    }
    found.all = found.all && operations.all;
    let shops = shops_named(view, text)?;
    if shops.keys.is_empty() {
        return Ok(found);
    }
    let of_shops = Query::any_of(VoucherRecord::BY_SHOP, shops.keys.into_iter().map(|shop| (shop,)));
    let of_shops = view.keys(&of_shops.descending().limit(most))?;
    Ok(found.and(FoundKeys::new(of_shops.keys, shops.all && of_shops.next.is_none())))
}
