//! What goes wrong on the way: scripted rules, and a share of all requests at random.

use super::call::{Call, Endpoint, Remote};
use super::chance::{Chance, percent};

/// Before or after the remote has done what the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has arrived; nothing has been done.
    Before,
    /// It has been done; the answer has not left.
    After,
}

/// A way in which an exchange goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection is cut (TCP reset). After execution: the lost answer.
    Reset,
    /// HTTP 500 with a JSON body.
    ServerError,
    /// HTTP 503, with `Retry-After` in seconds if given.
    Unavailable(Option<u32>),
    /// HTTP 429 with `Retry-After` in seconds.
    TooMany(u32),
    /// A proxy's HTML page, with this status (200 and 502 are the usual ones).
    HtmlPage(u16),
    /// The body dribbles in small pieces for some two seconds.
    SlowBody,
    /// No answer until the client gives up, for thirty seconds at most; then the connection is cut.
    Hang,
    /// The connection ends before as many bytes were sent as `Content-Length` says.
    TruncatedBody,
    /// An endless body, cut off after 64 MiB.
    OversizedBody,
}

/// A rule: the requests it is for, and what happens to them.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Whether the request is executed all the same. `Before` unless said otherwise.
    pub moment: Moment,
    /// Only this remote.
    pub remote: Option<Remote>,
    /// Only this method.
    pub method: Option<String>,
    /// Only this call.
    pub endpoint: Option<Endpoint>,
    /// Only paths that contain this text.
    pub path: String,
    /// So many matching requests pass first.
    pub skip: u32,
    /// How many requests it strikes.
    pub times: u32,
}

impl Fault {
    /// Strikes the next request, whichever it is, before it is executed.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            moment: Moment::Before,
            remote: None,
            method: None,
            endpoint: None,
            path: String::new(),
            skip: 0,
            times: 1,
        }
    }

    /// A payment (or other call) that is executed, and whose answer is lost.
    pub fn lost_answer(endpoint: Endpoint) -> Self {
        Self::new(FaultKind::Reset).at(endpoint).after_execution()
    }

    /// Only requests to `remote`.
    #[must_use]
    pub fn on(mut self, remote: Remote) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Only requests of this HTTP method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only this call.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only paths that contain `part`.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path);
        self
    }

    /// The request is executed first.
    #[must_use]
    pub fn after_execution(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    /// Lets so many matching requests pass.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Strikes so many matching requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, call: &Call) -> bool {
        self.remote.is_none_or(|remote| remote == call.remote)
            && self.method.as_ref().is_none_or(|method| *method == call.method)
            && self.endpoint.is_none_or(|endpoint| call.endpoint == Some(endpoint))
            && call.path.contains(&self.path)
    }
}

/// A fault that has been drawn for one request.
pub(super) type Struck = (FaultKind, Moment);

/// The rules and the rates. Editable while the sandbox runs.
#[derive(Debug, Default)]
pub struct FaultPlan {
    /// Scripted rules; the first that matches strikes.
    pub rules: Vec<Fault>,
    /// The share of all requests that a random fault strikes (no hanging, no oversized body).
    pub rate_percent: u8,
    /// The share of payments (transfers and withdrawals) that are executed and whose answer is lost.
    pub lost_answers_percent: u8,
    pub(super) chance: Chance,
}

impl FaultPlan {
    /// What is to go wrong with `call`.
    pub(super) fn strike(&mut self, call: &Call) -> Option<Struck> {
        if let Some(struck) = self.scripted(call) {
            return Some(struck);
        }
        let mut rng = self.chance.draw(&call.label());
        let payment = matches!(call.endpoint, Some(Endpoint::Transfer | Endpoint::Withdrawal));
        if payment && percent(&mut rng, self.lost_answers_percent) {
            return Some((FaultKind::Reset, Moment::After));
        }
        percent(&mut rng, self.rate_percent).then(|| random(&mut rng))
    }

    fn scripted(&mut self, call: &Call) -> Option<Struck> {
        self.rules.retain(|rule| rule.times > 0);
        for rule in self.rules.iter_mut().filter(|rule| rule.matches(call)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some((rule.kind, rule.moment));
        }
        None
    }
}

fn random(rng: &mut fastrand::Rng) -> Struck {
    let moment = if rng.bool() { Moment::Before } else { Moment::After };
    let kind = match rng.u8(0..9) {
        0 | 1 => FaultKind::Reset,
        2 => FaultKind::ServerError,
        3 => FaultKind::Unavailable(None),
        4 => FaultKind::Unavailable(Some(1)),
        5 => FaultKind::TooMany(1),
        6 => FaultKind::HtmlPage(200),
        7 => FaultKind::HtmlPage(502),
        _ => FaultKind::TruncatedBody,
    };
    // Whoever says "too many" or "unavailable" has done nothing.
    match kind {
        FaultKind::Unavailable(_) | FaultKind::TooMany(_) => (kind, Moment::Before),
        FaultKind::Reset
        | FaultKind::ServerError
        | FaultKind::HtmlPage(_)
        | FaultKind::SlowBody
        | FaultKind::Hang
        | FaultKind::TruncatedBody
        | FaultKind::OversizedBody => (kind, moment),
    }
}
