//! The log: what `tracing` is told goes to a stream of ours, to `log.file.path`, to the store, and
//! to those who are mailed about it. Nobody who logs waits for any of them but the stream of a
//! command.
//!
//! **How to log.** `tracing::info!(action = "serve", "answers on {address}")`: one sentence that an
//! operator understands, where a thing is handled, once. Fields to find it by are `action` (the
//! command of a batch, or a part of the appliance), `mirakl_id` and `batch`; any other field is kept
//! with it. All three are also taken from the spans around it, and a span's own fields as
//! `span_field` (`request_id`). `tracing` has five levels, the log has eight: `severity` raises a
//! line to one that `tracing` lacks, `info!(severity = "NOTICE", …)` and `error!(severity =
//! "CRITICAL", …)` (or `"ALERT"`, `"EMERGENCY"`).
//!
//! **What is logged.** Our own lines, and warnings and worse of the libraries.
//!
//! **What is not.** Secrets live in a type that cannot be printed; should one slip in all the same,
//! the configured ones are found in every text and replaced. Card numbers, IBANs and e-mail
//! addresses are masked in every text, for every reader: support finds its way by shop, wallet and
//! voucher, whose numbers stay, and needs the four digits of an account that are left. The same
//! lines are mailed, so a mail holds no more than the log. See [`masked`].
//!
//! **When the store cannot keep up.** Lines wait in memory, 20,000 of them or 32 MiB. A quarter of
//! that is for DEBUG, half for INFO and NOTICE, all of it for WARNING and worse, so that the less
//! important ones are lost first. Should the disk be full for so long that even that is not enough,
//! warnings too are missing in the store, but not on the stream. What was lost is counted, and said
//! in a line once there is room again.

mod alerts;
mod backlog;
mod collector;
mod keeper;
mod line;
mod listing;
mod mask;
mod printer;
mod retention;
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
pub use mask::masked;
pub use printer::Stream;
pub use retention::{retain, trim};
pub use style::Style;

use backlog::Backlog;
use collector::Collector;
use printer::{News, Printer};

use crate::config::{Config, LogLevel, Settings};
use crate::platform::clock::Clock;
use crate::platform::metrics::LOG_LINES;
use crate::store::{Store, StoreError};
use crate::trouble;

/// Lines of this action are about the mail itself: they are never mailed.
pub const MAIL: &str = "mail";

/// How long an orderly stop waits for the lines that are on their way.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);
/// How many lines are written to the stream at once.
const WRITTEN_TOGETHER: usize = 500;

/// How a process logs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where lines are shown.
    pub stream: Stream,
    /// How they are written there.
    pub style: Style,
    /// The least level of our own lines that is shown.
    pub level: LogLevel,
    /// The least level of the libraries' lines that is shown.
    pub foreign_level: LogLevel,
    /// Lines are handed to a thread that shows them, so that nobody waits for the stream: for a
    /// process that serves. Else they are there when the call returns.
    pub hand_over: bool,
}

/// The log of this process. Cloning shares it.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    options: Options,
    begun_at: Timestamp,
    settings: RwLock<Option<Settings>>,
    printer: Mutex<Printer>,
    to_print: Backlog,
    to_keep: Backlog,
    alerts: Alerts,
    printing: Mutex<Option<JoinHandle<()>>>,
    keeping: Mutex<Option<JoinHandle<()>>>,
}

/// What is wanted of a line, by the settings as they are now.
struct Wanted {
    shown: LogLevel,
    shown_foreign: LogLevel,
    config: Option<Arc<Config>>,
}

impl Wanted {
    /// Whether the stream shows it.
    fn shows(&self, line: &LogLine) -> bool {
        line.severity() >= if line.is_own() { self.shown } else { self.shown_foreign }
    }

    /// The least level that is stored; before the settings are known, what is stored by default.
    fn kept(&self) -> Option<LogLevel> {
        self.config.as_ref().map_or(Some(LogLevel::Info), |config| config.logs.store_level)
    }

    /// The least level that people are told about.
    fn mailed(&self) -> Option<LogLevel> {
        self.config.as_ref().and_then(|config| config.alert_level())
    }

    fn file(&self) -> Option<&Path> {
        self.config.as_ref().and_then(|config| config.logs.file.as_deref())
    }
}

impl Logs {
    /// A log that nobody writes into yet; its times are those of `clock`.
    pub fn new(options: Options, clock: Clock) -> Self {
        let shared = Shared {
            begun_at: clock.now(),
            clock,
            settings: RwLock::default(),
            printer: Mutex::new(Printer::new(options.stream, options.style)),
            to_print: Backlog::new(),
            to_keep: Backlog::new(),
            alerts: Alerts::default(),
            printing: Mutex::default(),
            keeping: Mutex::default(),
            options,
        };
        let logs = Self { shared: Arc::new(shared) };
        if logs.shared.options.hand_over {
            logs.start_printing();
        }
        logs
    }

    /// Makes it the log of the whole process. Where there is one already, that one stays.
    pub fn install(&self) {
        let _ = tracing::subscriber::set_global_default(self.subscriber());
    }

    /// What feeds it from `tracing`.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::registry().with(Collector::new(self.clone()))
    }

    /// The log that lines of this thread go to; `None` where there is none.
    pub fn current() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Collector>().map(Collector::logs))
    }

    /// The levels and the file are those of `settings` from now on, whatever they become.
    pub fn follow(&self, settings: Settings) {
        *self.shared.settings.write().unwrap_or_else(PoisonError::into_inner) = Some(settings);
    }

    /// Lines are stored from now on, those that waited for it too. Where they are stored already, it
    /// stays at that.
    pub fn keep_in(&self, store: &Store) -> Result<(), StoreError> {
        let mut keeping = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if keeping.as_ref().is_none_or(JoinHandle::is_finished) {
            *keeping = Some(keeper::start(self.clone(), store.clone())?);
        }
        Ok(())
    }

    /// Opens the log file anew with the next line.
    pub fn reopen(&self) {
        self.shared.printer.lock().unwrap_or_else(PoisonError::into_inner).reopen();
    }

    /// Stores and shows what is on its way, at most for some seconds. True where nothing is left.
    /// Blocks.
    pub fn flush(&self) -> bool {
        let keeping = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match keeping.as_ref() {
            Some(keeper) if !keeper.is_finished() => self.shared.to_keep.drained(FLUSHED_WITHIN),
            Some(_) | None => true,
        };
        kept & (!self.shared.options.hand_over || self.shared.to_print.drained(FLUSHED_WITHIN))
    }

    /// [`Logs::flush`], and then lets go of the store: what is logged from now on waits for the next one.
    pub fn let_go(&self) -> bool {
        let flushed = self.flush();
        if let Some(keeper) = self.shared.keeping.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.shared.to_keep.close();
            // It ends by itself; a panic in it was its own.
            let _ = keeper.join();
            self.shared.to_keep.open();
        }
        flushed
    }

    /// Lines that a person is to be told about.
    pub fn alerts(&self) -> &Alerts {
        &self.shared.alerts
    }

    /// When this log began (UTC).
    pub fn begun_at(&self) -> Timestamp {
        self.shared.begun_at
    }

    fn wanted(&self) -> Wanted {
        let settings = self.shared.settings.read().unwrap_or_else(PoisonError::into_inner);
        let Options { level, foreign_level, .. } = self.shared.options;
        Wanted { shown: level, shown_foreign: foreign_level, config: settings.as_ref().map(Settings::get) }
    }

    /// Takes a line to everybody who wants it.
    fn emit(&self, mut line: LogLine, wanted: &Wanted) {
        collector::clean(&mut line, wanted.config.as_deref());
        let level = line.severity();
        metrics::counter!(LOG_LINES, "level" => level.name()).increment(1);
        // The libraries' chatter is shown to whoever asked for it, and kept for nobody.
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

    /// Shows lines and writes them to the file.
    fn print(&self, lines: &[Arc<LogLine>]) {
        let wanted = self.wanted();
        let lines: Vec<_> = lines.iter().map(|line| (Arc::clone(line), wanted.shows(line))).collect();
        let news = {
            let mut printer = self.shared.printer.lock().unwrap_or_else(PoisonError::into_inner);
            printer.print(&lines, wanted.file())
        };
        // Said when the printer is free again; it says each of these once, so this ends.
        match news {
            None => {}
            Some(News::Lost(text)) => self.say(LogLevel::Error, text),
            Some(News::Back(missing)) => {
                self.say(LogLevel::Notice, format!("the log file is written again; {missing} lines are missing in it"));
            }
        }
    }

    /// Says something about the log itself.
    fn say(&self, level: LogLevel, message: String) {
        self.emit(LogLine::said(self.shared.clock.now(), level, "logs", message), &self.wanted());
    }

    fn start_printing(&self) {
        let logs = self.clone();
        let printing = std::thread::Builder::new().name("log-printer".to_owned()).spawn(move || {
            while let Some(lines) = logs.shared.to_print.take(WRITTEN_TOGETHER, Duration::ZERO) {
                logs.print(&lines);
                let lost: u64 = logs.shared.to_print.lost().into_values().sum();
                logs.shared.to_print.done();
                if lost > 0 {
                    let text = format!("whoever reads this log could not keep up: {lost} lines are missing in it");
                    logs.say(LogLevel::Warning, text);
                }
            }
        });
        // Without a thread there is no room for lines and nobody to tell; the store still has them.
        *self.shared.printing.lock().unwrap_or_else(PoisonError::into_inner) = printing.ok();
    }
}
