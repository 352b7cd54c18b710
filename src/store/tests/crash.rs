//! Killed processes and a full disk. This test binary plays both: it starts itself again to run only `child`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const FOLDER: &str = "STORE_TEST_FOLDER";

/// Writes in a loop and prints each row once it is answered; ends at the first error.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let written = store.write_blocking(|writer| {
                        let id = writer.next_id::<Item>()?;
                        let text = Value::from("x".repeat(500));
                        let rest = Map::from_iter([("text".to_owned(), text)]);
                        let status = STATUSES[usize::try_from(id % 3).unwrap()];
                        writer.put(&Item { rest, code: Some(id.to_string()), ..item(id, status, 0) })?;
                        Ok::<_, StoreError>(id)
                    });
                    let mut out = std::io::stdout().lock();
                    match written {
                        Ok(id) => writeln!(out, "\nstored {id}").unwrap(),
                        Err(error) => {
                            writeln!(out, "\nrefused {error}").unwrap();
                            return;
                        }
                    }
                }
            });
        }
    });
}

const STATUSES: [&str; 3] = ["a", "b", "c"];

/// Returns the command that runs [`child`] under `wrapper`.
fn command(wrapper: &[&str], folder: &Path) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut words = wrapper.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
    words.push(binary.into_os_string());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["--exact", "store::tests::crash::child", "--nocapture"]);
    command.env(FOLDER, folder).stdout(Stdio::piped());
    command
}

fn check(folder: &Path, stored: &[u64]) {
    let store = open(folder);
    for id in stored {
        assert!(get(&store, *id).is_some(), "{id} was answered and is gone");
        let by_code = store.read(|view| view.by_unique(Item::CODE, id.to_string())).unwrap();
        assert_eq!(by_code.unwrap().id, *id);
    }
    let total = walk(&store, &Query::all().limit(1000)).len();
    let listed: usize =
        STATUSES.iter().map(|status| walk(&store, &Query::group(Item::STATUS, *status).limit(1000)).len()).sum();
    assert_eq!(listed, total);
}

#[test]
fn what_was_answered_survives_a_kill() {
    let folder = folder();
    let mut stored = Vec::new();
    for _ in 0..12 {
        let mut child = command(&[], folder.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let until = stored.len() + fastrand::usize(0..300);
        while let Some(Ok(line)) = lines.next() {
            if let Some(id) = line.strip_prefix("stored ") {
                stored.push(id.parse().unwrap());
            }
            if stored.len() >= until {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        check(folder.path(), &stored);
    }
    assert!(stored.len() > 200, "the children stored {} rows only", stored.len());
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let folder = folder();
    // To a process, a limit on the file size looks like a full disk. The shell ignores the signal that comes
    // with it, and so do its children.
    let limited = ["sh", "-c", r#"trap "" XFSZ; ulimit -f 8000; exec "$0" "$@""#];
    let output = command(&limited, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let stored: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix("stored ")).map(|id| id.parse().unwrap()).collect();
    let refused: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("refused ")).collect();
    assert!(stored.len() > 100, "{text}");
    assert_eq!(refused.len(), 4, "{text}");
    assert!(refused.iter().any(|line| line.contains("make room on the disk")), "{refused:?}");
    assert!(refused.iter().all(|line| line.contains("start again")), "{refused:?}");
    check(folder.path(), &stored);
}
