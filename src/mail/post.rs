//! The way to the mail server.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use thiserror::Error;

use crate::config::{MailConfig, MailSecurity};

/// How long a connection may take to come about.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// How long a mail may take from the connection to the server's word.
pub const SENT_WITHIN: Duration = Duration::from_mins(1);

/// What the server answers where it is our credentials, not the mail, that it does not take.
const ABOUT_CREDENTIALS: [u16; 4] = [530, 534, 535, 538];

/// Why a mail was not taken, by what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    /// The server will never take this mail for this recipient. Drop it, and tell a person.
    #[error("{0}")]
    Refused(String),
    /// Not now. Try again later.
    #[error("{0}")]
    Later(String),
    /// The server cannot be reached, or not in the way that the settings ask for: no mail would be
    /// taken now. Try again later.
    #[error("{0}")]
    Unreachable(String),
}

/// A mail with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The words as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Tells this mail from all others.
    pub token: String,
    /// When it was made (UTC).
    pub at: Timestamp,
}

/// A mail server and how to speak to it.
pub struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    server: String,
    from: Address,
    patience: Duration,
}

impl Post {
    /// The server of the settings. No single mail takes longer than `patience`.
    pub async fn new(config: &MailConfig, patience: Duration) -> Result<Self, PostError> {
        let server = format!("{}:{}", config.host, config.port);
        let tls = match config.security {
            MailSecurity::None => Tls::None,
            // Required, not opportunistic: where it is not offered, nothing is sent.
            MailSecurity::StartTls => Tls::Required(tls(config).await?),
            MailSecurity::Tls => Tls::Wrapper(tls(config).await?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(CONNECTED_WITHIN.min(patience)));
        if let Some(user) = &config.username {
            let password = config.password.as_ref().map_or("", |password| password.expose());
            builder = builder.credentials(Credentials::new(user.clone(), password.to_owned()));
        }
        let from = address(&config.from)?;
        Ok(Self { transport: builder.build(), server, from, patience })
    }

    /// Sends one mail to one recipient. It was taken when this returns `Ok`.
    pub async fn send(&self, letter: &Letter, to: &str) -> Result<(), PostError> {
        let message = Message::builder()
            .from(Mailbox::new(Some("cashout".to_owned()), self.from.clone()))
            .to(Mailbox::new(None, address(to)?))
            .subject(letter.subject.clone())
            .date(SystemTime::from(letter.at))
            .message_id(Some(format!("<{}@{}>", letter.token, self.from.domain())))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| PostError::Refused(format!("no mail can be made of it: {error}")))?;
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Connects, signs in and asks for nothing: whether mail would go through.
    pub async fn try_out(&self) -> Result<(), PostError> {
        match tokio::time::timeout(self.patience, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(PostError::Unreachable(format!("{} broke the connection", self.server))),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> PostError {
        PostError::Unreachable(format!("{} did not answer within {} s", self.server, self.patience.as_secs()))
    }

    fn judge(&self, error: &lettre::transport::smtp::Error) -> PostError {
        let reason = format!("{}: {error}", self.server);
        let code = error.status().map(u16::from);
        if code.is_some_and(|code| ABOUT_CREDENTIALS.contains(&code)) {
            PostError::Unreachable(format!("{reason}; check mail.username and mail.password"))
        } else if error.is_permanent() {
            PostError::Refused(reason)
        } else if error.is_transient() {
            PostError::Later(reason)
        } else {
            PostError::Unreachable(reason)
        }
    }
}

fn address(text: &str) -> Result<Address, PostError> {
    text.parse().map_err(|error| PostError::Refused(format!("{text} is no address that mail can be sent to: {error}")))
}

async fn tls(config: &MailConfig) -> Result<TlsParameters, PostError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        let unusable = |error: &dyn std::fmt::Display| {
            PostError::Unreachable(format!("mail.tls.caFile: {} cannot be used: {error}", file.display()))
        };
        let pem = tokio::fs::read(file).await.map_err(|error| unusable(&error))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable(&error))?);
    }
    builder.build().map_err(|error| PostError::Unreachable(format!("no TLS to the mail server: {error}")))
}
