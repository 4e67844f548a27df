//! A command that runs in a sandbox, as its caller sees it.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

use rustix::net::Shutdown;

use crate::report::{Layers, Report};
use crate::wire::{self, Told};

/// A command in a sandbox. Dropping it ends the whole family.
#[derive(Debug)]
pub struct Child {
    /// Its input, when that is [`Stream::Piped`](crate::Stream::Piped).
    pub stdin: Option<PipeWriter>,
    /// Its output, when that is piped.
    pub stdout: Option<PipeReader>,
    /// Its errors, when they are piped.
    pub stderr: Option<PipeReader>,
    layers: Layers,
    socket: OwnedFd,
    supervisor: std::process::Child,
}

/// Our ends of the pipes.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
}

/// Ends a family from elsewhere than where it is waited for.
#[derive(Debug)]
pub struct Ender(OwnedFd);

impl Ender {
    /// As [`Child::kill_family`].
    pub fn kill_family(&self) {
        end(&self.0);
    }
}

/// The supervisor takes the end of our side for the wish; one that is gone has nobody to end.
fn end(socket: &OwnedFd) {
    let _gone = rustix::net::shutdown(socket, Shutdown::Write);
}

/// The supervisor is gone without a report: somebody ended it.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's supervisor was ended, so nothing is known of the command")]
pub struct Lost;

impl Child {
    pub(crate) fn new(
        supervisor: std::process::Child,
        socket: OwnedFd,
        layers: Layers,
        pipes: Pipes,
    ) -> Self {
        let Pipes { stdin, stdout, stderr } = pipes;
        Self { stdin, stdout, stderr, layers, socket, supervisor }
    }

    /// What holds the command.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The process that watches the family.
    #[must_use]
    pub fn supervisor_id(&self) -> u32 {
        self.supervisor.id()
    }

    /// Ends the command and everything that it started. Returns at once; [`wait`](Self::wait) tells when it is done.
    pub fn kill_family(&self) {
        end(&self.socket);
    }

    /// What ends the command while somebody [waits](Self::wait) for it.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn ender(&self) -> std::io::Result<Ender> {
        Ok(Ender(self.socket.try_clone()?))
    }

    /// Waits until the command has ended and nothing is left of its family. Our end of its input is closed first.
    ///
    /// # Errors
    /// [`Lost`] (inside an [`std::io::Error`]) when the supervisor was ended by somebody else.
    pub fn wait(mut self) -> std::io::Result<Report> {
        drop(self.stdin.take());
        let told = wire::receive(&self.socket)?;
        self.supervisor.wait()?;
        match told {
            Some((Told::Done(report), _)) => Ok(report),
            _ => Err(std::io::Error::other(Lost)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_family();
        // After `wait` this answers at once; else it lasts until the family has been ended.
        let _gone = self.supervisor.wait();
    }
}
