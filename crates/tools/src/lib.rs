//! The tools that agents call.
//!
//! A [`Tool`] has a [`Description`], which a model is shown and the engine decides by, and is called with a [`Call`]; the
//! attribute [`tool`](macro@tool) makes one of an async function. A
//! [`Registry`] knows tools by their names: it refuses arguments that don't fit before anything happens, ends what runs
//! longer than it may, and bounds what comes back. [`built_in`] are those that every agent can be given, [`Skills`] and
//! [`HttpFetch`] bring more, and [`HttpTool`] is one that a template declares as a URL.
//!
//! What a tool touches it touches through the [`Place`] of its agent: files beneath a root, commands that the kernel
//! confines, addresses that were judged. Whether a call is allowed at all was decided before (by the engine, the policy, a
//! person); nothing here asks anybody. Nothing here knows a model, a store or an event either: what a call changes of the
//! agent itself, such as its todos, comes back as a [`Request`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use schemars::JsonSchema;
//! use seawall_tools::{Call, Registry, built_in, tool};
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! /// How soon somebody looks at it.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "lowercase")]
//! enum Priority {
//!     /// Today.
//!     High,
//!     /// This week.
//!     Low,
//! }
//!
//! #[derive(Serialize)]
//! struct Ticket {
//!     number: u64,
//! }
//!
//! /// Opens a ticket, and gives its number.
//! #[tool(effect = "keyed", timeout = "10s", means(title = "text"))]
//! async fn open_ticket(
//!     /// What it is about, in a line.
//!     title: String,
//!     priority: Option<Priority>,
//!     call: &Call<'_>,
//! ) -> Result<Ticket, std::io::Error> {
//!     println!("{}: {title}, {}", call.key, if let Some(Priority::High) = priority { "now" } else { "soon" });
//!     Ok(Ticket { number: 7 })
//! }
//!
//! let mut tools = Registry::with(built_in())?;
//! tools.register(Arc::new(OpenTicket))?;
//!
//! let chosen = tools.select(["fs_*", "open_ticket"])?;
//! let parameters = &chosen.get("open_ticket").ok_or("is there")?.description().parameters;
//! assert_eq!(parameters["properties"]["title"]["description"], "What it is about, in a line.");
//! assert_eq!(parameters["required"], json!(["title"]));
//! assert_eq!(
//!     chosen.check("open_ticket", &json!({ "titel": "Rain" })).unwrap_err(),
//!     "the arguments do not fit the parameters of open_ticket, so nothing was done:\n\
//!      - Additional properties are not allowed ('titel' was unexpected); did you mean title?\n\
//!      - \"title\" is a required property"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod builtin;
mod failure;
#[doc(hidden)]
pub mod generated;
mod http_tool;
mod place;
mod registry;
mod skills;
mod tool;

pub use bound::RESULT_BYTES;
pub use builtin::{HttpFetch, Resolver, SystemResolver, built_in, todo_tools};
pub use failure::Failure;
pub use http_tool::{HttpTool, HttpToolError, HttpToolSettings};
pub use place::{ChangedFile, Commands, Look, Place, PlaceError, PlaceSettings};
pub use registry::{RegisterError, Registry, SelectError};
pub use seawall_macros::tool;
pub use skills::{SkillError, Skills};
pub use tool::{BoxFuture, Call, Description, Outcome, Request, Tool};
