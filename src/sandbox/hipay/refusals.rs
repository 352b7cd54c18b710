//! HiPay's refusals: by its own rules, scripted by a test, or because of a repeated reference.

use super::HipayModel;
use super::transactions::Transaction;
use crate::sandbox::call::{Answer, Call, Endpoint};
use crate::sandbox::json::{Json, Spelling};

/// One refusal as it is sent.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Refused {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
    pub(super) errors: Vec<(String, String)>,
    pub(super) detail: Option<u32>,
}

impl Refused {
    pub(super) fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: Vec::new(), detail: None }
    }

    pub(super) fn not_allowed() -> Self {
        Self::new(403, 403, "Account not allowed")
    }

    pub(super) fn invalid(field: &str, message: &str) -> Self {
        Self::fields(3, vec![(field.to_owned(), message.to_owned())])
    }

    /// Makes a refusal with code 2 (missing) or 3 (invalid) and the fields concerned.
    pub(super) fn fields(code: u32, errors: Vec<(String, String)>) -> Self {
        Self { errors, ..Self::new(400, code, "Validation failed") }
    }

    pub(super) fn detail(detail: u32) -> Self {
        Self { detail: Some(detail), ..Self::new(400, 400, detail_text(detail)) }
    }

    pub(super) fn answer(self, spelling: &mut Spelling) -> Answer {
        // HiPay describes a refusal with a detail as having no code; some carry one nevertheless.
        let bare = self.detail.is_some() && spelling.either();
        let mut fields = Vec::new();
        if !bare {
            fields.extend([("code", spelling.whole(self.code)), ("message", Json::text(&self.message))]);
        }
        if !self.errors.is_empty() {
            let errors = self
                .errors
                .iter()
                .map(|(field, message)| Json::object([("field", Json::text(field)), ("message", Json::text(message))]));
            fields.push(("errors", Json::list(errors)));
        }
        if let Some(detail) = self.detail {
            fields.push(("error_code_detail", spelling.whole(detail)));
        }
        Answer::json(self.status, Json::object(fields))
    }
}

fn detail_text(detail: u32) -> &'static str {
    match detail {
        4002 => "The user space is not activated",
        4003 => "The professional information is not valid",
        4004 => "The user space is not identified",
        4005 => "The bank details are not valid",
        4006 => "The state of the user space is not normal",
        4007 => "The account is not activated",
        4008 => "The account is disabled",
        4009 => "The account is deleted",
        4010 => "The account is not a main account",
        4012 => "The country of the bank is blacklisted",
        4013 => "The maximum for withdrawals is reached",
        4014 => "The balance would fall below its minimum",
        4015 => "The beneficial owners are not declared",
        _ => "The withdrawal is refused",
    }
}

/// A refusal that a test scripts.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Call that is refused.
    pub endpoint: Endpoint,
    /// Subject that the request must have: HiPay ID of the account or of the recipient, reference, or e-mail.
    pub about: Option<String>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Code of the answer.
    pub code: u32,
    /// Message of the answer.
    pub message: String,
    /// Fields of the answer and their messages.
    pub errors: Vec<(String, String)>,
    /// `error_code_detail` of the answer.
    pub detail: Option<u32>,
    /// Execution of the request although the answer refuses it.
    pub executes: bool,
    /// Number of requests that are refused.
    pub times: u32,
}

impl Refusal {
    /// Refuses the next request with `code`, under the HTTP status that belongs to it.
    pub fn code(endpoint: Endpoint, code: u32) -> Self {
        let status = match code {
            1 | 401 => 401,
            2 | 3 | 23 | 400 => 400,
            7 | 404 => 404,
            403 => 403,
            500 => 500,
            _ => 200,
        };
        Self {
            endpoint,
            about: None,
            status,
            code,
            message: format!("Refused with code {code}"),
            errors: Vec::new(),
            detail: None,
            executes: false,
            times: 1,
        }
    }

    /// Refuses the next withdrawal with this `error_code_detail`.
    pub fn withdrawal_detail(detail: u32) -> Self {
        let mut refusal = Self::code(Endpoint::Withdrawal, 400);
        refusal.detail = Some(detail);
        detail_text(detail).clone_into(&mut refusal.message);
        refusal
    }

    /// Limits the refusal to requests about `subject`.
    #[must_use]
    pub fn about(mut self, subject: &impl ToString) -> Self {
        self.about = Some(subject.to_string());
        self
    }

    /// Adds a field and its message.
    #[must_use]
    pub fn error(mut self, field: &str, message: &str) -> Self {
        self.errors.push((field.to_owned(), message.to_owned()));
        self
    }

    /// Refuses `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Makes the answer a refusal although the request is executed.
    #[must_use]
    pub fn but_executes(mut self) -> Self {
        self.executes = true;
        self
    }
}

/// A scripted refusal that matches a request.
pub(super) struct Scripted {
    pub(super) executes: bool,
    pub(super) refused: Refused,
}

/// Possible answers to a repeated reference. None of them executes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatAnswer {
    /// 200, code 26: in progress.
    InProgress,
    /// 400, code 3 with an error on `merchant_unique_id`.
    InvalidReference,
    /// 400, code 400.
    BadRequest,
    /// 200, code 4: not allowed.
    NotAllowed,
    /// 403.
    Forbidden,
    /// 404, code 7: a refusal that looks like another one.
    NotFound,
    /// 201 with the first transaction's id.
    Replay,
    /// HTTP 500.
    ServerError,
}

impl RepeatAnswer {
    /// All answers.
    pub const ALL: [Self; 8] = [
        Self::InProgress,
        Self::InvalidReference,
        Self::BadRequest,
        Self::NotAllowed,
        Self::Forbidden,
        Self::NotFound,
        Self::Replay,
        Self::ServerError,
    ];
}

/// Choice of the answer to a repeated reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Always the same answer.
    Always(RepeatAnswer),
    /// Any answer, chosen by the seed.
    Seeded,
}

impl HipayModel {
    /// Returns the scripted refusal for a request and counts it as used.
    pub(super) fn scripted(&mut self, endpoint: Endpoint, call: &Call, acting: u64) -> Option<Scripted> {
        self.refusals.retain(|refusal| refusal.times > 0);
        let refusal = self.refusals.iter_mut().find(|refusal| {
            let about = refusal.about.as_deref();
            refusal.endpoint == endpoint && about.is_none_or(|about| is_about(call, acting, about))
        })?;
        refusal.times -= 1;
        Some(Scripted {
            executes: refusal.executes,
            refused: Refused {
                status: refusal.status,
                code: refusal.code,
                message: refusal.message.clone(),
                errors: refusal.errors.clone(),
                detail: refusal.detail,
            },
        })
    }

    /// Returns the answer to a reference that was executed before as `first`; a replay is not a refusal.
    pub(super) fn repeated(&mut self, first: &Transaction) -> Result<Transaction, Refused> {
        let answer = match self.repeats {
            Repeats::Always(answer) => answer,
            Repeats::Seeded => {
                let mut rng = self.chance.draw(&format!("repeat {}", first.reference.as_deref().unwrap_or_default()));
                rng.choice(RepeatAnswer::ALL).unwrap_or(RepeatAnswer::InProgress)
            }
        };
        match answer {
            RepeatAnswer::InProgress => Err(Refused::new(200, 26, "Transaction in progress")),
            RepeatAnswer::InvalidReference => Err(Refused::invalid("merchant_unique_id", "This value is already used")),
            RepeatAnswer::BadRequest => Err(Refused::new(400, 400, "Bad request")),
            RepeatAnswer::NotAllowed => Err(Refused::new(200, 4, "Action not allowed")),
            RepeatAnswer::Forbidden => Err(Refused::new(403, 403, "Forbidden")),
            RepeatAnswer::NotFound => Err(Refused::new(404, 7, "Not found")),
            RepeatAnswer::Replay => Ok(first.clone()),
            RepeatAnswer::ServerError => Err(Refused::new(500, 13, "An error occurred, please try again")),
        }
    }
}

fn is_about(call: &Call, acting: u64, subject: &str) -> bool {
    let fields = ["merchant_unique_id", "recipient_account_id", "email", "user_email"];
    acting.to_string() == subject
        || call.named == subject
        || fields.iter().any(|name| call.field(name) == Some(subject))
}
