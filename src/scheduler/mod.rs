//! The scheduler: runs each batch when it is due or requested, one of each kind at a time, and reports its progress.
//!
//! Its only inputs are the store, the settings and the clock. A batch is queued in the store first, in the transaction
//! that records its due moment, so that a due moment counts exactly once even if the process dies.

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
pub use live::{BatchStage, LiveBatch, LiveBatches};
pub use plan::NextRun;
pub use timetable::Timetable;

use crate::config::Settings;
use crate::jobs::{self, BatchEnd, BatchRecord, BatchState, Command, Context, Enqueued, JobError};
use crate::store::StoreError;
use crate::text::message::{logged, msg};
use live::Reporter;

/// Upper bound on the time until the settings are read again.
const RECHECK_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// Delay before a store that failed is tried again.
const TROUBLE_WAIT: Duration = Duration::from_secs(5);
/// Delay before a batch that could not begin is tried again.
const BEGIN_AGAIN: Duration = Duration::from_mins(1);
/// Number of endings by which a subscriber may lag.
const MAX_ENDINGS: usize = 64;

/// Handle to run batches and to request them. Clones share the same state.
#[derive(Clone)]
pub struct Scheduler {
    shared: Arc<SchedulerInner>,
}

struct SchedulerInner {
    context: Context,
    settings: Settings,
    /// Wake-up of the scheduler after a change of the queue.
    wake: Notify,
    /// The running batches, each with its stop token.
    running: Mutex<BTreeMap<u64, Running>>,
    live: watch::Sender<LiveBatches>,
    endings: broadcast::Sender<Arc<Ending>>,
    at_work: AtomicBool,
}

struct Running {
    command: String,
    stop: CancellationToken,
    /// True if it is queued again after its safe point, because it makes room for another release.
    again: bool,
}

/// A batch that has ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Final record of the batch.
    pub record: BatchRecord,
    /// Error that ended the batch early, if any.
    pub error: Option<JobError>,
    /// Progress of each stage at the end.
    pub stages: Vec<BatchStage>,
}

/// Outcome of a request to stop a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    /// A running batch, which ends at its next safe point.
    AtSafePoint,
    /// A queued batch, which will not begin.
    Dequeued,
    /// A batch that had already ended.
    Over,
}

impl Scheduler {
    /// Creates a scheduler that runs nothing until [`Scheduler::work`] is awaited.
    pub fn new(context: Context, settings: Settings) -> Self {
        Self {
            shared: Arc::new(SchedulerInner {
                context,
                settings,
                wake: Notify::new(),
                running: Mutex::default(),
                live: watch::channel(LiveBatches::new()).0,
                endings: broadcast::channel(MAX_ENDINGS).0,
                at_work: AtomicBool::new(false),
            }),
        }
    }

    /// Enqueues `command`, or joins an identical one that is already queued. It begins as soon as
    /// no other batch of its kind runs. If it would have to wait and `may_wait` is false, nothing
    /// is queued. To learn of its end, subscribe to [`Scheduler::endings`] first.
    pub async fn enqueue(&self, command: &Command, asked_by: &str, may_wait: bool) -> Result<Enqueued, JobError> {
        let context = &self.shared.context;
        let asked = jobs::enqueue(&context.store, command, asked_by, may_wait, context.clock.now()).await;
        self.shared.changed();
        asked
    }

    /// Stops batch `id`: at its next safe point if it runs, for good if it is queued.
    pub async fn stop(&self, id: u64) -> Result<Stopping, StoreError> {
        // A queued batch may begin between the two checks; the second round then finds it running.
        for _ in 0..2 {
            if let Some(running) = self.shared.running().get(&id) {
                running.stop.cancel();
                return Ok(Stopping::AtSafePoint);
            }
            let context = &self.shared.context;
            if let Some(record) = jobs::dequeue(&context.store, id, context.clock.now()).await? {
                self.shared.tell(BatchEnd { record, error: None }, Vec::new());
                self.shared.changed();
                return Ok(Stopping::Dequeued);
            }
        }
        Ok(Stopping::Over)
    }

    /// Begins no further batch and brings the running ones to a safe point, from which they
    /// continue after [`Scheduler::resume`] or the next start. Returns when nothing runs.
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

    /// Returns the commands of the running batches.
    pub fn commands_running(&self) -> Vec<String> {
        self.shared.running().values().map(|running| running.command.clone()).collect()
    }

    /// Begins the queued batches and all later ones.
    pub fn resume(&self) {
        self.shared.context.gate.open();
        self.shared.changed();
    }

    /// Returns the running batches: each from before it begins until its ending has been published.
    pub fn running_batches(&self) -> Vec<u64> {
        self.shared.running().keys().copied().collect()
    }

    /// Subscribes to the progress of the running batches. It changes with every item and with the queue.
    pub fn live(&self) -> watch::Receiver<LiveBatches> {
        self.shared.live.subscribe()
    }

    /// Subscribes to the batches that end from now on.
    pub fn endings(&self) -> broadcast::Receiver<Arc<Ending>> {
        self.shared.endings.subscribe()
    }

    /// Returns the next run of each batch, in the order of a day.
    pub async fn next_runs(&self) -> Result<Vec<NextRun>, StoreError> {
        plan::next_runs(&self.shared.context, &self.shared.settings).await
    }

    /// Returns false while no batches are run: before [`Scheduler::work`] and after it ended for any reason.
    pub fn is_at_work(&self) -> bool {
        self.shared.at_work.load(Ordering::Acquire)
    }

    /// Enqueues what was missed while nothing ran. From then on every due moment counts, even one
    /// before [`Scheduler::work`] is awaited.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let SchedulerInner { context, settings, .. } = &*self.shared;
        plan::queue_what_is_due(context, settings, context.clock.now()).await.map(drop)
    }

    /// Runs due and requested batches until `stop` is cancelled, then brings the running ones to a
    /// safe point. Queued batches stay queued for the next start.
    pub fn work(self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let at_work = WorkingMarker::new(Arc::clone(&self.shared));
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

impl SchedulerInner {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals that the queue has changed, to the scheduler and to subscribers.
    fn changed(&self) {
        self.wake.notify_one();
        self.live.send_modify(|_| ());
    }

    fn tell(&self, ended: BatchEnd, stages: Vec<BatchStage>) {
        let BatchEnd { record, error } = ended;
        // An error only means that there is no subscriber.
        let _ = self.endings.send(Arc::new(Ending { record, error, stages }));
    }

    /// Enqueues what is due, begins what can begin, and waits for the next round. `trouble` is the error
    /// of the previous round: it is logged once, not on every round.
    async fn turn(self: &Arc<Self>, trouble: &mut Option<StoreError>, stop: &CancellationToken, batches: &TaskTracker) {
        let now = self.context.clock.now();
        let latest = now.checked_add(RECHECK_INTERVAL).unwrap_or(Timestamp::MAX);
        match plan::queue_what_is_due(&self.context, &self.settings, now).await {
            Ok((queue, next)) => {
                self.begin_what_can(&queue, stop, batches);
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
                    logged!(error, action = "scheduler", msg!("log-batches-wait", error = &error));
                }
                *trouble = Some(error);
                let _ = tokio::time::timeout(TROUBLE_WAIT, stop.cancelled()).await;
            }
        }
    }

    /// Begins every queued batch that has no running batch of its kind and no unfinished predecessor.
    fn begin_what_can(self: &Arc<Self>, queue: &[BatchRecord], stop: &CancellationToken, batches: &TaskTracker) {
        let mut running = self.running();
        // Checked under the lock: a caller that sees the stop and finds a batch not running can rely on that.
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
        let context = self.context.with_config(self.settings.get());
        let mut ended = jobs::run_queued(&context, &record, reporter, stop.clone()).await;
        if let Err(error) = &ended {
            let message = msg!("log-batch-stays-queued", error);
            logged!(error, action = record.command.as_str(), batch = id, message);
            let _ = tokio::time::timeout(BEGIN_AGAIN, stop.cancelled()).await;
        }
        let again = self.running().get(&id).is_some_and(|running| running.again);
        if let Ok(Some(BatchEnd { record, .. })) = &mut ended
            && let (true, BatchState::Interrupted, Some(command)) = (again, record.state(), record.request())
        {
            let now = self.context.clock.now();
            if let Err(error) = jobs::enqueue_rest(&self.context.store, record, &command, now).await {
                logged!(error, action = "scheduler", batch = id, msg!("log-batch-rest-waits", error = &error));
            }
        }
        // A batch stays among the running ones until its ending has been published.
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

/// Marker of a working scheduler: sets the `at_work` flag, and clears it on drop, even after a panic.
struct WorkingMarker(Arc<SchedulerInner>);

impl WorkingMarker {
    fn new(shared: Arc<SchedulerInner>) -> Self {
        shared.at_work.store(true, Ordering::Release);
        Self(shared)
    }
}

impl Drop for WorkingMarker {
    fn drop(&mut self) {
        self.0.at_work.store(false, Ordering::Release);
        if std::thread::panicking() {
            logged!(error, severity = "CRITICAL", action = "scheduler", msg!("log-scheduler-stopped"));
        }
    }
}
