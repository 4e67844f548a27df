//! The HTTP server: listening, worker threads, our own API, health, metrics, reload and drain.
//!
//! One thread accepts connections and deals them out; each worker thread runs its own single-threaded runtime with its
//! own connections to upstreams, so that a request never changes threads. Requests on providers' paths go to the
//! [gateway](seawall_gateway), everything else to the routes of `api`. Nothing here decides on an action.

mod access;
mod agent_metrics;
mod api;
mod app;
mod busy_poll;
mod connection;
mod drain;
mod listener;
mod metrics_port;
mod notify;
mod problem;
mod process;
mod service;
mod socket;
mod state_file;
mod times;
mod worker;

pub use api::openapi;
pub use app::{App, AppParts, ReloadOutcome, Reloader};
pub use drain::Drained;
pub use listener::{BindError, MetricsPlace, Server, ServerSettings};
pub use notify::Notifier;
pub use state_file::{ServerState, StateFileError};
