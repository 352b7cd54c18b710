//! The only unsafe lines, each with its reason.
#![expect(unsafe_code, reason = "calls into the C library that have no safe form")]

/// A user that a process can run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: u32,
    /// Number of its only group.
    pub group: u32,
}

/// Restricts look-ups of names to the services that are compiled in. Must be the first call in `main`, before any name
/// is resolved and any thread is started.
///
/// A static glibc loads the host's name service modules for every service that `/etc/nsswitch.conf` names, and modules
/// of another version kill the process. Pinning the databases to the two compiled-in services keeps look-ups inside the
/// binary.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn pin_name_services() {
    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const std::ffi::c_char, services: *const std::ffi::c_char) -> i32;
    }
    for (database, services) in
        [(c"hosts", c"files dns"), (c"passwd", c"files"), (c"group", c"files"), (c"services", c"files")]
    {
        // SAFETY: both pointers are to NUL-terminated texts that live for the whole program, glibc
        // copies what it keeps, and no other thread exists yet. A failure leaves the default.
        let _ = unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
    }
}

/// Returns the listening socket that was handed in, by systemd or by another process with its protocol (`LISTEN_PID`,
/// `LISTEN_FDS`); `None` if there is none. To be called once.
pub fn handed_in_listener() -> std::io::Result<Option<std::net::TcpListener>> {
    use std::os::fd::{FromRawFd, OwnedFd};
    let Some(number) = sd_notify::listen_fds()?.next() else { return Ok(None) };
    // SAFETY: the protocol guarantees that this descriptor is open and ours, it is taken once, and nothing else in this
    // process knows its number.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    let listener = std::net::TcpListener::from(descriptor);
    // Fails if the descriptor is not a listening socket, before anything relies on it.
    listener.local_addr()?;
    Ok(Some(listener))
}

/// Returns the name of this machine; empty if it is unknown.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns free memory to the system: after a peak the C library keeps it, in pieces.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn return_free_memory() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> i32;
    }
    // SAFETY: the function takes no pointer, locks what it inspects, and may be called from any thread at any time.
    let _ = unsafe { malloc_trim(0) };
}

/// Does nothing: this C library returns memory by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_free_memory() {}

/// Does nothing: this C library has no such modules.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn pin_name_services() {}
