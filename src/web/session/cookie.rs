//! Cookies by which a browser presents its session and its device.

use axum::http::HeaderMap;

use crate::config::Config;
use crate::platform::secret::Secret;
use crate::web::Peer;
use crate::web::cookies::cookies;

/// Name of the session cookie over an unencrypted connection: on this machine, for a first look.
pub const COOKIE: &str = "cashout_session";
/// Name of the session cookie otherwise. Browsers accept a cookie with this prefix over TLS only, and only from this
/// very host.
pub const SECURE_COOKIE: &str = "__Host-cashout_session";

/// Returns true if no password or session may be accepted from this peer: it would arrive unencrypted, although others
/// reach this server by HTTPS.
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

/// Returns the name of the cookie that marks a device from which somebody has signed in.
fn device_name(config: &Config, peer: Peer) -> &'static str {
    if name(config, peer) == SECURE_COOKIE { "__Host-cashout_device" } else { "cashout_device" }
}

/// Returns the value of `Set-Cookie` that marks a device as known for a year.
pub(super) fn setting_device(config: &Config, peer: Peer, mark: &str) -> Secret {
    let secure = if name(config, peer) == SECURE_COOKIE { "; Secure" } else { "" };
    let name = device_name(config, peer);
    Secret::new(format!("{name}={mark}; Max-Age=31536000; HttpOnly; SameSite=Strict; Path=/{secure}"))
}

/// Returns the device mark that a request carries.
pub(super) fn device(config: &Config, peer: Peer, headers: &HeaderMap) -> Option<Secret> {
    cookies(headers, device_name(config, peer)).next().filter(|mark| mark.len() == 64).map(Secret::new)
}

fn attributes(name: &str) -> &'static str {
    if name == SECURE_COOKIE { "HttpOnly; SameSite=Lax; Path=/; Secure" } else { "HttpOnly; SameSite=Lax; Path=/" }
}

/// Returns the value of `Set-Cookie` that gives the browser its session token.
pub(super) fn setting(config: &Config, peer: Peer, token: &Secret) -> Secret {
    let name = name(config, peer);
    Secret::new(format!("{name}={}; {}", token.expose(), attributes(name)))
}

/// Returns the value of `Set-Cookie` that removes the session token.
pub(super) fn removing(config: &Config, peer: Peer) -> String {
    let name = name(config, peer);
    format!("{name}=; Max-Age=0; {}", attributes(name))
}

/// Returns the session token that a request carries. A cookie with the other name may come from anybody and is ignored.
pub(super) fn token(config: &Config, peer: Peer, headers: &HeaderMap) -> Option<Secret> {
    if is_in_the_clear(config, peer) {
        return None;
    }
    cookies(headers, name(config, peer)).next().filter(|token| token.len() == 64).map(Secret::new)
}
