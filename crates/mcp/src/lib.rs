//! The proxy for servers of the Model Context Protocol (<https://modelcontextprotocol.io>), behind `/mcp/NAME`.
//!
//! Clients speak streamable HTTP; behind it stands a server that speaks the same, or a program that is started here and
//! speaks over its standard streams. Messages pass in both directions as they were written, also those that nobody here
//! knows; each call of a tool, and each reading of a resource, is an action that the checkpoint admits and settles, lists of
//! tools are filtered, and what a server says is looked through.
//!
//! It opens no port and knows no keys: the gateway has found out who calls. Types of the protocol are those of its official
//! SDK; its transports are not used, since they read messages into types and lose what those don't know.

mod answer;
mod batch;
mod body;
mod book;
mod client;
mod desk;
mod host;
mod judge;
mod local;
mod message;
mod metrics;
mod noted;
mod outward;
mod proxy;
mod remote;
mod screen;
mod server;
mod settings;
mod tasks;

pub use answer::refusal;
pub use body::{Body, Hold};
pub use client::{Client, ClientError};
pub use desk::{Parts, Visitor};
pub(crate) use host::Host;
pub use metrics::Metrics;
pub use proxy::{Held, Launch, MessageLimits, Proxy, ServerPlan, Visit};
pub use server::RemoteParts;
pub use settings::{Place, ServerSettings, declare};
