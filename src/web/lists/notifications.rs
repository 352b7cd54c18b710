//! Notifications of HiPay's.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{Filter, Moment, Period, exactly, moment};
use crate::domain::inbox::{Notification, NotificationKind, NotificationState};
use crate::store::Listing;
use crate::web::problem::Problem;

/// Which notifications.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NotificationFilter {
    /// Which of HiPay's platforms sent it, and about what.
    #[serde(default, deserialize_with = "exactly")]
    kind: Option<NotificationKind>,
    /// How far it has come.
    #[serde(default, deserialize_with = "exactly")]
    state: Option<NotificationState>,
    /// Only those received on this day or later, or at this instant or later.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Only those received on this day or before, or before this instant.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One notification. What was sent is not in it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct NotificationItem {
    /// Our own number.
    pub(in crate::web) id: u64,
    /// Which of HiPay's platforms sent it, and about what.
    pub(in crate::web) kind: NotificationKind,
    /// How far it has come.
    pub(in crate::web) state: NotificationState,
    /// What it says, in HiPay's word: `capture`, `118`.
    pub(in crate::web) action: String,
    /// What it is about: a transaction; empty where it is about an account only.
    pub(in crate::web) subject: String,
    /// The HiPay account that it is about.
    pub(in crate::web) account_id: Option<u64>,
    /// The shop that it is about.
    pub(in crate::web) mirakl_id: Option<u64>,
    /// What came of it.
    pub(in crate::web) message: String,
    /// How often it came again.
    pub(in crate::web) repeats: u64,
    /// When it came first.
    pub(in crate::web) date: Timestamp,
    /// When it came to an end.
    pub(in crate::web) ended_at: Option<Timestamp>,
}

impl Filter for NotificationFilter {
    type Record = Notification;
    type Item = NotificationItem;

    const SEARCH: &'static str = "subject";

    fn listing(&self, zone: &TimeZone) -> Result<Listing, Problem> {
        let kinds = NotificationKind::ALL.into_iter().filter(|one| self.kind.is_none_or(|wanted| wanted == *one));
        let groups = kinds.flat_map(|kind| {
            let states = NotificationState::ALL.into_iter();
            let states = states.filter(|one| self.state.is_none_or(|wanted| wanted == *one));
            states.map(move |state| (kind.name(), state.name()))
        });
        let listing = Listing::any_of("list", groups);
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing))
    }

    fn passes(&self, one: &Notification, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.kind.is_none_or(|kind| kind == one.kind)
            && self.state.is_none_or(|state| state == one.state)
            && period.holds(one.received_at))
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
            message: one.message,
            repeats: one.repeats,
            date: one.received_at,
            ended_at: one.ended_at,
        }
    }
}

impl Export for NotificationFilter {
    const NAME: &'static str = "notifications";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "state",
        "action",
        "subject",
        "account_id",
        "mirakl_id",
        "message",
        "repeats",
        "date",
        "ended_at",
    ];

    fn cells(one: Notification) -> Vec<String> {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        vec![
            one.id.to_string(),
            one.kind.name().to_owned(),
            one.state.name().to_owned(),
            one.action,
            one.subject,
            number(one.account_id),
            number(one.mirakl_id),
            one.message,
            one.repeats.to_string(),
            one.received_at.to_string(),
            one.ended_at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    }
}
