//! Technical information: the release, the machine, and the state of the remotes.

use std::path::PathBuf;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::super::page::{PageFrame, show};
use crate::platform::os;
use crate::remote::CallError;
use crate::remote::hipay::ActingOn;
use crate::scheduler::NextRun;
use crate::store::{self, StoreError};
use crate::text::message::Message;
use crate::web::Web;
use crate::web::problem::Problem;

/// Time limit for a remote to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// The running release and its machine.
pub(super) struct Machine {
    pub(super) version: &'static str,
    pub(super) target: &'static str,
    /// Commit that the release was built from; empty if unknown.
    pub(super) commit: &'static str,
    store_format: u32,
    /// Size of the store, in KiB.
    store_size: u64,
    uptime: SignedDuration,
    /// Host name; empty if unknown.
    pub(super) host: String,
    pub(super) time_zone: String,
    pub(super) schedule: Vec<NextRun>,
    /// Time of the last copy of the store (UTC).
    pub(super) last_back_up: Option<Timestamp>,
    /// Executable file, if known.
    program: Option<PathBuf>,
}

impl Machine {
    pub(super) async fn measure(web: &Web) -> Result<Self, Problem> {
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

    /// Describes the size of the store and its format.
    pub(super) fn store(&self, page: &PageFrame) -> String {
        let (size, format) = (page.number(&self.store_size), self.store_format.to_string());
        page.t2("machine-store-is", ("size", size), ("format", format))
    }

    /// Formats the time for which this process has answered.
    pub(super) fn running_for(&self, page: &PageFrame) -> String {
        page.span(self.uptime)
    }

    /// Returns the path of the executable file, for display.
    pub(super) fn program(&self) -> String {
        self.program.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }
}

/// The state of a remote.
struct RemoteState {
    name: &'static str,
    address: String,
    /// Problem of the remote, if any.
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "remotes.html", config = "ui/askama.toml")]
struct Remotes {
    page: PageFrame,
    remotes: [RemoteState; 2],
}

/// Checks whether both remotes answer. Only the part of the page that shows it waits for this.
pub(in crate::web::pages) async fn remotes(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let context = &web.context;
    let (mirakl, hipay) = tokio::join!(
        tokio::time::timeout(PATIENCE, context.mirakl.version()),
        tokio::time::timeout(PATIENCE, context.hipay.account(ActingOn::Technical)),
    );
    let remote = |name, address: &str, trouble| RemoteState { name, address: address.to_owned(), trouble };
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
