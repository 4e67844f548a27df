//! What is to be run: a program, its arguments, its environment and its three streams.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where programs are looked for. The caller's own `PATH` would lead into folders that the command can't read.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to be run in a sandbox, built like a [`std::process::Command`].
///
/// Nothing of the caller's environment reaches it: it gets `PATH`, `HOME`, `LANG` and `TERM`, and what [`env`](Self::env)
/// sets.
#[derive(Debug)]
pub struct Command {
    pub(crate) program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    pub(crate) stdin: Stream,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
}

/// Where a stream of the command goes to or comes from.
#[derive(Debug, Default)]
pub enum Stream {
    /// Where the caller's own goes.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
    /// To the caller, over the [`Child`](crate::Child)'s field of this name.
    Piped,
    /// To this file, pipe or socket.
    Given(OwnedFd),
}

impl Command {
    /// This program: a path, or a name that is looked for in the system's directories.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stdin: Stream::Inherit,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; the last of the same name wins, also over the four that are always there.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Where its input comes from. The default is the caller's own.
    #[must_use]
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = stream;
        self
    }

    /// Where its output goes to. The default is the caller's own.
    #[must_use]
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = stream;
        self
    }

    /// Where its errors go to. The default is the caller's own.
    #[must_use]
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = stream;
        self
    }

    /// The part that the keeper needs.
    pub(crate) fn invocation(&self, root: &Path) -> Invocation {
        let mut environment: Vec<(OsString, OsString)> =
            [("PATH", OsStr::new(SEARCH_PATH)), ("HOME", root.as_os_str()), ("LANG", OsStr::new("C.UTF-8"))]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec();
        environment.push(("TERM".into(), "dumb".into()));
        environment.extend(self.environment.iter().cloned());
        Invocation { program: self.program.clone(), arguments: self.arguments.clone(), environment }
    }
}

/// What the keeper starts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}
