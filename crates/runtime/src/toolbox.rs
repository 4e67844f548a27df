//! The tools of an agent while it is held. Servers that were away when it was taken up may come back, and theirs with them.
//!
//! A server is asked again before anything is judged or run by its tools, so that neither goes by what is only kept in their
//! places; and when a turn begins. Nothing asks by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use seawall_engine::{Note, SetTools, Tell};
use seawall_tools::Registry;

use crate::served::{self, Asking, Served, server_of};
use crate::session::Session;

/// The tools of an agent.
#[derive(Debug)]
pub(crate) struct Toolbox {
    now: Mutex<Now>,
    /// No model was asked since all servers were asked, when the agent was taken up.
    is_new: AtomicBool,
}

#[derive(Debug)]
struct Now {
    tools: Arc<Registry>,
    /// The servers that are away, and why.
    away: BTreeMap<String, String>,
}

impl Toolbox {
    pub(crate) fn new(tools: Registry, away: BTreeMap<String, String>) -> Self {
        let now = Now { tools: Arc::new(tools), away };
        Self { now: Mutex::new(now), is_new: AtomicBool::new(true) }
    }

    /// The tools as they are now.
    pub(crate) fn tools(&self) -> Arc<Registry> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner).tools)
    }

    fn away(&self) -> Vec<String> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).away.keys().cloned().collect()
    }

    fn why_away(&self, server: &str) -> Option<String> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).away.get(server).cloned()
    }

    /// Puts what servers have brought that were asked again in the place of what was kept there. Whether any is back.
    fn renew(&self, asked: &BTreeSet<&str>, served: Served) -> bool {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let is_back = |server: &str| asked.contains(server) && !served.away.contains_key(server);
        let mut tools = (*now.tools).clone();
        tools.retain(|tool| !server_of(tool).is_some_and(is_back));
        tools.join(served.tools);
        let before = now.away.len();
        now.away.retain(|server, _| !is_back(server));
        let is_any_back = now.away.len() < before;
        // Of two who ask side by side one may have found a server that the other one has not.
        for (server, why) in served.away {
            now.away.entry(server).and_modify(|known| *known = why);
        }
        now.tools = Arc::new(tools);
        is_any_back
    }
}

/// Whether a tool is there, as far as is known: nobody has to be asked for it.
pub(crate) fn is_at_hand(session: &Session, tool: &str) -> bool {
    server_of(tool).is_none_or(|server| session.toolbox.why_away(server).is_none())
}

/// Sees to it that the server of a tool is there.
///
/// # Errors
/// What a model is told where it is still away.
pub(crate) async fn reach(session: &Session, tool: &str, asking: Asking) -> Result<(), String> {
    let Some(server) = server_of(tool) else { return Ok(()) };
    if session.toolbox.why_away(server).is_some() {
        ask_again(session, Some(server), asking).await;
    }
    match session.toolbox.why_away(server) {
        None => Ok(()),
        Some(why) => Err(served::unreached(&why)),
    }
}

/// Asks every server that is away, where a turn begins. Not those again that were asked when the agent was taken up, just now.
pub(crate) async fn reach_all(session: &Session, begins_turn: bool) {
    let is_new = session.toolbox.is_new.swap(false, Ordering::Relaxed);
    if begins_turn && !is_new && !session.toolbox.away().is_empty() {
        ask_again(session, None, Asking::Once).await;
    }
}

/// Calls side by side may ask side by side: each waits only as long as a server may take, and what is back is back for all.
async fn ask_again(session: &Session, only: Option<&str>, asking: Asking) {
    let away = session.toolbox.away();
    let asked: BTreeSet<&str> =
        away.iter().map(String::as_str).filter(|server| only.is_none_or(|only| only == *server)).collect();
    let names = Served::names_of(&session.equipment.named, &asked);
    let served = match served::select(session.shared.servers.as_ref(), &names, asking).await {
        Ok(served) => served,
        Err(why) => {
            tracing::warn!(agent = %session.agent, %why, "servers of tools can't be asked again");
            return;
        }
    };
    for what in &served.lacking {
        let message = format!("{what}; the agent goes on without it").into();
        session.report(Tell { note: Note::Error { message } }).await;
    }
    if session.toolbox.renew(&asked, served) {
        let tools = session.equipment.specs(&session.toolbox.tools());
        if let Err(why) = session.ask(SetTools { tools }).await {
            tracing::warn!(agent = %session.agent, %why, "the tools of a server that is back can't be written down");
        }
    }
}
