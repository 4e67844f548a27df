//! Attributes of functions: `guard` puts one behind the checkpoint, `tool` makes a tool of agents of one.
//!
//! What they make calls `seawall_guard::generated` and `seawall_tools::generated`; nothing is decided here.

mod guard;
mod tool;

use proc_macro::TokenStream;

/// Puts a function behind the checkpoint: a call is admitted by the run that is current on its thread, performed with the
/// arguments that the policy decided on, and settled with what it gave.
///
/// The function gives `Result<R, seawall_guard::Error>` where it gave `R`; a failure of its own stays inside of `R`. Its
/// arguments are owned and can be written and read by serde, since the policy may replace them: a relative path becomes
/// the one in the sandbox. What it gives is looked into where it can be, as a whole or inside of a `Result`; where the
/// policy wants to look and can't, the call is refused.
///
/// `#[guard(name = "…", cost = "0.01", effects(path = "fs_read", note = "ignore"))]`: a name other than the function's,
/// what a call costs in dollars, and what parameters are for (`fs_read`, `fs_write`, `fs_delete`, `net`, `exec`, or
/// `ignore`), where their names and values don't tell.
#[proc_macro_attribute]
pub fn guard(attributes: TokenStream, item: TokenStream) -> TokenStream {
    finish(guard::expand(attributes.into(), item.into()))
}

/// Makes a tool of agents of an async function: `async fn open_ticket(…)` stays as it is, and beside it there is
/// `struct OpenTicket`, which is a `seawall_tools::Tool` and is registered like any.
///
/// - The **description** that models read is the function's doc comment, that of an argument the comment before it.
/// - The **schema** is derived from the types of the arguments (`schemars::JsonSchema`, and `serde::Deserialize` to read them):
///   enums, nested types, what is optional and what is said of each are kept. Attributes of serde and schemars before an
///   argument hold for it: `#[serde(default)]`, `#[schemars(range(min = 1))]`. One argument `#[arguments] all: Type` takes the
///   place of all of them.
/// - A parameter of type `Call` or `&Call` is given the call: its key, its agent, its place, what cancels it.
/// - A parameter `#[state] shop: &Shop` is borrowed from a field of the struct: `OpenTicket { shop }`.
/// - It gives `Result<T, E>`: `T` is written by serde, as words where it is a text; `E` is what the model is told, by `Display`.
///
/// `#[tool(effect = "idempotent", …)]`:
///
/// - `effect`: what running a call again does, after a crash: `pure`, `idempotent`, `keyed` (the function passes the call's key
///   on), `reconcilable`, `unsafe`. Undeclared it is never run again blindly.
/// - `reconcile = function`, of a reconcilable tool: an async function of the same parameters, which gives
///   `Result<Option<T>, E>`: what a call gave that was done, nothing for one that was not, an error where nobody can tell.
/// - `name`: another name than the function's.
/// - `timeout`: how long a call may take: `500ms`, `30s`, `10m`; a minute.
/// - `means(path = "fs_read", body = "text")`: what arguments are for the policy, where their names and values don't tell:
///   `fs_read`, `fs_write`, `fs_delete`, `net`, `exec`, or `text`, whatever it looks like.
/// - `manual`: more than fits into a description; for the system prompt.
#[proc_macro_attribute]
pub fn tool(attributes: TokenStream, item: TokenStream) -> TokenStream {
    finish(tool::expand(attributes.into(), item.into()))
}

fn finish(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
