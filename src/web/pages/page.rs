//! What every page has: its language, who looks at it, and its address.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Address, assets, language};
use crate::config::Role;
use crate::domain::explanation::Explanation;
use crate::domain::money::Amount;
use crate::domain::operation::{Column, PaymentKind};
use crate::text::message::{self, StoredMessage, msg};
use crate::text::{Locale, Texts, Word};
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::lists::Found;
use crate::web::problem::Problem;

/// A part of the dashboard: its address under `/dashboard/`, and its name in texts.
const SECTIONS: [&str; 8] =
    ["vendors", "vouchers", "transfers", "transactions", "payments", "notifications", "logs", "settings"];

/// Texts longer than this are cut, and shown whole on demand, in characters.
const CUT_AFTER: usize = 60;
/// The same for sentences that have a line to themselves.
const EXCERPT: usize = 300;

/// What the frame of a page says, and how its texts and numbers are written.
#[derive(Clone)]
pub(super) struct Page {
    texts: &'static Texts,
    locale: Locale,
    zone: TimeZone,
    /// Who has signed in, if anybody.
    pub(super) caller: Option<Caller>,
    /// What shows that a form comes from a page of this session.
    pub(super) csrf: String,
    /// Where this page is.
    pub(super) address: Address,
    /// What time it is and how fast it runs, where that is not as usual: in a demo.
    fast: Option<(Timestamp, u32)>,
}

impl FromRequestParts<Web> for Page {
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

impl Page {
    /// A page that is shown before there are settings.
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

    /// The configured zone.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The texts in the language of the page.
    pub(super) fn texts(&self) -> &'static Texts {
        self.texts
    }

    /// The same at another address.
    pub(super) fn at(self, address: Address) -> Self {
        Self { address, ..self }
    }

    /// The text of this name.
    pub(super) fn t(&self, id: &str) -> String {
        self.texts.text(id, &[])
    }

    /// The text of this name with one value.
    pub(super) fn t1(&self, id: &str, name: &str, value: impl ToString) -> String {
        self.texts.text(id, &[(name, value.to_string().into())])
    }

    /// The text of this name with two values.
    pub(super) fn t2(&self, id: &str, one: (&str, String), other: (&str, String)) -> String {
        self.texts.text(id, &[(one.0, one.1.into()), (other.0, other.1.into())])
    }

    /// The text of this name with a number that it depends on.
    pub(super) fn tn(&self, id: &str, number: impl Borrow<u64>) -> String {
        let number = *number.borrow();
        self.texts.text(id, &[("number", number.into()), ("shown", self.texts.number(number).into())])
    }

    /// What a record says: its English text, or the same in the reader's language.
    pub(super) fn say(&self, english: &str, said: Option<&StoredMessage>) -> String {
        message::in_words(english, said, self.texts)
    }

    /// Who asked for something.
    pub(super) fn asker(&self, name: &str) -> String {
        message::asker(name).in_words(self.texts)
    }

    /// The word for it.
    pub(super) fn of(&self, thing: &impl Word) -> String {
        self.texts.word(thing)
    }

    /// The word for one of several choices: `word("wallet", "not_created")` is the text `wallet-not-created`.
    pub(super) fn word(&self, kind: &str, name: &str) -> String {
        self.t(&format!("{kind}-{}", name.replace('_', "-")))
    }

    /// Whether who looks at it may change things.
    pub(super) fn may_change(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.role == Role::Operator)
    }

    /// What happened and what to do, in this language.
    pub(super) fn told(&self, explanations: Vec<Explanation>) -> Vec<ExplanationView> {
        let told = |one: Explanation| ExplanationView {
            what: one.what(self.texts),
            mend: one.mend(self.texts),
            actor: one.actor(self.texts),
            said: one.said(self.texts),
        };
        explanations.into_iter().map(told).collect()
    }

    /// Says on each page of a demo that it is one.
    pub(super) fn demo(&self) -> Option<String> {
        let (now, speed) = self.fast?;
        Some(self.t2("frame-demo", ("now", self.time(&now)), ("speed", self.number(&u64::from(speed)))))
    }

    /// The version that runs.
    pub(super) fn version(&self) -> &'static str {
        crate::platform::release::version()
    }

    /// The code of the language.
    pub(super) fn lang(&self) -> &'static str {
        language::code(self.locale)
    }

    /// The other languages: code, own name, and the address of this page in it.
    pub(super) fn languages(&self) -> Vec<(&'static str, &'static str, String)> {
        let all = [(Locale::English, "English"), (Locale::French, "Français")];
        let others = all.into_iter().filter(|(locale, _)| *locale != self.locale);
        others
            .map(|(locale, name)| (language::code(locale), name, self.address.in_language(language::code(locale))))
            .collect()
    }

    /// The parts of the dashboard: address, name, and whether this page is in it.
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

    /// The address of an asset.
    pub(super) fn asset(&self, path: &str) -> String {
        assets::address(path)
    }

    /// A date and time in the configured zone.
    pub(super) fn time(&self, at: &Timestamp) -> String {
        self.texts.moment(*at, &self.zone)
    }

    /// How far away it is from now: in five minutes, two hours ago.
    pub(super) fn away(&self, at: &Timestamp, now: &Timestamp) -> String {
        self.texts.relative(*at, *now)
    }

    /// The name of a batch by its command.
    pub(super) fn command(&self, name: &str) -> String {
        self.texts.command(name)
    }

    /// A whole number with its separators.
    pub(super) fn number(&self, number: &u64) -> String {
        self.texts.number(*number)
    }

    /// An amount with its currency.
    pub(super) fn amount(&self, amount: &Amount) -> String {
        self.texts.amount(*amount)
    }

    /// A day.
    pub(super) fn day(&self, day: &Date) -> String {
        self.texts.day(*day)
    }

    /// The word in one of the two status columns of an operation; nothing as long as nothing happened.
    pub(super) fn column(&self, (kind, column): &(PaymentKind, Column)) -> String {
        if *column == Column::None { String::new() } else { self.texts.word(&(*kind, *column)) }
    }

    /// How long something takes.
    pub(super) fn span(&self, span: SignedDuration) -> String {
        self.texts.duration(span)
    }

    /// The text, cut where it is too long for a link or a heading: the whole stands where it leads.
    pub(super) fn short(&self, text: &str) -> String {
        self.cut(text).unwrap_or_else(|| text.to_owned())
    }

    /// The same for a sentence.
    pub(super) fn shortened(&self, text: &str) -> String {
        self.excerpt(text).unwrap_or_else(|| text.to_owned())
    }

    /// Where a text is cut, if it is too long for a table.
    pub(super) fn cut(&self, text: &str) -> Option<String> {
        beginning(text, CUT_AFTER)
    }

    /// The same for a sentence that has a line to itself.
    pub(super) fn excerpt(&self, text: &str) -> Option<String> {
        beginning(text, EXCERPT)
    }
}

/// The first so many characters, where there are more.
fn beginning(text: &str, characters: usize) -> Option<String> {
    let (end, _) = text.char_indices().nth(characters)?;
    text.get(..end).map(|beginning| format!("{}…", beginning.trim_end()))
}

/// An explanation in words.
pub(super) struct ExplanationView {
    /// What happened.
    pub(super) what: String,
    /// What to do about it.
    pub(super) mend: String,
    /// By whom.
    pub(super) actor: String,
    /// What HiPay said.
    pub(super) said: Option<String>,
}

/// A list on a page: its rows, or what is wrong with what was asked for.
pub(super) struct Rows<T> {
    /// The rows.
    pub(super) items: Vec<T>,
    /// How many there are in all.
    pub(super) total: u64,
    /// Whether there may be more than `total`.
    pub(super) at_least: bool,
    /// The page before, if there is one.
    pub(super) before: Option<String>,
    /// The page after, if there is one.
    pub(super) after: Option<String>,
    /// The number of the first row.
    pub(super) first: u64,
    /// The number of the last row.
    pub(super) last: u64,
    /// Why there are no rows: what is wrong with the filters.
    pub(super) problem: Option<String>,
}

impl<T> Rows<T> {
    /// Of what was found, or of what is wrong with the question. Other trouble is the whole page's.
    pub(super) fn of(found: Result<Found<T>, Problem>, page: &Page) -> Result<Self, Problem> {
        let address = &page.address;
        let list = match found {
            Ok(list) => list,
            Err(problem) if problem.status().is_client_error() => {
                let none = Self {
                    items: Vec::new(),
                    total: 0,
                    at_least: false,
                    before: None,
                    after: None,
                    first: 0,
                    last: 0,
                    problem: None,
                };
                return Ok(Self { problem: Some(problem.in_words(page.texts())), ..none });
            }
            Err(problem) => return Err(problem),
        };
        let shown = u64::try_from(list.items.len()).unwrap_or(u64::MAX);
        let passed = u64::from(list.page.saturating_sub(1)).saturating_mul(u64::from(list.per_page));
        let next = list.page.saturating_add(1).min(LAST_NUMBERED);
        // A search knows no cursor: its pages are counted.
        let more = list.next.is_some() || passed.saturating_add(shown) < list.total;
        Ok(Self {
            total: list.total,
            at_least: !list.total_exact,
            before: (list.page > 1).then(|| address.page(list.page.saturating_sub(1), None)),
            after: (more && shown > 0).then(|| address.page(next, list.next.as_deref())),
            first: passed.saturating_add(u64::from(shown > 0)),
            last: passed.saturating_add(shown),
            items: list.items,
            problem: None,
        })
    }

    /// The status that a page with these rows is answered with.
    pub(super) fn status(&self) -> StatusCode {
        if self.problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }
}

/// The last page that a number leads to; the cursor leads further.
const LAST_NUMBERED: u32 = 500;

/// Answers with a page.
pub(super) fn show(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|error| {
        tracing::error!(action = "web", "a page could not be written: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, msg!("problem-defect"))
    })?;
    Ok((status, [(header::VARY, "Cookie, Accept-Language")], Html(text)).into_response())
}

#[derive(Template)]
#[template(path = "trouble.html", config = "ui/askama.toml")]
struct Trouble {
    page: Page,
    status: u16,
    sentence: String,
}

/// A page that says what is wrong.
pub(super) fn trouble(page: Page, problem: &Problem) -> Response {
    let (status, sentence) = (problem.status(), problem.in_words(page.texts()));
    show(status, &Trouble { page, status: status.as_u16(), sentence }).unwrap_or_else(IntoResponse::into_response)
}
