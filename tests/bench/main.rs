//! Benchmarks: figures compared with the floor that the remotes, the disk or the machine set.
//!
//! `cargo bench` runs all of them, `cargo bench -- million` one part, `--quick` a tenth of the work.
//! Times are printed, never asserted; payments and stored records are asserted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that is wrong says so by failing")]
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]
#![expect(clippy::float_arithmetic, reason = "rates and ratios of times; money stays in integers")]

mod connections;
mod export;
mod ledger;
mod logs;
mod machine;
mod million;
mod notifications;
mod pages;
mod payments;
mod records;
mod search;
mod soak;
mod start;
mod store;
mod table;

/// Fraction of the whole work that is done.
#[derive(Debug, Clone, Copy)]
struct Scale {
    quick: bool,
}

impl Scale {
    fn of(self, whole: u64) -> u64 {
        if self.quick { whole.div_euclid(10).max(1) } else { whole }
    }
}

/// A part that can be run alone.
struct Part {
    name: &'static str,
    measure: fn(Scale),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, role, folder] = arguments.as_slice()
        && child == million::CHILD
    {
        return million::child(role, folder.as_ref());
    }
    if let [child, what, folder] = arguments.as_slice()
        && child == ledger::CHILD
    {
        return ledger::child(what, folder.as_ref());
    }
    if let [child, kind, target] = arguments.as_slice()
        && child == connections::CHILD
    {
        return connections::child(kind, target);
    }
    let scale = Scale { quick: arguments.iter().any(|argument| argument == "--quick") };
    // Cargo adds its own option.
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|one| !one.starts_with("--")).collect();
    let parts = [
        Part { name: "store", measure: store::measure },
        Part { name: "logs", measure: logs::measure },
        Part { name: "million", measure: million::measure },
        Part { name: "payments", measure: payments::measure },
        Part { name: "ledger", measure: ledger::measure },
        Part { name: "notifications", measure: notifications::measure },
        Part { name: "pages", measure: pages::measure },
        Part { name: "connections", measure: connections::measure },
        Part { name: "export", measure: export::measure },
        Part { name: "search", measure: search::measure },
        Part { name: "soak", measure: soak::measure },
    ];
    let names = parts.each_ref().map(|part| part.name);
    assert!(wanted.iter().all(|name| names.contains(name)), "the parts are {names:?}, not {wanted:?}");
    machine::describe();
    for part in parts {
        if wanted.is_empty() || wanted.contains(&part.name) {
            (part.measure)(scale);
        }
    }
}
