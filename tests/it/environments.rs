//! Existing environments: reverse proxies with a path prefix, and a company's proxies and certificate
//! authorities between us and the remotes.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cashout::sandbox::SandboxOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::servers::{Server, free_port};
use crate::world::{World, http, own_address};

/// Waits until a server answers on a port of [`own_address`]; a failure shows `log`.
async fn answers(port: u16, log: &Path) {
    let begun = tokio::time::Instant::now();
    while TcpStream::connect((own_address(), port)).await.is_err() {
        let log = std::fs::read_to_string(log);
        assert!(begun.elapsed() < Duration::from_secs(20), "the proxy does not answer: {log:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts an nginx that forwards `/pay/out/`: unchanged and without that path, each with the usual headers and without.
async fn nginx_before(service: SocketAddr, folder: &Path) -> (Server, [u16; 4]) {
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let headers = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
                   proxy_set_header X-Forwarded-Proto 'https, http';";
    let own = own_address();
    let mut servers = String::new();
    for (port, (root, headers)) in ports.into_iter().zip([("", headers), ("/", headers), ("", ""), ("/", "")]) {
        let pass = format!("proxy_pass http://{service}{root}; {headers}");
        writeln!(servers, "server {{ listen {own}:{port}; location /pay/out/ {{ {pass} }} }}").unwrap();
    }
    let log = folder.join("error.log");
    let folder = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; \
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{servers}}}"
    );
    let file = format!("{folder}/nginx.conf");
    std::fs::write(&file, config).unwrap();
    let nginx = Server::start("nginx", &["-c".to_owned(), file]);
    answers(ports[3], &log).await;
    (nginx, ports)
}

/// Starts an haproxy that does the same.
async fn haproxy_before(service: SocketAddr, folder: &Path) -> (Server, [u16; 4]) {
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let headers = "  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n";
    let strip = "  http-request replace-path /pay/out(/.*) \\1\n";
    let own = own_address();
    let mut ways = String::new();
    for (port, (strip, headers)) in ports.into_iter().zip([("", headers), (strip, headers), ("", ""), (strip, "")]) {
        let way = format!("listen way{port}\n  bind {own}:{port}\n{headers}{strip}  server service {service}");
        writeln!(ways, "{way}").unwrap();
    }
    let times = "timeout connect 5s\n  timeout client 30s\n  timeout server 30s";
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, format!("global\n  maxconn 100\ndefaults\n  mode http\n  {times}\n{ways}")).unwrap();
    let haproxy = Server::start("haproxy", &["-db".to_owned(), "-f".to_owned(), file.display().to_string()]);
    answers(ports[3], &file).await;
    (haproxy, ports)
}

/// Returns the values of the attributes in a page that link to this server.
fn links(page: &str) -> Vec<String> {
    let parts: Vec<&str> = page.split("=\"/").collect();
    // A typed value and the name of a key are no links.
    let leads = |(before, _): &(&&str, &&str)| !before.ends_with(" value") && !before.ends_with(" aria-keyshortcuts");
    let leads = parts.iter().zip(parts.iter().skip(1)).filter(leads);
    leads.filter_map(|(_, link)| link.split('"').next()).map(|link| format!("/{link}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_with_a_path_is_served_whole_behind_proxies_of_both_kinds() {
    let settings = ["server.publicUrl: https://host.example/pay/out", "server.trustedProxies: 127.0.0.0/8"];
    let world = World::unscheduled(SandboxOptions::default(), &settings).await;
    let appliance = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, by_nginx) = nginx_before(appliance.address(), folder.path()).await;
    let (_haproxy, by_haproxy) = haproxy_before(appliance.address(), folder.path()).await;
    let client = http();
    let behind = by_nginx.into_iter().chain(by_haproxy).map(|port| SocketAddr::from((own_address(), port)));
    for server in behind.chain([appliance.address()]) {
        let at = |path: &str| format!("http://{server}{path}");
        assert_eq!(client.get(at("/pay/out/healthz")).send().await.unwrap().status(), 200);
        // Without a session, the request is redirected to the sign-in, whose links stay below the path.
        let moved = client.get(at("/pay/out/dashboard/transfers")).send().await.unwrap();
        let login = moved.headers()["location"].to_str().unwrap().to_owned();
        assert!(login.starts_with("/pay/out/dashboard/login?next="), "{login}");
        let page = client.get(at(&login)).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let links = links(&page);
        assert!(!links.is_empty() && links.iter().all(|link| link.starts_with("/pay/out/")), "{links:#?}");
        for link in links.iter().filter(|link| link.contains("/assets/")) {
            assert_eq!(client.get(at(link)).send().await.unwrap().status(), 200, "{link}");
        }
        // HiPay's notifications arrive, and are checked.
        for path in [
            "/notifications/wallet",
            "/notifications/wallet/",
            "/notifications/enterprise",
            "/notifications/enterprise/",
        ] {
            let status = client.post(at(&format!("/pay/out{path}"))).send().await.unwrap().status().as_u16();
            assert!([400, 401, 411, 415].contains(&status), "{path}: {status}");
        }
        signs_in_and_out(&format!("http://{server}")).await;
    }
    let root = format!("http://{}", appliance.address());
    for (asked, led) in [("/pay/out/", "/pay/out/dashboard"), ("/index.php/dashboard/logs", "/pay/out/dashboard/logs")]
    {
        let moved = client.get(format!("{root}{asked}")).send().await.unwrap();
        assert_eq!(moved.headers()["location"].to_str().unwrap(), led, "{asked}");
    }
    assert_eq!(client.get(format!("{root}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{root}/pay/outside")).send().await.unwrap().status(), 404);
    appliance.stop().await.unwrap();
}

/// Returns the value of a hidden field in a page.
fn value_of(page: &str, name: &str) -> String {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name}: {page}"));
    after.split('"').next().unwrap().to_owned()
}

/// Signs in at a server below the path, opens the requested page, and signs out again.
async fn signs_in_and_out(base: &str) {
    let client = http();
    let asked = client.get(format!("{base}/pay/out/dashboard/transfers?q=/42")).send().await.unwrap();
    let login = asked.headers()["location"].to_str().unwrap().to_owned();
    let login = client.get(format!("{base}{login}")).send().await.unwrap().text().await.unwrap();
    let next = value_of(&login, "next");
    let technical = [("_username", "sandbox-login"), ("_password", "sandbox-password")];
    let form = technical.into_iter().chain([("next", next.as_str())]);
    let entered = client.post(format!("{base}/pay/out/dashboard/login")).header("origin", "https://host.example");
    let entered = entered.form(&form.collect::<Vec<_>>()).send().await.unwrap();
    assert_eq!(entered.status(), 303, "{base}: {}", entered.text().await.unwrap());
    let led = entered.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(led, "/pay/out/dashboard/transfers?q=/42", "{base}");
    let cookies = entered.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let cookies: Vec<&str> = cookies.map(|cookie| cookie.split(';').next().unwrap()).collect();
    let cookie = cookies.join("; ");
    let page = client.get(format!("{base}{led}")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200, "{base}");
    let page = page.text().await.unwrap();
    let links = links(&page);
    assert!(links.len() > 10 && links.iter().all(|link| link.starts_with("/pay/out/")), "{base}: {links:#?}");
    assert_eq!(page.matches("value=\"/42\"").count(), page.matches("/42\"").count(), "{base}: what was typed");
    // A request for a part of the page, after the session has ended, leads back to the same page.
    let part = client.get(format!("{base}{led}")).header("hx-request", "true");
    let part = part.header("hx-current-url", format!("https://host.example{led}")).send().await.unwrap();
    let back = part.headers()["hx-redirect"].to_str().unwrap();
    assert_eq!(back, "/pay/out/dashboard/login?next=%2Fdashboard%2Ftransfers%3Fq%3D%2F42", "{base}");
    let token = value_of(&page, "_csrf");
    let left = client.post(format!("{base}/pay/out/dashboard/logout")).header("cookie", &cookie);
    let left = left.header("origin", "https://host.example").form(&[("_csrf", token)]).send().await.unwrap();
    assert_eq!(left.status(), 303, "{base}");
    let back = left.headers()["location"].to_str().unwrap();
    assert!(back.starts_with("/pay/out/dashboard/login"), "{base}: {back}");
}

/// Makes an authority with openssl, and a certificate for these names from it.
fn certified(folder: &Path, names: &str) {
    let openssl = |arguments: &str| {
        let told = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(told.status.success(), "{arguments}: {told:?}");
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Company",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=remotes",
    );
    std::fs::write(folder.join("names"), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE")).unwrap();
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out chain.pem -days 30 -extfile names",
    );
}

/// A company's outgoing proxy: it uses CONNECT, requires a password, and inspects TLS with its own authority.
struct WayOut {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl WayOut {
    /// Starts the proxy; each of these host names leads to the given address.
    async fn to(remotes: [(&'static str, SocketAddr); 2], folder: &Path) -> Self {
        let chain: Vec<_> =
            CertificateDer::pem_file_iter(folder.join("chain.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let book = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, book) = (tls.clone(), Arc::clone(&book));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let (mut head, mut line) = (String::new(), String::new());
                    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                        head.push_str(&line);
                        line.clear();
                    }
                    let target = head.lines().next().unwrap_or_default().to_owned();
                    // cashout:secret
                    let knows = head.to_ascii_lowercase().contains("proxy-authorization: basic y2fzag91ddpzzwnyzxq=");
                    let remote = remotes.iter().find(|(name, _)| target.starts_with(&format!("CONNECT {name}:")));
                    book.lock().unwrap().push(target.clone());
                    if !knows {
                        return stream.write_all(b"HTTP/1.1 407 Who?\r\n\r\n").await.unwrap_or(());
                    }
                    if stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.is_err() {
                        return;
                    }
                    let Ok(mut inside) = tls.accept(stream.into_inner()).await else { return };
                    let Some((_, remote)) = remote else { return };
                    let Ok(mut onwards) = TcpStream::connect(remote).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut inside, &mut onwards).await;
                });
            }
        });
        Self { address, asked, _serving: AbortOnDropHandle::new(serving) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_looks_into_tls_behind_a_proxy_keeps_nobody_from_mirakl_and_hipay() {
    let folder = tempfile::tempdir().unwrap();
    certified(folder.path(), "DNS:mirakl.test,DNS:hipay.test");
    let mut world = World::new().await;
    let address =
        |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().parse::<SocketAddr>().unwrap();
    let config = Arc::clone(&world.context.config);
    let (mirakl, hipay) = (config.mirakl.base_url.clone(), config.hipay.base_url.clone());
    let remotes = [("mirakl.test", address(&mirakl)), ("hipay.test", address(&hipay))];
    let out = WayOut::to(remotes, folder.path()).await;
    let path = |url: &str| {
        url.trim_start_matches("http://").split_once('/').map_or(String::new(), |(_, path)| format!("/{path}"))
    };
    world
        .set_all(vec![
            format!("mirakl.baseUrl: https://mirakl.test{}", path(&mirakl)),
            format!("hipay.baseRestUrl: https://hipay.test{}", path(&hipay)),
            format!("tls.caFile: {}/ca.pem", folder.path().display()),
            format!("network.proxy: http://cashout:secret@{}", out.address),
        ])
        .await;
    world.release_store().await;
    let told = world.told(&["check"]).await;
    told.says("ok     Mirakl").hides("cashout:secret");
    let asked = out.asked.lock().unwrap().clone();
    for host in ["CONNECT mirakl.test:443 HTTP/1.1", "CONNECT hipay.test:443 HTTP/1.1"] {
        assert!(asked.iter().any(|line| line == host), "{host}: {asked:#?}");
    }
    // Without the authority no server is trusted, and the output states it; the same applies to a
    // file without any certificate.
    world.restart().await;
    world.set("tls.caFile: ~").await;
    world.release_store().await;
    world.told(&["check"]).await.ends(1).says("WRONG  Mirakl").says("certificate").hides("secret");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let line = format!("tls.caFile: {}", empty.display());
    let mut arguments = world.cashout(&["check"]);
    arguments.env("CASHOUT_TLS_CAFILE", empty.display().to_string());
    crate::running::told(arguments).await.ends(2).says(&line).says("holds no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_that_does_not_resolve_is_told_in_words() {
    let mut world = World::new().await;
    world.set("mirakl.baseUrl: https://mirakl.invalid").await;
    world.release_store().await;
    world.told(&["check"]).await.ends(1).says("its host name cannot be resolved").hides("Query").hides("proto error");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_json_object_tells_everything_also_where_it_goes_wrong() {
    let mut world = World::new().await;
    world.set("mirakl.operatorKey: wrong-key").await;
    world.release_store().await;
    let json = world.told(&["vendor:process", "--json"]).await.ends(3).json();
    assert_eq!(
        (&json["state"], &json["exit"], &json["command"]),
        (&"failed".into(), &3.into(), &"vendor:process".into())
    );
    assert!(json["error"].as_str().unwrap().contains("credentials") && json["counts"].is_object(), "{json}");
    let json = world.told(&["vendor:process", "--no-such-thing", "--json"]).await.ends(2).json();
    assert!(json["error"].as_str().unwrap().contains("--no-such-thing") && json["exit"] == 2, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_no_cycle_day_is_said_so() {
    let mut world = World::new().await;
    world.set("cashout.firstCycle: 2026-11-01").await;
    world.release_store().await;
    world.told(&["cashout:generate", "2026-11-07"]).await.ends(0).says("2026-11-07 is not a cycle day");
}
