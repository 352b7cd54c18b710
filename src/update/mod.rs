//! The appliance in two processes of one binary, and how one release makes way for the next.
//!
//! The **guard** holds the listening socket, starts the **worker** and supervises it; it is the only
//! one that touches the executable. The worker is everything else. The two talk over a private pair of
//! sockets ([`channel`]).

pub mod channel;
pub mod duty;
pub mod guard;
pub mod story;
pub mod worker;
