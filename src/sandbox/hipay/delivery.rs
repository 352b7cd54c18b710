//! HiPay's background tasks: delivering notifications, and reviews and transactions that become due without a request.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::notices::Delivery;
use crate::sandbox::server::{Shared, lock};

/// Time limit for the receiver's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Interval at which the model checks the clock without requests.
const TICK: Duration = Duration::from_millis(250);

/// Decides what becomes due while no request arrives.
pub(in crate::sandbox) async fn let_time_pass(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = shared.clock.now();
        lock(&shared.hipay).let_time_pass(now);
        shared.news.notify_one();
    }
}

/// Sends notifications, one after the other, until the sandbox stops.
pub(in crate::sandbox) async fn deliver(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.news.notified() => {}
        }
        let (batch, settings) = {
            let mut hipay = lock(&shared.hipay);
            (hipay.notices_to_send(), hipay.notify.clone())
        };
        for (number, url, xml) in batch {
            let sending = async {
                tokio::time::sleep(settings.delay).await;
                send(&url, &xml, settings.encoded_twice).await
            };
            let delivery = tokio::select! {
                () = shared.stop.cancelled() => return,
                delivery = sending => delivery,
            };
            lock(&shared.hipay).notice_sent(number, delivery);
        }
        shared.delivered.notify_waiters();
    }
}

async fn send(url: &str, xml: &str, encoded_twice: bool) -> Delivery {
    let Some((authority, path)) = on_this_machine(url) else { return Delivery::NotAllowed };
    let value = if encoded_twice { percent_encode(&percent_encode(xml)) } else { percent_encode(xml) };
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("xml={value}");
    match tokio::time::timeout(PATIENCE, post(&authority, &path, headers, request.as_bytes())).await {
        Ok(Ok(status)) => Delivery::Answered(status),
        Ok(Err(error)) => Delivery::Failed(error.to_string()),
        Err(_) => Delivery::Failed("no answer in time".to_owned()),
    }
}

/// Returns `host:port` and path of a plain HTTP URL that leads to the loopback interface.
pub(in crate::sandbox) fn on_this_machine(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !loopback || uri.scheme_str() != Some("http") {
        return None;
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Some((format!("{host}:{}", uri.port_u16().unwrap_or(80)), path))
}

/// Sends one POST with these header lines on its own connection and returns the status of the answer.
pub(in crate::sandbox) async fn post(authority: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<u16> {
    let mut stream = TcpStream::connect(authority).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    let mut head = Vec::new();
    stream.take(4096).read_to_end(&mut head).await?;
    let status = String::from_utf8_lossy(&head).split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_nobody_but_this_machine() {
        for url in ["http://127.0.0.1:8080/notifications/wallet", "http://localhost/", "http://[::1]:9/x"] {
            assert!(on_this_machine(url).is_some(), "{url}");
        }
        for url in ["http://example.com/", "https://127.0.0.1/", "http://127.0.0.1.example.com/", "file:///etc", ""] {
            assert!(on_this_machine(url).is_none(), "{url}");
        }
    }
}
