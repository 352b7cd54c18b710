//! A mail server for the tests: real SMTP, with every way of accepting or refusing a mail.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// Encryption of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Speech {
    #[default]
    Plain,
    /// Offers STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Accepts the connection and stays silent.
    Silence,
}

/// Behaviour towards clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct House {
    pub(crate) speech: Speech,
    /// The only user and password from which mail is accepted; `None` accepts all.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// Answers to recipients instead of 250, by the beginning of the recipient.
    pub(crate) refuses: Vec<(&'static str, &'static str)>,
    /// Answers to the next mails instead of 250.
    pub(crate) next: VecDeque<&'static str>,
    /// Breaks the connection after it has received the mail, before the confirmation.
    pub(crate) breaks: bool,
    /// Refuses a greeting that contains an address instead of a name.
    pub(crate) wants_a_name: bool,
    /// Never answers QUIT.
    pub(crate) clings: bool,
    /// Line that offers authentication mechanisms; PLAIN and LOGIN by default. LOGIN is carried out in separate steps.
    pub(crate) mechanism: Option<&'static str>,
}

/// An accepted mail.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) to: String,
    /// The mail as received.
    pub(crate) raw: String,
    /// Received through TLS.
    pub(crate) encrypted: bool,
    /// The authenticated user.
    pub(crate) user: Option<String>,
}

impl Taken {
    /// Returns a header with its encoded words decoded.
    pub(crate) fn header(&self, name: &str) -> String {
        let unfolded = self.raw.replace("\r\n ", " ");
        let line = unfolded.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
        decoded_words(&line.unwrap_or_else(|| panic!("no {name} in {}", self.raw)))
    }

    /// Returns the part of this type, decoded.
    pub(crate) fn part(&self, kind: &str) -> String {
        let at = self.raw.find(&format!("Content-Type: {kind}")).unwrap_or_else(|| panic!("no {kind}: {}", self.raw));
        let part = self.raw.split_at(at).1;
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        let body = body.split("\r\n--").next().unwrap();
        let bytes = if head.contains("quoted-printable") {
            from_quoted_printable(body)
        } else if head.contains("base64") {
            base64::engine::general_purpose::STANDARD.decode(body.replace("\r\n", "")).unwrap()
        } else {
            body.as_bytes().to_vec()
        };
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    }

    pub(crate) fn text(&self) -> String {
        self.part("text/plain")
    }
}

fn decoded_words(text: &str) -> String {
    let mut decoded = String::new();
    for (at, part) in text.split("=?utf-8?b?").enumerate() {
        match part.split_once("?=") {
            Some((word, rest)) if at > 0 => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(word).unwrap();
                decoded.push_str(&String::from_utf8(bytes).unwrap());
                decoded.push_str(if rest.trim().is_empty() { "" } else { rest });
            }
            _ => decoded.push_str(part),
        }
    }
    decoded
}

fn from_quoted_printable(text: &str) -> Vec<u8> {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

#[derive(Default)]
struct Books {
    house: House,
    taken: Vec<Taken>,
    /// Greetings received.
    greetings: Vec<String>,
    /// Number of conversations.
    visits: usize,
}

/// The server; dropping it stops it and frees its port.
pub(crate) struct PostOffice {
    port: u16,
    books: Arc<Mutex<Books>>,
    changed: Arc<Notify>,
    certificate: Arc<rustls::ServerConfig>,
    pub(crate) authority: PathBuf,
    open: Option<AbortOnDropHandle<()>>,
    _folder: tempfile::TempDir,
}

impl PostOffice {
    pub(crate) async fn open(house: House) -> Self {
        let issued =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "mail.example.test".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        std::fs::write(&authority, issued.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key.into())
            .unwrap();
        let mut office = Self {
            port: 0,
            books: Arc::new(Mutex::new(Books { house, ..Books::default() })),
            changed: Arc::new(Notify::new()),
            certificate: Arc::new(certificate),
            authority,
            open: None,
            _folder: folder,
        };
        office.reopen().await;
        office
    }

    /// Stops accepting connections.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            // Waits until the port is free.
            let _ = open.await;
        }
    }

    /// Accepts connections again, on the same port.
    pub(crate) async fn reopen(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (books, changed, tls) =
            (Arc::clone(&self.books), Arc::clone(&self.changed), TlsAcceptor::from(Arc::clone(&self.certificate)));
        self.open = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut visitors = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                books.lock().unwrap().visits += 1;
                changed.notify_waiters();
                visitors.spawn(receive(stream, Arc::clone(&books), Arc::clone(&changed), tls.clone()));
            }
        })));
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut House)) {
        change(&mut self.books.lock().unwrap().house);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.books.lock().unwrap().taken.clone()
    }

    /// Returns the greetings received.
    pub(crate) fn greetings(&self) -> Vec<String> {
        self.books.lock().unwrap().greetings.clone()
    }

    pub(crate) fn visits(&self) -> usize {
        self.books.lock().unwrap().visits
    }

    /// Waits until this total number of mails was accepted.
    pub(crate) async fn takes(&self, count: usize) -> Vec<Taken> {
        self.until(&format!("{count} mails"), |books| books.taken.len() >= count).await;
        self.taken()
    }

    async fn until(&self, what: &str, reached: impl Fn(&Books) -> bool) {
        let waited = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if reached(&self.books.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
        assert!(waited.is_ok(), "no {what}, but {:#?}", self.taken());
    }

    /// Returns the configuration lines for this server.
    pub(crate) fn settings(&self, more: &[&str]) -> Vec<String> {
        let mut lines = vec![
            "mail.host: localhost".to_owned(),
            format!("mail.port: {}", self.port),
            "mail.to: ops@example.com".to_owned(),
            "mail.from: cashout@example.com".to_owned(),
        ];
        lines.extend(more.iter().map(|&line| line.to_owned()));
        lines
    }

    /// Returns the configuration line that makes its certificate trusted.
    pub(crate) fn trusted(&self) -> String {
        trusting(&self.authority)
    }
}

fn trusting(authority: &Path) -> String {
    format!("mail.tls.caFile: {}", authority.display())
}

async fn receive(stream: TcpStream, books: Arc<Mutex<Books>>, changed: Arc<Notify>, tls: TlsAcceptor) {
    let house = books.lock().unwrap().house.clone();
    if house.speech == Speech::Silence {
        return std::future::pending().await;
    }
    // A client that breaks off is no error.
    let _: io::Result<()> = async {
        if house.speech == Speech::Tls {
            let stream = tls.accept(stream).await?;
            converse(&mut BufReader::new(stream), true, &books, &changed).await?;
            return Ok(());
        }
        let mut stream = BufReader::new(stream);
        if converse(&mut stream, false, &books, &changed).await? {
            let stream = tls.accept(stream.into_inner()).await?;
            converse(&mut BufReader::new(stream), true, &books, &changed).await?;
        }
        Ok(())
    }
    .await;
}

/// Holds a conversation until its end, or until TLS begins; returns true in the latter case.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    encrypted: bool,
    books: &Mutex<Books>,
    changed: &Notify,
) -> io::Result<bool> {
    let house = books.lock().unwrap().house.clone();
    Conversation { stream, encrypted, books, changed, house, user: None, to: Vec::new() }.hold().await
}

/// A conversation with a client.
struct Conversation<'a, S> {
    stream: &'a mut BufReader<S>,
    encrypted: bool,
    books: &'a Mutex<Books>,
    changed: &'a Notify,
    /// The behaviour at its beginning.
    house: House,
    /// The authenticated user.
    user: Option<String>,
    /// Accepted recipients of the next mail.
    to: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<'_, S> {
    /// Answers commands until the end, or until TLS begins; returns true in the latter case.
    async fn hold(&mut self) -> io::Result<bool> {
        // After STARTTLS the server does not greet again.
        let offers_tls = self.house.speech == Speech::StartTls;
        if !(self.encrypted && offers_tls) {
            self.say("220 office.example ESMTP").await?;
        }
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(false);
            }
            let command = line.trim_end();
            let verb: String = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "HELO" if self.house.wants_a_name && !command.contains('.') | command.contains('[') => {
                    self.say("504 5.5.2 need fully-qualified hostname").await?;
                }
                "EHLO" => self.greet(command).await?,
                "STARTTLS" if offers_tls && !self.encrypted => {
                    self.say("220 go ahead").await?;
                    return Ok(true);
                }
                "AUTH" => self.authenticate(command).await?,
                "MAIL" if self.house.login.is_some() && self.user.is_none() => self.say("530 sign in first").await?,
                "MAIL" => {
                    self.to.clear();
                    self.say("250 ok").await?;
                }
                "RCPT" => self.add_recipient(command).await?,
                "DATA" => {
                    let answer = self.accept_mail().await?;
                    if self.house.breaks {
                        return Ok(false);
                    }
                    self.say(answer).await?;
                }
                "NOOP" | "RSET" => self.say("250 ok").await?,
                "QUIT" if self.house.clings => return std::future::pending().await,
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(false);
                }
                _ => self.say("502 not here").await?,
            }
        }
    }

    /// Answers a greeting with what the server offers.
    async fn greet(&mut self, command: &str) -> io::Result<()> {
        self.books.lock().unwrap().greetings.push(command.to_owned());
        let mut offers = vec!["250-office.example"];
        if self.house.speech == Speech::StartTls && !self.encrypted {
            offers.push("250-STARTTLS");
        }
        if self.house.login.is_some() {
            offers.push(self.house.mechanism.unwrap_or("250-AUTH PLAIN LOGIN"));
        }
        offers.push("250 8BITMIME");
        self.say(&offers.join("\r\n")).await
    }

    /// Asks for what the command lacks, and compares user and password.
    async fn authenticate(&mut self, command: &str) -> io::Result<()> {
        let plain = |text: &str| {
            let given = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap_or_default();
            String::from_utf8(given).unwrap()
        };
        let mut given = plain(command.strip_prefix("AUTH PLAIN ").unwrap_or_default());
        for question in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"].into_iter().filter(|_| command.ends_with(" LOGIN")) {
            self.say(&format!("334 {question}")).await?;
            let mut answer = String::new();
            self.stream.read_line(&mut answer).await?;
            given = format!("{given}\0{}", plain(&answer));
        }
        let login = self.house.login;
        let right = login.is_some_and(|(name, password)| given == format!("\0{name}\0{password}"));
        self.user = login.filter(|_| right).map(|(name, _)| name.to_owned());
        self.say(if right { "235 welcome" } else { "535 5.7.8 wrong name or password" }).await
    }

    /// Accepts or refuses a recipient.
    async fn add_recipient(&mut self, command: &str) -> io::Result<()> {
        let name = command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let refusal = self.house.refuses.iter().find(|(begins, _)| name.starts_with(begins)).map(|(_, answer)| *answer);
        self.say(refusal.unwrap_or("250 ok")).await?;
        if refusal.is_none() {
            self.to.push(name);
        }
        Ok(())
    }

    /// Receives a mail, keeps it if it is accepted, and returns the answer to it.
    async fn accept_mail(&mut self) -> io::Result<&'static str> {
        self.say("354 go on").await?;
        let raw = data(self.stream).await?;
        let mut books = self.books.lock().unwrap();
        let answer = books.house.next.pop_front().unwrap_or("250 taken");
        if answer.starts_with("250") {
            let (encrypted, user) = (self.encrypted, &self.user);
            let mails =
                self.to.iter().map(|to| Taken { to: to.clone(), raw: raw.clone(), encrypted, user: user.clone() });
            books.taken.extend(mails);
            self.changed.notify_waiters();
        }
        Ok(answer)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.get_mut().flush().await
    }
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
