//! Tests of `web/peer.rs`.

use ipnet::IpNet;

use super::*;

fn of(socket: &str, headers: &[(&'static str, &'static str)], trusted: &[&str]) -> (String, bool) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let peer = Peer::of(socket.parse().unwrap(), false, &map, is_trusted);
    (peer.address.to_string(), peer.secure)
}

#[test]
fn a_name_of_elsewhere_is_not_this_machine() {
    let names = |host: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        names_this_machine(&headers)
    };
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.0.1", "[::1]:80", "[::1]"] {
        assert!(names(host), "{host}");
    }
    for host in ["", "localhost.example.com", "127.0.0.1.example.com:80", "203.0.113.9", "[::2]:80", ":80"] {
        assert!(!names(host), "{host}");
    }
    assert!(!names_this_machine(&HeaderMap::new()));
}

#[test]
fn a_strangers_word_about_himself_is_not_believed() {
    let lies = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "https")];
    assert_eq!(of("203.0.113.9", &lies, &[]), ("203.0.113.9".into(), false));
    assert_eq!(of("203.0.113.9", &lies, &["10.0.0.0/8"]), ("203.0.113.9".into(), false));
    assert_eq!(of("127.0.0.1", &lies, &[]), ("127.0.0.1".into(), false));
}

#[test]
fn a_trusted_proxy_is_believed_up_to_the_first_hop_that_is_not() {
    let chain =
        [("x-forwarded-for", "6.6.6.6, 203.0.113.9"), ("x-forwarded-for", "10.0.0.2"), ("x-forwarded-proto", "https")];
    assert_eq!(of("10.0.0.1", &chain, &["10.0.0.0/8"]), ("203.0.113.9".into(), true));
    for (words, secure) in [("https, http", true), ("http, https", false), (" ,https", true), ("HTTPS", true)] {
        let chain = [("x-forwarded-for", "203.0.113.9, 10.0.0.2"), ("x-forwarded-proto", words)];
        assert_eq!(of("10.0.0.1", &chain, &["10.0.0.0/8"]), ("203.0.113.9".into(), secure), "{words}");
    }
    let rubbish = [("x-forwarded-for", "203.0.113.9, rubbish")];
    assert_eq!(of("10.0.0.1", &rubbish, &["10.0.0.0/8"]), ("10.0.0.1".into(), false));
    assert_eq!(of("::ffff:10.0.0.1", &[("x-forwarded-for", "203.0.113.9")], &["10.0.0.0/8"]).0, "203.0.113.9");
}
