//! Detection of troubles that no batch reports, and of the end of open ones.
//!
//! Every few seconds the monitor looks at what this process knows: whether the remotes answer, how fast the disk is,
//! and when the certificate expires. While a trouble is open, a probe a minute checks whether it is gone: a call to the
//! remote, the balance, a small write. Nothing is probed while all is well.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::{LogLevel, Settings};
use crate::domain::attempt::CLOCK_DIFFERENCE_LIMIT;
use crate::jobs::{self, Context};
use crate::mail;
use crate::platform::metrics;
use crate::remote::CallError;
use crate::store::{StoreError, View};
use crate::text::message::{logged, msg};
use crate::trouble::{self, Noticed, REMINDER_INTERVAL};
use crate::web::Certificate;

/// Action of the monitor's log lines.
const ACTION: &str = "monitor";
/// Interval of the looks.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Interval of the probes while a trouble is open.
const PROBE_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// Time of silence after which a remote is a trouble, if at least [`MIN_SILENT_CALLS`] calls were not answered.
const SILENCE_LIMIT: SignedDuration = SignedDuration::from_secs(20);
/// Minimum number of unanswered calls in a row.
const MIN_SILENT_CALLS: u32 = 3;
/// Time limit of a probe; without an answer in time the trouble persists.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// Duration from which a single commit is a trouble.
const STUCK_LIMIT: Duration = Duration::from_secs(5);
/// Number of slow commits in a row that is a trouble.
const MIN_SLOW_COMMITS: u32 = 3;
/// Time before the certificate's expiry from which people are warned.
const CERTIFICATE_WARNING_LIMIT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Time before the certificate's expiry from which the warning is at CRITICAL.
const CERTIFICATE_CRITICAL_LIMIT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Running time after which the service counts as working again.
const WORKS_INTERVAL: SignedDuration = SignedDuration::from_secs(30);

/// Key of the document that marks a running service on this store; the mark stays if the service ends without an
/// orderly stop.
const AT_WORK: &str = "service/at_work";
/// Key of the document that a probe of the disk writes.
const PROBE: &str = "monitor/probe";

/// A running service.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RunningService {
    /// Start time (UTC).
    since: Timestamp,
}

/// The monitor of troubles and of their end.
pub struct Monitor {
    context: Context,
    settings: Settings,
    certificate: Option<Certificate>,
    /// Last reported reason why the certificate's files cannot be used.
    unusable: Option<String>,
    /// Time at which the silence of each remote was first seen (UTC): Mirakl's, then HiPay's.
    silent_since: [Option<Timestamp>; 2],
    /// HiPay's time at the last comparison with ours.
    compared: Option<Timestamp>,
    started_at: Timestamp,
    probed_at: Timestamp,
}

impl Monitor {
    /// Creates a monitor of the parts in `context`.
    pub fn new(context: Context, settings: Settings, certificate: Option<Certificate>) -> Self {
        let now = context.clock.now();
        // Troubles that the previous process has left open are probed soon.
        let probed_at = now.checked_sub(PROBE_INTERVAL).and_then(|at| at.checked_add(CHECK_INTERVAL)).unwrap_or(now);
        let (silent_since, compared) = ([None; 2], None);
        Self { context, settings, certificate, unusable: None, silent_since, compared, started_at: now, probed_at }
    }

    /// Looks and probes until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        // During a trial, another release is responsible for reporting what goes wrong.
        if stop.run_until_cancelled(self.context.gate.opened()).await.is_none() {
            return;
        }
        if let Err(error) = begin(&self.context).await {
            logged!(warn, action = ACTION, msg!("log-start-not-kept", error = &error));
        }
        loop {
            self.observe().await;
            let now = self.context.clock.now();
            if now.duration_since(self.probed_at).abs() >= PROBE_INTERVAL {
                self.probed_at = now;
                self.probe().await;
            }
            if stop.run_until_cancelled(self.pause()).await.is_none() {
                return;
            }
        }
    }

    async fn pause(&self) {
        let clock = &self.context.clock;
        if clock.speed().is_some() {
            // If the clock runs fast, the machine does not.
            tokio::time::sleep(CHECK_INTERVAL.unsigned_abs()).await;
        } else {
            clock.sleep(CHECK_INTERVAL).await;
        }
    }

    fn observed(&self) -> Noticed<'static> {
        Noticed { action: ACTION, batch: None, at: self.context.clock.now() }
    }

    /// Takes one look at the remotes, the disk, the certificate and the clock.
    async fn observe(&mut self) {
        self.check_remotes().await;
        let pace = self.context.store.pace();
        if pace.under_way >= STUCK_LIMIT || pace.slow_in_a_row >= MIN_SLOW_COMMITS {
            let seconds = pace.under_way.max(pace.last).as_secs();
            self.report(trouble::SLOW_DISK, LogLevel::Error, msg!("trouble-slow-disk", seconds));
        }
        self.refresh_certificate().await;
        self.check_certificate();
        self.compare_clocks().await;
        if self.context.clock.now().duration_since(self.started_at).abs() >= WORKS_INTERVAL {
            self.context.troubles.resolve(trouble::SERVICE, self.observed());
        }
    }

    /// Reports a remote that has answered nothing for some time, once a probe finds it silent too: single calls fail
    /// for other reasons.
    async fn check_remotes(&mut self) {
        let now = self.context.clock.now();
        let remotes = [
            (trouble::MIRAKL, "Mirakl", self.context.mirakl.silence()),
            (trouble::HIPAY, "HiPay", self.context.hipay.silence()),
        ];
        for (remote, (key, name, silence)) in remotes.into_iter().enumerate() {
            let Some(since) = self.silent_since.get_mut(remote) else { continue };
            let Some(silence) = silence else {
                if since.take().is_some() {
                    self.over(key, true);
                }
                continue;
            };
            let first = *since.get_or_insert(now);
            let lasts = silence.calls >= MIN_SILENT_CALLS && now.duration_since(first) >= SILENCE_LIMIT;
            if !lasts || self.is_open(key) {
                continue;
            }
            let is_back =
                if key == trouble::HIPAY { answers(&self.balance().await) } else { answers(&self.version().await) };
            if !is_back {
                let message = msg!("trouble-silent", name, since = first.to_string(), reason = &silence.reason);
                self.context.troubles.report(key, LogLevel::Error, message, self.observed());
            }
        }
    }

    /// Uses a renewed certificate without a restart.
    async fn refresh_certificate(&mut self) {
        let Some(certificate) = self.certificate.clone() else { return };
        match tokio::task::spawn_blocking(move || certificate.refresh()).await {
            Ok(Ok(true)) => logged!(info, action = "serve", msg!("log-certificate-renewed")),
            Ok(Err(error)) => {
                let error = error.to_string();
                if self.unusable.as_ref() != Some(&error) {
                    logged!(error, action = "serve", msg!("log-certificate-kept", error = &error));
                }
                self.unusable = Some(error);
                return;
            }
            Ok(Ok(false)) | Err(_) => {}
        }
        self.unusable = None;
    }

    fn check_certificate(&self) {
        let Some((file, until)) = self.certificate.as_ref().and_then(Certificate::ends) else { return };
        ::metrics::gauge!(metrics::CERTIFICATE_EXPIRY).set(until.as_duration().as_secs_f64());
        let left = until.duration_since(self.context.clock.now());
        if left > CERTIFICATE_WARNING_LIMIT {
            self.context.troubles.resolve(trouble::CERTIFICATE, self.observed());
            return;
        }
        let level = if left > CERTIFICATE_CRITICAL_LIMIT { LogLevel::Error } else { LogLevel::Critical };
        let known = self.context.troubles.open().into_iter().find(|trouble| trouble.key == trouble::CERTIFICATE);
        let noticed = self.observed();
        if known.is_some_and(|known| {
            known.level >= level.number() && noticed.at.duration_since(known.told_at) < REMINDER_INTERVAL
        }) {
            return;
        }
        let (file, until) = (file.display().to_string(), until.to_string());
        let message = if left.is_positive() {
            msg!("trouble-certificate", file, until)
        } else {
            msg!("trouble-certificate-over", file, until)
        };
        self.context.troubles.report(trouble::CERTIFICATE, level, message, noticed);
    }

    /// Compares this machine's clock with HiPay's, if HiPay has just reported its time.
    async fn compare_clocks(&mut self) {
        let clock = &self.context.clock;
        let Some(theirs) = self.context.hipay.their_time_now().filter(|_| clock.speed().is_none()) else { return };
        if self.compared.replace(theirs) == Some(theirs)
            || clock.now().duration_since(theirs).abs() <= CLOCK_DIFFERENCE_LIMIT && !self.is_open(trouble::CLOCK)
        {
            return;
        }
        self.probe_clock().await;
    }

    /// Asks HiPay for its time, between two readings of our clock.
    async fn probe_clock(&mut self) {
        let clock = &self.context.clock;
        let before = clock.now();
        if self.balance().await.is_err() {
            return;
        }
        let (after, Some(theirs)) = (clock.now(), self.context.hipay.their_time_now()) else { return };
        // This answer need not be compared again.
        self.compared = Some(theirs);
        let differs = before.duration_since(theirs).max(theirs.duration_since(after));
        if differs > CLOCK_DIFFERENCE_LIMIT {
            self.report(trouble::CLOCK, LogLevel::Error, msg!("trouble-clock", seconds = differs.as_secs()));
        } else {
            self.context.troubles.resolve(trouble::CLOCK, self.observed());
        }
    }

    /// Reports a trouble, but not more often than it is probed: a lasting trouble is not news at every look.
    fn report(&self, key: &str, level: LogLevel, message: crate::text::message::Message) {
        let noticed = self.observed();
        let open = self.context.troubles.open();
        let seen = open.iter().find(|trouble| trouble.key == key).map(|trouble| trouble.seen_at);
        if seen.is_none_or(|seen| noticed.at.duration_since(seen).abs() >= PROBE_INTERVAL) {
            self.context.troubles.report(key, level, message, noticed);
        }
    }

    fn is_open(&self, key: &str) -> bool {
        self.context.troubles.is_open(key)
    }

    /// Probes each open trouble to find out whether it is gone.
    async fn probe(&mut self) {
        if self.is_open(trouble::MIRAKL) {
            self.over(trouble::MIRAKL, answers(&self.version().await));
        }
        if self.is_open(trouble::HIPAY) {
            self.over(trouble::HIPAY, answers(&self.balance().await));
        }
        if self.is_open(trouble::CREDENTIALS) {
            let (mirakl, hipay) = (self.version().await, self.balance().await);
            self.over(trouble::CREDENTIALS, mirakl.is_ok() && hipay.is_ok());
        }
        if self.is_open(trouble::ESCROW)
            && let Ok(balance) = self.balance().await
        {
            let due =
                self.context.store.reading(move |reader| jobs::due_for_transfers(reader, balance.currency())).await;
            self.over(trouble::ESCROW, due.is_ok_and(|due| balance.covers(due)));
        }
        if self.is_open(trouble::CLOCK) {
            self.probe_clock().await;
        }
        if self.is_open(trouble::SLOW_DISK) || self.is_open(trouble::STORE) {
            let at = self.context.clock.now();
            let begun = tokio::time::Instant::now();
            let written = self.context.store.write(move |writer| writer.put_document(PROBE, &at));
            let written: Result<(), StoreError> =
                tokio::time::timeout(PROBE_TIMEOUT, written).await.unwrap_or(Err(StoreError::Closed));
            let pace = self.context.store.pace();
            self.over(trouble::SLOW_DISK, written.is_ok() && pace.slow_in_a_row == 0 && begun.elapsed() < STUCK_LIMIT);
            self.over(trouble::STORE, written.is_ok());
        }
        if self.is_open(trouble::MAIL)
            && let Some(config) = self.settings.get().mail.clone()
            && mail::try_out(&config).await.is_ok()
        {
            self.over(trouble::MAIL, true);
        }
    }

    fn over(&self, key: &str, is_gone: bool) {
        if is_gone {
            self.context.troubles.resolve(key, self.observed());
        }
    }

    async fn version(&self) -> Result<String, CallError> {
        within(self.context.mirakl.version()).await
    }

    async fn balance(&self) -> Result<crate::domain::money::Amount, CallError> {
        within(self.context.read_escrow_balance()).await
    }
}

/// Returns true if a remote has answered, even with a refusal.
fn answers<T>(outcome: &Result<T, CallError>) -> bool {
    matches!(outcome, Ok(_) | Err(CallError::Rejected(_) | CallError::Unknown { said: Some(_), .. }))
}

/// Limits a call to the time limit of a probe, which is shorter than that of a call.
async fn within<T>(call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let silent = || CallError::unknown(msg!("call-silent", remote = "", seconds = PROBE_TIMEOUT.as_secs()));
    tokio::time::timeout(PROBE_TIMEOUT, call).await.unwrap_or_else(|_| Err(silent()))
}

/// Records that a service runs on this store. If a former service was not stopped in good order, reports that as a
/// trouble.
async fn begin(context: &Context) -> Result<(), StoreError> {
    let at = context.clock.now();
    let former = context.store.reading(|reader| reader.get_document::<Option<RunningService>>(AT_WORK)).await?;
    // A store that could not be written to could not record the orderly stop either.
    if former.flatten().is_some() && !context.troubles.is_open(trouble::STORE) {
        let noticed = Noticed { action: "serve", batch: None, at };
        let message = msg!("trouble-service", at = at.to_string());
        context.troubles.report(trouble::SERVICE, LogLevel::Error, message, noticed);
    }
    context.store.write(move |writer| writer.put_document(AT_WORK, &Some(RunningService { since: at }))).await
}

/// Records that the service is stopped in good order.
pub async fn end(context: &Context) -> Result<(), StoreError> {
    context.store.write(|writer| writer.put_document(AT_WORK, &None::<RunningService>)).await
}
