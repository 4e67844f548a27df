//! The keeper: gives up all rights that the confinement does not name, starts the command, and reaps until it ends.
//!
//! Everything that it does after the last layer, the command could do too: it is not trusted by the supervisor. In a
//! process namespace it is the first process, so that its end is everybody's.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, wait};

use crate::confinement::{Confinement, Files};
use crate::family;
use crate::launch::{Stage, last_step};
use crate::layer::{Refusal, capabilities, landlock, limits, mounts, seccomp};
use crate::report::{Ending, Layers};
use crate::wire::{self, Handover, Order, Told};

/// Signals by which the kernel ends a process for what it did: a forbidden call, too much time, too long a file.
const FOR_A_VIOLATION: [Signal; 3] = [Signal::SYS, Signal::XCPU, Signal::XFSZ];

/// What the supervisor leaves to the process that it splits off.
pub(super) struct Keeper {
    pub(super) order: Order,
    pub(super) handover: Handover,
    /// The streams of the command.
    pub(super) streams: [OwnedFd; 3],
    /// To the supervisor.
    pub(super) socket: OwnedFd,
}

impl Keeper {
    /// Keeps the command until it ends. A failure to talk to the supervisor is the end of this process, which is all that it
    /// has to say.
    ///
    /// The caller has let go of everything that is the supervisor's alone.
    pub(super) fn keep(self) -> std::io::Result<()> {
        let Self { order, handover, streams: [stdin, stdout, stderr], socket } = self;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::process::setsid()?;
        family::adopt()?;
        let mut layers = Layers::default();
        let confined = confine(&order.confinement, &handover, &mut layers);
        // Not before the supervisor has put this process where the family's limits hold. Read in any case: a packet left
        // unread would reset the connection, and with it what is said last. Nothing to be read: the supervisor has ended.
        let Some(((), _)) = wire::receive(&socket)? else { return Ok(()) };
        if let Err(Refusal(reason)) = confined {
            return wire::send(&socket, &Told::Refused(reason), &[]);
        }
        // Told before, since the command may end this process before it can tell anything after.
        wire::send(&socket, &Told::Confined(layers), &[])?;
        match command(&order, &handover).stdin(stdin).stdout(stdout).stderr(stderr).spawn() {
            Ok(child) => {
                wire::send(&socket, &Told::Running, &[])?;
                let (ending, violations) = reap_until_ended(child.id())?;
                wire::send(&socket, &Told::Ended { ending, violations }, &[])
            }
            Err(error) => {
                let not_found = error.kind() == std::io::ErrorKind::NotFound;
                let message = format!("{} can't be run: {error}", order.invocation.program.to_string_lossy());
                wire::send(&socket, &Told::NotStarted { not_found, message }, &[])
            }
        }
    }
}

/// Applies the layers, in the only order that works: each takes away what those after it no longer need.
fn confine(confinement: &Confinement, handover: &Handover, layers: &mut Layers) -> Result<(), Refusal> {
    let failed = |what: &'static str| move |error: std::io::Error| Refusal::new(format!("{what}: {error}"));
    let private = mounts::set_up(confinement, handover, layers)?;
    std::env::set_current_dir(&confinement.root)
        .map_err(|error| Refusal::new(format!("{} can't be entered: {error}", confinement.root.display())))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Refusal::new(format!("the keeper can't be closed to others: {error}")))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Refusal::new(format!("no_new_privs can't be set: {error}")))?;
    layers.enforce("no_new_privs");
    limits::apply(&confinement.limits, handover, layers).map_err(failed("limits can't be set"))?;
    landlock::apply(&with_last_step(confinement, handover), &private, handover.own_processes, layers)?;
    if confinement.files != Files::Any || handover.own_processes {
        capabilities::drop_all().map_err(failed("capabilities can't be dropped"))?;
    }
    seccomp::apply(confinement, handover.own_network, layers)
}

/// Whether the command has to be started through a last step of this program.
fn takes_last_step(confinement: &Confinement, handover: &Handover) -> bool {
    let memory_is_open = confinement.limits.memory_bytes.is_some() && !handover.memory_is_bounded;
    memory_is_open || !handover.own_processes
}

/// Where this program has to be run again from inside, it must be readable there.
fn with_last_step(confinement: &Confinement, handover: &Handover) -> Confinement {
    let is_run_again = takes_last_step(confinement, handover);
    let mut confinement = confinement.clone();
    if let Files::Only { readable, .. } = &mut confinement.files
        && is_run_again
    {
        readable.extend(std::env::current_exe());
    }
    confinement
}

fn command(order: &Order, handover: &Handover) -> Command {
    let invocation = &order.invocation;
    let mut command = if takes_last_step(&order.confinement, handover) {
        let memory = order.confinement.limits.memory_bytes.filter(|_| !handover.memory_is_bounded);
        let mut command = Command::new("/proc/self/exe");
        command.arg(Stage::LastStep.argument()).arg(last_step::allowance(memory)).arg(&invocation.program);
        command
    } else {
        Command::new(&invocation.program)
    };
    command.args(&invocation.arguments).env_clear().envs(invocation.environment.iter().cloned());
    // A group of its own: a signal to "my whole group" is not to reach the keeper.
    command.process_group(0);
    command
}

/// Reaps whoever ends until the command does.
fn reap_until_ended(command: u32) -> std::io::Result<(Ending, u64)> {
    let command = i32::try_from(command).ok().and_then(Pid::from_raw);
    let mut violations = 0;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((process, status))) => {
                violations += u64::from(is_violation(status));
                if Some(process) == command
                    && let Some(ending) = ending(status)
                {
                    return Ok((ending, violations));
                }
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_violation(status: WaitStatus) -> bool {
    status
        .terminating_signal()
        .is_some_and(|signal| FOR_A_VIOLATION.iter().any(|violation| violation.as_raw() == signal))
}

fn ending(status: WaitStatus) -> Option<Ending> {
    let code = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    status
        .exit_status()
        .map(|number| Ending::Code(code(number)))
        .or_else(|| status.terminating_signal().map(|number| Ending::Signal(code(number))))
}
