//! The agent's list of todos.

use seawall_engine::{Todo, TodoStatus};
use seawall_tools::Request;
use serde_json::json;

use crate::support::{Agent, Attempt};

#[tokio::test]
async fn writing_the_list_is_a_wish_to_the_runtime() {
    let agent = Agent::new();
    let todos = json!([{ "id": "1", "title": "test", "status": "in_progress", "notes": "soon" }]);
    let outcome = agent.outcome("todo_write", json!({ "todos": todos }), Attempt::FIRST).await;
    let expected = Todo {
        id: "1".into(),
        title: "test".into(),
        status: TodoStatus::InProgress,
        assignee: None,
        notes: Some("soon".into()),
    };
    assert_eq!(outcome.requests, [Request::SetTodos([expected].into())]);
}

#[tokio::test]
async fn a_list_that_the_engine_would_refuse_is_refused_at_once() {
    let agent = Agent::new();
    let todo = |id: &str| json!({ "id": id, "title": "test", "status": "in_progress" });
    let said = agent.error("todo_write", json!({ "todos": [todo("1"), todo("1")] })).await;
    assert!(said.contains("two todos have one id"), "{said}");
    let said = agent.error("todo_write", json!({ "todos": [todo("1"), todo("2")] })).await;
    assert!(said.contains("at most one can be"), "{said}");
}

#[tokio::test]
async fn the_list_is_shown_as_it_is() {
    let mut agent = Agent::new();
    let todo = json!({ "id": "1", "title": "test", "status": "pending" });
    agent.todos = vec![serde_json::from_value(todo.clone()).unwrap()];
    assert_eq!(agent.ok("todo_read", json!({})).await, json!({ "todos": [todo] }));
}
