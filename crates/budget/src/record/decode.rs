//! Bytes to records.

use std::io::{self, Read};

use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd};
use smallvec::SmallVec;

use super::{CHECKSUM, EVERY_WINDOW, LONGEST, Record, checksum, window_from_byte};
use crate::books::ScopeId;
use crate::limit::{Limit, OnStoreDown};

/// What reading the next record found.
#[derive(Debug)]
pub(crate) enum Next {
    /// A record.
    Record(Record),
    /// The end, where a record ended too: of the segment, or of what was used of it.
    End,
    /// Bytes that are no record: a write that was cut off, or damage.
    Torn,
}

/// Reads records from a segment, up to the first bytes that are none.
#[derive(Debug)]
pub(crate) struct Decoder<R> {
    source: R,
    payload: Vec<u8>,
    /// How many bytes of good records were read.
    pub(crate) good: u64,
}

impl<R: Read> Decoder<R> {
    pub(crate) const fn new(source: R) -> Self {
        Self { source, payload: Vec::new(), good: 0 }
    }

    /// The next record. Foreign bytes are [`Next::Torn`], never an error; an error is the medium's.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let mut length = [0; size_of::<u32>()];
        let filled = fill(&mut self.source, &mut length)?;
        if length == [0; size_of::<u32>()] {
            return Ok(if self.is_unused_to_the_end()? { Next::End } else { Next::Torn });
        }
        if filled < length.len() {
            return Ok(Next::Torn);
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Ok(Next::Torn);
        }
        self.payload.resize(length + CHECKSUM, 0);
        if fill(&mut self.source, &mut self.payload)? < self.payload.len() {
            return Ok(Next::Torn);
        }
        let record =
            self.payload.split_at_checked(length).filter(|(payload, sum)| checksum(payload) == **sum);
        let Some(record) = record.and_then(|(payload, _)| Fields(payload).record()) else {
            return Ok(Next::Torn);
        };
        self.good += u64::try_from(size_of::<u32>() + length + CHECKSUM).unwrap_or(u64::MAX);
        Ok(Next::Record(record))
    }

    /// Whether nothing but zeros is left.
    fn is_unused_to_the_end(&mut self) -> io::Result<bool> {
        self.payload.resize(LONGEST, 0);
        loop {
            let filled = fill(&mut self.source, &mut self.payload)?;
            if filled == 0 {
                return Ok(true);
            }
            if self.payload.iter().take(filled).any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
    }
}

/// Reads until `buffer` is full or the source is at its end, and says how much there was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The fields of a payload that are not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn record(mut self) -> Option<Record> {
        let record = match self.u8()? {
            0 => Record::Begin { format: self.u32()?, segment: self.u64()? },
            1 => Record::Name { id: ScopeId(self.u32()?), scope: self.scope()? },
            2 => self.reserve()?,
            3 => Record::Settle { hold: self.hold()?, actual: self.amount()?, at: self.time()? },
            4 => Record::Sweep { hold: self.hold()?, at: self.time()? },
            5 => self.set_limit()?,
            6 => Record::RemoveLimit { window: window_from_byte(self.u8()?)?, scope: self.scope()? },
            7 => self.reset()?,
            _ => return None,
        };
        // A newer program may add fields to the first record, so that an older one can still read its number.
        (self.0.is_empty() || matches!(record, Record::Begin { .. })).then_some(record)
    }

    fn reserve(&mut self) -> Option<Record> {
        let hold = self.hold()?;
        let run = RunId::from_bytes(self.take()?);
        let action = ActionId::from_bytes(self.take()?);
        let (amount, deadline, at) = (self.amount()?, self.time()?, self.time()?);
        let mut scopes = SmallVec::new();
        while !self.0.is_empty() {
            scopes.push(ScopeId(self.u32()?));
        }
        Some(Record::Reserve { hold, run, action, amount, deadline, at, scopes })
    }

    fn set_limit(&mut self) -> Option<Record> {
        let window = window_from_byte(self.u8()?)?;
        let flags = self.u8()?;
        let (usd, tokens) = (self.usd()?, self.u64()?);
        let at = self.time()?;
        let on_store_down = if flags & 4 == 0 { OnStoreDown::Closed } else { OnStoreDown::Open };
        let (usd, tokens) = ((flags & 1 != 0).then_some(usd), (flags & 2 != 0).then_some(tokens));
        Some(Record::SetLimit {
            limit: Limit { scope: self.scope()?, window, usd, tokens, on_store_down },
            at,
        })
    }

    fn reset(&mut self) -> Option<Record> {
        let window = match self.u8()? {
            EVERY_WINDOW => None,
            byte => Some(window_from_byte(byte)?),
        };
        Some(Record::Reset { window, at: self.time()?, scope: self.scope()? })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn usd(&mut self) -> Option<Usd> {
        self.take().map(u128::from_le_bytes).map(Usd::from_picos)
    }

    fn amount(&mut self) -> Option<Amount> {
        Some(Amount { usd: self.usd()?, tokens: self.u64()? })
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_micros)
    }

    fn hold(&mut self) -> Option<HoldId> {
        self.take().map(HoldId::from_bytes)
    }

    fn scope(&mut self) -> Option<Scope> {
        std::str::from_utf8(std::mem::take(&mut self.0)).ok()?.parse().ok()
    }
}
