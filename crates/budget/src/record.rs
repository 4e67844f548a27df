//! Records of the journal: what they say, and their bytes.
//!
//! A frame is `length: u32, payload, checksum: [u8; 8]`; the checksum is the beginning of the payload's BLAKE3 hash. A
//! payload is a byte for the kind and the fields in the order in which they are declared, integers little-endian. Scopes
//! in reservations are numbers that a `Name` record before them explains, so that a reservation is short.

use std::io::{self, Read};

use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd, Window};
use smallvec::SmallVec;

use crate::books::ScopeId;
use crate::limit::{Limit, OnStoreDown};

/// The format that is written, and the newest that is read.
pub(crate) const FORMAT: u32 = 1;

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

/// Writes records to the end of a buffer.
#[derive(Debug)]
pub(crate) struct Encoder<'a>(pub(crate) &'a mut Vec<u8>);

impl Encoder<'_> {
    /// Appends one frame.
    pub(crate) fn push(&mut self, record: &Record) {
        let start = self.0.len();
        self.u32(0);
        self.payload(record);
        let payload = self.0.get(start + size_of::<u32>()..).unwrap_or_default();
        let checksum = checksum(payload);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.0.iter_mut().skip(start).zip(length).for_each(|(slot, byte)| *slot = byte);
        self.0.extend_from_slice(&checksum);
    }

    fn payload(&mut self, record: &Record) {
        match record {
            Record::Begin { format, segment } => {
                self.u8(0);
                self.u32(*format);
                self.u64(*segment);
            }
            Record::Name { id, scope } => {
                self.u8(1);
                self.u32(id.0);
                self.scope(scope);
            }
            Record::Reserve { hold, run, action, amount, deadline, at, scopes } => {
                self.u8(2);
                self.0.extend_from_slice(&hold.into_bytes());
                self.0.extend_from_slice(&run.into_bytes());
                self.0.extend_from_slice(&action.into_bytes());
                self.amount(*amount);
                self.u64(deadline.as_micros());
                self.u64(at.as_micros());
                scopes.iter().for_each(|scope| self.u32(scope.0));
            }
            Record::Settle { hold, actual, at } => {
                self.u8(3);
                self.0.extend_from_slice(&hold.into_bytes());
                self.amount(*actual);
                self.u64(at.as_micros());
            }
            Record::Sweep { hold, at } => {
                self.u8(4);
                self.0.extend_from_slice(&hold.into_bytes());
                self.u64(at.as_micros());
            }
            Record::SetLimit { limit, at } => {
                self.u8(5);
                self.limit(limit);
                self.u64(at.as_micros());
                self.scope(&limit.scope);
            }
            Record::RemoveLimit { scope, window } => {
                self.u8(6);
                self.u8(window_to_byte(*window));
                self.scope(scope);
            }
            Record::Reset { scope, window, at } => {
                self.u8(7);
                self.u8(window.map_or(EVERY_WINDOW, window_to_byte));
                self.u64(at.as_micros());
                self.scope(scope);
            }
        }
    }

    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn usd(&mut self, value: Usd) {
        self.0.extend_from_slice(&value.as_picos().to_le_bytes());
    }

    fn amount(&mut self, amount: Amount) {
        self.usd(amount.usd);
        self.u64(amount.tokens);
    }

    fn limit(&mut self, limit: &Limit) {
        let flags = u8::from(limit.usd.is_some())
            | u8::from(limit.tokens.is_some()) << 1
            | u8::from(limit.on_store_down == OnStoreDown::Open) << 2;
        self.u8(window_to_byte(limit.window));
        self.u8(flags);
        self.usd(limit.usd.unwrap_or_default());
        self.u64(limit.tokens.unwrap_or_default());
    }

    /// A scope as text, up to the end of the payload.
    fn scope(&mut self, scope: &Scope) {
        self.0.extend_from_slice(scope.to_string().as_bytes());
    }
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

/// What reading the next record found.
#[derive(Debug)]
pub(crate) enum Next {
    /// A record.
    Record(Record),
    /// The end, where a record ended too.
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
        match fill(&mut self.source, &mut length)? {
            0 => return Ok(Next::End),
            filled if filled < length.len() => return Ok(Next::Torn),
            _ => {}
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount() -> impl Strategy<Value = Amount> {
        (any::<u128>(), any::<u64>())
            .prop_map(|(picos, tokens)| Amount { usd: Usd::from_picos(picos), tokens })
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        any::<u64>().prop_map(Timestamp::from_micros)
    }

    fn hold() -> impl Strategy<Value = HoldId> {
        any::<[u8; 16]>().prop_map(HoldId::from_bytes)
    }

    fn window() -> impl Strategy<Value = Window> {
        prop::sample::select(vec![Window::Total, Window::Minute, Window::Day, Window::Month])
    }

    fn scope() -> impl Strategy<Value = Scope> {
        prop_oneof![
            Just(Scope::Global),
            "\\PC{1,40}".prop_map(|name| Scope::Key(name.into())),
            "\\PC{1,40}".prop_map(|name| Scope::Tenant(name.into())),
            any::<[u8; 16]>().prop_map(|bytes| Scope::Run(RunId::from_bytes(bytes))),
        ]
    }

    fn limit() -> impl Strategy<Value = Limit> {
        let figures = (any::<Option<u128>>(), any::<Option<u64>>(), any::<bool>());
        (scope(), window(), figures).prop_map(|(scope, window, (picos, tokens, open))| Limit {
            scope,
            window,
            usd: picos.map(Usd::from_picos),
            tokens,
            on_store_down: if open { OnStoreDown::Open } else { OnStoreDown::Closed },
        })
    }

    fn reserve() -> impl Strategy<Value = Record> {
        let names = (hold(), any::<[u8; 16]>(), any::<[u8; 16]>());
        let scopes = prop::collection::vec(any::<u32>().prop_map(ScopeId), 0..6);
        (names, amount(), time(), time(), scopes).prop_map(
            |((hold, run, action), amount, deadline, at, scopes)| {
                let (run, action) = (RunId::from_bytes(run), ActionId::from_bytes(action));
                Record::Reserve { hold, run, action, amount, deadline, at, scopes: scopes.into() }
            },
        )
    }

    fn record() -> impl Strategy<Value = Record> {
        prop_oneof![
            (any::<u32>(), any::<u64>()).prop_map(|(format, segment)| Record::Begin { format, segment }),
            (any::<u32>(), scope()).prop_map(|(id, scope)| Record::Name { id: ScopeId(id), scope }),
            reserve(),
            (hold(), amount(), time()).prop_map(|(hold, actual, at)| Record::Settle { hold, actual, at }),
            (hold(), time()).prop_map(|(hold, at)| Record::Sweep { hold, at }),
            (limit(), time()).prop_map(|(limit, at)| Record::SetLimit { limit, at }),
            (scope(), window()).prop_map(|(scope, window)| Record::RemoveLimit { scope, window }),
            (scope(), prop::option::of(window()), time()).prop_map(|(scope, window, at)| Record::Reset {
                scope,
                window,
                at
            }),
        ]
    }

    fn decode(bytes: &[u8]) -> (Vec<Record>, bool, u64) {
        let mut decoder = Decoder::new(bytes);
        let mut records = Vec::new();
        loop {
            match decoder.next().unwrap() {
                Next::Record(record) => records.push(record),
                Next::End => return (records, false, decoder.good),
                Next::Torn => return (records, true, decoder.good),
            }
        }
    }

    proptest! {
        #[test]
        fn records_are_read_back_as_they_were_written(records in prop::collection::vec(record(), 0..8)) {
            let mut bytes = Vec::new();
            records.iter().for_each(|record| Encoder(&mut bytes).push(record));
            prop_assert_eq!(decode(&bytes), (records, false, bytes.len() as u64));
        }

        #[test]
        fn a_changed_byte_ends_the_reading_before_its_record(
            records in prop::collection::vec(record(), 1..5),
            place in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for record in &records {
                Encoder(&mut bytes).push(record);
                ends.push(bytes.len());
            }
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            let intact = ends.iter().filter(|end| **end <= place).count();
            let (read, torn, _) = decode(&bytes);
            prop_assert!(torn);
            prop_assert_eq!(&read[..], &records[..intact]);
        }

        #[test]
        fn foreign_bytes_are_no_records(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            let (records, torn, good) = decode(&bytes);
            prop_assert_eq!((records.len(), torn, good), (0, true, 0));
        }
    }
}
