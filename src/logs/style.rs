//! Formats of a line: for people, for journald, as JSON.

use serde_json::{Map, Value, json};

use super::LogLine;
use crate::config::LogLevel;

/// Format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Time (UTC), level, action, message, fields; in colours on a terminal.
    Text {
        /// True to use the escape sequences of terminals.
        colours: bool,
    },
    /// Format of journald: the priority first, no time.
    Journal,
    /// One JSON object per line, with every field.
    Json,
}

impl Style {
    /// Formats the line, with the line break.
    pub fn write(self, line: &LogLine) -> String {
        let mut text = match self {
            Self::Text { colours } => text(line, colours),
            Self::Journal => format!("<{}>{}", priority(line.severity()), sentence(line)),
            Self::Json => json(line).to_string(),
        };
        text.push('\n');
        text
    }
}

fn text(line: &LogLine, colours: bool) -> String {
    let level = line.severity();
    let name = format!("{:<9}", level.name());
    let name = if colours { format!("\u{1b}[{}m{name}\u{1b}[0m", colour(level)) } else { name };
    format!("{} {name} {}", line.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), sentence(line))
}

/// Formats action, message and fields on one line: control characters are escaped, so that no value
/// can pass for another line.
fn sentence(line: &LogLine) -> String {
    let source = if line.action.is_empty() { &line.target } else { &line.action };
    let mut text = if source.is_empty() { line.message.clone() } else { format!("{source}: {}", line.message) };
    let known = [("mirakl_id", line.mirakl_id), ("batch", line.batch)];
    let known = known.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.to_string())));
    let others = line.fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), if value.contains([' ', '"']) { format!("{value:?}") } else { value })
    });
    for (name, value) in known.chain(others) {
        text.extend([" ", &name, "=", &value]);
    }
    if text.contains(char::is_control) {
        text = text
            .chars()
            .map(|letter| if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() })
            .collect();
    }
    text
}

fn json(line: &LogLine) -> Value {
    let mut all = Map::new();
    all.insert("date".to_owned(), json!(line.at));
    all.insert("level".to_owned(), json!(line.severity().name()));
    all.insert("action".to_owned(), json!(line.action));
    all.insert("mirakl_id".to_owned(), json!(line.mirakl_id));
    all.insert("batch".to_owned(), json!(line.batch));
    all.insert("message".to_owned(), json!(line.message));
    if !line.is_own() {
        all.insert("target".to_owned(), json!(line.target));
    }
    for (name, value) in &line.fields {
        all.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(all)
}

/// Returns the priority of syslog, as defined in sd-daemon(3).
fn priority(level: LogLevel) -> u8 {
    match level {
        LogLevel::Emergency => 0,
        LogLevel::Alert => 1,
        LogLevel::Critical => 2,
        LogLevel::Error => 3,
        LogLevel::Warning => 4,
        LogLevel::Notice => 5,
        LogLevel::Info => 6,
        LogLevel::Debug => 7,
    }
}

fn colour(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "2",
        LogLevel::Info => "32",
        LogLevel::Notice => "36",
        LogLevel::Warning => "33",
        LogLevel::Error => "31",
        LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => "1;31",
    }
}

#[cfg(test)]
mod tests;
