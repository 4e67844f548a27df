//! Starts a command in a sandbox, from the caller's side.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::child::{Child, Pipes};
use crate::command::{Command, Stream};
use crate::confinement::{Confinement, Files};
use crate::launch::Stage;
use crate::report::Layers;
use crate::wire::{self, Order, Told};

/// Where sandboxes start from: a program that calls [`launch_if_asked`](crate::launch_if_asked).
#[derive(Debug, Clone)]
pub struct Sandbox {
    launcher: PathBuf,
}

/// Why a command does not run.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// It can't be held as was asked. Nothing of it has run.
    #[error("{0}")]
    Refused(String),
    /// There is no such program.
    #[error("{0}")]
    NotFound(String),
    /// The program is there and can't be run.
    #[error("{0}")]
    NotExecutable(String),
    /// The launcher could not be started or talked to.
    #[error("the sandbox can't be started: {0}; is the launcher a program that calls launch_if_asked?")]
    Launcher(#[source] io::Error),
}

impl Sandbox {
    /// The running program itself is the launcher.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self::with_launcher(Path::new("/proc/self/exe"))
    }

    /// Another program is the launcher: for a library inside a program that is not ours.
    #[must_use]
    pub fn with_launcher(launcher: &Path) -> Self {
        Self { launcher: launcher.to_owned() }
    }

    /// What this machine can enforce: found by confining a command that does nothing, not by looking at versions.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn probe(&self) -> Result<Layers, SpawnError> {
        let launcher = self.launcher.canonicalize().map_err(SpawnError::Launcher)?;
        let mut confinement = Confinement::of(Path::new("/"));
        let readable = vec![launcher.clone()];
        confinement.files = Files::Only { writable: Vec::new(), readable };
        let command = Command::new(launcher).arg(Stage::Nothing.argument());
        let command = command.stdin(Stream::Null).stdout(Stream::Null).stderr(Stream::Null);
        Ok(self.spawn(confinement, command)?.wait().map_err(SpawnError::Launcher)?.layers)
    }

    /// Starts a command. When this returns, it runs, and is held by what [`Child::layers`] says.
    ///
    /// # Errors
    /// [`SpawnError::Refused`] when the confinement asks for what this kernel can't hold.
    pub fn spawn(&self, confinement: Confinement, command: Command) -> Result<Child, SpawnError> {
        let invocation = command.invocation(&confinement.root);
        let caller = rustix::process::getpid().as_raw_nonzero().get();
        let mut order = Order { confinement, invocation, caller, namespaces_failed: None };
        let (pipes, streams) = streams(command).map_err(SpawnError::Launcher)?;
        let mut first = self.launch(&order, &streams)?;
        // A system may let a user namespace be made and nothing be done in it, which only shows when it is too late.
        if let Told::NamespacesFailed(reason) = first.told {
            order.namespaces_failed = Some(reason);
            first = self.launch(&order, &streams)?;
        }
        match first.told {
            Told::Started(layers) => Ok(Child::new(first.supervisor, first.socket, layers, pipes)),
            Told::Refused(reason) | Told::NamespacesFailed(reason) => Err(SpawnError::Refused(reason)),
            Told::NotStarted { not_found: true, message } => Err(SpawnError::NotFound(message)),
            Told::NotStarted { not_found: false, message } => Err(SpawnError::NotExecutable(message)),
            Told::Confined(_) | Told::Running | Told::Ended { .. } | Told::Done(_) => {
                Err(SpawnError::Refused("the command was ended before it ran".to_owned()))
            }
        }
    }

    fn launch(&self, order: &Order, streams: &[OwnedFd; 3]) -> Result<Launched, SpawnError> {
        self.try_launch(order, streams).map_err(SpawnError::Launcher)
    }

    fn try_launch(&self, order: &Order, [stdin, stdout, stderr]: &[OwnedFd; 3]) -> io::Result<Launched> {
        let (socket, supervisors) = wire::pair()?;
        let file = wire::write_order(order)?;
        let mut supervisor = std::process::Command::new(&self.launcher)
            .arg(Stage::Supervisor.argument())
            .env_clear()
            .stdin(supervisors)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        wire::send(&socket, &(), &[file.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        let Some((told, _)) = wire::receive(&socket)? else {
            supervisor.wait()?;
            return Err(io::Error::other("the supervisor ended without a word"));
        };
        if !matches!(told, Told::Started(_)) {
            supervisor.wait()?;
        }
        Ok(Launched { supervisor, socket, told })
    }
}

/// A supervisor and the first thing that it said.
struct Launched {
    supervisor: std::process::Child,
    socket: OwnedFd,
    told: Told,
}

/// The streams of the command, and our ends of those that are piped.
fn streams(command: Command) -> io::Result<(Pipes, [OwnedFd; 3])> {
    let mut pipes = Pipes::default();
    let stdin = match command.stdin {
        Stream::Piped => {
            let (reader, writer) = io::pipe()?;
            pipes.stdin = Some(writer);
            reader.into()
        }
        other => plain(other, io::stdin())?,
    };
    let stdout = output(command.stdout, io::stdout(), &mut pipes.stdout)?;
    let stderr = output(command.stderr, io::stderr(), &mut pipes.stderr)?;
    Ok((pipes, [stdin, stdout, stderr]))
}

fn output(stream: Stream, inherited: impl AsFd, ours: &mut Option<io::PipeReader>) -> io::Result<OwnedFd> {
    if !matches!(stream, Stream::Piped) {
        return plain(stream, inherited);
    }
    let (reader, writer) = io::pipe()?;
    *ours = Some(reader);
    Ok(writer.into())
}

fn plain(stream: Stream, inherited: impl AsFd) -> io::Result<OwnedFd> {
    match stream {
        Stream::Inherit => inherited.as_fd().try_clone_to_owned(),
        Stream::Given(descriptor) => Ok(descriptor),
        Stream::Null | Stream::Piped => Ok(File::options().read(true).write(true).open("/dev/null")?.into()),
    }
}
