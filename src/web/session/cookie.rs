//! The cookie that a browser shows its session with.

use axum::http::HeaderMap;

use crate::config::Config;
use crate::platform::secret::Secret;
use crate::web::Peer;
use crate::web::cookies::cookies;

/// Its name where the way is not encrypted: on this machine, for a first look.
pub const COOKIE: &str = "cashout_session";
/// Its name elsewhere. Browsers take a cookie with this prefix over TLS alone, and from nobody but this
/// very host.
pub const SECURE_COOKIE: &str = "__Host-cashout_session";

/// A password or a session is not to be taken from this peer: it would come over the wire in the
/// clear, although others reach this server by https.
pub(super) fn is_in_the_clear(config: &Config, peer: Peer) -> bool {
    is_public(config) && !peer.secure && !peer.address.is_loopback()
}

fn is_public(config: &Config) -> bool {
    config.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
}

fn name(config: &Config, peer: Peer) -> &'static str {
    let is_secure = peer.secure || config.server.tls.is_some() || is_public(config);
    if is_secure { SECURE_COOKIE } else { COOKIE }
}

/// The name of the cookie by which a device is known that somebody has signed in from.
fn device_name(config: &Config, peer: Peer) -> &'static str {
    if name(config, peer) == SECURE_COOKIE { "__Host-cashout_device" } else { "cashout_device" }
}

/// The value of `Set-Cookie` that makes a device known, for a year.
pub(super) fn setting_device(config: &Config, peer: Peer, mark: &str) -> Secret {
    let secure = if name(config, peer) == SECURE_COOKIE { "; Secure" } else { "" };
    let name = device_name(config, peer);
    Secret::new(format!("{name}={mark}; Max-Age=31536000; HttpOnly; SameSite=Strict; Path=/{secure}"))
}

/// What a request shows of its device.
pub(super) fn device(config: &Config, peer: Peer, headers: &HeaderMap) -> Option<Secret> {
    cookies(headers, device_name(config, peer)).next().filter(|mark| mark.len() == 64).map(Secret::new)
}

fn attributes(name: &str) -> &'static str {
    if name == SECURE_COOKIE { "HttpOnly; SameSite=Lax; Path=/; Secure" } else { "HttpOnly; SameSite=Lax; Path=/" }
}

/// The value of `Set-Cookie` that gives the browser its token.
pub(super) fn setting(config: &Config, peer: Peer, token: &Secret) -> Secret {
    let name = name(config, peer);
    Secret::new(format!("{name}={}; {}", token.expose(), attributes(name)))
}

/// The value of `Set-Cookie` that takes it away.
pub(super) fn removing(config: &Config, peer: Peer) -> String {
    let name = name(config, peer);
    format!("{name}=; Max-Age=0; {}", attributes(name))
}

/// The token that a request shows. A cookie by the other name may be anybody's and is not looked at.
pub(super) fn token(config: &Config, peer: Peer, headers: &HeaderMap) -> Option<Secret> {
    if is_in_the_clear(config, peer) {
        return None;
    }
    cookies(headers, name(config, peer)).next().filter(|token| token.len() == 64).map(Secret::new)
}
