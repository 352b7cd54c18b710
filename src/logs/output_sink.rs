//! Lines that leave the process: through one of our streams and the log file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LogLine, Style};
use crate::text::message::{Message, msg};

/// One of the standard streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Output,
    /// The error output.
    Error,
}

/// A change in the state of the log file that must be logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogFileChange {
    /// The reason for which the file cannot be written; reported once until it can be written again.
    Lost(Message),
    /// The number of lines that are missing in the file, now that it can be written again.
    Back(u64),
}

/// Writer of lines to the stream and the file.
pub(super) struct Printer {
    stream: Stream,
    style: Style,
    file: Option<LogFile>,
}

/// A file that lines are appended to.
struct LogFile {
    path: PathBuf,
    open: Option<File>,
    /// Number of missing lines since it failed; `None` while it works.
    missing: Option<u64>,
}

impl Printer {
    pub(super) fn new(stream: Stream, style: Style) -> Self {
        Self { stream, style, file: None }
    }

    /// Reopens the file with the next line.
    pub(super) fn reopen(&mut self) {
        if let Some(file) = &mut self.file {
            file.open = None;
        }
    }

    /// Writes lines; `path` is the log file, if any, which gets all of them. Each line carries a flag for the stream.
    pub(super) fn print(&mut self, lines: &[(Arc<LogLine>, bool)], path: Option<&Path>) -> Option<LogFileChange> {
        let shown: String = lines.iter().filter(|(_, shown)| *shown).map(|(line, _)| self.style.write(line)).collect();
        if !shown.is_empty() {
            // If the stream is closed, the error cannot be reported anywhere.
            let _ = match self.stream {
                Stream::Output => io::stdout().lock().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush()),
                Stream::Error => io::stderr().lock().write_all(shown.as_bytes()),
            };
        }
        if self.file.as_ref().map(|file| file.path.as_path()) != path {
            self.file = path.map(|path| LogFile { path: path.to_owned(), open: None, missing: None });
        }
        let style = if self.style == Style::Json { Style::Json } else { Style::Text { colours: false } };
        let file = self.file.as_mut()?;
        file.add(&lines.iter().map(|(line, _)| style.write(line)).collect::<Vec<_>>())
    }
}

impl LogFile {
    fn add(&mut self, lines: &[String]) -> Option<LogFileChange> {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        match self.write(&lines.concat()) {
            Ok(()) => self.missing.take().map(LogFileChange::Back),
            Err(error) => {
                self.open = None;
                let news = self.missing.is_none().then(|| {
                    let path = self.path.display().to_string();
                    LogFileChange::Lost(msg!("log-file-not-written", path, error = error.to_string()))
                });
                self.missing = Some(self.missing.unwrap_or(0).saturating_add(count));
                news
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        // Moved away or removed, as by logrotate: the lines belong in a new file under that name.
        let open = self.open.take().filter(|file| is_at(file, &self.path));
        // Lines name shops and vouchers: not readable by every user of the machine.
        let create = || OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path);
        let file = open.map_or_else(create, Ok)?;
        self.open.insert(file).write_all(text.as_bytes())
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
