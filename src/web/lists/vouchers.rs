//! Vouchers that Mirakl has shown.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::finding::{self, FoundKeys};
use super::standing::{check_currency, check_reason, is_currency, reason_schema, with_reason};
use super::{ListFilter, Moment, Period, at_most, moment, passing, shop_name};
use crate::domain::explanation::{Actor, explain_voucher};
use crate::domain::money::Amount;
use crate::domain::standing::{Stage, Standing};
use crate::domain::voucher::{VoucherRecord, VoucherState};
use crate::jobs;
use crate::schema::day_number;
use crate::store::{Index, Query, StoreError, StoreReader, View};
use crate::text::message::Message;
use crate::web::problem::Problem;

/// Filters of the vouchers.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct VoucherFilter {
    /// State of the voucher.
    state: Option<VoucherState>,
    /// Day of the cycle.
    cycle: Option<Date>,
    /// Store ID in Mirakl.
    mirakl_id: Option<u64>,
    /// Stage; limits the list to vouchers without operations.
    stage: Option<Stage>,
    /// Currency of the vendor's amount (ISO 4217).
    #[param(pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
    /// Party that has to act; limits the list to vouchers without operations.
    actor: Option<Actor>,
    /// Reason, as in `GET /todo`; limits the list to vouchers without operations.
    #[param(schema_with = reason_schema)]
    reason: Option<String>,
    /// Earliest time of creation in Mirakl: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of creation in Mirakl: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One voucher.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VoucherItem {
    /// Id that `voucher:release` and `voucher:settle` take.
    pub id: String,
    /// The number that goes into payment references.
    pub number: String,
    /// The invoice's number in Mirakl.
    pub invoice_id: Option<String>,
    /// The billing cycle's id in Mirakl.
    pub billing_cycle_id: Option<String>,
    /// Store ID in Mirakl.
    pub mirakl_id: u64,
    /// Day of the cycle that it belongs to; absent if no cycle's window contains it.
    pub cycle: Option<Date>,
    /// Time of creation in Mirakl (UTC); the cycle's cut, if Mirakl does not state it.
    pub date: Timestamp,
    /// Amount owed to the shop, with the currency's decimals.
    #[schema(example = "83.00")]
    pub amount: String,
    /// Amount owed to the operator.
    #[schema(example = "12.45")]
    pub commission: String,
    /// Currency (ISO 4217).
    pub currency: String,
    /// State of the voucher.
    pub state: VoucherState,
    /// Reason why it has made no operation.
    pub reason: Option<String>,
    /// Party that has to act: `marketplace`, `vendor`, `hipay`, `administrator` or `nobody`.
    pub actor: Option<String>,
    /// Released by a person: the next run makes its operations.
    pub released: bool,
    /// Mirakl's word for its state of payment.
    pub mirakl_payment_state: Option<String>,
    /// Mirakl's code of the provider that pays it out.
    pub pay_out_psp_code: Option<String>,
}

/// A voucher with its shop's name and its operations.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VoucherDetail {
    /// The voucher as lists show it.
    #[serde(flatten)]
    pub item: VoucherItem,
    /// Name of the shop; absent if its vendor is not known.
    pub shop_name: Option<String>,
    /// Operations that it has made, with their remainders.
    pub operations: Vec<u64>,
}

impl VoucherDetail {
    /// Adds what the store knows about a voucher to its record.
    pub(in crate::web) fn of(view: &impl View, record: VoucherRecord) -> Result<Self, StoreError> {
        let shop_name = shop_name(view, record.voucher.shop_id)?;
        // A held voucher has made none.
        let made = if record.held.is_none() { jobs::operations_of(view, &record)? } else { Vec::new() };
        let operations = made.into_iter().map(|operation| operation.id).collect();
        Ok(Self { item: record.into(), shop_name, operations })
    }
}

impl VoucherFilter {
    /// Returns the vouchers of the cycle, with its state, stage and reason, that have the currency; `None` if neither the
    /// cycle nor the currency is given.
    fn of_cycle(&self) -> Option<Query<VoucherRecord, Timestamp>> {
        let by_cycle = VoucherRecord::BY_CYCLE;
        let listing = match (self.cycle.map(day_number), self.stage, self.reason.as_deref()) {
            (None, _, _) if self.currency.is_none() => return None,
            (None, _, _) => Query::group(by_cycle, ()),
            (Some(day), None, None) => {
                let of_states = passing(self.state, VoucherState::ALL).map(VoucherState::name);
                Query::any_of(by_cycle, of_states.map(|of_state| (day, of_state)))
            }
            (Some(day), stage, reason) => {
                let of_states = passing(self.state, VoucherState::ALL).map(VoucherState::name);
                let stages = passing(stage, Stage::ALL).map(Stage::name);
                let groups = of_states.flat_map(|of_state| stages.clone().map(move |stage| (day, of_state, stage)));
                match reason {
                    None => Query::any_of(by_cycle, groups),
                    Some(reason) => {
                        Query::any_of(by_cycle, groups.map(|(day, of_state, stage)| (day, of_state, stage, reason)))
                    }
                }
            }
        };
        Some(match &self.currency {
            None => listing,
            Some(currency) => listing.ending_with(currency),
        })
    }

    /// Returns true if the voucher passes the filters by stage, actor and reason.
    fn has_reason(&self, record: &VoucherRecord) -> bool {
        if self.stage.is_none() && self.actor.is_none() && self.reason.is_none() {
            return true;
        }
        let standing = Standing::of_voucher(record);
        standing.is_some_and(|standing| {
            let in_stage = self.stage.is_none_or(|stage| stage == standing.stage);
            in_stage && standing.matches(self.actor, self.reason.as_deref())
        })
    }
}

impl ListFilter for VoucherFilter {
    type Record = VoucherRecord;
    type Item = VoucherDetail;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(VoucherRecord::SEARCH);

    fn find(view: &StoreReader<'_>, text: &str, most: usize) -> Result<FoundKeys<(String, u64, String)>, StoreError> {
        finding::vouchers(view, text, most)
    }

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        at_most("mirakl_id", self.mirakl_id, i64::MAX.unsigned_abs())?;
        check_reason(self.reason.as_deref())?;
        check_currency(self.currency.as_deref())?;
        let listing = self.of_cycle();
        // Within a cycle, the index of the cycles has the state, the stage and the reason.
        let no_cycle = self.cycle.is_none();
        let listing = match (listing, self.mirakl_id, self.state.filter(|_| no_cycle)) {
            (Some(listing), Some(shop), Some(state)) => Some(listing.and(VoucherRecord::BY_SHOP, [(shop, state)])),
            (Some(listing), Some(shop), None) => Some(listing.and(VoucherRecord::BY_SHOP, [(shop,)])),
            (Some(listing), None, Some(state)) => Some(listing.and(VoucherRecord::BY_STATE, [state])),
            (None, Some(shop), Some(state)) => Some(Query::group(VoucherRecord::BY_SHOP, (shop, state))),
            (None, Some(shop), None) => Some(Query::group(VoucherRecord::BY_SHOP, (shop,))),
            (None, None, Some(state)) => Some(Query::group(VoucherRecord::BY_STATE, state)),
            (listing, None, None) => listing,
        };
        let listing = match (self.stage.filter(|_| no_cycle), listing) {
            (None, listing) => listing,
            (Some(stage), Some(listing)) => Some(listing.and(VoucherRecord::BY_STAGE, [stage.name()])),
            (Some(stage), None) => Some(Query::group(VoucherRecord::BY_STAGE, stage.name())),
        };
        let reason = self.reason.as_deref().filter(|_| no_cycle);
        let listing = with_reason(listing, VoucherRecord::BY_REASON, self.actor, reason);
        let listing = listing.unwrap_or_else(|| Query::group(VoucherRecord::BY_DATE, ()));
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, record: &VoucherRecord, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.state.is_none_or(|state| state == record.state())
            && self.cycle.is_none_or(|cycle| cycle == record.cycle_date)
            && self.mirakl_id.is_none_or(|shop| shop == record.voucher.shop_id)
            && is_currency(self.currency.as_deref(), record.voucher.vendor_amount)
            && self.has_reason(record)
            && period.contains(record.made_at()))
    }

    fn date(record: &VoucherRecord) -> Timestamp {
        record.made_at()
    }

    fn item(record: VoucherRecord) -> VoucherDetail {
        VoucherDetail { item: record.into(), shop_name: None, operations: Vec::new() }
    }

    fn full_item(view: &impl View, record: VoucherRecord) -> Result<VoucherDetail, StoreError> {
        VoucherDetail::of(view, record)
    }
}

impl From<VoucherRecord> for VoucherItem {
    fn from(record: VoucherRecord) -> Self {
        let state = record.state();
        let (id, date) = (record.id(), record.made_at());
        let actor = explain_voucher(&record).map(|explanation| explanation.by().name().to_owned());
        let voucher = record.voucher;
        Self {
            id,
            date,
            state,
            cycle: Some(record.cycle_date).filter(|_| state != VoucherState::OutsideCycles),
            reason: record.held.as_ref().map(|held| Message::from(held).text().to_owned()),
            actor,
            released: record.released,
            mirakl_id: voucher.shop_id,
            amount: Amount::decimal(voucher.vendor_amount),
            commission: Amount::decimal(voucher.operator_amount),
            currency: voucher.vendor_amount.currency().code().to_owned(),
            number: voucher.number,
            invoice_id: voucher.invoice_id,
            billing_cycle_id: voucher.billing_cycle_id,
            mirakl_payment_state: voucher.payment_state,
            pay_out_psp_code: voucher.pay_out_provider,
        }
    }
}

impl Export for VoucherFilter {
    const NAME: &'static str = "vouchers";
    const COLUMNS: &'static str = "\
        id number invoice_id billing_cycle_id mirakl_id cycle date amount commission currency state reason \
        actor released mirakl_payment_state pay_out_psp_code";
}
