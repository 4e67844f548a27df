//! Putting an agent together from its files: the state that was kept last, the messages of its window, and the events since.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use seawall_engine::{Event, Message};
use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, Kept, MessageRow, Owner};

use crate::card::Point;
use crate::fault::Fault;
use crate::folder::{Folder, failed};
use crate::log::{self, Groups};
use crate::rows::{self, Lengths, Rows};

/// The agent whose files count so far.
pub(crate) fn load(folder: &Folder, row: &AgentRow, lengths: &Lengths) -> Result<Kept, Fault> {
    let Some(point) = Point::read(folder, row.run) else { return whole(folder, &row.owner, lengths) };
    if point.seq > row.seq {
        return Err(Fault::Moved);
    }
    let messages = window(folder, &point)?;
    let events = events(folder, point.lengths.log, lengths.log)?;
    let state = Some((point.seq, point.window, point.state.get().as_bytes()));
    // A state that this release can't read, or that was kept while pieces of an answer were told, is folded anew.
    Kept::load(row.owner.clone(), state, messages, &events).or_else(|_| whole(folder, &row.owner, lengths))
}

/// The agent that all events of a log make.
fn whole<E: From<StoreError>>(folder: &Folder, owner: &Owner, lengths: &Lengths) -> Result<Kept, E> {
    let events = events(folder, 0, lengths.log)?;
    Ok(Kept::load(owner.clone(), None, [], &events)?)
}

/// The messages of a state's window.
pub(crate) fn window(folder: &Folder, point: &Point) -> Result<Vec<Arc<Message>>, Fault> {
    let mut messages = Vec::new();
    if !point.window.is_empty() {
        rows::read(folder, Rows::Messages, point.window_at, point.lengths.messages, |_, row: MessageRow| {
            messages.push(row);
            ControlFlow::Continue(())
        })?;
    }
    let places = messages.iter().map(|row| row.place);
    if !places.eq(point.window.from..point.window.to.saturating_add(1)) {
        let path = Rows::Messages.file(folder);
        return Err(Fault::Derived(format!("{} has other messages than the state", path.display())));
    }
    Ok(messages.into_iter().map(|row| row.message).collect())
}

/// All events from one place of a log to another.
fn events(folder: &Folder, from: u64, to: u64) -> Result<Vec<Event>, StoreError> {
    let path = folder.log();
    let file = File::open(&path).map_err(failed(&path))?;
    let mut groups = Groups::new(&file, from, to);
    let mut events = Vec::new();
    while let Some(group) = groups.next().map_err(|broken| log::tell(folder, &file, broken))? {
        for body in &group.events {
            events.push(log::event(folder, body)?);
        }
    }
    Ok(events)
}
