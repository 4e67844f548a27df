//! Policies: what is written becomes an immutable compiled object that judges actions.
//!
//! [`load`] reads a preset or a file with all that it begins with, [`PolicyFile::compile`] makes a [`Policy`] of it, and
//! [`Policy::judge`] says what is to happen with one call of a tool, and why. Nothing here performs an action or keeps what
//! happened: budgets, traces and approvals are the checkpoint's, and what a run did before comes in as its [`FlowState`].
//!
//! ```
//! use seawall_policy::{Asked, Declared, Performer, PolicyFile, Setting};
//! use seawall_types::{Actor, Mode, Verdict};
//! use serde_json::json;
//!
//! let written = json!({ "tools": [{ "name": "payments.refund", "verdict": "ask", "when": "args.amount_usd > 50" }] });
//! let document = seawall_config::Document::from_value(&written);
//! let file = seawall_config::read(&document, PolicyFile::declare)?;
//! let setting = Setting { mode: Mode::Strict, folder: std::path::Path::new("/srv/work"), sandbox: None };
//! let policy = file.compile(&setting, "example");
//!
//! let (args, actor) = (json!({ "amount_usd": 80 }), Actor::default());
//! let asked =
//!     Asked { tool: "payments.refund", args: &args, effects: &Declared::Nothing, actor: &actor, run: "", flow: None, performer: Performer::Us };
//! assert_eq!(policy.judge(&asked).verdict, Verdict::Ask);
//! # Ok::<(), seawall_config::Errors>(())
//! ```

mod asked;
mod decision;
mod drift;
mod file;
mod flow;
mod judge;
mod judgement;
pub mod load;
mod parameters;
mod place;
mod pointer;
mod policy;
mod presets;
mod text;
mod tool;
mod when;

pub use asked::{Asked, Declared, Meaning, Performer};
pub use decision::{Decision, Replacement};
pub use drift::{Novelty, NoveltyKind, Pace, Profile, ProfileBuilder, ProfileError};
pub use file::{PolicyFile, Setting};
pub use flow::FlowState;
pub use judge::rule_of;
pub use judgement::Judgement;
pub use policy::{Policy, PolicyLimits};
pub use presets::{PRESETS, Preset};
pub use text::{TextDecision, TextRules};
pub use when::{Condition, Facts, LONGEST_LIST, ParseConditionError, UndecidedError};
