//! The first run of an installation without a configuration: a page on this machine asks for the missing settings,
//! checks that Mirakl and HiPay answer, and writes the file. Opening the page requires a code that is only in the log,
//! so that others who can reach this machine's loopback cannot set up somebody's payments.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin::check::{self, Findings};
use crate::admin::wiring::{self, Wiring};
use crate::config::{Config, ConfigDraft, ConfigErrors, ConfigWriter};
use crate::domain::session::is_same;
use crate::platform::random::{self, NoRandom};
use crate::platform::secret::Secret;
use crate::remote::ClientPolicy;
use crate::store::Store;
use crate::text::message::{Message, msg};

/// Number of wrong codes after which the current code is replaced.
const MAX_WRONG_CODES: u32 = 10;

/// Characters of a code: 32 letters and digits that are not easily confused.
const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Time limit for all answers of Mirakl and HiPay together; shorter than that of a request.
const CHECK_TIMEOUT: Duration = Duration::from_secs(25);

/// Prefix of the folders in which a configuration is tried out.
const TRIED_IN: &str = "first-check-";

/// The type of a setting's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Plain text.
    Text,
    /// Address of a server.
    Address,
    /// Secret, which is not shown.
    Secret,
    /// Mail address.
    Mail,
    /// Whole number.
    Number,
    /// Date.
    Day,
}

/// A setting that the page asks for.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name of the setting in `parameters.yml`.
    pub key: &'static str,
    /// Type of its input.
    pub kind: FieldKind,
    /// Optional, that is, it may be left empty.
    pub optional: bool,
    /// Likely values.
    pub suggestions: &'static [&'static str],
}

const fn field(key: &'static str, kind: FieldKind) -> Field {
    Field { key, kind, optional: false, suggestions: &[] }
}

const fn optional(key: &'static str, kind: FieldKind) -> Field {
    Field { optional: true, ..field(key, kind) }
}

/// Settings that the page asks for, by section: those without a default, and those that must be right before the first
/// payment.
pub const ASKED: [(&str, &[Field]); 5] = [
    (
        "mirakl",
        &[
            field("mirakl.baseUrl", FieldKind::Address),
            optional("mirakl.operatorKey", FieldKind::Secret),
            optional("mirakl.bearerToken", FieldKind::Secret),
            optional("mirakl.clientId", FieldKind::Text),
            optional("mirakl.clientSecret", FieldKind::Secret),
        ],
    ),
    (
        "hipay",
        &[
            Field {
                suggestions: &["https://professional.hipay.com", "https://test-professional.hipay.com"],
                ..field("hipay.baseRestUrl", FieldKind::Address)
            },
            field("hipay.wsLogin", FieldKind::Text),
            field("hipay.wsPassword", FieldKind::Secret),
            field("hipay.entity", FieldKind::Text),
            field("hipay.merchantGroupId", FieldKind::Text),
            optional("hipay.enterprise.passphrase", FieldKind::Secret),
        ],
    ),
    (
        "accounts",
        &[
            field("account.technical.email", FieldKind::Mail),
            field("account.technical.hipayId", FieldKind::Number),
            field("account.operator.email", FieldKind::Mail),
            field("account.operator.hipayId", FieldKind::Number),
        ],
    ),
    ("payments", &[field("hipay.timezone", FieldKind::Text), optional("cashout.firstCycle", FieldKind::Day)]),
    ("service", &[optional("server.publicUrl", FieldKind::Address)]),
];

/// Returns the settings of [`ASKED`] without the sections.
pub fn all_fields() -> impl Iterator<Item = &'static Field> {
    ASKED.iter().flat_map(|(_, settings)| settings.iter())
}

/// Settings as they were typed.
pub type FormValues = BTreeMap<&'static str, String>;

/// A first run. Clones share it.
#[derive(Clone)]
pub struct FirstRun(Arc<SetupInner>);

struct SetupInner {
    config: PathBuf,
    data: PathBuf,
    environment: Vec<(String, String)>,
    scribe: ConfigWriter,
    entrance: Mutex<AccessCode>,
    /// Output of messages for the administrator of this machine.
    say: fn(&str),
    address: SocketAddr,
    done: CancellationToken,
}

struct AccessCode {
    code: Secret,
    wrong: u32,
    visit: Option<SetupSession>,
}

/// The visit of a person who has shown the code.
#[derive(Clone)]
pub struct SetupSession {
    token: Secret,
    /// Token that proves that a form comes from a page of this visit.
    pub csrf: Secret,
    /// Settings typed so far, so that no secret has to go to the page and back.
    pub typed: FormValues,
}

/// Returns true if `errors` are those of an installation that was never set up: only required settings are missing, and
/// there is no store in `data`. If there is a store, its settings were lost and have to be restored.
pub fn is_wanted(errors: &ConfigErrors, data: &Path) -> bool {
    errors.is_unfinished() && !Store::is_in(data)
}

/// Returns the address of the page: the port of `server.listen`, if it is known, on this machine alone. The caller has
/// opened `config`, which is `None` if there is no such file.
pub fn address(
    path: &Path,
    config: io::Result<Option<File>>,
    environment: Vec<(String, String)>,
) -> Result<SocketAddr, ConfigErrors> {
    let listen = ConfigDraft::begin_opened(path, config, environment)?
        .known()
        .remove("server.listen")
        .and_then(|known| known.value);
    let listen = listen.and_then(|listen| listen.parse().ok());
    let listen: SocketAddr = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let here = match listen.ip() {
        address if address.is_loopback() => address,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    Ok(SocketAddr::new(here, listen.port()))
}

impl FirstRun {
    /// Begins the first run, and reports the address of the page and the code that opens it. `scribe` writes the file.
    pub fn begin(
        [config, data]: [PathBuf; 2],
        environment: Vec<(String, String)>,
        scribe: ConfigWriter,
        address: SocketAddr,
        say: fn(&str),
    ) -> Result<Self, NoRandom> {
        remove_tried(&data);
        let entrance = Mutex::new(AccessCode { code: new_code()?, wrong: 0, visit: None });
        let done = CancellationToken::new();
        let setup = Self(Arc::new(SetupInner { config, data, environment, scribe, entrance, say, address, done }));
        let port = address.port();
        (setup.0.say)(&format!(
            "this installation has no settings yet. Fill in {}, or open http://{address}/setup on this machine; from \
             another one that is http://localhost:{port}/setup once this runs there: ssh -L {port}:{address} <this machine>",
            setup.0.config.display()
        ));
        setup.log_code(&setup.access_code());
        Ok(setup)
    }

    /// Returns the token that is cancelled once the settings are written: the service is then started with them.
    pub fn done(&self) -> &CancellationToken {
        &self.0.done
    }

    /// Compares a code with the one in the log. A match uses the code up and returns the token that the browser
    /// presents from then on; `None` if the code is wrong.
    pub fn enter_code(&self, code: &str) -> Result<Option<Secret>, NoRandom> {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        let (next, token, csrf) = (new_code()?, random::secret()?, random::secret()?);
        let mut entrance = self.access_code();
        let right = is_same(&code.to_ascii_uppercase(), &entrance.code.expose().replace('-', ""));
        if !right {
            entrance.wrong = entrance.wrong.saturating_add(1);
        }
        if right || entrance.wrong >= MAX_WRONG_CODES {
            entrance.code = next;
            entrance.wrong = 0;
            let why = if right { "somebody has opened the page with the code" } else { "too many codes were wrong" };
            (self.0.say)(&format!("{why}; it is of no use any more"));
            self.log_code(&entrance);
        }
        if right {
            entrance.visit = Some(SetupSession { token: token.clone(), csrf, typed: FormValues::new() });
        }
        Ok(right.then_some(token))
    }

    /// Returns the visit that `token` belongs to. Only the latest visit is valid.
    pub fn session_of(&self, token: &str) -> Option<SetupSession> {
        self.access_code().visit.clone().filter(|visit| is_same(visit.token.expose(), token))
    }

    /// Stores what was typed on this visit.
    pub fn store_values(&self, visit: &SetupSession) {
        if let Some(kept) = self.access_code().visit.as_mut().filter(|kept| kept.token == visit.token) {
            kept.typed.clone_from(&visit.typed);
        }
    }

    /// Returns the file filled in with what was typed. The inner error names a setting that cannot be written there.
    /// Blocks.
    pub fn draft(&self, typed: &FormValues) -> Result<Result<ConfigDraft, String>, ConfigErrors> {
        let mut draft = ConfigDraft::begin(&self.0.config, self.0.environment.clone())?;
        let wanted = typed.iter().filter(|(_, value)| !value.is_empty());
        let filled_in = draft.fill_in(wanted.map(|(key, value)| (*key, value.as_str()))).map_err(ToOwned::to_owned);
        Ok(filled_in.map(|()| draft))
    }

    /// Checks that Mirakl, HiPay and the mail server answer.
    pub async fn check_remotes(&self, config: Config) -> Findings {
        let looked = tokio::time::timeout(CHECK_TIMEOUT, self.check_values(config)).await;
        looked.unwrap_or_else(|_| {
            let mut findings = Findings::default();
            findings.add_defect(msg!("checked-remotes"), msg!("check-silent", seconds = CHECK_TIMEOUT.as_secs()));
            findings
        })
    }

    async fn check_values(&self, config: Config) -> Findings {
        let data = self.0.data.clone();
        let opened = tokio::task::spawn_blocking(move || {
            // The store is temporary: the real one is created by the service.
            let folder = tempfile::Builder::new()
                .prefix(TRIED_IN)
                .tempdir_in(data)
                .map_err(|error| Message::quoting(error.to_string()))?;
            let manners = ClientPolicy { tries: 2, timeout: Duration::from_secs(8), ..ClientPolicy::default() };
            let wiring = Wiring { manners, ..Wiring::default() };
            let context = wiring::open(config, folder.path(), &wiring).map_err(|error| Message::from(&error))?;
            Ok::<_, Message>((folder, context))
        });
        let mut findings = Findings::default();
        match opened.await.unwrap_or_else(|error| Err(Message::quoting(error.to_string()))) {
            Err(problem) => findings.add_defect(msg!("checked-folder"), problem),
            Ok((folder, context)) => {
                match check::run_checks(&context, false).await {
                    // The binding concerns the real store, not this one.
                    Ok(found) => {
                        findings.0.extend(found.0.into_iter().filter(|finding| finding.what != check::binding()));
                    }
                    Err(error) => findings.add_defect(msg!("checked-folder"), &error),
                }
                let store = context.store.clone();
                drop(context);
                // The store is removed with its folder, whatever the result.
                let _ = tokio::task::spawn_blocking(move || store.close().map(|()| drop(folder))).await;
            }
        }
        findings
    }

    /// Writes the file, which ends the first run. Blocks.
    pub fn write(&self, draft: &ConfigDraft) -> std::io::Result<()> {
        draft.save(&self.0.scribe)?;
        (self.0.say)(&format!("the settings are written to {}; the service starts with them", self.0.config.display()));
        self.0.done.cancel();
        Ok(())
    }

    /// Returns the path of the file that is written.
    pub fn file(&self) -> &Path {
        &self.0.config
    }

    fn access_code(&self) -> MutexGuard<'_, AccessCode> {
        self.0.entrance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_code(&self, entrance: &AccessCode) {
        (self.0.say)(&format!("the code that opens http://{}/setup once: {}", self.0.address, entrance.code.expose()));
    }
}

/// Returns a new code of twelve characters in three groups: 60 bits, which cannot be guessed.
fn new_code() -> Result<Secret, NoRandom> {
    let sign = |byte: &u8| SIGNS.get(usize::from(*byte % 32)).copied().map_or('A', char::from);
    let groups = random::bytes::<12>()?;
    let groups: Vec<String> = groups.chunks(4).map(|group| group.iter().map(sign).collect()).collect();
    Ok(Secret::new(groups.join("-")))
}

/// Removes the remains of a check that was cut off.
fn remove_tried(data: &Path) {
    for entry in std::fs::read_dir(data).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TRIED_IN) {
            // A folder that cannot be removed does no harm.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns the key of a setting's messages.
pub fn id_of(key: &str) -> String {
    format!("setup-{}", key.replace('.', "-"))
}

#[cfg(test)]
mod tests;
