//! Configuration: one declaration, many outputs.
//!
//! The keys of the product are declared once, by a function that reads them from a [`Reader`]. Run over a
//! [`Document`] it gives the typed configuration or all errors at once ([`read`]) and every effective value with its
//! origin ([`show`]); run over nothing it gives a JSON Schema ([`schema`]) and the list of keys for the documentation
//! ([`keys`]).
//!
//! A document is made of layers, each over the one before: built-in defaults, `defaults.*`, `<environment>.*`,
//! environment variables, flags. This crate knows no key of the product and changes nothing outside of itself.
//!
//! ```
//! use seawall_config::{Document, Reader, read};
//! use serde_json::json;
//!
//! fn declare(reader: &mut Reader<'_>) -> (String, u64) {
//!     reader.section("gateway", "The proxy.", |gateway| {
//!         (
//!             gateway.text("listen", "Address and port.", "127.0.0.1:8000"),
//!             gateway.integer("in_flight", "Requests at the same time.", 1000, 1..=100_000),
//!         )
//!     })
//! }
//!
//! let document = Document::from_value(&json!({ "gateway": { "lisen": "[::]:80" } }));
//! let errors = read(&document, declare).unwrap_err();
//! assert_eq!(errors.to_string(), "configuration: gateway.lisen: unknown key; did you mean gateway.listen?");
//! ```

mod declaration;
mod document;
mod environment;
mod error;
mod hint;
mod kind;
mod layer;
mod node;
mod outcome;
mod parse;
mod reader;
mod reference;
pub mod units;
mod withhold;

pub use declaration::KeyDoc;
pub use document::{Document, Sources};
pub use environment::Environment;
pub use error::{ConfigError, Errors};
pub use hint::nearest;
pub use node::Origin;
pub use outcome::{Entry, attempt, keys, read, schema, show};
pub use reader::Reader;
