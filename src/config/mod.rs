//! Configuration: `parameters.yml`, the environment and systemd's credentials, merged over the built-in
//! defaults and validated once; every mistake is reported at once.
//!
//! `config/parameters.yml` is the first layer and the only list of settings and defaults.

mod document;
mod draft;
mod error;
mod layers;
mod live;
mod reader;
mod remotes;
mod sections;
mod settings;
mod values;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use draft::{ConfigDraft, KnownSetting};
pub use error::{ConfigError, ConfigErrors, Notice, NoticeLevel, SettingSource};
use layers::{FileText, Layers};
pub use layers::{MAX_FILE_SIZE, open_file};
pub use live::{ConfigWriter, Settings};
use reader::{ReadValue, SettingsReader};

use crate::platform::secret::Secret;
use crate::text::message::msg;

pub use settings::{
    AccountConfig, AlertConfig, CashoutConfig, CycleConfig, DashboardConfig, DashboardUser, DocumentType,
    HashAlgorithm, HiPayConfig, Labels, LogLevel, LogsConfig, MailConfig, MailSecurity, MiraklConfig,
    MiraklCredentials, NegativeVouchers, NetworkConfig, OutsideCycles, RetentionConfig, Role, ScheduleConfig,
    ServerConfig, TelemetryConfig, TimeWindow, TlsConfig, UpdateAuto, UpdateChannel, UpdateConfig,
};
pub use values::{DurationError, parse_duration};
pub use writer::{CHANGEABLE, Remedy, WriteBackError, changes_nothing_else, replace_in, write_settings};

/// The commented example: every setting with its default.
pub const EXAMPLE: &str = layers::DEFAULTS;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address and credentials of Mirakl.
    pub mirakl: MiraklConfig,
    /// Address and credentials of HiPay, and settings of new accounts.
    pub hipay: HiPayConfig,
    /// Account that receives all sales money and that all transfers are made from.
    pub technical_account: AccountConfig,
    /// Account that receives the commissions.
    pub operator_account: AccountConfig,
    /// Templates of the labels of payments.
    pub labels: Labels,
    /// Mirakl's settlement cycle.
    pub cycle: CycleConfig,
    /// Options of the cash-out.
    pub cashout: CashoutConfig,
    /// Countries (alpha-3) to whose shops the cash-out is restricted; empty for all.
    pub country_filter: Vec<String>,
    /// Schedule of each batch.
    pub schedule: ScheduleConfig,
    /// Server of pages and notifications.
    pub server: ServerConfig,
    /// Users and language of the dashboard.
    pub dashboard: DashboardConfig,
    /// Mail of alerts; `None` if alerts are not mailed.
    pub mail: Option<MailConfig>,
    /// Proxy and certificates of outgoing connections.
    pub network: NetworkConfig,
    /// Channels of alerts besides mail.
    pub alert: AlertConfig,
    /// Export of traces.
    pub telemetry: TelemetryConfig,
    /// Destinations of log lines.
    pub logs: LogsConfig,
    /// Retention periods.
    pub retention: RetentionConfig,
    /// Source and handling of new releases.
    pub update: UpdateConfig,
    /// Notices about this configuration, for the log at start.
    pub notices: Vec<Notice>,
    sources: BTreeMap<String, SettingSource>,
}

impl Config {
    /// Returns this configuration with the [`CHANGEABLE`] settings of `later`.
    fn with_changeable(&self, mut later: Self) -> Self {
        let mut changed = self.clone();
        changed.update.token = later.update.token;
        changed.logs.alert_level = later.logs.alert_level;
        changed.sources.extend(CHANGEABLE.into_iter().filter_map(|key| later.sources.remove_entry(key)));
        changed
    }

    /// Returns the lowest log level that triggers an alert; `None` if there are no alerts.
    pub fn alert_level(&self) -> Option<LogLevel> {
        let mail = self.mail.as_ref().and(self.logs.alert_level);
        let channels = (!self.alert.is_empty()).then(|| self.logs.alert_level.unwrap_or(LogLevel::Error));
        mail.or(channels)
    }

    /// Returns true for the marketplace's own accounts, technical and operator (HiPay IDs).
    pub fn is_own_account(&self, hipay_id: u64) -> bool {
        [self.technical_account.hipay_id, self.operator_account.hipay_id].contains(&hipay_id)
    }

    /// Reads the file at `path`, the `CASHOUT_*` variables of `environment`, and the folder that its
    /// `CREDENTIALS_DIRECTORY` names. The file may be missing if everything required comes from elsewhere.
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        Self::load_opened(path, open_file(path), environment)
    }

    /// Reads a configuration like [`Config::load`], from a file that the caller has opened at `path`; `None`
    /// for no file.
    pub fn load_opened(
        path: &Path,
        opened: io::Result<Option<File>>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let file = layers::read_opened(path, opened)?;
        Self::from_file(path, file.as_ref(), environment)
    }

    /// Reads `text` as [`Config::load`] would if it were the file at `path`.
    pub fn parse(
        path: &Path,
        text: String,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        Self::from_file(path, Some(&FileText { text, mode: 0o600 }), environment)
    }

    /// Returns the source of the setting `key`; `None` for a key that does not exist.
    pub fn source_of(&self, key: &str) -> Option<&SettingSource> {
        self.sources.get(key)
    }

    /// Returns every secret that is set, so that logs can mask them.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let mirakl = match &self.mirakl.credentials {
            MiraklCredentials::Key(secret)
            | MiraklCredentials::Bearer(secret)
            | MiraklCredentials::Client { secret, .. } => secret,
        };
        let always = [mirakl, &self.hipay.password, &self.hipay.enterprise_passphrase];
        let mail = self.mail.as_ref().and_then(|mail| mail.password.as_ref());
        let others = [&self.server.metrics_token, &self.dashboard.api_token, &self.update.token, &self.network.proxy];
        let users = self.dashboard.users.iter().map(|user| &user.password_hash);
        always.into_iter().chain(others.into_iter().flatten()).chain(mail).chain(users).chain(self.alert.secrets())
    }

    fn from_file(
        path: &Path,
        file: Option<&FileText>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let environment: Vec<_> = environment.into_iter().collect();
        let mut reader = SettingsReader::new(Layers::gather(path, file, &environment)?);
        let made = Self::read(&mut reader);
        let layers = reader.finish()?;
        let sources = layers.settings.into_iter().map(|(key, setting)| (key, setting.source)).collect();
        match made {
            Ok(config) => Ok(Self { notices: layers.notices, sources, ..config }),
            // A reader that returns `Noted` has recorded a mistake, so `finish` has failed before this point.
            Err(reader::Noted) => Err(ConfigError::of_file(layers.path.display(), msg!("setting-wrong")).into()),
        }
    }

    fn read(reader: &mut SettingsReader) -> ReadValue<Self> {
        let mirakl = remotes::mirakl(reader);
        let hipay = remotes::hipay(reader);
        let technical = remotes::account(reader, "account.technical.email", "account.technical.hipayId");
        let operator = remotes::account(reader, "account.operator.email", "account.operator.hipayId");
        let labels = sections::labels(reader);
        let cycle = sections::cycle(reader);
        let cashout = sections::cashout(reader);
        let country_filter = reader.list("country.filter", values::country);
        let schedule = sections::schedule(reader);
        let server = sections::server(reader);
        let dashboard = sections::dashboard(reader);
        let mail = sections::mail(reader, technical.as_ref().ok().map(|account| account.email.as_str()));
        let network = sections::network(reader);
        let alert = sections::alert(reader);
        let telemetry = sections::telemetry(reader);
        let logs = sections::logs(reader);
        let retention = sections::retention(reader);
        let update = sections::update(reader);
        let (network, server): (NetworkConfig, ServerConfig) = (network?, server?);
        let mut mail = mail?;
        if let Some(mail) = &mut mail {
            mail.ca_files.extend(network.ca_file.clone().map(|file| ("tls.caFile", file)));
            mail.ehlo = mail.ehlo.take().or_else(|| server.public_host());
        }
        Ok(Self {
            mirakl: mirakl?,
            hipay: hipay?,
            technical_account: technical?,
            operator_account: operator?,
            labels: labels?,
            cycle: cycle?,
            cashout: cashout?,
            country_filter: country_filter?,
            schedule: schedule?,
            server,
            dashboard: dashboard?,
            mail,
            network,
            alert: alert?,
            telemetry: telemetry?,
            logs: logs?,
            retention: retention?,
            update: update?,
            notices: Vec::new(),
            sources: BTreeMap::new(),
        })
    }
}

/// Returns this process's environment for [`Config::load`]. Bytes that are not UTF-8 become replacement
/// characters, which no setting accepts, so that they are refused by name.
pub fn process_environment() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let handed_over = HANDED_OVER.get().into_iter().flatten();
    let handed_over =
        handed_over.map(|(key, value)| (format!("{}{key}", layers::CREDENTIAL), value.expose().to_owned()));
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).chain(handed_over).collect()
}

/// Credentials of this process, read by a guard that has the permission.
static HANDED_OVER: OnceLock<Vec<(String, Secret)>> = OnceLock::new();

/// Adds these settings to [`process_environment`]. Must be called once, before anything is read.
pub fn hand_over(credentials: Vec<(String, Secret)>) {
    let _ = HANDED_OVER.set(credentials);
}

/// Returns the credentials that systemd provides to this process: each file's name and the open file.
pub fn credentials() -> Vec<(String, File)> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let open = |entry: std::fs::DirEntry| Some((entry.file_name().into_string().ok()?, File::open(entry.path()).ok()?));
    entries.filter_map(open).take(MAX_CREDENTIALS).collect()
}

/// Returns the credentials as environment variables for the same settings.
pub fn credentials_as_variables() -> Vec<(String, String)> {
    let of = |(key, file): (String, File)| Some((layers::variable_of(&key), io::read_to_string(file).ok()?));
    credentials().into_iter().filter_map(of).collect()
}

/// Maximum number of credentials; more than there are secret settings.
const MAX_CREDENTIALS: usize = 32;
