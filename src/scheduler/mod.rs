//! The scheduler: runs each batch when it is due or asked for, one of each kind at a time, and says
//! how far they are.
//!
//! It takes no input but the store, the settings and the clock. What is to run is queued in the store
//! first, in the same transaction that remembers the due moment: whatever happens to the process, a
//! moment counts once.

mod due;
mod live;
mod plan;
mod timetable;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use due::{Decision, Remembered, Schedule, jitter};
pub use live::{LiveBatch, LiveBatches, Stage};
pub use plan::NextRun;
pub use timetable::Timetable;

use crate::config::Settings;
use crate::jobs::{self, Asked, BatchRecord, BatchState, Command, Context, Ended, JobError};
use crate::store::StoreError;
use live::Reporter;

/// How long at most until the settings are looked at again.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// How long to wait before a store in trouble is looked at again.
const TROUBLE_WAIT: Duration = Duration::from_secs(5);
/// How long to wait before a batch that could not begin is tried again.
const BEGIN_AGAIN: Duration = Duration::from_mins(1);
/// How many endings a watcher may be behind.
const ENDINGS: usize = 64;

/// Runs the batches, and answers whoever asks for one. Cloning shares it.
#[derive(Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

struct Shared {
    context: Context,
    settings: Settings,
    /// Told when the queue has changed.
    wake: Notify,
    /// The batches that run, each with what stops it.
    running: Mutex<BTreeMap<u64, Running>>,
    live: watch::Sender<LiveBatches>,
    endings: broadcast::Sender<Arc<Ending>>,
    at_work: AtomicBool,
}

struct Running {
    command: String,
    stop: CancellationToken,
    /// Queued once more when it has come to a safe point: it makes room for another release.
    again: bool,
}

/// A batch that has ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What stays of it.
    pub record: BatchRecord,
    /// Why it ended early, if it did.
    pub error: Option<JobError>,
    /// How far each of its stages came.
    pub stages: Vec<Stage>,
}

/// What came of wanting to stop a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    /// It ends at its next safe point.
    AtSafePoint,
    /// It was queued, and will not begin.
    Withdrawn,
    /// It was over already.
    Over,
}

impl Scheduler {
    /// A scheduler that runs nothing until [`Scheduler::work`] is awaited.
    pub fn new(context: Context, settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared {
                context,
                settings,
                wake: Notify::new(),
                running: Mutex::default(),
                live: watch::channel(LiveBatches::new()).0,
                endings: broadcast::channel(ENDINGS).0,
                at_work: AtomicBool::new(false),
            }),
        }
    }

    /// Queues `command`, or joins the same one that is queued already; it begins as soon as no other
    /// of its kind runs. Where it would have to wait and `may_wait` is false, nothing is queued.
    /// Whoever wants to know its end subscribes to [`Scheduler::endings`] before.
    pub async fn ask(&self, command: &Command, asked_by: &str, may_wait: bool) -> Result<Asked, JobError> {
        let context = &self.shared.context;
        let asked = jobs::ask(&context.store, command, asked_by, may_wait, context.clock.now()).await;
        self.shared.changed();
        asked
    }

    /// Stops batch `id`: at its next safe point where it runs, for good where it is queued.
    pub async fn stop(&self, id: u64) -> Result<Stopping, StoreError> {
        // A queued one may begin between the two looks; then the second round finds it running.
        for _ in 0..2 {
            if let Some(running) = self.shared.running().get(&id) {
                running.stop.cancel();
                return Ok(Stopping::AtSafePoint);
            }
            let context = &self.shared.context;
            if let Some(record) = jobs::withdraw(&context.store, id, context.clock.now()).await? {
                self.shared.tell(Ended { record, error: None }, Vec::new());
                self.shared.changed();
                return Ok(Stopping::Withdrawn);
            }
        }
        Ok(Stopping::Over)
    }

    /// Begins nothing more and brings what runs to a safe point, from where it goes on once
    /// [`Scheduler::resume`] is called, here or by the next start. Returns when nothing runs.
    pub async fn drain(&self) {
        self.shared.context.gate.leave();
        for running in self.shared.running().values_mut() {
            running.again = true;
            running.stop.cancel();
        }
        let mut live = self.live();
        while !self.shared.running().is_empty() {
            if live.changed().await.is_err() {
                return;
            }
        }
    }

    /// The commands of the batches that run.
    pub fn commands_running(&self) -> Vec<String> {
        self.shared.running().values().map(|running| running.command.clone()).collect()
    }

    /// Begins what is queued, and whatever comes.
    pub fn resume(&self) {
        self.shared.context.gate.open();
        self.shared.changed();
    }

    /// True from before batch `id` begins until its end has been told.
    pub fn is_running(&self, id: u64) -> bool {
        self.shared.running().contains_key(&id)
    }

    /// What runs now and how far it is. Changes with every item, and when the queue does.
    pub fn live(&self) -> watch::Receiver<LiveBatches> {
        self.shared.live.subscribe()
    }

    /// The batches that end from now on.
    pub fn endings(&self) -> broadcast::Receiver<Arc<Ending>> {
        self.shared.endings.subscribe()
    }

    /// When each batch runs next, in the order of a day.
    pub async fn next_runs(&self) -> Result<Vec<NextRun>, StoreError> {
        plan::next_runs(&self.shared.context, &self.shared.settings).await
    }

    /// False where nothing is run: before [`Scheduler::work`] and after its end, whatever ended it.
    pub fn is_at_work(&self) -> bool {
        self.shared.at_work.load(Ordering::Acquire)
    }

    /// Queues what was missed while nothing ran. From then on every due moment counts, even one that
    /// comes before [`Scheduler::work`] is awaited.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let Shared { context, settings, .. } = &*self.shared;
        plan::queue_what_is_due(context, settings, context.clock.now()).await.map(drop)
    }

    /// Runs what is due and what was asked for until `stop` is cancelled; then brings what runs to a
    /// safe point. What is queued stays so for the next start.
    pub fn work(self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let at_work = AtWork::new(Arc::clone(&self.shared));
        async move {
            let (batches, mut trouble) = (TaskTracker::new(), None);
            while !stop.is_cancelled() {
                at_work.0.turn(&mut trouble, &stop, &batches).await;
            }
            batches.close();
            batches.wait().await;
        }
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue has changed: for the scheduler to act on, and for others to see.
    fn changed(&self) {
        self.wake.notify_one();
        self.live.send_modify(|_| ());
    }

    fn tell(&self, ended: Ended, stages: Vec<Stage>) {
        let Ended { record, error } = ended;
        // Nobody may be listening.
        let _ = self.endings.send(Arc::new(Ending { record, error, stages }));
    }

    /// One look at what is to be done, and the wait for the next. `trouble` is what kept the look
    /// before from its work: told once, not again and again.
    async fn turn(self: &Arc<Self>, trouble: &mut Option<StoreError>, stop: &CancellationToken, batches: &TaskTracker) {
        let now = self.context.clock.now();
        let latest = now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        match self.look(now, stop, batches).await {
            Ok(next) => {
                *trouble = None;
                let next = next.unwrap_or(latest).min(latest);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wake.notified() => {}
                    () = self.context.clock.until_or_set_back(next, now) => {}
                }
            }
            Err(error) => {
                if trouble.as_ref() != Some(&error) {
                    tracing::error!(action = "scheduler", "batches wait, because the store cannot be used: {error}");
                }
                *trouble = Some(error);
                let _ = tokio::time::timeout(TROUBLE_WAIT, stop.cancelled()).await;
            }
        }
    }

    /// Queues what is due and begins what can begin. Gives the next due moment.
    async fn look(
        self: &Arc<Self>,
        now: Timestamp,
        stop: &CancellationToken,
        batches: &TaskTracker,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (queue, next) = plan::queue_what_is_due(&self.context, &self.settings, now).await?;
        self.begin_what_can(&queue, stop, batches);
        Ok(next)
    }

    /// Begins every queued batch of which no other of its kind runs, and for which none that it
    /// follows is left.
    fn begin_what_can(self: &Arc<Self>, queue: &[BatchRecord], stop: &CancellationToken, batches: &TaskTracker) {
        let mut running = self.running();
        // Looked at in here: who sees the stop and finds a batch not running knows that it stays so.
        if stop.is_cancelled() || !self.context.gate.is_open() {
            return;
        }
        for record in queue {
            let busy = running.values().any(|other| other.command == record.command);
            let follows =
                record.after.is_some_and(|id| running.contains_key(&id) || queue.iter().any(|one| one.id == id));
            if busy || follows || running.contains_key(&record.id) {
                continue;
            }
            let stop = stop.child_token();
            running.insert(record.id, Running { command: record.command.clone(), stop: stop.clone(), again: false });
            batches.spawn(Arc::clone(self).run(record.clone(), stop));
        }
    }

    async fn run(self: Arc<Self>, record: BatchRecord, stop: CancellationToken) {
        let (id, command) = (record.id, record.command.clone());
        self.live.send_modify(|live| {
            live.insert(id, LiveBatch { id, command, stages: Vec::new() });
        });
        let reporter = Arc::new(Reporter { id, live: self.live.clone() });
        let mut ended = jobs::run_queued(&self.context, &record, reporter, stop.clone()).await;
        if let Err(error) = &ended {
            let (action, error) = (record.command.as_str(), error.to_string());
            tracing::error!(action, batch = id, "the batch stays queued, because it could not begin: {error}");
            let _ = tokio::time::timeout(BEGIN_AGAIN, stop.cancelled()).await;
        }
        let again = self.running().get(&id).is_some_and(|running| running.again);
        if let Ok(Some(Ended { record, .. })) = &mut ended
            && let (true, BatchState::Interrupted, Some(command)) = (again, record.state(), record.request())
        {
            let now = self.context.clock.now();
            if let Err(error) = jobs::ask_for_the_rest(&self.context.store, record, &command, now).await {
                tracing::error!(action = "scheduler", batch = id, "the rest of it waits for its next turn: {error}");
            }
        }
        // Whoever looks for it finds it among the running ones until its end was told.
        if let Ok(Some(ended)) = ended {
            let stages = self.live.borrow().get(&id).map(|batch| batch.stages.clone());
            self.tell(ended, stages.unwrap_or_default());
        }
        self.running().remove(&id);
        self.live.send_modify(|live| {
            live.remove(&id);
        });
        self.wake.notify_one();
    }
}

/// Says that the scheduler works, and takes it back however it ends.
struct AtWork(Arc<Shared>);

impl AtWork {
    fn new(shared: Arc<Shared>) -> Self {
        shared.at_work.store(true, Ordering::Release);
        Self(shared)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.store(false, Ordering::Release);
        if std::thread::panicking() {
            let defect = "the scheduler stopped in the middle, and no batch runs until a restart: this is a defect";
            tracing::error!(severity = "CRITICAL", action = "scheduler", "{defect} of the program, please report it");
        }
    }
}
