//! The service's side of the socket.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line;
use super::path;
use super::protocol::{CommandFailure, Greeting, PROTOCOL, Request, SocketEvent, SocketRequest, Stop, TroubleKind};
use crate::admin::check;
use crate::domain::operation::OperationChoice;
use crate::jobs::{self, BatchRecord, Command, Context, Enqueued, JobError};
use crate::scheduler::{BatchStage, Ending, Scheduler, Stopping};
use crate::store::View;
use crate::text::message::msg;
use crate::update::Installer;

/// Upper bound on a request, in bytes.
const MAX_REQUEST_LENGTH: u64 = 64 * 1024;
/// Time limit for a request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for a command to receive an event.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// Upper bound on concurrent conversations.
const MAX_CONCURRENT: usize = 32;
/// Minimum interval between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// The parts of the service that work for the command line.
#[derive(Clone)]
pub struct SocketService {
    /// The store, the remotes and the clock.
    pub context: Context,
    /// Scheduler of the batches.
    pub scheduler: Scheduler,
    /// Installer of releases.
    pub releases: Installer,
    /// Data folder, which contains the socket.
    pub data: PathBuf,
}

impl SocketService {
    /// Listens on the socket of the data folder. If that is not possible, logs the reason and returns `None`: the
    /// service works without the socket.
    pub async fn listen(self) -> Option<Listening> {
        let data = self.data.clone();
        let bound = tokio::task::spawn_blocking(move || path::bind(&data)).await;
        match bound.map_err(io::Error::other).flatten().and_then(UnixListener::from_std) {
            Ok(listener) => Some(Listening { service: self, listener }),
            Err(error) => {
                let place = self.data.join(path::SOCKET);
                let place = place.display();
                tracing::error!(
                    action = "serve",
                    "{place} cannot be used ({error}), so commands cannot work through this service: mend that and \
                     restart it"
                );
                None
            }
        }
    }
}

/// A bound socket.
pub struct Listening {
    service: SocketService,
    listener: UnixListener,
}

impl Listening {
    /// Answers until `stop` is cancelled, and removes the socket. A command that waits for a batch then is still
    /// informed when the batch reaches its safe point.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { service, listener } = self;
        let (room, conversations) = (Arc::new(Semaphore::new(MAX_CONCURRENT)), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let permit = Arc::clone(&room).try_acquire_owned().ok();
                    let (service, stop) = (service.clone(), stop.clone());
                    conversations.spawn(async move {
                        let (reader, writer) = stream_halves(stream);
                        let conversation = Conversation { service, writer, stop };
                        // A command that breaks off is no error of the service: what was begun goes on.
                        let _ = conversation.hold(reader, permit.is_some()).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(action = "serve", "a command could not be listened to: {error}");
                    tokio::time::sleep(REPORT_INTERVAL).await;
                }
            }
        }
        drop(listener);
        let _ = tokio::task::spawn_blocking(move || path::remove(&service.data)).await;
        conversations.close();
        conversations.wait().await;
    }
}

type LineReader = BufReader<OwnedReadHalf>;

fn stream_halves(stream: UnixStream) -> (LineReader, OwnedWriteHalf) {
    let (reader, writer) = stream.into_split();
    (BufReader::new(reader), writer)
}

/// A command that works through the service.
struct Conversation {
    service: SocketService,
    writer: OwnedWriteHalf,
    stop: CancellationToken,
}

impl Conversation {
    /// Sends an event. A command that does not read is given up: it must not delay the end of the service.
    async fn say(&mut self, event: &SocketEvent) -> io::Result<()> {
        tokio::time::timeout(CONFIRM_TIMEOUT, line::write(&mut self.writer, event)).await?
    }

    async fn hold(mut self, mut reader: LineReader, room: bool) -> io::Result<()> {
        let asked = if room {
            let line = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                line = tokio::time::timeout(REQUEST_TIMEOUT, line::read(&mut reader, MAX_REQUEST_LENGTH)) => line,
            };
            match line {
                Ok(Ok(Some(line))) => understand(&line),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => {
                    Err(CommandFailure::new(TroubleKind::Refused, format!("the request cannot be read: {error}")))
                }
                Err(_) => {
                    let seconds = REQUEST_TIMEOUT.as_secs();
                    let message = format!("the request did not arrive within {seconds} s");
                    Err(CommandFailure::new(TroubleKind::Refused, message))
                }
            }
        } else {
            let message = format!("{MAX_CONCURRENT} commands work through the service already; try again later");
            Err(CommandFailure::new(TroubleKind::Busy, message))
        };
        let ask = match asked {
            Ok(ask) => ask,
            Err(trouble) => return self.say(&SocketEvent::Failed(trouble)).await,
        };
        self.say(&SocketEvent::Welcome(Greeting::ours())).await?;
        match ask {
            SocketRequest::Batch { request, may_wait } => self.batch(reader, &request, may_wait).await,
            SocketRequest::Retry { operation } => self.choose(operation, OperationChoice::Retry, "").await,
            SocketRequest::Operation { operation, chosen, reason } => self.choose(operation, chosen, &reason).await,
            SocketRequest::SetWallet { mirakl_id, hipay_id, reason } => {
                let asked_by = "a person on the command line";
                let set = jobs::set_wallet(&self.service.context, mirakl_id, hipay_id, &reason, asked_by);
                let event = match set.await {
                    Ok(change) => SocketEvent::Wallet { change: Box::new(change) },
                    Err(error) => SocketEvent::Failed((&error).into()),
                };
                self.say(&event).await
            }
            SocketRequest::Voucher { id, choice, reason } => {
                let (context, asked_by) = (&self.service.context, "a person on the command line");
                let chosen = jobs::choose_for_voucher(context, &id, choice, &reason, asked_by).await;
                let event = match chosen {
                    Ok(record) => SocketEvent::Voucher { record: Box::new(record) },
                    Err(error) => SocketEvent::Failed((&error).into()),
                };
                self.say(&event).await
            }
            SocketRequest::Update { wanted } => {
                let releases = tokio::select! {
                    releases = self.service.releases.answer(&wanted) => releases,
                    () = self.stop.cancelled() => return Ok(()),
                };
                let event = match releases {
                    Ok(releases) => SocketEvent::Releases { releases: Box::new(releases) },
                    Err(error) => SocketEvent::Failed((&JobError::from(error)).into()),
                };
                self.say(&event).await
            }
            SocketRequest::Check { offline } => {
                let looked = tokio::select! {
                    looked = check::run_checks(&self.service.context, offline) => looked.map_err(JobError::from),
                    // The remotes may be slow to answer.
                    () = self.stop.cancelled() => Err(JobError::Remote(msg!("service-stops"))),
                };
                let event = match looked {
                    Ok(findings) => SocketEvent::Findings { findings: findings.0 },
                    Err(error) => SocketEvent::Failed((&error).into()),
                };
                self.say(&event).await
            }
        }
    }

    async fn choose(&mut self, id: u64, choice: OperationChoice, reason: &str) -> io::Result<()> {
        let (context, asked_by) = (&self.service.context, "a person on the command line");
        let event = match jobs::choose_for_operation(context, id, choice, reason, asked_by).await {
            Ok(operation) => SocketEvent::Operation { operation: Box::new(operation) },
            Err(error) => SocketEvent::Failed((&error).into()),
        };
        self.say(&event).await
    }

    /// Enqueues a batch and reports its progress until its end.
    async fn batch(&mut self, reader: LineReader, command: &Command, may_wait: bool) -> io::Result<()> {
        let scheduler = self.service.scheduler.clone();
        // Subscribes before the batch is enqueued, so that its end is not missed.
        let mut endings = scheduler.endings();
        let (record, behind, joined) = match scheduler.ask(command, "command line", may_wait).await {
            Ok(Enqueued::Queued { record, behind }) => (record, behind, false),
            Ok(Enqueued::Joined(record)) => (record, None, true),
            Ok(Enqueued::Busy(ahead)) => {
                let BatchRecord { command, id, .. } = ahead;
                let message = format!("{command} is running or queued already (batch {id}); wait until it is done");
                return self.say(&SocketEvent::Failed(CommandFailure::new(TroubleKind::Busy, message))).await;
            }
            Err(error) => return self.say(&SocketEvent::Failed((&error).into())).await,
        };
        let id = record.id;
        self.say(&SocketEvent::Queued { batch: id, behind, joined }).await?;

        let mut live = scheduler.live();
        let mut told = ProgressCursor::default();
        let mut asker = pin!(wants_a_stop(reader));
        let (mut listening, mut next_look) = (true, Instant::now());
        loop {
            let looked = async {
                tokio::time::sleep_until(next_look).await;
                live.changed().await
            };
            tokio::select! {
                ending = endings.recv() => match ending {
                    Ok(ending) if ending.record.id == id => return self.ended(&mut told, &ending).await,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => if let Some(record) = self.is_over(id).await {
                        return self.ended(&mut told, &Ending { record, error: None, stages: Vec::new() }).await;
                    },
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                _ = looked => {
                    next_look = Instant::now() + REPORT_INTERVAL;
                    let stages = live.borrow_and_update().get(&id).map(|batch| batch.stages.clone());
                    self.progress(&mut told, &stages.unwrap_or_default()).await?;
                }
                wanted = &mut asker, if listening => {
                    listening = false;
                    match wanted {
                        Some(Stop { stop: true }) if !joined && self.asked_alone(id).await => {
                            if scheduler.stop(id).await.is_ok_and(|stopping| stopping != Stopping::Over) {
                                self.say(&SocketEvent::Stopping).await?;
                            }
                        }
                        Some(_) => return self.say(&SocketEvent::GoesOn).await,
                        // The command is gone without a request to stop; the batch goes on.
                        None => return Ok(()),
                    }
                }
                () = self.stop.cancelled(), if !scheduler.is_running(id) => {
                    while let Ok(ending) = endings.try_recv() {
                        if ending.record.id == id {
                            return self.ended(&mut told, &ending).await;
                        }
                    }
                    let message = format!(
                        "the service stops before batch {id} began; it stays queued, and runs after the next start"
                    );
                    return self.say(&SocketEvent::Failed(CommandFailure::new(TroubleKind::Busy, message))).await;
                }
            }
        }
    }

    async fn ended(&mut self, told: &mut ProgressCursor, ending: &Ending) -> io::Result<()> {
        self.progress(told, &ending.stages).await?;
        let error = ending.error.as_ref().map(CommandFailure::from);
        self.say(&SocketEvent::Ended { record: Box::new(ending.record.clone()), error }).await
    }

    async fn progress(&mut self, told: &mut ProgressCursor, stages: &[BatchStage]) -> io::Result<()> {
        for event in told.news(stages) {
            self.say(&event).await?;
        }
        Ok(())
    }

    /// Returns true if no other caller has requested the batch.
    async fn asked_alone(&self, id: u64) -> bool {
        let record = self.service.context.store.reading(move |reader| reader.get::<BatchRecord>(&id)).await;
        record.is_ok_and(|record| record.is_some_and(|record| record.joined == 0))
    }

    async fn is_over(&self, id: u64) -> Option<BatchRecord> {
        let record = self.service.context.store.reading(move |reader| reader.get::<BatchRecord>(&id)).await;
        record.ok().flatten().filter(|record| record.state().is_over())
    }
}

/// Reads the line with which a command requests a stop of the batch; `None` once the command is gone or sends something
/// else.
async fn wants_a_stop(mut reader: LineReader) -> Option<Stop> {
    let line = line::read(&mut reader, MAX_REQUEST_LENGTH).await.ok().flatten()?;
    serde_json::from_slice(&line).ok()
}

fn understand(line: &[u8]) -> Result<SocketRequest, CommandFailure> {
    let greeting: Greeting = serde_json::from_slice(line).map_err(|error| {
        CommandFailure::new(TroubleKind::Refused, format!("the request is not one of a cashout command: {error}"))
    })?;
    if greeting.protocol != PROTOCOL {
        let (theirs, ours) = (greeting.version, crate::platform::release::version());
        let message = format!(
            "this command is cashout {theirs}, the running service is cashout {ours}, and they do not understand each \
             other; restart the service, or use its own release, so that both are the same"
        );
        return Err(CommandFailure::new(TroubleKind::Busy, message));
    }
    let request: Request = serde_json::from_slice(line).map_err(|error| {
        CommandFailure::new(
            TroubleKind::Refused,
            format!("the running service does not understand the request: {error}"),
        )
    })?;
    Ok(request.ask)
}

/// The part of a batch's progress that a command has received.
#[derive(Default)]
struct ProgressCursor {
    stages: usize,
    done: u64,
}

impl ProgressCursor {
    /// Returns events for everything new in `stages`.
    fn news(&mut self, stages: &[BatchStage]) -> Vec<SocketEvent> {
        let mut news = Vec::new();
        for stage in stages.iter().skip(self.stages) {
            news.push(SocketEvent::Stage { name: stage.name.clone(), total: stage.total });
            self.stages = self.stages.saturating_add(1);
            self.done = 0;
        }
        if let Some(last) = stages.last()
            && last.done > self.done
        {
            self.done = last.done;
            news.push(SocketEvent::Progress { done: last.done });
        }
        news
    }
}
