//! Faults: scripted rules, and a share of all requests at random.

use super::call::{Call, Endpoint, Remote};
use super::chance::{Chance, percent};

/// Position of a fault or pause, before or after the remote executes the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// On arrival, before the execution.
    Before,
    /// After the execution, before the answer is sent.
    After,
}

/// A way in which an exchange goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A cut connection (TCP reset). After execution: the lost answer.
    Reset,
    /// HTTP 500 with a JSON body.
    ServerError,
    /// HTTP 503, with `Retry-After` in seconds if given.
    Unavailable(Option<u32>),
    /// HTTP 429 with `Retry-After` in seconds.
    TooMany(u32),
    /// A proxy's HTML page, with this status (200 and 502 are the usual ones).
    HtmlPage(u16),
    /// A body sent in small pieces over about two seconds.
    SlowBody,
    /// A missing answer until the client gives up, at most thirty seconds; then the connection is cut.
    Hang,
    /// A connection that ends before `Content-Length` bytes were sent.
    TruncatedBody,
    /// An endless body, cut off after 64 MiB.
    OversizedBody,
}

/// A rule: the requests that it matches, and the fault that strikes them.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Position of the fault; the request is executed only with `After`. `Before` by default.
    pub moment: Moment,
    /// Remote that the rule is limited to.
    pub remote: Option<Remote>,
    /// HTTP method that the rule is limited to.
    pub method: Option<String>,
    /// Call that the rule is limited to.
    pub endpoint: Option<Endpoint>,
    /// Text that the path must contain.
    pub path: String,
    /// Number of matching requests that pass first.
    pub skip: u32,
    /// Number of matching requests that are struck.
    pub times: u32,
}

impl Fault {
    /// Makes a rule that strikes the next request of any kind, before it is executed.
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

    /// Makes a rule that executes the next request to `endpoint` and loses its answer.
    pub fn lost_answer(endpoint: Endpoint) -> Self {
        Self::new(FaultKind::Reset).at(endpoint).after_execution()
    }

    /// Limits the rule to requests to `remote`.
    #[must_use]
    pub fn on(mut self, remote: Remote) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Limits the rule to requests with this HTTP method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Limits the rule to this call.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Limits the rule to paths that contain `part`.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path);
        self
    }

    /// Lets the request be executed before the fault strikes.
    #[must_use]
    pub fn after_execution(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    /// Lets `skip` matching requests pass first.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Strikes `times` matching requests.
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

/// The rules and the rates. They can be changed while the sandbox runs.
#[derive(Debug, Default)]
pub struct FaultPlan {
    /// Scripted rules; the first that matches strikes.
    pub rules: Vec<Fault>,
    /// Percentage of all requests that a random fault strikes (never a hang or an oversized body).
    pub rate_percent: u8,
    /// Percentage of payments (transfers and withdrawals) that are executed and whose answer is lost.
    pub lost_answers_percent: u8,
    pub(super) chance: Chance,
}

impl FaultPlan {
    /// Chooses the fault that strikes `call`, if any.
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
    // A remote that answers "too many" or "unavailable" has not executed the request.
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
