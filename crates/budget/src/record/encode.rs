//! Records to bytes.

use seawall_types::{Amount, Scope, Usd};

use super::{EVERY_WINDOW, Record, checksum, window_to_byte};
use crate::limit::{Limit, OnStoreDown};

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
