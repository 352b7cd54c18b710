//! The client of a request and its address, also behind a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use super::Web;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address of the client; headers about it count only from a trusted proxy.
    pub address: IpAddr,
    /// Encrypted by TLS up to this process or to a trusted proxy.
    pub secure: bool,
}

/// Encryption of a connection, known where it is accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted(pub(super) bool);

impl Peer {
    /// Determines the client once, before any handler.
    pub(super) async fn find(State(web): State<Web>, mut request: Request, next: Next) -> Response {
        let socket = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let encrypted = request.extensions().get::<Encrypted>().is_some_and(|encrypted| encrypted.0);
        let server = &web.settings.get().server;
        // A request without a socket has no client that could be trusted with anything.
        let socket = socket.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let peer = Self::of(socket, encrypted, request.headers(), |address| server.is_trusted_proxy(address));
        request.extensions_mut().insert(peer);
        let mut response = next.run(request).await;
        if encrypted {
            // With our own certificate, a browser that has come by HTTPS once uses nothing else for a year.
            let value = HeaderValue::from_static("max-age=31536000");
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
        response
    }

    /// Reads the proxies' headers from the nearest proxy backwards while each is trusted.
    fn of(socket: IpAddr, encrypted: bool, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Self {
        let socket = socket.to_canonical();
        let direct = Self { address: socket, secure: encrypted };
        if !is_trusted(socket) {
            return direct;
        }
        let text = |name: &str| {
            let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.collect::<Vec<_>>().join(",")
        };
        let mut address = socket;
        for hop in text("x-forwarded-for").rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
            let Ok(hop) = hop.parse::<IpAddr>() else { break };
            address = hop.to_canonical();
            if !is_trusted(address) {
                break;
            }
        }
        // Each proxy of a chain adds its own value; the first is about the client, and the header is a trusted proxy's.
        let protocols = text("x-forwarded-proto");
        let first = protocols.split(',').map(str::trim).find(|word| !word.is_empty());
        let secure = first.map_or(encrypted, |word| word.eq_ignore_ascii_case("https"));
        Self { address, secure }
    }
}

/// Returns true if `Host` names the loopback. A listener that only this machine can reach must not serve a page of
/// another site whose name has been made to resolve to this machine.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Returns true if a header shows that a proxy has passed the request on.
pub(super) fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    let words = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    words.into_iter().any(|word| headers.contains_key(word))
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let nobody = Self { address: IpAddr::from([0, 0, 0, 0]), secure: false };
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(nobody))
    }
}

#[cfg(test)]
mod tests;
