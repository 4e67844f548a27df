//! Data from a sensitive source that shows up again on its way out.
//!
//! What a sensitive source gave is remembered as fingerprints, never as text: hashes of overlapping pieces, of which every
//! window keeps the smallest ("winnowing", Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003). Two texts that share
//! [`SHORTEST`] bytes share a fingerprint; case and white space don't count. A text is looked at as it is, and as what it
//! decodes to from base64, hexadecimal, percent encoding and JSON escapes, two layers deep.
//!
//! It is no proof: a model can put what it read into its own words. What is shorter than [`SHORTEST`] is not remembered
//! (a password alone is for the detector of secrets), and neither are runs of few different characters (`-----`, `0000`),
//! which are everywhere.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use seawall_types::{Code, Severity};

use crate::Found;

mod fingerprints;
mod forms;

pub use fingerprints::SHORTEST;
use fingerprints::fingerprints;
pub use forms::Form;

/// So many fingerprints are kept by default: those of about 300 KB of text, in about 3 MB.
pub const DEFAULT_CAPACITY: usize = 1 << 16;

/// What one run has read from sensitive sources. Its memory is bounded; when it is full, the oldest is forgotten.
#[derive(Debug)]
pub struct Taint {
    capacity: usize,
    /// Fingerprint to the source that it was first seen in.
    known: HashMap<u64, Arc<str>, BuildHasherDefault<AsItIs>>,
    /// The fingerprints by age.
    oldest_first: VecDeque<u64>,
    forgotten: u64,
}

/// Something that was read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Where it was read.
    pub source: Arc<str>,
    /// How it is written now.
    pub form: Form,
}

impl Default for Taint {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl Taint {
    /// Keeps at most so many fingerprints; a text has about one for each five bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { capacity, known: HashMap::default(), oldest_first: VecDeque::new(), forgotten: 0 }
    }

    /// Remembers what was read from `source`.
    pub fn remember(&mut self, source: &str, bytes: &[u8]) {
        let mut name: Option<Arc<str>> = None;
        fingerprints(bytes, |fingerprint| {
            if !self.known.contains_key(&fingerprint) {
                let name = name.get_or_insert_with(|| source.into());
                self.keep(fingerprint, Arc::clone(name));
            }
            false
        });
    }

    fn keep(&mut self, fingerprint: u64, source: Arc<str>) {
        self.known.insert(fingerprint, source);
        self.oldest_first.push_back(fingerprint);
        if self.oldest_first.len() > self.capacity
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
            self.forgotten += 1;
        }
    }

    /// Whether a part of `bytes` was read before: every part of at least [`SHORTEST`] bytes (white space apart) is found
    /// as long as it isn't forgotten. Unrelated text is taken for a part of what was read once in about a million
    /// megabytes.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<Leak> {
        if self.known.is_empty() {
            return None;
        }
        forms::each_form(bytes, |form, bytes| {
            let mut source = None;
            fingerprints(bytes, |fingerprint| {
                source = self.known.get(&fingerprint).cloned();
                source.is_some()
            });
            source.map(|source| Leak { source, form })
        })
    }

    /// How many fingerprints were forgotten because the memory is full. While it is zero, nothing has been missed.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Leak {
    /// The finding about an action that holds it.
    #[must_use]
    pub fn found(&self) -> Found {
        Found {
            code: Code::TaintLeak,
            severity: Severity::High,
            message: format!(
                "a part of what was read from {:?} is on its way out, {}",
                self.source,
                self.form.says()
            ),
            remedy: "leave that part out, or let a person approve it".to_owned(),
        }
    }
}

/// Takes a fingerprint for its own hash: it is one.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}
