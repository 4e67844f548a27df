//! The bytes that the scan stops at, and the way to the next of them.
//!
//! Every kind has one byte that none of its matches lacks and that ordinary text rarely holds: `@`, the first digit of a
//! number, the dash of `sk-`. Everything between two of them is passed over.

use super::{Selection, has_numbers};
use crate::pii::PiiKind;

/// How many bytes are looked at together.
const BLOCK: usize = 16;
/// How many bytes are looked at one by one before.
const NEAR: usize = 6;

/// The bytes that the scan stops at.
#[derive(Debug)]
pub(super) struct Anchors([u8; 256]);

impl Anchors {
    pub(super) fn new(selection: Selection) -> Self {
        let mut table = [0; 256];
        let mut mark = |bytes: &[u8]| {
            for byte in bytes {
                if let Some(entry) = table.get_mut(usize::from(*byte)) {
                    *entry = 1;
                }
            }
        };
        if selection.secrets {
            mark(b"-_=:SKJz");
        }
        if selection.secrets || has_numbers(selection.pii) {
            mark(b"0123456789");
        }
        if selection.pii.has(PiiKind::Email) {
            mark(b"@");
        }
        if selection.pii.has(PiiKind::Ip) {
            mark(b":");
        }
        Self(table)
    }

    /// The first anchor at or after `from`.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        // Anchors come in crowds: the next one is often near.
        let (near, rest) = rest.split_at(rest.len().min(NEAR));
        if let Some(offset) = near.iter().position(|byte| self.of(*byte) != 0) {
            return Some(from + offset);
        }
        let (blocks, rest) = rest.as_chunks::<BLOCK>();
        let mut at = from + near.len();
        for block in blocks {
            if block.iter().fold(0, |any, byte| any | self.of(*byte)) != 0 {
                return block.iter().position(|byte| self.of(*byte) != 0).map(|offset| at + offset);
            }
            at += BLOCK;
        }
        rest.iter().position(|byte| self.of(*byte) != 0).map(|offset| at + offset)
    }

    fn of(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or(0)
    }
}
