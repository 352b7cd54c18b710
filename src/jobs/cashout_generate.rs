//! `cashout:generate`: operations from Mirakl's vouchers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::binding::responsible_since;
use super::booking::Booking;
use super::shown_vouchers::Shown;
use super::unpaid_vouchers::hold_what_differs;
use super::{Context, JobError, Run, Subject};
use crate::config::NegativeVouchers;
use crate::cycle::{Calendar, Cycle, OutOfCalendar};
use crate::hipay::ActingOn;
use crate::money::Amount;
use crate::operation::{Beneficiary, Operation};
use crate::sentence::{Sentence, say};
use crate::store::{Query, StoreError, View, Writer, day_number};
use crate::vendor::Vendor;
use crate::voucher::{HeldBecause, ListedVoucher, Voucher, VoucherRecord, VoucherSource};

/// How far apart the two sources may date one voucher.
const SOURCES_APART: SignedDuration = SignedDuration::from_hours(24);

/// What `cashout:generate` can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateArguments {
    /// This cycle only.
    pub cycle_date: Option<Date>,
    /// As if run on this day.
    pub execution_date: Option<Date>,
    /// In place of `cycle.interval.before`.
    pub before: Option<SignedDuration>,
    /// In place of `cycle.interval.after`.
    pub after: Option<SignedDuration>,
}

impl From<&GenerateArguments> for Sentence {
    fn from(arguments: &GenerateArguments) -> Self {
        let parts = [
            arguments.cycle_date.map(|date| say!("asked-cycle", date)),
            arguments.execution_date.map(|date| say!("asked-day", date)),
            arguments.before.map(|before| say!("asked-before", before = format!("{before:#}"))),
            arguments.after.map(|after| say!("asked-after", after = format!("{after:#}"))),
        ];
        parts.into_iter().flatten().reduce(|one, other| say!("asked-both", one, other)).unwrap_or_default()
    }
}

/// What we remember of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleRecord {
    /// Its day.
    pub date: Date,
    /// Every voucher of its whole window was read and dealt with, after the window had ended.
    pub complete: bool,
    /// The vouchers that Mirakl showed.
    pub vouchers: u64,
    /// When Mirakl was last asked (UTC).
    pub read_at: Timestamp,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

pub(super) async fn run(context: &Context, run: &Run, arguments: &GenerateArguments) -> Result<(), JobError> {
    let configured = context.calendar();
    let calendar = Calendar {
        before: arguments.before.unwrap_or(configured.before),
        after: arguments.after.unwrap_or(configured.after),
        ..configured.clone()
    };
    let first = first_cycle(context, &configured).await?;
    let generation = Generation {
        context,
        run,
        // A narrower window than the configured one may leave vouchers out.
        whole: calendar.before >= configured.before && calendar.after >= configured.after,
        earliest: configured.cycle(first).map_err(out_of_calendar)?.start,
        operator: OnceCell::new(),
        others: Mutex::default(),
        dealt_with: Mutex::default(),
    };
    for date in dates(context, &calendar, arguments, first).await? {
        if run.is_stopping() {
            return Ok(());
        }
        let cycle = calendar.cycle(date).map_err(out_of_calendar)?;
        match generation.cycle(cycle).await {
            // One cycle's trouble does not stop the others.
            Err(JobError::Refused(why)) if arguments.cycle_date.is_none() => run.fail(Subject::default(), why),
            other => other?,
        }
    }
    generation.held().await
}

fn out_of_calendar(error: OutOfCalendar) -> JobError {
    JobError::Refused(say!("generate-out-of-calendar", date = error.0))
}

/// The first cycle that this installation is responsible for.
async fn first_cycle(context: &Context, calendar: &Calendar) -> Result<Date, JobError> {
    match context.config.cashout.first_cycle {
        Some(first) => Ok(first),
        None => Ok(calendar.day_of(responsible_since(context).await?)),
    }
}

/// The cycles to generate: the one asked for, or every one since the first that is not complete.
async fn dates(
    context: &Context,
    calendar: &Calendar,
    arguments: &GenerateArguments,
    first: Date,
) -> Result<Vec<Date>, JobError> {
    let now = context.clock.now();
    if let Some(date) = arguments.cycle_date {
        if date < first {
            return Err(JobError::Refused(say!("generate-before-first", date, first)));
        }
        let cycle = calendar.cycle(date).map_err(out_of_calendar)?;
        if cycle.start > now {
            return Err(JobError::Refused(say!("generate-not-begun", date, start = cycle.start.to_string())));
        }
        return Ok(vec![date]);
    }
    let execution = arguments.execution_date.unwrap_or_else(|| calendar.day_of(now));
    let days = calendar.days_between(first, execution);
    let open = context.store.reading(move |reader| {
        let mut open = Vec::new();
        for date in days {
            let known = reader.get::<CycleRecord>(&day_number(date))?;
            if !known.is_some_and(|known| known.complete) {
                open.push(date);
            }
        }
        Ok(open)
    });
    Ok(open.await?)
}

/// What is known of a voucher: under its own key, or under the one of the source that showed it first. Where
/// both are known, since nothing joined them before, it is the one that has made its operations.
fn known_voucher(view: &impl View, voucher: &Voucher) -> Result<Option<VoucherRecord>, StoreError> {
    let own = view.get::<VoucherRecord>(&voucher.key())?;
    if own.as_ref().is_some_and(|own| own.held.is_none()) {
        return Ok(own);
    }
    for (kind, number) in voucher.identities() {
        let query = Query::group("identity", (voucher.shop_id, kind, number)).limit(10);
        let page = view.page::<VoucherRecord>(&query)?;
        if let Some(error) = page.unreadable.into_iter().next() {
            return Err(error);
        }
        let mut others = page.items.into_iter().filter(|known| known.voucher.key() != voucher.key());
        if let Some(other) = others.find(|other| own.is_none() || other.held.is_none()) {
            return Ok(Some(other));
        }
    }
    Ok(own)
}

/// Removes the record of a voucher that was held under its own key until it was known to be `known`.
async fn forget_twin(context: &Context, known: &VoucherRecord, key: (String, u64, String)) -> Result<(), StoreError> {
    if known.voucher.key() == key {
        return Ok(());
    }
    let forgotten = context.store.write(move |writer: &mut Writer<'_>| {
        // Only what has made no operation.
        match writer.get::<VoucherRecord>(&key)? {
            Some(twin) if twin.held.is_some() => writer.delete::<VoucherRecord>(&key).map(drop),
            Some(_) | None => Ok(()),
        }
    });
    forgotten.await
}

/// Keeps the numbers by which `shown` knows the voucher of the record `key`, and tells them to its operations.
/// Gives the record where there was one to be learnt.
async fn learn(
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
            let Some(mut operation) = writer.by_unique::<Operation>("voucher", group)? else { continue };
            operation.invoice_id.clone_from(&known.invoice_id);
            operation.voucher_number.clone_from(&known.voucher_number);
            operation.billing_cycle_id.clone_from(&known.billing_cycle_id);
            writer.put(&operation)?;
        }
        Ok(Some(record))
    });
    learnt.await
}

/// One run of the generation.
pub(super) struct Generation<'a> {
    pub(super) context: &'a Context,
    pub(super) run: &'a Run,
    /// The windows of this run are at least as wide as the configured ones.
    whole: bool,
    /// The beginning of the first cycle's window: what was made before it is not ours to pay.
    earliest: Timestamp,
    /// The operator account's balance, read once.
    operator: OnceCell<Option<Amount>>,
    /// What the other source has shown of the cycles' time, by shop.
    others: Mutex<HashMap<u64, Vec<Voucher>>>,
    /// Vouchers dealt with in this run.
    pub(super) dealt_with: Mutex<HashSet<(String, u64, String)>>,
}

impl Generation<'_> {
    async fn cycle(&self, cycle: Cycle) -> Result<(), JobError> {
        let source = self.context.config.mirakl.voucher_source;
        self.learn_from_other_source(cycle, source).await?;
        let now = self.context.clock.now();
        let listing = self.context.mirakl.vouchers(source, cycle.start, cycle.end).await?;
        // By Mirakl's clock too: ahead of time, this machine would close a cycle before its vouchers
        // are there, and never ask for them again.
        let read_at = self.context.mirakl.their_time().map_or(now, |theirs| theirs.min(now));
        let failed_before = self.run.failed();
        for unreadable in &listing.unreadable {
            let voucher = unreadable.id.clone();
            let message = say!("generate-unreadable", row = unreadable);
            self.run.fail(Subject { mirakl_id: None, voucher }, message);
        }
        let vouchers = listing.rows.len();
        self.run.stage(&format!("vouchers of {}", cycle.date), vouchers);
        self.all(listing.rows.into_iter().map(|voucher| (voucher, cycle.date, cycle.at)).collect()).await;
        let all_well = self.run.failed() == failed_before && !self.run.is_stopping();
        let complete = self.whole && all_well && read_at >= cycle.end;
        let vouchers = u64::try_from(vouchers).unwrap_or(u64::MAX);
        let kept = self.context.store.write(move |writer: &mut Writer<'_>| {
            let known = writer.get::<CycleRecord>(&day_number(cycle.date))?;
            writer.put(&CycleRecord {
                date: cycle.date,
                // Once everything was read, a second look at a part of it takes nothing back.
                complete: complete || known.as_ref().is_some_and(|known| known.complete),
                vouchers,
                read_at,
                unknown: known.map(|known| known.unknown).unwrap_or_default(),
            })
        });
        Ok(kept.await?)
    }

    /// The vouchers that the other source has shown of a cycle's time. Those that share no kind of number with
    /// this source's are looked up there once more, since its rows may tell it by now.
    async fn learn_from_other_source(&self, cycle: Cycle, source: VoucherSource) -> Result<(), JobError> {
        let other = match source {
            VoucherSource::Invoices => VoucherSource::BillingCycles,
            VoucherSource::BillingCycles => VoucherSource::Invoices,
        };
        let from = cycle.start.checked_sub(SOURCES_APART).unwrap_or(Timestamp::MIN);
        let to = cycle.end.checked_add(SOURCES_APART).unwrap_or(Timestamp::MAX);
        let mut known: Vec<VoucherRecord> = Vec::new();
        let mut cursor = None;
        loop {
            let query =
                Query::group("source", other.name().to_owned()).from(from).to(to).limit(1_000).after(cursor.take());
            let page = self.context.store.reading(move |reader| reader.page::<VoucherRecord>(&query)).await?;
            known.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let unnamed: Vec<&Voucher> =
            known.iter().map(|record| &record.voucher).filter(|voucher| voucher.voucher_number.is_none()).collect();
        if !unnamed.is_empty() {
            match self.context.mirakl.listed_vouchers(other, from, to).await {
                Ok(listing) => {
                    let rows = listing.rows.into_iter().map(|row| (row.voucher.key(), row.voucher));
                    let rows: HashMap<_, _> = rows.collect();
                    for record in &mut known {
                        if let Some(row) = rows.get(&record.voucher.key()) {
                            let learnt = learn(self.context, record.voucher.key(), row.clone()).await?;
                            *record = learnt.unwrap_or_else(|| record.clone());
                        }
                    }
                }
                Err(error) if error.is_credentials() => return Err(error.into()),
                Err(error) => self.run.warn(&Subject::default(), say!("generate-other-unread", error = &error)),
            }
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        for record in known {
            others.entry(record.voucher.shop_id).or_default().push(record.voucher);
        }
        Ok(())
    }

    /// True where the other source has shown a voucher of the shop for the same time that shares no kind of
    /// number with this one: it may be the same.
    fn may_be_known(&self, voucher: &Voucher) -> bool {
        let kinds =
            |voucher: &Voucher| -> Vec<&str> { voucher.identities().into_iter().map(|(kind, _)| kind).collect() };
        let own = kinds(voucher);
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.get(&voucher.shop_id).into_iter().flatten().any(|other| {
            let near = match (voucher.created_at, other.created_at) {
                (Some(one), Some(other)) => one.duration_since(other).abs() <= SOURCES_APART,
                (None, _) | (_, None) => true,
            };
            other.source != voucher.source && near && !kinds(other).iter().any(|kind| own.contains(kind))
        })
    }

    /// True for a voucher made before the first cycle that is ours.
    pub(super) fn is_too_early(&self, voucher: &Voucher) -> bool {
        voucher.created_at.is_some_and(|created| created < self.earliest)
    }

    /// Many shops at once, one shop's vouchers in their order: a debt comes before what makes up
    /// for it.
    pub(super) async fn all(&self, mut vouchers: Vec<(Voucher, Date, Timestamp)>) {
        vouchers
            .sort_by(|(left, ..), (right, ..)| (left.created_at, &left.number).cmp(&(right.created_at, &right.number)));
        let mut shops: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for voucher in vouchers {
            shops.entry(voucher.0.shop_id).or_default().push(voucher);
        }
        stream::iter(shops)
            .for_each_concurrent(self.context.in_hand(), |(shop_id, vouchers)| async move {
                let balance = OnceCell::new();
                for (voucher, date, at) in vouchers {
                    if self.run.is_stopping() {
                        return;
                    }
                    let subject = Subject::voucher(shop_id, &voucher.number);
                    self.dealt_with.lock().unwrap_or_else(PoisonError::into_inner).insert(voucher.key());
                    self.run.settle(subject, self.voucher(voucher, date, at, &balance).await);
                    self.run.step();
                }
            })
            .await;
    }

    async fn voucher(
        &self,
        voucher: Voucher,
        cycle_date: Date,
        cycle_at: Timestamp,
        balance: &OnceCell<Option<Amount>>,
    ) -> Result<(), JobError> {
        let shop_id = voucher.shop_id;
        let shown = voucher.clone();
        let (known, vendor) = self
            .context
            .store
            .reading(move |reader| Ok((known_voucher(reader, &shown)?, reader.get::<Vendor>(&shop_id)?)))
            .await?;
        let known = match known {
            Some(known) => {
                forget_twin(self.context, &known, voucher.key()).await?;
                learn(self.context, known.voucher.key(), voucher.clone()).await?.or(Some(known))
            }
            None => None,
        };
        // One voucher is one thing in both sources: it stays what it was when it was first seen.
        let voucher = match &known {
            Some(known) => Voucher { number: known.voucher.number.clone(), source: known.voucher.source, ..voucher },
            None => voucher,
        };
        let may_be_known = match &known {
            None => self.may_be_known(&voucher),
            // Until its number joins it with the other one.
            Some(known) => known.held == Some(HeldBecause::MayBeKnown),
        };
        if let Some(known) = known.filter(|known| known.held.is_none()) {
            return self.unchanged(known, voucher).await;
        }
        let hipay_id = vendor.as_ref().and_then(|vendor| vendor.hipay_id);
        let held = match (&vendor, hipay_id) {
            _ if voucher.is_of_other_type() => Some(HeldBecause::OtherType),
            _ if voucher.is_of_other_provider() => Some(HeldBecause::OtherProvider),
            _ if voucher.is_paid_already() => Some(HeldBecause::PaidInMirakl),
            _ if may_be_known => Some(HeldBecause::MayBeKnown),
            _ if self.is_too_early(&voucher) => Some(HeldBecause::BeforeFirstCycle),
            (Some(vendor), _) if !vendor.enabled => Some(HeldBecause::VendorDisabled),
            (Some(_), Some(_)) => None,
            (None, _) | (Some(_), None) => Some(HeldBecause::VendorUnknown),
        };
        let (balance, operator_balance) = match (hipay_id, &held) {
            (Some(hipay_id), None) => (self.balance(balance, hipay_id).await?, self.operator_balance(&voucher).await?),
            _ => (None, None),
        };
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
        let subject = Subject::voucher(shop_id, &booking.voucher.number);
        if let Some(reason) = &booking.held {
            self.run.count_amount("held", booking.voucher.vendor_amount);
            self.run.warn(&subject, say!("voucher-held", reason));
        }
        for made in self.context.store.write(move |writer| booking.book(writer)).await? {
            let what = if made.amount.is_positive() { "created" } else { "nothing to pay" };
            self.run.count_amount(what, made.amount);
        }
        Ok(())
    }

    /// What Mirakl says now of a voucher whose operations are made: an amount that it changed is told and never
    /// overwritten, and what is not sent yet is held where it is not to be paid as it is.
    async fn unchanged(&self, known: VoucherRecord, voucher: Voucher) -> Result<(), JobError> {
        self.run.count("known already");
        let first = (known.voucher.vendor_amount, known.voucher.operator_amount);
        let shown = (voucher.vendor_amount, voucher.operator_amount);
        let changed_to = (shown != first).then_some(shown);
        if changed_to.is_some() {
            let message = say!(
                "generate-changed",
                vendor = first.0,
                operator = first.1,
                new_vendor = shown.0,
                new_operator = shown.1
            );
            self.run.warn(&Subject::voucher(voucher.shop_id, &voucher.number), message);
        }
        let payment_state = voucher.payment_state.clone();
        let row = ListedVoucher { voucher, unusable: None };
        hold_what_differs(self.context, self.run, &known, Shown::Row(&row)).await?;
        if changed_to == known.changed_to && payment_state == known.voucher.payment_state {
            return Ok(());
        }
        let mut record = VoucherRecord { changed_to, ..known };
        record.voucher.payment_state = payment_state;
        Ok(self.context.store.write(move |writer| writer.put(&record)).await?)
    }

    /// A wallet's balance, read once for all its vouchers. One that cannot be read is left out.
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
