//! Sign-in and sign-out.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{PageFrame, show};
use crate::domain::session::PasswordWeakness;
use crate::platform::secret::Secret;
use crate::web::auth::{Caller, comes_from_elsewhere};
use crate::web::form::Checked;
use crate::web::problem::Problem;
use crate::web::session::{self, SignInRefused, safe_next};
use crate::web::{Peer, Web};

/// The page that the person wanted, and the weakness of the password.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WantedPage {
    #[serde(default)]
    next: String,
    #[serde(default)]
    weakness: String,
    /// True if the session had ended when a form was sent.
    #[serde(default)]
    undone: bool,
}

/// The fields of the sign-in form.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    #[serde(rename = "_username")]
    login: String,
    #[serde(rename = "_password")]
    password: Secret,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "login.html", config = "ui/askama.toml")]
struct SignIn {
    page: PageFrame,
    refusal: Option<String>,
    login: String,
    next: String,
    /// True if a form was sent without a session.
    undone: bool,
}

/// Shows the sign-in page.
pub(super) async fn form(page: PageFrame, Query(wanted): Query<WantedPage>) -> Result<Response, Problem> {
    let next = safe_next(&wanted.next).to_owned();
    show(StatusCode::OK, &SignIn { page, refusal: None, login: String::new(), next, undone: wanted.undone })
}

/// Signs in and redirects to the page that the person wanted.
pub(super) async fn sign_in(
    State(web): State<Web>,
    page: PageFrame,
    peer: Peer,
    headers: HeaderMap,
    Form(typed): Form<SignInForm>,
) -> Result<Response, Problem> {
    let next = safe_next(&typed.next).to_owned();
    if comes_from_elsewhere(&headers) {
        // A person must not be signed in to an account that another site has chosen.
        return Ok(Redirect::to("/dashboard/login").into_response());
    }
    let device = session::device(&web, peer, &headers);
    match session::sign_in(&web, &typed.login, &typed.password, peer, device.as_ref()).await {
        Ok(new) => {
            let to = match new.weakness {
                None => next,
                Some(weakness) => {
                    let query = form_urlencoded::Serializer::new(String::new())
                        .append_pair("weakness", name_of(&weakness))
                        .append_pair("next", &next)
                        .finish();
                    format!("/dashboard/password?{query}")
                }
            };
            let mut response = Redirect::to(&to).into_response();
            set_cookie(&mut response, new.set_cookie.expose());
            set_cookie(&mut response, new.set_device_cookie.expose());
            Ok(response)
        }
        Err(refused) => {
            let (status, refusal) = match &refused {
                SignInRefused::Wrong => (StatusCode::UNAUTHORIZED, page.t("sign-in-wrong")),
                SignInRefused::Wait(wait) => {
                    (StatusCode::TOO_MANY_REQUESTS, page.t1("sign-in-wait", "wait", page.span(*wait)))
                }
                SignInRefused::InTheClear => (StatusCode::FORBIDDEN, page.t("sign-in-in-the-clear")),
                SignInRefused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, page.t("sign-in-unavailable")),
            };
            let login = typed.login.chars().take(200).collect();
            show(status, &SignIn { page, refusal: Some(refusal), login, next, undone: false })
        }
    }
}

#[derive(Template)]
#[template(path = "password.html", config = "ui/askama.toml")]
struct Password {
    page: PageFrame,
    reason: String,
    next: String,
}

/// Warns of a password that others can guess.
pub(super) async fn weak_password(page: PageFrame, Query(wanted): Query<WantedPage>) -> Result<Response, Problem> {
    let reason =
        if wanted.weakness == name_of(&PasswordWeakness::WellKnown) { "password-well-known" } else { "password-short" };
    let (reason, next) = (page.t(reason), safe_next(&wanted.next).to_owned());
    show(StatusCode::OK, &Password { page, reason, next })
}

fn name_of(weakness: &PasswordWeakness) -> &'static str {
    match weakness {
        PasswordWeakness::Short => "short",
        PasswordWeakness::WellKnown => "well-known",
    }
}

/// Sessions to end: this one, or all of this person.
#[derive(Debug, Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    everywhere: bool,
}

/// Signs out: here, or everywhere this person is signed in.
pub(super) async fn sign_out(
    State(web): State<Web>,
    peer: Peer,
    caller: Caller,
    Checked(leaving): Checked<Leaving>,
) -> Result<Response, Problem> {
    let mut response = Redirect::to("/dashboard/login").into_response();
    if let Some(session) = caller.session() {
        let cookie = if leaving.everywhere {
            session::sign_out_everywhere(&web, session, peer).await?
        } else {
            session::sign_out(&web, session, peer).await?
        };
        set_cookie(&mut response, &cookie);
    }
    Ok(response)
}

/// Adds a header `Set-Cookie` whose value is kept out of logs.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
