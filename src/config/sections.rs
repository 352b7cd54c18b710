//! The typed settings of the program itself, section by section. Every setting of a section is read before the
//! first mistake ends it, so that all mistakes are reported at once.

use std::collections::BTreeSet;

use argon2::password_hash::phc::PasswordHash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::Value;

use super::document::known_fields;
use super::error::quote_value;
use super::reader::{ReadValue, SettingsReader};
use super::settings::{
    AlertConfig, CashoutConfig, CycleConfig, DashboardConfig, DashboardUser, Labels, LogsConfig, MailConfig,
    MailSecurity, NegativeVouchers, NetworkConfig, OutsideCycles, RetentionConfig, Role, ScheduleConfig, ServerConfig,
    TelemetryConfig, TlsConfig, UpdateAuto, UpdateChannel, UpdateConfig,
};
use super::values;
use crate::domain::label::{PLACEHOLDERS, unknown_placeholders};
use crate::platform::secret::Secret;
use crate::text::Locale;
use crate::text::message::{Message, msg};

/// Example of a dashboard user in the configuration.
const USER: &str = "{ name: …, passwordHash: …, role: viewer }";
/// Example of a password hash.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$…$…";

/// Minimum length of a token, in characters; too long to be guessed by brute force.
const MIN_TOKEN_LENGTH: usize = 16;

pub(super) fn labels(reader: &mut SettingsReader) -> ReadValue<Labels> {
    let public = label(reader, "label.public");
    let private = label(reader, "label.private");
    let withdraw = label(reader, "label.withdraw");
    Ok(Labels { public: public?, private: private?, withdraw: withdraw? })
}

fn label(reader: &mut SettingsReader, key: &str) -> ReadValue<String> {
    let template = reader.required(key, values::any_text)?;
    for name in unknown_placeholders(&template) {
        let name = quote_value(&format!("{{{{{name}}}}}"));
        let known = PLACEHOLDERS.map(|known| format!("{{{{{known}}}}}")).join(", ");
        reader.warn(msg!("log-placeholder-unknown", setting = key, name, known));
    }
    Ok(template)
}

pub(super) fn cycle(reader: &mut SettingsReader) -> ReadValue<CycleConfig> {
    let days = cycle_days(reader);
    let hour = reader.required("cycle.hour", values::within(0..=23));
    let minute = reader.required("cycle.minute", values::within(0..=59));
    let before = reader.required("cycle.interval.before", values::interval);
    let after = reader.required("cycle.interval.after", values::interval);
    Ok(CycleConfig { days: days?, hour: hour?, minute: minute?, before: before?, after: after? })
}

fn cycle_days(reader: &mut SettingsReader) -> ReadValue<Vec<i8>> {
    const KEY: &str = "cycle.days";
    let mut days = reader.list(KEY, values::cycle_day)?;
    if days.is_empty() {
        return Err(reader.refuse(KEY, msg!("cycle-no-day")));
    }
    days.sort_unstable();
    let twice = days.iter().zip(days.iter().skip(1)).find(|(day, next)| day == next).map(|(day, _)| *day);
    match twice {
        Some(day) => Err(reader.refuse(KEY, msg!("cycle-day-twice", day = i64::from(day)))),
        None => Ok(days),
    }
}

pub(super) fn cashout(reader: &mut SettingsReader) -> ReadValue<CashoutConfig> {
    let choices = [("adjust", NegativeVouchers::Adjust), ("ignore", NegativeVouchers::Ignore)];
    let negative_vouchers = reader.required("cashout.negativeVouchers", values::one_of(&choices));
    let outside = [("hold", OutsideCycles::Hold), ("next", OutsideCycles::Next)];
    let outside_cycles = reader.required("cashout.outsideCycles", values::one_of(&outside));
    let first_cycle = reader.optional("cashout.firstCycle", |text| {
        text.trim().parse().map_err(|_| msg!("value-date", value = quote_value(text)))
    });
    Ok(CashoutConfig {
        negative_vouchers: negative_vouchers?,
        outside_cycles: outside_cycles?,
        first_cycle: first_cycle?,
    })
}

pub(super) fn schedule(reader: &mut SettingsReader) -> ReadValue<ScheduleConfig> {
    let vendor_process = reader.optional("schedule.vendorProcess", values::cron);
    let cashout_generate = reader.optional("schedule.cashoutGenerate", values::cron);
    let cashout_transfer = reader.optional("schedule.cashoutTransfer", values::cron);
    let cashout_withdraw = reader.optional("schedule.cashoutWithdraw", values::cron);
    let transaction_status_sync = reader.optional("schedule.transactionStatusSync", values::cron);
    Ok(ScheduleConfig {
        vendor_process: vendor_process?,
        cashout_generate: cashout_generate?,
        cashout_transfer: cashout_transfer?,
        cashout_withdraw: cashout_withdraw?,
        transaction_status_sync: transaction_status_sync?,
    })
}

pub(super) fn server(reader: &mut SettingsReader) -> ReadValue<ServerConfig> {
    let listen = reader.required("server.listen", values::socket_address);
    let public_url = reader.optional("server.publicUrl", values::public_url);
    let certificate = reader.optional("server.tls.certificate", values::absolute_path);
    let key = reader.optional("server.tls.key", values::absolute_path);
    let trusted_proxies = reader.list("server.trustedProxies", values::network);
    let metrics_token = reader.optional_secret("server.metricsToken", MIN_TOKEN_LENGTH);
    let metrics_listen = reader.optional("server.metricsListen", values::socket_address);
    let tls = reader.both(("server.tls.certificate", certificate?), ("server.tls.key", key?));
    let (listen, public_url, tls) = (listen?, public_url?, tls?);
    if !listen.ip().is_loopback() && tls.is_none() && public_url.is_none() {
        reader.warn(msg!("log-listens-unencrypted", address = listen.to_string()));
    }
    Ok(ServerConfig {
        listen,
        public_path: public_url.as_deref().map(values::path_of).unwrap_or_default(),
        public_url,
        tls: tls.map(|(certificate, key)| TlsConfig { certificate, key }),
        trusted_proxies: trusted_proxies?,
        metrics_token: metrics_token?,
        metrics_listen: metrics_listen?,
    })
}

pub(super) fn dashboard(reader: &mut SettingsReader) -> ReadValue<DashboardConfig> {
    let locales = [("en", Locale::English), ("fr", Locale::French)];
    let locale = reader.optional("dashboard.locale", values::one_of(&locales));
    let api_token = reader.optional_secret("dashboard.apiToken", MIN_TOKEN_LENGTH);
    let users = dashboard_users(reader);
    Ok(DashboardConfig { locale: locale?, api_token: api_token?, users: users? })
}

fn dashboard_users(reader: &mut SettingsReader) -> ReadValue<Vec<DashboardUser>> {
    const KEY: &str = "dashboard.users";
    let Value::Sequence(rows) = reader.structure(KEY)? else {
        return Err(reader.refuse(KEY, msg!("users-no-list", example = USER)));
    };
    let mut names = BTreeSet::new();
    let users = (1_usize..).zip(&rows).map(|(number, row)| match dashboard_user(row) {
        Ok(user) if !names.insert(user.name.clone()) => Err(msg!("user-twice", number, name = quote_value(&user.name))),
        Ok(user) => Ok(user),
        Err(problem) => Err(msg!("user-wrong", number, problem)),
    });
    reader.all(KEY, users)
}

/// Reads one dashboard user. The messages quote no value but the role: a typing error may have put the password
/// into any other field.
fn dashboard_user(row: &Value) -> Result<DashboardUser, Message> {
    let Value::Mapping(row) = row else {
        return Err(msg!("user-no-map", example = USER));
    };
    let field = known_fields(row, &["name", "passwordHash", "role"])?;
    let name = field("name").ok_or_else(|| msg!("user-lacks", field = "name"))?;
    let password_hash = field("passwordHash").ok_or_else(|| msg!("user-lacks", field = "passwordHash"))?;
    if !is_argon2id(&password_hash) {
        return Err(msg!("user-hash", example = HASH));
    }
    let role = field("role").ok_or_else(|| msg!("user-no-role"))?;
    let role = values::one_of(&Role::ALL.map(|role| (role.name(), role)))(&role).map_err(|_| msg!("user-role"))?;
    Ok(DashboardUser { name, password_hash: Secret::new(password_hash), role })
}

/// Returns true for an Argon2id hash that a password can be verified against.
fn is_argon2id(text: &str) -> bool {
    PasswordHash::new(text).is_ok_and(|hash| {
        hash.algorithm.as_str() == "argon2id"
            && hash.salt.is_some()
            && hash.hash.is_some()
            && argon2::Params::try_from(&hash).is_ok()
    })
}

/// Reads the settings of mail. Without a sender of their own, alerts come from `sender`, if that is known.
pub(super) fn mail(reader: &mut SettingsReader, sender: Option<&str>) -> ReadValue<Option<MailConfig>> {
    let host = reader.optional("mail.host", values::any_text);
    let port = reader.required("mail.port", values::within(1..=u16::MAX));
    let securities = [
        ("none", MailSecurity::None),
        ("tls", MailSecurity::StartTls),
        ("starttls", MailSecurity::StartTls),
        ("ssl", MailSecurity::Tls),
    ];
    let security = reader.required("mail.security", values::one_of(&securities));
    let username = reader.optional("mail.username", values::any_text);
    let password = reader.optional_secret("mail.password", 1);
    let subject = reader.required("mail.subject", values::any_text);
    let to = reader.list("mail.to", values::email);
    let from = reader.optional("mail.from", values::email);
    let ca_file = reader.optional("mail.tls.caFile", values::absolute_path);
    let digest = reader.optional("mail.digest", values::time_of_day);
    let ehlo = reader.optional("mail.ehlo", values::host_name);
    let (host, to, from) = (host?, to?, from?.or(sender.map(str::to_owned)));
    let (Some(host), Some(from)) = (host, from) else { return Ok(None) };
    if to.is_empty() {
        reader.warn(msg!("log-mail-without-recipient"));
        return Ok(None);
    }
    Ok(Some(MailConfig {
        host,
        port: port?,
        security: security?,
        username: username?,
        password: password?,
        subject: subject?,
        to,
        from,
        ca_files: ca_file?.map(|file| ("mail.tls.caFile", file)).into_iter().collect(),
        ehlo: ehlo?,
        digest: digest?,
    }))
}

pub(super) fn network(reader: &mut SettingsReader) -> ReadValue<NetworkConfig> {
    let ca_file = reader.optional("tls.caFile", values::absolute_path);
    let proxy = reader.optional("network.proxy", |text| {
        let url = reqwest::Url::parse(text.trim()).ok();
        let good = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The address may contain a password, so it is not shown.
        good.map(|url| Secret::new(url.as_str())).ok_or_else(|| msg!("value-proxy"))
    });
    let no_proxy = reader.list("network.noProxy", values::without_proxy);
    if matches!((&proxy, &no_proxy), (Ok(None), Ok(hosts)) if !hosts.is_empty()) {
        reader.warn(msg!("log-no-proxy-ignored"));
    }
    Ok(NetworkConfig { ca_file: ca_file?, proxy: proxy?, no_proxy: no_proxy? })
}

pub(super) fn telemetry(reader: &mut SettingsReader) -> ReadValue<TelemetryConfig> {
    Ok(TelemetryConfig { otlp: reader.optional("telemetry.otlp", values::url)? })
}

/// Prefix of a webhook's secret (Standard Webhooks).
const WEBHOOK_SECRET: &str = "whsec_";

pub(super) fn alert(reader: &mut SettingsReader) -> ReadValue<AlertConfig> {
    let webhook = reader.optional("alert.webhook.url", values::address);
    let secret = reader.optional("alert.webhook.secret", |text| {
        let key = text.trim().strip_prefix(WEBHOOK_SECRET).and_then(|text| STANDARD.decode(text).ok());
        let key = key.filter(|key| (24..=64).contains(&key.len())).ok_or_else(|| msg!("value-webhook-secret"))?;
        Ok(Secret::new(format!("{WEBHOOK_SECRET}{}", STANDARD.encode(key))))
    });
    let secret_address = |text: &str| match values::address(text) {
        Ok(address) => Ok(Secret::new(address)),
        // The address is a secret, so it is not shown.
        Err(_) => Err(msg!("value-url-secret")),
    };
    let slack = reader.optional("alert.slack.url", secret_address);
    let teams = reader.optional("alert.teams.url", secret_address);
    let routing_key = reader.optional_secret("alert.pagerduty.routingKey", MIN_TOKEN_LENGTH);
    let pager_duty = reader.required("alert.pagerduty.url", values::url);
    let webhook = reader.both(("alert.webhook.url", webhook?), ("alert.webhook.secret", secret?))?;
    let pager_duty = pager_duty?;
    Ok(AlertConfig { webhook, slack: slack?, teams: teams?, pager_duty: routing_key?.map(|key| (pager_duty, key)) })
}

pub(super) fn logs(reader: &mut SettingsReader) -> ReadValue<LogsConfig> {
    let alert_level = reader.required("email.logger.alert.level", values::log_level);
    let store_level = reader.required("db.logger.level", values::log_level);
    let file = reader.optional("log.file.path", |text| Ok(text.into()));
    Ok(LogsConfig { alert_level: alert_level?, store_level: store_level?, file: file? })
}

pub(super) fn retention(reader: &mut SettingsReader) -> ReadValue<RetentionConfig> {
    let logs_days = reader.required("retention.logs", values::retention_days);
    let log_lines = reader.required("retention.logLines", values::log_lines);
    let batches_days = reader.required("retention.batches", values::retention_days);
    let notifications_days = reader.required("retention.notifications", values::retention_days);
    let personal_data_days = reader.required("retention.personalData", values::retention_days);
    Ok(RetentionConfig {
        logs_days: logs_days?,
        log_lines: log_lines?,
        batches_days: batches_days?,
        notifications_days: notifications_days?,
        personal_data_days: personal_data_days?,
    })
}

pub(super) fn update(reader: &mut SettingsReader) -> ReadValue<UpdateConfig> {
    let token = reader.optional_secret("github.token", 1);
    let channels = [("stable", UpdateChannel::Stable), ("beta", UpdateChannel::Beta)];
    let channel = reader.required("update.channel", values::one_of(&channels));
    let autos = [("off", UpdateAuto::Off), ("patch", UpdateAuto::Patch)];
    let auto = reader.required("update.auto", values::one_of(&autos));
    let window = reader.required("update.window", values::time_window);
    let repository = reader.optional("update.repository", values::repository);
    let api_url = reader.required("update.apiUrl", values::url);
    Ok(UpdateConfig {
        token: token?,
        channel: channel?,
        auto: auto?,
        window: window?,
        repository: repository?,
        api_url: api_url?,
    })
}
