//! The store against real servers: PostgreSQL, also behind PgBouncer, which the tests start themselves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test is to panic when something is not as claimed"
)]

mod cluster;
mod crash;
mod hints;
mod people;
mod pools;
mod races;
mod schema;
mod stage;
mod tls;
mod together;

use crate::cluster::Way;

/// Every claim, spoken to directly.
mod direct {
    seawall_store::agent_conformance!(|| crate::cluster::opened(crate::Way::Direct));
}

/// Every claim, behind PgBouncer in transaction mode.
mod pooled {
    seawall_store::agent_conformance!(|| crate::cluster::opened(crate::Way::Pooled));
}
