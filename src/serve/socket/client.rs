//! The command line's side of the socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::line;
use super::protocol::{Ask, Event, Greeting, Request, Stop, Trouble, TroubleKind};

/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How long a line of an answer may be, in bytes: a record lists its failures.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// A conversation with the running service.
pub struct Connection {
    events: mpsc::Receiver<Event>,
    writer: OwnedWriteHalf,
}

impl Connection {
    /// Asks the service for something over `stream`. Gives the conversation once the service has
    /// understood, with its release.
    pub async fn ask(stream: UnixStream, ask: Ask) -> Result<(Self, Greeting), Trouble> {
        let (reader, mut writer) = halves(stream).map_err(|error| broken(&error))?;
        let (sender, events) = mpsc::channel(64);
        tokio::spawn(listen(BufReader::new(reader), sender));
        let asked = line::write(&mut writer, &Request { greeting: Greeting::ours(), ask }).await;
        let mut connection = Self { events, writer };
        let Ok(first) = tokio::time::timeout(FIRST_ANSWER, connection.next()).await else {
            let seconds = FIRST_ANSWER.as_secs();
            let message = format!(
                "the running cashout service does not answer within {seconds} s; look at its log, or restart it"
            );
            return Err(Trouble::new(TroubleKind::Busy, message));
        };
        match (first, asked) {
            (Event::Welcome(greeting), Ok(())) => Ok((connection, greeting)),
            // Refused before it had read all: its word says more than the broken line.
            (Event::Failed(trouble), _) => Err(trouble),
            (_, Err(error)) => Err(broken(&error)),
            (_, Ok(())) => Err(other_release()),
        }
    }

    /// The next thing that the service says. A service that is gone, or cannot be understood, is
    /// trouble of ours.
    pub async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or_else(|| Event::Failed(broken(&"it is gone")))
    }

    /// Asks for the batch to be stopped.
    pub async fn stop(&mut self) {
        // Where the service is gone, that is the next thing we hear.
        let _ = line::write(&mut self.writer, &Stop { stop: true }).await;
    }
}

fn halves(stream: UnixStream) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    stream.set_nonblocking(true)?;
    Ok(tokio::net::UnixStream::from_std(stream)?.into_split())
}

/// Hands on what the service says until it has said all.
async fn listen(mut reader: BufReader<OwnedReadHalf>, sender: mpsc::Sender<Event>) {
    loop {
        let event = match line::read(&mut reader, LONGEST_ANSWER).await {
            Ok(Some(line)) => serde_json::from_slice(&line).unwrap_or_else(|_| Event::Failed(other_release())),
            Ok(None) => return,
            Err(error) => Event::Failed(broken(&error)),
        };
        let over = matches!(event, Event::Failed(_));
        if sender.send(event).await.is_err() || over {
            return;
        }
    }
}

fn broken(error: &impl ToString) -> Trouble {
    let error = error.to_string();
    Trouble::new(
        TroubleKind::Machine,
        format!(
            "the conversation with the running cashout service broke off ({error}); nothing is lost: what it was \
             doing stands in its list of batches, and what was queued runs after its next start"
        ),
    )
}

fn other_release() -> Trouble {
    Trouble::new(
        TroubleKind::Busy,
        format!(
            "the running cashout service is of another release than this command ({}) and says something that it \
             does not understand; restart the service, so that both are the same",
            crate::platform::release::version()
        ),
    )
}
