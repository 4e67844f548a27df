//! The responses that can be asked for again. In memory and bounded: the oldest are forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use serde_json::{Value, json};

use crate::sim::refusal::Refusal;
use crate::sim::scene::{Reply, set};

/// How many responses are kept.
const KEPT: usize = 256;

/// A response with what led to it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(super) resource: Value,
    pub(super) input: Vec<Arc<Value>>,
    /// Everything that a next response would go on from.
    pub(super) conversation: Vec<Arc<Value>>,
}

/// The responses that are kept.
#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Stored>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl Store {
    pub(crate) fn put(&self, stored: Stored) {
        let Some(id) = stored.resource.get("id").and_then(Value::as_str).map(str::to_owned) else { return };
        let mut kept = self.lock();
        if kept.by_id.insert(id.clone(), stored).is_none() {
            kept.order.push_back(id);
        }
        while kept.order.len() > KEPT {
            if let Some(oldest) = kept.order.pop_front() {
                kept.by_id.remove(&oldest);
            }
        }
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    pub(super) fn conversation(&self, id: &str) -> Option<Vec<Arc<Value>>> {
        self.lock().by_id.get(id).map(|stored| stored.conversation.clone())
    }

    /// The response itself.
    pub(crate) fn get(&self, id: &str) -> Result<Reply, Refusal> {
        self.reply(id, |stored| stored.resource.clone())
    }

    /// The response, as it is: simulated ones are complete at once, so there is nothing left to cancel. One that was
    /// asked for in the background is marked.
    pub(crate) fn cancel(&self, id: &str) -> Result<Reply, Refusal> {
        let mut kept = self.lock();
        let stored = kept.by_id.get_mut(id).ok_or_else(|| unknown(id))?;
        if stored.resource.get("background").and_then(Value::as_bool) == Some(true) {
            set(&mut stored.resource, "status", Some(json!("cancelled")));
        }
        Ok(Reply::json(&stored.resource))
    }

    /// The items that the request brought, newest first unless `ascending`.
    pub(crate) fn input_items(&self, id: &str, ascending: bool) -> Result<Reply, Refusal> {
        self.reply(id, |stored| {
            let mut items = stored.input.clone();
            if !ascending {
                items.reverse();
            }
            let item_id = |item: Option<&Arc<Value>>| item.and_then(|item| item.get("id").cloned());
            json!({
                "object": "list",
                "data": items,
                "first_id": item_id(items.first()),
                "last_id": item_id(items.last()),
                "has_more": false,
            })
        })
    }

    /// Forgets the response.
    pub(crate) fn delete(&self, id: &str) -> Result<Reply, Refusal> {
        let mut kept = self.lock();
        kept.by_id.remove(id).ok_or_else(|| unknown(id))?;
        kept.order.retain(|other| other != id);
        Ok(Reply::json(&json!({"id": id, "object": "response", "deleted": true})))
    }

    fn reply(&self, id: &str, read: impl FnOnce(&Stored) -> Value) -> Result<Reply, Refusal> {
        self.lock().by_id.get(id).map(|stored| Reply::json(&read(stored))).ok_or_else(|| unknown(id))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("response with id '{id}' not found"))
}
