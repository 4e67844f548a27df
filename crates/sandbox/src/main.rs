//! The launcher by itself, for programs that can't call [`seawall_sandbox::launch_if_asked`] in a `main` of their own, such
//! as an interpreter with our library in it. Started by hand it runs one command in the usual confinement:
//! `seawall-sandbox ROOT PROGRAM [ARGUMENT]…`. Policies, limits and reports are `seawall exec`'s.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use seawall_sandbox::{Command, Confinement, Sandbox, SpawnError};

fn main() -> ExitCode {
    if let Some(code) = seawall_sandbox::launch_if_asked(std::env::args_os()) {
        return code;
    }
    let mut arguments = std::env::args_os().skip(1);
    let (Some(root), Some(program)) = (arguments.next(), arguments.next()) else {
        return tell("usage: seawall-sandbox ROOT PROGRAM [ARGUMENT]...", 2);
    };
    let command = Command::new(program).args(arguments);
    let child = match Sandbox::of_this_program().spawn(Confinement::of(Path::new(&root)), command) {
        Ok(child) => child,
        Err(SpawnError::NotFound(message)) => return tell(&message, 127),
        Err(SpawnError::NotExecutable(message)) => return tell(&message, 126),
        Err(error) => return tell(&error.to_string(), 3),
    };
    match child.wait() {
        Ok(report) => ExitCode::from(report.ending.exit_code()),
        Err(error) => tell(&error.to_string(), 1),
    }
}

fn tell(message: &str, code: u8) -> ExitCode {
    let _nobody_reads = writeln!(std::io::stderr(), "seawall-sandbox: {message}");
    ExitCode::from(code)
}
