//! Elements of every page: its language, its reader and its address.

use std::borrow::Borrow;
use std::marker::PhantomData;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::{Address, assets, language, search};
use crate::config::Role;
use crate::domain::explanation::{Explanation, title_of};
use crate::domain::money::Amount;
use crate::domain::operation::{Column, PaymentKind};
use crate::text::message::{self, Message, logged, msg};
use crate::text::{Locale, Texts, Word};
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::lists::{self, List, ListFilter, Paging, Parameters};
use crate::web::problem::Problem;

/// Sections of the dashboard, by their address under `/dashboard/`, which is also their name in texts.
const SECTIONS: [&str; 10] = [
    "todo",
    "cycles",
    "vendors",
    "vouchers",
    "transfers",
    "transactions",
    "payments",
    "notifications",
    "logs",
    "settings",
];

/// Length above which a text is cut and shown whole on demand, in characters.
const MAX_CELL_LENGTH: usize = 60;
/// Length above which a message on a line of its own is cut, in characters.
const MAX_EXCERPT: usize = 300;

/// The frame of a page, and the format of its texts and numbers.
#[derive(Clone)]
pub(super) struct PageFrame {
    texts: &'static Texts,
    locale: Locale,
    zone: TimeZone,
    /// Person who has signed in, if any.
    pub(super) caller: Option<Caller>,
    /// CSRF token that shows that a form comes from a page of this session.
    pub(super) csrf: String,
    /// Address of this page.
    pub(super) address: Address,
    /// Current time and speed of the clock, if it is accelerated: in a demo.
    fast: Option<(Timestamp, u32)>,
}

impl FromRequestParts<Web> for PageFrame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let settings = web.settings.get();
        let locale = language::of(&parts.headers, settings.dashboard.locale);
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Self {
            texts: Texts::of(Some(locale)),
            locale,
            zone: settings.hipay.time_zone.clone(),
            csrf: caller.as_ref().map(Caller::csrf_token).transpose()?.unwrap_or_default(),
            caller,
            address: Address::new(parts.uri.path(), parts.uri.query()),
            fast: web.context.clock.speed().map(|speed| (web.context.clock.now(), speed)),
        })
    }
}

impl PageFrame {
    /// Creates a page that is shown before there are settings.
    pub(super) fn before_settings(headers: &HeaderMap, uri: &Uri, csrf: String) -> Self {
        let locale = language::of(headers, None);
        Self {
            texts: Texts::of(Some(locale)),
            locale,
            zone: TimeZone::UTC,
            caller: None,
            csrf,
            address: Address::new(uri.path(), uri.query()),
            fast: None,
        }
    }

    /// Returns the configured zone.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the texts in the language of the page.
    pub(super) fn texts(&self) -> &'static Texts {
        self.texts
    }

    /// Returns this page at another address.
    pub(super) fn at(self, address: Address) -> Self {
        Self { address, ..self }
    }

    /// Returns the text of this name.
    pub(super) fn t(&self, id: &str) -> String {
        self.texts.text(id, &[])
    }

    /// Returns the text of this name with one value.
    pub(super) fn t1(&self, id: &str, name: &str, value: impl ToString) -> String {
        self.texts.text(id, &[(name, value.to_string().into())])
    }

    /// Returns the text of this name with two values.
    pub(super) fn t2(&self, id: &str, one: (&str, String), other: (&str, String)) -> String {
        self.texts.text(id, &[(one.0, one.1.into()), (other.0, other.1.into())])
    }

    /// Returns the text of this name with a number that it depends on.
    pub(super) fn tn(&self, id: &str, number: impl Borrow<u64>) -> String {
        let number = *number.borrow();
        self.texts.text(id, &[("number", number.into()), ("shown", self.texts.number(number).into())])
    }

    /// Renders a message in the reader's language.
    pub(super) fn say(&self, message: &Message) -> String {
        message.in_words(self.texts)
    }

    /// Returns the name of a requester in the reader's language.
    pub(super) fn asker(&self, name: &str) -> String {
        message::asker(name).in_words(self.texts)
    }

    /// Returns the word for a value.
    pub(super) fn of(&self, thing: &impl Word) -> String {
        self.texts.word(thing)
    }

    /// Returns the word for one of several choices: `word("wallet", "not_created")` is the text `wallet-not-created`.
    pub(super) fn word(&self, kind: &str, name: &str) -> String {
        self.t(&format!("{kind}-{}", name.replace('_', "-")))
    }

    /// Returns true if the reader may change things.
    pub(super) fn may_change(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.role == Role::Operator)
    }

    /// Returns explanations in the language of the page.
    pub(super) fn explanations(&self, explanations: Vec<Explanation>) -> Vec<ExplanationView> {
        let told = |one: Explanation| ExplanationView {
            what: one.what(self.texts),
            mend: one.mend(self.texts),
            actor: one.actor(self.texts),
            said: one.said(self.texts),
        };
        explanations.into_iter().map(told).collect()
    }

    /// Returns the note that marks each page of a demo.
    pub(super) fn demo(&self) -> Option<String> {
        let (now, speed) = self.fast?;
        Some(self.t2("frame-demo", ("now", self.time(&now)), ("speed", self.number(&u64::from(speed)))))
    }

    /// Returns the version that runs.
    pub(super) fn version(&self) -> &'static str {
        crate::platform::release::version()
    }

    /// Returns the code of the language.
    pub(super) fn lang(&self) -> &'static str {
        language::code(self.locale)
    }

    /// Returns the other languages: code, own name, and the address of this page in it.
    pub(super) fn languages(&self) -> Vec<(&'static str, &'static str, String)> {
        let all = [(Locale::English, "English"), (Locale::French, "Français")];
        let others = all.into_iter().filter(|(locale, _)| *locale != self.locale);
        others
            .map(|(locale, name)| (language::code(locale), name, self.address.in_language(language::code(locale))))
            .collect()
    }

    /// Returns the sections of the dashboard: address, name, and whether this page is in it.
    pub(super) fn sections(&self) -> Vec<(String, String, bool)> {
        let section = |name: &&str| {
            let address = format!("/dashboard/{name}");
            let here = self.address.path().strip_prefix(address.as_str());
            let here = here.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            (address, self.t(&format!("section-{name}")), here)
        };
        let home = ("/dashboard".to_owned(), self.t("section-overview"), self.address.path() == "/dashboard");
        std::iter::once(home).chain(SECTIONS.iter().map(section)).collect()
    }

    /// Returns the address of the search over everything.
    pub(super) fn search_address(&self) -> &'static str {
        search::SEARCH
    }

    /// Returns the text that this page shows hits for; empty on every other page.
    pub(super) fn search_text(&self) -> &str {
        if self.address.path() == search::SEARCH { self.address.value("q") } else { "" }
    }

    /// Returns the address of an asset.
    pub(super) fn asset(&self, path: &str) -> String {
        assets::address(path)
    }

    /// Formats a date and time in the configured zone.
    pub(super) fn time(&self, at: &Timestamp) -> String {
        self.texts.moment(*at, &self.zone)
    }

    /// Formats the distance from now: in five minutes, two hours ago.
    pub(super) fn away(&self, at: &Timestamp, now: &Timestamp) -> String {
        self.texts.relative(*at, *now)
    }

    /// Returns the name of a batch by its command.
    pub(super) fn command(&self, name: &str) -> String {
        self.texts.command(name)
    }

    /// Formats a whole number with its separators.
    pub(super) fn number(&self, number: &u64) -> String {
        self.texts.number(*number)
    }

    /// Formats an amount with its currency.
    pub(super) fn amount(&self, amount: &Amount) -> String {
        self.texts.amount(*amount)
    }

    /// Formats an amount that may be unknown.
    pub(super) fn money(&self, amount: Option<&Amount>) -> String {
        amount.map_or_else(|| "—".to_owned(), |amount| self.amount(amount))
    }

    /// Returns the title of the reason why money is not paid.
    pub(super) fn reason(&self, id: &str) -> String {
        self.t(&title_of(id))
    }

    /// Formats a day.
    pub(super) fn day(&self, day: &Date) -> String {
        self.texts.day(*day)
    }

    /// Returns the word for one of the two status columns of an operation; empty while nothing has happened.
    pub(super) fn column(&self, (kind, column): &(PaymentKind, Column)) -> String {
        if *column == Column::None { String::new() } else { self.texts.word(&(*kind, *column)) }
    }

    /// Formats a duration.
    pub(super) fn span(&self, span: SignedDuration) -> String {
        self.texts.duration(span)
    }

    /// Shortens a text that is too long for a link or a heading; the page that it leads to has the whole text.
    pub(super) fn short(&self, text: &str) -> String {
        self.cut(text).unwrap_or_else(|| text.to_owned())
    }

    /// Shortens a message that is too long for a line of its own.
    pub(super) fn shortened(&self, text: &str) -> String {
        self.excerpt(text).unwrap_or_else(|| text.to_owned())
    }

    /// Returns the beginning of a text that is too long for a table; `None` if it is not.
    pub(super) fn cut(&self, text: &str) -> Option<String> {
        beginning(text, MAX_CELL_LENGTH)
    }

    /// Returns the beginning of a message that is too long for a line of its own; `None` if it is not.
    pub(super) fn excerpt(&self, text: &str) -> Option<String> {
        beginning(text, MAX_EXCERPT)
    }
}

/// Returns the first `characters` of a text, if there are more.
fn beginning(text: &str, characters: usize) -> Option<String> {
    let (end, _) = text.char_indices().nth(characters)?;
    text.get(..end).map(|beginning| format!("{}…", beginning.trim_end()))
}

/// A value that is shown with a colour and an icon, which add nothing to its word.
pub(super) trait Tone {
    /// Returns the class of the colour and the icon, such as `good`.
    fn tone(&self) -> &'static str;
}

/// An explanation in words.
pub(super) struct ExplanationView {
    /// Description of the event.
    pub(super) what: String,
    /// Remedy.
    pub(super) mend: String,
    /// Party that has to act.
    pub(super) actor: String,
    /// HiPay's own words.
    pub(super) said: Option<String>,
}

/// A list on a page: its rows, or the problem with the query.
pub(super) struct ListRows<T> {
    /// Rows of the page.
    pub(super) items: Vec<T>,
    /// Number of rows in the whole list.
    pub(super) total: u64,
    /// Inexact total: there may be more rows than `total`.
    pub(super) at_least: bool,
    /// Address of the previous page, if there is one.
    pub(super) before: Option<String>,
    /// Address of the next page, if there is one.
    pub(super) after: Option<String>,
    /// Number of the first row.
    pub(super) first: u64,
    /// Number of the last row.
    pub(super) last: u64,
    /// Problem with the filters, in which case there are no rows.
    pub(super) problem: Option<String>,
}

impl<T> ListRows<T> {
    /// Creates the rows from the result of a query. A mistake in the query is shown in the list; any other problem
    /// concerns the whole page.
    pub(super) fn of(found: Result<List<T>, Problem>, page: &PageFrame) -> Result<Self, Problem> {
        let address = &page.address;
        let list = match found {
            Ok(list) => list,
            Err(problem) if problem.status().is_client_error() => {
                return Ok(Self {
                    items: Vec::new(),
                    total: 0,
                    at_least: false,
                    before: None,
                    after: None,
                    first: 0,
                    last: 0,
                    problem: Some(problem.in_words(page.texts())),
                });
            }
            Err(problem) => return Err(problem),
        };
        let shown = u64::try_from(list.items.len()).unwrap_or(u64::MAX);
        let passed = u64::from(list.page.saturating_sub(1)).saturating_mul(u64::from(list.per_page));
        let next = list.page.saturating_add(1).min(LAST_NUMBERED);
        // A search has no cursor: its pages are counted.
        let more = list.next.is_some() || passed.saturating_add(shown) < list.total;
        Ok(Self {
            total: list.total,
            at_least: !list.total_exact,
            before: (list.page > 1).then(|| address.page(list.page.saturating_sub(1), None)),
            // A part of the list in which nothing was found has a next one, too.
            after: more.then(|| address.page(next, list.next.as_deref())),
            first: passed.saturating_add(u64::from(shown > 0)),
            last: passed.saturating_add(shown),
            items: list.items,
            problem: None,
        })
    }

    /// Converts each row.
    pub(super) fn map<U>(self, convert: impl FnMut(T) -> U) -> ListRows<U> {
        let Self { items, total, at_least, before, after, first, last, problem } = self;
        let items = items.into_iter().map(convert).collect();
        ListRows { items, total, at_least, before, after, first, last, problem }
    }

    /// Returns the status of a page with these rows.
    pub(super) fn status(&self) -> StatusCode {
        if self.problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }
}

/// A page with a list: its frame, and the rows that its address asks for.
pub(super) struct ListFrame<F: ListFilter, P = Paging>(
    pub(super) PageFrame,
    pub(super) ListRows<F::Record>,
    pub(super) PhantomData<P>,
);

impl<F, P> FromRequestParts<Web> for ListFrame<F, P>
where
    F: ListFilter + DeserializeOwned,
    P: Parameters,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let page = PageFrame::from_request_parts(parts, web).await?;
        let found = lists::query_records::<F, P>(web, parts.uri.query().unwrap_or_default()).await;
        let rows = ListRows::of(found, &page)?;
        Ok(Self(page, rows, PhantomData))
    }
}

/// Last page that a number leads to; the cursor leads further.
const LAST_NUMBERED: u32 = 500;

/// Renders a page.
pub(super) fn show(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|error| {
        logged!(error, action = "web", msg!("log-page-not-written", error = error.to_string()));
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, msg!("problem-defect"))
    })?;
    Ok((status, [(header::VARY, "Cookie, Accept-Language")], Html(text)).into_response())
}

#[derive(Template)]
#[template(path = "trouble.html", config = "ui/askama.toml")]
struct ErrorPage {
    page: PageFrame,
    status: u16,
    sentence: String,
}

/// Shows a page that states the problem.
pub(super) fn trouble(page: PageFrame, problem: &Problem) -> Response {
    let (status, sentence) = (problem.status(), problem.in_words(page.texts()));
    show(status, &ErrorPage { page, status: status.as_u16(), sentence }).unwrap_or_else(IntoResponse::into_response)
}
