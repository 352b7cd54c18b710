//! Sign-in to the dashboard, sign-out, and the person that a request's session belongs to.
//!
//! A session ends when it has been idle or has lasted too long, when its person signs out, and when the person's
//! password changes or the person is removed from the settings.

mod cookie;
mod next_page;
mod passwords;

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;
use thiserror::Error;

pub use cookie::{COOKIE, SECURE_COOKIE};
pub use next_page::safe_next;
pub use passwords::Passwords;

use super::{Peer, Web};
use crate::config::{Config, Role};
use crate::domain::session::{
    KnownAddress, PasswordWeakness, Session, SignInAttempts, bound_to, is_same, key_of, weakness,
};
use crate::platform::random::{self, NoRandom};
use crate::platform::secret::Secret;
use crate::store::{Query, StoreError, View};
use crate::text::message::{Message, logged, msg};

/// Characters of a typed login that are logged.
const MAX_LOGIN_LOGGED: usize = 100;
/// Document with the secret that the marks of known devices are made with.
const DEVICE_SECRET: &str = "sign-in/device-secret";
/// Number of sessions that one write ends.
const SLICE: usize = 200;

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// Session as it is stored.
    pub session: Session,
    /// Role of the person.
    pub role: Role,
    /// Value of the header `Set-Cookie` that the response has to carry.
    pub set_cookie: Secret,
    /// Value of a second header `Set-Cookie`, for the cookie that marks this device.
    pub set_device_cookie: Secret,
    /// Weakness of the password, for the page to warn about.
    pub weakness: Option<PasswordWeakness>,
}

/// Reason for a refused sign-in, by what the person at the page can do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignInRefused {
    /// A wrong login or password; the person does not learn which.
    #[error("the login or the password is wrong")]
    Wrong,
    /// Too many failed attempts; the password was not checked.
    #[error("too many attempts have failed; try again in {} s", .0.as_secs())]
    Wait(SignedDuration),
    /// A password sent unencrypted.
    #[error(
        "a password is not to be sent in the clear: open the https address of server.publicUrl. If this is the one, the proxy in front has to be named in server.trustedProxies and to send X-Forwarded-Proto"
    )]
    InTheClear,
    /// A store or machine that cannot serve the sign-in now.
    #[error("nobody can be signed in at the moment; try again")]
    Unavailable,
}

impl From<StoreError> for SignInRefused {
    fn from(error: StoreError) -> Self {
        logged!(error, action = "sign-in", msg!("log-sign-in-unavailable", error = &error));
        Self::Unavailable
    }
}

impl From<NoRandom> for SignInRefused {
    fn from(error: NoRandom) -> Self {
        logged!(error, action = "sign-in", msg!("log-sign-in-unavailable", error = &error));
        Self::Unavailable
    }
}

impl From<&NoRandom> for Message {
    fn from(_error: &NoRandom) -> Self {
        msg!("no-random-numbers")
    }
}

/// Begins a session for the person that `login` and `password` belong to: the technical account with HiPay's web
/// service credentials, or one of `dashboard.users`. The session is always a new one: a token that the browser had
/// before gains nothing by it.
///
/// Guesses make an address wait longer and longer. An address or a device from which somebody has signed in to this
/// account before never waits for others. `device` is the cookie that a successful sign-in has set, as the request
/// carries it.
pub async fn sign_in(
    web: &Web,
    login: &str,
    password: &Secret,
    peer: Peer,
    device: Option<&Secret>,
) -> Result<NewSession, SignInRefused> {
    let (config, now, login) = (web.settings.get(), web.context.clock.wall_now(), login.trim());
    let address = peer.address;
    let of_address = SignInAttempts::of_address(address);
    if cookie::is_in_the_clear(&config, peer) {
        // Counted, so that it cannot fill the log; the refusal names the remedy in any case.
        if count_as_failed(web, Some(of_address), Vec::new(), now).await.is_ok() {
            logged!(warn, action = "sign-in", msg!("log-password-in-the-clear", address = address.to_string()));
        }
        return Err(SignInRefused::InTheClear);
    }
    let (of_account, of_both) = (SignInAttempts::of_account(login), SignInAttempts::of_both(login, address));
    let device_secret = device_secret(web).await?;
    let is_known_device = is_device_of(&config, login, &device_secret, device);
    // All clients of an unnamed proxy on this machine share its address.
    let is_known = is_known_device || (!address.is_loopback() && is_known_address(web, &of_both, now).await?);
    let (waits, counted) = if is_known {
        (None, vec![of_account.clone()])
    } else {
        (Some(of_address.clone()), vec![of_account.clone(), of_both.clone()])
    };
    let wait = count_as_failed(web, waits, counted, now).await.inspect_err(|refused| {
        tracing::debug!(action = "sign-in", "'{}' was turned away at {address}: {refused}", typed_login(login));
    })?;
    let found = if is_known_device {
        web.passwords.find_user_on_known_device(&config, login, password).await
    } else if is_known {
        web.passwords.find_user_of_known_address(&config, login, password).await
    } else {
        web.passwords.find_user(&config, login, password).await
    };
    let Some(person) = found else {
        log_refusal(login, peer, wait);
        return Err(SignInRefused::Wrong);
    };
    let token = random::secret()?;
    let session = Session {
        key: key_of(&token),
        bound_to: bound_to(&token, &person.name, &person.password),
        person: person.name,
        created_at: now,
        seen_at: now,
        address: address.to_string(),
        csrf_secret: random::secret()?,
        unknown: Map::new(),
    };
    store_sign_in(web, session.clone(), of_address, of_account, of_both).await?;
    let message = msg!("log-signed-in", person = &session.person, address = address.to_string());
    logged!(info, severity = "NOTICE", action = "sign-in", message);
    let set_cookie = cookie::setting(&config, peer, &token);
    let mark = bound_to(&device_secret, &session.person, &person.password);
    let set_device_cookie = cookie::setting_device(&config, peer, &mark);
    let weakness = weakness(login, password.expose());
    Ok(NewSession { session, role: person.role, set_cookie, set_device_cookie, weakness })
}

/// Logs that the login or the password was wrong, and how long the address has to wait now.
fn log_refusal(login: &str, peer: Peer, wait: SignedDuration) {
    let (login, address) = (typed_login(login), peer.address.to_string());
    let message = if wait.is_zero() {
        msg!("log-sign-in-refused", login, address)
    } else {
        msg!("log-sign-in-refused-wait", login, address, seconds = wait.as_secs())
    };
    logged!(warn, action = "sign-in", message);
}

/// Stores a session that has just begun, forgets the failed attempts before it, and makes its address a known one. The
/// keys are those of the attempts from the address, at the account, and from the address at the account.
async fn store_sign_in(
    web: &Web,
    session: Session,
    of_address: String,
    of_account: String,
    of_both: String,
) -> Result<(), StoreError> {
    let stored = web.context.store.write(move |writer| {
        // Attempts at other accounts from here stay counted.
        let forgiven = writer.get::<SignInAttempts>(&of_both)?.map_or(0, |attempts| attempts.failures);
        if let Some(mut attempts) = writer.get::<SignInAttempts>(&of_address)? {
            attempts.reduce(forgiven);
            if attempts.failures == 0 {
                writer.delete::<SignInAttempts>(&of_address)?;
            } else {
                writer.put(&attempts)?;
            }
        }
        for key in [&of_both, &of_account] {
            writer.delete::<SignInAttempts>(key)?;
        }
        writer.put(&KnownAddress::new(of_both.clone(), session.created_at))?;
        writer.put(&session)
    });
    stored.await
}

/// Returns the device mark that a request carries.
pub(super) fn device(web: &Web, peer: Peer, headers: &HeaderMap) -> Option<Secret> {
    cookie::device(&web.settings.get(), peer, headers)
}

/// Returns the secret that the marks of known devices are made with; it is created once and kept.
async fn device_secret(web: &Web) -> Result<Secret, SignInRefused> {
    let read = web.context.store.reading(|reader| reader.get_document::<Secret>(DEVICE_SECRET)).await?;
    if let Some(secret) = read {
        return Ok(secret);
    }
    let new = random::secret()?;
    let kept = web.context.store.write(move |writer| {
        // Two requests may come at once.
        if let Some(secret) = writer.get_document::<Secret>(DEVICE_SECRET)? {
            return Ok::<_, StoreError>(secret);
        }
        writer.put_document(DEVICE_SECRET, &new)?;
        Ok(new.clone())
    });
    Ok(kept.await?)
}

/// Returns true if the mark was given to a device on which somebody has signed in to this account with its current
/// password.
fn is_device_of(config: &Config, login: &str, secret: &Secret, shown: Option<&Secret>) -> bool {
    let Some(shown) = shown else { return false };
    let mut people = passwords::all_users(config).filter(|person| is_same(&person.name, login));
    people.any(|person| is_same(&bound_to(secret, &person.name, &person.password), shown.expose()))
}

async fn is_known_address(web: &Web, key: &str, now: Timestamp) -> Result<bool, StoreError> {
    let key = key.to_owned();
    let known = web.context.store.reading(move |reader| reader.get::<KnownAddress>(&key)).await?;
    Ok(known.is_some_and(|known| known.is_known(now)))
}

/// Counts an attempt as failed before the password is checked, so that concurrent and aborted attempts count too. A
/// success takes it back. Returns the wait after a failure, which depends on the address `waits` alone: the keys in
/// `counted` lock no one out, and the log reports the first of them, the account, when it has many failures.
async fn count_as_failed(
    web: &Web,
    waits: Option<String>,
    counted: Vec<String>,
    now: Timestamp,
) -> Result<SignedDuration, SignInRefused> {
    // An address that has to wait costs no write.
    let looked_at = waits.clone();
    let wait = web.context.store.reading(move |reader| wait_of(reader, looked_at.as_ref(), now)).await?;
    if !wait.is_zero() {
        return Err(SignInRefused::Wait(wait));
    }
    let counted = web.context.store.write(move |writer| {
        let left = wait_of(writer, waits.as_ref(), now)?;
        if !left.is_zero() {
            return Ok(Err(left));
        }
        let mut told = None;
        for key in waits.iter().chain(&counted) {
            let known = writer.get::<SignInAttempts>(key)?;
            let mut attempts = known.unwrap_or_else(|| SignInAttempts::none(key.clone(), now));
            attempts.count(now);
            if Some(key) == counted.first() && attempts.is_alert_due() {
                told = Some(attempts.failures);
            }
            writer.put(&attempts)?;
        }
        Ok(Ok((wait_of(writer, waits.as_ref(), now)?, told)))
    });
    let counted: Result<Result<(SignedDuration, Option<u32>), SignedDuration>, StoreError> = counted.await;
    let (wait, told) = counted?.map_err(SignInRefused::Wait)?;
    if let Some(failures) = told {
        logged!(error, action = "sign-in", msg!("log-password-guessed", number = failures));
    }
    Ok(wait)
}

/// Returns the wait of an address.
fn wait_of(view: &impl View, key: Option<&String>, now: Timestamp) -> Result<SignedDuration, StoreError> {
    let Some(key) = key else { return Ok(SignedDuration::ZERO) };
    let attempts = view.get::<SignInAttempts>(key)?;
    Ok(attempts.map_or(SignedDuration::ZERO, |attempts| attempts.wait(now)))
}

/// Header of requests that a page makes by itself.
const UNATTENDED: &str = "x-unattended";

/// Returns the typed login, fit for a line of the log.
fn typed_login(login: &str) -> String {
    login.chars().filter(|letter| !letter.is_control()).take(MAX_LOGIN_LOGGED).collect()
}

/// Returns the session that a request carries and the current role of its person; `None` without a valid session.
pub(super) async fn current_session(
    web: &Web,
    headers: &HeaderMap,
    peer: Peer,
) -> Result<Option<(Session, Role)>, StoreError> {
    let (config, now) = (web.settings.get(), web.context.clock.wall_now());
    let Some(token) = cookie::token(&config, peer, headers) else { return Ok(None) };
    let key = key_of(&token);
    let found = match web.context.store.reading(move |reader| reader.get::<Session>(&key)).await {
        Err(error @ StoreError::Unreadable { .. }) => {
            logged!(error, action = "sign-in", msg!("log-session-unreadable", error = &error));
            None
        }
        found => found?,
    };
    let Some(session) = found.filter(|session| session.is_valid(now)) else { return Ok(None) };
    let person = passwords::all_users(&config).find(|person| {
        person.name == session.person && is_same(&bound_to(&token, &person.name, &person.password), &session.bound_to)
    });
    let Some(person) = person else { return Ok(None) };
    // A page that refreshes itself does not prove that somebody is in front of it.
    if session.is_to_be_seen(now) && !headers.contains_key(UNATTENDED) {
        record_use(web, session.key.clone(), now).await;
    }
    Ok(Some((session, person.role)))
}

/// Records that a session is in use. A failure is only logged: it must not hold up the page.
async fn record_use(web: &Web, key: String, now: Timestamp) {
    let seen = web.context.store.write(move |writer| {
        // The session may have been ended, or seen, in the meantime.
        let known = writer.get::<Session>(&key)?;
        let Some(mut session) = known.filter(|session| session.is_to_be_seen(now)) else { return Ok(()) };
        session.seen_at = now;
        writer.put(&session)
    });
    let seen: Result<(), StoreError> = seen.await;
    if let Err(error) = seen {
        logged!(warn, action = "sign-in", msg!("log-session-use-not-kept", error = &error));
    }
}

/// Ends this session. Returns the value of the header `Set-Cookie` that the response has to carry.
pub async fn sign_out(web: &Web, session: &Session, peer: Peer) -> Result<String, StoreError> {
    let key = session.key.clone();
    web.context.store.write(move |writer| writer.delete::<Session>(&key)).await?;
    let message = msg!("log-signed-out", person = &session.person, address = peer.address.to_string());
    logged!(info, severity = "NOTICE", action = "sign-out", message);
    Ok(cookie::removing(&web.settings.get(), peer))
}

/// Ends every session of this session's person, including this one. Returns the value of the header `Set-Cookie` that
/// the response has to carry.
pub async fn sign_out_everywhere(web: &Web, session: &Session, peer: Peer) -> Result<String, StoreError> {
    loop {
        let person = session.person.clone();
        let ended = web.context.store.write(move |writer| {
            let sessions = writer.keys(&Query::group(Session::BY_PERSON, person).limit(SLICE))?;
            for key in &sessions.keys {
                writer.delete::<Session>(key)?;
            }
            Ok::<_, StoreError>(sessions.next.is_none())
        });
        if ended.await? {
            break;
        }
    }
    let message = msg!("log-signed-out-everywhere", person = &session.person, address = peer.address.to_string());
    logged!(info, severity = "NOTICE", action = "sign-out", message);
    Ok(cookie::removing(&web.settings.get(), peer))
}

/// Returns a token for the forms of one page of this session.
pub fn csrf_token(session: &Session) -> Result<String, NoRandom> {
    Ok(session.csrf_token(random::bytes()?))
}

/// Returns true while the session with this key is valid. Watching does not count as use of a session and does not
/// prolong it.
pub(super) async fn is_signed_in(web: &Web, key: String) -> bool {
    let found = web.context.store.reading(move |reader| reader.get::<Session>(&key)).await;
    found.ok().flatten().is_some_and(|session| session.is_valid(web.context.clock.wall_now()))
}
