//! Faults of a page, read from the browser's logs: console messages, failures, and requests to other hosts.

use std::collections::HashMap;

use serde_json::Value;

/// A reader of the browser's logs that keeps the faults in them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// `http://host:port` of the appliance under test.
    origin: String,
    requests: HashMap<String, String>,
    wrong: Vec<String>,
    /// Findings that a test causes on purpose: parts of their texts.
    expected: Vec<String>,
    /// Findings that may happen: parts of their texts.
    allowed: Vec<String>,
}

impl Findings {
    /// Makes findings for pages of this origin.
    pub(crate) fn of(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

    /// Declares that a finding with this text is no fault, and that its absence is one.
    pub(crate) fn expect(&mut self, text: &str) {
        self.expected.push(text.to_owned());
    }

    /// Declares that a finding with this text is no fault.
    pub(crate) fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// Records a fault, once.
    pub(crate) fn note(&mut self, text: String) {
        if !self.wrong.contains(&text) {
            self.wrong.push(text);
        }
    }

    /// Reads the console: errors and warnings, including violations of the content security policy.
    pub(crate) fn read_console(&mut self, entries: &Value) {
        for entry in entries.as_array().into_iter().flatten() {
            let level = text(&entry["level"]);
            if matches!(level, "SEVERE" | "WARNING") {
                self.note(format!("console, {level}: {}", text(&entry["message"])));
            }
        }
    }

    /// Reads the network log: requests that go to other hosts or fail.
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
                // A request that the page itself canceled, as a link does that starts a download, is no fault.
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
        // No page can request `chrome:`; the browser does, for pages of its own.
        let of_the_page = ["data:", "blob:", "about:", "chrome:"].iter().any(|scheme| address.starts_with(scheme));
        let path = address.strip_prefix(&self.origin);
        of_the_page || path.is_some_and(|path| path.is_empty() || path.starts_with(['/', '?', '#']))
    }

    /// Returns the findings that were not expected, and the expected ones that did not happen.
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
