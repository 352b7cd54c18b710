//! Fitting into what is there: proxies in front of us with a path of their own, proxies and authorities of a company
//! between us and the remotes.

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

/// An nginx that passes `/pay/out/` on as it is at `/`, and on another port without that path.
async fn nginx_before(service: SocketAddr, folder: &Path) -> (Server, [u16; 2]) {
    let ports = [free_port(), free_port()];
    let headers = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
                   proxy_set_header X-Forwarded-Proto 'https, http';";
    let [whole, stripped] = ports;
    let own = own_address();
    let folder = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; \
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         server {{ listen {own}:{whole}; location /pay/out/ {{ proxy_pass http://{service}; {headers} }} }}\n\
         server {{ listen {own}:{stripped}; location /pay/out/ {{ proxy_pass http://{service}/; {headers} }} }}\n}}"
    );
    let file = format!("{folder}/nginx.conf");
    std::fs::write(&file, config).unwrap();
    let nginx = Server::start("nginx", &["-c".to_owned(), file]);
    let begun = tokio::time::Instant::now();
    while TcpStream::connect((own, stripped)).await.is_err() {
        let log = std::fs::read_to_string(format!("{folder}/error.log"));
        assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not answer: {log:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (nginx, ports)
}

/// The values of the attributes in a page that lead to this server.
fn links(page: &str) -> Vec<String> {
    let after = page.split("=\"/").skip(1);
    after.filter_map(|rest| rest.split('"').next()).map(|link| format!("/{link}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_with_a_path_is_served_whole_behind_proxies_of_both_kinds() {
    let settings = ["server.publicUrl: https://host.example/pay/out", "server.trustedProxies: 127.0.0.0/8"];
    let world = World::unscheduled(SandboxOptions::default(), &settings).await;
    let appliance = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, ports) = nginx_before(appliance.address(), folder.path()).await;
    let client = http();
    let behind = ports.map(|port| SocketAddr::from((own_address(), port)));
    for server in behind.into_iter().chain([appliance.address()]) {
        let at = |path: &str| format!("http://{server}{path}");
        assert_eq!(client.get(at("/pay/out/healthz")).send().await.unwrap().status(), 200);
        // Not signed in: to the sign-in, and its page leads on below the path.
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
        // HiPay's notifications arrive, and are judged.
        for path in [
            "/notifications/wallet",
            "/notifications/wallet/",
            "/notifications/enterprise",
            "/notifications/enterprise/",
        ] {
            let status = client.post(at(&format!("/pay/out{path}"))).send().await.unwrap().status().as_u16();
            assert!([400, 401, 411, 415].contains(&status), "{path}: {status}");
        }
    }
    let root = format!("http://{}", appliance.address());
    assert_eq!(client.get(format!("{root}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{root}/pay/outside")).send().await.unwrap().status(), 404);
    appliance.stop().await.unwrap();
}

/// An authority made by openssl, and a certificate of these names from it.
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

/// A company's way out: a CONNECT proxy that wants a password, and looks into TLS with an authority of its own.
struct WayOut {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl WayOut {
    /// Each of these hosts is at that address, whatever its name.
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
    world.let_go().await;
    let told = world.told(&["check"]).await;
    told.says("ok     Mirakl").hides("cashout:secret");
    let asked = out.asked.lock().unwrap().clone();
    for host in ["CONNECT mirakl.test:443 HTTP/1.1", "CONNECT hipay.test:443 HTTP/1.1"] {
        assert!(asked.iter().any(|line| line == host), "{host}: {asked:#?}");
    }
    // Without the authority nobody is believed, and it says so; so does a file that holds none.
    world.restart().await;
    world.set("tls.caFile: ~").await;
    world.let_go().await;
    world.told(&["check"]).await.ends(1).says("WRONG  Mirakl").says("certificate").hides("secret");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let line = format!("tls.caFile: {}", empty.display());
    let mut arguments = world.cashout(&["check"]);
    arguments.env("CASHOUT_TLS_CAFILE", empty.display().to_string());
    crate::told::told(arguments).await.ends(2).says(&line).says("holds no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_that_does_not_resolve_is_told_in_words() {
    let mut world = World::new().await;
    world.set("mirakl.baseUrl: https://mirakl.invalid").await;
    world.let_go().await;
    world.told(&["check"]).await.ends(1).says("its host name cannot be resolved").hides("Query").hides("proto error");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_json_object_tells_everything_also_where_it_goes_wrong() {
    let mut world = World::new().await;
    world.set("mirakl.operatorKey: wrong-key").await;
    world.let_go().await;
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
    world.let_go().await;
    world.told(&["cashout:generate", "2026-11-07"]).await.ends(0).says("2026-11-07 is no cycle day");
}
