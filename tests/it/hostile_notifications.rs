//! Requests that are no notices at all: malformed, huge, slow, or silent for hours.

use std::net::SocketAddr;
use std::process::Command;

use cashout::sandbox::{SandboxOptions, Traffic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::notices::{Notice, post};
use crate::running::Running;
use crate::world::{World, http, wallet_of};

const ADDRESS: &str = "/notifications/wallet";

/// Returns the appliance's answer to these bytes.
async fn says(to: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // The connection may be closed with a refusal while we still write.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {ADDRESS} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{kind}{more}\r\n");
    [head.as_bytes(), body].concat()
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_so_and_nobody_is_asked_about_it() {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    world.seller(2001);
    world.vendors().await;
    let appliance = world.heard().await;
    world.sandbox.traffic(Traffic::clear);
    let to = appliance.address();
    let good = Notice::new("capture", "ok", wallet_of(2001)).xml();
    let spoilt = |from: &str, to: &str| good.replace(from, to);
    let levels = |count: usize| format!("</operation>{}{}", "<a>".repeat(count), "</a>".repeat(count));
    let laughs: String =
        (1..10).map(|n| ["<!ENTITY l", &n.to_string(), " \"", &"&l0;".repeat(10), "\">"].concat()).collect();
    for (xml, status) in [
        (String::new(), 400),
        ("rubbish".to_owned(), 400),
        ("<".to_owned(), 400),
        (good.chars().take(good.len() / 2).collect(), 400),
        (spoilt("</result>", "</resultat>"), 400),
        (spoilt("<notification>", &format!("<!DOCTYPE x [<!ENTITY l0 \"ha\">{laughs}]><notification>")), 400),
        (spoilt("<notification>", "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\"><notification>"), 400),
        (spoilt("capture", "&xxe;"), 400),
        (spoilt("UTF-8", "UTF-16"), 400),
        (spoilt("UTF-8", "EBCDIC-CP-FR"), 400),
        (spoilt("</operation>", &levels(10)), 401),
        (spoilt("</operation>", &levels(1_000)), 400),
        // In encoded form, that is longer than a notice may be.
        (spoilt("</operation>", &levels(10_000)), 413),
        (spoilt("502001", "99999999999999999999999999"), 400),
        (spoilt("502001", "-1"), 400),
        (format!("{good}{good}"), 400),
    ] {
        let (answered, body) = post(to, ADDRESS, &xml).await;
        assert_eq!(answered, status, "{}: {body}", xml.chars().take(200).collect::<String>());
        assert!(body.len() < 300, "{body}");
        assert!(body.contains("\"title\":"), "{body}");
    }
    // The readable one made the salt be requested.
    assert_eq!(world.sandbox.traffic(|traffic| traffic.exchanges().count()), 1);

    // Bytes that are not text, not a form, or without a length.
    for (kind, body, status) in [
        (FORM, b"xml=%FF%FE%3C%00".as_slice(), 400),
        (FORM, b"xml=%", 400),
        (FORM, b"yml=1", 400),
        (FORM, b"xml=%3Ca%3E&xml=%3Ca%3E", 400),
        ("Content-Type: text/xml\r\n", b"<notification/>", 400),
        ("", b"xml=1", 400),
    ] {
        let length = format!("Content-Length: {}\r\n", body.len());
        let answer = says(to, &request(kind, &length, body)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert!(world.notifications().is_empty());
    assert_eq!(post(to, ADDRESS, &good).await.0, 204);
    world.all_heard().await;
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_body_is_refused_by_its_length_or_as_soon_as_it_is() {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    let appliance = world.serve().await;
    let to = appliance.address();
    // Refused before the body is sent.
    let announced = request(FORM, "Content-Length: 65537\r\n", b"xml=");
    assert!(says(to, &announced).await.starts_with("HTTP/1.1 413 "));
    let announced = request(FORM, "Content-Length: 99999999999\r\n", b"xml=");
    assert!(says(to, &announced).await.starts_with("HTTP/1.1 413 "));
    // Without a length, in chunks.
    let mut pieces = b"4\r\nxml=\r\n".to_vec();
    for _ in 0..17 {
        pieces.extend(format!("1000\r\n{}\r\n", "a".repeat(4_096)).as_bytes());
    }
    pieces.extend(b"0\r\n\r\n");
    assert!(says(to, &request(FORM, "Transfer-Encoding: chunked\r\n", &pieces)).await.starts_with("HTTP/1.1 413 "));
    appliance.stop().await.unwrap();
}

/// Starts the binary as a service and returns its address.
async fn serving(world: &World) -> (Running, SocketAddr) {
    let mut running = Running::start(world.cashout(&["serve"]));
    let line = running.says("answers on").await;
    (running, line.trim().rsplit(' ').next().unwrap().parse().unwrap())
}

fn resident_kib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Raises the limit of open files of this process, as far as the machine allows; returns the limit reached.
fn allow_files(count: u64) -> u64 {
    let process = std::process::id().to_string();
    let soft = |limit: String| {
        Command::new("prlimit").args([&format!("--nofile={limit}"), "--pid", &process]).status().unwrap().success()
    };
    if soft(format!("{count}:{count}")) {
        return count;
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let hard: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(soft(format!("{}:", hard.min(count))));
    hard.min(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_and_many_slow_connections_keep_no_notice_out() {
    const IDLE_CONNECTIONS: u64 = 10_000;
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.seller(2001);
    world.vendors().await;
    world.release_store().await;
    let allowed = allow_files(IDLE_CONNECTIONS + 1_000);
    let (running, to) = serving(&world).await;
    let notice = |number: u64| Notice::new("something", "ok", wallet_of(2001)).with("label", &number.to_string());
    assert_eq!(notice(0).send(to).await, 204);
    let before = resident_kib(&running.worker());

    let mut idle = Vec::new();
    for _ in 0..IDLE_CONNECTIONS.min(allowed - 1_000) {
        idle.push(TcpStream::connect(to).await.unwrap());
    }
    // Some announce a large body, and send a little of it.
    for stream in idle.iter_mut().rev().take(500) {
        let begun = request(FORM, "Content-Length: 60000\r\n", &[b'x'; 100]);
        let _ = stream.write_all(&begun).await;
    }
    for number in 1..=20 {
        assert_eq!(notice(number).send(to).await, 204);
    }
    let after = resident_kib(&running.worker());
    assert!(after < before + 200 * 1_024, "{before} KiB before, {after} KiB with {} connections", idle.len());
    let ready = http().get(format!("http://{to}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    drop(idle);
    running.signal("TERM");
    running.end().await.ends(0);
}
