//! Client for the mail server.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::{self, commands};
use lettre::{Address, Message};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use crate::config::{MailConfig, MailSecurity};
use crate::platform::os;

/// Time limit to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the server's reply to QUIT.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit for a mail from the connection to the server's final reply.
pub const SEND_TIMEOUT: Duration = Duration::from_mins(1);

/// Reply code with which a server requests more data during sign-in.
const CHALLENGE: u16 = 334;
const MAX_CHALLENGES: u8 = 10;

/// Reply codes with which the server refuses our credentials rather than the mail.
const ABOUT_CREDENTIALS: [u16; 4] = [530, 534, 535, 538];

/// Error of a mail that was not accepted, classified by what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    /// A permanent refusal of this mail for this recipient. Drop it, and inform a person.
    #[error("{0}")]
    Refused(String),
    /// A temporary refusal. Try again later.
    #[error("{0}")]
    Later(String),
    /// A server that cannot be reached, or not in the way that the settings require: no mail would
    /// be accepted now. Try again later.
    #[error("{0}")]
    Unreachable(String),
}

/// A mail with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// Unique token of this mail.
    pub token: String,
    /// Time of creation (UTC).
    pub at: Timestamp,
}

/// A mail server and the parameters of its connection.
pub struct Post {
    host: String,
    port: u16,
    security: MailSecurity,
    tls: TlsParameters,
    hello: ClientId,
    credentials: Option<Credentials>,
    server: String,
    from: Address,
    patience: Duration,
}

impl Post {
    /// Creates a client for the configured server. No single mail takes longer than `patience`.
    pub async fn new(config: &MailConfig, patience: Duration) -> Result<Self, PostError> {
        let from = address(&config.from)?;
        let credentials = config.username.as_ref().map(|user| {
            let password = config.password.as_ref().map_or("", |password| password.expose());
            Credentials::new(user.clone(), password.to_owned())
        });
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            security: config.security,
            tls: tls(config).await?,
            hello: hello(config, &from),
            credentials,
            server: format!("{}:{}", config.host, config.port),
            from,
            patience,
        })
    }

    /// Sends one mail to one recipient. It was accepted if this returns `Ok`.
    pub async fn send(&self, letter: &Letter, to: &str) -> Result<(), PostError> {
        let to = address(to)?;
        let message = Message::builder()
            .from(Mailbox::new(Some("cashout".to_owned()), self.from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .subject(letter.subject.clone())
            .date(SystemTime::from(letter.at))
            .message_id(Some(format!("<{}@{}>", letter.token, self.from.domain())))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| PostError::Refused(format!("no mail can be made of it: {error}")))?;
        let handed_over = async {
            let mut connection = self.connect().await?;
            // Step by step: after a refusal the library sends QUIT, and some servers never answer that.
            let taken = hand_over(&mut connection, &self.from, to, &message.formatted()).await;
            leave(&mut connection).await;
            taken.map_err(|error| self.judge(&error))
        };
        tokio::time::timeout(self.patience, handed_over).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Connects and signs in without sending anything, to check that mail would go through.
    pub async fn try_out(&self) -> Result<(), PostError> {
        let tried = async {
            let mut connection = self.connect().await?;
            let answered = connection.test_connected().await;
            leave(&mut connection).await;
            if answered { Ok(()) } else { Err(PostError::Unreachable(format!("{} broke the connection", self.server))) }
        };
        tokio::time::timeout(self.patience, tried).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Connects in the way that the settings require, or not at all. A refusal here does not concern a mail.
    async fn connect(&self) -> Result<AsyncSmtpConnection, PostError> {
        self.signed_in().await.map_err(|error| {
            self.refused_credentials(&error).unwrap_or_else(|| PostError::Unreachable(self.reason(&error)))
        })
    }

    async fn signed_in(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let wrapped = (self.security == MailSecurity::Tls).then(|| self.tls.clone());
        let timeout = Some(CONNECT_TIMEOUT.min(self.patience));
        let server = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, timeout, &self.hello, wrapped, None).await?;
        if self.security == MailSecurity::StartTls {
            // Required, not opportunistic: if it is not offered, nothing is sent.
            connection.starttls(self.tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            sign_in(&mut connection, credentials).await?;
        }
        Ok(connection)
    }

    fn silent(&self) -> PostError {
        PostError::Unreachable(format!("{} did not answer within {} s", self.server, self.patience.as_secs()))
    }

    fn reason(&self, error: &smtp::Error) -> String {
        format!("{}: {error}", self.server)
    }

    /// Returns the error of a server that does not take our credentials; `None` for any other.
    fn refused_credentials(&self, error: &smtp::Error) -> Option<PostError> {
        let code = error.status().map(u16::from).filter(|code| ABOUT_CREDENTIALS.contains(code));
        code.map(|_| PostError::Unreachable(format!("{}; check mail.username and mail.password", self.reason(error))))
    }

    fn judge(&self, error: &smtp::Error) -> PostError {
        let reason = self.reason(error);
        if let Some(refused) = self.refused_credentials(error) {
            refused
        } else if error.is_permanent() {
            PostError::Refused(reason)
        } else if error.is_transient() {
            PostError::Later(reason)
        } else {
            PostError::Unreachable(reason)
        }
    }
}

/// Signs in with the first mechanism that both sides know. Step by step, as for a mail.
async fn sign_in(connection: &mut AsyncSmtpConnection, credentials: &Credentials) -> Result<(), smtp::Error> {
    let Some(mechanism) = connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS) else {
        // The library builds the error message.
        return connection.auth(DEFAULT_MECHANISMS, credentials).await.map(|_| ());
    };
    let mut answer = connection.command(commands::Auth::new(mechanism, credentials.clone(), None)?).await?;
    for _ in 0..MAX_CHALLENGES {
        if !answer.has_code(CHALLENGE) {
            return Ok(());
        }
        let response = commands::Auth::new_from_response(mechanism, credentials.clone(), &answer)?;
        answer = connection.command(response).await?;
    }
    // The server would take what follows for another answer.
    connection.command(commands::Quit).await.map(|_| ())
}

/// Hands over one mail, from its sender to the server's final reply.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    from: &Address,
    to: Address,
    message: &[u8],
) -> Result<(), smtp::Error> {
    // A server that does not support such addresses refuses them with its own error.
    let unicode = !from.user().is_ascii() || !to.user().is_ascii();
    let parameters = if unicode { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    connection.command(commands::Mail::new(Some(from.clone()), parameters)).await?;
    connection.command(commands::Rcpt::new(to, Vec::new())).await?;
    connection.command(commands::Data).await?;
    connection.message(message).await?;
    Ok(())
}

/// Closes the connection and ignores the server's reply.
async fn leave(connection: &mut AsyncSmtpConnection) {
    let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await;
}

/// Returns the name of this machine in the greeting: the configured one, else its own full name,
/// else the domain of the sender.
fn hello(config: &MailConfig, from: &Address) -> ClientId {
    let own = || Some(os::host_name()).filter(|name| name.contains('.') && !name.starts_with("localhost."));
    ClientId::Domain(config.ehlo.clone().or_else(own).unwrap_or_else(|| from.domain().to_owned()))
}

/// Parses an address for mail servers: an internationalised domain is written in ASCII.
fn address(text: &str) -> Result<Address, PostError> {
    let ascii = text.rsplit_once('@').and_then(|(local, domain)| {
        let url = Url::parse(&format!("http://{domain}/")).ok()?;
        Some(format!("{local}@{}", url.host_str()?))
    });
    let ascii = ascii.as_deref().filter(|_| !text.is_ascii()).unwrap_or(text);
    ascii.parse().map_err(|error| PostError::Refused(format!("{text} is no address that mail can be sent to: {error}")))
}

async fn tls(config: &MailConfig) -> Result<TlsParameters, PostError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    for (setting, file) in &config.ca_files {
        let unusable = |error: &dyn std::fmt::Display| {
            PostError::Unreachable(format!("{setting}: {} cannot be used: {error}", file.display()))
        };
        let pem = tokio::fs::read(file).await.map_err(|error| unusable(&error))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            let certificate = Certificate::from_der(certificate.to_vec()).map_err(|error| unusable(&error))?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| PostError::Unreachable(format!("no TLS to the mail server: {error}")))
}
