//! The command line of cashout.

use std::process::ExitCode;

fn main() -> ExitCode {
    cashout::platform::os::pin_name_services();
    cashout::cli::main(std::env::args_os())
}
