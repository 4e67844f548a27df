//! Another list of todos.

use std::sync::Arc;

use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{Todo, todo};

/// Put this list in the place of the one there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTodos {
    /// All of them.
    pub todos: Arc<[Todo]>,
}

impl SetTodos {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if let Some(fault) = todo::fault(&self.todos) {
            return Err(Refused::Invalid(fault));
        }
        if *draft.agent.todos() == *self.todos {
            return Ok(());
        }
        let previous = draft.agent.todos().into();
        draft.record(Fact::TodosChanged { current: self.todos, previous })
    }
}
