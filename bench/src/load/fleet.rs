//! All connections of a run and the one place where it waits, with a timer that is exact to the nanosecond where the
//! millisecond of `epoll` would blur what is measured.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::connection::{Connection, Failure, Progress};

const TIMER: u64 = u64::MAX;
/// How long one wait lasts when nothing comes, so that a run that hangs sees its deadline.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const EVENTS: usize = 256;
const BUFFER: usize = 64 * 1024;

/// What woke the run up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// The connection in this place has something.
    Connection(usize),
    /// The timer has ticked so many times since it was last told.
    Ticks(u64),
}

/// Connections by place. A place whose connection failed is empty until another is opened there.
pub(super) struct Fleet<'a> {
    target: SocketAddr,
    request: &'a [u8],
    epoll: OwnedFd,
    timer: OwnedFd,
    connections: Vec<Option<Connection>>,
    events: Vec<epoll::Event>,
    buffer: Box<[u8]>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(target: SocketAddr, request: &'a [u8]) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let events = Vec::with_capacity(EVENTS);
        Ok(Self { target, request, epoll, timer, connections: Vec::new(), events, buffer })
    }

    /// Ticks from now on, once in each `interval`; the first tick comes after one.
    pub(super) fn tick_every(&self, interval: Duration) -> std::io::Result<()> {
        let interval = timespec(interval);
        let value = Itimerspec { it_interval: interval, it_value: interval };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
        Ok(())
    }

    /// Opens one more connection and gives its place.
    pub(super) fn open(&mut self) -> Result<usize, Failure> {
        let place = self.connections.len();
        self.connections.push(None);
        self.reopen(place)?;
        Ok(place)
    }

    /// Opens the connection in this place anew.
    pub(super) fn reopen(&mut self, place: usize) -> Result<(), Failure> {
        let connection = Connection::open(self.target)?;
        let data = epoll::EventData::new_u64(place as u64);
        epoll::add(
            &self.epoll,
            &connection,
            data,
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET,
        )
        .map_err(std::io::Error::from)?;
        if let Some(slot) = self.connections.get_mut(place) {
            *slot = Some(connection);
        }
        Ok(())
    }

    /// Sends the request on the connection in this place.
    pub(super) fn send(&mut self, place: usize) -> Result<(), Failure> {
        let connection = self.connections.get_mut(place).and_then(Option::as_mut).ok_or(Failure::Closed)?;
        connection.send(self.request)
    }

    /// Reads what is there for the connection in this place. One that failed, or that the server will not use again, is
    /// closed.
    pub(super) fn receive(&mut self, place: usize, body: impl FnMut(&[u8])) -> Result<Progress, Failure> {
        let Some(slot) = self.connections.get_mut(place) else { return Ok(Progress::Waiting) };
        let Some(connection) = slot else { return Ok(Progress::Waiting) };
        let progress = connection.receive(self.request, &mut self.buffer, body);
        let ended = match &progress {
            Ok(Progress::Answered(_)) => !connection.keeps_alive(),
            Ok(Progress::Waiting) => false,
            Err(_) => true,
        };
        if ended {
            *slot = None;
        }
        progress
    }

    /// Whether the place has a connection.
    pub(super) fn is_open(&self, place: usize) -> bool {
        self.connections.get(place).is_some_and(Option::is_some)
    }

    /// Waits until something happens, or a while has passed.
    pub(super) fn wait(&mut self, wakes: &mut Vec<Wake>) -> std::io::Result<()> {
        wakes.clear();
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&WAIT)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in self.events.drain(..) {
            let data = event.data.u64();
            if data == TIMER {
                let mut ticks = [0; 8];
                if rustix::io::read(&self.timer, &mut ticks).is_ok() {
                    wakes.push(Wake::Ticks(u64::from_ne_bytes(ticks)));
                }
            } else if let Ok(place) = usize::try_from(data) {
                wakes.push(Wake::Connection(place));
            }
        }
        Ok(())
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
