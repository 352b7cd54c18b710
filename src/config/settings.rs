//! The settings as the rest of the program reads them: plain, typed, already checked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use croner::Cron;
use ipnet::IpNet;
use jiff::SignedDuration;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::voucher::VoucherSource;
use crate::platform::secret::Secret;
use crate::text::{Locale, Word};
use std::borrow::Cow;

/// How to reach Mirakl.
#[derive(Debug, Clone)]
pub struct MiraklConfig {
    /// The instance's address, without `/api` and without a slash at the end.
    pub base_url: String,
    /// How to sign in there.
    pub credentials: MiraklCredentials,
    /// Where vouchers are read.
    pub voucher_source: VoucherSource,
}

/// One of the ways to sign in at Mirakl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MiraklCredentials {
    /// The operator's key, sent as it is in `Authorization`.
    Key(Secret),
    /// A token, sent as `Authorization: Bearer`.
    Bearer(Secret),
    /// OAuth2 client credentials.
    Client {
        /// The client's id.
        id: String,
        /// The client's secret.
        secret: Secret,
        /// The address that hands out tokens.
        auth_url: String,
    },
}

/// How to reach HiPay, and what it needs to know about new accounts.
#[derive(Debug, Clone)]
pub struct HiPayConfig {
    /// The host's address, without `/api` and without a slash at the end.
    pub base_url: String,
    /// Web service login of the technical account.
    pub login: String,
    /// Web service password of the technical account.
    pub password: Secret,
    /// Id of the technical account in payment references, where it is not the account's id.
    pub technical_marketplace_id: Option<String>,
    /// Entity of new accounts.
    pub entity: String,
    /// Merchant group of new accounts.
    pub merchant_group: String,
    /// Language and country of new accounts, such as `fr_FR`.
    pub locale: String,
    /// The zone of cycles, schedules and shown dates.
    pub time_zone: TimeZone,
    /// That zone's name.
    pub time_zone_name: String,
    /// Requests in flight at once, 1 to 64.
    pub max_concurrency: usize,
    /// Which documents are sent, in the order of the file.
    pub document_types: Vec<DocumentType>,
    /// Passphrase of payment notifications; empty where none is set.
    pub enterprise_passphrase: Secret,
    /// Hash of the signature of payment notifications.
    pub enterprise_hash: HashAlgorithm,
}

/// One kind of document that HiPay wants of a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentType {
    /// Type code in Mirakl.
    pub mirakl_type: String,
    /// Type number at HiPay.
    pub hipay_type: u32,
    /// Type code in Mirakl of the back side, where there can be one.
    pub back: Option<String>,
    /// HiPay wants to know until when it is valid.
    pub needs_validity_date: bool,
}

/// Hash of a payment notification's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-1, of older accounts.
    Sha1,
    /// SHA-256, HiPay's present default.
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

/// When Mirakl settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleConfig {
    /// Days of the month, 1 to 28, ascending, at least one.
    pub days: Vec<i8>,
    /// Hour, 0 to 23, in the configured zone.
    pub hour: i8,
    /// Minute, 0 to 59.
    pub minute: i8,
    /// How long before that moment the window of vouchers opens.
    pub before: SignedDuration,
    /// How long after that moment it closes.
    pub after: SignedDuration,
}

/// Choices of the cash-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashoutConfig {
    /// What happens to negative vouchers.
    pub negative_vouchers: NegativeVouchers,
    /// The treatment of vouchers that no cycle's window contains.
    pub outside_cycles: OutsideCycles,
    /// First cycle this installation is responsible for; none: the day of its first batch on a new store.
    pub first_cycle: Option<Date>,
}

/// What happens to negative vouchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativeVouchers {
    /// They are netted with the next positive ones.
    Adjust,
    /// They are recorded only.
    Ignore,
}

/// The treatment of vouchers that no cycle's window contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideCycles {
    /// They are held for a person.
    Hold,
    /// They are paid with the next cycle.
    Next,
}

/// When each batch runs, in the configured zone; nothing: it is switched off.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// `vendor:process` for the last 24 hours.
    pub vendor_process: Option<Cron>,
    /// `cashout:generate`.
    pub cashout_generate: Option<Cron>,
    /// `cashout:transfer`.
    pub cashout_transfer: Option<Cron>,
    /// `cashout:withdraw`.
    pub cashout_withdraw: Option<Cron>,
    /// `cashout:transaction:status:sync`.
    pub transaction_status_sync: Option<Cron>,
}

/// How pages and notifications are served.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The address others reach this server under, without a slash at the end.
    pub public_url: Option<String>,
    /// The path of that address, without a slash at its end; empty where it has none.
    pub public_path: String,
    /// Certificate and key, where TLS is done here.
    pub tls: Option<TlsConfig>,
    /// Proxies whose word about the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Token of the metrics on `listen`; none: they are not shown there.
    pub metrics_token: Option<Secret>,
    /// Address and port on which the metrics alone are shown, without a token.
    pub metrics_listen: Option<SocketAddr>,
}

impl ServerConfig {
    /// True for an address whose word about the client is believed.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// The host of `server.publicUrl`.
    pub fn public_host(&self) -> Option<String> {
        let url = reqwest::Url::parse(self.public_url.as_ref()?).ok()?;
        url.domain().filter(|name| name.contains('.')).map(str::to_owned)
    }

    /// Where HiPay is to send the notifications about the vendors' wallets; `None` while `server.publicUrl` is
    /// not set.
    pub fn wallet_notifications_url(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{}/notifications/wallet", url.trim_end_matches('/')))
    }
}

/// Files of a TLS certificate, PEM, absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Who may use the dashboard, and in which language.
#[derive(Debug, Clone)]
pub struct DashboardConfig {
    /// Language of the pages; none: the browser's.
    pub locale: Option<Locale>,
    /// Token of the JSON API; none: no token works.
    pub api_token: Option<Secret>,
    /// People besides the technical account.
    pub users: Vec<DashboardUser>,
}

/// Somebody who may sign in to the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardUser {
    /// The name to sign in with.
    pub name: String,
    /// Argon2id hash of the password in its text form.
    pub password_hash: Secret,
    /// What this person may do.
    pub role: Role,
}

/// What somebody may do in the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// See everything.
    Viewer,
    /// Also run batches and change settings.
    Operator,
}

/// Where alerts are mailed.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Encryption.
    pub security: MailSecurity,
    /// User name; none: without signing in.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Subject of every alert.
    pub subject: String,
    /// Recipients, at least one.
    pub to: Vec<String>,
    /// Sender.
    pub from: String,
    /// More certificate authorities that may vouch for the mail server: files in PEM, each with its setting.
    pub ca_files: Vec<(&'static str, PathBuf)>,
    /// The name by which this machine greets the mail server; none: one that it finds.
    pub ehlo: Option<String>,
    /// When the digest of the day before is mailed, in the configured zone; none: never.
    pub digest: Option<Time>,
}

/// Encryption on the way to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// None.
    None,
    /// STARTTLS, refused where the server cannot.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The way to other machines.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// More certificate authorities that may vouch for them: a file in PEM.
    pub ca_file: Option<PathBuf>,
    /// The proxy in front of them; it may hold a password. None: that of the environment.
    pub proxy: Option<Secret>,
    /// Hosts, domains and networks without the proxy.
    pub no_proxy: Vec<String>,
}

/// Traces.
#[derive(Debug, Clone, Default)]
pub struct TelemetryConfig {
    /// Address of a collector that takes OTLP over HTTP, without a trailing slash; none: no traces.
    pub otlp: Option<String>,
}

/// Channels of alerts beside mail.
#[derive(Debug, Clone, Default)]
pub struct AlertConfig {
    /// The address of a webhook, and the key that its messages are signed with.
    pub webhook: Option<(String, Secret)>,
    /// The address of an incoming webhook of Slack: whoever knows it may write there.
    pub slack: Option<Secret>,
    /// The address of a workflow of Microsoft Teams: likewise.
    pub teams: Option<Secret>,
    /// The address of `PagerDuty`'s events, and the key of a service there.
    pub pager_duty: Option<(String, Secret)>,
}

impl AlertConfig {
    /// Returns true where nothing is set.
    pub fn is_empty(&self) -> bool {
        self.webhook.is_none() && self.slack.is_none() && self.teams.is_none() && self.pager_duty.is_none()
    }

    /// Every secret that is set.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let keys = [&self.webhook, &self.pager_duty].into_iter().flatten().map(|(_, secret)| secret);
        keys.chain(self.slack.iter()).chain(self.teams.iter())
    }
}

/// Which log lines go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsConfig {
    /// Least level that is mailed; none: no line is.
    pub alert_level: Option<LogLevel>,
    /// Least level that is kept in the store; none: no line is.
    pub store_level: Option<LogLevel>,
    /// A file that gets every line as well.
    pub file: Option<PathBuf>,
}

/// Severity of a log line, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// 100
    Debug,
    /// 200
    Info,
    /// 250
    Notice,
    /// 300
    Warning,
    /// 400
    Error,
    /// 500
    Critical,
    /// 550
    Alert,
    /// 600
    Emergency,
}

impl LogLevel {
    /// Every level, ascending.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The number that stands for it in the configuration.
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

    /// The level of this number, or the next one below it: another release may know more.
    pub fn of_number(number: u16) -> Self {
        Self::ALL.into_iter().rev().find(|level| level.number() <= number).unwrap_or(Self::Debug)
    }

    /// The level of this name, in whatever case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// Its name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
            Self::Alert => "ALERT",
            Self::Emergency => "EMERGENCY",
        }
    }
}

/// How long things are kept, in days; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Log lines.
    pub logs_days: u32,
    /// How many log lines there may be; 0 is any number.
    pub log_lines: u64,
    /// Executed batches.
    pub batches_days: u32,
    /// Notifications as they were received.
    pub notifications_days: u32,
    /// Personal data of customers in their payments, and of vendors that Mirakl no longer returns.
    pub personal_data_days: u32,
}

/// Where new releases come from, and what is installed unasked.
#[derive(Debug, Clone)]
pub struct UpdateConfig {
    /// Token of GitHub; none: no update from the browser.
    pub token: Option<Secret>,
    /// Which releases.
    pub channel: UpdateChannel,
    /// What is installed unasked.
    pub auto: UpdateAuto,
    /// When that may happen, in the configured zone.
    pub window: TimeWindow,
    /// `owner/name`; none: no update from the browser.
    pub repository: Option<String>,
    /// Address of GitHub's API, without a slash at the end.
    pub api_url: String,
}

/// Which releases are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateChannel {
    /// Finished ones.
    Stable,
    /// Pre-releases too.
    Beta,
}

/// What is installed unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateAuto {
    /// Nothing.
    Off,
    /// Newer releases of the same major and minor version.
    Patch,
}

/// A time of day to another; where `to` is the earlier one, it crosses midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindow {
    /// When it opens.
    pub from: Time,
    /// When it closes.
    pub to: Time,
}

impl TimeWindow {
    /// Whether a time of day is in it. It closes just before `to`.
    pub fn contains(self, time: Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

impl Word for Role {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Viewer => "role-viewer",
            Self::Operator => "role-operator",
        }))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    #[test]
    fn a_window_may_cross_midnight() {
        let night = TimeWindow { from: time(23, 30, 0, 0), to: time(1, 0, 0, 0) };
        let early = TimeWindow { from: time(3, 0, 0, 0), to: time(5, 0, 0, 0) };
        for (hour, minute, in_night, in_early) in [
            (23, 29, false, false),
            (23, 30, true, false),
            (0, 59, true, false),
            (1, 0, false, false),
            (3, 0, false, true),
            (5, 0, false, false),
        ] {
            let time = time(hour, minute, 0, 0);
            assert_eq!((night.contains(time), early.contains(time)), (in_night, in_early), "{time}");
        }
    }
}
