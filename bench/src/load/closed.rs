//! Closed load: so many connections, each of which asks again as soon as it was answered. The throughput at which a
//! server is full; the latency says how long its queue was.

use super::connection::Progress;
use super::fleet::{Fleet, Wake};
use super::report::{Measured, Tally, Used};
use super::{Plan, Report};
use crate::stamp;

/// Failures after which a run is given up: the server does not do what it is there for.
const HOPELESS: u64 = 1_000;

/// Runs closed load on so many connections.
///
/// # Errors
/// When the server can't be reached at all, or sockets fail.
pub fn closed(plan: &Plan, connections: usize) -> anyhow::Result<Report> {
    let mut fleet = Fleet::new(plan.target, &plan.request)?;
    let mut sent = vec![0; connections];
    for since in &mut sent {
        let place = fleet.open()?;
        *since = stamp::now();
        fleet.send(place)?;
    }
    let warm = stamp::now() + nanos(plan.warm_up);
    run_until(&mut fleet, &mut sent, warm)?;
    let used = Used::from_now(&plan.watched);
    let began = stamp::now();
    let (tally, measured) = run_until(&mut fleet, &mut sent, began + nanos(plan.counted))?;
    let took = stamp::now() - began;
    let mut used = used;
    used.look(&plan.watched, connections as u64);
    Ok(Report::new(tally, measured, used, took))
}

fn run_until(fleet: &mut Fleet<'_>, sent: &mut [u64], end: u64) -> anyhow::Result<(Tally, Measured)> {
    let (mut tally, mut measured, mut wakes) = (Tally::default(), Measured::default(), Vec::new());
    while stamp::now() < end {
        fleet.wait(&mut wakes)?;
        for wake in &wakes {
            let &Wake::Connection(place) = wake else { continue };
            let Some(since) = sent.get_mut(place) else { continue };
            let mut beginning = Beginning::default();
            match fleet.receive(place, |data| beginning.take(data)) {
                Ok(Progress::Waiting) => continue,
                Ok(Progress::Answered(status)) => {
                    if tally.answer(status, &beginning.0) {
                        measured.latency.push(stamp::now() - *since);
                    }
                }
                Err(failure) => tally.failure(&failure),
            }
            anyhow::ensure!(!tally.is_hopeless(HOPELESS), "too many failures: {}", tally.told());
            if !fleet.is_open(place) {
                fleet.reopen(place)?;
            }
            *since = stamp::now();
            fleet.send(place)?;
        }
    }
    Ok((tally, measured))
}

/// The first bytes of a body, for telling why it was no answer.
#[derive(Debug, Default)]
pub(super) struct Beginning(pub(super) Vec<u8>);

impl Beginning {
    pub(super) fn take(&mut self, data: &[u8]) {
        const ENOUGH: usize = 300;
        let room = ENOUGH.saturating_sub(self.0.len()).min(data.len());
        self.0.extend_from_slice(data.get(..room).unwrap_or_default());
    }
}

pub(super) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
