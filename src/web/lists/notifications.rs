//! HiPay's notifications.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{ListFilter, Moment, Period, exactly, moment, passing};
use crate::domain::inbox::{Notification, NotificationKind, NotificationState};
use crate::store::{Index, Query};
use crate::web::problem::Problem;

/// Filters of the notifications.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NotificationFilter {
    /// Kind: `wallet` from HiPay Marketplace, `payment` or `settlement` from HiPay Enterprise.
    #[serde(default, deserialize_with = "exactly")]
    kind: Option<NotificationKind>,
    /// State of processing.
    #[serde(default, deserialize_with = "exactly")]
    state: Option<NotificationState>,
    /// Earliest time of receipt: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of receipt: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One notification, without the content that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct NotificationItem {
    /// Our own number.
    pub(in crate::web) id: u64,
    /// Kind: `wallet` from HiPay Marketplace, `payment` or `settlement` from HiPay Enterprise.
    pub(in crate::web) kind: NotificationKind,
    /// State of processing.
    pub(in crate::web) state: NotificationState,
    /// Event in HiPay's word: `capture`, `118`.
    pub(in crate::web) action: String,
    /// Subject, such as a transaction; empty if the notification concerns an account only.
    pub(in crate::web) subject: String,
    /// HiPay account that it concerns.
    pub(in crate::web) account_id: Option<u64>,
    /// Store ID of the shop that it concerns.
    pub(in crate::web) mirakl_id: Option<u64>,
    /// Outcome of processing, in words.
    pub(in crate::web) message: String,
    /// Number of repetitions.
    pub(in crate::web) repeats: u64,
    /// Time of first receipt (UTC).
    pub(in crate::web) date: Timestamp,
    /// Time when processing ended (UTC).
    pub(in crate::web) ended_at: Option<Timestamp>,
}

impl ListFilter for NotificationFilter {
    type Record = Notification;
    type Item = NotificationItem;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(Notification::BY_SUBJECT);

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        let groups = passing(self.kind, NotificationKind::ALL)
            .flat_map(|kind| passing(self.state, NotificationState::ALL).map(move |state| (kind, state)));
        let listing = Query::any_of(Notification::BY_KIND, groups);
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, one: &Notification, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.kind.is_none_or(|kind| kind == one.kind)
            && self.state.is_none_or(|state| state == one.state)
            && period.contains(one.received_at))
    }

    fn date(one: &Notification) -> Timestamp {
        one.received_at
    }

    fn item(one: Notification) -> NotificationItem {
        NotificationItem {
            id: one.id,
            kind: one.kind,
            state: one.state,
            action: one.action,
            subject: one.subject,
            account_id: one.account_id,
            mirakl_id: one.mirakl_id,
            message: one.message.to_string(),
            repeats: one.repeats,
            date: one.received_at,
            ended_at: one.ended_at,
        }
    }
}

impl Export for NotificationFilter {
    const NAME: &'static str = "notifications";
    const COLUMNS: &'static str = "id kind state action subject account_id mirakl_id message repeats date ended_at";
}
