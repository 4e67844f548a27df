//! What the tests share: servers, clients, upstreams.

pub(crate) mod format;
pub(crate) mod metrics;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod upstream;
