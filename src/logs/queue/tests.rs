//! Tests of `logs/queue.rs`.

use super::super::tests::line;
use super::*;

fn fill(backlog: &Backlog, level: LogLevel, count: usize) {
    for _ in 0..count {
        backlog.push(Arc::new(line(level, "x")));
    }
}

fn levels(backlog: &Backlog) -> BTreeMap<LogLevel, usize> {
    let mut levels = BTreeMap::new();
    for line in &backlog.lock().lines {
        *levels.entry(line.severity()).or_default() += 1;
    }
    levels
}

#[test]
fn the_least_important_lines_find_no_room_first_and_warnings_last() {
    let backlog = Backlog::default();
    fill(&backlog, LogLevel::Debug, 30_000);
    assert_eq!(levels(&backlog), [(LogLevel::Debug, 5_000)].into());
    fill(&backlog, LogLevel::Info, 30_000);
    fill(&backlog, LogLevel::Warning, 9_000);
    fill(&backlog, LogLevel::Error, 1_005);
    let kept =
        [(LogLevel::Debug, 5_000), (LogLevel::Info, 5_000), (LogLevel::Warning, 9_000), (LogLevel::Error, 1_000)];
    assert_eq!(levels(&backlog), kept.into());
    // Losses are not reported while there is no room for the report.
    assert_eq!(backlog.lost(), Lost::new());
    while backlog.take(1_000, Duration::ZERO).is_some_and(|group| group.len() == 1_000) {
        if backlog.lock().lines.is_empty() {
            break;
        }
    }
    let lost = [(LogLevel::Debug, 25_000), (LogLevel::Info, 25_000), (LogLevel::Error, 5)];
    assert_eq!(backlog.lost(), lost.into());
    assert_eq!(backlog.lost(), Lost::new());
}

#[test]
fn long_lines_count_by_the_memory_that_they_take() {
    let backlog = Backlog::default();
    let long = "x".repeat(4_000);
    for _ in 0..20_000 {
        backlog.push(Arc::new(line(LogLevel::Error, &long)));
    }
    let state = backlog.lock();
    assert!(state.bytes <= MAX_BYTES + 2 * long.len() && state.lines.len() > 5_000, "{}", state.bytes);
    assert_eq!(state.lines.len() + usize::try_from(state.lost[&LogLevel::Error]).unwrap(), 20_000);
}

#[test]
fn what_is_given_back_comes_first_again_and_nothing_is_left_out() {
    let backlog = Backlog::default();
    for number in 0..10 {
        backlog.push(Arc::new(line(LogLevel::Info, &number.to_string())));
    }
    let group = backlog.take(4, Duration::ZERO).unwrap();
    assert!(!backlog.drained(Duration::ZERO));
    backlog.give_back(group);
    backlog.close();
    let mut seen = Vec::new();
    while let Some(group) = backlog.take(3, Duration::from_mins(1)) {
        seen.extend(group.iter().map(|line| line.message.clone()));
        backlog.done();
    }
    assert_eq!(seen, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(backlog.drained(Duration::ZERO));
}
