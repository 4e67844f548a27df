//! Running a tool: admitted, performed, settled. By now its intent is in the log.

use std::sync::Arc;

use seawall_base::id;
use seawall_checkpoint::tool::{Foreseen, ToolCall, ToolEnd, ToolPermit};
use seawall_checkpoint::{Answer, ApprovalRequest, Approver, Binding as Bound, Denial};
use seawall_engine::{
    Binding, Block, CallId, Found, Reconciled, SetTodos, ToolFinished, ToolResult, ToolUnreached,
};
use seawall_policy::{Declared, Performer, Policy};
use seawall_tools::{Call, Outcome, Place, Registry, Request};
use seawall_trace::OnUnavailable;
use seawall_types::{Amount, ApprovalId, Mode, Timestamp, Usd};
use serde_json::Value;

use crate::served::Asking;
use crate::session::{JudgedBy, Session};
use crate::toolbox;

/// One run of a tool, as the engine wants it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) call: CallId,
    pub(super) tool: Arc<str>,
    pub(super) arguments: Arc<Value>,
    pub(super) attempt: u32,
    pub(super) approved: Option<Binding>,
    pub(super) key: String,
}

/// Runs a tool, and tells the holder what it gave.
pub(super) async fn run(session: &Arc<Session>, run: Run) {
    // A process that was frozen may not know yet that the agent is another's.
    if !session.member.may_begin().await {
        return;
    }
    let (call, attempt) = (run.call, run.attempt);
    session.shared.counters.tool_calls.add();
    let Some(end) = perform(session, &run).await else { return };
    if end.result.is_error {
        session.shared.counters.tool_failures.add();
    }
    let End { result, spent, is_away } = end;
    if is_away {
        session.report(ToolUnreached { call, attempt, result }).await;
    } else {
        session.report(ToolFinished { call, attempt, result, spent }).await;
    }
}

/// How a run ended.
#[derive(Debug)]
struct End {
    result: ToolResult,
    /// What others have cost that worked for it.
    spent: Option<Amount>,
    /// Because whoever does it can't be reached.
    is_away: bool,
}

impl End {
    fn away(words: impl Into<Arc<str>>) -> Self {
        Self { is_away: true, ..ToolResult::error(words).into() }
    }
}

impl From<ToolResult> for End {
    fn from(result: ToolResult) -> Self {
        Self { result, spent: None, is_away: false }
    }
}

/// What the tool gave. Nothing where it was not begun because the agent is another's.
async fn perform(session: &Arc<Session>, run: &Run) -> Option<End> {
    if let Err(words) = equipped(session, run).await {
        return Some(End::away(words));
    }
    let place = match session.place().await {
        Ok(place) => place,
        Err(why) => return Some(End::away(format!("the agent has no place to work in: {why}"))),
    };
    let (permit, arguments) = match admit(session, run).await {
        Ok(admitted) => admitted,
        Err(words) => return Some(ToolResult::error(words).into()),
    };
    // Admitting takes its time, in which the process may have been frozen too.
    if !session.member.may_begin().await {
        return None;
    }
    let outcome = call(session, run, &arguments, &place).await;
    let is_away = outcome.is_away;
    let end = heed(session, outcome).await;
    Some(End { result: settle(permit, end.result), is_away, ..end })
}

/// Sees to it that the tool is there. A call that a process has died over is waited for longer; and where there is no such tool
/// any more, or it takes other arguments by now, nobody can say what that process had done.
async fn equipped(session: &Session, run: &Run) -> Result<(), String> {
    let asking = if run.attempt > 1 { Asking::UntilBack } else { Asking::Once };
    toolbox::reach(session, &run.tool, asking).await?;
    if run.attempt > 1 { session.tools().check(&run.tool, &run.arguments) } else { Ok(()) }
}

/// The call as the tool gets to see it.
async fn call(session: &Arc<Session>, run: &Run, arguments: &Value, place: &Arc<Place>) -> Outcome {
    let todos = session.todos();
    let call = Call {
        agent: &session.agent,
        run: session.run,
        id: run.call,
        key: &run.key,
        epoch: session.epoch,
        attempt: run.attempt,
        arguments,
        todos: &todos,
        place,
        cancel: &session.ending,
    };
    session.tools().run(&run.tool, call).await
}

/// Does what the tool asks for.
async fn heed(session: &Session, outcome: Outcome) -> End {
    let mut given = End::from(outcome.result);
    for request in outcome.requests {
        let asked = match request {
            Request::SetTodos(todos) => session.ask(SetTodos { todos }).await,
            Request::Charge(amount) => {
                given.spent = Some(given.spent.unwrap_or_default().saturating_add(amount));
                Ok(())
            }
            _ => Err("this runtime can't do what the tool asks for".to_owned()),
        };
        if let Err(words) = asked {
            given.result = ToolResult::error(words);
            break;
        }
    }
    given
}

/// Asks a tool whether it had done a call whose process died, and tells the holder.
pub(super) async fn reconcile(session: &Arc<Session>, run: Run) {
    let found = match session.place().await {
        Ok(place) => {
            let todos = session.todos();
            let call = Call {
                agent: &session.agent,
                run: session.run,
                id: run.call,
                key: &run.key,
                epoch: session.epoch,
                attempt: run.attempt,
                arguments: &run.arguments,
                todos: &todos,
                place: &place,
                cancel: &session.ending,
            };
            session.tools().reconcile(&run.tool, call).await
        }
        Err(_) => Found::Unknown,
    };
    session.report(Reconciled { call: run.call, attempt: run.attempt, found }).await;
}

/// The permit of a call, with the arguments as the policy lets the tool have them. Why not, in words for the model.
async fn admit(session: &Arc<Session>, run: &Run) -> Result<(ToolPermit, Value), String> {
    let JudgedBy { policy, version } = session.policy().await?;
    let binding = Some(Binding::of(&run.tool, &run.arguments, &version));
    let judged = session.was_judged(run.call, &version);
    let people = Asked { is_settled: run.approved == binding || judged.is_some() };
    let looks_up = judged.is_none_or(|judged| judged.nowhere != binding);
    let (session, tool, arguments) = (Arc::clone(session), Arc::clone(&run.tool), Arc::clone(&run.arguments));
    let admit = move || {
        let action = id::new_action(&*session.shared.clock);
        let tools = session.tools();
        let call = described(&session, &tools, &tool, &arguments, &policy);
        let call = ToolCall { approver: Some(&people), ..call };
        session.shared.checkpoint.admit_tool(action, &call)
    };
    // A thread of its own for each call is dear: only where names are looked up on the way, which blocks.
    let admitted = if looks_up { tokio::task::spawn_blocking(admit).await } else { Ok(admit()) };
    let permit = match admitted {
        Ok(admitted) => admitted.map_err(|denial| denial.told_to_model())?,
        Err(_) => return Err("the call could not be admitted: the server ends".to_owned()),
    };
    permit.recorded().await.map_err(|denial: Denial| denial.told_to_model())?;
    let mut arguments = (*run.arguments).clone();
    permit.apply(&mut arguments);
    Ok((permit, arguments))
}

fn described<'a>(
    session: &'a Session,
    tools: &'a Registry,
    tool: &'a str,
    arguments: &'a Value,
    policy: &'a Arc<Policy>,
) -> ToolCall<'a> {
    let known = tools.get(tool);
    ToolCall {
        run: session.traced(),
        state: &session.state,
        actor: &session.actor,
        name: known.and_then(|known| known.action()).unwrap_or(tool),
        arguments,
        binding: &Bound::Arguments,
        effects: known.map_or(&Declared::Nothing, |known| &known.description().effects),
        performer: known.map_or(Performer::Us, |known| known.performer()),
        cost: Usd::ZERO,
        scopes: &session.scopes,
        policy,
        resolver: &*session.shared.resolver,
        approver: None,
        approvals: &[],
        wait_for_approval: std::time::Duration::ZERO,
        on_unavailable: if policy.mode == Mode::Strict {
            OnUnavailable::Refuse
        } else {
            OnUnavailable::Count
        },
    }
}

/// What the policy says of a call, before anything is looked up or held.
pub(super) fn foreseen(session: &Session, tool: &str, arguments: &Value, policy: &Arc<Policy>) -> Foreseen {
    let tools = session.tools();
    described(session, &tools, tool, arguments, policy).foreseen(session.shared.clock.now())
}

/// People were asked by the engine, if they had to be, before the call was begun.
#[derive(Debug)]
struct Asked {
    is_settled: bool,
}

impl Approver for Asked {
    fn ask(&self, _request: &ApprovalRequest<'_>) -> Answer {
        if self.is_settled {
            return Answer::Allowed;
        }
        let note = Some("the policy has changed since this call was judged; ask for it once more".to_owned());
        Answer::Denied { note }
    }

    fn wait(&self, _id: ApprovalId, _until: Timestamp) -> Answer {
        Answer::Denied { note: None }
    }
}

/// Looks through what the tool gave, and takes out what must not go on.
fn settle(permit: ToolPermit, result: ToolResult) -> ToolResult {
    if !permit.looks_into_result() && !permit.keeps_result() {
        let bytes = result.content.iter().map(size).fold(0, u64::saturating_add);
        return settled(permit.settle(ToolEnd::ReturnedBytes(bytes), None).map(|_| ()), result);
    }
    let is_error = result.is_error;
    let words: Vec<Value> =
        result.content.iter().filter_map(words).map(|text| Value::String(text.to_owned())).collect();
    let mut given = Value::Array(words);
    let judged = permit.settle(ToolEnd::Returned(&mut given), None).map(|_| ());
    let mut kept = given.as_array().into_iter().flatten().filter_map(Value::as_str);
    let content = result.content.iter().map(|block| match block {
        Block::Text { .. } => Block::text(kept.next().unwrap_or_default()),
        other => other.clone(),
    });
    let result = ToolResult { content: content.collect(), is_error };
    settled(judged, result)
}

fn settled(judged: Result<(), Denial>, result: ToolResult) -> ToolResult {
    match judged {
        Ok(()) => result,
        Err(denial) => ToolResult::error(denial.told_to_model()),
    }
}

fn words(block: &Block) -> Option<&str> {
    if let Block::Text { text } = block { Some(text) } else { None }
}

fn size(block: &Block) -> u64 {
    words(block).map_or(0, |text| text.len() as u64)
}
