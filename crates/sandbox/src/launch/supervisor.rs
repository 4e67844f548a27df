//! The supervisor: outside of the confinement, between the caller and the keeper. It makes what takes rights to be made
//! (namespaces, a cgroup), waits for whatever comes first (the command's end, the caller's end or wish, the end of the
//! time), ends the whole family and counts who is left.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getppid, kill_process, pidfd_open};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::family;
use crate::launch::keeper::Keeper;
use crate::layer::cgroup::Cgroup;
use crate::layer::{descriptors, namespaces};
use crate::report::{Ending, Layers, Report};
use crate::wire::{self, Handover, Order, Told};

pub(crate) fn run() -> ExitCode {
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => {
            // The caller sees the socket close; what it must not see is somebody left alive.
            family::end();
            ExitCode::FAILURE
        }
    }
}

fn supervise() -> std::io::Result<()> {
    descriptors::close_all_but_streams()?;
    rustix::process::setsid()?;
    family::adopt()?;
    let caller = std::io::stdin().as_fd().try_clone_to_owned()?;
    let Some(((), descriptors)) = wire::receive(&caller)? else { return Ok(()) };
    let Ok([order_file, streams @ ..]) = <[OwnedFd; wire::DESCRIPTORS]>::try_from(descriptors) else {
        return Ok(());
    };
    let order = wire::read_order(order_file)?;
    let Some(caller_process) = caller_process(&order)? else { return Ok(()) };
    let mut family = match Family::start(&order) {
        Ok(Split::Supervisor(family)) => family,
        Ok(Split::Keeper { handover, socket }) => {
            // The keeper must not hold the caller's socket, whose end tells the caller that nobody watches any more.
            drop((caller, caller_process));
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            return Keeper { order, handover, streams, socket }.keep();
        }
        Err(told) => return wire::send(&caller, &told, &[]),
    };
    drop(streams);
    // Whatever goes wrong while watching, the family ends as if the caller had gone.
    let outcome = family.watch(&caller, &caller_process, &order).unwrap_or(Outcome::UNWATCHED);
    let told = match outcome {
        Outcome::NeverRan(told) => {
            family::end();
            told
        }
        Outcome::Ended { ending, violations, timed_out } => {
            Told::Done(family.finish(ending, violations, timed_out))
        }
    };
    wire::send(&caller, &told, &[])
}

/// A descriptor that tells the caller's end, also when others hold its end of the socket. `None`: it has ended already.
fn caller_process(order: &Order) -> std::io::Result<Option<OwnedFd>> {
    let Some(process) = Pid::from_raw(order.caller).filter(|&process| getppid() == Some(process)) else {
        return Ok(None);
    };
    Ok(Some(pidfd_open(process, PidfdFlags::empty())?))
}

/// Why watching ended.
enum Outcome {
    NeverRan(Told),
    Ended { ending: Option<Ending>, violations: u64, timed_out: bool },
}

impl Outcome {
    const UNWATCHED: Self = Self::Ended { ending: None, violations: 0, timed_out: false };
}

/// What the keeper has told so far.
#[derive(Default)]
struct Seen {
    confined: bool,
    running: bool,
    ending: Option<Ending>,
    violations: u64,
}

impl Seen {
    fn outcome(&self, timed_out: bool) -> Outcome {
        Outcome::Ended { ending: self.ending, violations: self.violations, timed_out }
    }
}

/// The keeper and what it was given.
struct Family {
    keeper: Pid,
    /// Tells that the keeper is gone, with all that it kept.
    keeper_process: OwnedFd,
    socket: OwnedFd,
    cgroup: Option<Cgroup>,
    layers: Layers,
}

/// Which of the two processes this is, and what is its.
enum Split {
    Supervisor(Family),
    Keeper { handover: Handover, socket: OwnedFd },
}

impl Family {
    fn start(order: &Order) -> Result<Split, Told> {
        let refused = |what: &str, error: std::io::Error| Told::Refused(format!("{what}: {error}"));
        let mut layers = Layers::default();
        layers.enforce("session");
        // Before the namespaces, in which the folders of cgroups may belong to nobody.
        let mut bounded = Handover::default();
        let cgroup = Cgroup::make(&order.confinement, &mut layers, &mut bounded);
        let handover = namespaces::enter(&order.confinement, order.namespaces_failed.as_deref(), &mut layers)
            .map_err(|error| Told::NamespacesFailed(error.to_string()))?;
        let handover = Handover {
            memory_is_bounded: bounded.memory_is_bounded,
            processes_are_bounded: bounded.processes_are_bounded,
            ..handover
        };
        let (socket, keepers) = wire::pair().map_err(|error| refused("no socket can be made", error))?;
        // There is one thread, and no lock that could be held by another. To start the program anew would cost more than
        // all layers together.
        let keeper = match fork::fork().map_err(|error| refused("the keeper can't be started", error))? {
            fork::Fork::Parent(keeper) => keeper,
            fork::Fork::Child => {
                // It is the supervisor's to remove.
                std::mem::forget(cgroup);
                return Ok(Split::Keeper { handover, socket: keepers });
            }
        };
        drop(keepers);
        let lost = |error| refused("the keeper can't be watched", error);
        let keeper = Pid::from_raw(keeper).ok_or_else(|| lost(std::io::Error::other("it has no number")))?;
        let keeper_process =
            pidfd_open(keeper, PidfdFlags::empty()).map_err(|error| lost(std::io::Error::from(error)))?;
        // Moving a process between cgroups makes the kernel wait for milliseconds; the keeper confines itself meanwhile.
        if let Some(cgroup) = &cgroup {
            cgroup.take(keeper).map_err(|error| refused("the cgroup can't be entered", error))?;
        }
        wire::send(&socket, &(), &[]).map_err(|error| refused("the keeper can't be told", error))?;
        Ok(Split::Supervisor(Self { keeper, keeper_process, socket, cgroup, layers }))
    }

    /// Waits for whatever ends the family first.
    fn watch(
        &mut self,
        caller: &OwnedFd,
        caller_process: &OwnedFd,
        order: &Order,
    ) -> std::io::Result<Outcome> {
        let timer = timer(order)?;
        let mut seen = Seen::default();
        loop {
            let [caller_is_gone, caller_speaks, keeper_speaks, time_is_up] =
                wait_for([caller_process, caller, &self.socket, &timer])?;
            if keeper_speaks {
                match wire::receive(&self.socket)? {
                    Some((told, _)) => {
                        if let Some(never_ran) = self.hear(told, &mut seen, caller)? {
                            return Ok(Outcome::NeverRan(never_ran));
                        }
                    }
                    None => {
                        if seen.confined && !seen.running {
                            // The command was quicker than its keeper, and ended it.
                            wire::send(caller, &Told::Started(self.layers.clone()), &[])?;
                        }
                        return Ok(seen.outcome(false));
                    }
                }
            } else if time_is_up || caller_is_gone || caller_speaks {
                // Whatever the caller says, and its silence for good, means the same: end it.
                return Ok(seen.outcome(time_is_up));
            }
        }
    }

    /// Takes in what the keeper says; gives back what it says when nothing of the command ran.
    fn hear(&mut self, told: Told, seen: &mut Seen, caller: &OwnedFd) -> std::io::Result<Option<Told>> {
        match told {
            Told::Confined(layers) => {
                self.layers.add(layers);
                seen.confined = true;
            }
            Told::Running => {
                seen.running = true;
                wire::send(caller, &Told::Started(self.layers.clone()), &[])?;
            }
            Told::Ended { ending, violations } => {
                seen.ending = Some(ending);
                seen.violations = violations;
            }
            never_ran => return Ok(Some(never_ran)),
        }
        Ok(None)
    }

    fn finish(&mut self, ending: Option<Ending>, violations: u64, timed_out: bool) -> Report {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        // First the keeper: with it the kernel ends the whole process namespace.
        let _ended_already = kill_process(self.keeper, Signal::KILL);
        family::wait_for_end(&self.keeper_process);
        let survivors = family::end();
        let refused = self.cgroup.as_ref().map_or(0, Cgroup::violations);
        Report {
            ending: ending.unwrap_or(Ending::Signal(KILLED)),
            timed_out,
            layers: std::mem::take(&mut self.layers),
            violations: violations.saturating_add(refused),
            survivors,
        }
    }
}

/// The number of SIGKILL, by which a family ends that did not end by itself.
const KILLED: u8 = 9;

/// A timer of the kernel, which no step of a clock moves; never set without a limit.
fn timer(order: &Order) -> std::io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    if let Some(time) = order.confinement.limits.wall_time {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        // A value of nothing would mean "never".
        let nanoseconds = i64::from(time.subsec_nanos()).max(i64::from(seconds == 0));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value =
            Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: seconds, tv_nsec: nanoseconds } };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &value)?;
    }
    Ok(timer)
}

/// Waits until something happens on one of these, and tells on which.
fn wait_for<const N: usize>(descriptors: [&OwnedFd; N]) -> std::io::Result<[bool; N]> {
    let mut polled = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::IN));
    rustix::io::retry_on_intr(|| poll(&mut polled, None))?;
    Ok(polled.map(|descriptor| !descriptor.revents().is_empty()))
}
