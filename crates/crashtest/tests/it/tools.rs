//! Tools of every kind that tell a witness what they do, before they say so to anybody.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Block, EffectClass, Found, ToolResult, ToolSpec};
use seawall_tools::{BoxFuture, Call, Description, Outcome, Registry, Tool};
use serde_json::json;

use crate::stage::Shifted;
use crate::witness::{Line, Witness};

/// How long a tool takes after its effect, so that there is time to die in.
const TAKES: Duration = Duration::from_millis(2);

/// What all tools of a life share.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) witness: Arc<Witness>,
    pub(crate) clock: Arc<Shifted>,
    pub(crate) jumps: Vec<(u64, i64)>,
    /// A tool by its number, and what it waits for.
    pub(crate) gate: Option<(u64, PathBuf)>,
}

#[derive(Debug)]
struct Witnessed {
    description: Description,
    shop: Arc<Workshop>,
}

/// One of each kind, and one that people are asked about.
pub(crate) fn registry(shop: &Arc<Workshop>) -> Registry {
    let kinds = [
        ("pure", EffectClass::Pure),
        ("idempotent", EffectClass::Idempotent),
        ("keyed", EffectClass::Keyed),
        ("reconcilable", EffectClass::Reconcilable),
        ("unsafe", EffectClass::Unsafe),
        ("asked", EffectClass::Unsafe),
    ];
    let tools = kinds.map(|(name, effect)| {
        let parameters = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
        let spec = ToolSpec { effect, ..ToolSpec::default() };
        let description = Description { spec, ..Description::new(name, "tells a witness", parameters) };
        Arc::new(Witnessed { description, shop: Arc::clone(shop) }) as Arc<dyn Tool>
    });
    Registry::with(tools).unwrap()
}

impl Tool for Witnessed {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (attempt, epoch) = (call.attempt, call.epoch);
            let (tool, name, key) =
                (self.description.name.to_string(), call.id.to_string(), call.key.to_owned());
            self.shop.witness.tell(&Line::Ran { tool, call: name, key, attempt, epoch });
            let number = call.arguments["n"].as_u64().unwrap();
            for (_, seconds) in self.shop.jumps.iter().filter(|(at, _)| *at == number) {
                self.shop.clock.jump(*seconds);
            }
            tokio::time::sleep(TAKES).await;
            if let Some((_, gate)) = self.shop.gate.as_ref().filter(|(at, _)| *at == number) {
                while !fs::exists(gate).unwrap() {
                    tokio::time::sleep(TAKES).await;
                }
            }
            Outcome::text(format!("did {number}"))
        })
    }

    /// The witness is the other system: what it has heard of was done.
    fn reconcile<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let told = self.shop.witness.so_far();
            let was_done = told.iter().any(|line| matches!(line, Line::Ran { key, .. } if key == call.key));
            let (name, key) = (call.id.to_string(), call.key.to_owned());
            self.shop.witness.tell(&Line::Reconciled { call: name, key, was_done });
            if !was_done {
                return Found::NotDone;
            }
            let content = [Block::text(format!("did {}", call.arguments["n"]))].into();
            Found::Done { result: ToolResult { content, is_error: false } }
        })
    }
}
