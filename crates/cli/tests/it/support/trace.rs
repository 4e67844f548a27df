//! Traces as they lie on the disk.

use std::collections::BTreeMap;

use seawall_types::Usd;
use serde::Deserialize;
use serde_json::Value;

use super::program::Setup;

/// One line.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) run: String,
    pub(crate) kind: String,
    pub(crate) action: Option<String>,
    pub(crate) actor: Value,
    pub(crate) data: Value,
}

impl Event {
    /// An amount of money in `data`.
    pub(crate) fn usd(&self, key: &str) -> Usd {
        let text = self.data[key].as_str().unwrap_or_else(|| panic!("no {key} in {self:?}"));
        text.parse().unwrap()
    }
}

/// All events of a state folder, each run's in their order.
#[derive(Debug, Clone)]
pub(crate) struct Trace(pub(crate) Vec<Event>);

impl Trace {
    /// Reads every run of a state folder, as far as it is written.
    pub(crate) fn of(setup: &Setup) -> Self {
        let events = setup.events();
        Self(events.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect())
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> {
        self.0.iter().filter(move |event| event.kind == kind)
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.of_kind(kind).count()
    }

    /// The events of each action, in their order.
    pub(crate) fn actions(&self) -> BTreeMap<&str, Vec<&Event>> {
        let mut actions: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in &self.0 {
            if let Some(action) = &event.action {
                actions.entry(action).or_default().push(event);
            }
        }
        actions
    }

    /// The one event of this kind about an action.
    pub(crate) fn about(&self, action: &str, kind: &str) -> Option<&Event> {
        self.0.iter().find(|event| event.kind == kind && event.action.as_deref() == Some(action))
    }

    /// What was reserved for all admitted actions.
    pub(crate) fn reserved(&self) -> Usd {
        self.of_kind("action.admitted").map(|event| event.usd("reserved_usd")).sum()
    }

    /// Asserts that no line of any run is missing, that every action has exactly one beginning, and every admitted one
    /// exactly one end; gives how many were admitted and how many denied.
    pub(crate) fn assert_complete(&self) -> (usize, usize) {
        let mut next: BTreeMap<&str, u64> = BTreeMap::new();
        for event in &self.0 {
            let due = next.entry(&event.run).or_default();
            assert_eq!(event.seq, *due, "{event:?}");
            *due += 1;
        }
        let (mut admitted, mut denied) = (0, 0);
        for (action, events) in self.actions() {
            let kinds: Vec<&str> = events
                .iter()
                .map(|event| event.kind.as_str())
                .filter(|kind| kind.starts_with("action."))
                .collect();
            match kinds[..] {
                ["action.denied"] => denied += 1,
                ["action.admitted", "action.settled" | "action.abandoned"] => admitted += 1,
                _ => panic!("action {action}: {kinds:?}"),
            }
        }
        (admitted, denied)
    }
}
