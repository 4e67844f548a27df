//! Streams: answers that come event by event, so many at a time. Every event carries the time at which the provider gave
//! it away, so what lies between is what the way has added.

use super::connection::{Failure, Progress};
use super::fleet::{Fleet, Wake};
use super::report::{Beginning, Measured, Tally, Used, nanos};
use super::{Plan, Report};
use crate::stamp::{self, Scanner};

/// How many streams, and what each must bring.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// Streams at the same time.
    pub at_once: usize,
    /// Between the beginnings of two of them.
    pub apart: std::time::Duration,
    /// Events that each brings; another number is a failure.
    pub events: u64,
}

/// Opens the streams one after the other and reads each to its end.
///
/// # Errors
/// When the server can't be reached, or sockets fail.
pub fn streams(plan: &Plan, streams: Streams) -> anyhow::Result<Report> {
    let mut run = Run {
        plan,
        streams,
        fleet: Fleet::new(plan.target, &plan.request)?,
        open: Vec::with_capacity(streams.at_once),
        begun: 0,
        ended: 0,
        tally: Tally::default(),
        measured: Measured::default(),
        used: Used::from_now(&plan.watched),
        beginning: Beginning::default(),
    };
    let began = stamp::now();
    run.go(began + nanos(plan.patience))?;
    Ok(Report::new(run.tally, run.measured, run.used, stamp::now() - began))
}

/// One stream.
#[derive(Debug)]
struct Stream {
    sent: u64,
    events: u64,
    scanner: Scanner,
    ended: bool,
}

struct Run<'a> {
    plan: &'a Plan,
    streams: Streams,
    fleet: Fleet<'a>,
    open: Vec<Stream>,
    /// Streams that have brought an event.
    begun: usize,
    ended: usize,
    tally: Tally,
    measured: Measured,
    used: Used,
    beginning: Beginning,
}

impl Run<'_> {
    fn go(&mut self, deadline: u64) -> anyhow::Result<()> {
        let mut wakes = Vec::new();
        let mut looked = false;
        self.fleet.tick_every(self.streams.apart)?;
        while self.ended < self.streams.at_once && stamp::now() < deadline {
            self.fleet.wait(&mut wakes)?;
            for &wake in &wakes {
                match wake {
                    Wake::Ticks(ticks) => self.tick(ticks),
                    Wake::Connection(place) => self.read(place),
                }
            }
            // The moment with the most open streams: all have begun, or one that began early has ended.
            if !looked && self.begun > 0 && (self.begun + self.ended >= self.streams.at_once) {
                looked = true;
                self.used.look(&self.plan.watched, (self.begun - self.ended.min(self.begun)) as u64);
            }
        }
        self.used.look(&self.plan.watched, 0);
        for _ in self.ended..self.streams.at_once {
            self.tally.fail("the stream did not end in time".to_owned());
        }
        Ok(())
    }

    fn tick(&mut self, ticks: u64) {
        for _ in 0..ticks {
            if self.open.len() == self.streams.at_once {
                return;
            }
            let sent = stamp::now();
            let opened = self.fleet.open().and_then(|place| self.fleet.send(place));
            let ended = opened.is_err();
            self.open.push(Stream { sent, events: 0, scanner: Scanner::default(), ended });
            if let Err(failure) = opened {
                self.end(&failure);
            }
        }
    }

    fn end(&mut self, failure: &Failure) {
        self.tally.failure(failure);
        self.ended += 1;
    }

    fn read(&mut self, place: usize) {
        let Some(stream) = self.open.get_mut(place).filter(|stream| !stream.ended) else { return };
        let (beginning, measured) = (&mut self.beginning, &mut self.measured);
        beginning.clear();
        let before = stream.events;
        let progress = self.fleet.receive(place, |data| {
            beginning.take(data);
            let now = stamp::now();
            stream.scanner.scan(data, |given| {
                stream.events += 1;
                measured.event.push(now.saturating_sub(given));
            });
        });
        if before == 0 && stream.events > 0 {
            self.begun += 1;
            measured.first_event.push(stamp::now() - stream.sent);
        }
        match progress {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Answered(status)) => {
                stream.ended = true;
                self.ended += 1;
                if stream.events == self.streams.events || status != 200 {
                    self.tally.answer(status, &self.beginning);
                } else {
                    let text = self.beginning.text();
                    self.tally
                        .fail(format!("a stream brought {} events and ended in: {text}", stream.events));
                }
            }
            Err(failure) => {
                stream.ended = true;
                self.end(&failure);
            }
        }
    }
}
