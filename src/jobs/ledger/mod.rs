//! Reading of HiPay's ledger: the lists of transactions of the technical account and of the
//! wallets. Each entry is stored with its match to our operations.

pub(super) mod reversals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;
use tokio::sync::Mutex;

use crate::domain::attempt::{Attempt, AttemptState, ReferenceParts, TransactionState, prefix};
use crate::domain::ledger::{LedgerAccount, LedgerEntry, LedgerMatch, SoughtPayment};
use crate::domain::money::Amount;
use crate::domain::operation::{Operation, PaymentKind};
use crate::domain::vendor::Vendor;
use crate::domain::voucher::{Voucher, VoucherRecord};
use crate::jobs::binding::{forget_before_now, marketplaces, recorded_memory, remembers_since};
use crate::jobs::intake::unpaid_vouchers::voucher_of;
use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::remote::CallError;
use crate::remote::hipay::{ActingOn, ListedTransaction, Transaction};
use crate::store::{Index, Query, Record, StoreError, View, Writer};
use crate::text::message::{Message, msg};

/// Number of orphans whose owners are looked up in one read of the store, so that none stays open for long.
const ORPHANS_AT_ONCE: usize = 1_000;

/// Margin on both sides of a list: HiPay's time zone is not documented.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// Upper bound on the error of an instant that HiPay writes without its zone.
const ZONES: SignedDuration = SignedDuration::from_hours(14);

/// Overlap of an incremental reading with the previous one: HiPay's list may lag behind its payments.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// Interval before the store's memory that is read as well: payments of another installation are
/// listed even if Mirakl no longer shows their vouchers.
const READ_BEFORE_MEMORY: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);

/// Maximum interval of one list: HiPay accepts 92 days.
const MAX_LIST_INTERVAL: SignedDuration = SignedDuration::from_hours(91 * 24);

/// Minimum interval that is still divided.
const MIN_LIST_INTERVAL: SignedDuration = SignedDuration::from_secs(2);

/// Maximum number of transactions held in memory at once: a larger interval is divided.
const MAX_LISTED: usize = 10_000;

/// Upper bound on the readings of a list that changes while it is read.
const MAX_SWEEPS: u32 = 5;

/// Upper bound on the pages of one list; a remote that never ends it is stopped here.
const MAX_PAGES: usize = 2_000;

/// Number of entries written in one transaction of the store.
const MAX_WRITTEN_AT_ONCE: usize = 250;

/// The ledger of one account during one run. It is read once, when it is first needed, and further
/// back if an older payment requires it.
pub(crate) struct Ledger<'a> {
    context: &'a Context,
    on: ActingOn<'a>,
    account: u64,
    /// Start of this run's work with it (UTC).
    begun_at: Timestamp,
    /// Time since which it was read in this run, or the error of the reading.
    read: Mutex<Option<Result<Timestamp, CallError>>>,
    /// Findings of this run.
    found: std::sync::Mutex<FoundEntries>,
    /// Orphans by the shop that they name, and the time since which they were searched.
    named: Mutex<Option<(Timestamp, NamedOrphans)>>,
}

/// Maximum number of mismatches reported individually; of further ones only the number is reported.
const MAX_MISMATCHES: usize = 50;

/// Entries to report. A ledger may be long: no more of them are held than are reported.
#[derive(Debug, Default)]
struct FoundEntries {
    /// Number of entries newly found to be an orphan.
    orphans: usize,
    /// Number of entries newly found to be a mismatch.
    mismatched: usize,
    /// The first mismatches.
    mismatches: Vec<LedgerEntry>,
    /// Entries that contradict an attempt which HiPay had executed.
    reversed: Vec<LedgerEntry>,
    /// Entries that HiPay executed after their attempt was over, or after a person had settled their operation.
    revived: Vec<LedgerEntry>,
}

impl FoundEntries {
    /// Adds an entry whose match is new.
    fn add_news(&mut self, entry: LedgerEntry) {
        match entry.matched {
            LedgerMatch::Orphan => self.orphans = self.orphans.saturating_add(1),
            LedgerMatch::Mismatch => {
                self.mismatched = self.mismatched.saturating_add(1);
                self.mismatches.extend(Some(entry).filter(|_| self.mismatches.len() < MAX_MISMATCHES));
            }
            LedgerMatch::Matched | LedgerMatch::Foreign | LedgerMatch::Unknown => {}
        }
    }

    /// Adds the findings of a part of the list.
    fn add(&mut self, part: Self) {
        self.orphans = self.orphans.saturating_add(part.orphans);
        self.mismatched = self.mismatched.saturating_add(part.mismatched);
        let free = MAX_MISMATCHES.saturating_sub(self.mismatches.len());
        self.mismatches.extend(part.mismatches.into_iter().take(free));
        self.reversed.extend(part.reversed);
        self.revived.extend(part.revived);
    }
}

/// Orphans which show that the store's memory is incomplete.
#[derive(Debug, Default)]
struct LackingPayments {
    number: usize,
    /// Number of those that this run was the first to read.
    new: usize,
    first: Option<LedgerEntry>,
}

impl<'a> Ledger<'a> {
    /// Creates the ledger that shows transfers.
    pub(crate) fn of_technical_account(context: &'a Context) -> Self {
        Self::of(context, ActingOn::Technical, context.config.technical_account.hipay_id)
    }

    /// Creates the ledger that shows withdrawals from this wallet.
    pub(crate) fn of_wallet(context: &'a Context, account: u64) -> Self {
        Self::of(context, ActingOn::Wallet(account), account)
    }

    fn of(context: &'a Context, on: ActingOn<'a>, account: u64) -> Self {
        let begun_at = context.clock.now();
        let (read, found, named) = (Mutex::default(), std::sync::Mutex::default(), Mutex::default());
        Self { context, on, account, begun_at, read, found, named }
    }

    /// Reads what HiPay shows since `since`, unless this run has read it already.
    pub(crate) async fn read_since(&self, since: Timestamp) -> Result<(), CallError> {
        // If our clock was set back, the memory begins later than now.
        let since = since.min(self.context.hipay.as_of(self.context.clock.now()));
        let mut read = self.read.lock().await;
        match read.as_ref() {
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(from)) if *from <= since => return Ok(()),
            Some(Ok(_)) | None => {}
        }
        let result = self.read_from_hipay(since).await;
        *read = Some(result.clone());
        result.map(drop)
    }

    async fn read_from_hipay(&self, since: Timestamp) -> Result<Timestamp, CallError> {
        let known = self.known().await.map_err(|error| CallError::unknown(&error))?;
        let account = self.account;
        let now = self.context.clock.now();
        // If our clock is ahead, the next reading begins no later than HiPay's own time.
        let until = self.context.hipay.as_of(now);
        let mut intervals = Vec::new();
        match &known {
            None => intervals.push((since, now)),
            Some(known) => {
                if since < known.from {
                    intervals.push((since, known.from));
                }
                intervals.push((earlier(known.until.min(now), OVERLAP), now));
            }
        }
        // If our clock is behind, HiPay's list reaches further.
        if let Some((_, to)) = intervals.last_mut() {
            *to = self.context.hipay.no_earlier_than_theirs(*to);
        }
        for (from, to) in intervals {
            self.read_interval(earlier(from, MARGIN), later(to, MARGIN), LedgerReading::Incremental).await?;
        }
        let from = known.as_ref().map_or(since, |known| known.from.min(since));
        let known = known.unwrap_or(LedgerAccount { account, from, until, looked_again_at: None, unknown: Map::new() });
        self.note(LedgerAccount { from, until, ..known }).await?;
        Ok(from)
    }

    /// Reads everything since `since` again, regardless of earlier readings: executed payments may have been reversed.
    pub(crate) async fn look_again(&self, since: Timestamp) -> Result<(), CallError> {
        let known = self.known().await.map_err(|error| CallError::unknown(&error))?;
        let account = self.account;
        let now = self.context.clock.now();
        let until = self.context.hipay.as_of(now);
        let to = self.context.hipay.no_earlier_than_theirs(now);
        self.read_interval(earlier(since, MARGIN), later(to, MARGIN), LedgerReading::Again).await?;
        let looked_again_at = Some(now);
        let known = match known {
            // The time between the two readings is not known to be complete.
            Some(known) if known.until < since => LedgerAccount { looked_again_at, ..known },
            Some(known) => LedgerAccount { from: known.from.min(since), until, looked_again_at, ..known },
            None => LedgerAccount { account, from: since, until, looked_again_at, unknown: Map::new() },
        };
        self.note(known).await
    }

    /// Returns true if it was last read more than a day ago: payments of others are found even if no operation is due.
    pub(crate) async fn is_stale(&self) -> Result<bool, StoreError> {
        const A_DAY: SignedDuration = SignedDuration::from_hours(24);
        let now = self.context.clock.now();
        Ok(self.known().await?.is_none_or(|known| now.duration_since(known.until) >= A_DAY))
    }

    /// Returns the interval that was read before.
    async fn known(&self) -> Result<Option<LedgerAccount>, StoreError> {
        let account = self.account;
        self.context.store.reading(move |reader| reader.get::<LedgerAccount>(&account)).await
    }

    async fn note(&self, read: LedgerAccount) -> Result<(), CallError> {
        let written = self.context.store.write(move |writer| writer.put(&read)).await;
        written.map_err(|error: StoreError| CallError::unknown(&error))
    }

    /// Returns what this run's reading shows of a pending or executed payment; `None` if HiPay has to be asked for it.
    pub(crate) async fn shown(&self, transaction_id: &str) -> Result<Option<Transaction>, StoreError> {
        let key = (self.account, transaction_id.to_owned());
        let entry = self.context.store.reading(move |reader| reader.get::<LedgerEntry>(&key)).await?;
        let entry = entry.filter(|entry| match entry.state() {
            TransactionState::Captured | TransactionState::Pending | TransactionState::Standby => {
                // The account that was paid has to be compared.
                entry.read_at >= self.begun_at && !entry.recipient_email.is_empty()
            }
            // The details of a failed payment are only in HiPay's own answer.
            TransactionState::Failed | TransactionState::Canceled | TransactionState::Unknown => false,
        });
        Ok(entry.as_ref().map(transaction_of))
    }

    /// Reads an interval of any length, in lists that HiPay accepts and that fit into memory.
    async fn read_interval(&self, from: Timestamp, to: Timestamp, reading: LedgerReading) -> Result<(), CallError> {
        let mut ahead = vec![(from, to)];
        while let Some((from, to)) = ahead.pop() {
            let length = to.duration_since(from);
            let listed = if length > MAX_LIST_INTERVAL { None } else { self.list(from, to).await? };
            let Some(listed) = listed else {
                let part = if length > MAX_LIST_INTERVAL { MAX_LIST_INTERVAL } else { length / 2 };
                let cut = later(from, part);
                ahead.extend([(cut, to), (from, cut)]);
                continue;
            };
            self.store_listed(listed, reading).await?;
        }
        Ok(())
    }

    /// Returns a complete list with each transaction once; `None` if the interval should be
    /// divided. HiPay does not promise that its pages are stable: if their count changes or does
    /// not fit, the list is read again, and the items are merged by id.
    async fn list(&self, from: Timestamp, to: Timestamp) -> Result<Option<Vec<ListedTransaction>>, CallError> {
        let mut merged: BTreeMap<String, ListedTransaction> = BTreeMap::new();
        let mut previous: Option<BTreeSet<String>> = None;
        for _ in 0..MAX_SWEEPS {
            let mut seen = BTreeSet::new();
            let mut totals = BTreeSet::new();
            let mut received = 0_usize;
            for page in 1..=MAX_PAGES {
                let page = self.context.hipay.transactions(self.on, (from, to), page).await?;
                let divisible = to.duration_since(from) > MIN_LIST_INTERVAL;
                let large = page.total.is_some_and(|total| total > MAX_LISTED) || merged.len() > MAX_LISTED;
                if divisible && large {
                    return Ok(None);
                }
                totals.insert(page.total);
                let count = page.items.len();
                let known_before = seen.len();
                received = received.saturating_add(count);
                for item in page.items {
                    let id = match &item {
                        ListedTransaction::Whole(whole) => whole.transaction_id.clone(),
                        ListedTransaction::Id(id) => id.clone(),
                    };
                    seen.insert(id.clone());
                    merged.insert(id, item);
                }
                // Without a count, a page without new items is the last one.
                let nothing_new = page.total.is_none() && seen.len() == known_before;
                if count == 0 || nothing_new || page.total.is_some_and(|total| received >= total) {
                    break;
                }
            }
            let counted = totals.last().copied().flatten().unwrap_or(seen.len());
            let stable = totals.len() == 1 && seen.len() >= counted;
            if stable {
                return Ok(Some(merged.into_values().collect()));
            }
            if previous.as_ref() == Some(&seen) {
                return Err(CallError::unknown(msg!("ledger-incomplete", counted, shown = seen.len())));
            }
            previous = Some(seen);
        }
        Err(CallError::unknown(msg!("ledger-changing")))
    }

    /// Reads the missing details of the listed transactions, and stores them all.
    async fn store_listed(&self, listed: Vec<ListedTransaction>, reading: LedgerReading) -> Result<(), CallError> {
        for slice in listed.chunks(MAX_WRITTEN_AT_ONCE) {
            let whole = stream::iter(slice.iter().cloned())
                .map(|item| self.full_transaction(item, reading))
                .buffer_unordered(self.context.concurrency());
            let whole: Vec<Transaction> = whole.try_filter_map(|found| async move { Ok(found) }).try_collect().await?;
            let (account, now) = (self.account, self.context.clock.now());
            let kept = self.context.store.write(move |writer: &mut Writer<'_>| {
                let mut found = FoundEntries::default();
                for transaction in whole {
                    keep_entry(writer, account, transaction, now, &mut found)?;
                }
                Ok::<_, StoreError>(found)
            });
            let part = kept.await.map_err(|error| CallError::unknown(&error))?;
            self.found().add(part);
        }
        Ok(())
    }

    /// Returns the full transaction of a list item; `None` if the stored entry is sufficient.
    async fn full_transaction(
        &self,
        item: ListedTransaction,
        reading: LedgerReading,
    ) -> Result<Option<Transaction>, CallError> {
        let id = match item {
            ListedTransaction::Whole(whole) => return Ok(Some(*whole)),
            ListedTransaction::Id(id) => id,
        };
        let key = (self.account, id.clone());
        let kind = self.kind();
        let known = self.context.store.reading(move |reader| {
            let Some(entry) = reader.get::<LedgerEntry>(&key)? else { return Ok(false) };
            let is_over = entry.state().is_ended() || entry.state() == TransactionState::Captured;
            if !is_over || reading == LedgerReading::Incremental {
                return Ok(is_over);
            }
            // Each payment of ours is checked in the list of the account that it left.
            let attempt = attempt_of(reader, &entry)?;
            let is_over = |attempt: &Attempt| matches!(attempt.state, AttemptState::Captured | AttemptState::Ended);
            Ok(!attempt.is_some_and(|found| found.kind == kind && is_over(&found.attempt)))
        });
        if known.await.map_err(|error| CallError::unknown(&error))? {
            return Ok(None);
        }
        let shown = self.context.hipay.transaction(kind, self.account, &id).await?;
        shown.map(Some).ok_or_else(|| CallError::unknown(msg!("ledger-listed-not-shown", transaction = id)))
    }

    /// Returns the kind of our payments that it shows.
    pub(crate) fn kind(&self) -> PaymentKind {
        match self.on {
            ActingOn::Technical => PaymentKind::Transfer,
            ActingOn::Wallet(_) | ActingOn::Login(_) => PaymentKind::Withdrawal,
        }
    }

    fn found(&self) -> MutexGuard<'_, FoundEntries> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads new entries, at first also eight weeks before the store's memory, and reports irregular ones. Payments of
    /// ours that this store lacks and that were made after its memory began show that the memory is incomplete: it
    /// restarts now. A ledger that cannot be read is reported, but stops nothing that the memory covers.
    pub(crate) async fn read_new_entries(&self, run: &BatchRun) -> Result<(), JobError> {
        let recorded = recorded_memory(self.context).await?;
        let before = earlier(recorded, READ_BEFORE_MEMORY);
        let mut unread = if self.known().await?.is_none() { self.read_back_to(before).await? } else { None };
        match self.read_since(recorded).await {
            // A store of an earlier release has not read so far back.
            Ok(()) if unread.is_none() => unread = self.read_back_to(before).await?,
            Ok(()) => {}
            Err(error) if error.is_credentials() => return Err(error.into()),
            Err(error) => unread = Some(error),
        }
        if let Some(error) = unread {
            run.warn(&Subject::default(), msg!("ledger-unread", error = &error));
        }
        // Findings from before a failed reading are reported too.
        self.report(run, remembers_since(self.context).await?).await
    }

    /// Reads back to `before`, unless that was read. Returns the error of a failed reading, which affects no later one.
    async fn read_back_to(&self, before: Timestamp) -> Result<Option<CallError>, JobError> {
        let mut read = self.read.lock().await;
        if self.known().await?.is_some_and(|known| known.from <= before) {
            return Ok(None);
        }
        match self.read_from_hipay(before).await {
            Ok(from) => {
                *read = Some(Ok(from));
                Ok(None)
            }
            Err(error) if error.is_credentials() => Err(error.into()),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Reports the findings, as described at [`Ledger::read_new_entries`].
    pub(crate) async fn report(&self, run: &BatchRun, memory: Timestamp) -> Result<(), JobError> {
        reversals::confirm_reversals(run, self).await?;
        reversals::adopt_late_executions(run, self).await?;
        let FoundEntries { orphans, mismatched, mismatches, .. } = {
            let mut found = self.found();
            let (reversed, revived) = (std::mem::take(&mut found.reversed), std::mem::take(&mut found.revived));
            std::mem::replace(&mut *found, FoundEntries { reversed, revived, ..FoundEntries::default() })
        };
        // There are many wallets: a reading without findings is not reported.
        if orphans == 0 && mismatched == 0 && self.kind() == PaymentKind::Withdrawal {
            return Ok(());
        }
        for entry in &mismatches {
            run.critical(Subject::default(), msg!("ledger-mismatch", entry = describe(self.context, entry)));
        }
        let more = mismatched.saturating_sub(mismatches.len());
        if more > 0 {
            run.critical(Subject::default(), msg!("ledger-mismatches", number = more));
        }
        let lacking = self.orphans_since(memory).await?;
        if let Some(first) = &lacking.first {
            forget_before_now(self.context).await?;
            let (number, first) = (lacking.number, describe(self.context, first));
            run.critical(Subject::default(), msg!("ledger-lacking", number, first));
        }
        let others = orphans.saturating_sub(lacking.new);
        if others > 0 {
            run.warn(&Subject::default(), msg!("ledger-orphans", number = others));
        }
        Ok(())
    }

    /// Returns the orphans of this account with our marketplaces' references that were made since
    /// `memory` and read since then: whenever they were read, no run has acted on them yet.
    async fn orphans_since(&self, memory: Timestamp) -> Result<LackingPayments, StoreError> {
        let marketplaces = marketplaces(self.context).await?;
        let is_ours = |entry: &LedgerEntry| {
            entry.reference_parts().is_some_and(|parts| {
                marketplaces.iter().any(|id| parts.rest.ends_with(&format!("_{id}_{}", parts.wallet)))
            })
        };
        // An instant without a zone is accurate to half a day.
        let from = earlier(memory, ZONES);
        let mut lacking = LackingPayments::default();
        let add = |entry: Result<LedgerEntry, StoreError>| {
            let acted_on = |entry: &LedgerEntry| entry.account != self.account || entry.read_at <= memory;
            if let Some(entry) = entry.ok().filter(|entry| !acted_on(entry) && is_ours(entry)) {
                lacking.number = lacking.number.saturating_add(1);
                lacking.new = lacking.new.saturating_add(usize::from(entry.first_read_at >= self.begun_at));
                lacking.first.get_or_insert(entry);
            }
            Ok::<_, StoreError>(())
        };
        let orphans = Query::group(LedgerEntry::BY_MATCH, LedgerMatch::Orphan).from(from);
        self.context.store.for_each(orphans, add).await?;
        Ok(lacking)
    }

    /// Returns the entries that may concern `sought`, a payment for the shop `mirakl_id`. The
    /// ledger must have been read. Voucher numbers may be unique only within a shop: an entry that
    /// names the wallet of another shop belongs to that shop.
    pub(crate) async fn candidates(
        &self,
        mirakl_id: u64,
        sought: &SoughtPayment<'_>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let (account, prefix) = (self.account, prefix(sought.kind, sought.beneficiary));
        let (vouchers, since) = (sought.vouchers.to_vec(), sought.since);
        let amount = sought.amount.minor().to_string();
        let candidates = self.context.store.reading(move |reader| {
            let mut queries: Vec<Query<LedgerEntry>> = Vec::new();
            let mut unreferenced = |what: &'static str, text: String| {
                queries.push(Query::group(LedgerEntry::UNREFERENCED, (account, what, text)).from(since).in_any_order());
            };
            unreferenced("amount", amount);
            unreferenced("amount", String::new());
            for voucher in &vouchers {
                unreferenced("label", voucher.to_lowercase());
            }
            for voucher in &vouchers {
                let query = Query::group(LedgerEntry::BY_REFERENCE, (account, prefix));
                queries.push(query.beginning_with(&format!("{voucher}_")).in_any_order());
            }
            let mut found = BTreeMap::new();
            for entry in queries.into_iter().flat_map(|query| reader.records(query)) {
                // An entry that cannot be read may be the payment.
                let entry = entry?;
                let wallet = entry.reference_parts().map(|parts| parts.wallet);
                let owner = wallet.map(|wallet| reader.by_unique(Vendor::BY_HIPAY_ID, wallet)).transpose()?.flatten();
                if owner.is_none_or(|owner| owner.mirakl_id == mirakl_id) {
                    found.insert(entry.transaction_id.clone(), entry);
                }
            }
            Ok(found.into_values().collect())
        });
        candidates.await
    }

    /// Returns the entries since `sought.since` of a wallet of the shop that may belong to the voucher of `operation`
    /// although their reference names another number: one that this store does not know, or one that it cannot
    /// distinguish from this voucher's own. An entry of an unknown wallet counts only if its amount is equal, or the
    /// shop's wallet is younger than the voucher. The ledger must have been read.
    pub(crate) async fn of_unsure_vouchers(
        &self,
        operation: &Operation,
        sought: &SoughtPayment<'_>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let all = self.orphans_by_shop(sought.since).await?;
        let (operation, amount, account) = (operation.clone(), sought.amount, self.account);
        let unsure = self.context.store.reading(move |reader| {
            let own = voucher_of(reader, &operation)?.map(|record| record.voucher);
            let vendor = reader.get::<Vendor>(&operation.mirakl_id)?;
            let since = vendor.and_then(|vendor| vendor.wallet_since);
            let wallet_is_young = since.is_some_and(|since| since > operation.owed_since());
            let mut unsure = Vec::new();
            for owner in [Some(operation.mirakl_id), None] {
                for NamedOrphan { transaction_id, amount: shown, vouchers } in all.get(&owner).into_iter().flatten() {
                    let fits = owner.is_some() || wallet_is_young || shown.is_none_or(|shown| shown == amount);
                    if fits && may_name(own.as_ref(), vouchers) {
                        // It may have been matched to another operation since.
                        let now = reader.get::<LedgerEntry>(&(account, transaction_id.clone()))?;
                        unsure.extend(now);
                    }
                }
            }
            Ok(unsure)
        });
        unsure.await
    }

    /// Returns the orphans since `since` by the shop whose wallet they name. Searched once in a
    /// run, unless an older payment requires more.
    async fn orphans_by_shop(&self, since: Timestamp) -> Result<NamedOrphans, StoreError> {
        let mut known = self.named.lock().await;
        if let Some((_, orphans)) = known.as_ref().filter(|(from, _)| *from <= since) {
            return Ok(Arc::clone(orphans));
        }
        let account = self.account;
        let mut entries = Vec::new();
        // An entry that cannot be read may be the payment.
        let add = |entry: Result<LedgerEntry, StoreError>| {
            entry.map(|entry| entries.extend(Some(entry).filter(|entry| entry.account == account)))
        };
        let listed = Query::group(LedgerEntry::BY_MATCH, LedgerMatch::Orphan).from(since);
        self.context.store.for_each(listed, add).await?;
        let mut orphans = BTreeMap::<Option<u64>, Vec<NamedOrphan>>::new();
        for slice in entries.chunks(ORPHANS_AT_ONCE).map(<[LedgerEntry]>::to_vec) {
            let named = self.context.store.reading(move |reader| {
                let mut named = Vec::with_capacity(slice.len());
                for entry in slice {
                    let Some(parts) = entry.reference_parts() else { continue };
                    let owner = reader.by_unique(Vendor::BY_HIPAY_ID, parts.wallet)?.map(|owner| owner.mirakl_id);
                    let vouchers = vouchers_named(reader, &parts, owner)?;
                    let LedgerEntry { transaction_id, amount, .. } = entry;
                    named.push((owner, NamedOrphan { transaction_id, amount, vouchers }));
                }
                Ok(named)
            });
            for (owner, orphan) in named.await? {
                orphans.entry(owner).or_default().push(orphan);
            }
        }
        let orphans = Arc::new(orphans);
        *known = Some((since, Arc::clone(&orphans)));
        Ok(orphans)
    }
}

/// A payment with a reference of our form but without an operation, and the vouchers that its reference may name.
struct NamedOrphan {
    transaction_id: String,
    amount: Option<Amount>,
    vouchers: Vec<Voucher>,
}

/// Orphans by the shop whose wallet they name; `None` if no vendor has the wallet.
type NamedOrphans = Arc<BTreeMap<Option<u64>, Vec<NamedOrphan>>>;

/// Returns the vouchers of this store whose number a reference names: those of one shop, if the
/// owner of the named wallet is known.
pub(crate) fn vouchers_named(
    view: &impl View,
    parts: &ReferenceParts<'_>,
    shop_id: Option<u64>,
) -> Result<Vec<Voucher>, StoreError> {
    let mut vouchers = Vec::new();
    for number in parts.voucher_numbers().map(str::to_lowercase) {
        let records = view.page(&of_voucher(VoucherRecord::SEARCH, &number))?.items.into_iter();
        let named = records.map(|record| record.voucher).filter(|voucher| {
            let mut numbers = voucher.identities().into_iter().map(|(_, one)| one).chain([voucher.number.clone()]);
            shop_id.is_none_or(|shop_id| shop_id == voucher.shop_id) && numbers.any(|one| one.to_lowercase() == number)
        });
        vouchers.extend(named);
    }
    Ok(vouchers)
}

/// Returns true if a reference that names `vouchers`, or no known one, may belong to `own`:
/// Mirakl's sources number vouchers differently.
pub(crate) fn may_name(own: Option<&Voucher>, vouchers: &[Voucher]) -> bool {
    let is_own = |named: &Voucher| own.is_some_and(|own| own.key() == named.key());
    let may_be_own = |named: &Voucher| own.is_some_and(|own| own.may_be(named));
    !vouchers.iter().any(is_own) && (vouchers.is_empty() || vouchers.iter().any(may_be_own))
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Mode of reading the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LedgerReading {
    /// An incremental reading: finished transactions are taken from the store.
    Incremental,
    /// A repeated reading: transactions that HiPay had executed are read again too.
    Again,
}

/// Stores what HiPay shows of a transaction in an account's list. An entry to report is added to `found`.
fn keep_entry(
    writer: &mut Writer<'_>,
    account: u64,
    transaction: Transaction,
    now: Timestamp,
    found: &mut FoundEntries,
) -> Result<(), StoreError> {
    let known = writer.get::<LedgerEntry>(&(account, transaction.transaction_id.clone()))?;
    let mut entry = LedgerEntry {
        account,
        transaction_id: transaction.transaction_id,
        kind: transaction.kind,
        status: transaction.word,
        amount: transaction.amount,
        fees: transaction.fees,
        reference: transaction.reference,
        label: transaction.label,
        issuer_email: transaction.issuer_email,
        recipient_email: transaction.recipient_email,
        refusal_reason: transaction.refusal_reason,
        created_at: transaction.created_at.unwrap_or(now),
        first_read_at: known.as_ref().map_or(now, |known| known.first_read_at),
        read_at: known.as_ref().map_or(now, |known| known.read_at),
        matched: LedgerMatch::Foreign,
        operation: None,
        unknown: known.as_ref().map_or_else(Map::new, |known| known.unknown.clone()),
    };
    if let (Some(known), None) = (&known, transaction.created_at) {
        entry.created_at = known.created_at;
    }
    let attempt = attempt_of(writer, &entry)?;
    (entry.matched, entry.operation) = match_entry(&entry, attempt.as_ref());
    let on_its_way = matches!(entry.state(), TransactionState::Pending | TransactionState::Standby);
    // A person may have accepted a payment with this very status word as executed.
    let contradicts = |attempt: &Attempt| {
        attempt.state == AttemptState::Captured && attempt.transaction_status.as_ref() != Some(&entry.status)
    };
    let is_executed = entry.state() == TransactionState::Captured;
    if is_executed && attempt.as_ref().is_some_and(|found| found.given_up) {
        found.revived.push(entry.clone());
    }
    if attempt.is_some_and(|found| contradicts(&found.attempt)) && !is_executed && !on_its_way {
        found.reversed.push(entry.clone());
    }
    if known.as_ref() == Some(&entry) && !on_its_way {
        return Ok(());
    }
    entry.read_at = now;
    writer.put(&entry)?;
    if known.is_none_or(|known| known.matched != entry.matched) {
        found.add_news(entry);
    }
    Ok(())
}

/// The attempt that an entry's transaction belongs to.
struct FoundAttempt {
    operation: u64,
    kind: PaymentKind,
    attempt: Attempt,
    /// True for an attempt that was not executed and whose outcome no run looks for any more.
    given_up: bool,
}

/// Returns the match of an entry to the operations of this store; `found` is its attempt, if there is one.
fn match_entry(entry: &LedgerEntry, found: Option<&FoundAttempt>) -> (LedgerMatch, Option<u64>) {
    match found {
        Some(FoundAttempt { operation, attempt, .. }) => {
            let same = entry.amount.is_none_or(|amount| amount == attempt.amount);
            (if same { LedgerMatch::Matched } else { LedgerMatch::Mismatch }, Some(*operation))
        }
        None if entry.reference_parts().is_some() => (LedgerMatch::Orphan, None),
        None => (LedgerMatch::Foreign, None),
    }
}

/// Finds the attempt of an entry by HiPay's id, else by its reference.
fn attempt_of(view: &impl View, entry: &LedgerEntry) -> Result<Option<FoundAttempt>, StoreError> {
    let by_id = Query::group(Operation::BY_TRANSACTION, entry.transaction_id.clone()).limit(10);
    let mut operations = view.page(&by_id)?.items;
    if operations.is_empty()
        && let Some(parts) = entry.reference_parts()
    {
        for voucher in parts.voucher_numbers().map(str::to_lowercase) {
            operations.extend(view.page(&of_voucher(Operation::SEARCH, &voucher))?.items);
        }
    }
    for operation in operations {
        let ours = |attempt: &&Attempt| attempt.is_of(&entry.transaction_id, &entry.reference);
        for kind in PaymentKind::ALL {
            if let Some(attempt) = operation.payment(kind).attempts.iter().find(ours) {
                let given_up = reversals::is_given_up(&operation, attempt, Some(&entry.transaction_id));
                let attempt = attempt.clone();
                return Ok(Some(FoundAttempt { operation: operation.id, kind, attempt, given_up }));
            }
        }
    }
    Ok(None)
}

/// Matches the stored entries of a transaction again after an operation has been assigned to it.
pub(crate) fn match_again(writer: &mut Writer<'_>, accounts: &[u64], transaction_id: &str) -> Result<(), StoreError> {
    for account in accounts {
        let Some(mut entry) = writer.get::<LedgerEntry>(&(*account, transaction_id.to_owned()))? else { continue };
        let matched = match_entry(&entry, attempt_of(writer, &entry)?.as_ref());
        if matched != (entry.matched, entry.operation) {
            (entry.matched, entry.operation) = matched;
            writer.put(&entry)?;
        }
    }
    Ok(())
}

/// Returns true if another shop has a voucher of the same number: Mirakl may number each shop's vouchers separately.
pub(crate) async fn is_shared(context: &Context, operation: &Operation) -> Result<bool, StoreError> {
    let (mirakl_id, voucher) = (operation.mirakl_id, operation.voucher.to_lowercase());
    let shared = context.store.reading(move |reader| {
        let operations = reader.page(&of_voucher(Operation::SEARCH, &voucher))?.items;
        Ok(operations.iter().any(|other| other.mirakl_id != mirakl_id && other.voucher.to_lowercase() == voucher))
    });
    shared.await
}

/// Returns a query for the records of any shop that a search finds by this voucher number, in lower case.
pub(crate) fn of_voucher<R: Record>(search: Index<R, (), String>, voucher: &str) -> Query<R, String> {
    Query::group(search, ()).from(voucher.to_owned()).to(format!("{voucher}\u{1}")).limit(100)
}

/// Returns the transaction that an entry was read from.
pub(crate) fn transaction_of(entry: &LedgerEntry) -> Transaction {
    Transaction {
        transaction_id: entry.transaction_id.clone(),
        state: entry.state(),
        word: entry.status.clone(),
        amount: entry.amount,
        reference: entry.reference.clone(),
        issuer_email: entry.issuer_email.clone(),
        recipient_email: entry.recipient_email.clone(),
        refusal_reason: entry.refusal_reason.clone(),
        kind: entry.kind.clone(),
        label: entry.label.clone(),
        fees: entry.fees,
        created_at: Some(entry.created_at),
    }
}

/// Describes an entry for people: its amount, its day, its transaction.
pub(crate) fn describe(context: &Context, entry: &LedgerEntry) -> Message {
    let (transaction, day) = (&entry.transaction_id, context.calendar().day_of(entry.created_at));
    match entry.amount {
        Some(amount) => msg!("ledger-entry", amount, day, transaction),
        None => msg!("ledger-entry-without-amount", day, transaction),
    }
}
