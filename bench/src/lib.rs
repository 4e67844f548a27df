//! What the benches need: [`provider`], a stand-in for an upstream that costs next to nothing, and [`load`], a load
//! generator. Nothing here is part of the product, and nothing here knows which gateway stands in between.
//!
//! Both programs read the same monotonic clock, so a time that the provider puts into an event can be compared with the
//! time at which the generator reads it, on one machine.

pub mod agents;
pub mod load;
pub mod process;
pub mod provider;
pub mod quantiles;
pub mod stamp;
