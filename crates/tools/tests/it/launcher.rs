//! The sandbox's launcher for the tests of the tools. It does nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    seawall_sandbox::launch_if_asked(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
