//! Tools that run in a process of their own, which the kernel confines as the policy says.

use std::io::{self, Read, Write};

use seawall_sandbox::{Child, Command, Report, Sandbox, Stream};

use crate::confinement::{self, Granted};
use crate::{Admitted, Error};

/// So much of what a tool says about its failure is kept.
const MOST_ERRORS: u64 = 64 * 1024;
/// So much output is taken where the policy sets no limit.
const MOST_OUTPUT: u64 = 256 << 20;

/// What an isolated tool gave.
#[derive(Debug)]
pub struct Isolated {
    /// What it wrote to its output.
    pub output: Vec<u8>,
    /// What it wrote to its errors, as far as that is kept.
    pub errors: Vec<u8>,
    /// Whether it wrote more than it may; it was ended then, and `output` is cut.
    pub cut: bool,
    /// How it ended, and what held it.
    pub report: Report,
}

impl Admitted {
    /// Runs a command in a sandbox that holds what the run's policy says, in the run's folder: `input` goes to its
    /// standard input, its output comes back. It ends with everything that it started, at the latest when the
    /// [time](Self::time_limit) is up.
    ///
    /// `launcher` is [`Sandbox::of_this_program`] where `main` calls `seawall_sandbox::launch_if_asked`, else another
    /// program that does.
    ///
    /// # Errors
    /// [`Error::Config`] when it can't be run, or can't be held as the policy says.
    pub fn run_isolated(
        &self,
        launcher: &Sandbox,
        granted: &Granted,
        command: Command,
        input: &[u8],
    ) -> Result<Isolated, Error> {
        let run = &self.open.run;
        let mut confinement = confinement::of(run.policy(), run.sandbox(), granted).map_err(Error::config)?;
        confinement.limits.wall_time = self.time_limit().or(confinement.limits.wall_time);
        let most = run.policy().limits.output_bytes.unwrap_or(MOST_OUTPUT);
        let command = command.stdin(Stream::Piped).stdout(Stream::Piped).stderr(Stream::Piped);
        let child = launcher.spawn(confinement, command).map_err(Error::config)?;
        exchange(child, input, most).map_err(Error::config)
    }
}

/// Feeds and reads a child at the same time, so that neither waits for the other's full pipe.
fn exchange(mut child: Child, input: &[u8], most: u64) -> io::Result<Isolated> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (output, errors) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A tool that does not want its input closes it.
            let _closed = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let errors = scope.spawn(move || read(stderr, MOST_ERRORS, || ()));
        let output = read(stdout, most, || child.kill_family());
        (output, errors.join().unwrap_or_else(|_panicked| Ok((Vec::new(), true))))
    });
    let ((output, cut), (errors, _)) = (output?, errors?);
    Ok(Isolated { output, errors, cut, report: child.wait()? })
}

/// Everything that comes, of which `most` bytes are kept; the rest is read away after `too_much` was told.
fn read(pipe: Option<impl Read>, most: u64, too_much: impl FnOnce()) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return Ok((kept, false)) };
    pipe.by_ref().take(most).read_to_end(&mut kept)?;
    let mut one_more = [0];
    if pipe.read(&mut one_more)? == 0 {
        return Ok((kept, false));
    }
    too_much();
    io::copy(&mut pipe, &mut io::sink())?;
    Ok((kept, true))
}
