//! The socket of the command line: while the service holds the store, commands work through it.
//!
//! The socket is in the data folder and accessible to its owner alone. A command sends its request as one line of JSON,
//! and receives its progress as lines of JSON; see [`SocketEvent`].

mod client;
mod line;
mod path;
mod protocol;
mod server;

pub use client::ServiceConnection;
pub use path::{SOCKET, connect};
pub use protocol::{CommandFailure, Greeting, PROTOCOL, Request, SocketEvent, SocketRequest, Stop, TroubleKind};
pub use server::{Listening, SocketService};
