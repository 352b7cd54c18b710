//! `cashout serve`: the guard, which holds the listening socket and keeps a worker running.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::output::notice;
use super::serve::at_work_already;
use super::{Exit, Failed, Global, ServeArgs, owner};
use crate::app;
use crate::config::{Config, process_environment};
use crate::sys;
use crate::update::guard::{Ended, Guard, Plan};

/// Where the guard keeps what it has to know, where its worker runs as somebody else.
const STATE_OF_ROOT: &str = "/var/lib/cashout-guard";

pub(super) fn run(global: &Global, arguments: &ServeArgs) -> Result<Exit, Failed> {
    // Its notices are the worker's to tell.
    let config = Config::load(&global.config, process_environment())
        .map_err(|errors| Failed::new(Exit::Usage, errors.to_string()))?;
    let user = owner::worker_user(&global.data);
    app::create_private_folder(&global.data, user)?;
    let state = match (&arguments.guard_state, user) {
        (Some(folder), _) => folder.clone(),
        (None, Some(_)) => PathBuf::from(STATE_OF_ROOT),
        (None, None) => global.data.join("guard"),
    };
    // Before the listening socket: a second service is told what it is, not that a port is taken.
    let _lock = lock(&state, &global.data)?;
    let listener = listener(&config)?;
    let plan = Plan {
        program: std::env::current_exe()?,
        arguments: std::env::args_os().skip(1).collect::<Vec<OsString>>(),
        listener,
        user,
        say: |sentence| notice(&format!("cashout: {sentence}")),
    };
    match Guard::new(plan)?.run()? {
        Ended::Code(code) => match Exit::of_code(code) {
            Some(exit) => Ok(exit),
            None => Err(Failed::new(Exit::Machine, format!("the worker ended with code {code}: this is a defect"))),
        },
        ended @ Ended::Signal(_) => Err(Failed::new(Exit::Machine, format!("the worker {ended}"))),
    }
}

/// One guard at a time. Held until this process ends.
fn lock(state: &Path, data: &Path) -> Result<File, Failed> {
    let unusable = |error: std::io::Error| {
        let state = state.display();
        Failed::new(Exit::Machine, format!("{state} cannot be used ({error}); let this user write to it"))
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(unusable)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(state.join("lock"));
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failed::new(Exit::Busy, at_work_already(data))),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// The socket that was handed in, or one of our own.
fn listener(config: &Config) -> Result<TcpListener, Failed> {
    let handed_in = sys::handed_in_listener().map_err(|error| {
        Failed::new(Exit::Machine, format!("the socket that was handed in cannot be used: {error}"))
    })?;
    if let Some(listener) = handed_in {
        return Ok(listener);
    }
    let address = config.server.listen;
    TcpListener::bind(address).map_err(|error| {
        let kind = error.kind();
        let mend = if kind == ErrorKind::AddrInUse {
            "another program has it; stop that one, or choose another port"
        } else if kind == ErrorKind::PermissionDenied {
            "ports below 1024 need a right of their own; choose another port"
        } else {
            "choose an address that this machine has"
        };
        Failed::new(Exit::Machine, format!("server.listen: {address} cannot be listened on ({error}): {mend}"))
    })
}
