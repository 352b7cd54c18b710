//! The guard: one thread that holds the listening socket, starts the worker, and sees to it that there
//! is one. It speaks to no network peer, reads no request and never opens the store.
//!
//! Everything it waits for comes through [`Guard::next`]; everything it does about it is in
//! [`Guard::run`].

mod child;
mod manager;
mod signals;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::channel::{Said, Told};
use child::Child;
pub use child::{Ended, User};
use manager::Manager;
use signals::Signals;

/// A worker whose store has not answered for so long hangs: it is killed and started anew.
const HANGS_AFTER: Duration = Duration::from_mins(1);

/// The longest wait before a worker that keeps ending is started anew.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A worker that was ready for so long has not failed at once: the next wait begins at nothing again.
const WENT_WELL_AFTER: Duration = Duration::from_mins(1);

/// What a guard works with.
#[derive(Debug)]
pub struct Plan {
    /// The binary, by the path that it was started from.
    pub program: PathBuf,
    /// The worker's arguments.
    pub arguments: Vec<OsString>,
    /// Where requests come in; it outlives every worker.
    pub listener: TcpListener,
    /// Whom the worker runs as, where that is another than the guard.
    pub user: Option<User>,
    /// Says a sentence to whoever started this.
    pub say: fn(&str),
}

/// What the guard has been waiting for.
enum Event {
    /// Somebody wants it to stop.
    Stop,
    /// Log files have been moved away.
    Hangup,
    /// The worker has said something.
    Said(Said),
    /// The worker has ended.
    Ended(Ended),
    /// The time has come that was waited for.
    Due,
}

/// The guard at work.
pub struct Guard {
    plan: Plan,
    signals: Signals,
    manager: Manager,
    worker: Option<Child>,
}

impl Guard {
    /// A guard that has started nothing yet.
    pub fn new(plan: Plan) -> io::Result<Self> {
        Ok(Self { plan, signals: Signals::new()?, manager: Manager::new(), worker: None })
    }

    /// Starts the worker and keeps one running, until somebody wants it to stop, or until the first one
    /// ends before it was ready: what keeps it from starting is then for a person to mend. Gives how the
    /// last one ended.
    pub fn run(mut self) -> io::Result<Ended> {
        let (mut stops, mut was_ready, mut wait) = (0_u32, false, Duration::ZERO);
        let mut start_at = None;
        self.start()?;
        loop {
            match self.next(start_at)? {
                Event::Stop => {
                    stops = stops.saturating_add(1);
                    self.manager.stopping();
                    match &self.worker {
                        Some(worker) => worker.tell(&Told::Stop { at_once: stops > 1 }),
                        None => return Ok(Ended::Code(0)),
                    }
                }
                Event::Hangup => {
                    if let Some(worker) = &self.worker {
                        worker.hang_up();
                    }
                }
                Event::Said(Said::Ready { .. }) => {
                    was_ready = true;
                    self.manager.ready();
                }
                Event::Said(Said::Alive | Said::Unknown) => {}
                Event::Ended(ended) => {
                    let served = self.worker.take().and_then(|worker| worker.served());
                    if stops > 0 || !was_ready {
                        return Ok(ended);
                    }
                    wait = if served.is_some_and(|served| served >= WENT_WELL_AFTER) {
                        Duration::ZERO
                    } else {
                        (wait.saturating_mul(2)).clamp(Duration::from_secs(1), LONGEST_WAIT)
                    };
                    (self.plan.say)(&format!("the worker {ended}; it is started again in {} s", wait.as_secs()));
                    start_at = Instant::now().checked_add(wait);
                }
                Event::Due => {
                    start_at = None;
                    self.start()?;
                }
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let worker = Child::start(&self.plan)?;
        worker.send(&Told::Start, &[self.plan.listener.as_fd()])?;
        self.worker = Some(worker);
        Ok(())
    }

    /// Waits for the next thing to happen, until `due` at most. The service manager hears from us, and a
    /// worker that hangs is ended, while it waits.
    fn next(&mut self, due: Option<Instant>) -> io::Result<Event> {
        loop {
            if self.signals.take_stop()? {
                return Ok(Event::Stop);
            }
            if self.signals.take_hangup()? {
                return Ok(Event::Hangup);
            }
            self.signals.take_child()?;
            if let Some(worker) = &mut self.worker {
                // What it said before it ended comes first.
                if let Some(said) = worker.hear()? {
                    return Ok(Event::Said(said));
                }
                if let Some(ended) = worker.ended()? {
                    return Ok(Event::Ended(ended));
                }
                if worker.silent_for() > HANGS_AFTER {
                    (self.plan.say)("the worker does not answer any more; it is killed and started again");
                    worker.kill();
                }
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                return Ok(Event::Due);
            }
            self.manager.look(now, self.worker.as_ref().is_some_and(|worker| worker.served().is_none()));
            self.wait(due)?;
        }
    }

    /// Sleeps until something can be read, `due`, or the next look.
    fn wait(&self, due: Option<Instant>) -> io::Result<()> {
        let mut waited = self.manager.patience();
        if let Some(due) = due {
            waited = waited.min(due.saturating_duration_since(Instant::now()));
        }
        let waited = Timespec::try_from(waited).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut sources: Vec<PollFd<'_>> =
            self.signals.sources().map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN)).collect();
        if let Some(channel) = self.worker.as_ref().and_then(Child::source) {
            sources.push(PollFd::from_borrowed_fd(channel, PollFlags::IN));
        }
        match poll(&mut sources, Some(&waited)) {
            // A signal: what it was is in its pipe.
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
