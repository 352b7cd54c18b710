//! A browser window on the appliance: opening it, navigating, and closing it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fantoccini::wd::TimeoutConfiguration;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::driver::{Call, Driver, Turn};
use crate::findings::Findings;

/// Options for Chromium on a machine without a screen, a name service or a separate user. No name is
/// resolved: a page's requests to other hosts fail here, and are reported.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// Script that lists the layout shifts since `since` (milliseconds since 1970) without user input,
/// once the page is drawn. The parts of the browser's own date fields change their width during
/// input, and shift adjacent elements by less than the last reported decimal, which is not visible.
const MOVED: &str = "
    const since = arguments[0];
    return new Promise(done => {
        const moved = [];
        const visible = entry => entry.value >= 0.00005;
        const keep = entries => moved.push(...entries.filter(visible)
            .filter(entry => !entry.hadRecentInput && performance.timeOrigin + entry.startTime > since)
            .map(entry => `${entry.value.toFixed(4)} at ${Math.round(entry.startTime)} ms: ` + (entry.sources || [])
                .map(source => source.node && (source.node.id ? '#' + source.node.id : source.node.nodeName))
                .join(', ')));
        const observer = new PerformanceObserver(list => keep(list.getEntries()));
        observer.observe({type: 'layout-shift', buffered: true});
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
            keep(observer.takeRecords());
            observer.disconnect();
            done(moved);
        })));
    });";

/// Settings of a window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    origin: String,
    /// Name of the test that opens it, for the file name of a failure's screenshot.
    test: String,
    pub(crate) width: u32,
    height: u32,
    language: String,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
    reduced_motion: bool,
    pub(crate) patience: Duration,
}

impl Window {
    /// Makes a window on `http://host:port`: 1440 pixels wide, English, light, with JavaScript.
    pub(crate) fn on(origin: &str) -> Self {
        Self {
            origin: origin.trim_end_matches('/').to_owned(),
            test: std::thread::current().name().unwrap_or("test").replace("::", "-"),
            width: 1440,
            height: 900,
            language: "en".to_owned(),
            dark: false,
            scripts: true,
            reduced_motion: false,
            patience: Duration::from_secs(10),
        }
    }

    /// Sets the width in pixels; below 600 the window is that of a telephone.
    pub(crate) fn width(self, width: u32) -> Self {
        Self { width, ..self }
    }

    /// Sets the language that the browser requests: `en`, `fr`.
    pub(crate) fn language(self, language: &str) -> Self {
        Self { language: language.to_owned(), ..self }
    }

    /// Makes the system use a dark colour scheme.
    pub(crate) fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    /// Switches JavaScript off.
    pub(crate) fn without_javascript(self) -> Self {
        Self { scripts: false, ..self }
    }

    /// Makes the system prefer reduced motion.
    pub(crate) fn reduced_motion(self) -> Self {
        Self { reduced_motion: true, ..self }
    }

    /// Sets the time limit of waiting; 10 seconds by default.
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Opens the window, with no cookies and nothing cached. Waits while two other tests have windows open.
    pub(crate) async fn start(self) -> Browser {
        let turn = Turn::wait().await;
        self.start_in(turn).await
    }

    /// Opens a second window for a test that already has one, for another user.
    pub(crate) async fn start_beside(self, other: &Browser) -> Browser {
        self.start_in(Arc::clone(&other.turn)).await
    }

    async fn start_in(self, turn: Arc<Turn>) -> Browser {
        let driver = tokio::task::spawn_blocking(Driver::running).await;
        let driver = driver.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.push(format!("--window-size={},{}", self.width, self.height));
        // The browser's own start page would take a second.
        let preferences = json!({
            "intl.accept_languages": self.language,
            "session.restore_on_startup": 4,
            "session.startup_urls": ["about:blank"],
        });
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags, "prefs": preferences},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        let connected = ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&driver.address()).await;
        let client = connected.unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        let patience = TimeoutConfiguration::new(
            Some(Duration::from_secs(30)),
            Some(Duration::from_secs(30)),
            Some(Duration::ZERO),
        );
        client.update_timeouts(patience).await.unwrap();
        let findings = Mutex::new(Findings::of(&self.origin));
        let state = Mutex::new(State::default());
        let browser = Browser { client, window: self, findings, state, turn, driver, _profile: profile };
        browser.set_up().await;
        browser
    }
}

#[derive(Debug, Default)]
struct State {
    /// Time before which movements are caused by the test; milliseconds since 1970.
    still_since: Value,
    done: bool,
}

/// An open window. It acts and reads as a person would ([`crate::actions`], [`crate::screen`]). Every
/// test ends with [`Browser::done`].
pub(crate) struct Browser {
    pub(crate) client: Client,
    pub(crate) window: Window,
    findings: Mutex<Findings>,
    state: Mutex<State>,
    turn: Arc<Turn>,
    // In this order: the profile is deleted when nothing uses it any more.
    driver: Arc<Driver>,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn set_up(&self) {
        // Leaves the browser's own start page, and discards its log entries.
        self.client.goto("about:blank").await.unwrap();
        for kind in ["browser", "performance"] {
            self.client.issue_cmd(Call::log(kind)).await.unwrap();
        }
        let window = &self.window;
        let narrow = window.width < 600;
        let screen = json!({"width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": narrow});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen).await;
        let scheme = if window.dark { "dark" } else { "light" };
        let motion = if window.reduced_motion { "reduce" } else { "no-preference" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]});
        self.devtools("Emulation.setEmulatedMedia", &features).await;
        if !window.scripts {
            self.allow_scripts(false).await;
        }
    }

    /// Opens an address of the appliance, a path from `/` on.
    pub(crate) async fn open(&self, path: &str) {
        self.collect().await;
        let address = format!("{}{path}", self.window.origin);
        if let Err(error) = self.client.goto(&address).await {
            self.fail(&format!("{address} does not open: {error}")).await;
        }
    }

    /// Reloads the page.
    pub(crate) async fn reload(&self) {
        self.collect().await;
        self.client.refresh().await.unwrap();
    }

    /// Goes back to the previous page.
    pub(crate) async fn back(&self) {
        self.collect().await;
        self.client.back().await.unwrap();
    }

    /// Returns the present address: path and query, as in the address bar.
    pub(crate) async fn address(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.window.origin).map_or(url.clone(), str::to_owned)
    }

    /// Declares a finding that this test causes on purpose, by a part of its text, such as `answered
    /// 404`. [`Browser::done`] fails if it did not happen.
    pub(crate) fn expect_finding(&self, text: &str) {
        self.findings().expect(text);
    }

    /// Declares a finding that may happen in this test and is no fault, by a part of its text.
    pub(crate) fn allow_finding(&self, text: &str) {
        self.findings().allow(text);
    }

    /// Records the page's findings since the last call. It is called before every page is left.
    pub(crate) async fn collect(&self) {
        if self.window.scripts && self.address().await.starts_with('/') {
            let since = self.state().still_since.clone();
            let moved = self.client.execute(MOVED, vec![since]).await;
            for shift in moved.ok().and_then(|list| list.as_array().cloned()).unwrap_or_default() {
                let text = format!("layout shift: {}", shift.as_str().unwrap_or("?"));
                self.findings().note(text);
            }
        }
        let console = self.client.issue_cmd(Call::log("browser")).await.unwrap();
        self.findings().read_console(&console);
        let network = self.client.issue_cmd(Call::log("performance")).await.unwrap();
        self.findings().read_network(&network);
    }

    /// Makes movements count from now on, and none before.
    pub(crate) async fn still(&self) {
        if self.window.scripts {
            let drawn = "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
                () => done(performance.timeOrigin + performance.now()))));";
            let now = self.client.execute(drawn, Vec::new()).await.unwrap();
            self.state().still_since = now;
        }
    }

    /// Returns everything that is wrong so far.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        self.collect().await;
        self.findings().wrong()
    }

    /// Closes the window. Fails if there was an error or a warning in the console, a violation of the content security
    /// policy, a request that failed or went to another host, or a layout shift without user input.
    pub(crate) async fn done(self) {
        let wrong = self.complaints().await;
        self.state().done = true;
        if !wrong.is_empty() {
            self.fail(&format!("the browser has something to complain of:\n  {}", wrong.join("\n  "))).await;
        }
        self.client.clone().close().await.unwrap();
    }

    /// Fails the test with a screenshot and the text of the page.
    pub(crate) async fn fail(&self, why: &str) -> ! {
        let picture = self.take_picture(&format!("failed-{}", self.window.test)).await;
        let picture = picture.map_or_else(|error| error, |path| path.display().to_string());
        let address = self.client.current_url().await.map_or_else(|error| error.to_string(), |url| url.to_string());
        let text = self.execute("return document.body ? document.body.innerText : ''", Vec::new()).await;
        let text = text.as_ref().map_or_else(Clone::clone, |text| text.as_str().unwrap_or_default().to_owned());
        panic!("{why}\n\nat {address}\npicture: {picture}\nThe page says:\n{text}\n");
    }

    /// Runs a script in the page, even if the page's own scripts are switched off, unless it waits.
    /// The page's content security policy does not apply to it.
    pub(crate) async fn execute(&self, script: &str, arguments: Vec<Value>) -> Result<Value, String> {
        self.client.execute(script, arguments).await.map_err(|error| error.to_string())
    }

    /// Runs a script that waits, in the same way.
    pub(crate) async fn execute_waiting(&self, script: &str, arguments: Vec<Value>) -> Result<Value, String> {
        if !self.window.scripts {
            self.allow_scripts(true).await;
        }
        let answer = self.execute(script, arguments).await;
        if !self.window.scripts {
            self.allow_scripts(false).await;
        }
        answer
    }

    async fn allow_scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": !allowed})).await;
    }

    /// Runs a command of the `DevTools` protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let answer = self.client.issue_cmd(Call::devtools(command, parameters)).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Returns the process group of all processes of this browser.
    pub(crate) fn group(&self) -> u32 {
        self.driver.group()
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let done = self.state().done;
        assert!(done || std::thread::panicking(), "a test of a page ends with browser.done().await");
    }
}

/// Returns the folder for screenshots, `screenshots` in the build folder.
pub(crate) fn pictures() -> PathBuf {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // A build for a named target has an additional folder of that target in between.
    let target = built.ancestors().find(|folder| folder.join(".rustc_info.json").exists());
    target.or(built.parent()).unwrap_or(built).join("screenshots")
}
