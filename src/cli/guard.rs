//! `cashout serve`: the guard, which holds the listening socket and keeps a worker running.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::{notice, warning};
use super::serve::second_service_message;
use super::{Exit, Failed, Global, RecoverArgs, ServeArgs, demo, owner};
use crate::admin::{setup, wiring};
use crate::config::{Config, open_file, process_environment};
use crate::platform::fs::existing;
use crate::platform::os::{self, User};
use crate::platform::testing::{InjectedFault, has_fault};
use crate::update::guard::{Guard, Handover, Plan, SettingsFile, WorkerEnd, is_under_way, rehearse, rescue};

/// Folder of the guard's state if its worker runs as another user.
const STATE_OF_ROOT: &str = "/var/lib/cashout-guard";

pub(super) fn run(global: &Global, arguments: &ServeArgs) -> Result<Exit, Failed> {
    let ended = serve(global, arguments);
    let exit = ended.as_ref().map_or_else(|failed| failed.exit, |exit| *exit);
    // The service manager does not restart a service that refuses its settings.
    let by_manager = std::env::var_os("NOTIFY_SOCKET").is_some();
    if !by_manager || exit != Exit::Usage {
        return ended;
    }
    let state = state_folder(arguments.guard_state.as_ref(), owner::worker_user(&global.data), &global.data);
    // A worker may refuse files next to the settings: a certificate that is being renewed, a volume that is
    // mounted late. And a restart undoes a new release.
    if ended.is_err() && existing(fs::read(&global.config)).is_ok() && !is_under_way(&state) {
        return ended;
    }
    ended.map(|_| Exit::Machine).map_err(|failed| Failed { exit: Exit::Machine, ..failed })
}

fn serve(global: &Global, arguments: &ServeArgs) -> Result<Exit, Failed> {
    if has_fault(InjectedFault::GuardExits) {
        std::process::exit(7);
    }
    if let Some(folder) = &arguments.demo {
        demo::prepare_guard(folder)?;
    }
    let (mut handover, mut sockets) = (None, Sockets { handed_in: None, kept: None });
    if arguments.taking_over {
        handover = Some(Handover::take()?);
    } else {
        let unusable = |error| format!("the socket that was handed in cannot be used: {error}");
        sockets.handed_in = os::handed_in_listener().map_err(|error| Failed::new(Exit::Machine, unusable(error)))?;
    }
    loop {
        match guard(global, arguments, handover.take(), &mut sockets)? {
            // Starts again with the current settings.
            WorkerEnd::SetUp => {}
            ended @ WorkerEnd::Signal(_) => return Err(Failed::new(Exit::Machine, format!("the worker {ended}"))),
            WorkerEnd::Code(code) => {
                let defect = || format!("the worker ended with code {code}: this is a defect");
                return Exit::of_code(code).ok_or_else(|| Failed::new(Exit::Machine, defect()));
            }
        }
    }
}

/// Guards until the service ends, or until settings exist that were missing before.
fn guard(
    global: &Global,
    arguments: &ServeArgs,
    mut handover: Option<Handover>,
    sockets: &mut Sockets,
) -> Result<WorkerEnd, Failed> {
    let user = owner::worker_user(&global.data);
    let mut settings_file = user.map(|user| settings_file(&global.config, user, false)).transpose()?;
    let opened = || settings_file.as_ref().map_or_else(|| open_file(&global.config), SettingsFile::file);
    // The worker reports its notices.
    let loaded = Config::load_opened(&global.config, opened(), process_environment());
    let setting_up = loaded.as_ref().is_err_and(|errors| setup::is_wanted(errors, &global.data));
    let listen = if setting_up {
        setup::address(&global.config, opened(), process_environment())
    } else {
        loaded.map(|config| config.server.listen)
    };
    let listen = listen.map_err(|errors| Failed::new(Exit::Usage, errors.to_string()))?;
    if let Some(user) = user.filter(|_| setting_up) {
        // The settings file that a first run writes at its end needs a folder.
        settings_file = Some(self::settings_file(&global.config, user, true)?);
    }
    wiring::create_private_folder(&global.data, user)?;
    let state = state_folder(arguments.guard_state.as_ref(), user, &global.data);
    // Locked before the listening socket is opened: a second service gets a clear error instead of a taken port.
    let (lock, listener) = if let Some(handover) = &mut handover {
        (File::from(handover.file()?), TcpListener::from(handover.file()?))
    } else {
        (lock(&state, &global.data)?, sockets.listener(listen)?)
    };
    let plan = Plan {
        program: program(arguments.taking_over)?,
        arguments: std::env::args_os().skip(1).filter(|argument| argument != "--taking-over").collect(),
        settings: [global.config.clone(), global.data.clone()],
        settings_file,
        state,
        lock,
        listener,
        user,
        ready: Duration::from_secs(arguments.ready_seconds.into()),
        trial: Duration::from_secs(arguments.trial_seconds.into()),
        setting_up,
        say: |sentence| warning("guard", sentence),
    };
    Ok(Guard::new(plan, handover.is_some())?.run(handover)?)
}

/// Opens the settings file of a worker that runs as `user`; creates its folder if `makes` is set.
fn settings_file(config: &Path, user: User, makes: bool) -> Result<SettingsFile, Failed> {
    SettingsFile::open(config, user, makes)
        .map_err(|error| Failed::new(Exit::Usage, format!("the configuration cannot be opened: {error}")))
}

/// The sources of a guard's listening socket.
struct Sockets {
    /// Socket opened by the process that started this one.
    handed_in: Option<TcpListener>,
    /// Socket of a first run, and its address as requested: the service answers clients that wait on it.
    kept: Option<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// Returns the socket that was handed in, otherwise one at this address.
    fn listener(&mut self, address: SocketAddr) -> Result<TcpListener, Failed> {
        if let Some(socket) = &self.handed_in {
            return Ok(socket.try_clone()?);
        }
        if let Some((at, socket)) = self.kept.take()
            && at == address
        {
            return Ok(socket);
        }
        let socket = bind(address, "server.listen")?;
        self.kept = Some((address, socket.try_clone()?));
        Ok(socket)
    }
}

/// Returns the guard's own folder: the named one, root's if the worker is another user, otherwise one in the
/// data folder.
pub(super) fn state_folder(named: Option<&PathBuf>, user: Option<User>, data: &Path) -> PathBuf {
    match (named, user) {
        (Some(folder), _) => folder.clone(),
        (None, Some(_)) => PathBuf::from(STATE_OF_ROOT),
        (None, None) => data.join("guard"),
    }
}

/// Returns the path of this binary. After an exchange the kernel's name for the running binary is useless, so a
/// guard that takes over is started by its path.
fn program(taking_over: bool) -> Result<PathBuf, Failed> {
    match std::env::args_os().next().map(PathBuf::from) {
        Some(path) if taking_over => Ok(path),
        told => Ok(std::env::current_exe().or_else(|error| {
            // Without /proc, use the path that it was started by.
            told.filter(|path| path.is_absolute() && path.is_file()).ok_or(error)
        })?),
    }
}

/// Runs `cashout guard-recover`, which the service manager starts from the previous binary before each start.
pub(super) fn recover(global: &Global, arguments: &RecoverArgs) -> Result<Exit, Failed> {
    let user = owner::worker_user(&global.data);
    let state = state_folder(arguments.guard_state.as_ref(), user, &global.data);
    if !arguments.rehearse && !state.is_dir() {
        return Ok(Exit::Done);
    }
    let _lock = lock(&state, &global.data)?;
    if arguments.rehearse {
        // Tests the machine's part of a guard's start, without a worker.
        rehearse(&state)?;
    } else if let Some(done) = rescue(&program(false)?, &state)? {
        notice(&format!("cashout: {done}"));
    }
    Ok(Exit::Done)
}

/// Takes the lock that allows one guard at a time. It is held until this process ends.
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
        Err(TryLockError::WouldBlock) => Err(Failed::new(Exit::Busy, second_service_message(data))),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Opens a listening socket; `named` is the setting or option with the address.
pub(super) fn bind(address: SocketAddr, named: &str) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).map_err(|error| {
        let kind = error.kind();
        let mend = if kind == ErrorKind::AddrInUse {
            "another program uses it; stop that program, or choose another port"
        } else if kind == ErrorKind::PermissionDenied {
            "a port below 1024 needs a special right: run the installer again, which grants it to the service, or choose another port"
        } else {
            "choose an address that this machine has"
        };
        Failed::new(Exit::Machine, format!("{named}: {address} cannot be listened on ({error}): {mend}"))
    })
}
