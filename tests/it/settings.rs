//! The configuration, with its common mistakes and its valid sources: the file, the environment,
//! systemd's credentials, and an old installation.

use std::path::Path;
use std::process::Command;

use cashout::sandbox::Endpoint;

use crate::running::{Told, told};
use crate::world::World;

/// Returns a command of the binary with only a configuration file and a data folder that does not exist.
fn cashout(arguments: &[&str], file: &Path, data: &Path) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_cashout"));
    process.env_clear().args(arguments).arg("--config").arg(file).arg("--data").arg(data);
    process
}

/// Checks that every kind of command refuses the file at `path` with these words, and creates no store.
async fn refused(path: &Path, words: &[&str]) -> Vec<Told> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut all = Vec::new();
    for arguments in [&["check"][..], &["cashout:transfer", "-vvv"], &["vendor:wallet:list"], &["check", "--json"]] {
        let told = told(cashout(arguments, path, &data)).await;
        told.ends(2);
        for words in words {
            told.says(words);
        }
        assert!(!data.exists(), "{told:#?}");
        all.push(told);
    }
    let json = all.last().unwrap().json();
    assert_eq!(json.get("exit"), Some(&2.into()), "{json}");
    assert!(json.get("error").is_some_and(serde_json::Value::is_string), "{json}");
    all
}

async fn refused_text(text: impl AsRef<[u8]>, words: &[&str]) -> Vec<Told> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    std::fs::write(&file, text).unwrap();
    refused(&file, words).await
}

/// A complete file, for remotes that are never called.
const WHOLE: &str = "parameters:
    mirakl.baseUrl: http://127.0.0.1:1
    mirakl.operatorKey: canary-operator
    hipay.baseRestUrl: http://127.0.0.1:1
    hipay.wsLogin: canary-login
    hipay.wsPassword: canary-password
    hipay.entity: entity
    hipay.merchantGroupId: group
    account.technical.email: technical@marketplace.example
    account.technical.hipayId: 400001
    account.operator.email: operator@marketplace.example
    account.operator.hipayId: 400002
";

#[tokio::test]
async fn a_whole_file_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    std::fs::write(&file, WHOLE).unwrap();
    let told = told(cashout(&["check", "--offline"], &file, &folder.path().join("data"))).await;
    told.ends(0).says("configuration").says("everybody on this machine may read it").says("chmod o-rwx");
    told.hides("canary");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_with_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["there is no such file", "hipay.wsPassword", "--config FILE"];
    refused(&folder.path().join("parameters.yml"), &words).await;
}

#[tokio::test]
async fn what_is_no_file_of_settings_is_told_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["this is a folder"]).await;
    refused(Path::new("/proc/self/mem"), &["the file cannot be read"]).await;
    refused_text("", &["the file is empty", "'parameters:'"]).await;
    refused_text([WHOLE.as_bytes(), b"    label.public: \xe9t\xe9\n"].concat(), &["parameters.yml:13", "not UTF-8"])
        .await;
    refused_text([WHOLE.as_bytes(), b"\0"].concat(), &["NUL byte", "damaged"]).await;
    refused_text(vec![b'#'; 1024 * 1024 + 1], &["larger than 1 MiB"]).await;
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_never_half_believed() {
    // In the middle of a quoted value: invalid YAML.
    let quoted = WHOLE.replace("http://127.0.0.1:1\n", "\"http://127.0.0.1:1\"\n");
    let (cut, _) = quoted.split_once(".0.0.1").unwrap();
    refused_text(cut, &["parameters.yml:2", "cut off"]).await;
    // Between two lines it is valid YAML: then the missing setting is named.
    let (cut, _) = WHOLE.split_once("    account.operator.email").unwrap();
    refused_text(cut, &["account.operator.email: is required", "account.operator.hipayId: is required"]).await;
    refused_text("parameters:\n", &["hipay.wsPassword"]).await;
}

#[tokio::test]
async fn a_file_without_parameters_at_its_top_says_how_to_put_them_there() {
    refused_text(WHOLE.replace("parameters:\n", ""), &["no top key 'parameters:'", "indent"]).await;
    let misplaced = format!("{WHOLE}cycle.hour: 1\n");
    refused_text(misplaced, &["parameters.yml:13", "cycle.hour", "outside of 'parameters:'"]).await;
}

#[tokio::test]
async fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = WHOLE
        .replace("hipay.wsPassword", "hipay.wsPasword")
        .replace("hipayId: 400002", "hipayId: soon")
        .replace("http://127.0.0.1:1\n    mirakl", "ftp://shop.example\n    mirakl");
    let words = [
        "parameters.yml:6: hipay.wsPasword: there is no such setting; did you mean hipay.wsPassword?",
        "parameters.yml:12: account.operator.hipayId: soon is not allowed",
        "parameters.yml:2: mirakl.baseUrl",
        "hipay.wsPassword: is required",
    ];
    for told in refused_text(text, &words).await {
        told.hides("canary");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_told_with_what_is_allowed_and_a_secret_is_not_told() {
    for (line, words) in [
        ("    cycle.hour: 25\n", "cycle.hour: 25 is not allowed"),
        ("    cycle.days: [1, 31]\n", "31"),
        ("    hipay.maxConcurrency: many\n", "many"),
        ("    hipay.timezone: Mars/Olympus\n", "Mars/Olympus is not a time zone"),
        ("    cycle.hour: [1]\n", "cycle.hour"),
        ("    hipay.transfer.withdraw.rest: false\n", "SOAP"),
        ("    mirakl.bearerToken: canary-bearer\n", "only one way to sign in"),
        ("    mail.password: [canary-mail]\n", "mail.password"),
        ("    dashboard.apiToken: canary\n", "dashboard.apiToken"),
        ("    hipay.wsPassword: canary-again\n", "is set twice, first on line 6"),
        ("    github.token: 'canary\n", "YAML"),
        ("    server.metricsToken canary-and-more\n", "YAML"),
    ] {
        for told in refused_text(format!("{WHOLE}{line}"), &[words]).await {
            told.hides("canary");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_wins_over_the_file_and_a_credential_over_both() {
    let mut world = World::new().await;
    world.set("hipay.wsPassword: of-the-file").await;
    world.release_store().await;
    let wallets = |variables: Vec<(&'static str, String)>| {
        let mut process = world.cashout(&["vendor:wallet:list"]);
        process.envs(variables);
        told(process)
    };
    wallets(Vec::new()).await.ends(3).says("hipay.wsPassword").hides("of-the-file");
    let password = || ("CASHOUT_HIPAY_WSPASSWORD", "sandbox-password".to_owned());
    wallets(vec![password()]).await.ends(0).hides("sandbox-password");

    let folder = tempfile::tempdir().unwrap();
    let credentials = || ("CREDENTIALS_DIRECTORY", folder.path().display().to_string());
    std::fs::write(folder.path().join("hipay.wsPassword"), "of-the-credential\n").unwrap();
    wallets(vec![password(), credentials()]).await.ends(3).hides("of-the-credential");
    std::fs::write(folder.path().join("hipay.wsPassword"), "sandbox-password\n").unwrap();
    wallets(vec![credentials()]).await.ends(0);

    // A misspelt variable name is reported, and so is an impossible value.
    let slip = ("CASHOUT_HIPAY_WSPASWORD", "canary".to_owned());
    wallets(vec![password(), slip]).await.ends(0).says("CASHOUT_HIPAY_WSPASWORD stands for no setting").hides("canary");
    let wrong = ("CASHOUT_CYCLE_HOUR", "noon".to_owned());
    wallets(vec![wrong]).await.ends(2).says("environment variable CASHOUT_CYCLE_HOUR: cycle.hour: noon");
}

/// Returns a file as the PHP product's installer left it, with the sandbox's addresses and accounts.
fn of_years_ago(world: &World) -> String {
    let known = world.sandbox.credentials();
    format!(
        "# This file is auto-generated during the composer install
parameters:
    mirakl.frontKey: 6d1f-front
    mirakl.operatorKey: {}
    mirakl.baseUrl: '{}/api'
    db.driver: pdo_mysql
    db.host: 127.0.0.1
    db.port: null
    db.name: cashout
    db.username: root
    db.password: null
    db.logger.level: 300
    hipay.wsLogin: {}
    hipay.wsPassword: {}
    hipay.baseSoapUrl: 'https://test-ws.hipay.com/'
    hipay.baseUrl: '{}/'
    hipay.transfer.withdraw.rest: true
    hipay.entity: {}
    hipay.merchantGroupId: {}
    hipay.locale: fr_FR
    hipay.timezone: Europe/Paris
    account.technical.email: {}
    account.technical.hipayId: '{}'
    account.operator.email: {}
    account.operator.hipayId: '{}'
    label.public: 'Transfer of {{{{cycleDate}}}}'
    label.private: '{{{{miraklId}}}} - {{{{hipayId}}}}'
    label.withdraw: 'Withdraw {{{{cycleDate}}}}'
    cashout.transactionFilterRegex: '/^[^{{]+$/'
    cycle.days: [1, 11, 21]
    cycle.hour: 00
    cycle.minute: 00
    cycle.interval.before: 12 hours
    cycle.interval.after: 12 hours
    mail.host: 127.0.0.1
    mail.port: 25
    mail.security: null
    mail.username: null
    mail.password: null
    mail.subject: HiPay cash-out
    mail.to: null
    mail.from: null
    email.logger.alert.level: 400
    default.tmp.path: /tmp
    log.file.path: /dev/null
    dashboard.locale: fr
    github.token: null
    country.filter: null
    debug: false
",
        known.operator_key.expose(),
        known.mirakl_url,
        known.ws_login,
        known.ws_password.expose(),
        known.hipay_url,
        known.entity,
        known.merchant_group,
        known.technical_email,
        known.technical_id,
        known.operator_email,
        known.operator_id,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_an_old_installation_works_as_it_is() {
    let world = World::new().await;
    world.seller(2001);
    world.release_store().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.yml");
    std::fs::write(&file, of_years_ago(&world)).unwrap();
    let data = folder.path().join("data");
    let checked = told(cashout(&["check", "-v"], &file, &data)).await;
    checked.ends(0).says("no effect and can be deleted").says("db.host").says("hipay.baseSoapUrl").hides("WRONG");
    let run = |name: &'static str| told(cashout(&[name], &file, &data));
    run("vendor:process").await.ends(0).says("vendor:process: done (1 of 1)");
    run("cashout:transfer").await.ends(0);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Shops)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_tells_a_secret_however_much_it_is_asked_to_say() {
    let settings = [
        "mail.password: canary-mail-password",
        "github.token: canary-github-token",
        "dashboard.apiToken: canary-dashboard-token",
        "server.metricsToken: canary-metrics-token",
        "hipay.enterprise.passphrase: canary-passphrase",
    ];
    let world = World::with(cashout::sandbox::SandboxOptions::default(), &settings).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 100);
    world.fund(100_000);
    world.up_to_operations().await;
    world.release_store().await;
    let wallet = crate::world::wallet_of(2001).to_string();
    let mut talkative = 0;
    for arguments in [
        &["check"][..],
        &["vendor:process"],
        &["cashout:transfer"],
        &["cashout:transaction:status:sync"],
        &["cashout:withdraw"],
        &["vendor:wallet:list"],
        &["vendor:wallet:bankInfos", &wallet],
    ] {
        for more in [&["-vvv"][..], &["-vvv", "--json"]] {
            let told = world.told(&[arguments, more].concat()).await;
            told.ends(0).hides("canary").hides("sandbox-password").hides("sandbox-operator-key");
            // Colours are used on terminals only.
            told.hides("\u{1b}");
            talkative += usize::from(told.err.contains("DEBUG"));
            // "sandbox-login:sandbox-password", as HTTP Basic encodes it.
            told.hides("c2FuZGJveC1sb2dpbjpzYW5kYm94LXBhc3N3b3Jk");
        }
    }
    assert!(talkative >= 7, "only {talkative} commands said how they spoke to the remotes");
    // The store contains none either.
    let stored = std::fs::read(world.data().join("store.redb")).unwrap();
    for secret in ["canary", "sandbox-password", "sandbox-operator-key"] {
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}
