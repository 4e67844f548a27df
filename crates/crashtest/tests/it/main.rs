//! What durable agents promise, held against processes that are killed, frozen and starved.
//!
//! ```text
//!   parent: kills, freezes, fills disks ──► child: a real runtime on a real store, with a client that plays a story
//!      │                                        │ tells before it goes on
//!      ▼                                        ▼
//!   promises ◄──────────────────────────── witness: files that only grow
//! ```
//!
//! A child is this same program: an ignored test that is run by name and told its part by its input. `SEAWALL_LONG=1` makes
//! it every boundary on both sides and a thousand random points for each store, `SEAWALL_POINTS` any number of them;
//! `SEAWALL_SEED` repeats one story that failed.
//!
//! What survives a machine that loses power is not tried here: that is for the disk and the database to keep.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test panics when something is not as claimed and tells its figures; its environment says how long it may take"
)]

mod boundaries;
mod child;
mod clocks;
mod database;
mod disk;
mod doomed;
mod frozen;
mod life;
mod model;
mod outages;
mod plan;
mod process;
mod promises;
mod random;
mod requests;
mod rooms;
mod stage;
mod story;
mod tools;
mod witness;

/// Whether there is time for all of it.
fn is_long() -> bool {
    std::env::var_os("SEAWALL_LONG").is_some()
}
