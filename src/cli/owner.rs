//! Changing from root to the owner of the data folder before a command does anything, so that it leaves no file
//! that the service cannot open.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::getuid;

use super::{Exit, Failed};
use crate::platform::os::User;

/// Continues as the owner of `data` if this process is root and the owner is not. Does not return then: the
/// same program with the same arguments replaces this process.
pub(super) fn become_owner_of(data: &Path) -> Result<(), Failed> {
    let Ok(folder) = std::fs::metadata(data) else { return Ok(()) };
    if !getuid().is_root() || folder.uid() == 0 {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let arguments = std::env::args_os().skip(1);
    // Setting the user drops root's supplementary groups as well.
    let error = Command::new(&program).args(arguments).uid(folder.uid()).gid(folder.gid()).exec();
    let (data, user, program) = (data.display(), folder.uid(), program.display());
    let sentence = format!(
        "{data} belongs to user {user}, and continuing as that user failed: {error}; make {program} executable for it"
    );
    Err(Failed::new(Exit::Machine, sentence))
}

/// Runs this very command as the owner of `data`, and waits for its end: root's resources stay with root.
pub(super) fn run_as_owner_of(data: &Path) -> Result<Exit, Failed> {
    let folder = std::fs::metadata(data)?;
    let arguments = std::env::args_os().skip(1);
    let status = Command::new(std::env::current_exe()?).args(arguments).uid(folder.uid()).gid(folder.gid()).status()?;
    let exit = status.code().and_then(Exit::of_code);
    exit.ok_or_else(|| Failed::new(Exit::Machine, format!("the command ended: {status}")))
}

/// Returns the user that the worker of a guard runs as: if the guard is root, the owner of `data`, or the user
/// `cashout` if there is no such folder yet. Returns `None` if that is the guard's own user.
pub(super) fn worker_user(data: &Path) -> Option<User> {
    if !getuid().is_root() {
        return None;
    }
    match std::fs::metadata(data) {
        Ok(folder) => (folder.uid() != 0).then(|| User { id: folder.uid(), group: folder.gid() }),
        Err(_) => user_named("cashout", &std::fs::read_to_string("/etc/passwd").ok()?),
    }
}

/// Looks up a user by name in the text of `/etc/passwd`.
fn user_named(name: &str, passwd: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.strip_prefix(name)?.strip_prefix(':')?.split(':');
        Some(User { id: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\ncashouts:x:7:8::/:\ncashout:x:998:997::/nonexistent:/bin/false\n";
        assert_eq!(user_named("cashout", passwd), Some(User { id: 998, group: 997 }));
        assert_eq!(user_named("cash", passwd), None);
        assert_eq!(user_named("broken", "broken:x:one:2::/:"), None);
    }
}
