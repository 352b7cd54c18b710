//! Run as root, a command first becomes the owner of the data folder, so that it leaves no file
//! that the service cannot open.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{Exit, Failed};

/// Goes on as the owner of `data` where we are root and the owner is not. Does not come back then:
/// the same program with the same arguments takes over this process.
pub(super) fn become_owner_of(data: &Path) -> Result<(), Failed> {
    // The owner of one's own entry there is the user that one is; std has no call for it.
    let Ok(me) = std::fs::metadata("/proc/self") else { return Ok(()) };
    let Ok(folder) = std::fs::metadata(data) else { return Ok(()) };
    if me.uid() != 0 || folder.uid() == 0 {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let arguments = std::env::args_os().skip(1);
    // Setting the user drops root's other groups as well.
    let error = Command::new(&program).args(arguments).uid(folder.uid()).gid(folder.gid()).exec();
    Err(Failed::new(
        Exit::Machine,
        format!(
            "{} belongs to user {}, and going on as that user failed: {error}; make {} executable for it",
            data.display(),
            folder.uid(),
            program.display()
        ),
    ))
}
