//! The worker's side: the state that it gets from its guard, and the messages that it sends to it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use super::channel::{GuardChannel, GuardMessage, WorkerMessage, seal};
use super::status::{UpdateReason, UpdateStatus};
use crate::config;
use crate::platform::release;
use crate::platform::secret::Secret;

/// Upper bound on a package, in bytes.
pub const MAX_PACKAGE: u64 = 64 * 1024 * 1024;

/// Upper bound on a credential, in bytes; real ones are far shorter.
const MAX_CREDENTIAL_LENGTH: u64 = 64 * 1024;

/// Time limit for the guard to write the settings.
const CONFIGURE_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason why a worker cannot work for its guard.
#[derive(Debug, Error)]
pub enum AttachError {
    /// Guard that ended while the worker started; the worker has to end too.
    #[error("the guard that started this worker is gone")]
    Gone,
    /// Start by something other than a guard.
    #[error("--worker-of is for the guard alone; run `cashout serve` without it")]
    NoGuard,
    /// Error of the machine.
    #[error("the guard cannot be reached: {0}")]
    Machine(#[from] io::Error),
}

/// Everything that the guard has handed over.
#[derive(Debug)]
pub struct Guarded {
    /// Listening socket for requests.
    pub listener: TcpListener,
    /// Connection to the guard.
    pub voice: Voice,
    /// On trial: nothing outside is changed until the guard allows it.
    pub trial: bool,
    /// State of updates.
    pub known: UpdateStatus,
    /// Set if the guard is the one that writes the settings file.
    pub keeps_settings: bool,
}

/// The connection to the guard. Clones share it.
#[derive(Debug, Clone)]
pub struct Voice {
    channel: Arc<GuardChannel>,
    /// Answers of the guard about the settings.
    configured: Arc<Configured>,
}

/// The guard's answers about the settings: the end of the thread that receives them, and the end of the caller that
/// waits for them.
#[derive(Debug)]
struct Configured {
    heard: mpsc::Sender<io::Result<()>>,
    awaited: Mutex<mpsc::Receiver<io::Result<()>>>,
}

impl Guarded {
    /// Makes this process the worker of the process `guard`, and receives what the guard hands over. Must be called
    /// before anything else: from then on this process ends with its guard. Blocks.
    pub fn attach(guard: u32) -> Result<Self, AttachError> {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
        // The guard may have ended before the kernel knew of our request.
        let parent = getppid().map(Pid::as_raw_nonzero).and_then(|pid| u32::try_from(pid.get()).ok());
        if parent != Some(guard) {
            return Err(AttachError::Gone);
        }
        // The channel is the standard input: the one descriptor whose number both sides know.
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        let channel = GuardChannel::of(socket);
        let (told, mut files) = match channel.receive::<GuardMessage>() {
            Ok(Some(first)) => first,
            Ok(None) => return Err(AttachError::Gone),
            Err(_) => return Err(AttachError::NoGuard),
        };
        let (GuardMessage::Start { trial, known, credentials, keeps_settings }, Some(listener)) =
            (told, files.pop_front())
        else {
            return Err(AttachError::NoGuard);
        };
        let mut handed_over = Vec::with_capacity(credentials.len());
        for (key, file) in credentials.into_iter().zip(files) {
            let mut text = String::new();
            File::from(file).take(MAX_CREDENTIAL_LENGTH).read_to_string(&mut text)?;
            handed_over.push((key, Secret::new(text)));
        }
        config::hand_over(handed_over);
        let listener = TcpListener::from(listener);
        // Fails if the descriptor is not such a socket, before anything relies on it.
        listener.local_addr()?;
        Ok(Self { listener, voice: Voice::new(channel), trial, known, keeps_settings })
    }
}

/// A worker's knowledge of updates, and the connection to its guard. Clones share it.
#[derive(Debug, Clone)]
pub struct GuardLink {
    known: Arc<watch::Sender<UpdateStatus>>,
    voice: Option<Voice>,
}

impl Default for GuardLink {
    /// Returns a link without a guard, so that no release can be installed.
    fn default() -> Self {
        let sentence = "this process runs without its guard; start it with `cashout serve` to update from here";
        let known =
            UpdateStatus { impossible: Some(UpdateReason::new("no_guard", sentence)), ..UpdateStatus::default() };
        Self { known: Arc::new(watch::Sender::new(known)), voice: None }
    }
}

impl GuardLink {
    /// Creates the link of a worker to its guard.
    pub fn new(known: UpdateStatus, voice: Voice) -> Self {
        Self { known: Arc::new(watch::Sender::new(known)), voice: Some(voice) }
    }

    /// Returns the state of updates, which can be watched for changes.
    pub fn status(&self) -> watch::Receiver<UpdateStatus> {
        self.known.subscribe()
    }

    /// Records the state that the guard has reported.
    pub fn set_status(&self, known: UpdateStatus) {
        self.known.send_replace(known);
    }

    /// Notifies the guard that requests are answered from now on.
    pub fn ready(&self) {
        if let Some(voice) = &self.voice {
            voice.send(&WorkerMessage::Ready { version: release::version().to_owned() });
        }
    }

    /// Asks the guard to install a package of this version. The result is seen in [`GuardLink::status`]. Blocks.
    pub fn install(&self, version: &str, asked_by: &str, insists: bool, mut package: &File) -> io::Result<()> {
        let said = WorkerMessage::Update { version: version.to_owned(), asked_by: asked_by.to_owned(), insists };
        let Some(voice) = &self.voice else { return Ok(()) };
        package.rewind()?;
        let package = seal(package.take(MAX_PACKAGE.saturating_add(1)))?;
        voice.channel.send(&said, &[package.as_fd()])
    }

    /// Asks the guard to put the previous release back.
    pub fn go_back(&self, asked_by: &str) -> io::Result<()> {
        let said = WorkerMessage::Return { asked_by: asked_by.to_owned() };
        self.voice.as_ref().map_or(Ok(()), |voice| voice.channel.send(&said, &[]))
    }
}

impl Voice {
    /// Creates the connection over this end of a pair, of which the guard has the other.
    pub fn new(channel: GuardChannel) -> Self {
        let (heard, awaited) = mpsc::channel();
        let configured = Configured { heard, awaited: Mutex::new(awaited) };
        Self { channel: Arc::new(channel), configured: Arc::new(configured) }
    }

    /// Asks the guard to replace the settings file by `text`, and waits for its answer. Blocks.
    pub fn configure(&self, text: &str) -> io::Result<()> {
        let file = seal(text.as_bytes())?;
        let answers = self.configured.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        // Discards answers to earlier calls that came too late.
        while answers.try_recv().is_ok() {}
        self.channel.send(&WorkerMessage::Configure, &[file.as_fd()])?;
        answers.recv_timeout(CONFIGURE_TIMEOUT).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends a message. A failure is ignored: if the guard is gone, this process ends in a moment.
    pub fn send(&self, said: &WorkerMessage) {
        let _ = self.channel.send(said, &[]);
    }

    /// Starts a thread that receives the guard's messages, and returns them in their order.
    pub fn listen(&self) -> io::Result<UnboundedReceiver<GuardMessage>> {
        let (sender, receiver) = unbounded_channel();
        let (channel, configured) = (Arc::clone(&self.channel), self.configured.heard.clone());
        std::thread::Builder::new().name("guard".to_owned()).spawn(move || {
            loop {
                match channel.receive::<GuardMessage>() {
                    Ok(Some((GuardMessage::Configured { problem, refused }, _))) => {
                        let outcome = match (refused, problem) {
                            (Some(sentence), _) => Err(io::Error::new(io::ErrorKind::InvalidData, sentence)),
                            (None, Some(number)) => Err(io::Error::from_raw_os_error(number)),
                            (None, None) => Ok(()),
                        };
                        // The receiver may be gone already.
                        let _ = configured.send(outcome);
                    }
                    Ok(Some((told, _))) => {
                        if sender.send(told).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                    Ok(None) | Err(_) => return,
                }
            }
        })?;
        Ok(receiver)
    }
}
