//! What a page must not do, read from what the browser logs: complain, fail, or ask elsewhere.

use std::collections::HashMap;

use serde_json::Value;

/// Reads the browser's logs and keeps what is wrong in them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// `http://host:port` of the appliance under test.
    origin: String,
    requests: HashMap<String, String>,
    wrong: Vec<String>,
    /// What a test makes happen on purpose: parts of the texts of findings.
    expected: Vec<String>,
    /// What may happen: the same.
    allowed: Vec<String>,
}

impl Findings {
    /// For pages of this origin.
    pub(crate) fn of(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

    /// A finding with this text is no fault, and its absence is one.
    pub(crate) fn expect(&mut self, text: &str) {
        self.expected.push(text.to_owned());
    }

    /// A finding with this text is no fault.
    pub(crate) fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// Notes a fault, once.
    pub(crate) fn note(&mut self, text: String) {
        if !self.wrong.contains(&text) {
            self.wrong.push(text);
        }
    }

    /// The console: errors and warnings, violations of the content security policy among them.
    pub(crate) fn read_console(&mut self, entries: &Value) {
        for entry in entries.as_array().into_iter().flatten() {
            let level = text(&entry["level"]);
            if matches!(level, "SEVERE" | "WARNING") {
                self.note(format!("console, {level}: {}", text(&entry["message"])));
            }
        }
    }

    /// The network: requests that go elsewhere or fail.
    pub(crate) fn read_network(&mut self, entries: &Value) {
        for entry in entries.as_array().into_iter().flatten() {
            let Ok(event) = serde_json::from_str::<Value>(text(&entry["message"])) else { continue };
            let (method, of) = (text(&event["message"]["method"]), &event["message"]["params"]);
            let id = text(&of["requestId"]);
            match method {
                "Network.requestWillBeSent" => {
                    let address = text(&of["request"]["url"]);
                    self.requests.insert(id.to_owned(), address.to_owned());
                    if !self.is_own(address) {
                        self.note(format!("request to another host: {address}"));
                    }
                }
                "Network.responseReceived" => {
                    if let Some(status) = of["response"]["status"].as_u64().filter(|status| *status >= 400) {
                        self.note(format!("request failed: {} answered {status}", text(&of["response"]["url"])));
                    }
                }
                // One that the page itself gave up, as a link does that starts a download, is none.
                "Network.loadingFailed" if of["canceled"] != true && of["errorText"] != "net::ERR_ABORTED" => {
                    let address = self.requests.get(id).map_or("?", String::as_str);
                    self.note(format!(
                        "request failed: {address}: {} {}",
                        text(&of["errorText"]),
                        text(&of["blockedReason"])
                    ));
                }
                "Network.webSocketCreated" => self.note(format!("web socket: {}", text(&of["url"]))),
                _ => {}
            }
        }
    }

    fn is_own(&self, address: &str) -> bool {
        // No page can ask for `chrome:`; the browser does, for pages of its own.
        let of_the_page = ["data:", "blob:", "about:", "chrome:"].iter().any(|scheme| address.starts_with(scheme));
        let path = address.strip_prefix(&self.origin);
        of_the_page || path.is_some_and(|path| path.is_empty() || path.starts_with(['/', '?', '#']))
    }

    /// What is wrong: what was found and not expected, and what was expected and not found.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let known = |found: &&String| self.expected.iter().chain(&self.allowed).any(|text| found.contains(text));
        let unexpected = self.wrong.iter().filter(|found| !known(found));
        let missing = self.expected.iter().filter(|text| !self.wrong.iter().any(|found| found.contains(*text)));
        unexpected.cloned().chain(missing.map(|text| format!("expected, but did not happen: {text}"))).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
