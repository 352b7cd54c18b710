//! HiPay's notifications and their outcome.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{ListFrame, ListRows, PageFrame, Tone, show};
use super::payments;
use crate::domain::inbox::{Notification, NotificationKind, NotificationState};
use crate::domain::operation::Operation;
use crate::domain::payment::{CustomerPayment, PaymentStatus};
use crate::domain::vendor::Vendor;
use crate::jobs::inbox::{self, Replay};
use crate::store::{Query, StoreError, StoreReader, View, Writer};
use crate::text::message::{asker, logged, msg};
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::lists::NotificationFilter;
use crate::web::path::Id;
use crate::web::problem::Problem;
use crate::web::{Peer, Web, refusals};

/// Upper bound on operations read for a transaction; there are fewer.
const OPERATIONS: usize = 10;
/// Characters of a notification's content that are shown at once.
const MAX_BODY_SHOWN: usize = 3_000;

#[derive(Template)]
#[template(path = "notifications.html", config = "ui/askama.toml")]
struct Notifications {
    page: PageFrame,
    rows: ListRows<Notification>,
    /// Text about the refused notifications.
    refused: String,
}

/// Shows the notifications that pass the filters.
pub(super) async fn list(
    State(web): State<Web>,
    ListFrame(page, rows, ..): ListFrame<NotificationFilter>,
) -> Result<Response, Problem> {
    let refused = refused_so_far(&web, &page).unwrap_or_else(|| {
        let since = page.time(&web.started_at);
        page.t1("refused-none", "since", since)
    });
    show(rows.status(), &Notifications { page, rows, refused })
}

/// Describes the notifications refused since this process began, and the reasons; `None` if there were none.
pub(super) fn refused_so_far(web: &Web, page: &PageFrame) -> Option<String> {
    let counted = refusals::counted();
    let all = counted.iter().fold(0_u64, |all, (_, number)| all.saturating_add(*number));
    let why: Vec<String> =
        counted.iter().map(|(why, number)| page.tn(&format!("refused-{}", why.name()), *number)).collect();
    let values = [
        ("number", all.into()),
        ("shown", page.number(&all).into()),
        ("since", page.time(&web.started_at).into()),
        ("why", why.join(", ").into()),
    ];
    (all > 0).then(|| page.texts().text("refused-some", &values))
}

impl Tone for NotificationState {
    fn tone(&self) -> &'static str {
        match self {
            NotificationState::Applied => "good",
            NotificationState::Received | NotificationState::Waiting => "busy",
            NotificationState::Unmatched => "bad",
            NotificationState::Ignored | NotificationState::Unknown => "quiet",
        }
    }
}

impl PageFrame {
    /// Returns HiPay's word for the event, or the number of a payment's status with its word.
    pub(super) fn action(&self, notification: &Notification) -> String {
        let status = Some(notification.kind).filter(|kind| *kind == NotificationKind::Payment);
        match status.and_then(|_| notification.action.parse().ok()).map(PaymentStatus) {
            Some(status) if status.name().is_some() => format!("{} {}", status.0, self.of(&status)),
            Some(_) | None => notification.action.clone(),
        }
    }
}

impl Notifications {
    fn kinds(&self) -> [NotificationKind; 3] {
        [NotificationKind::Wallet, NotificationKind::Payment, NotificationKind::Settlement]
    }

    fn states(&self) -> [NotificationState; 5] {
        [
            NotificationState::Received,
            NotificationState::Waiting,
            NotificationState::Applied,
            NotificationState::Ignored,
            NotificationState::Unmatched,
        ]
    }

    /// Returns the address of the payment that the notification concerns.
    fn payment(&self, notification: &Notification) -> Option<String> {
        let about_payment = notification.kind == NotificationKind::Payment && !notification.subject.is_empty();
        about_payment.then(|| payments::address_of(&notification.subject))
    }
}

/// The records that a notification concerns.
#[derive(Default)]
struct Concerned {
    /// Address and reference of a payment.
    payment: Option<(String, String)>,
    operations: Vec<Operation>,
    vendor: Option<Vendor>,
}

#[derive(Template)]
#[template(path = "notification.html", config = "ui/askama.toml")]
struct NotificationPage {
    page: PageFrame,
    notification: Notification,
    concerned: Concerned,
    /// Content that was sent, or its beginning.
    body: String,
    /// Length of the content in characters, if only its beginning is shown.
    whole: Option<u64>,
}

/// Shows one notification: its content and its outcome.
pub(super) async fn notification(State(web): State<Web>, page: PageFrame, Id(id): Id) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-notification"), move |reader| {
        let Some(notification) = reader.get::<Notification>(&id)? else { return Ok(None) };
        let concerned = concerned(reader, &notification)?;
        Ok(Some((notification, concerned)))
    });
    let (notification, concerned) = found.await?;
    let (body, whole) = match notification.body.char_indices().nth(MAX_BODY_SHOWN) {
        None => (notification.body.clone(), None),
        Some((end, _)) => {
            let beginning = notification.body.get(..end).unwrap_or_default();
            (format!("{beginning}…"), u64::try_from(notification.body.chars().count()).ok())
        }
    };
    show(StatusCode::OK, &NotificationPage { page, notification, concerned, body, whole })
}

fn concerned(reader: &StoreReader<'_>, notification: &Notification) -> Result<Concerned, StoreError> {
    let subject = &notification.subject;
    match notification.kind {
        NotificationKind::Payment => {
            let known = reader.get::<CustomerPayment>(subject)?.is_some();
            let payment = known.then(|| (payments::address_of(subject), subject.clone()));
            Ok(Concerned { payment, ..Concerned::default() })
        }
        NotificationKind::Wallet => {
            let operations = if subject.is_empty() {
                Vec::new()
            } else {
                reader.page(&Query::group(Operation::BY_TRANSACTION, subject.clone()).limit(OPERATIONS))?.items
            };
            let vendor = match (notification.mirakl_id, notification.account_id) {
                (Some(mirakl_id), _) => reader.get::<Vendor>(&mirakl_id)?,
                (None, Some(account)) => reader.by_unique(Vendor::BY_HIPAY_ID, account)?,
                (None, None) => None,
            };
            Ok(Concerned { payment: None, operations, vendor })
        }
        NotificationKind::Settlement | NotificationKind::Unknown => Ok(Concerned::default()),
    }
}

impl NotificationPage {
    /// Returns true if this person may have it processed again, and that can have an effect.
    fn may_replay(&self) -> bool {
        self.page.may_change() && self.notification.can_be_replayed()
    }

    /// Returns the result of a replay, if one led here.
    fn replayed(&self) -> Option<String> {
        let asked = self.page.address.value("replayed");
        REPLAYED.contains(&asked).then(|| self.page.t(&format!("replayed-{asked}")))
    }
}

/// Results of a replay, as the address states them.
const REPLAYED: [&str; 4] = ["again", "had-its-effect", "emptied", "unknown"];

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Has a notification processed again.
pub(super) async fn replay(
    State(web): State<Web>,
    Operator(caller): Operator,
    peer: Peer,
    Id(id): Id,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let replayed = web.context.store.write(move |writer: &mut Writer<'_>| inbox::replay(writer, id)).await?;
    let what = match replayed {
        Replay::Again => "again",
        Replay::HadItsEffect => "had-its-effect",
        Replay::Emptied => "emptied",
        Replay::Unknown => "unknown",
        Replay::Missing => return Err(Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-notification"))),
    };
    if replayed == Replay::Again {
        let (person, address) = (asker(&caller.name), peer.address.to_string());
        let message = msg!("log-notification-replayed", person, notification = id, address);
        logged!(info, severity = "NOTICE", action = "notification", notification = id, message);
        web.inbox.notify_one();
    }
    Ok(Redirect::to(&format!("/dashboard/notifications/{id}?replayed={what}")).into_response())
}
