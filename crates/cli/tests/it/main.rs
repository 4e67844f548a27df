//! What the binary promises, seen from outside: its processes, its ports, its files.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is to panic when something is not as claimed"
)]

mod agent_servers;
mod agent_templates;
mod agents;
mod approvals;
mod asking;
mod bad_bodies;
mod bad_connections;
mod bad_heads;
mod bodies;
mod breaker;
mod budgets;
mod busy_polling;
mod cache;
mod callers;
mod cassettes;
mod charges;
mod commands;
mod contents;
mod contract;
mod conversing;
mod crashes;
mod disk_full;
mod documents;
mod drain;
mod drift;
mod examples;
mod exec;
mod exporting;
mod faults;
mod first_run;
mod guards;
mod hang_ups;
mod headers;
mod imports;
mod jwt;
mod key_policies;
mod live;
mod long_history;
mod machines;
mod mcp;
mod mcp_asking;
mod metrics_page;
mod notify;
mod operators;
mod pass_through_usage;
mod policy;
mod rates;
mod refused_start;
mod reload;
mod replaying;
mod retrying;
mod routing;
mod secrets;
mod signing;
mod stores;
mod support;
mod timeouts;
mod traces;
mod walls;
mod websocket;
