//! Third-party servers, as Debian packages them, for the tests that need a real one.

use std::process::{Child, Command, Stdio};

use crate::world::own_address;

/// A third-party server that ends with the test.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(program: &str, arguments: &[String]) -> Self {
        let quiet = Stdio::null;
        Self(Command::new(program).args(arguments).stdout(quiet()).stderr(quiet()).spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a free port of [`own_address`].
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind((own_address(), 0)).unwrap().local_addr().unwrap().port()
}
