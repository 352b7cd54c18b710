//! The socket of the command line: while the service has the store, commands work through it.
//!
//! It lies in the data folder and belongs to its owner alone. A command says in one line of JSON what
//! it wants, and hears in lines of JSON how far it is; see [`Event`].

mod client;
mod line;
mod place;
mod protocol;
mod server;

pub use client::Connection;
pub use place::{SOCKET, connect};
pub use protocol::{Ask, Event, Greeting, PROTOCOL, Request, Stop, Trouble, TroubleKind};
pub use server::{Listening, Service};
