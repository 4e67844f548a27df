//! The tools that every agent can be given. A file each.

mod bash_kill;
mod bash_logs;
mod bash_run;
mod blocking;
mod edits;
mod fs_edit;
mod fs_glob;
mod fs_grep;
mod fs_multi_edit;
mod fs_read;
mod fs_write;
mod http_fetch;
mod journal;
mod replacing;
mod todo;

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{EffectClass, ToolSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Description, Failure, Tool};
pub(crate) use bash_run::attended;
pub(crate) use fs_glob::Sought;
pub use http_fetch::{HttpFetch, Resolver, SystemResolver};

/// The tools that need nothing but a place. Those that need more are made one by one.
#[must_use]
pub fn built_in() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(bash_kill::BashKill::new()),
        Arc::new(bash_logs::tool()),
        Arc::new(bash_run::BashRun::new()),
        Arc::new(fs_edit::tool()),
        Arc::new(fs_glob::tool()),
        Arc::new(fs_grep::tool()),
        Arc::new(fs_multi_edit::tool()),
        Arc::new(fs_read::tool()),
        Arc::new(fs_write::tool()),
        Arc::new(todo::TodoRead::new()),
        Arc::new(todo::TodoWrite::new()),
    ]
}

/// The tools that an agent keeps its list of todos with.
#[must_use]
pub fn todo_tools() -> [Arc<dyn Tool>; 2] {
    [Arc::new(todo::TodoRead::new()), Arc::new(todo::TodoWrite::new())]
}

/// How long a tool may take that only looks at files or changes some.
const FILE_TIME: Duration = Duration::from_mins(1);

/// What running the tool does.
pub(crate) fn spec(effect: EffectClass, mutates: bool, timeout: Duration) -> ToolSpec {
    ToolSpec { effect, mutates: Some(mutates), timeout, ..ToolSpec::default() }
}

pub(crate) fn described(name: &str, description: &str, parameters: Value, spec: ToolSpec) -> Description {
    Description { spec, ..Description::new(name, description, parameters) }
}

/// The arguments as the tool knows them. They fit its schema, so this fails only where the two say different things.
pub(crate) fn read<A: DeserializeOwned>(arguments: &Value) -> Result<A, Failure> {
    A::deserialize(arguments).map_err(|error| Failure::new(format!("the arguments can't be read: {error}")))
}
