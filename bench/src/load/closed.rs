//! Closed load: so many connections, each of which asks again as soon as it was answered. The throughput at which a
//! server is full; the latency says how long its queue was.

use super::connection::Progress;
use super::fleet::{Fleet, Wake};
use super::report::{Beginning, Measured, Tally, Used, nanos};
use super::{Plan, Report};
use crate::stamp;

/// Runs closed load on so many connections.
///
/// # Errors
/// When the server can't be reached, does nothing but fail, or sockets fail.
pub fn closed(plan: &Plan, connections: usize) -> anyhow::Result<Report> {
    let mut fleet = Fleet::new(plan.target, &plan.request)?;
    let mut sent = vec![0; connections];
    for since in &mut sent {
        let place = fleet.open()?;
        *since = stamp::now();
        fleet.send(place)?;
    }
    run_until(&mut fleet, &mut sent, stamp::now() + nanos(plan.warm_up))?;
    let mut used = Used::from_now(&plan.watched);
    let began = stamp::now();
    let (tally, measured) = run_until(&mut fleet, &mut sent, began + nanos(plan.counted))?;
    let took = stamp::now() - began;
    used.look(&plan.watched, connections as u64);
    Ok(Report::new(tally, measured, used, took))
}

fn run_until(fleet: &mut Fleet<'_>, sent: &mut [u64], end: u64) -> anyhow::Result<(Tally, Measured)> {
    let (mut tally, mut measured) = (Tally::default(), Measured::default());
    let (mut wakes, mut beginning) = (Vec::new(), Beginning::default());
    while stamp::now() < end {
        fleet.wait(&mut wakes)?;
        for wake in &wakes {
            let &Wake::Connection(place) = wake else { continue };
            let Some(since) = sent.get_mut(place) else { continue };
            beginning.clear();
            match fleet.receive(place, |data| beginning.take(data)) {
                Ok(Progress::Waiting) => continue,
                Ok(Progress::Answered(status)) => {
                    if tally.answer(status, &beginning) {
                        measured.latency.push(stamp::now() - *since);
                    }
                }
                Err(failure) => tally.failure(&failure),
            }
            tally.check()?;
            if !fleet.is_open(place) {
                fleet.reopen(place)?;
            }
            *since = stamp::now();
            fleet.send(place)?;
        }
    }
    Ok((tally, measured))
}
