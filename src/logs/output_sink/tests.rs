//! Tests of `logs/output_sink.rs`.

use super::super::tests::line;
use super::*;
use crate::config::LogLevel;

fn lines(message: &str) -> Vec<(Arc<LogLine>, bool)> {
    vec![(Arc::new(line(LogLevel::Info, message)), false)]
}

#[test]
fn the_file_goes_on_under_its_name_when_it_was_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("cashout.log"), folder.path().join("cashout.log.1"));
    let mut printer = Printer::new(Stream::Error, Style::Journal);
    printer.print(&lines("before"), Some(&path));
    std::fs::rename(&path, &moved).unwrap();
    printer.print(&lines("after"), Some(&path));
    let text = |path| std::fs::read_to_string(path).unwrap();
    assert_eq!(text(&moved), "2026-11-21T10:00:00.000Z INFO      before\n");
    assert_eq!(text(&path), "2026-11-21T10:00:00.000Z INFO      after\n");
}

#[test]
fn a_file_that_cannot_be_written_is_said_once_and_so_is_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("cashout.log");
    let mut printer = Printer::new(Stream::Error, Style::Journal);
    let said = printer.print(&lines("one"), Some(&path));
    assert!(matches!(&said, Some(LogFileChange::Lost(text)) if text.contains("missing/cashout.log")), "{said:?}");
    assert_eq!(printer.print(&lines("two"), Some(&path)), None);
    std::fs::create_dir(folder.path().join("missing")).unwrap();
    assert_eq!(printer.print(&lines("three"), Some(&path)), Some(LogFileChange::Back(2)));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    // A disk that is full.
    let said = printer.print(&lines("four"), Some(Path::new("/dev/full")));
    assert!(matches!(said, Some(LogFileChange::Lost(_))), "{said:?}");
}
