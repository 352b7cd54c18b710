//! Tests of the messages about configurations that are refused.

use std::fs;
use std::path::Path;

use super::super::layers::{SECRETS, variable_of};
use super::*;

/// A line, and the message about it.
const MISTAKES: &[(&str, &str)] = &[
    ("cycle.days: [1, 31]", "parameters.yml:2: cycle.days: 31 is not a day of every month; allowed: 1 to 28"),
    ("cycle.days: [1, 1]", "parameters.yml:2: cycle.days: 1 appears twice; allowed: each day once"),
    ("cycle.days: []", "parameters.yml:2: cycle.days: is empty; allowed: at least one day, 1 to 28"),
    ("cycle.hour: 24", "parameters.yml:2: cycle.hour: 24 is not allowed; allowed: a whole number from 0 to 23"),
    ("cycle.minute: soon", "parameters.yml:2: cycle.minute: soon is not allowed; allowed: a whole number from 0 to 59"),
    (
        "cycle.interval.after: 1 month",
        "parameters.yml:2: cycle.interval.after: '1 month' is not a duration; allowed: a whole number with seconds",
    ),
    (
        "cycle.interval.after: 99 days",
        "parameters.yml:2: cycle.interval.after: '99 days' is too long; allowed: 31 days at most",
    ),
    ("cycel.days: [1]", "parameters.yml:2: cycel.days: there is no such setting; did you mean cycle.days?"),
    (
        "hipay.wspassword: x",
        "parameters.yml:2: hipay.wspassword: there is no such setting; did you mean hipay.wsPassword?",
    ),
    ("something: x", "parameters.yml:2: something: there is no such setting; the commented example"),
    (
        "hipay.timezone: Europe/Pari",
        "parameters.yml:2: hipay.timezone: Europe/Pari is not a time zone; allowed: IANA names",
    ),
    ("hipay.locale: french", "parameters.yml:2: hipay.locale: french is not a locale"),
    (
        "hipay.maxConcurrency: 65",
        "parameters.yml:2: hipay.maxConcurrency: 65 is not allowed; allowed: a whole number from 1 to 64",
    ),
    ("hipay.transfer.withdraw.rest: false", "parameters.yml:2: hipay.transfer.withdraw.rest: false selects SOAP"),
    (
        "hipay.baseRestUrl: http://professional.hipay.com",
        "parameters.yml:2: hipay.baseRestUrl: http://professional.hipay.com is not encrypted; allowed: https://, or http:// to this machine only",
    ),
    (
        "hipay.baseRestUrl: professional.hipay.com",
        "parameters.yml:2: hipay.baseRestUrl: professional.hipay.com is not an address",
    ),
    (
        "hipay.enterprise.hashAlgorithm: md5",
        "parameters.yml:2: hipay.enterprise.hashAlgorithm: md5 is not known; allowed: sha1, sha256, sha512",
    ),
    ("hipay.documentTypes: { CODE: 4 }", "parameters.yml:2: hipay.documentTypes: CODE is not a map"),
    (
        "hipay.documentTypes: { CODE: { typ: 4 } }",
        "parameters.yml:2: hipay.documentTypes: CODE: holds something unknown; allowed: type, back, validityDate",
    ),
    (
        "account.operator.hipayId: '12a'",
        "parameters.yml:2: account.operator.hipayId: 12a is not allowed; allowed: a whole number from 1",
    ),
    ("account.operator.email: nobody", "parameters.yml:2: account.operator.email: nobody is not an e-mail address"),
    (
        "cashout.negativeVouchers: pay",
        "parameters.yml:2: cashout.negativeVouchers: pay is not known; allowed: adjust, ignore",
    ),
    ("cashout.firstCycle: 2026-02-30", "parameters.yml:2: cashout.firstCycle: 2026-02-30 is not a date"),
    ("country.filter: [FR, XX]", "parameters.yml:2: country.filter: XX is not a country"),
    (
        "schedule.cashoutTransfer: '61 * * * *'",
        "parameters.yml:2: schedule.cashoutTransfer: '61 * * * *' is not a cron expression",
    ),
    (
        "schedule.cashoutTransfer: '* * * *'",
        "parameters.yml:2: schedule.cashoutTransfer: '* * * *' is not a cron expression",
    ),
    (
        "schedule.cashoutTransfer: '0 0 0 * * *'",
        "parameters.yml:2: schedule.cashoutTransfer: '0 0 0 * * *' is not a cron expression",
    ),
    (
        "server.listen: 8080",
        "parameters.yml:2: server.listen: 8080 is not an address to listen on; allowed: address and port",
    ),
    (
        "server.tls.key: /etc/key.pem",
        "parameters.yml: server.tls.certificate: is required together with server.tls.key",
    ),
    (
        "server.trustedProxies: 10.0.0.0/33",
        "parameters.yml:2: server.trustedProxies: 10.0.0.0/33 is not an address or network",
    ),
    (
        "server.metricsToken: short",
        "parameters.yml:2: server.metricsToken: is too short; allowed: at least 16 characters",
    ),
    ("dashboard.locale: de", "parameters.yml:2: dashboard.locale: de is not known; allowed: en, fr"),
    (
        "dashboard.users: [{ name: a, passwordHash: clear, role: viewer }]",
        "parameters.yml:2: dashboard.users: user 1: passwordHash is not an Argon2id hash",
    ),
    // A copy without its end.
    (
        "dashboard.users: [{ name: a, passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRz$', role: viewer }]",
        "parameters.yml:2: dashboard.users: user 1: passwordHash is not an Argon2id hash",
    ),
    ("mail.port: 0", "parameters.yml:2: mail.port: 0 is not allowed; allowed: a whole number from 1 to 65535"),
    (
        "email.logger.alert.level: 450",
        "parameters.yml:2: email.logger.alert.level: 450 is not a log level; allowed: 100 (DEBUG)",
    ),
    (
        "retention.logs: 3",
        "parameters.yml:2: retention.logs: 3 is not allowed; allowed: 30 to 36500 days, or 0 for ever",
    ),
    ("update.auto: always", "parameters.yml:2: update.auto: always is not known; allowed: off, patch"),
    ("update.window: night", "parameters.yml:2: update.window: night is not a time of day from-to"),
    (
        "update.repository: cashout",
        "parameters.yml:2: update.repository: cashout is not a repository; allowed: owner/name",
    ),
    (
        "mirakl.clientId: me",
        "parameters.yml:4: mirakl.operatorKey: only one way to sign in at Mirakl is allowed, but these are set: mirakl.operatorKey, mirakl.clientId",
    ),
    (
        "hipay.wsLogin: ~",
        "parameters.yml:2: hipay.wsLogin: is required; set it in the file, or as CASHOUT_HIPAY_WSLOGIN in the environment",
    ),
    ("hipay.wsLogin: [a]", "parameters.yml:2: hipay.wsLogin: is a list, a map or tagged; allowed: one value"),
    ("hipay.wsLogin: \"a\\nb\"", "parameters.yml:2: hipay.wsLogin: holds a line break"),
];

#[test]
fn each_mistake_is_told_with_line_key_value_and_what_is_allowed() {
    for (line, expected) in MISTAKES {
        let told = errors(&file_with(line));
        assert!(told.lines().count() == 1 && told.starts_with(expected), "{line}\n told: {told}\n  not: {expected}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = errors("parameters:\n  cycle.hour: 99\n  mail.port: x\n  nonsense: 1\n");
    assert_eq!(told.lines().count(), 3 + REQUIRED.len(), "{told}");
}

/// An unreadable file, and the message about it.
const NO_FILES: &[(&str, &str)] = &[
    ("", "parameters.yml: the file is empty"),
    ("  \n\n", "parameters.yml: the file is empty"),
    ("# only words\n", "parameters.yml: there is no top key 'parameters:'"),
    ("cycle.hour: 1\n", "parameters.yml: there is no top key 'parameters:'"),
    ("just words\n", "parameters.yml:1: column 1: unexpected or repeated content"),
    ("parameters: [1]\n", "parameters.yml:1: column 13: unexpected or repeated content"),
    (
        "parameters:\n  a: [1\n",
        "parameters.yml:2: not valid YAML: did not find expected ',' or ']'; this is the end of the file, which looks cut off",
    ),
    (
        "parameters:\n  cycle.hour: 1\n  hipay.wsPassw",
        "parameters.yml:3: not valid YAML: could not find expected ':'; this is the end of the file, which looks cut off",
    ),
    (
        "parameters:\n  a: b: c\n  d: e\n",
        "parameters.yml:2: column 7: not valid YAML: mapping values are not allowed in this context",
    ),
    (
        "parameters:\n\ta: b\n",
        "parameters.yml:2: the line is indented with a tab, which YAML does not allow; use spaces",
    ),
    (
        "parameters:\n  a: b\n  \t c: d\n",
        "parameters.yml:3: the line is indented with a tab, which YAML does not allow; use spaces",
    ),
    (
        "parameters:\n  a: \"b\n  c: \"d\"\n  e: f\n",
        "parameters.yml:2: not valid YAML: the quote that opens on this line",
    ),
    ("parameters:\n  a: 'b\n  c: 'd'\n  e: f\n", "parameters.yml:2: not valid YAML: the quote that opens on this line"),
    ("parameters:\n  a: b\n  c: 'd''\n  e: f\n", "parameters.yml:3: not valid YAML: the quote that opens on this line"),
    (
        "parameters:\n  a: b\n  c: ['d', 'e]\n  e: f\n",
        "parameters.yml:3: not valid YAML: the quote that opens on this line",
    ),
    ("parameters:\n  a: \"b\\\"\n", "parameters.yml:2: not valid YAML: the quote that opens on this line"),
    (
        "parameters:\n  a: 'b\n\n  # HiPay's host\n  c: d\n  # It's it.\n  e: f\n",
        "parameters.yml:2: not valid YAML: the quote that opens on this line",
    ),
    ("parameters:\n  a: \"b\n    c\n  \"\n  d: e: f\n", "parameters.yml:5: column 7: not valid YAML"),
    ("parameters:\n  a: it's\n  b: c: d\n", "parameters.yml:3: column 7: not valid YAML: mapping values"),
    ("parameters:\n  a: 'x\n    y'\n  b: c: d\n", "parameters.yml:4: column 7: not valid YAML: mapping values"),
    (
        "parameters:\n  cycle.hour: 1\n  debug: ~\n  cycle.hour: 2\n",
        "parameters.yml:4: cycle.hour: is set twice, first on line 2; delete one of them",
    ),
    (
        "parameters:\n  debug: ~\ncycle.hour: 2\n",
        "parameters.yml:3: cycle.hour is outside of 'parameters:'; indent it below",
    ),
    ("parameters:\n  debug: ~\nparameters:\n  token: ~\n", "parameters.yml:3: 'parameters:' appears a second time"),
    ("parameters:\n  a: \0\n", "parameters.yml:2: the file holds a NUL byte"),
];

#[test]
fn a_file_that_cannot_be_understood_says_why() {
    for (text, expected) in NO_FILES {
        assert!(errors(text).starts_with(expected), "{text:?}\n told: {}\n  not: {expected}", errors(text));
    }
    let nested = format!("parameters:\n  mail.to: {}", "[".repeat(500_000));
    assert!(errors(&nested).contains("opening brackets"), "deep nesting must be refused before it is parsed");
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    let told = |path: &Path| Config::load(path, []).unwrap_err().to_string();

    let missing = told(&file);
    assert!(missing.starts_with(&format!("{}: there is no such file", file.display())), "{missing}");
    assert!(missing.contains("--config FILE") && missing.contains("hipay.wsLogin") && missing.lines().count() == 1);
    assert!(told(folder.path()).ends_with("this is a folder; name the file in it, such as --config FILE"));

    fs::write(&file, b"parameters:\n  mail.subject: caf\xe9\n").unwrap();
    assert_eq!(told(&file), format!("{}:2: the file is not UTF-8; save it as UTF-8", file.display()));
    fs::write(&file, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(told(&file).ends_with("the file is larger than 1 MiB; a configuration is not"));
}

/// Ways in which a value can be wrong or badly written, around a canary.
const WRONG: [&str; 18] = [
    "{}",
    "'{}",
    "\"{}",
    "\"\\{}\"",
    "[{}]",
    "{a: {}}",
    "[[{}",
    "{{}",
    "*{}",
    "!{} x",
    "!!int {}",
    "!!bool {}",
    "{}: b",
    "%{}",
    "&{}",
    "|\n  {}",
    "'{}\n   {}'",
    "\"a\\n{}\"",
];

#[test]
fn secrets_are_never_shown() {
    const CANARY: &str = "cAnArY";
    for key in SECRETS {
        for wrong in WRONG {
            let text = file_with(&format!("{key}: {}", wrong.replace("{}", CANARY)));
            for text in [&text, &format!("{text}  cycle.hour: 99\n"), &format!("{text}  {key}: {CANARY}\n")] {
                let shown = match load_text(text, &[]) {
                    Ok(config) => format!("{config:?}"),
                    Err(errors) => format!("{errors} {errors:?}"),
                };
                assert!(!shown.contains(CANARY), "{text}\n{shown}");
            }
        }
        let variable = variable_of(key);
        for value in [CANARY, "cAnArY\u{fffd}", "[cAnArY", "[{ name: cAnArY, passwordHash: cAnArY, role: cAnArY }]"] {
            let shown = match load_text(&file_with("cycle.hour: 99"), &[(variable.as_str(), value)]) {
                Ok(config) => format!("{config:?}"),
                Err(errors) => format!("{errors} {errors:?}"),
            };
            assert!(!shown.contains(CANARY), "{variable}={value}\n{shown}");
        }
    }
    let hash = "$argon2id$v=19$m=8$cAnArYcAnArY$cAnArYcAnArYcAnArYcAnArY";
    let users = format!("dashboard.users: [{{ name: ann, passwordHash: {hash}, role: viewer }}]");
    assert!(!format!("{:?}", load_text(&file_with(&users), &[]).unwrap()).contains(CANARY));
    let address = format!("{:?}", load_text(&file_with("hipay.baseRestUrl: https://u:cAnArY@h x"), &[]).unwrap_err());
    assert!(!address.contains(CANARY));
}
