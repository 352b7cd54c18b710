//! Conversion of events of `tracing` to lines.

use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::line::FieldVisitor;
use super::{LogLine, Logs};
use crate::config::{Config, LogLevel};
use crate::domain::pii::masked;
use crate::platform::secret::Secret;

/// Minimum length of a secret to be replaced; shorter ones are part of too many words.
const MIN_SECRET_LENGTH: usize = 6;

/// Layer that makes lines from events and their enclosing spans.
pub(super) struct LogLayer(pub(super) Logs);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The wanted levels change with the settings, but never beyond this.
        if *metadata.level() > Level::DEBUG { Interest::never() } else { Interest::sometimes() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        if *metadata.level() > Level::DEBUG {
            return false;
        }
        if metadata.is_span() {
            return is_own(metadata.target());
        }
        let wanted = self.0.wanted();
        let most = most_severe(*metadata.level());
        if is_own(metadata.target()) {
            [Some(wanted.shown), wanted.kept(), wanted.mailed()].into_iter().flatten().any(|least| most >= least)
        } else {
            *metadata.level() <= Level::WARN || most >= wanted.shown_foreign
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut said = FieldVisitor::default();
            attributes.record(&mut said);
            span.extensions_mut().insert(said);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<FieldVisitor>()
        {
            values.record(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut said = FieldVisitor::default();
        event.record(&mut said);
        let mut fields: Map<String, Value> =
            said.fields.drain(..).map(|(name, value)| (name.to_owned(), value)).collect();
        // From the innermost span outwards: the value nearest to the event counts.
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(around) = extensions.get::<FieldVisitor>() else { continue };
            said.action = said.action.or_else(|| around.action.clone());
            said.mirakl_id = said.mirakl_id.or(around.mirakl_id);
            said.batch = said.batch.or(around.batch);
            for (name, value) in &around.fields {
                fields.entry(format!("{}_{name}", span.name())).or_insert_with(|| value.clone());
            }
        }
        let own = is_own(metadata.target());
        let level = level_of(*metadata.level());
        let level = said.severity.map_or(level, |raised| raised.max(level));
        let line = LogLine {
            mirakl_id: said.mirakl_id,
            batch: said.batch,
            said: said.said,
            target: if own { String::new() } else { metadata.target().to_owned() },
            fields,
            ..LogLine::said(self.0.shared.clock.now(), level, said.action.unwrap_or_default(), said.message)
        };
        self.0.emit(line, &self.0.wanted());
    }
}

/// Masks personal data and secrets in every text of a line.
pub(super) fn clean(line: &mut LogLine, config: Option<&Config>) {
    line.message = cleaned(&line.message, config);
    // Each text by itself: JSON writes some characters otherwise.
    let said = serde_json::from_str::<Value>(&line.said).ok().map(|mut said| {
        clean_texts(&mut said, config);
        said.to_string()
    });
    line.said = said.unwrap_or_default();
    line.fields.values_mut().for_each(|value| clean_texts(value, config));
}

fn clean_texts(value: &mut Value, config: Option<&Config>) {
    match value {
        Value::String(text) => *text = cleaned(text, config),
        Value::Array(values) => values.iter_mut().for_each(|value| clean_texts(value, config)),
        Value::Object(values) => values.values_mut().for_each(|value| clean_texts(value, config)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cleaned(text: &str, config: Option<&Config>) -> String {
    let secrets = config.into_iter().flat_map(Config::secrets).map(Secret::expose);
    secrets
        .filter(|secret| secret.len() >= MIN_SECRET_LENGTH)
        .fold(masked(text), |text, secret| if text.contains(secret) { text.replace(secret, "[secret]") } else { text })
}

fn is_own(target: &str) -> bool {
    target == "cashout" || target.starts_with("cashout::")
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

/// Returns the highest level that `severity` may raise an event of this level to.
fn most_severe(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Emergency,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Notice,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}
