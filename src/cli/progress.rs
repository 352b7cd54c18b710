//! Progress of a batch: a bar on a terminal, a line per stage elsewhere, none with JSON.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::jobs::{BatchProgress, Silent};

/// Returns the progress that suits the error output.
pub(super) fn choose(json: bool) -> Arc<dyn BatchProgress> {
    if json {
        Arc::new(Silent)
    } else if std::io::stderr().is_terminal() {
        Arc::new(Bar::default())
    } else {
        Arc::new(Lines)
    }
}

/// A bar that restarts with each stage.
#[derive(Default)]
struct Bar {
    bar: Mutex<Option<ProgressBar>>,
}

impl Bar {
    fn swap(&self, next: Option<ProgressBar>) {
        let former = std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), next);
        if let Some(former) = former {
            former.finish();
        }
    }
}

impl BatchProgress for Bar {
    fn stage(&self, name: &str, total: u64) {
        let style = ProgressStyle::with_template("{msg:28} [{bar:32}] {pos}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let bar = ProgressBar::new(total).with_style(style).with_message(name.to_owned());
        bar.tick();
        self.swap(Some(bar));
    }

    fn step(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            bar.inc(1);
        }
    }

    fn end(&self) {
        self.swap(None);
    }
}

/// A progress of one line per stage.
struct Lines;

impl BatchProgress for Lines {
    fn stage(&self, name: &str, total: u64) {
        output::notice(&format!("{name}: {total}"));
    }

    fn step(&self) {}

    fn end(&self) {}
}
