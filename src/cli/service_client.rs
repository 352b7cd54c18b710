//! Commands through the running service.

use std::os::unix::net::UnixStream;

use super::batch::StopSignals;
use super::{Exit, Failed, Global, output, progress};
use crate::jobs::{BatchRecord, Command};
use crate::serve::socket::{CommandFailure, Greeting, ServiceConnection, SocketEvent, SocketRequest, TroubleKind};

impl From<CommandFailure> for Failed {
    fn from(trouble: CommandFailure) -> Self {
        let exit = match trouble.kind {
            TroubleKind::Credentials => Exit::Credentials,
            TroubleKind::Refused => Exit::Usage,
            TroubleKind::Remote => Exit::Failures,
            TroubleKind::Busy => Exit::Busy,
            TroubleKind::Machine | TroubleKind::Unknown => Exit::Machine,
        };
        Self::new(exit, trouble.message)
    }
}

/// Makes a request that one event answers. Returns the event with the release of the service.
pub(super) async fn request_one(service: UnixStream, ask: SocketRequest) -> Result<(SocketEvent, Greeting), Failed> {
    let (mut connection, greeting) = ServiceConnection::ask(service, ask).await?;
    loop {
        let event = connection.next().await;
        if let SocketEvent::Failed(trouble) = event {
            return Err(trouble.into());
        }
        if event != SocketEvent::Unknown {
            return Ok((event, greeting));
        }
    }
}

/// Makes the error for an answer of the service that does not fit the request.
pub(super) fn other(event: &SocketEvent) -> Failed {
    Failed::new(Exit::Machine, format!("the running service answered something else: {event:?}"))
}

/// The outcome of a batch.
pub(super) enum Batch {
    /// A batch that has ended.
    Over(Box<BatchRecord>, Option<CommandFailure>),
    /// A batch that continues without us.
    GoesOn,
}

/// Runs `command` in the service and shows its progress. The first Ctrl-C requests a stop, the second one
/// leaves at once.
pub(super) async fn batch(service: UnixStream, global: &Global, command: Command) -> Result<Batch, Failed> {
    let name = command.name();
    let progress = progress::choose(global.json);
    let ask = SocketRequest::Batch { request: command, may_wait: !global.no_wait };
    let (mut connection, _) = ServiceConnection::ask(service, ask).await?;
    let mut signals = StopSignals::listen();
    let mut asked_to_stop = false;
    let mut shown = 0_u64;
    loop {
        let event = tokio::select! {
            event = connection.next() => event,
            () = signals.next() => {
                if asked_to_stop {
                    // The service brings the batch to a safe point without us.
                    return Ok(Batch::GoesOn);
                }
                asked_to_stop = true;
                connection.stop().await;
                continue;
            }
        };
        match event {
            SocketEvent::Queued { batch, behind: Some(ahead), .. } => output::notice(&format!(
                "{name} is running already (batch {ahead}); batch {batch} waits until it is done"
            )),
            SocketEvent::Queued { batch, joined: true, .. } => {
                output::notice(&format!("the same is queued already as batch {batch}; it runs once for all who asked"));
            }
            SocketEvent::Stage { name, total } => {
                shown = 0;
                progress.stage(&name, total);
            }
            SocketEvent::Progress { done } => {
                (shown..done).for_each(|_| progress.step());
                shown = done.max(shown);
            }
            SocketEvent::Stopping => {
                output::notice("stopping as soon as what is in hand is safe; once more to leave at once");
            }
            SocketEvent::GoesOn => {
                output::notice("others asked for this batch too: it goes on");
                return Ok(Batch::GoesOn);
            }
            SocketEvent::Ended { record, error } => {
                progress.end();
                return Ok(Batch::Over(record, error));
            }
            SocketEvent::Failed(trouble) => return Err(trouble.into()),
            SocketEvent::Operation { .. }
            | SocketEvent::Wallet { .. }
            | SocketEvent::Voucher { .. }
            | SocketEvent::Findings { .. }
            | SocketEvent::Releases { .. } => {
                return Err(other(&event));
            }
            SocketEvent::Queued { .. } | SocketEvent::Welcome(_) | SocketEvent::Unknown => {}
        }
    }
}
