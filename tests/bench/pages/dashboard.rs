//! The appliance on the marketplace's store, with a signed-in user who views its pages.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use cashout::admin::wiring::{self, Wiring};
use cashout::config::{Config, Settings};
use cashout::platform::clock::Clock;
use cashout::sandbox::{Sandbox, SandboxOptions};
use cashout::serve::Appliance;
use cashout::store::Store;
use cashout::web::{self, Peer};
use tower::ServiceExt;

use super::marketplace;
use crate::table::milliseconds;

/// The appliance, with a session.
pub(super) struct Served {
    _sandbox: Sandbox,
    appliance: Appliance,
    router: Router,
    client: reqwest::Client,
    cookie: String,
    store: Store,
}

impl Served {
    /// Serves the store in `folder`. No batch runs automatically, and the clock stands still.
    pub(super) async fn start(folder: &Path) -> Self {
        let clock = Clock::manual(marketplace::now());
        let sandbox =
            Sandbox::start(SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() }).await.unwrap();
        let mut settings = sandbox.credentials().parameters_yml();
        for batch in ["vendorProcess", "cashoutGenerate", "cashoutTransfer", "cashoutWithdraw", "transactionStatusSync"]
        {
            writeln!(settings, "    schedule.{batch}: ''").unwrap();
        }
        let file = folder.join("parameters.yml");
        std::fs::write(&file, settings).unwrap();
        let (path, data) = (file.clone(), folder.join("data"));
        let context = tokio::task::spawn_blocking(move || {
            let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
            let begun = Instant::now();
            let context = wiring::open(config, &data, &Wiring { clock, ..Wiring::default() }).unwrap();
            println!("pages: opened in {}", milliseconds(begun.elapsed()));
            context
        });
        let context = context.await.unwrap();
        let store = context.store.clone();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let settings = Settings::new(&path, Arc::clone(&context.config));
        let appliance = Appliance::start(context, settings, listener, folder.join("data")).await.unwrap();
        let (login, password) = (&sandbox.credentials().ws_login, &sandbox.credentials().ws_password);
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false };
        let session = web::sign_in(appliance.web(), login, password, peer, None).await.unwrap();
        let cookie = session.set_cookie.expose().split(';').next().unwrap().to_owned();
        // Fails if another thread was faster; both install the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let router = web::router(appliance.web().clone());
        Self { _sandbox: sandbox, appliance, router, client, cookie, store }
    }

    /// Returns the store that it serves.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Measures one page, from the call of the service to the last byte of its body; returns the time
    /// and the number of bytes.
    pub(super) async fn page(&self, address: &str, compressed: bool) -> (Duration, usize) {
        let mut request = Request::get(address).header(header::COOKIE, &self.cookie);
        if compressed {
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        let request = request.body(Body::empty()).unwrap();
        let router = self.router.clone();
        // On a thread of the runtime, as a connection is.
        let asked = tokio::spawn(async move {
            let begun = Instant::now();
            let answer = router.oneshot(request).await.unwrap();
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            (begun.elapsed(), status, body)
        });
        let (took, status, body) = asked.await.unwrap();
        assert_eq!(status, StatusCode::OK, "{address}: {}", String::from_utf8_lossy(&body));
        (took, body.len())
    }

    /// Measures the page over HTTP, on a persistent connection.
    pub(super) async fn over_http(&self, address: &str) -> Duration {
        let url = format!("http://{}{address}", self.appliance.address());
        let request = self.client.get(url).header("cookie", &self.cookie).header("accept-encoding", "gzip");
        let begun = Instant::now();
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        let took = begun.elapsed();
        assert!(status.is_success() && !body.is_empty(), "{address}");
        took
    }

    pub(super) async fn stop(self) {
        drop((self.router, self.store));
        self.appliance.stop().await.unwrap();
    }
}
