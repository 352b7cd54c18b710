//! The pages of a first run, before there are settings and a store.

use std::net::SocketAddr;

use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, Form, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tower_http::compression::CompressionLayer;

use super::page::{PageFrame, show};
use super::sign_in::set_cookie;
use super::{ASSETS, assets, guarded, language};
use crate::admin::check::Finding;
use crate::admin::setup::{ASKED, Field, FieldKind, FirstRun, FormValues, SetupSession, all_fields, id_of};
use crate::config::{ConfigDraft, ConfigErrors};
use crate::domain::session::is_same;
use crate::platform::secret::Secret;
use crate::text::message::{Message, msg};
use crate::web::auth::comes_from_elsewhere;
use crate::web::cookies::cookies;
use crate::web::peer::{came_through_a_proxy, names_this_machine};
use crate::web::problem::Problem;
use crate::web::{CSRF_FIELD, health, limits};

/// Path of the setup page.
const HERE: &str = "/setup";
/// Name of the cookie that a browser gets once the code was typed.
const COOKIE: &str = "cashout_setup";

/// Builds the router of a process without settings. Senders of notifications are asked to try again later.
pub(in crate::web) fn router(setup: &FirstRun) -> Router {
    let pages = Router::new()
        .route(HERE, get(form).post(save))
        .route("/setup/code", post(enter))
        .layer(middleware::from_fn(language::choose))
        .layer(middleware::from_fn(guarded))
        .route(ASSETS, get(assets::asset))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(require_local));
    let routes = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", any(needs_settings))
        .route("/notifications/{*kind}", any(needs_settings))
        .route("/api/{*path}", any(needs_settings))
        .route("/", get(redirect_to_setup).post(needs_settings))
        .merge(pages)
        .fallback(redirect_to_setup);
    limits::outermost(limits::bounded(routes)).with_state(setup.clone())
}

/// Answers requests that need settings.
async fn needs_settings() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-setup-first")).again_after(60)
}

/// Redirects every other address to the setup page.
async fn redirect_to_setup() -> Redirect {
    Redirect::to(HERE)
}

/// Lets a request through only from this machine, or from the end of a tunnel to it, and not from a page of another
/// site whose name has been made to resolve to this machine.
async fn require_local(request: Request, next: Next) -> Response {
    let socket = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let headers = request.headers();
    let is_local = socket.is_some_and(|address| address.is_loopback());
    if is_local && !came_through_a_proxy(headers) && names_this_machine(headers) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::FORBIDDEN, msg!("problem-setup-here")).into_response()
}

#[derive(Template)]
#[template(path = "setup_code.html", config = "ui/askama.toml")]
struct AccessCodePage {
    page: PageFrame,
    refusal: Option<String>,
}

#[derive(Template)]
#[template(path = "setup.html", config = "ui/askama.toml")]
struct Questions {
    page: PageFrame,
    sections: Vec<(String, Vec<Question>)>,
    /// Problems that concern no single setting.
    problems: Vec<String>,
    findings: Vec<Finding>,
}

/// A setting on the page.
struct Question {
    key: &'static str,
    name: String,
    hint: String,
    /// Kind of the input field.
    field: &'static str,
    value: String,
    required: bool,
    /// Kept, that is, it has a value that is not shown.
    is_kept: bool,
    /// Removable: it was typed here and is optional.
    can_forget: bool,
    /// Source of the value, if it takes precedence over the file.
    elsewhere: Option<String>,
    problem: Option<String>,
    suggestions: &'static [&'static str],
}

#[derive(Template)]
#[template(path = "setup_done.html", config = "ui/askama.toml")]
struct SetupDone {
    page: PageFrame,
    file: String,
}

/// A code that was typed.
#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: Secret,
}

/// Returns the visit of the person who has typed the code, by the cookie.
fn current_session(setup: &FirstRun, headers: &HeaderMap) -> Option<SetupSession> {
    setup.session_of(cookies(headers, COOKIE).next()?)
}

async fn form(State(setup): State<FirstRun>, headers: HeaderMap, uri: Uri) -> Result<Response, Problem> {
    let Some(visit) = current_session(&setup, &headers) else {
        let page = PageFrame::before_settings(&headers, &uri, String::new());
        return show(StatusCode::OK, &AccessCodePage { page, refusal: None });
    };
    let page = PageFrame::before_settings(&headers, &uri, visit.csrf.expose().to_owned());
    show_form(&setup, page, visit, Wrong::default()).await
}

async fn enter(
    State(setup): State<FirstRun>,
    headers: HeaderMap,
    uri: Uri,
    Form(typed): Form<Code>,
) -> Result<Response, Problem> {
    if comes_from_elsewhere(&headers) {
        return Ok(Redirect::to(HERE).into_response());
    }
    let entered =
        setup.enter_code(typed.code.expose()).map_err(|_| Problem::unavailable(msg!("problem-no-random"), 30))?;
    let Some(token) = entered else {
        let page = PageFrame::before_settings(&headers, &uri, String::new()).at(super::Address::new(HERE, None));
        let refusal = Some(page.t("setup-code-wrong"));
        return show(StatusCode::UNAUTHORIZED, &AccessCodePage { page, refusal });
    };
    let mut response = Redirect::to(HERE).into_response();
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path={HERE}", token.expose());
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// Problems with the typed values.
#[derive(Default)]
struct Wrong {
    mistakes: Option<ConfigErrors>,
    problems: Vec<String>,
    findings: Vec<Finding>,
    /// Setting whose form in the file only a person can change.
    unchangeable: Option<String>,
}

impl Wrong {
    fn of(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }
}

/// Checks the typed values, has the remotes answer, and writes the file.
async fn save(
    State(setup): State<FirstRun>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let Some(mut visit) = current_session(&setup, &headers) else { return Ok(Redirect::to(HERE).into_response()) };
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if comes_from_elsewhere(&headers) || !is_same(field(CSRF_FIELD).unwrap_or_default(), visit.csrf.expose()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, msg!("problem-not-of-page")));
    }
    take_values(&mut visit.typed, field);
    setup.store_values(&visit);
    let page = PageFrame::before_settings(&headers, &uri, visit.csrf.expose().to_owned());
    let draft = match draft(&setup, &visit.typed).await? {
        Ok(draft) => draft,
        Err(wrong) => return show_form(&setup, page, visit, wrong).await,
    };
    let config = match draft.config() {
        Ok(config) => config,
        Err(mistakes) => {
            let wrong = Wrong { mistakes: Some(mistakes), ..Wrong::default() };
            return show_form(&setup, page, visit, wrong).await;
        }
    };
    if field("insist").is_none() {
        let findings = setup.check_remotes(config).await;
        if findings.has_defect() {
            return show_form(&setup, page, visit, Wrong { findings: findings.0, ..Wrong::default() }).await;
        }
    }
    let writing = setup.clone();
    let written = tokio::task::spawn_blocking(move || writing.write(&draft)).await;
    match written.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        Ok(()) => show(StatusCode::OK, &SetupDone { file: setup.file().display().to_string(), page }),
        Err(error) => {
            let file = setup.file().display().to_string();
            let problem = page.t2("setup-not-written", ("file", file), ("problem", error.to_string()));
            show_form(&setup, page, visit, Wrong::of(problem)).await
        }
    }
}

/// Takes over the typed values. A secret that is left empty stays as it was, since it was not shown.
fn take_values<'a>(typed: &mut FormValues, field: impl Fn(&str) -> Option<&'a str>) {
    for asked in all_fields() {
        let Some(value) = field(asked.key) else { continue };
        match asked.kind {
            FieldKind::Secret if value.is_empty() => {}
            FieldKind::Secret => {
                typed.insert(asked.key, value.to_owned());
            }
            FieldKind::Text | FieldKind::Address | FieldKind::Mail | FieldKind::Number | FieldKind::Day => {
                typed.insert(asked.key, value.trim().to_owned());
            }
        }
        // Typed before and not wanted any more: the other way to sign in is used.
        if field(&format!("forget {}", asked.key)).is_some() {
            typed.remove(asked.key);
        }
    }
}

/// Returns the file with the typed values, or what is wrong with them.
async fn draft(setup: &FirstRun, typed: &FormValues) -> Result<Result<ConfigDraft, Wrong>, Problem> {
    let (setup, typed) = (setup.clone(), typed.clone());
    let made = tokio::task::spawn_blocking(move || setup.draft(&typed)).await;
    let made = made.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, msg!("problem-defect")))?;
    Ok(match made {
        Ok(Ok(draft)) => Ok(draft),
        Ok(Err(key)) => Err(Wrong { unchangeable: Some(key), ..Wrong::default() }),
        Err(mistakes) => Err(Wrong { mistakes: Some(mistakes), ..Wrong::default() }),
    })
}

/// Shows the page with the typed values and what is wrong with them.
async fn show_form(setup: &FirstRun, page: PageFrame, visit: SetupSession, wrong: Wrong) -> Result<Response, Problem> {
    let known = draft(setup, &FormValues::new()).await?.map(|draft| draft.known()).unwrap_or_default();
    let Wrong { mistakes, mut problems, findings, unchangeable } = wrong;
    if let Some(key) = unchangeable {
        let path = setup.file().display().to_string();
        problems.push(page.t2("problem-layout", ("path", path), ("key", key)));
    }
    let mistakes = mistakes.map(|errors| errors.mistakes).unwrap_or_default();
    let of_key = |key: &str| {
        let mistake = mistakes.iter().find(|mistake| mistake.key.as_deref() == Some(key))?;
        Some(if mistake.is_missing { page.t("setup-missing") } else { mistake.problem.in_words(page.texts()) })
    };
    let question = |asked: &Field| {
        let known = known.get(asked.key);
        let typed = visit.typed.get(asked.key).filter(|value| !value.is_empty());
        let shown = typed.filter(|_| asked.kind != FieldKind::Secret).cloned();
        let is_set = typed.is_some() || known.is_some_and(|known| known.is_set);
        Question {
            key: asked.key,
            name: page.t(&id_of(asked.key)),
            hint: page.t(&format!("{}-hint", id_of(asked.key))),
            field: match asked.kind {
                FieldKind::Text => "text",
                FieldKind::Address => "url",
                FieldKind::Secret => "password",
                FieldKind::Mail => "email",
                FieldKind::Number => "number",
                FieldKind::Day => "date",
            },
            value: shown.or_else(|| known.and_then(|known| known.value.clone())).unwrap_or_default(),
            required: !(asked.optional || asked.kind == FieldKind::Secret && is_set),
            is_kept: asked.kind == FieldKind::Secret && is_set,
            can_forget: asked.kind == FieldKind::Secret && asked.optional && typed.is_some(),
            elsewhere: known
                .and_then(|known| known.elsewhere.as_ref())
                .map(|source| Message::from(source).in_words(page.texts())),
            problem: of_key(asked.key),
            suggestions: asked.suggestions,
        }
    };
    let section = |(name, settings): &(&str, &[Field])| {
        (page.t(&format!("setup-{name}")), settings.iter().map(question).collect())
    };
    let sections: Vec<(String, Vec<Question>)> = ASKED.iter().map(section).collect();
    let is_asked = |key: &str| all_fields().any(|asked| asked.key == key);
    let others = mistakes.iter().filter(|mistake| !mistake.key.as_deref().is_some_and(is_asked));
    problems.extend(others.map(|mistake| Message::from(mistake).in_words(page.texts())));
    let refused = !mistakes.is_empty() || !problems.is_empty() || !findings.is_empty();
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show(status, &Questions { page, sections, problems, findings })
}
