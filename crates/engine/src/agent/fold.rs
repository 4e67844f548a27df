//! Rebuilding an agent from its log. No user code runs, nothing is decided, nothing is performed.

use super::turn::Turn;
use super::{Agent, Stream};
use crate::event::{Event, Fact, LogError, VERSION};

/// How many numbers are kept free for pieces of an answer that need not be in the log. At a piece every 100 ms that is
/// half an hour of one answer.
pub(crate) const RESERVED: u64 = 16_384;

impl Agent {
    /// The agent that these events make: its log from the beginning, in order, with or without what
    /// [expires](Event::expires).
    ///
    /// Where the log ends within a streamed answer, pieces of it may have been told that are not in the log. Their numbers
    /// are skipped, so that none is ever given twice.
    ///
    /// # Errors
    ///
    /// A [`LogError`] where no agent can have written this log.
    pub fn fold<'e>(events: impl IntoIterator<Item = &'e Event>) -> Result<Self, LogError> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(LogError::Beginning { seq: 0 })?;
        let mut agent = Self::begin(first)?;
        events.try_for_each(|event| agent.apply(event))?;
        Ok(agent.settle())
    }

    /// The agent that its first event makes.
    ///
    /// # Errors
    ///
    /// [`LogError::Beginning`] where it is not `agent.created` with the number 1, [`LogError::Newer`].
    pub fn begin(event: &Event) -> Result<Self, LogError> {
        let Fact::AgentCreated { id, run, config, lineage, steps } = &event.fact else {
            return Err(LogError::Beginning { seq: event.seq });
        };
        readable(event)?;
        if event.seq != 1 {
            return Err(LogError::Beginning { seq: event.seq });
        }
        Ok(Self {
            id: id.clone(),
            run: *run,
            config: config.clone(),
            lineage: lineage.clone(),
            created_at: event.at,
            seq: event.last_seq(),
            at: event.at,
            epoch: event.epoch,
            owner: None,
            is_archived: false,
            steps: *steps,
            messages: 0,
            tokens: 0,
            context: 0,
            cost: seawall_types::Usd::ZERO,
            others: seawall_types::Amount::ZERO,
            recoveries: 0,
            turn: Turn::default(),
            queue: Default::default(),
            todos: Default::default(),
            schedules: Default::default(),
            grants: Default::default(),
            history: Default::default(),
            room: config.is_room.then(Default::default),
        })
    }

    /// The same agent for somebody who doesn't know what was streamed last: numbers that may have been given are skipped.
    /// [`Agent::fold`] does this; call it when the state was put together from a snapshot and the events after it.
    #[must_use]
    pub fn settle(mut self) -> Self {
        if let Some(stream) = self.turn.stream {
            self.seq = self.seq.max(stream.reserved);
        }
        self
    }

    /// Whether the event may stand here.
    pub(super) fn admits(&self, event: &Event) -> Result<(), LogError> {
        readable(event)?;
        let (seq, expected) = (event.seq, self.seq.saturating_add(1));
        if seq < expected {
            return Err(LogError::Repeated { seq, expected });
        }
        // Pieces of an answer may be missing, or their numbers skipped, only while it is streamed.
        let free =
            self.turn.stream.map_or(expected, |stream| stream.reserved.saturating_add(1).max(expected));
        if seq > free {
            return Err(LogError::Gap { seq, expected });
        }
        let claims = matches!(event.fact, Fact::AgentClaimed { .. });
        let fits = if claims { event.epoch > self.epoch } else { event.epoch == self.epoch };
        let (epoch, current) = (event.epoch, self.epoch);
        if fits { Ok(()) } else { Err(LogError::Fenced { seq, epoch, current }) }
    }

    /// Takes the numbers of an event, and keeps others free while something is streamed.
    pub(super) fn take_numbers(&mut self, event: &Event) {
        self.seq = event.last_seq();
        self.epoch = event.epoch;
        if event.expires() {
            return;
        }
        self.at = event.at;
        if let Some(Stream { reserved, .. }) = &mut self.turn.stream {
            *reserved = self.seq.saturating_add(RESERVED);
        }
    }
}

fn readable(event: &Event) -> Result<(), LogError> {
    let (seq, version) = (event.seq, event.v);
    if version > VERSION { Err(LogError::Newer { seq, version }) } else { Ok(()) }
}
