//! The stages of a launch: the same program, started again with a hidden argument. Each stage is a file.
//!
//! The keeper is none that is asked for: it is what the supervisor splits off of itself.

mod keeper;
mod last_step;
mod supervisor;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// A stage, by the argument that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Outside of the confinement: watches, and ends the family.
    Supervisor,
    /// Sets what only the command itself may have, and becomes it.
    LastStep,
    /// Does nothing: what a probe runs.
    Nothing,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Supervisor, Self::LastStep, Self::Nothing];

    pub(crate) fn argument(self) -> &'static OsStr {
        OsStr::new(match self {
            Self::Supervisor => "--seawall-sandbox-supervisor",
            Self::LastStep => "--seawall-sandbox-last-step",
            Self::Nothing => "--seawall-sandbox-nothing",
        })
    }
}

/// Takes this process over when it was started as a stage of a launch.
///
/// To be called first thing in `main`, with the process's arguments, before any thread is started or file opened: a stage
/// closes every descriptor that it did not expect. `None` means that the program is to go on as ever.
pub fn launch_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let first = arguments.next()?;
    let stage = Stage::ALL.into_iter().find(|stage| stage.argument() == first)?;
    Some(match stage {
        Stage::Supervisor => supervisor::run(),
        Stage::LastStep => last_step::run(arguments),
        Stage::Nothing => ExitCode::SUCCESS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> bool {
        launch_if_asked(arguments.iter().map(OsString::from)).is_some()
    }

    #[test]
    fn an_ordinary_command_line_is_left_alone() {
        assert!(!asked(&[]));
        assert!(!asked(&["seawall"]));
        assert!(!asked(&["seawall", "exec", "--seawall-sandbox-nothing"]));
        assert!(asked(&["seawall", "--seawall-sandbox-nothing"]));
    }
}
