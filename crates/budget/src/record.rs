//! Records of the journal: what they say, and their bytes.
//!
//! A frame is `length: u32, payload, checksum: [u8; 8]`; the checksum is the beginning of the payload's
//! BLAKE3 hash. No payload is empty, so a length of zero is the end, and zeros follow it up to the end of the file: space
//! that was allocated ahead. A payload is a byte for the kind and the fields in the order in which they are declared,
//! integers little-endian. Scopes in reservations are numbers that a `Name` record before them explains, so
//! that a reservation is short.

mod decode;
mod encode;

use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Window};
use smallvec::SmallVec;

pub(crate) use decode::{Decoder, Next};
pub(crate) use encode::Encoder;

use crate::books::ScopeId;
use crate::limit::Limit;

/// The format that is written, and the newest that is read. In the first one nothing stood behind the last record.
pub(crate) const FORMAT: u32 = 2;

/// Longer payloads are not written and not believed.
const LONGEST: usize = 64 * 1024;
const CHECKSUM: usize = 8;
const LONGEST_NAME: usize = 4 * 1024;
const MOST_SCOPES: usize = 64;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// The first record of every segment.
    Begin { format: u32, segment: u64 },
    /// What a scope's number stands for from here on.
    Name { id: ScopeId, scope: Scope },
    /// A reservation was made.
    Reserve {
        hold: HoldId,
        run: RunId,
        action: ActionId,
        amount: Amount,
        deadline: Timestamp,
        at: Timestamp,
        scopes: SmallVec<[ScopeId; 4]>,
    },
    /// A hold ended at this cost.
    Settle { hold: HoldId, actual: Amount, at: Timestamp },
    /// A hold ended by its deadline.
    Sweep { hold: HoldId, at: Timestamp },
    /// A limit came into force.
    SetLimit { limit: Limit, at: Timestamp },
    /// A limit went out of force.
    RemoveLimit { scope: Scope, window: Window },
    /// What was spent is forgotten, in one window or in all.
    Reset { scope: Scope, window: Option<Window>, at: Timestamp },
}

/// Whether records can tell of these scopes.
pub(crate) fn are_writable(scopes: &[Scope]) -> bool {
    let is_short = |scope: &Scope| match scope {
        Scope::Global | Scope::Run(_) => true,
        Scope::Key(name) | Scope::Tenant(name) => name.len() <= LONGEST_NAME,
    };
    scopes.len() <= MOST_SCOPES && scopes.iter().all(is_short)
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM] {
    let mut checksum = [0; CHECKSUM];
    checksum.iter_mut().zip(blake3::hash(payload).as_bytes()).for_each(|(slot, byte)| *slot = *byte);
    checksum
}

const EVERY_WINDOW: u8 = u8::MAX;

const fn window_to_byte(window: Window) -> u8 {
    match window {
        Window::Total => 0,
        Window::Minute => 1,
        Window::Day => 2,
        Window::Month => 3,
    }
}

fn window_from_byte(byte: u8) -> Option<Window> {
    [Window::Total, Window::Minute, Window::Day, Window::Month]
        .into_iter()
        .find(|window| window_to_byte(*window) == byte)
}

#[cfg(test)]
mod tests;
