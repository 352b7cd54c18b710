//! Tests of configurations that are accepted, and of their visible effects.

mod refusals;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::layers::{DEFAULTS, is_unused, variable_of};
use super::*;
use crate::text::Locale;

/// Every required setting, and no others.
pub(crate) const REQUIRED: [(&str, &str); 11] = [
    ("mirakl.baseUrl", "https://marketplace.example.com"),
    ("mirakl.operatorKey", "key-of-the-operator"),
    ("hipay.wsLogin", "login"),
    ("hipay.wsPassword", "password"),
    ("hipay.baseRestUrl", "https://test-professional.hipay.com"),
    ("hipay.entity", "ENTITY"),
    ("hipay.merchantGroupId", "12"),
    ("account.technical.email", "technical@example.com"),
    ("account.technical.hipayId", "1001"),
    ("account.operator.email", "operator@example.com"),
    ("account.operator.hipayId", "1002"),
];

/// Returns an otherwise valid file with `line` on line 2.
fn file_with(line: &str) -> String {
    let key = line.split(':').next().unwrap_or_default();
    let others = REQUIRED.iter().filter(|(known, _)| *known != key);
    let others: Vec<String> = others.map(|(key, value)| format!("  {key}: {value}")).collect();
    format!("parameters:\n  {line}\n{}\n", others.join("\n"))
}

fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::parse(Path::new("parameters.yml"), text.to_owned(), variables(environment))
}

fn errors(text: &str) -> String {
    load_text(text, &[]).map_or_else(|errors| errors.to_string(), |_| String::new())
}

/// Returns variables in the form of [`process_environment`].
pub(crate) fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the variables of every required setting.
pub(crate) fn required_environment() -> Vec<(String, String)> {
    REQUIRED.iter().map(|(key, value)| (variable_of(key), (*value).to_owned())).collect()
}

fn keys_of_defaults() -> Vec<String> {
    document::parse("", DEFAULTS).unwrap().into_iter().map(|entry| entry.key).collect()
}

#[test]
fn the_defaults_are_those_of_the_commented_example() {
    let config = load_text(&file_with("debug: false"), &[]).unwrap();
    assert_eq!(config.cycle.days, [1, 11, 21]);
    assert_eq!((config.cycle.hour, config.cycle.minute), (0, 0));
    assert_eq!(config.cycle.before, SignedDuration::from_hours(12));
    assert_eq!((config.hipay.locale.as_str(), config.hipay.time_zone_name.as_str()), ("fr_FR", "Europe/Paris"));
    assert_eq!(config.hipay.max_concurrency, 8);
    assert_eq!(config.hipay.enterprise_hash, HashAlgorithm::Sha256);
    assert_eq!(
        config.cashout,
        CashoutConfig {
            negative_vouchers: NegativeVouchers::Adjust,
            outside_cycles: OutsideCycles::Hold,
            first_cycle: None,
        }
    );
    assert_eq!(config.mirakl.voucher_source.name(), "invoices");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.logs.alert_level, Some(LogLevel::Error));
    assert_eq!(config.logs.store_level, Some(LogLevel::Info));
    assert_eq!(config.schedule.cashout_generate.unwrap().as_str(), "30 0 * * *");
    assert!(config.mail.is_none() && config.country_filter.is_empty() && config.update.repository.is_none());
    let documents: Vec<_> = config.hipay.document_types.iter().map(|kind| kind.hipay_type).collect();
    assert_eq!(documents, [3, 4, 5, 7, 8, 9]);
    let identity = config.hipay.document_types.first().unwrap();
    assert_eq!(identity.back.as_deref(), Some("LEGAL_IDENTITY_OF_REP_REAR"));
    assert!(identity.needs_validity_date);
}

#[test]
fn every_setting_is_explained_and_every_default_is_valid() {
    let lines: Vec<&str> = DEFAULTS.lines().map(str::trim).collect();
    for key in keys_of_defaults() {
        let at = lines.iter().position(|line| line.starts_with(&format!("{key}:"))).unwrap();
        assert!(lines[at - 1].starts_with("# "), "{key} has no comment");
    }
    // The example itself lacks only the required settings.
    let missing = errors(DEFAULTS);
    for line in missing.lines() {
        assert!(line.contains("is required"), "{line}");
    }
    let variables: BTreeSet<String> = keys_of_defaults().iter().map(|key| variable_of(key)).collect();
    assert_eq!(variables.len(), keys_of_defaults().len(), "two settings share an environment variable");
}

#[test]
fn every_setting_that_is_listed_is_read() {
    for key in keys_of_defaults() {
        if is_unused(&key) && key != "hipay.transfer.withdraw.rest" {
            continue;
        }
        // The older name counts only if the newer one is absent.
        let text = file_with(&format!("{key}: [[[nothing takes this]]]"));
        let text = if key == "hipay.baseUrl" { text.replace("hipay.baseRestUrl", "debug") } else { text };
        let errors = errors(&text);
        assert!(errors.contains(&format!("parameters.yml:2: {key}: ")), "{key} is not read: {errors}");
    }
}

#[test]
fn without_a_file_everything_may_come_from_elsewhere() {
    let config = Config::load(Path::new("/nonexistent/parameters.yml"), required_environment()).unwrap();
    assert_eq!(config.technical_account.hipay_id, 1001);
    assert_eq!(
        config.source_of("hipay.wsLogin"),
        Some(&SettingSource::Environment { variable: "CASHOUT_HIPAY_WSLOGIN".to_owned() })
    );
    assert_eq!(config.source_of("cycle.hour"), Some(&SettingSource::Default));
    assert_eq!(config.source_of("no.such"), None);
}

#[test]
fn credentials_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    fs::write(&file, file_with("hipay.wsPassword: of-the-file")).unwrap();
    let load = |environment: &[(&str, &str)]| Config::load(&file, variables(environment)).unwrap();
    let credentials = folder.path().to_str().unwrap();
    let password = |config: &Config| config.hipay.password.expose().to_owned();

    assert_eq!(password(&load(&[])), "of-the-file");
    // An empty variable counts as not set.
    assert_eq!(password(&load(&[("CASHOUT_HIPAY_WSPASSWORD", "")])), "of-the-file");
    assert_eq!(password(&load(&[("CASHOUT_HIPAY_WSPASSWORD", "e")])), "e");
    fs::write(folder.path().join("hipay.wsPassword"), "c\n").unwrap();
    let config = load(&[("CASHOUT_HIPAY_WSPASSWORD", "e"), ("CREDENTIALS_DIRECTORY", credentials)]);
    assert_eq!(password(&config), "c");
    let source = SettingSource::Credential { path: folder.path().join("hipay.wsPassword") };
    assert_eq!(config.source_of("hipay.wsPassword"), Some(&source));
    assert_eq!(config.source_of("hipay.wsLogin"), Some(&SettingSource::File { path: file.clone(), line: 5 }));
    assert_eq!(config.source_of("hipay.entity"), Some(&SettingSource::File { path: file.clone(), line: 7 }));
}

#[test]
fn one_line_break_at_the_end_of_a_credential_is_not_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for (content, password) in [("a b", "a b"), ("a b\n", "a b"), ("a b\r\n", "a b")] {
        fs::write(folder.path().join("hipay.wsPassword"), content).unwrap();
        let mut environment = required_environment();
        environment.push(("CREDENTIALS_DIRECTORY".to_owned(), folder.path().to_str().unwrap().to_owned()));
        let config = Config::load(Path::new("/nonexistent"), environment).unwrap();
        assert_eq!(config.hipay.password.expose(), password);
    }
}

#[test]
fn variables_of_the_environment_are_named_in_what_is_said_about_them() {
    let text = file_with("debug: ~");
    let told = load_text(&text, &[("CASHOUT_CYCLE_HOUR", "25")]).unwrap_err().to_string();
    assert!(told.starts_with("environment variable CASHOUT_CYCLE_HOUR: cycle.hour: 25 is not allowed"), "{told}");
    let environment =
        [("CASHOUT_CONFIG", "x"), ("CASHOUT_DATA", "x"), ("HOME", "x"), ("CASHOUT_HIPAY_PASSWORD", "canary")];
    let notices = load_text(&text, &environment).unwrap().notices;
    let warnings: Vec<_> = notices.iter().filter(|notice| notice.level == NoticeLevel::Warning).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("CASHOUT_HIPAY_PASSWORD") && !warnings[0].text.contains("canary"));
}

#[test]
fn lists_and_tables_can_come_from_the_environment() {
    let environment = [
        ("CASHOUT_CYCLE_DAYS", "21, 1,11"),
        ("CASHOUT_COUNTRY_FILTER", "[fr, BEL]"),
        ("CASHOUT_SERVER_TRUSTEDPROXIES", "127.0.0.1,10.0.0.0/8"),
        (
            "CASHOUT_DASHBOARD_USERS",
            "[{ name: ann, passwordHash: $argon2id$v=19$m=8$c2FsdHNhbHRz$aGFzaGhhc2hoYXNo, role: operator }]",
        ),
        ("CASHOUT_HIPAY_DOCUMENTTYPES", "{ PASSPORT: { type: 1, validityDate: yes } }"),
        ("CASHOUT_SCHEDULE_CASHOUTWITHDRAW", ""),
    ];
    let config = load_text(&file_with("schedule.cashoutTransfer:"), &environment).unwrap();
    assert_eq!(config.cycle.days, [1, 11, 21]);
    assert_eq!(config.country_filter, ["FRA", "BEL"]);
    let trusted: Vec<_> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["127.0.0.1/32", "10.0.0.0/8"]);
    let user = config.dashboard.users.first().unwrap();
    assert_eq!((user.name.as_str(), user.role), ("ann", Role::Operator));
    let passport =
        DocumentType { mirakl_type: "PASSPORT".into(), hipay_type: 1, back: None, needs_validity_date: true };
    assert_eq!(config.hipay.document_types, [passport]);
    // An empty value switches a batch off, in whichever layer.
    assert!(config.schedule.cashout_transfer.is_none() && config.schedule.cashout_withdraw.is_none());
    assert!(config.schedule.cashout_generate.is_some());
}

/// The file of an earlier installation.
const EARLIER_FILE: &str = "\
# this file is read by the cash-out
parameters:
    mirakl.baseUrl: 'https://shop-env.mirakl.example/api'
    mirakl.frontKey: 6d1f-front
    mirakl.operatorKey: 6d1f-operator
    db.driver: pdo_mysql
    db.host: 127.0.0.1
    db.port: '3306'
    db.name: cashout
    db.username: root
    db.password: ~
    db.logger.level: '300'
    hipay.wsLogin: 5a6b7c8d
    hipay.wsPassword: 0e12345
    hipay.baseSoapUrl: 'https://test-ws.hipay.com/'
    hipay.baseUrl: https://test-merchant.hipaywallet.com/
    hipay.transfer.withdraw.rest: true
    hipay.entity: example
    hipay.merchantGroupId: 042
    hipay.locale: fr_FR
    hipay.timezone: Europe/Paris
    account.technical.email: technical@example.com
    account.technical.hipayId: 123456
    account.operator.email: operator@example.com
    account.operator.hipayId: '123457'
    label.public: 'Transfer of {{cycleDate}}: {{amount}}'
    label.private: '100% {{miraklId}}'
    label.withdraw: 'Withdraw {{hipayid}}'
    cashout.transactionFilterRegex: '/^[^{]+$/'
    cycle.days: [ 1, 11, 21 ]
    cycle.hour: 00
    cycle.minute: 0
    cycle.interval.before: 12 hours
    cycle.interval.after: '12 hour'
    mail.host: smtp.example.com
    mail.port: 587
    mail.security: tls
    mail.username: mailer
    mail.password: %pa#ss% # a comment
    mail.subject: \"HiPay cash-out\"
    mail.to: a@example.com, b@example.com
    mail.from: ~
    email.logger.alert.level: 400
    log.file.path: ../var/logs/cashout.log
    default.tmp.path: /tmp
    dashboard.locale: fr
    github.token: ~
    country.filter: ~
    debug: false
    secret: ThisTokenIsNotSoSecret
    token: ~
";

#[test]
fn the_file_of_an_earlier_installation_works_as_it_is() {
    let config = load_text(EARLIER_FILE, &[]).unwrap();
    assert_eq!(config.mirakl.base_url, "https://shop-env.mirakl.example");
    assert_eq!(
        config.mirakl.credentials,
        MiraklCredentials::Key(crate::platform::secret::Secret::new("6d1f-operator"))
    );
    assert_eq!(config.hipay.base_url, "https://test-merchant.hipaywallet.com");
    // A password that looks like a number keeps the text of the file.
    assert_eq!(config.hipay.password.expose(), "0e12345");
    assert_eq!(config.hipay.merchant_group, "042");
    assert_eq!(config.operator_account.hipay_id, 123_457);
    assert_eq!(config.labels.private, "100% {{miraklId}}");
    assert_eq!(config.cycle.after, SignedDuration::from_hours(12));
    assert_eq!(config.logs.store_level, Some(LogLevel::Warning));
    assert_eq!(config.dashboard.locale, Some(Locale::French));
    let mail = config.mail.unwrap();
    assert_eq!((mail.port, mail.security), (587, MailSecurity::StartTls));
    assert_eq!(mail.to, ["a@example.com", "b@example.com"]);
    assert_eq!(mail.from, "technical@example.com");
    assert_eq!(mail.password.unwrap().expose(), "%pa#ss%");

    let info: Vec<_> = config.notices.iter().filter(|notice| notice.level == NoticeLevel::Info).collect();
    assert_eq!(info.len(), 1, "{info:?}");
    for key in ["db.host", "cashout.transactionFilterRegex", "secret", "hipay.baseSoapUrl", "default.tmp.path"] {
        assert!(info[0].text.contains(key), "{key}");
    }
    assert!(!info[0].text.contains("db.logger.level"));
    // A setting of it can still be changed, whatever its other lines look like.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    fs::write(&file, EARLIER_FILE).unwrap();
    write_settings(&file, [], &[("email.logger.alert.level", "500")]).unwrap();
    let changed = EARLIER_FILE.replace("alert.level: 400", "alert.level: 500");
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);

    let warning = config.notices.iter().find(|notice| notice.level == NoticeLevel::Warning).unwrap();
    assert!(warning.text.starts_with("label.withdraw: there is no placeholder '{{hipayid}}'"), "{}", warning.text);
}

#[test]
fn addresses_are_taken_with_and_without_what_is_often_added() {
    for (given, used) in [
        ("https://h.example.com", "https://h.example.com"),
        ("https://h.example.com/", "https://h.example.com"),
        ("https://h.example.com/api", "https://h.example.com"),
        ("https://h.example.com/api/", "https://h.example.com"),
        ("https://h.example.com/market/api", "https://h.example.com/market"),
        ("http://127.0.0.1:4000/api", "http://127.0.0.1:4000"),
        ("http://localhost:4000", "http://localhost:4000"),
        ("http://[::1]:4000", "http://[::1]:4000"),
    ] {
        let config = load_text(&file_with(&format!("hipay.baseRestUrl: {given}")), &[]).unwrap();
        assert_eq!(config.hipay.base_url, used);
        let config = load_text(&file_with(&format!("mirakl.baseUrl: {given}")), &[]).unwrap();
        assert_eq!(config.mirakl.base_url, used);
    }
    for refused in ["http://localhost.example.com", "ftp://localhost", "http://10.0.0.1", "https://u:p@h.example.com"] {
        assert!(load_text(&file_with(&format!("hipay.baseRestUrl: {refused}")), &[]).is_err(), "{refused}");
    }
}

#[test]
fn exactly_one_way_to_sign_in_at_mirakl() {
    let signed_in = |lines: &str| {
        let text = file_with("mirakl.operatorKey: ~").replace("mirakl.operatorKey: ~", lines);
        load_text(&text, &[]).map(|config| config.mirakl.credentials).map_err(|errors| errors.to_string())
    };
    assert!(matches!(signed_in("mirakl.bearerToken: t"), Ok(MiraklCredentials::Bearer(_))));
    let Ok(MiraklCredentials::Client { id, auth_url, .. }) = signed_in("mirakl.clientId: me\n  mirakl.clientSecret: s")
    else {
        panic!("client credentials are one way to sign in");
    };
    assert_eq!((id.as_str(), auth_url.as_str()), ("me", "https://auth.mirakl.net/oauth/token"));
    for (lines, told) in [
        ("debug: ~", "one way to sign in at Mirakl is required"),
        ("mirakl.clientId: me", "mirakl.clientSecret: is required together with mirakl.clientId"),
        ("mirakl.clientSecret: s", "mirakl.clientId: is required together with mirakl.clientSecret"),
        ("mirakl.operatorKey: k\n  mirakl.bearerToken: t", "but these are set: mirakl.operatorKey, mirakl.bearerToken"),
        (
            "mirakl.operatorKey: k\n  mirakl.clientId: i\n  mirakl.clientSecret: s",
            "but these are set: mirakl.operatorKey, mirakl.clientId, mirakl.clientSecret",
        ),
    ] {
        let errors = signed_in(lines).unwrap_err();
        assert!(errors.contains(told), "{errors}");
    }
}

#[test]
fn a_file_of_secrets_that_everybody_may_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    fs::write(&file, file_with("debug: ~")).unwrap();
    let warned = |mode: u32| {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let notices = Config::load(&file, []).unwrap().notices;
        notices.iter().any(|notice| notice.text.contains(&format!("chmod o-rwx {}", file.display())))
    };
    assert!(warned(0o644) && !warned(0o640) && !warned(0o600));
}

#[test]
fn durations_as_people_write_them() {
    for (text, seconds) in [
        ("12 hour", 43_200),
        ("12 hours", 43_200),
        ("12h", 43_200),
        ("7d", 604_800),
        ("30 minutes", 1_800),
        ("1 day 6 hours", 108_000),
        ("1h30m", 5_400),
        (" 2 Weeks ", 1_209_600),
        ("0s", 0),
    ] {
        assert_eq!(parse_duration(text).unwrap(), SignedDuration::from_secs(seconds), "{text}");
    }
    for text in
        ["", "12", "h", "-1h", "1.5h", "1 month", "12 hours ago", "99999999999999999999h", "9223372036854775807w"]
    {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_file_panics(text in "(parameters:\n)?(  [a-z.]{1,6}:? ?[\\PC\n]{0,20}\n?){0,6}") {
        let _ = load_text(&text, &[]);
    }

    #[test]
    fn no_value_panics(at in 0..100_usize, value in "\\PC{0,30}|[0-9*/,-]{1,12}( [0-9*/,L#W?-]{1,6}){0,5}") {
        let keys = keys_of_defaults();
        let variable = variable_of(&keys[at % keys.len()]);
        let _ = load_text(&file_with("debug: ~"), &[(variable.as_str(), value.as_str())]);
    }

    #[test]
    fn a_duration_is_read_or_refused(text in "\\PC{0,12}|[0-9]{1,20} ?[a-z]{1,7}") {
        let _ = parse_duration(&text);
    }
}

#[test]
fn a_loaded_path_is_shown_as_it_was_named() {
    let source = SettingSource::File { path: PathBuf::from("conf/parameters.yml"), line: 12 };
    assert_eq!(source.to_string(), "conf/parameters.yml:12");
}
