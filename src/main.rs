//! The command line.

fn main() {
    cashout::sys::pin_name_services();
}
