//! Performing effects: what the engine wants done in the world, one file each. What comes of it goes back as a command.
//!
//! Each may be dropped at any moment, because somebody interrupted the agent, because it is held elsewhere, or because what it
//! was begun for could not be written; then whatever was begun ends with it.

mod bill;
mod compress;
mod conversation;
mod deliver;
mod hooked;
mod judge;
mod listen;
mod model;
pub(crate) mod plan;
mod review;
mod shown;
mod tool;
mod watch;

use std::sync::Arc;

use seawall_base::tasks;
use seawall_engine::Effect;

use crate::holder::Begun;
use crate::session::Session;

pub(crate) use judge::is_judged_alone;
pub(crate) use shown::Shown;

/// Performs one effect, tells the holder what came of it, and then that it has ended: also where it broke off by a panic.
pub(crate) async fn perform(session: Arc<Session>, begun: Begun, effect: Effect) {
    let performing = tasks::caught(perform_well(Arc::clone(&session), effect));
    if let Err(panic) = performing.await {
        tracing::error!(agent = %session.agent, reason = panic.message(), "performing an effect panicked");
    }
    session.ended(begun).await;
}

async fn perform_well(session: Arc<Session>, effect: Effect) {
    match effect {
        Effect::CallModel { step, attempt, retries, not_before, messages } => {
            model::call(&session, model::Call { step, attempt, retries, not_before, messages }).await;
        }
        Effect::Judge { call, tool, arguments, approved } => {
            judge::judge(&session, judge::Asked { call, tool, arguments, approved }).await;
        }
        Effect::RunTool { call, tool, arguments, attempt, approved, key, .. } => {
            tool::run(&session, tool::Run { call, tool, arguments, attempt, approved, key }).await;
        }
        Effect::Reconcile { call, tool, arguments, attempt, key } => {
            let approved = None;
            tool::reconcile(&session, tool::Run { call, tool, arguments, attempt, approved, key }).await;
        }
        Effect::Review { call, tool, result } => review::review(&session, call, &tool, result).await,
        Effect::Compress { id, messages, replaces } => {
            compress::compress(&session, id, &messages, replaces).await;
        }
        Effect::PlanSchedule { id, spec } => plan::plan(&session, id, &spec).await,
        Effect::Deliver { said, to, message, content } => {
            deliver::deliver(&session, deliver::Post { said, to, message, content }).await;
        }
        Effect::WatchFiles { id, pattern, text, since } => {
            watch::watch(&session, watch::Watch { id, pattern, text, since }).await;
        }
        // The store has the question, the holder has the time, and what is dropped is stopped.
        Effect::AskApproval { .. } | Effect::WakeAt { .. } | Effect::Abort { .. } => {}
    }
}
