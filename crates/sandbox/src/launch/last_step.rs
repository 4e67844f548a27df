//! The last step before the command: sets what the keeper can't set for itself, and becomes the command.
//!
//! It is only taken where it has to be. A limit on address space would stop the keeper, whose allocator may reserve more
//! than the command is allowed; and without a process namespace the command itself asks to die with its keeper.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Signal};

use crate::layer::limits;

/// What an allowance of `0` on the command line means.
const UNLIMITED: u64 = 0;

/// The arguments for a step that leaves `memory_bytes` of address space.
pub(crate) fn allowance(memory_bytes: Option<u64>) -> OsString {
    memory_bytes.unwrap_or(UNLIMITED).to_string().into()
}

pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let memory = arguments.next().and_then(|text| text.to_str()?.parse::<u64>().ok());
    let (Some(memory), Some(program)) = (memory, arguments.next()) else { return ExitCode::from(3) };
    if let Err(error) = prepare(memory) {
        return tell(&program, &error, 3);
    }
    let error = Command::new(&program).args(arguments).exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    tell(&program, &error, code)
}

fn prepare(memory: u64) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if memory != UNLIMITED {
        limits::set(Resource::As, memory)?;
        limits::set(Resource::Data, memory)?;
    }
    Ok(())
}

fn tell(program: &OsString, error: &std::io::Error, code: u8) -> ExitCode {
    use std::io::Write;
    let _nobody_reads =
        writeln!(std::io::stderr(), "seawall: {} can't be run: {error}", program.to_string_lossy());
    ExitCode::from(code)
}
