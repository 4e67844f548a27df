//! What the journal tells, done again.

use std::collections::HashMap;

use seawall_types::Scope;

use super::Medium;
use crate::Error;
use crate::books::ScopeId;
use crate::hold::Reservation;
use crate::record::{Decoder, FORMAT, Next, Record};
use crate::state::State;

/// What replaying found.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) records: u64,
    /// Something was missing or unreadable.
    pub(crate) torn: bool,
    /// The segment after the last one that there is.
    pub(crate) next: u64,
}

/// Does again what the segments tell from the one on that the last snapshot names; without a snapshot, what
/// all do.
pub(crate) fn replay(medium: &dyn Medium, named: Option<u64>, state: &mut State) -> Result<Replayed, Error> {
    let segments = medium.segments().map_err(Error::journal("listing its segments"))?;
    let first = named.unwrap_or(0);
    let next = segments.last().map_or(0, |last| last.saturating_add(1)).max(first);
    // A segment is there before a snapshot names it.
    let found = segments.iter().find(|segment| **segment >= first);
    let is_missing = match found {
        Some(found) => *found > first,
        None => named.is_some(),
    };
    let mut replayed = Replayed { records: 0, torn: is_missing, next };
    for segment in segments.into_iter().filter(|segment| *segment >= first) {
        replay_segment(medium, segment, state, &mut replayed)?;
    }
    Ok(replayed)
}

/// Stops at the first bytes that are no record and keeps them aside.
fn replay_segment(
    medium: &dyn Medium,
    segment: u64,
    state: &mut State,
    replayed: &mut Replayed,
) -> Result<(), Error> {
    let source = medium.read(segment).map_err(Error::journal("opening a segment"))?;
    let mut decoder = Decoder::new(source);
    let mut names = HashMap::new();
    let mut begun = false;
    loop {
        let good = decoder.good;
        let told = match decoder.next().map_err(Error::journal("reading a segment"))? {
            Next::End => return Ok(()),
            Next::Record(Record::Begin { format, segment: number }) if !begun => {
                if format > FORMAT {
                    return Err(Error::Newer { found: format, known: FORMAT });
                }
                begun = true;
                number == segment
            }
            Next::Record(record) => begun && apply(record, state, &mut names),
            Next::Torn => false,
        };
        if !told {
            replayed.torn = true;
            return medium.set_aside(segment, good).map_err(Error::journal("keeping torn bytes aside"));
        }
        replayed.records += 1;
    }
}

/// Does again what one record tells; `false` when it makes no sense where it stands.
///
/// A record about a hold that is not there is no fault: after a failed write a segment may lack earlier ones.
fn apply(record: Record, state: &mut State, names: &mut HashMap<ScopeId, Scope>) -> bool {
    match record {
        Record::Begin { .. } => return false,
        Record::Name { id, scope } => {
            names.insert(id, scope);
        }
        Record::Reserve { hold, run, action, amount, deadline, at, scopes } => {
            let scopes: Option<Vec<Scope>> = scopes.iter().map(|id| names.get(id).cloned()).collect();
            let Some(scopes) = scopes else { return false };
            if !state.knows(hold) {
                let payers = state.payers(&scopes);
                state.hold(&Reservation { hold, run, action, scopes: &scopes, amount, deadline }, payers, at);
            }
        }
        Record::Settle { hold, actual, at } => {
            state.settle(hold, actual, at);
        }
        Record::Sweep { hold, at } => {
            state.sweep(hold, at);
        }
        Record::SetLimit { limit, at } => state.set_limit(&limit, at),
        Record::RemoveLimit { scope, window } => state.remove_limit(&scope, window),
        Record::Reset { scope, window, at } => state.reset(&scope, window, at),
    }
    true
}
