//! Puts the tools of a program behind the checkpoint, without a server.
//!
//! [`run`] begins a [`Run`]: a policy, a sandbox folder, budgets and a trace in the data folder, which any number of
//! processes may share. Each call of a tool is [admitted](Run::admit), performed with the arguments that the policy
//! decided on, and [settled](Admitted::settle); [`Run::call`] does all three, and [`guard`] makes a function do so.
//!
//! ```no_run
//! use std::path::PathBuf;
//! use seawall_guard as seawall;
//! use seawall::RunOptions;
//!
//! #[seawall::guard]
//! fn write_file(path: PathBuf, content: String) -> std::io::Result<()> {
//!     std::fs::write(path, content)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = seawall::run(RunOptions::policy("fs_safe").sandbox("./data").max_cost_usd("5.00".parse()?))?;
//! write_file("test.txt".into(), "hello".to_owned())??; // lands in ./data, admitted, traced
//! println!("{}", ctx.report(seawall::ReportFormat::Markdown)?);
//! # Ok(())
//! # }
//! ```
//!
//! It is not a sandbox: what a tool does beyond its arguments is held by the kernel only where the tool runs in a
//! [confined process](Admitted::run_isolated). It performs no tool by itself and knows no wire format.
//!
//! # For bindings
//!
//! A binding to another language begins runs with [`Run::begin`], which looks at no thread's current run, and calls
//! [`Run::admit`] and [`Admitted::settle`]: one call each, no thread is changed, arguments and results are
//! [`serde_json::Value`]s that nothing turns into text and back. [`Admitted::observe`] judges what a tool is seen to do.

mod admitted;
mod call;
pub mod confinement;
mod current;
mod error;
mod home;
mod isolated;
mod observed;
mod options;
mod people;
mod policy;
mod report;
mod resolver;
mod run;
mod spend;

pub use admitted::Admitted;
pub use call::Call;
pub use current::{Entered, current};
pub use error::{ApprovalRequired, BudgetExceeded, CallError, Error, PolicyDenied};
pub use isolated::Isolated;
pub use observed::Seen;
pub use options::{RunOptions, TraceChoice, TraceContent};
pub use people::Patience;
pub use policy::{PolicyChoice, PolicySource};
pub use report::ReportFormat;
pub use resolver::SystemResolver;
pub use run::{Run, run};
pub use seawall_checkpoint::tool::{Resolver, Settled, ToolEnd};
pub use seawall_checkpoint::{Answer, ApprovalRequest, Approver, Binding};
pub use seawall_macros::guard;
pub use seawall_policy::{Declared, Replacement};
pub use seawall_types::{ActionId, ApprovalId, Code, Effect, Finding, RunId, Usd};

#[doc(hidden)]
pub mod generated;
