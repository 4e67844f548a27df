//! The event log: written by one thread, hash-chained, verified, recovered, reported, collected.
//!
//! A run's events are lines of JSON in `<dir>/<yyyy-mm-dd>/<run>/trace.jsonl`. [`Writer`] owns the only thread that
//! writes them; everybody else holds a [`Handle`] and never waits for the disk. [`read`] gives the lines back,
//! [`verify`] says whether they are what was written, [`recover`] closes runs whose process died, [`retention`]
//! removes and compresses old ones, [`report`] makes a page of one, [`export`]
//! makes tables and spans of it, and [`replay`] steps through it. [`sign`] signs the ends of chains.
//!
//! It is not the ledger: nothing reads the log to decide anything. There is no SQL and no async runtime here; where
//! the heads of the chains are kept is somebody else's [`Heads`].
//!
//! # The chain
//!
//! ```text
//! {"v":1,"seq":0,"ts":"…","run":"…","kind":"…","action":null,"parent":null,"actor":{…},"data":{…},"prev":"…","hash":"…"}
//! ```
//!
//! `hash` is the BLAKE3 of the 64 characters of `prev` as they stand in the line, followed by the line's bytes before
//! `,"hash":`. `prev` is the `hash` of the line before; the first line's is 64 zeros. `seq` counts from 0 without
//! gaps. When a file passes [`Options::segment_bytes`] it becomes `trace.000001.jsonl` and the chain goes on in a new
//! `trace.jsonl`.

mod chain;
pub mod content;
mod data;
mod error;
mod heads;
mod layout;
mod line;
mod observer;
mod options;
mod totals;
mod writer;

pub mod export;
pub mod read;
pub mod recover;
pub mod replay;
pub mod report;
pub mod retention;
pub mod sign;
pub mod verify;

pub use error::{Error, Unavailable};
pub use heads::{Head, Heads, HeadsError, MemoryHeads, NoHeads, RunRow};
pub use observer::Observer;
pub use options::{Durability, OnUnavailable, Options};
pub use writer::{Durable, Handle, Stats, Ticket, Writer};
