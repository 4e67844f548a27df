//! What an agent still wants to do, in its own words.

use std::collections::BTreeSet;
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
