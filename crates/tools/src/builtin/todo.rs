//! `todo_read` and `todo_write`: what the agent still wants to do. The list is the agent's own state; writing it is a wish
//! that the runtime fulfils.

use std::sync::Arc;

use seawall_engine::{EffectClass, Todo, todo_fault};
use serde::Deserialize;
use serde_json::json;

use super::{FILE_TIME, described, read, spec};
use crate::{BoxFuture, Call, Description, Outcome, Request, Tool};

/// Shows the list.
#[derive(Debug)]
pub(super) struct TodoRead {
    description: Description,
}

/// Puts another list in its place.
#[derive(Debug)]
pub(super) struct TodoWrite {
    description: Description,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    todos: Vec<Todo>,
}

impl TodoRead {
    pub(super) fn new() -> Self {
        let parameters = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let spec = spec(EffectClass::Pure, false, FILE_TIME);
        Self { description: described("todo_read", "Shows your list of todos.", parameters, spec) }
    }
}

impl TodoWrite {
    pub(super) fn new() -> Self {
        let text = |description: &str| json!({ "type": "string", "description": description });
        let parameters = json!({
            "type": "object",
            "properties": {
                "todos": {
                    "type": "array", "maxItems": 200,
                    "description": "The whole list, in the place of the one there is",
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": { "type": "string", "minLength": 1, "description": "Its name, once in the list" },
                            "title": { "type": "string", "minLength": 1, "description": "What is to be done" },
                            "status": {
                                "type": "string", "enum": ["pending", "in_progress", "completed"],
                                "description": "How far it is; at most one is in_progress"
                            },
                            "assignee": text("Who does it"),
                            "notes": text("Whatever else"),
                        },
                        "required": ["id", "title", "status"],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["todos"],
            "additionalProperties": false,
        });
        let description =
            "Writes your list of todos: all of it, also what has not changed. For work of several steps.";
        // It changes nothing but the agent's own notes, which one that is read-only keeps too.
        let spec = spec(EffectClass::Idempotent, false, FILE_TIME);
        let description = described("todo_write", description, parameters, spec);
        Self { description: description.texts(&["todos"]) }
    }
}

impl Tool for TodoRead {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::json(&json!({ "todos": call.todos }))))
    }
}

impl Tool for TodoWrite {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(match read::<Written>(call.arguments) {
            Ok(Written { todos }) => {
                if let Some(fault) = todo_fault(&todos) {
                    return Box::pin(std::future::ready(Outcome::error(fault)));
                }
                let todos: Arc<[Todo]> = todos.into();
                let mut outcome = Outcome::json(&json!({ "ok": true, "count": todos.len() }));
                outcome.requests.push(Request::SetTodos(todos));
                outcome
            }
            Err(failure) => failure.into(),
        }))
    }
}
