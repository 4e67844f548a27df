//! Calling a model: what the agent has said so far goes out, what it says next comes back, and a failure that may pass is
//! tried again.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use seawall_engine::{
    Answer, Block, FailureClass, History, ModelAnswered, ModelFailed, ModelFailure, Retry, StopReason,
};
use seawall_llm::dialogue::{
    self, Ask, Failure, Format, Hearer, Input, Said, Stop, Thinking, ToolDescription, Turn, hear_whole,
};
use seawall_types::{Timestamp, Usd};
use tokio::sync::watch;
use tokio::time::Instant;

use super::bill::Bill;
use super::conversation::Borrowed;
use super::hooked::{self, Asked};
use super::listen::Telling;
use crate::Template;
use crate::hooks::Moment;
use crate::model::{NoReply, Question, Reply};
use crate::session::Session;
use crate::toolbox;

/// A failed answer is read so far, in bytes.
const MOST_OF_A_FAILURE: usize = 64 * 1024;

/// How much a wait between two tries varies, of its length: so that not all come back at once.
const JITTER: f64 = 0.2;

/// One call, as the engine wants it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) step: u64,
    pub(super) attempt: u32,
    pub(super) retries: u32,
    pub(super) not_before: Option<Timestamp>,
    pub(super) messages: History,
}

/// Calls the model, and tells the holder what came of it.
pub(super) async fn call(session: &Arc<Session>, call: Call) {
    wait_until(session, call.not_before).await;
    let Call { step, attempt, .. } = call;
    let began = session.shared.clock.monotonic();
    let mut bill = Bill::default();
    let answered = answer(session, &call, &mut bill).await;
    let took = session.shared.clock.monotonic().saturating_sub(began);
    bill.settle().await;
    match answered {
        Ok(reply) => {
            session.shared.counters.model_calls.add();
            note_time(session, took);
            let (content, stop, usage) = understood(session, reply);
            let cost = bill.cost();
            session.report(ModelAnswered { step, attempt, content, stop, usage, cost }).await;
        }
        Err(failure) => failed(session, &call, failure, &bill).await,
    }
}

/// Counts how long the model took. Under its provider: what is called how is the templates' and callers'.
fn note_time(session: &Session, took: Duration) {
    let provider = session.template.as_ref().map_or("other", |template| &template.model.provider);
    session.shared.durations.models.note(provider, took);
}

/// Never longer than was meant when it was written down, whatever has become of the clock since.
async fn wait_until(session: &Session, not_before: Option<Timestamp>) {
    let wait = not_before.map(|at| at.since(session.shared.clock.now())).unwrap_or_default();
    let (_, most) = session.shared.settings.retry_after;
    if !wait.is_zero() {
        tokio::time::sleep(wait.min(most)).await;
    }
}

async fn answer(session: &Arc<Session>, call: &Call, bill: &mut Bill) -> Result<dialogue::Reply, Failure> {
    let template = session.template.as_ref();
    let template = template.map_err(|why| Failure::new(dialogue::FailureClass::Invalid, why))?;
    toolbox::reach_all(session, begins_turn(&call.messages)).await;
    let format = Format::named(&template.model.provider).ok_or_else(|| {
        let name = &template.model.provider;
        let known = "use openai, openai-responses, anthropic or gemini";
        Failure::new(dialogue::FailureClass::Invalid, &format!("{name:?} is no provider of models; {known}"))
    })?;
    let (system, messages) = match hooked::before(session, template, call).await? {
        Asked::Model { system, messages } => (system, messages),
        Asked::Answered(reply) => return Ok(reply),
    };
    let system = system.as_deref().unwrap_or_else(|| session.system_prompt(template));
    let messages = messages.as_ref().unwrap_or(&call.messages);
    let borrowed = Borrowed::of(messages, session).await;
    let borrowed = borrowed.map_err(|error| unreachable(&NoReply(error.to_string())))?;
    let turns = borrowed.turns(messages, template.model.retain_thinking);
    let question = question(session, template, format, system, &turns, bill.begin());
    let limits = template.model.timeout;
    let total = tokio::time::timeout(limits.total, async {
        let asking = tokio::time::timeout(limits.first_byte, session.shared.model.ask(question));
        let reply = asking.await.map_err(|_| late("the model did not begin to answer", limits.first_byte))?;
        let reply = reply.map_err(|error| unreachable(&error))?;
        // What hooks look at first is told to nobody before.
        let is_quiet = session.has_hooks(Moment::PostModel);
        let telling = Telling::new(call.step, call.attempt, template.model.expose_thinking, is_quiet);
        hear(session, format, reply, telling, limits.idle).await
    });
    let heard = total.await;
    let reply = heard.unwrap_or_else(|_| Err(late("the model did not finish its answer", limits.total)))?;
    bill.consumed(&reply.usage);
    hooked::after(session, call.step, reply).await
}

/// Whether somebody has said something since the model last did: nothing that tools gave is to be gone on with.
fn begins_turn(messages: &History) -> bool {
    let last = messages.newest_first().next();
    let is_result = |block: &Block| matches!(block, Block::ToolResult { .. });
    last.is_some_and(|last| !last.content.iter().any(is_result))
}

fn late(what: &str, limit: Duration) -> Failure {
    let message = format!("{what} within {}s", limit.as_secs_f64());
    Failure::new(dialogue::FailureClass::Timeout, &message)
}

fn unreachable(error: &NoReply) -> Failure {
    Failure::new(dialogue::FailureClass::Unavailable, &error.0)
}

/// The request, in the provider's words.
fn question(
    session: &Session,
    template: &Template,
    format: Format,
    system: &str,
    turns: &[Turn<'_>],
    cost: watch::Sender<Option<Usd>>,
) -> Question {
    let tools = session.tools();
    let tools: Vec<_> = tools
        .descriptions()
        .map(|tool| ToolDescription {
            name: &tool.name,
            description: &tool.description,
            parameters: &tool.parameters,
        })
        .collect();
    let settings = &template.model;
    let ask = Ask {
        system: (!system.is_empty()).then_some(system),
        tools: &tools,
        max_tokens: settings.max_tokens,
        temperature: settings.temperature,
        thinking: match settings.thinking_tokens {
            None => Thinking::Unset,
            Some(0) => Thinking::Off,
            Some(tokens) => Thinking::Budget(tokens),
        },
        stream: true,
        cache: true,
        extra: settings.extra.as_ref(),
        ..Ask::new(&settings.name, turns)
    };
    let written = dialogue::write(&ask, format);
    Question {
        agent: session.agent.clone(),
        run: session.traced(),
        owner: session.owner.clone(),
        place: settings.place(),
        path: written.path,
        headers: written.headers,
        body: written.body,
        cost,
    }
}

/// Hears the answer to its end.
async fn hear(
    session: &Session,
    format: Format,
    reply: Reply,
    mut telling: Telling,
    idle: Duration,
) -> Result<dialogue::Reply, Failure> {
    let is_whole = is_json(&reply);
    let Reply { status, headers, mut body } = reply;
    if !status.is_success() {
        let text = read_some(&mut *body, idle).await;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        return Err(Failure::from_answer(status.as_u16(), header, &text));
    }
    if is_whole {
        let text = read_all(&mut *body, idle).await?;
        return hear_whole(format, &text);
    }
    let mut hearer = Hearer::new(format);
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = tokio::time::timeout(idle, body.next()) => chunk,
            () = until(telling.due()) => {
                telling.tell(session).await;
                continue;
            }
        };
        match chunk {
            Err(_) => {
                return Err(late(
                    "the model stopped in the middle of its answer and said nothing more",
                    idle,
                ));
            }
            Ok(Some(Err(error))) => return Err(unreachable(&error)),
            Ok(Some(Ok(chunk))) => {
                for heard in hearer.hear(chunk) {
                    telling.hear(session, heard).await;
                }
            }
            Ok(None) => break,
        }
    }
    let reply = hearer.finish()?;
    telling.finish(session).await;
    Ok(reply)
}

/// Whether an answer is no stream, though one was asked for: some servers give it so.
pub(super) fn is_json(reply: &Reply) -> bool {
    reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The body of a refusal, as far as it matters.
async fn read_some(body: &mut dyn crate::model::Pieces, idle: Duration) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < MOST_OF_A_FAILURE
        && let Ok(Some(Ok(piece))) = tokio::time::timeout(idle, body.next()).await
    {
        text.extend_from_slice(&piece);
    }
    text
}

/// The whole of an answer that is no stream, though one was asked for: some servers give it so.
async fn read_all(body: &mut dyn crate::model::Pieces, idle: Duration) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    loop {
        let next = tokio::time::timeout(idle, body.next()).await;
        match next.map_err(|_| late("the model stopped in the middle of its answer", idle))? {
            Some(piece) => text.extend_from_slice(&piece.map_err(|error| unreachable(&error))?),
            None => return Ok(text),
        }
    }
}

/// The answer in the engine's words.
fn understood(session: &Session, reply: dialogue::Reply) -> (Vec<Answer>, StopReason, seawall_types::Usage) {
    let keeps_thoughts = session.template.as_ref().is_ok_and(|template| template.model.retain_thinking);
    let parts = reply.parts.into_iter().filter_map(|part| match part {
        Said::Text(text) => Some(Answer::Block(Block::text(text))),
        // What is signed has to be given back, or the provider refuses the results of the tools that it led to.
        Said::Thought { signature: None, .. } if !keeps_thoughts => None,
        Said::Thought { text, signature } => {
            Some(Answer::Block(Block::Reasoning { text: text.into(), meta: signature.map(Arc::new) }))
        }
        Said::Call(call) => Some(Answer::Call {
            provider_id: call.provider_id.map(Into::into),
            name: call.name.into(),
            input: Arc::new(match call.input {
                Input::Object(fields) => serde_json::Value::Object(fields),
                Input::Unreadable(text) => serde_json::Value::String(text),
            }),
        }),
    });
    let stop = match reply.stop {
        Stop::Done => StopReason::EndTurn,
        Stop::Calls => StopReason::ToolUse,
        Stop::Length => StopReason::MaxTokens,
        Stop::Filtered => StopReason::ContentFilter,
        Stop::Other(_) => StopReason::Other,
    };
    (parts.collect(), stop, reply.usage)
}

/// Tries again later, or gives the turn up.
async fn failed(session: &Session, call: &Call, failure: Failure, bill: &Bill) {
    let Call { step, attempt, retries, .. } = *call;
    let settings = &session.shared.settings;
    let (retryable, retry_after, spent) = (failure.retryable, failure.retry_after, bill.spent());
    let failure = ModelFailure { class: class(failure.class), message: failure.message.into() };
    if !retryable || retries >= settings.retries {
        session.shared.counters.model_failures.add();
        session.report(ModelFailed { step, attempt, failure, spent }).await;
        return;
    }
    session.shared.counters.model_retries.add();
    let wait = wait(retries, retry_after, settings.retry_after);
    let not_before = session.shared.clock.now().saturating_add(wait);
    session.report(Retry { step, attempt, failure, not_before, spent }).await;
}

/// How long to wait: twice as long each time, or as long as the provider says, but never longer than the most.
fn wait(retries: u32, asked: Option<Duration>, (first, most): (Duration, Duration)) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
    let varied = doubled.min(most).mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
    asked.map_or(varied, |asked| asked.max(varied)).min(most)
}

fn class(class: dialogue::FailureClass) -> FailureClass {
    use dialogue::FailureClass as Said;
    match class {
        Said::RateLimit => FailureClass::RateLimit,
        Said::Timeout => FailureClass::Timeout,
        Said::Unavailable => FailureClass::Unavailable,
        Said::Authentication => FailureClass::Authentication,
        Said::Quota => FailureClass::Quota,
        Said::ContextLength => FailureClass::ContextLength,
        Said::Invalid | Said::ModelNotFound => FailureClass::Invalid,
        Said::ContentFilter => FailureClass::ContentFilter,
        Said::Denied => FailureClass::Denied,
        Said::Budget => FailureClass::Budget,
        Said::Other => FailureClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_below_the_most() {
        let range = (Duration::from_secs(1), Duration::from_secs(60));
        for (retries, at_least, at_most) in [(0, 0.8, 1.2), (1, 1.6, 2.4), (2, 3.2, 4.8), (10, 48.0, 60.0)] {
            for _ in 0..100 {
                let wait = wait(retries, None, range).as_secs_f64();
                assert!((at_least..=at_most).contains(&wait), "{retries}: {wait}");
            }
        }
    }

    #[test]
    fn a_provider_that_says_how_long_is_given_that_long() {
        let range = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(wait(0, Some(Duration::from_secs(30)), range), Duration::from_secs(30));
        assert_eq!(wait(0, Some(Duration::from_secs(3_600)), range), Duration::from_secs(60));
    }
}
