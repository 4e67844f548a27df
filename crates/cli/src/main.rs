//! The `seawall` binary: the command line, and the only place where everything is put together.
//!
//! Each command is a file of [`commands`]; [`boot`] puts a server together. What goes to stdout goes through [`output`].

mod args;
mod boot;
mod client;
mod commands;
mod exit;
mod litellm;
mod logging;
mod otlp;
mod output;
mod policy;
mod settings;
mod webhook;

use std::process::ExitCode;

use clap::Parser;
use seawall_config::Environment;

use crate::args::Cli;

// Measured against the system's allocator under the gateway's load; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `seawall exec` starts this program again, as what stands between it and the command.
    if let Some(code) = seawall_sandbox::launch_if_asked(std::env::args_os()) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _reader_gone = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    // TLS picks its cryptography once for the process; a second call changes nothing.
    let _installed_already = rustls::crypto::ring::default_provider().install_default();
    match commands::run(cli, &Environment::capture()) {
        Ok(code) => code,
        Err(failure) => {
            output::say(format!("seawall: {failure}"));
            failure.code()
        }
    }
}
