//! Tests of the messages about configurations that are refused.

use std::fs;
use std::path::Path;

use super::super::layers::{SECRETS, variable_of};
use super::*;

/// A line, and the problem that is told of its setting.
const MISTAKES: &[(&str, &str)] = &[
    ("cycle.days: [1, 31]", "31 is not a day of every month; allowed: 1 to 28"),
    ("cycle.days: [1, 1]", "1 appears twice; allowed: each day once"),
    ("cycle.days: []", "is empty; allowed: at least one day, 1 to 28"),
    ("cycle.hour: 24", "24 is not allowed; allowed: a whole number from 0 to 23"),
    ("cycle.minute: soon", "soon is not allowed; allowed: a whole number from 0 to 59"),
    ("cycle.interval.after: 1 month", "'1 month' is not a duration; allowed: a whole number with seconds"),
    ("cycle.interval.after: 99 days", "'99 days' is too long; allowed: 31 days at most"),
    ("cycel.days: [1]", "there is no such setting; did you mean cycle.days?"),
    ("hipay.wspassword: x", "there is no such setting; did you mean hipay.wsPassword?"),
    ("something: x", "there is no such setting; the commented example"),
    ("hipay.timezone: Europe/Pari", "Europe/Pari is not a time zone; allowed: IANA names"),
    ("hipay.locale: french", "french is not a locale"),
    ("hipay.maxConcurrency: 65", "65 is not allowed; allowed: a whole number from 1 to 64"),
    ("hipay.transfer.withdraw.rest: false", "false selects SOAP"),
    (
        "hipay.baseRestUrl: http://professional.hipay.com",
        "http://professional.hipay.com is not encrypted; allowed: https://, or http:// to this machine only",
    ),
    ("hipay.baseRestUrl: professional.hipay.com", "professional.hipay.com is not an address"),
    ("hipay.enterprise.hashAlgorithm: md5", "md5 is not known; allowed: sha1, sha256, sha512"),
    ("hipay.documentTypes: { CODE: 4 }", "CODE is not a map"),
    ("hipay.documentTypes: { CODE: { typ: 4 } }", "CODE: holds something unknown; allowed: type, back, validityDate"),
    ("account.operator.hipayId: '12a'", "12a is not allowed; allowed: a whole number from 1"),
    ("account.operator.email: nobody", "nobody is not an e-mail address"),
    ("cashout.negativeVouchers: pay", "pay is not known; allowed: adjust, ignore"),
    ("cashout.firstCycle: 2026-02-30", "2026-02-30 is not a date"),
    ("country.filter: [FR, XX]", "XX is not a country"),
    ("schedule.cashoutTransfer: '61 * * * *'", "'61 * * * *' is not a cron expression"),
    ("schedule.cashoutTransfer: '* * * *'", "'* * * *' is not a cron expression"),
    ("schedule.cashoutTransfer: '0 0 0 * * *'", "'0 0 0 * * *' is not a cron expression"),
    ("server.listen: 8080", "8080 is not an address to listen on; allowed: address and port"),
    ("server.trustedProxies: 10.0.0.0/33", "10.0.0.0/33 is not an address or network"),
    ("server.metricsToken: short", "is too short; allowed: at least 16 characters"),
    ("dashboard.locale: de", "de is not known; allowed: en, fr"),
    (
        "dashboard.users: [{ name: a, passwordHash: clear, role: viewer }]",
        "user 1: passwordHash is not an Argon2id hash",
    ),
    // A copy without its end.
    (
        "dashboard.users: [{ name: a, passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRz$', role: viewer }]",
        "user 1: passwordHash is not an Argon2id hash",
    ),
    ("mail.port: 0", "0 is not allowed; allowed: a whole number from 1 to 65535"),
    ("email.logger.alert.level: 450", "450 is not a log level; allowed: 100 (DEBUG)"),
    ("retention.logs: 3", "3 is not allowed; allowed: 30 to 36500 days, or 0 for ever"),
    ("update.auto: always", "always is not known; allowed: off, patch"),
    ("update.window: night", "night is not a time of day from-to"),
    ("update.repository: cashout", "cashout is not a repository; allowed: owner/name"),
    ("hipay.wsLogin: ~", "is required; set it in the file, or as CASHOUT_HIPAY_WSLOGIN in the environment"),
    ("hipay.wsLogin: [a]", "is a list, a map or tagged; allowed: one value"),
    ("hipay.wsLogin: \"a\\nb\"", "holds a line break"),
];

#[test]
fn each_mistake_is_told_with_line_key_value_and_what_is_allowed() {
    let assert_told = |line: &str, expected: &str| {
        let told = errors(&file_with(line));
        assert!(told.lines().count() == 1 && told.starts_with(expected), "{line}\n told: {told}\n  not: {expected}");
    };
    for (line, problem) in MISTAKES {
        let key = line.split(':').next().unwrap();
        assert_told(line, &format!("parameters.yml:2: {key}: {problem}"));
    }
    assert_told(
        "server.tls.key: /etc/key.pem",
        "parameters.yml: server.tls.certificate: is required together with server.tls.key",
    );
    assert_told(
        "mirakl.clientId: me",
        "parameters.yml:4: mirakl.operatorKey: only one way to sign in at Mirakl is allowed, but these are set: \
         mirakl.operatorKey, mirakl.clientId",
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = errors("parameters:\n  cycle.hour: 99\n  mail.port: x\n  nonsense: 1\n");
    assert_eq!(told.lines().count(), 3 + REQUIRED.len(), "{told}");
}

/// An unreadable file, and the message about it after its name.
const NO_FILES: &[(&str, &str)] = &[
    ("", ": the file is empty"),
    ("  \n\n", ": the file is empty"),
    ("# only words\n", ": there is no top key 'parameters:'"),
    ("cycle.hour: 1\n", ": there is no top key 'parameters:'"),
    ("just words\n", ":1: column 1: unexpected or repeated content"),
    ("parameters: [1]\n", ":1: column 13: unexpected or repeated content"),
    (
        "parameters:\n  a: [1\n",
        ":2: not valid YAML: did not find expected ',' or ']'; this is the end of the file, which looks cut off",
    ),
    (
        "parameters:\n  cycle.hour: 1\n  hipay.wsPassw",
        ":3: not valid YAML: could not find expected ':'; this is the end of the file, which looks cut off",
    ),
    (
        "parameters:\n  a: b: c\n  d: e\n",
        ":2: column 7: not valid YAML: mapping values are not allowed in this context",
    ),
    ("parameters:\n\ta: b\n", ":2: the line is indented with a tab, which YAML does not allow; use spaces"),
    ("parameters:\n  a: b\n  \t c: d\n", ":3: the line is indented with a tab, which YAML does not allow; use spaces"),
    ("parameters:\n  a: \"b\n  c: \"d\"\n  e: f\n", ":2: not valid YAML: the quote that opens on this line"),
    ("parameters:\n  a: 'b\n  c: 'd'\n  e: f\n", ":2: not valid YAML: the quote that opens on this line"),
    ("parameters:\n  a: b\n  c: 'd''\n  e: f\n", ":3: not valid YAML: the quote that opens on this line"),
    ("parameters:\n  a: b\n  c: ['d', 'e]\n  e: f\n", ":3: not valid YAML: the quote that opens on this line"),
    ("parameters:\n  a: \"b\\\"\n", ":2: not valid YAML: the quote that opens on this line"),
    (
        "parameters:\n  a: 'b\n\n  # HiPay's host\n  c: d\n  # It's it.\n  e: f\n",
        ":2: not valid YAML: the quote that opens on this line",
    ),
    ("parameters:\n  a: \"b\n    c\n  \"\n  d: e: f\n", ":5: column 7: not valid YAML"),
    ("parameters:\n  a: it's\n  b: c: d\n", ":3: column 7: not valid YAML: mapping values"),
    ("parameters:\n  a: 'x\n    y'\n  b: c: d\n", ":4: column 7: not valid YAML: mapping values"),
    (
        "parameters:\n  cycle.hour: 1\n  debug: ~\n  cycle.hour: 2\n",
        ":4: cycle.hour: is set twice, first on line 2; delete one of them",
    ),
    ("parameters:\n  debug: ~\ncycle.hour: 2\n", ":3: cycle.hour is outside of 'parameters:'; indent it below"),
    ("parameters:\n  debug: ~\nparameters:\n  token: ~\n", ":3: 'parameters:' appears a second time"),
    ("parameters:\n  a: \0\n", ":2: the file holds a NUL byte"),
];

#[test]
fn a_file_that_cannot_be_understood_says_why() {
    for (text, expected) in NO_FILES {
        let told = errors(text);
        let place_and_problem = told.strip_prefix("parameters.yml").unwrap();
        assert!(place_and_problem.starts_with(expected), "{text:?}\n told: {told}\n  not: {expected}");
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
    let shown = |text: &str, environment: &[(&str, &str)]| match load_text(text, environment) {
        Ok(config) => format!("{config:?}"),
        Err(errors) => format!("{errors} {errors:?}"),
    };
    for key in SECRETS {
        for wrong in WRONG {
            let text = file_with(&format!("{key}: {}", wrong.replace("{}", CANARY)));
            for text in [&text, &format!("{text}  cycle.hour: 99\n"), &format!("{text}  {key}: {CANARY}\n")] {
                let shown = shown(text, &[]);
                assert!(!shown.contains(CANARY), "{text}\n{shown}");
            }
        }
        let variable = variable_of(key);
        for value in [CANARY, "cAnArY\u{fffd}", "[cAnArY", "[{ name: cAnArY, passwordHash: cAnArY, role: cAnArY }]"] {
            let shown = shown(&file_with("cycle.hour: 99"), &[(variable.as_str(), value)]);
            assert!(!shown.contains(CANARY), "{variable}={value}\n{shown}");
        }
    }
    let hash = "$argon2id$v=19$m=8$cAnArYcAnArY$cAnArYcAnArYcAnArYcAnArY";
    let users = format!("dashboard.users: [{{ name: ann, passwordHash: {hash}, role: viewer }}]");
    assert!(!format!("{:?}", load_text(&file_with(&users), &[]).unwrap()).contains(CANARY));
    let address = format!("{:?}", load_text(&file_with("hipay.baseRestUrl: https://u:cAnArY@h x"), &[]).unwrap_err());
    assert!(!address.contains(CANARY));
}
