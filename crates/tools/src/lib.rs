//! The tools that agents call.
//!
//! A [`Tool`] has a [`Description`], which a model is shown and the engine decides by, and is called with a [`Call`]. A
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
//! use seawall_tools::{BoxFuture, Call, Description, Outcome, Registry, Tool, built_in};
//! use serde_json::json;
//!
//! #[derive(Debug)]
//! struct Greet(Description);
//!
//! impl Tool for Greet {
//!     fn description(&self) -> &Description {
//!         &self.0
//!     }
//!
//!     fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
//!         Box::pin(async move { Outcome::text(format!("Hello, {}!", call.arguments["name"])) })
//!     }
//! }
//!
//! let parameters = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
//! let greet = Greet(Description::new("greet", "Greets somebody.", parameters));
//! let mut tools = Registry::with(built_in())?;
//! tools.register(Arc::new(greet))?;
//!
//! let chosen = tools.select(["fs_*", "greet"])?;
//! assert!(chosen.get("greet").is_some() && chosen.get("bash_run").is_none());
//! assert_eq!(
//!     chosen.check("greet", &json!({ "nam": "Ann" })).unwrap_err(),
//!     "the arguments do not fit the parameters of greet, so nothing was done:\n- \"name\" is a required property"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod builtin;
mod failure;
mod http_tool;
mod place;
mod registry;
mod skills;
mod tool;

pub use bound::RESULT_BYTES;
pub use builtin::{HttpFetch, Resolver, SystemResolver, built_in, todo_tools};
pub use failure::Failure;
pub use http_tool::{HttpTool, HttpToolError, HttpToolSettings};
pub use place::{Commands, Place, PlaceError, PlaceSettings};
pub use registry::{RegisterError, Registry, SelectError};
pub use skills::{SkillError, Skills};
pub use tool::{BoxFuture, Call, Description, Outcome, Request, Tool};
