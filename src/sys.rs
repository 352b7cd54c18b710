//! The only unsafe lines, each with its reason.
#![expect(unsafe_code, reason = "calls into the C library that have no safe form")]

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

/// Nothing to pin where the C library has no such modules.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn pin_name_services() {}
