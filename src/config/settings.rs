//! The settings in the form that the rest of the program uses: plain, typed, validated.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use croner::Cron;
use ipnet::IpNet;
use jiff::SignedDuration;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::voucher::VoucherSource;
use crate::platform::secret::Secret;
use crate::platform::variants::named;
use crate::text::{Locale, word_by_name};

/// Address and credentials of Mirakl.
#[derive(Debug, Clone)]
pub struct MiraklConfig {
    /// Address of the instance, without `/api` and without a trailing slash.
    pub base_url: String,
    /// Credentials for the API.
    pub credentials: MiraklCredentials,
    /// Source of vouchers.
    pub voucher_source: VoucherSource,
}

/// One of the ways to authenticate with Mirakl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MiraklCredentials {
    /// The operator's key, sent unchanged in `Authorization`.
    Key(Secret),
    /// A token, sent as `Authorization: Bearer`.
    Bearer(Secret),
    /// OAuth2 client credentials.
    Client {
        /// Id of the client.
        id: String,
        /// Secret of the client.
        secret: Secret,
        /// Address that issues tokens.
        auth_url: String,
    },
}

/// Address and credentials of HiPay, and settings of new accounts.
#[derive(Debug, Clone)]
pub struct HiPayConfig {
    /// Address of the host, without `/api` and without a trailing slash.
    pub base_url: String,
    /// Web service login of the technical account.
    pub login: String,
    /// Web service password of the technical account.
    pub password: Secret,
    /// Id of the technical account in payment references, if it differs from the account's id.
    pub technical_marketplace_id: Option<String>,
    /// Entity of new accounts.
    pub entity: String,
    /// Merchant group of new accounts.
    pub merchant_group: String,
    /// Language and country of new accounts, such as `fr_FR`.
    pub locale: String,
    /// Time zone of cycles, schedules and displayed dates.
    pub time_zone: TimeZone,
    /// Name of that time zone.
    pub time_zone_name: String,
    /// Maximum number of concurrent requests, 1 to 64.
    pub max_concurrency: usize,
    /// Documents to send, in the order of the file.
    pub document_types: Vec<DocumentType>,
    /// Passphrase of payment notifications; empty if none is set.
    pub enterprise_passphrase: Secret,
    /// Hash of the signature of payment notifications.
    pub enterprise_hash: HashAlgorithm,
}

/// One kind of document that HiPay requires from a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentType {
    /// Type code in Mirakl.
    pub mirakl_type: String,
    /// Type number at HiPay.
    pub hipay_type: u32,
    /// Type code in Mirakl of the back side, if the document can have one.
    pub back: Option<String>,
    /// Requirement of an expiry date at HiPay.
    pub needs_validity_date: bool,
}

/// Hash of a payment notification's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-1, of older accounts.
    Sha1,
    /// SHA-256, HiPay's current default.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// One of the marketplace's own HiPay accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConfig {
    /// E-mail address.
    pub email: String,
    /// HiPay ID.
    pub hipay_id: u64,
}

/// Templates of the labels of payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Label of a transfer that the vendor sees.
    pub public: String,
    /// Label of a transfer that only the operator sees.
    pub private: String,
    /// Label of a withdrawal.
    pub withdraw: String,
}

/// Mirakl's settlement cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleConfig {
    /// Days of the month, 1 to 28, ascending, at least one.
    pub days: Vec<i8>,
    /// Hour, 0 to 23, in the configured time zone.
    pub hour: i8,
    /// Minute, 0 to 59.
    pub minute: i8,
    /// Time between the opening of the voucher window and that moment.
    pub before: SignedDuration,
    /// Time between that moment and the closing of the window.
    pub after: SignedDuration,
}

/// Options of the cash-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashoutConfig {
    /// Treatment of negative vouchers.
    pub negative_vouchers: NegativeVouchers,
    /// Treatment of vouchers outside the window of every cycle.
    pub outside_cycles: OutsideCycles,
    /// First cycle this installation is responsible for; `None` for the day of its first batch on a new store.
    pub first_cycle: Option<Date>,
}

/// Treatment of negative vouchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativeVouchers {
    /// Netting with the next positive vouchers.
    Adjust,
    /// Recording only.
    Ignore,
}

/// Treatment of vouchers outside the window of every cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideCycles {
    /// A hold until an operator decides.
    Hold,
    /// Payment with the next cycle.
    Next,
}

/// The schedule of each batch, in the configured time zone; `None` switches a batch off.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// Schedule of `vendor:process` for the last 24 hours.
    pub vendor_process: Option<Cron>,
    /// Schedule of `cashout:generate`.
    pub cashout_generate: Option<Cron>,
    /// Schedule of `cashout:transfer`.
    pub cashout_transfer: Option<Cron>,
    /// Schedule of `cashout:withdraw`.
    pub cashout_withdraw: Option<Cron>,
    /// Schedule of `cashout:transaction:status:sync`.
    pub transaction_status_sync: Option<Cron>,
}

/// The server of pages and notifications.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Address at which others reach this server, without a trailing slash.
    pub public_url: Option<String>,
    /// Path of that address, without a trailing slash; empty if it has none.
    pub public_path: String,
    /// Certificate and key, if this server terminates TLS.
    pub tls: Option<TlsConfig>,
    /// Proxies that are trusted to report the client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Token of the metrics on `listen`; `None` if they are not available there.
    pub metrics_token: Option<Secret>,
    /// Address and port that serve only the metrics, without a token.
    pub metrics_listen: Option<SocketAddr>,
}

impl ServerConfig {
    /// Returns true for an address that is trusted to report the client's address.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Returns the host of `server.publicUrl` if it is a qualified domain name.
    pub fn public_host(&self) -> Option<String> {
        let url = reqwest::Url::parse(self.public_url.as_ref()?).ok()?;
        url.domain().filter(|name| name.contains('.')).map(str::to_owned)
    }

    /// Returns the address for HiPay's notifications about the vendors' wallets; `None` if `server.publicUrl`
    /// is not set.
    pub fn wallet_notifications_url(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{}/notifications/wallet", url.trim_end_matches('/')))
    }
}

/// Files of a TLS certificate, in PEM, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Users and language of the dashboard.
#[derive(Debug, Clone)]
pub struct DashboardConfig {
    /// Language of the pages; `None` for the browser's.
    pub locale: Option<Locale>,
    /// Token of the JSON API; `None` if no token is accepted.
    pub api_token: Option<Secret>,
    /// Users in addition to the technical account.
    pub users: Vec<DashboardUser>,
}

/// A person who may sign in to the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardUser {
    /// Name for signing in.
    pub name: String,
    /// Argon2id hash of the password, in its text form.
    pub password_hash: Secret,
    /// Permissions of this person.
    pub role: Role,
}

/// The permissions of a dashboard user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Permission to see everything.
    Viewer,
    /// Permission to run batches and change settings as well.
    Operator,
}

/// Server and addresses for mailing alerts.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Host of the mail server.
    pub host: String,
    /// Port of the mail server.
    pub port: u16,
    /// Encryption.
    pub security: MailSecurity,
    /// User name; `None` to send without signing in.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Subject of every alert.
    pub subject: String,
    /// Recipients, at least one.
    pub to: Vec<String>,
    /// Sender.
    pub from: String,
    /// Additional certificate authorities for the mail server: files in PEM, each with its setting.
    pub ca_files: Vec<(&'static str, PathBuf)>,
    /// Name by which this machine greets the mail server; `None` to determine one.
    pub ehlo: Option<String>,
    /// Time of the daily digest of the day before, in the configured time zone; `None` for no digest.
    pub digest: Option<Time>,
}

/// Encryption of the connection to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// No encryption.
    None,
    /// STARTTLS; the connection fails if the server does not support it.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// Proxy and certificates of outgoing connections.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// File in PEM with additional certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// Outgoing proxy, which may contain a password; `None` for that of the environment.
    pub proxy: Option<Secret>,
    /// Hosts, domains and networks that bypass the proxy.
    pub no_proxy: Vec<String>,
}

/// Export of traces.
#[derive(Debug, Clone, Default)]
pub struct TelemetryConfig {
    /// Address of a collector that accepts OTLP over HTTP, without a trailing slash; `None` for no traces.
    pub otlp: Option<String>,
}

/// Channels of alerts besides mail.
#[derive(Debug, Clone, Default)]
pub struct AlertConfig {
    /// Address of a webhook, and the key that its messages are signed with.
    pub webhook: Option<(String, Secret)>,
    /// Address of an incoming webhook of Slack; knowing it is enough to post there.
    pub slack: Option<Secret>,
    /// Address of a workflow of Microsoft Teams; knowing it is enough to post there.
    pub teams: Option<Secret>,
    /// Address of `PagerDuty`'s events API, and the key of a service there.
    pub pager_duty: Option<(String, Secret)>,
}

impl AlertConfig {
    /// Returns true if no channel is set.
    pub fn is_empty(&self) -> bool {
        self.webhook.is_none() && self.slack.is_none() && self.teams.is_none() && self.pager_duty.is_none()
    }

    /// Returns every secret that is set.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let keys = [&self.webhook, &self.pager_duty].into_iter().flatten().map(|(_, secret)| secret);
        keys.chain(self.slack.iter()).chain(self.teams.iter())
    }
}

/// Destinations of log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsConfig {
    /// Lowest level that is mailed; `None` for no lines.
    pub alert_level: Option<LogLevel>,
    /// Lowest level that is stored; `None` for no lines.
    pub store_level: Option<LogLevel>,
    /// File that gets every line as well.
    pub file: Option<PathBuf>,
}

/// Severity of a log line, ascending.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Level 100; the numbers are those of the configuration.
    Debug,
    /// Level 200.
    Info,
    /// Level 250.
    Notice,
    /// Level 300.
    Warning,
    /// Level 400.
    Error,
    /// Level 500.
    Critical,
    /// Level 550.
    Alert,
    /// Level 600.
    Emergency,
}

named!(pub LogLevel, pub Role);
word_by_name!(Role => "role");

impl LogLevel {
    /// Returns the number that stands for the level in the configuration.
    pub fn number(self) -> u16 {
        match self {
            Self::Debug => 100,
            Self::Info => 200,
            Self::Notice => 250,
            Self::Warning => 300,
            Self::Error => 400,
            Self::Critical => 500,
            Self::Alert => 550,
            Self::Emergency => 600,
        }
    }

    /// Returns the level of this number, or the next lower one: another release may have more levels.
    pub fn of_number(number: u16) -> Self {
        Self::ALL.into_iter().rev().find(|level| level.number() <= number).unwrap_or(Self::Debug)
    }

    /// Returns the level of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// Retention periods in days; 0 keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Period for log lines.
    pub logs_days: u32,
    /// Maximum number of log lines; 0 for no limit.
    pub log_lines: u64,
    /// Period for executed batches.
    pub batches_days: u32,
    /// Period for notifications as received.
    pub notifications_days: u32,
    /// Period for the personal data of customers in their payments, and of vendors that Mirakl no longer returns.
    pub personal_data_days: u32,
}

/// Source of new releases, and the releases to install automatically.
#[derive(Debug, Clone)]
pub struct UpdateConfig {
    /// GitHub token; `None` disables updates from the browser.
    pub token: Option<Secret>,
    /// Releases to offer.
    pub channel: UpdateChannel,
    /// Releases to install automatically.
    pub auto: UpdateAuto,
    /// Time of day for automatic installation, in the configured time zone.
    pub window: TimeWindow,
    /// Repository as `owner/name`; `None` disables updates from the browser.
    pub repository: Option<String>,
    /// Address of GitHub's API, without a trailing slash.
    pub api_url: String,
}

/// The releases to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateChannel {
    /// Final releases.
    Stable,
    /// Final releases and pre-releases.
    Beta,
}

/// The releases to install automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateAuto {
    /// No releases.
    Off,
    /// Newer releases of the same major and minor version.
    Patch,
}

/// A period of the day; it crosses midnight if `to` is earlier than `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindow {
    /// Start, inclusive.
    pub from: Time,
    /// End, exclusive.
    pub to: Time,
}

impl TimeWindow {
    /// Returns true if the window contains a time of day.
    pub fn contains(self, time: Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

#[cfg(test)]
mod tests;
