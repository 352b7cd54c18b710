//! Technical information: what runs here, on what, and whether the remotes answer.

use std::path::PathBuf;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::super::page::{Page, show};
use crate::platform::os;
use crate::remote::CallError;
use crate::remote::hipay::ActingOn;
use crate::scheduler::NextRun;
use crate::store::{self, StoreError};
use crate::text::message::Message;
use crate::web::Web;
use crate::web::problem::Problem;

/// How long a remote may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(4);

/// What runs here.
pub(super) struct Machine {
    pub(super) version: &'static str,
    pub(super) target: &'static str,
    /// Empty where it is not known.
    pub(super) commit: &'static str,
    store_format: u32,
    /// In KiB.
    store_size: u64,
    uptime: SignedDuration,
    /// Empty where it is not known.
    pub(super) host: String,
    pub(super) time_zone: String,
    pub(super) schedule: Vec<NextRun>,
    /// When the store was copied last.
    pub(super) last_back_up: Option<Timestamp>,
    /// The file that runs, where it is known.
    program: Option<PathBuf>,
}

impl Machine {
    pub(super) async fn look(web: &Web) -> Result<Self, Problem> {
        let store = web.context.store.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let host = os::host_name();
            let last_back_up = store.last_back_up();
            store.file_size().map(|size| (size, host, last_back_up))
        });
        let (size, host, last_back_up) = looking.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(Self {
            version: crate::platform::release::version(),
            target: crate::platform::release::TARGET,
            commit: crate::platform::release::COMMIT,
            store_format: store::format(),
            store_size: size.div_ceil(1024),
            uptime: web.context.clock.now().duration_since(web.started_at),
            host,
            time_zone: web.settings.get().hipay.time_zone_name.clone(),
            schedule: web.scheduler.next_runs().await?,
            last_back_up,
            program: std::env::current_exe().ok(),
        })
    }

    /// How large the store is, and in which format.
    pub(super) fn store(&self, page: &Page) -> String {
        let (size, format) = (page.number(&self.store_size), self.store_format.to_string());
        page.t2("machine-store-is", ("size", size), ("format", format))
    }

    /// For how long this process has answered.
    pub(super) fn running_for(&self, page: &Page) -> String {
        page.span(self.uptime)
    }

    /// The file that runs, to be read.
    pub(super) fn program(&self) -> String {
        self.program.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }
}

/// Whether a remote answers.
struct Remote {
    name: &'static str,
    address: String,
    /// What is wrong, where anything is.
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "remotes.html", config = "ui/askama.toml")]
struct Remotes {
    page: Page,
    remotes: [Remote; 2],
}

/// Asks both remotes whether they are there. Nothing waits for this but what shows it.
pub(in crate::web::pages) async fn remotes(State(web): State<Web>, page: Page) -> Result<Response, Problem> {
    let context = &web.context;
    let (mirakl, hipay) = tokio::join!(
        tokio::time::timeout(PATIENCE, context.mirakl.version()),
        tokio::time::timeout(PATIENCE, context.hipay.account(ActingOn::Technical)),
    );
    let remote = |name, address: &str, trouble| Remote { name, address: address.to_owned(), trouble };
    let silent = || Some(page.t("remote-silent"));
    let told = |error: &CallError| Some(Message::from(error).in_words(page.texts()));
    let remotes = [
        remote(
            "Mirakl",
            &context.config.mirakl.base_url,
            mirakl.map_or_else(|_| silent(), |answer| answer.err().as_ref().and_then(told)),
        ),
        remote(
            "HiPay",
            &context.config.hipay.base_url,
            match hipay {
                Err(_) => silent(),
                Ok(Ok(Some(_))) => None,
                Ok(Ok(None)) => Some(page.t("remote-no-account")),
                Ok(Err(error)) => told(&error),
            },
        ),
    ];
    show(StatusCode::OK, &Remotes { page, remotes })
}
