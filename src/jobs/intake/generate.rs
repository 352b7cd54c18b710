//! `cashout:generate`: operations from Mirakl's vouchers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use opentelemetry::KeyValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use crate::config::{NegativeVouchers, OutsideCycles};
use crate::domain::cycle::{Calendar, Cycle, OutOfCalendar};
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Operation};
use crate::domain::vendor::Vendor;
use crate::domain::voucher::{
    HeldBecause, ListedVoucher, MAX_SOURCE_DIFFERENCE, Voucher, VoucherRecord, VoucherSource,
};
use crate::jobs::batch::trace::trace_of;
use crate::jobs::binding::responsible_since;
use crate::jobs::intake::booking::Booking;
use crate::jobs::intake::shown_vouchers::ShownVoucher;
use crate::jobs::intake::unpaid_vouchers::hold_what_differs;
use crate::jobs::{BatchCount, BatchRun, Context, JobError, Subject};
use crate::remote::hipay::ActingOn;
use crate::schema::day_number;
use crate::store::{Query, Record, StoreError, View, Writer};
use crate::text::message::{Message, msg};

/// Arguments of `cashout:generate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateArguments {
    /// The only cycle to process.
    pub cycle_date: Option<Date>,
    /// Day as which the run is executed.
    pub execution_date: Option<Date>,
    /// Replacement for `cycle.interval.before`.
    pub before: Option<SignedDuration>,
    /// Replacement for `cycle.interval.after`.
    pub after: Option<SignedDuration>,
}

impl From<&GenerateArguments> for Message {
    fn from(arguments: &GenerateArguments) -> Self {
        let parts = [
            arguments.cycle_date.map(|date| msg!("asked-cycle", date)),
            arguments.execution_date.map(|date| msg!("asked-day", date)),
            arguments.before.map(|before| msg!("asked-before", before = format!("{before:#}"))),
            arguments.after.map(|after| msg!("asked-after", after = format!("{after:#}"))),
        ];
        parts.into_iter().flatten().reduce(|one, other| msg!("asked-both", one, other)).unwrap_or_default()
    }
}

/// Stored state of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleRecord {
    /// Day of the cycle.
    pub date: Date,
    /// True if every voucher of its whole window was read and processed after the window had ended.
    pub complete: bool,
    /// Number of vouchers that Mirakl showed.
    pub vouchers: u64,
    /// Time of the last request to Mirakl (UTC).
    pub read_at: Timestamp,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Record for CycleRecord {
    const COLLECTION: &'static str = "cycles";
    type Key = i64;

    fn key(&self) -> i64 {
        day_number(self.date)
    }
}

/// The progress of reading vouchers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct VoucherIntake {
    /// Source of the vouchers.
    source: VoucherSource,
    /// Creation time up to which all vouchers were read (UTC).
    read_until: Timestamp,
    /// Time at which the last weeks were last read again (UTC).
    read_again_at: Timestamp,
}

const INTAKE: &str = "voucher intake";

/// Overlap of a reading with the previous one: Mirakl's list may lag.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// Period of vouchers that are read again once a day: they may have appeared late, changed or vanished.
const READ_AGAIN: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);

/// Interval that counts as a day, for a schedule that is not exact.
const A_DAY: SignedDuration = SignedDuration::from_hours(20);

/// Maximum interval that is read in one list, so that memory stays bounded.
const MAX_LIST_INTERVAL: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Maximum time by which a voucher may be dated ahead of our clock.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

pub(crate) async fn run(context: &Context, run: &BatchRun, arguments: &GenerateArguments) -> Result<(), JobError> {
    let configured = context.calendar();
    let calendar = Calendar {
        before: arguments.before.unwrap_or(configured.before),
        after: arguments.after.unwrap_or(configured.after),
        ..configured.clone()
    };
    let first = first_cycle(context, &configured).await?;
    let now = context.clock.now();
    let generation = Generation {
        context,
        run,
        // A narrower window than the configured one may omit vouchers.
        whole: calendar.before >= configured.before && calendar.after >= configured.after,
        earliest: configured.cycle(first).map_err(out_of_calendar)?.start,
        first,
        asked: requested_cycle(context, &calendar, arguments, first)?,
        execution: arguments.execution_date.unwrap_or_else(|| configured.day_of(now)),
        calendar,
        configured,
        operator: OnceCell::new(),
        others: Mutex::default(),
        dealt_with: Mutex::default(),
    };
    if let Some(date) = arguments.cycle_date.filter(|date| !generation.configured.days.contains(&date.day())) {
        let days = generation.configured.days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        run.warn(&Subject::default(), msg!("generate-no-cycle-day", date, days));
    }
    match generation.asked {
        Some(cycle) => generation.read_cycles(&[cycle], (cycle.start, cycle.end)).await?,
        None => generation.read_everything().await?,
    }
    generation.read_held_again().await
}

fn out_of_calendar(error: OutOfCalendar) -> JobError {
    JobError::Refused(msg!("generate-out-of-calendar", date = error.0))
}

/// Returns the first cycle that this installation is responsible for.
async fn first_cycle(context: &Context, calendar: &Calendar) -> Result<Date, JobError> {
    match context.config.cashout.first_cycle {
        Some(first) => Ok(first),
        None => Ok(calendar.day_of(responsible_since(context).await?)),
    }
}

/// Returns the requested cycle, if any.
fn requested_cycle(
    context: &Context,
    calendar: &Calendar,
    arguments: &GenerateArguments,
    first: Date,
) -> Result<Option<Cycle>, JobError> {
    let Some(date) = arguments.cycle_date else { return Ok(None) };
    if date < first {
        return Err(JobError::Refused(msg!("generate-before-first", date, first)));
    }
    let cycle = calendar.cycle(date).map_err(out_of_calendar)?;
    if cycle.start > context.clock.now() {
        return Err(JobError::Refused(msg!("generate-not-begun", date, start = cycle.start.to_string())));
    }
    Ok(Some(cycle))
}

/// Reads the record of a voucher: under its own key, or under that of the source that showed it
/// first. If there are both, because nothing joined them before, it is the one with operations.
fn known_voucher(view: &impl View, voucher: &Voucher) -> Result<Option<VoucherRecord>, StoreError> {
    let own = view.get::<VoucherRecord>(&voucher.key())?;
    if own.as_ref().is_some_and(|own| own.held.is_none()) {
        return Ok(own);
    }
    for (kind, number) in voucher.identities() {
        let query = Query::group(VoucherRecord::BY_IDENTITY, (voucher.shop_id, kind, number)).limit(10);
        let page = view.page(&query)?;
        if let Some(error) = page.unreadable.into_iter().next() {
            return Err(error);
        }
        let other_record =
            |known: &VoucherRecord| known.voucher.key() != voucher.key() && !known.voucher.contradicts(voucher);
        let mut others = page.items.into_iter().filter(other_record);
        if let Some(other) = others.find(|other| own.is_none() || other.held.is_none()) {
            return Ok(Some(other));
        }
    }
    Ok(own)
}

/// Removes the record of a voucher that was held under its own key until it was identified as `known`.
async fn remove_twin(context: &Context, known: &VoucherRecord, key: (String, u64, String)) -> Result<(), StoreError> {
    if known.voucher.key() == key {
        return Ok(());
    }
    let forgotten = context.store.write(move |writer: &mut Writer<'_>| {
        // Only a record without operations.
        match writer.get::<VoucherRecord>(&key)? {
            Some(twin) if twin.held.is_some_and(|held| held != HeldBecause::Settled) => {
                writer.delete::<VoucherRecord>(&key).map(drop)
            }
            Some(_) | None => Ok(()),
        }
    });
    forgotten.await
}

/// Stores the numbers that identify `shown` in the record `key` and in its operations. Returns the
/// record if it has changed.
async fn store_identities(
    context: &Context,
    key: (String, u64, String),
    shown: Voucher,
) -> Result<Option<VoucherRecord>, StoreError> {
    let learnt = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut record) = writer.get::<VoucherRecord>(&key)? else { return Ok(None) };
        if !record.voucher.learn_identities(&shown) {
            return Ok(None);
        }
        writer.put(&record)?;
        let known = &record.voucher;
        for beneficiary in Beneficiary::ALL {
            let group = (known.shop_id, known.number.clone(), beneficiary);
            let Some(mut operation) = writer.by_unique(Operation::BY_VOUCHER, group)? else { continue };
            operation.invoice_id.clone_from(&known.invoice_id);
            operation.voucher_number.clone_from(&known.voucher_number);
            operation.billing_cycle_id.clone_from(&known.billing_cycle_id);
            writer.put(&operation)?;
        }
        Ok(Some(record))
    });
    learnt.await
}

/// The place of a voucher in the calendar.
struct Placement {
    /// The cycle; `None` if no window contains it.
    cycle: Option<Cycle>,
    /// True if this run makes the voucher's operations.
    due: bool,
}

/// One run of the generation.
pub(crate) struct Generation<'a> {
    pub(crate) context: &'a Context,
    pub(crate) run: &'a BatchRun,
    /// True if the windows of this run are at least as wide as the configured ones.
    whole: bool,
    /// The start of the first cycle's window: earlier vouchers are not ours to pay.
    earliest: Timestamp,
    /// The first cycle that is ours.
    first: Date,
    /// The requested cycle; if absent, every cycle before `execution`.
    asked: Option<Cycle>,
    /// Day as which the run is executed.
    execution: Date,
    /// The calendar with the windows of this run.
    calendar: Calendar,
    /// The calendar as it is configured.
    configured: Calendar,
    /// The operator account's balance, read once.
    operator: OnceCell<Option<Amount>>,
    /// Vouchers of the other source from the same time, by shop.
    others: Mutex<HashMap<u64, Vec<Voucher>>>,
    /// Vouchers processed in this run.
    pub(crate) dealt_with: Mutex<HashSet<(String, u64, String)>>,
}

impl Generation<'_> {
    /// Reads all vouchers from the last reading to now, once a day also those of the last weeks, and if cycles are open
    /// all that were created since these began. The calendar does not limit what is read: it only names the cycle.
    async fn read_everything(&self) -> Result<(), JobError> {
        let source = self.context.config.mirakl.voucher_source;
        let now = self.context.clock.now();
        let due = self.configured.days_between(self.first, self.execution);
        let progress = self.context.store.reading(move |reader| {
            let mut open = Vec::new();
            for date in due {
                let known = reader.get::<CycleRecord>(&day_number(date))?;
                if !known.is_some_and(|known| known.complete) {
                    open.push(date);
                }
            }
            Ok((open, reader.get_document::<VoucherIntake>(INTAKE)?))
        });
        let (open, known) = progress.await?;
        let open = open.into_iter().map(|date| self.calendar.cycle(date).map_err(out_of_calendar));
        let open: Vec<Cycle> = open.collect::<Result<_, _>>()?;
        let known = known.filter(|known| known.source == source && known.read_until <= now);
        let again = known.as_ref().is_none_or(|known| now.duration_since(known.read_again_at) >= A_DAY);
        let last_look = known.as_ref().map(|known| known.read_until);
        let begin = |at: Timestamp, by: SignedDuration| at.checked_sub(by).unwrap_or(Timestamp::MIN);
        let starts = open.first().map(|cycle| cycle.start).into_iter().chain(last_look.map(|at| begin(at, OVERLAP)));
        let from = starts.chain(again.then(|| begin(now, READ_AGAIN))).min().unwrap_or(now).max(self.earliest.min(now));
        let to = now.checked_add(AHEAD).unwrap_or(now);
        let failed_before = self.run.failed();
        self.read_cycles(&open, (from, to)).await?;
        if self.run.failed() > failed_before || self.run.is_stopping() {
            return Ok(());
        }
        let read_again_at = if again { now } else { known.map_or(now, |known| known.read_again_at) };
        let intake = VoucherIntake { source, read_until: self.their_time(now), read_again_at };
        Ok(self.context.store.write(move |writer: &mut Writer<'_>| writer.put_document(INTAKE, &intake)).await?)
    }

    /// Returns the earlier of our time and Mirakl's: with a clock that is ahead, this machine would
    /// close a cycle before its vouchers exist, and never ask for them again.
    fn their_time(&self, now: Timestamp) -> Timestamp {
        self.context.mirakl.their_time().map_or(now, |theirs| theirs.min(now))
    }

    /// Reads the vouchers of an interval and processes each. `cycles` are complete once their whole windows were read.
    async fn read_cycles(&self, cycles: &[Cycle], (from, to): (Timestamp, Timestamp)) -> Result<(), JobError> {
        let source = self.context.config.mirakl.voucher_source;
        let now = self.context.clock.now();
        let failed_before = self.run.failed();
        let mut read_at = now;
        let mut named: BTreeMap<Date, u64> = BTreeMap::new();
        let mut start = from;
        loop {
            let end = start.checked_add(MAX_LIST_INTERVAL).unwrap_or(to).min(to);
            self.learn_from_other_source((start, end), source).await?;
            let listing = self.context.mirakl.vouchers(source, start, end).await?;
            read_at = self.their_time(read_at);
            for unreadable in &listing.unreadable {
                let voucher = unreadable.id.clone();
                let message = msg!("generate-unreadable", row = unreadable);
                self.run.fail(Subject { mirakl_id: None, voucher }, message);
            }
            // By cycle, the oldest first: a shop's debts come before the vouchers that settle them.
            let mut by_cycle: BTreeMap<Option<Date>, Vec<Voucher>> = BTreeMap::new();
            for voucher in listing.rows {
                let date = self.assign_cycle(&voucher).cycle.map(|cycle| cycle.date);
                by_cycle.entry(date).or_default().push(voucher);
            }
            for (date, vouchers) in by_cycle {
                if let Some(date) = date {
                    let count = u64::try_from(vouchers.len()).unwrap_or(u64::MAX);
                    let known = named.entry(date).or_default();
                    *known = known.saturating_add(count);
                }
                let stage = date
                    .map_or_else(|| "vouchers outside every cycle".to_owned(), |date| format!("vouchers of {date}"));
                self.run.stage(&stage, vouchers.len());
                self.all(vouchers).await;
            }
            if end >= to || self.run.is_stopping() {
                break;
            }
            start = end;
        }
        let all_well = self.run.failed() == failed_before && !self.run.is_stopping();
        for cycle in cycles {
            let complete = self.whole && all_well && read_at >= cycle.end;
            self.close(*cycle, complete, named.get(&cycle.date).copied().unwrap_or_default(), read_at).await?;
        }
        Ok(())
    }

    /// Stores the state of a cycle.
    async fn close(&self, cycle: Cycle, complete: bool, vouchers: u64, read_at: Timestamp) -> Result<(), JobError> {
        let kept = self.context.store.write(move |writer: &mut Writer<'_>| {
            let known = writer.get::<CycleRecord>(&day_number(cycle.date))?;
            writer.put(&CycleRecord {
                date: cycle.date,
                // Once everything was read, a second reading of a part revokes nothing.
                complete: complete || known.as_ref().is_some_and(|known| known.complete),
                vouchers,
                read_at,
                unknown: known.map(|known| known.unknown).unwrap_or_default(),
            })
        });
        Ok(kept.await?)
    }

    /// Returns the cycle that a voucher belongs to, and whether this run makes its operations.
    fn assign_cycle(&self, voucher: &Voucher) -> Placement {
        let is_due = |cycle: &Cycle| match self.asked {
            Some(asked) => asked.date == cycle.date,
            None => cycle.date < self.execution,
        };
        // Without a date of its own it belongs to the time at which it was read.
        let Some(created) = voucher.created_at else {
            let execution = self.execution;
            let last = || self.configured.cycle(self.configured.last_before(execution)?).ok();
            let cycle = self.asked.or_else(last);
            return Placement { due: cycle.is_some(), cycle };
        };
        let asked = self.asked.filter(|asked| asked.start <= created && created <= asked.end);
        if let Some(cycle) = asked.or_else(|| self.calendar.cycle_of(created, self.first)) {
            return Placement { due: is_due(&cycle), cycle: Some(cycle) };
        }
        // Outside a window that is narrower than the configured one: left to a later run.
        if let Some(cycle) = self.configured.cycle_of(created, self.first) {
            return Placement { due: false, cycle: Some(cycle) };
        }
        let next = || self.configured.next_after(created).filter(|cycle| cycle.date >= self.first);
        let cycle = match self.context.config.cashout.outside_cycles {
            OutsideCycles::Hold => None,
            OutsideCycles::Next => next(),
        };
        Placement { due: cycle.as_ref().is_some_and(is_due), cycle }
    }

    /// Collects the vouchers that the other source has shown for this time. Those that share no kind of number with
    /// this source's are looked up there again, since its rows may contain the number by now.
    async fn learn_from_other_source(
        &self,
        (start, end): (Timestamp, Timestamp),
        source: VoucherSource,
    ) -> Result<(), JobError> {
        let other = match source {
            VoucherSource::Invoices => VoucherSource::BillingCycles,
            VoucherSource::BillingCycles => VoucherSource::Invoices,
        };
        let from = start.checked_sub(MAX_SOURCE_DIFFERENCE).unwrap_or(Timestamp::MIN);
        let to = end.checked_add(MAX_SOURCE_DIFFERENCE).unwrap_or(Timestamp::MAX);
        let mut known: Vec<VoucherRecord> = Vec::new();
        // One that cannot be read may be identical to one of this source.
        let add = |record: Result<VoucherRecord, StoreError>| record.map(|record| known.push(record));
        self.context.store.for_each(Query::group(VoucherRecord::BY_SOURCE, other).from(from).to(to), add).await?;
        let unnamed: Vec<&Voucher> =
            known.iter().map(|record| &record.voucher).filter(|voucher| voucher.voucher_number.is_none()).collect();
        if !unnamed.is_empty() {
            match self.context.mirakl.listed_vouchers(other, from, to).await {
                Ok(listing) => {
                    let rows = listing.rows.into_iter().map(|row| (row.voucher.key(), row.voucher));
                    let rows: HashMap<_, _> = rows.collect();
                    for record in &mut known {
                        if let Some(row) = rows.get(&record.voucher.key()) {
                            let learnt = store_identities(self.context, record.voucher.key(), row.clone()).await?;
                            *record = learnt.unwrap_or_else(|| record.clone());
                        }
                    }
                }
                Err(error) if error.is_credentials() => return Err(error.into()),
                Err(error) => self.run.warn(&Subject::default(), msg!("generate-other-unread", error = &error)),
            }
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        for record in known {
            others.entry(record.voucher.shop_id).or_default().push(record.voucher);
        }
        Ok(())
    }

    /// Returns true if the other source has shown a voucher of the shop for the same time that
    /// shares no kind of number with this one: it may be the same.
    fn may_be_known(&self, voucher: &Voucher) -> bool {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.get(&voucher.shop_id).into_iter().flatten().any(|other| voucher.may_be(other))
    }

    /// Returns true for a voucher created before the first cycle that is ours.
    pub(crate) fn is_too_early(&self, voucher: &Voucher) -> bool {
        voucher.created_at.is_some_and(|created| created < self.earliest)
    }

    /// Processes many shops at once, but one shop's vouchers in their order: a debt comes before
    /// the vouchers that settle it.
    pub(crate) async fn all(&self, mut vouchers: Vec<Voucher>) {
        vouchers.sort_by(|left, right| (left.created_at, &left.number).cmp(&(right.created_at, &right.number)));
        let mut shops: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for voucher in vouchers {
            shops.entry(voucher.shop_id).or_default().push(voucher);
        }
        stream::iter(shops)
            .for_each_concurrent(self.context.concurrency(), |(shop_id, vouchers)| async move {
                let balance = OnceCell::new();
                for voucher in vouchers {
                    if self.run.is_stopping() {
                        return;
                    }
                    let subject = Subject::voucher(shop_id, &voucher.number);
                    self.dealt_with.lock().unwrap_or_else(PoisonError::into_inner).insert(voucher.key());
                    self.run.item(async { self.run.settle(subject, self.voucher(voucher, &balance).await) }).await;
                }
            })
            .await;
    }

    async fn voucher(&self, voucher: Voucher, balance: &OnceCell<Option<Amount>>) -> Result<(), JobError> {
        let (known, vendor) = self.load_known(&voucher).await?;
        // A voucher is the same in both sources: it keeps the identity of its first appearance.
        let voucher = match &known {
            Some(known) => Voucher { number: known.voucher.number.clone(), source: known.voucher.source, ..voucher },
            None => voucher,
        };
        let may_be_known = match &known {
            None => self.may_be_known(&voucher),
            // Until its number joins it with the other one.
            Some(known) => known.held == Some(HeldBecause::MayBeKnown),
        };
        let held_before = known.as_ref().and_then(|known| known.held);
        if held_before == Some(HeldBecause::Settled) {
            self.run.count(BatchCount::SettledOtherwise);
            return Ok(());
        }
        let released = known.as_ref().is_some_and(|known| known.released);
        if let Some(known) = known.filter(|known| known.held.is_none()) {
            return self.unchanged(known, voucher).await;
        }
        let placement = self.assign_cycle(&voucher);
        let held = self.reason_to_hold(&voucher, vendor.as_ref(), &placement, released, may_be_known);
        let hipay_id = vendor.as_ref().and_then(|vendor| vendor.hipay_id);
        let (balance, operator_balance) = match (hipay_id, &held) {
            (Some(hipay_id), None) => (self.balance(balance, hipay_id).await?, self.operator_balance(&voucher).await?),
            _ => (None, None),
        };
        let made = voucher.created_at.unwrap_or_else(|| self.context.clock.now());
        let (cycle_date, cycle_at) =
            placement.cycle.map_or_else(|| (self.configured.day_of(made), made), |cycle| (cycle.date, cycle.at));
        let booking = Booking {
            voucher,
            cycle_date,
            cycle_at,
            held,
            vendor_hipay_id: hipay_id.unwrap_or_default(),
            operator_hipay_id: self.context.config.operator_account.hipay_id,
            balance,
            operator_balance,
            adjust: self.context.config.cashout.negative_vouchers == NegativeVouchers::Adjust,
            now: self.context.clock.now(),
        };
        self.report_held(&booking, held_before);
        let booked = self.context.store.write(move |writer| booking.book(writer)).await?;
        if let Some(first) = booked.first() {
            let operations = i64::try_from(booked.len()).unwrap_or(i64::MAX);
            let attributes = vec![KeyValue::new("cashout.operations", operations)];
            self.context.telemetry.begin(trace_of(first), made.into(), attributes);
        }
        for made in booked {
            let what = if made.amount.is_positive() { BatchCount::Created } else { BatchCount::NothingToPay };
            self.run.count_amount(what, made.amount);
        }
        Ok(())
    }

    /// Loads the record of a voucher and its vendor. The record learns the numbers that the voucher shows now.
    async fn load_known(&self, voucher: &Voucher) -> Result<(Option<VoucherRecord>, Option<Vendor>), JobError> {
        let (shown, shop_id) = (voucher.clone(), voucher.shop_id);
        let (known, vendor) = self
            .context
            .store
            .reading(move |reader| Ok((known_voucher(reader, &shown)?, reader.get::<Vendor>(&shop_id)?)))
            .await?;
        let known = match known {
            Some(known) if known.voucher.key() == voucher.key() && !known.voucher.clone().learn_identities(voucher) => {
                Some(known)
            }
            Some(known) => {
                remove_twin(self.context, &known, voucher.key()).await?;
                store_identities(self.context, known.voucher.key(), voucher.clone()).await?.or(Some(known))
            }
            None => None,
        };
        Ok((known, vendor))
    }

    /// Returns the reason for which this run makes no operations of the voucher; `None` if it makes them.
    fn reason_to_hold(
        &self,
        voucher: &Voucher,
        vendor: Option<&Vendor>,
        placement: &Placement,
        released: bool,
        may_be_known: bool,
    ) -> Option<HeldBecause> {
        match (vendor, vendor.and_then(|vendor| vendor.hipay_id)) {
            // A person has released it: only the recipient has to be known.
            (Some(vendor), Some(_)) if released && vendor.enabled => None,
            _ if voucher.is_of_other_type() => Some(HeldBecause::OtherType),
            _ if voucher.is_of_other_provider() => Some(HeldBecause::OtherProvider),
            _ if voucher.is_paid_already() => Some(HeldBecause::PaidInMirakl),
            _ if may_be_known => Some(HeldBecause::MayBeKnown),
            _ if self.is_too_early(voucher) => Some(HeldBecause::BeforeFirstCycle),
            _ if placement.cycle.is_none() => Some(HeldBecause::OutsideCycles),
            _ if !placement.due => Some(HeldBecause::CycleOpen),
            (Some(vendor), _) if !vendor.enabled => Some(HeldBecause::VendorDisabled),
            (Some(_), Some(_)) => None,
            (None, _) | (Some(_), None) => Some(HeldBecause::VendorUnknown),
        }
    }

    /// Counts a voucher that is held, and reports it unless that was done before.
    fn report_held(&self, booking: &Booking, held_before: Option<HeldBecause>) {
        match &booking.held {
            Some(HeldBecause::CycleOpen) => self.run.count(BatchCount::CycleOpen),
            Some(reason) => {
                self.run.count_amount(BatchCount::Held, booking.voucher.vendor_amount);
                // Reasons that stay until a person acts: each run counts them, only the first one reports them.
                let is_reported_once =
                    matches!(reason, HeldBecause::OutsideCycles | HeldBecause::OtherProvider | HeldBecause::OtherType);
                if !is_reported_once || held_before != Some(*reason) {
                    let subject = Subject::voucher(booking.voucher.shop_id, &booking.voucher.number);
                    self.run.warn(&subject, msg!("voucher-held", reason));
                }
            }
            None => {}
        }
    }

    /// Compares a voucher that has operations with Mirakl's present data: a changed amount is reported and never
    /// overwritten, and what is not sent yet is held if it must not be paid unchanged.
    async fn unchanged(&self, known: VoucherRecord, voucher: Voucher) -> Result<(), JobError> {
        self.run.count(BatchCount::KnownAlready);
        let (vendor, operator) = (known.voucher.vendor_amount, known.voucher.operator_amount);
        let (new_vendor, new_operator) = (voucher.vendor_amount, voucher.operator_amount);
        let changed_to = Some((new_vendor, new_operator)).filter(|shown| *shown != (vendor, operator));
        if changed_to.is_some() {
            let message = msg!("generate-changed", vendor, operator, new_vendor, new_operator);
            self.run.warn(&Subject::voucher(voucher.shop_id, &voucher.number), message);
        }
        let payment_state = voucher.payment_state.clone();
        let row = ListedVoucher { voucher, unusable: None };
        hold_what_differs(self.context, self.run, &known, ShownVoucher::Row(&row)).await?;
        if changed_to == known.changed_to && payment_state == known.voucher.payment_state {
            return Ok(());
        }
        let mut record = VoucherRecord { changed_to, ..known };
        record.voucher.payment_state = payment_state;
        Ok(self.context.store.write(move |writer| writer.put(&record)).await?)
    }

    /// Returns a wallet's balance, read once for all its vouchers; `None` if it cannot be read.
    async fn balance(&self, known: &OnceCell<Option<Amount>>, hipay_id: u64) -> Result<Option<Amount>, JobError> {
        let read = || async {
            match self.context.hipay.balance(ActingOn::Wallet(hipay_id)).await {
                Ok(wallet) => Ok(Some(wallet.balance)),
                Err(error) if error.is_credentials() => Err(JobError::from(error)),
                Err(error) => {
                    tracing::debug!(action = "cashout:generate", hipay_id, "no balance to show: {error}");
                    Ok(None)
                }
            }
        };
        known.get_or_try_init(read).await.copied()
    }

    async fn operator_balance(&self, voucher: &Voucher) -> Result<Option<Amount>, JobError> {
        if !voucher.operator_amount.is_positive() {
            return Ok(None);
        }
        self.balance(&self.operator, self.context.config.operator_account.hipay_id).await
    }
}
