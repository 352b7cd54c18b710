//! The only unsafe lines, each with its reason.
#![expect(unsafe_code, reason = "calls into the C library that have no safe form")]

/// A user that a process can run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: u32,
    /// The number of its group; it has no other.
    pub group: u32,
}

/// Must be the first thing in `main`, before any name is resolved and any thread is started.
///
/// A static glibc loads the host's name service modules for every service that
/// `/etc/nsswitch.conf` names, and those of another version kill the process. Pinning the
/// databases to the two that are compiled in keeps look-ups inside the binary.
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

/// The listening socket that was handed in, by systemd or by another process that speaks its
/// protocol (`LISTEN_PID`, `LISTEN_FDS`); `None` where there is none. To be called once.
pub fn handed_in_listener() -> std::io::Result<Option<std::net::TcpListener>> {
    use std::os::fd::{FromRawFd, OwnedFd};
    let Some(number) = sd_notify::listen_fds()?.next() else { return Ok(None) };
    // SAFETY: the protocol says that this descriptor is open and ours, it is taken once, and nothing
    // else in this process knows its number.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    let listener = std::net::TcpListener::from(descriptor);
    // Fails where what was handed in is no such socket, before anything relies on it.
    listener.local_addr()?;
    Ok(Some(listener))
}

/// The name of this machine; empty where it is not known.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Gives memory that is free back to the system: after a rush the C library keeps it, in pieces.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_memory_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> i32;
    }
    // SAFETY: it takes no pointer, locks what it looks at, and may be called from any thread at any time.
    let _ = unsafe { malloc_trim(0) };
}

/// Nothing to give back where the C library does so by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_memory_back() {}

/// Nothing to pin where the C library has no such modules.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn pin_name_services() {}
