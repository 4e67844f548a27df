//! What an agent still wants to do, in its own words.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How far a todo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TodoStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Being done. At most one is.
    InProgress,
    /// Done.
    Completed,
}

/// One todo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Todo {
    /// Its name, unique in the list.
    pub id: Arc<str>,
    /// What is to be done.
    pub title: Arc<str>,
    /// How far it is.
    #[serde(default)]
    pub status: TodoStatus,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Arc<str>>,
    /// Whatever else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Arc<str>>,
}

impl TodoStatus {
    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

/// A list as a model is shown it, to keep it in mind.
pub(crate) fn reminder(todos: &[Todo]) -> String {
    let mut text = "<system-reminder>\nYour list of todos, as you last wrote it:\n".to_owned();
    for todo in todos {
        let _never_fails = writeln!(text, "- [{}] {}", todo.status.as_str(), todo.title);
    }
    text.push_str("Go on with it, and write it anew when something has changed.\n</system-reminder>");
    text
}

/// What is wrong with a list, if anything is: [`crate::SetTodos`] with it is refused with these words.
#[must_use]
pub fn fault(todos: &[Todo]) -> Option<String> {
    let names: BTreeSet<_> = todos.iter().map(|todo| &todo.id).collect();
    if names.len() != todos.len() {
        return Some("two todos have one id; give each its own".to_owned());
    }
    if let Some(todo) = todos.iter().find(|todo| todo.title.trim().is_empty()) {
        return Some(format!("the todo {:?} has no title", todo.id));
    }
    let under_way = todos.iter().filter(|todo| todo.status == TodoStatus::InProgress).count();
    (under_way > 1).then(|| format!("{under_way} todos are in progress; at most one can be"))
}
