//! The guard: one thread that holds the listening socket, starts the worker, keeps one running, and exchanges the
//! binary. It speaks to no network peer, reads no request and never opens the store.
//!
//! All events come through `Guard::next`. Normal operation is `Guard::run`; an update is one procedure,
//! `Guard::update`, from its first step to its last.

mod attempt;
mod descendants;
mod descriptors;
mod fault_injection;
mod handover;
mod install_dir;
mod journal;
#[cfg(test)]
mod power_loss;
mod preflight;
mod send_signal;
mod service_manager;
mod settings;
mod signals;
mod swap;
#[cfg(test)]
mod tests;
mod trial;
mod verify;
mod worker_process;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::listen;
use rustix::net::sockopt::socket_acceptconn;
use rustix::process::Pid;

use super::channel::{GuardMessage, MAX_KNOWN, WorkerMessage, is_sealed};
use super::status::{PastUpdate, UpdateReason, UpdateStatus};
use crate::config;
use crate::platform::os::User;
use crate::platform::release;
use attempt::{Package, Wish};
pub use handover::Handover;
use install_dir::Place;
use service_manager::Manager;
use settings::NotReplaced;
pub use settings::SettingsFile;
use signals::GuardSignals;
use swap::Resume;
pub use worker_process::WorkerEnd;
use worker_process::WorkerProcess;

/// Time limit for a worker to stop; longer than the worker's own limit.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);

/// Upper bound on the wait before a worker that keeps ending is started again.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Upper bound on the connections that wait for a worker; the system may allow fewer.
const BACKLOG: i32 = 4_096;

/// Time of service after which a worker counts as stable, so that the next wait starts from zero.
const STABLE_AFTER: Duration = Duration::from_mins(1);

/// The inputs of a guard.
#[derive(Debug)]
pub struct Plan {
    /// Path of the binary, as it was started.
    pub program: PathBuf,
    /// The worker's arguments.
    pub arguments: Vec<OsString>,
    /// The configuration file and the folder of the store, for the candidate's check.
    pub settings: [PathBuf; 2],
    /// The configuration file of a worker that runs as another user.
    pub settings_file: Option<SettingsFile>,
    /// The guard's own folder.
    pub state: PathBuf,
    /// Lock that is held while this guard lives: there is one guard at a time.
    pub lock: File,
    /// Listening socket for requests; it outlives every worker.
    pub listener: TcpListener,
    /// User that the worker runs as, if it differs from the guard's.
    pub user: Option<User>,
    /// Time limit until a new release answers requests.
    pub ready: Duration,
    /// Duration of the trial of a new release.
    pub trial: Duration,
    /// First run, in which the worker asks for the missing settings.
    pub setting_up: bool,
    /// Output of messages for the person or program that started the guard.
    pub say: fn(&str),
}

/// Checks that a guard could start here, by doing its first steps in a scratch folder.
pub fn rehearse(state: &Path) -> io::Result<()> {
    let place = Place::new(state.join("cashout"), state.to_owned());
    let _signals = GuardSignals::new()?;
    place.check_files()
}

/// Returns true while an update is under way according to the guard's folder, and also if that cannot be read.
pub fn is_under_way(state: &Path) -> bool {
    !matches!(Place::new(state.join("cashout"), state.to_owned()).journal(), Ok(None))
}

/// Puts the previous binary, at `previous`, back if the new one does not come up; the previous binary calls this before
/// each start of the service. Returns a description of what was done, if anything.
pub fn rescue(previous: &Path, state: &Path) -> io::Result<Option<String>> {
    let name = previous.file_name().unwrap_or_default().to_string_lossy();
    let program = previous.with_file_name(name.strip_suffix(".prev").unwrap_or(&name));
    Place::new(program, state.to_owned()).rescue()
}

/// An event that the guard has waited for.
#[derive(Debug)]
enum Event {
    /// Request to stop.
    Stop,
    /// Notice that log files have been moved away.
    Hangup,
    /// Message of the worker, possibly with a file.
    WorkerMessage(WorkerMessage, Option<OwnedFd>),
    /// End of the worker.
    Ended(WorkerEnd),
    /// Deadline of the wait.
    Due,
}

/// A guard at work.
pub struct Guard {
    plan: Plan,
    place: Place,
    signals: GuardSignals,
    manager: Manager,
    worker: Option<WorkerProcess>,
    /// Event that an update has met and that `Guard::run` has to handle.
    left: Option<Event>,
    /// Reason why this installation cannot be updated from here.
    impossible: Option<UpdateReason>,
    /// Last attempt, if it could not be written to the history.
    unwritten: Option<PastUpdate>,
    /// Children that existed before any worker, from the program that this process ran before.
    children_before: Vec<Pid>,
}

impl Guard {
    /// Creates a guard that has started nothing yet.
    pub fn new(plan: Plan, taking_over: bool) -> io::Result<Self> {
        let place = Place::new(plan.program.clone(), plan.state.clone());
        let (signals, manager) = (GuardSignals::new()?, Manager::new());
        descendants::inherit_orphans();
        let children_before = if taking_over { Vec::new() } else { descendants::children() };
        Ok(Self {
            plan,
            place,
            signals,
            manager,
            worker: None,
            left: None,
            impossible: None,
            unwritten: None,
            children_before,
        })
    }

    /// Finishes what the previous guard has left, starts the worker and keeps one running, until a stop is requested,
    /// until the first run has written the settings, or until the first worker ends before it was ready: an
    /// administrator then has to fix its failure. Returns the end of the last worker.
    pub fn run(mut self, handover: Option<Handover>) -> io::Result<WorkerEnd> {
        let mut was_ready = handover.is_some();
        self.resume(handover)?;
        let (mut stops, mut wait, mut start_at) = (0_u32, Duration::ZERO, None);
        let longer = |wait: Duration| wait.saturating_mul(2).clamp(Duration::from_secs(1), MAX_WAIT);
        loop {
            match self.next(start_at)? {
                Event::Stop => {
                    stops = stops.saturating_add(1);
                    self.manager.stopping();
                    match &mut self.worker {
                        Some(worker) if stops > 2 => worker.kill(),
                        Some(worker) => worker.notify(&GuardMessage::Stop { at_once: stops > 1 }),
                        None => return Ok(WorkerEnd::Code(0)),
                    }
                    start_at = start_at.filter(|_| stops > 1).or_else(|| Instant::now().checked_add(STOP_TIMEOUT));
                }
                Event::Hangup => self.hang_up(),
                Event::WorkerMessage(WorkerMessage::Ready { .. }, _) => {
                    was_ready = true;
                    self.manager.ready();
                }
                Event::WorkerMessage(WorkerMessage::Update { version, asked_by, insists }, Some(file))
                    if stops == 0 =>
                {
                    let package = Package::Release { version, file: File::from(file) };
                    self.update(Wish { package, asked_by, insists })?;
                }
                Event::WorkerMessage(WorkerMessage::Configure, Some(file)) => self.configure(&File::from(file)),
                Event::WorkerMessage(WorkerMessage::Return { asked_by }, _) if stops == 0 => {
                    self.update(Wish { package: Package::Previous, asked_by, insists: true })?;
                }
                Event::WorkerMessage(..) => {}
                Event::Ended(ended) => {
                    let served = self.worker.take().and_then(|worker| worker.ready_for());
                    if stops == 0 && self.plan.setting_up && ended == WorkerEnd::Code(0) {
                        return Ok(WorkerEnd::SetUp);
                    }
                    if stops > 0 || !was_ready {
                        return Ok(ended);
                    }
                    let is_stable = served.is_some_and(|served| served >= STABLE_AFTER);
                    wait = if is_stable { Duration::ZERO } else { longer(wait) };
                    (self.plan.say)(&format!("the worker {ended}; it is started again in {} s", wait.as_secs()));
                    start_at = Instant::now().checked_add(wait);
                }
                Event::Due if stops > 0 => {
                    start_at = None;
                    self.worker.iter_mut().for_each(WorkerProcess::kill);
                }
                Event::Due => {
                    start_at = None;
                    if let Err(error) = self.start(false) {
                        if wait >= MAX_WAIT {
                            return Err(error);
                        }
                        wait = longer(wait);
                        let seconds = wait.as_secs();
                        (self.plan.say)(&format!("no worker can be started ({error}); next attempt in {seconds} s"));
                        start_at = Instant::now().checked_add(wait);
                    }
                }
            }
        }
    }

    /// Continues where the previous process stopped.
    fn resume(&mut self, handover: Option<Handover>) -> io::Result<()> {
        if release::keys().is_empty() {
            let sentence = "this build has no key to check a release with; install releases by hand";
            self.impossible = Some(UpdateReason::new("no_key", sentence));
        } else if let Err(error) = self.place.try_to_write() {
            self.impossible = Some(self.place.refuse(&error));
        }
        if let Some(error) = self.place.set_unreadable_journal_aside()? {
            (self.plan.say)(&format!("{error}; it is set aside, and the installed release continues"));
        }
        if let Some(handover) = handover {
            self.worker = handover.worker(self.plan.user)?;
            if self.worker.is_some()
                && let Some(journal) = self.place.journal()?
            {
                return self.try_oneself(journal);
            }
        }
        let running = match self.place.journal()? {
            Some(_) => install_dir::digest_of(File::open("/proc/self/exe")?)?,
            None => String::new(),
        };
        match self.place.recover(&running)? {
            Resume::Work => self.start(false),
            Resume::Exec => Err(self.exec()),
            Resume::Trial(journal) => self.try_oneself(*journal),
        }
    }

    /// Starts a worker; on trial it changes nothing outside.
    fn start(&mut self, trial: bool) -> io::Result<()> {
        // A hostile worker can make the shared socket stop listening, or even make it unusable.
        if !socket_acceptconn(&self.plan.listener)? && listen(&self.plan.listener, BACKLOG).is_err() {
            self.plan.listener = TcpListener::bind(self.plan.listener.local_addr()?)?;
        }
        self.end_descendants();
        let mut worker = WorkerProcess::start(&self.plan, trial)?;
        // A worker of the same user reads its credentials by itself.
        let handed_over = if self.plan.user.is_some() { config::credentials() } else { Vec::new() };
        let mut files = vec![self.plan.listener.as_fd()];
        files.extend(handed_over.iter().map(|(_, file)| file.as_fd()));
        let credentials = handed_over.iter().map(|(key, _)| key.clone()).collect();
        let (known, keeps_settings) =
            (self.known(), self.plan.settings_file.as_ref().is_some_and(SettingsFile::is_ours));
        if let Err(error) = worker.send(&GuardMessage::Start { trial, known, credentials, keeps_settings }, &files) {
            // Its end is handled like any other.
            (self.plan.say)(&format!("the worker cannot be sent its start message: {error}"));
            worker.kill();
        }
        self.worker = Some(worker);
        Ok(())
    }

    /// Returns the state of updates. A history that cannot be read is no reason not to serve.
    fn known(&self) -> UpdateStatus {
        let mut known = self.place.status(self.impossible.clone()).unwrap_or_else(|error| {
            (self.plan.say)(&format!("the history of updates cannot be read: {error}"));
            UpdateStatus { impossible: self.impossible.clone(), ..UpdateStatus::default() }
        });
        known.past.splice(0..0, self.unwritten.clone());
        known.fit(MAX_KNOWN);
        known
    }

    /// Replaces the settings file by the text that the worker has sent.
    fn configure(&self, text: &File) {
        let settings = self.plan.settings_file.as_ref().filter(|settings| settings.is_ours());
        let replaced = match settings {
            Some(settings) if is_sealed(text) => settings.replace(text, self.plan.setting_up),
            Some(_) => Err(NotReplaced::Refused("the settings could still be changed".to_owned())),
            None => Err(NotReplaced::Refused("the guard does not write this settings file".to_owned())),
        };
        let (problem, refused) = match replaced {
            Ok(()) => (None, None),
            // A worker of an earlier release reads only the number.
            Err(NotReplaced::Refused(sentence)) => (Some(Errno::INVAL.raw_os_error()), Some(sentence)),
            Err(NotReplaced::Machine(error)) => (Some(error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())), None),
        };
        self.notify_worker(&GuardMessage::Configured { problem, refused });
    }

    fn notify_worker(&self, message: &GuardMessage) {
        if let Some(worker) = &self.worker {
            worker.notify(message);
        }
    }

    fn hang_up(&self) {
        if let Some(worker) = &self.worker {
            worker.reopen_logs();
        }
    }

    /// Waits for the next event, until `due` at most. Meanwhile it notifies the service manager and kills a worker that
    /// hangs.
    fn next(&mut self, due: Option<Instant>) -> io::Result<Event> {
        if let Some(left) = self.left.take() {
            return Ok(left);
        }
        loop {
            if self.signals.take_stop()? {
                return Ok(Event::Stop);
            }
            if self.signals.take_hangup()? {
                return Ok(Event::Hangup);
            }
            self.signals.take_child()?;
            // This runs even if the worker sends messages without end.
            self.manager
                .notify_alive(Instant::now(), self.worker.as_ref().is_some_and(|worker| worker.ready_for().is_none()));
            if let Some(worker) = &mut self.worker {
                worker.forward_output();
                // Messages from before the worker's end come first. So the end is checked first, in case the worker
                // sends something between the two checks.
                let ended = worker.ended()?;
                if let Some((said, file)) = worker.receive()? {
                    return Ok(Event::WorkerMessage(said, file));
                }
                if let Some(ended) = ended {
                    worker.forward_output();
                    return Ok(Event::Ended(ended));
                }
                if let Some(sentence) = worker.reason_to_kill() {
                    (self.plan.say)(sentence);
                    worker.kill();
                }
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                return Ok(Event::Due);
            }
            self.wait(due)?;
        }
    }

    /// Sleeps until a source can be read, until `due`, or until the next notification to the service manager.
    fn wait(&self, due: Option<Instant>) -> io::Result<()> {
        let mut waited = self.manager.time_to_next();
        if let Some(due) = due {
            waited = waited.min(due.saturating_duration_since(Instant::now()));
        }
        let waited = Timespec::try_from(waited).map_err(|_| io::ErrorKind::InvalidInput)?;
        let readable = |source| PollFd::from_borrowed_fd(source, PollFlags::IN);
        let mut sources: Vec<PollFd<'_>> = self.signals.sources().map(readable).collect();
        sources.extend(self.worker.iter().flat_map(WorkerProcess::sources).map(readable));
        match poll(&mut sources, Some(&waited)) {
            // A signal interrupted the wait; its byte is in the pipe.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
