//! The log: events of `tracing` go to one of our streams, to `log.file.path`, to the store, and by
//! mail to the recipients of alerts. Logging never blocks, except on the stream of a command.
//!
//! **How to log.** `logged!(info, action = "serve", msg!("log-answers", address))`: one message that an operator
//! understands, once, where an event is handled, with its text in each language. The fields to filter by are `action`
//! (the command of a batch, or a part of the appliance), `mirakl_id` and `batch`; any other field is stored with the
//! line. All three are also taken from the enclosing spans, and a span's own fields as `span_field` (`request_id`).
//! `tracing` has five levels, the log has eight: `severity` raises a line to one that `tracing` lacks,
//! `logged!(info, severity = "NOTICE", …)` and `logged!(error, severity = "CRITICAL", …)` (or `"ALERT"`,
//! `"EMERGENCY"`). DEBUG lines are in English alone: `tracing::debug!`.
//!
//! **What is logged.** Our own lines, and warnings and worse of the libraries.
//!
//! **What is not.** Secrets have a type that cannot be printed; if one leaks into a text
//! nevertheless, the configured secrets are found and replaced. Card numbers, IBANs and e-mail
//! addresses are masked in every text, for every reader: support works with the numbers of shops,
//! wallets and vouchers, which stay, and with the last four digits of an account, which are left.
//! Mails are made of these lines, so a mail contains no more than the log. See [`crate::domain::pii`].
//!
//! **When the store cannot keep up.** Lines wait in memory, 20,000 of them or 32 MiB. A quarter of that is for DEBUG,
//! half for INFO and NOTICE, all of it for WARNING and worse, so that the less important ones are lost first. If the
//! disk is full for so long that even this is not enough, warnings too are missing in the store, but not on the stream.
//! Lost lines are counted, and a line reports the count once there is room again.

mod alerts;
mod layer;
mod line;
mod listing;
mod output_sink;
mod queue;
mod retention;
mod store_sink;
mod style;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

pub use alerts::{AlertBatch, AlertGroup, Alerts, without_numbers};
pub use line::LogLine;
pub use listing::LogFilter;
pub use output_sink::Stream;
pub use retention::{retain, trim};
pub use style::Style;

use layer::LogLayer;
use output_sink::{LogFileChange, Printer};
use queue::Backlog;

use crate::config::{Config, LogLevel, Settings};
use crate::platform::clock::Clock;
use crate::platform::metrics::LOG_LINES;
use crate::store::{Store, StoreError};
use crate::text::message::{Message, msg};
use crate::trouble;

/// Action of lines about the mail itself, which are never mailed.
pub const MAIL: &str = "mail";

/// Time limit of an orderly stop for pending lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of lines written to the stream at once.
const MAX_WRITTEN_TOGETHER: usize = 500;

/// Logging options of a process.
#[derive(Debug, Clone)]
pub struct Options {
    /// Stream that shows the lines.
    pub stream: Stream,
    /// Format of the lines on the stream.
    pub style: Style,
    /// Minimum level of our own lines on the stream.
    pub level: LogLevel,
    /// Minimum level of the libraries' lines on the stream.
    pub foreign_level: LogLevel,
    /// True if lines are handed to a printing thread, so that logging does not wait for the stream;
    /// for a serving process. Otherwise they are written when the call returns.
    pub hand_over: bool,
}

/// The log of this process. Clones share the same state.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<LogsInner>,
}

struct LogsInner {
    clock: Clock,
    options: Options,
    begun_at: Timestamp,
    settings: RwLock<Option<Settings>>,
    printer: Mutex<Printer>,
    to_print: Backlog,
    to_keep: Backlog,
    alerts: Alerts,
    keeping: Mutex<Option<JoinHandle<()>>>,
}

/// Minimum levels and targets by the current settings.
struct Wanted {
    shown: LogLevel,
    shown_foreign: LogLevel,
    config: Option<Arc<Config>>,
}

impl Wanted {
    /// Returns true if the stream shows the line.
    fn shows(&self, line: &LogLine) -> bool {
        line.severity() >= if line.is_own() { self.shown } else { self.shown_foreign }
    }

    /// Returns the minimum level that is stored; before the settings are known, the default one.
    fn kept(&self) -> Option<LogLevel> {
        self.config.as_ref().map_or(Some(LogLevel::Info), |config| config.logs.store_level)
    }

    /// Returns the minimum level that is mailed.
    fn mailed(&self) -> Option<LogLevel> {
        self.config.as_ref().and_then(|config| config.alert_level())
    }

    fn file(&self) -> Option<&Path> {
        self.config.as_ref().and_then(|config| config.logs.file.as_deref())
    }
}

impl Logs {
    /// Creates a log without any writer yet; its times are those of `clock`.
    pub fn new(options: Options, clock: Clock) -> Self {
        let shared = LogsInner {
            begun_at: clock.now(),
            clock,
            settings: RwLock::default(),
            printer: Mutex::new(Printer::new(options.stream, options.style)),
            to_print: Backlog::default(),
            to_keep: Backlog::default(),
            alerts: Alerts::default(),
            keeping: Mutex::default(),
            options,
        };
        let logs = Self { shared: Arc::new(shared) };
        if logs.shared.options.hand_over {
            logs.start_printing();
        }
        logs
    }

    /// Installs it as the log of the whole process. A log that is already installed stays.
    pub fn install(&self) {
        let _ = tracing::subscriber::set_global_default(self.subscriber());
    }

    /// Returns the subscriber that feeds it from `tracing`.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::registry().with(LogLayer(self.clone()))
    }

    /// Returns the log that lines of this thread go to; `None` if there is none.
    pub fn current() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<LogLayer>().map(|layer| layer.0.clone()))
    }

    /// Takes the levels and the file from `settings` from now on, including later changes.
    pub fn follow(&self, settings: Settings) {
        *self.shared.settings.write().unwrap_or_else(PoisonError::into_inner) = Some(settings);
    }

    /// Stores lines in `store` from now on, including those that waited for it. Does nothing if
    /// lines are stored already.
    pub fn store_in(&self, store: &Store) -> Result<(), StoreError> {
        let mut keeping = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if keeping.as_ref().is_none_or(JoinHandle::is_finished) {
            *keeping = Some(store_sink::start(self.clone(), store.clone())?);
        }
        Ok(())
    }

    /// Reopens the log file with the next line.
    pub fn reopen(&self) {
        self.shared.printer.lock().unwrap_or_else(PoisonError::into_inner).reopen();
    }

    /// Stores and shows the pending lines, for a few seconds at most. Returns true if none is left. Blocks.
    pub fn flush(&self) -> bool {
        let keeping = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |keeper: &JoinHandle<()>| keeper.is_finished() || self.shared.to_keep.drained(FLUSH_TIMEOUT);
        let kept = keeping.as_ref().is_none_or(is_kept);
        kept & (!self.shared.options.hand_over || self.shared.to_print.drained(FLUSH_TIMEOUT))
    }

    /// Flushes as [`Logs::flush`] does, then releases the store: later lines wait for the next one.
    pub fn release_store(&self) -> bool {
        let flushed = self.flush();
        if let Some(keeper) = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.shared.to_keep.close();
            // It ends by itself; a panic in it concerns only itself.
            let _ = keeper.join();
            self.shared.to_keep.open();
        }
        flushed
    }

    /// Returns the lines gathered for alerts.
    pub fn alerts(&self) -> &Alerts {
        &self.shared.alerts
    }

    /// Returns the time at which this log began (UTC).
    pub fn begun_at(&self) -> Timestamp {
        self.shared.begun_at
    }

    fn wanted(&self) -> Wanted {
        let settings = self.shared.settings.read().unwrap_or_else(PoisonError::into_inner);
        let Options { level, foreign_level, .. } = self.shared.options;
        Wanted { shown: level, shown_foreign: foreign_level, config: settings.as_ref().map(Settings::get) }
    }

    /// Passes a line to every target that wants it.
    fn emit(&self, mut line: LogLine, wanted: &Wanted) {
        layer::clean(&mut line, wanted.config.as_deref());
        let level = line.severity();
        metrics::counter!(LOG_LINES, "level" => level.name()).increment(1);
        // The libraries' minor lines are shown if requested, but never stored.
        let of_use = line.is_own() || level >= LogLevel::Warning;
        let shown = wanted.shows(&line);
        let kept = of_use && wanted.kept().is_some_and(|kept| level >= kept);
        let filed = wanted.file().is_some() && (shown || kept);
        let line = Arc::new(line);
        if kept {
            self.shared.to_keep.push(Arc::clone(&line));
        }
        if of_use
            && line.action != MAIL
            && !line.fields.contains_key(trouble::FIELD)
            && wanted.mailed().is_some_and(|mailed| level >= mailed)
        {
            self.shared.alerts.add(&line);
        }
        if !shown && !filed {
            return;
        }
        if self.shared.options.hand_over {
            self.shared.to_print.push(line);
        } else {
            self.print(&[line]);
        }
    }

    /// Writes lines to the stream and to the file.
    fn print(&self, lines: &[Arc<LogLine>]) {
        let wanted = self.wanted();
        let lines: Vec<_> = lines.iter().map(|line| (Arc::clone(line), wanted.shows(line))).collect();
        let news = {
            let mut printer = self.shared.printer.lock().unwrap_or_else(PoisonError::into_inner);
            printer.print(&lines, wanted.file())
        };
        // Reported when the printer is free again; it reports each of these once, so this ends.
        match news {
            None => {}
            Some(LogFileChange::Lost(message)) => self.say(LogLevel::Error, &message),
            Some(LogFileChange::Back(number)) => self.say(LogLevel::Notice, &msg!("log-file-written-again", number)),
        }
    }

    /// Logs a line about the log itself.
    fn say(&self, level: LogLevel, message: &Message) {
        let line = LogLine::said(self.shared.clock.now(), level, "logs", message.text().to_owned());
        self.emit(LogLine { said: message.parts(), ..line }, &self.wanted());
    }

    fn start_printing(&self) {
        let logs = self.clone();
        // Without a thread lines find no room and cannot be reported; the store still has them.
        let _ = std::thread::Builder::new().name("log-printer".to_owned()).spawn(move || {
            while let Some(lines) = logs.shared.to_print.take(MAX_WRITTEN_TOGETHER, Duration::ZERO) {
                logs.print(&lines);
                let number: u64 = logs.shared.to_print.lost().into_values().sum();
                logs.shared.to_print.done();
                if number > 0 {
                    logs.say(LogLevel::Warning, &msg!("log-reader-too-slow", number));
                }
            }
        });
    }
}
