//! Calls whose results come later. A server may answer a call with a task, and its client asks for the result when it is
//! there (protocol of 2025-11-25; since 2026-07-28 the extension `io.modelcontextprotocol/tasks`). The call goes on until
//! then: its permit is kept here, and settled with what the tool gave in the end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_checkpoint::tool::{ToolEnd, ToolPermit};
use seawall_types::KeyId;
use serde_json::Value;

/// So many tasks of one server may be under way. The call of one more is settled with its task, as if that were its result.
const MOST: usize = 10_000;
/// The longest name of a task, in bytes.
const LONGEST_NAME: usize = 1_024;
/// How long a task may take where the policy limits no tool's time.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What a method tells of a task, and whether that is its result.
const METHODS: [(&str, bool); 3] = [("tasks/result", true), ("tasks/get", false), ("tasks/cancel", false)];
/// A server tells of a task by itself.
pub(crate) const NOTIFICATION: &str = "notifications/tasks";

/// The tasks of one server, for whoever began them.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Mutex<HashMap<(Option<KeyId>, String), Pending>>);

#[derive(Debug)]
struct Pending {
    permit: Box<ToolPermit>,
    /// Monotonic time.
    until: Duration,
}

/// A request about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) task: String,
    /// Its answer is what the call gave, and nothing else.
    pub(crate) is_result: bool,
}

/// What is told of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It goes on.
    GoesOn,
    /// It is done, and this is told with what it gave.
    Done,
    /// It is over without a result.
    Over(&'static str),
}

impl About {
    /// The task that a request is about, if it is about one.
    pub(crate) fn of(method: Option<&str>, parameters: &Value) -> Option<Self> {
        let (_, is_result) = *METHODS.iter().find(|(known, _)| method == Some(known))?;
        let task = parameters.get("taskId").and_then(Value::as_str)?.to_owned();
        Some(Self { task, is_result })
    }
}

impl Told {
    /// Reads the state of a task.
    pub(crate) fn of(task: &Value) -> Self {
        match task.get("status").and_then(Value::as_str) {
            Some("completed") if task.get("result").is_some() => Self::Done,
            Some("failed") if task.get("error").is_some() => Self::Over("its task failed"),
            Some("cancelled") => Self::Over("its task was cancelled"),
            _ => Self::GoesOn,
        }
    }
}

/// The task that a call was answered with, if it was.
pub(crate) fn task_in(result: &Value) -> Option<&str> {
    let is_task = result.get("resultType").and_then(Value::as_str) == Some("task");
    let task = if is_task { result } else { result.get("task")? };
    task.get("taskId")?.as_str()
}

impl Tasks {
    /// Keeps the permit of a call until its task is over.
    ///
    /// # Errors
    /// When it can't be kept: it comes back.
    pub(crate) fn keep(
        &self,
        owner: Option<KeyId>,
        task: &str,
        permit: Box<ToolPermit>,
        now: Duration,
    ) -> Result<(), Box<ToolPermit>> {
        use std::collections::hash_map::Entry;
        let mut tasks = self.lock();
        if tasks.len() >= MOST || task.len() > LONGEST_NAME {
            return Err(permit);
        }
        let until = now.saturating_add(permit.time_limit().unwrap_or(LONGEST));
        match tasks.entry((owner, task.to_owned())) {
            Entry::Occupied(_) => Err(permit),
            Entry::Vacant(place) => {
                place.insert(Pending { permit, until });
                Ok(())
            }
        }
    }

    /// The permit of a task that is over.
    pub(crate) fn take(&self, owner: Option<KeyId>, task: &str) -> Option<Box<ToolPermit>> {
        self.lock().remove(&(owner, task.to_owned())).map(|pending| pending.permit)
    }

    /// Settles the calls whose time is up; gives how many those are.
    pub(crate) fn tidy(&self, now: Duration) -> usize {
        let late: Vec<Pending> =
            self.lock().extract_if(|_, pending| pending.until <= now).map(|(_, pending)| pending).collect();
        let count = late.len();
        for Pending { permit, .. } in late {
            let _it_gave_nothing = permit.settle(ToolEnd::TimedOut, None);
        }
        count
    }

    /// Settles all calls: nobody hears of their tasks any more.
    pub(crate) fn close(&self) {
        for (_, Pending { permit, .. }) in std::mem::take(&mut *self.lock()) {
            let _it_gave_nothing = permit.settle(ToolEnd::Failed("its task was under way at the end"), None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Option<KeyId>, String), Pending>> {
        // A map is never half-changed by what is done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_tasks_are_read() {
        for (result, task) in [
            (json!({ "task": { "taskId": "a", "status": "working" } }), Some("a")),
            (json!({ "resultType": "task", "taskId": "b", "status": "working" }), Some("b")),
            (json!({ "content": [], "taskId": "c" }), None),
            (json!({ "task": "d" }), None),
        ] {
            assert_eq!(task_in(&result), task, "{result}");
        }
        for (task, told) in [
            (json!({ "status": "working" }), Told::GoesOn),
            (json!({ "status": "completed" }), Told::GoesOn),
            (json!({ "status": "completed", "result": {} }), Told::Done),
            (json!({ "status": "failed", "error": {} }), Told::Over("its task failed")),
            (json!({ "status": "cancelled" }), Told::Over("its task was cancelled")),
        ] {
            assert_eq!(Told::of(&task), told, "{task}");
        }
    }
}
