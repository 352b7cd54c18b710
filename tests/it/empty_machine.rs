//! The binary on a machine that has nothing: no C library, no certificates, no time zones, and of the
//! resolver's settings only the line that names a server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use cashout::sandbox::SandboxOptions;
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

use crate::mail_server::{House, PostOffice, Speech};
use crate::running::{Running, told};
use crate::world::{World, http};

/// Address of the name server: a loopback address that nothing else uses.
const NAMES: Ipv4Addr = Ipv4Addr::new(127, 86, 53, 9);

/// Starts a name server with one answer: every name resolves to this machine.
async fn names() -> AbortOnDropHandle<()> {
    let socket = UdpSocket::bind(SocketAddr::from((NAMES, 53))).await.unwrap();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let question = query.get(12..length).unwrap_or_default();
            let name = question.iter().position(|byte| *byte == 0).unwrap_or_default();
            let question = question.get(..name + 5).unwrap_or_default();
            let is_address = question.get(name + 1..name + 3) == Some(&[0, 1]);
            let mut answer = query.get(..2).unwrap_or_default().to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
            answer.extend(question);
            if is_address {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from).await;
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_nothing_of_the_machine() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let _names = names().await;
    let login = Some(("cashout", "right-password"));
    let office = PostOffice::open(House { speech: Speech::Tls, login, ..House::default() }).await;
    let mut lines = office.settings(&["mail.security: ssl", "mail.username: cashout", "mail.password: right-password"]);
    lines.retain(|line| !line.starts_with("mail.host"));
    lines.extend(
        ["mail.host: mail.example.test", "mail.tls.caFile: /ca.pem", "server.listen: 127.0.0.1:0"].map(str::to_owned),
    );
    lines.push("hipay.timezone: Pacific/Chatham".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let world = World::unscheduled(SandboxOptions::default(), &lines).await;
    world.release_store().await;

    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::copy(env!("CARGO_BIN_EXE_cashout"), at("cashout")).unwrap();
    fs::set_permissions(at("cashout"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::copy(&office.authority, at("ca.pem")).unwrap();
    fs::create_dir(at("etc")).unwrap();
    fs::write(at("etc/resolv.conf"), format!("nameserver {NAMES}\n")).unwrap();
    let settings = fs::read_to_string(world.configuration()).unwrap();
    fs::write(at("parameters.yml"), &settings).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new("chroot");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg(root.path()).arg("/cashout");
        command.args(arguments).args(["--config", "/parameters.yml", "--data", "/data"]);
        command
    };

    // Both remotes and the mail server: its name, its certificate, its password.
    told(command(&["check"])).await.ends(0).says("ok     Mirakl").says("ok     HiPay").says("ok     mail server");
    // A TLS server with an untrusted certificate: it was found and contacted, and refused.
    let elsewhere = format!("https://marketplace.example.test:{}", office_port(&settings));
    let ours = settings.lines().find(|line| line.contains("mirakl.baseUrl")).unwrap();
    let other = settings.replace(ours, &format!("    mirakl.baseUrl: {elsewhere}"));
    fs::write(at("other.yml"), other).unwrap();
    let mut other = Command::new("chroot");
    other.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg(root.path());
    other.args(["/cashout", "check", "--config", "/other.yml", "--data", "/other"]);
    told(other).await.ends(1).says("WRONG  Mirakl").says("certificate");

    let mut running = Running::start(command(&["serve"]));
    let answers = running.says("answers on").await;
    let origin = format!("http://{}", answers.trim().rsplit(' ').next().unwrap());
    assert_eq!(http().get(format!("{origin}/readyz")).send().await.unwrap().status(), 200);
    assert_eq!(http().get(format!("{origin}/dashboard/login")).send().await.unwrap().status(), 200);
    running.signal("TERM");
    running.end().await.ends(0);
    only(root.path(), &["ca.pem", "cashout", "data", "etc", "other", "other.yml", "parameters.yml"]);
}

fn office_port(settings: &str) -> &str {
    settings.lines().find_map(|line| line.trim().strip_prefix("mail.port: ")).unwrap()
}

fn only(folder: &Path, expected: &[&str]) {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, expected);
}
