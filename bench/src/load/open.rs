//! Open load: a request at every tick of a clock, whatever the answers do. Latency counts from the tick, so a server that
//! stalls is charged for the requests that came meanwhile, as its users would (no coordinated omission).

use super::connection::{Failure, Progress};
use super::fleet::{Fleet, Wake};
use super::report::{Beginning, Measured, Tally, Used, nanos};
use super::{Plan, Report};
use crate::stamp;

/// Runs open load of so many requests a second. Connections are reused when they are free, the one used last first, and
/// opened when none is.
///
/// # Errors
/// When the server can't be reached, does nothing but fail, or sockets fail.
pub fn open(plan: &Plan, per_second: u32) -> anyhow::Result<Report> {
    let mut run = Run::new(plan, per_second.max(1))?;
    run.go()?;
    let took = nanos(plan.counted);
    Ok(Report::new(run.tally, run.measured, run.used, took))
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    due: u64,
    sent: u64,
}

struct Run<'a> {
    plan: &'a Plan,
    fleet: Fleet<'a>,
    interval: u64,
    began: u64,
    /// Ticks so far.
    ticks: u64,
    under_way: Vec<Option<Sent>>,
    /// Places whose connections have nothing to do.
    free: Vec<usize>,
    busy: u64,
    tally: Tally,
    measured: Measured,
    used: Used,
    counting: bool,
    beginning: Beginning,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, per_second: u32) -> anyhow::Result<Self> {
        let fleet = Fleet::new(plan.target, &plan.request)?;
        let interval = std::time::Duration::from_secs(1) / per_second;
        fleet.tick_every(interval)?;
        Ok(Self {
            plan,
            fleet,
            interval: nanos(interval),
            began: stamp::now(),
            ticks: 0,
            under_way: Vec::new(),
            free: Vec::new(),
            busy: 0,
            tally: Tally::default(),
            measured: Measured::default(),
            used: Used::default(),
            counting: false,
            beginning: Beginning::default(),
        })
    }

    fn go(&mut self) -> anyhow::Result<()> {
        let warm = self.began + nanos(self.plan.warm_up);
        let end = warm + nanos(self.plan.counted);
        let deadline = end + nanos(self.plan.patience);
        let mut wakes = Vec::new();
        loop {
            let now = stamp::now();
            if !self.counting && now >= warm {
                self.counting = true;
                self.used = Used::from_now(&self.plan.watched);
            }
            if now >= end && (self.busy == 0 || now >= deadline) {
                break;
            }
            self.fleet.wait(&mut wakes)?;
            for &wake in &wakes {
                match wake {
                    Wake::Ticks(ticks) => self.tick(ticks, warm, end)?,
                    Wake::Connection(place) => self.read(place, warm)?,
                }
            }
        }
        self.used.look(&self.plan.watched, self.busy);
        for _ in 0..self.busy {
            self.tally.fail("no answer in time".to_owned());
        }
        Ok(())
    }

    fn tick(&mut self, ticks: u64, warm: u64, end: u64) -> anyhow::Result<()> {
        for _ in 0..ticks {
            self.ticks += 1;
            let due = self.began + self.ticks * self.interval;
            if due >= end {
                return Ok(());
            }
            if let Err(failure) = self.send(due)
                && due >= warm
            {
                self.tally.failure(&failure);
                self.tally.check()?;
            }
        }
        Ok(())
    }

    fn send(&mut self, due: u64) -> Result<(), Failure> {
        let place = match self.free.pop() {
            Some(place) if self.fleet.is_open(place) => place,
            Some(place) => {
                self.fleet.reopen(place)?;
                place
            }
            None => {
                let place = self.fleet.open()?;
                self.under_way.push(None);
                place
            }
        };
        let sent = stamp::now();
        self.fleet.send(place)?;
        if let Some(slot) = self.under_way.get_mut(place) {
            *slot = Some(Sent { due, sent });
            self.busy += 1;
        }
        Ok(())
    }

    fn read(&mut self, place: usize, warm: u64) -> anyhow::Result<()> {
        let beginning = &mut self.beginning;
        beginning.clear();
        let outcome = self.fleet.receive(place, |data| beginning.take(data));
        if matches!(outcome, Ok(Progress::Waiting)) {
            return Ok(());
        }
        let Some(Sent { due, sent }) = self.under_way.get_mut(place).and_then(Option::take) else {
            return Ok(()); // An idle connection that the server has closed.
        };
        self.busy -= 1;
        self.free.push(place);
        if due < warm {
            return Ok(());
        }
        match outcome {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Answered(status)) => {
                if self.tally.answer(status, &self.beginning) {
                    let now = stamp::now();
                    self.measured.latency.push(now - due);
                    self.measured.service.push(now - sent);
                }
            }
            Err(failure) => self.tally.failure(&failure),
        }
        self.tally.check()
    }
}
