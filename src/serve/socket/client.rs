//! The command line's side of the socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::line;
use super::protocol::{CommandFailure, Greeting, Request, SocketEvent, SocketRequest, Stop, TroubleKind};

/// Time limit of the first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Upper bound on a line of an answer, in bytes; a record lists its failures, so it can be long.
const MAX_ANSWER_LENGTH: u64 = 64 * 1024 * 1024;

/// A conversation with the running service.
pub struct ServiceConnection {
    events: mpsc::Receiver<SocketEvent>,
    writer: OwnedWriteHalf,
}

impl ServiceConnection {
    /// Sends a request to the service over `stream`. Returns the conversation and the service's greeting once the
    /// service has understood.
    pub async fn ask(stream: UnixStream, ask: SocketRequest) -> Result<(Self, Greeting), CommandFailure> {
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
            return Err(CommandFailure::new(TroubleKind::Busy, message));
        };
        match (first, asked) {
            (SocketEvent::Welcome(greeting), Ok(())) => Ok((connection, greeting)),
            // The service refused before it had read everything: its answer explains more than the broken write.
            (SocketEvent::Failed(trouble), _) => Err(trouble),
            (_, Err(error)) => Err(broken(&error)),
            (_, Ok(())) => Err(other_release()),
        }
    }

    /// Returns the next event of the service. If the service is gone or cannot be understood, the event is
    /// [`SocketEvent::Failed`].
    pub async fn next(&mut self) -> SocketEvent {
        self.events.recv().await.unwrap_or_else(|| SocketEvent::Failed(broken(&"it is gone")))
    }

    /// Requests a stop of the batch.
    pub async fn stop(&mut self) {
        // If the service is gone, the next event reports it.
        let _ = line::write(&mut self.writer, &Stop { stop: true }).await;
    }
}

fn halves(stream: UnixStream) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    stream.set_nonblocking(true)?;
    Ok(tokio::net::UnixStream::from_std(stream)?.into_split())
}

/// Forwards the events of the service until it has sent all.
async fn listen(mut reader: BufReader<OwnedReadHalf>, sender: mpsc::Sender<SocketEvent>) {
    loop {
        let event = match line::read(&mut reader, MAX_ANSWER_LENGTH).await {
            Ok(Some(line)) => serde_json::from_slice(&line).unwrap_or_else(|_| SocketEvent::Failed(other_release())),
            Ok(None) => return,
            Err(error) => SocketEvent::Failed(broken(&error)),
        };
        let over = matches!(event, SocketEvent::Failed(_));
        if sender.send(event).await.is_err() || over {
            return;
        }
    }
}

fn broken(error: &impl ToString) -> CommandFailure {
    let error = error.to_string();
    CommandFailure::new(
        TroubleKind::Machine,
        format!(
            "the conversation with the running cashout service broke off ({error}); nothing is lost: what it was \
             doing stands in its list of batches, and what was queued runs after its next start"
        ),
    )
}

fn other_release() -> CommandFailure {
    CommandFailure::new(
        TroubleKind::Busy,
        format!(
            "the running cashout service is of another release than this command ({}) and says something that it \
             does not understand; restart the service, so that both are the same",
            crate::platform::release::version()
        ),
    )
}
