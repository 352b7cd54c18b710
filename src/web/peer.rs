//! Who calls: the address of the client, also behind a proxy that is trusted.

use std::net::{IpAddr, SocketAddr};

use super::Web;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address, as far as it can be believed.
    pub address: IpAddr,
    /// It came over TLS, as far as that can be believed.
    pub secure: bool,
    /// It came straight from this machine, through no proxy.
    pub local: bool,
}

/// Whether a connection is encrypted; known where it is accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted(pub(super) bool);

impl Peer {
    /// Finds out once, before any handler.
    pub(super) async fn find(State(web): State<Web>, mut request: Request, next: Next) -> Response {
        let socket = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let encrypted = request.extensions().get::<Encrypted>().is_some_and(|encrypted| encrypted.0);
        let server = &web.settings.get().server;
        // A request without a socket has no client that could be trusted with anything.
        let socket = socket.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let peer = Self::of(socket, encrypted, request.headers(), |address| server.is_trusted_proxy(address));
        request.extensions_mut().insert(peer);
        next.run(request).await
    }

    /// Reads the proxies' headers from the nearest one backwards, as long as each is trusted.
    fn of(socket: IpAddr, encrypted: bool, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Self {
        let socket = socket.to_canonical();
        let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
        // A trusted proxy on this machine speaks for others, whether it says so or not.
        let local = socket.is_loopback() && !forwarded && !is_trusted(socket);
        let direct = Self { address: socket, secure: encrypted, local };
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
        let secure = text("x-forwarded-proto").rsplit(',').next().map_or(encrypted, |word| {
            if word.trim().is_empty() { encrypted } else { word.trim().eq_ignore_ascii_case("https") }
        });
        Self { address, secure, local: direct.local }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let nobody = Self { address: IpAddr::from([0, 0, 0, 0]), secure: false, local: false };
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(nobody))
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn of(socket: &str, headers: &[(&'static str, &'static str)], trusted: &[&str]) -> (String, bool, bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        let peer = Peer::of(socket.parse().unwrap(), false, &map, is_trusted);
        (peer.address.to_string(), peer.secure, peer.local)
    }

    #[test]
    fn a_strangers_word_about_himself_is_not_believed() {
        let lies = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "https")];
        assert_eq!(of("203.0.113.9", &lies, &[]), ("203.0.113.9".into(), false, false));
        assert_eq!(of("203.0.113.9", &lies, &["10.0.0.0/8"]), ("203.0.113.9".into(), false, false));
        // A proxy on this machine that is not trusted does not make its clients local.
        assert_eq!(of("127.0.0.1", &lies, &[]), ("127.0.0.1".into(), false, false));
        assert_eq!(of("127.0.0.1", &[], &[]), ("127.0.0.1".into(), false, true));
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_hop_that_is_not() {
        let chain = [
            ("x-forwarded-for", "6.6.6.6, 203.0.113.9"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(of("10.0.0.1", &chain, &["10.0.0.0/8"]), ("203.0.113.9".into(), true, false));
        let rubbish = [("x-forwarded-for", "203.0.113.9, rubbish")];
        assert_eq!(of("10.0.0.1", &rubbish, &["10.0.0.0/8"]), ("10.0.0.1".into(), false, false));
        assert_eq!(of("::ffff:10.0.0.1", &[("x-forwarded-for", "203.0.113.9")], &["10.0.0.0/8"]).0, "203.0.113.9");
    }
}
