//! Making a history shorter: its oldest messages are summed up by a model, or by rules where none can be asked.

use std::fmt::Write as _;
use std::sync::Arc;

use seawall_engine::{Block, Compressed, History, Message, Role};
use seawall_llm::dialogue::{self, Ask, Format, Hearer, Part, Turn, hear_whole};

use super::bill::Bill;
use super::model::is_json;
use crate::Template;
use crate::hooks::Moment;
use crate::model::Question;
use crate::session::Session;
use crate::template::TimeoutSettings;

/// What a model is told to do, where the template says nothing else.
const PROMPT: &str = "Sum up this conversation so that the work can go on from your summary alone. Keep what was asked for, what \
                      was decided and why, which files, commands, names and figures matter, what is done and what is still \
                      to do. Leave out small talk. Write in the conversation's own language.";

/// What a model reads before its summary.
const BEFORE: &str = "[What was said before, summed up]\n";

/// So much of each message is kept where rules do it, in characters.
const KEPT: usize = 200;

/// So much of the conversation is shown to the model that sums up, in bytes from each message.
const SHOWN: usize = 16 * 1024;

/// Sums up the oldest messages, and tells the holder.
pub(super) async fn compress(session: &Arc<Session>, id: u64, messages: &History, replaces: usize) {
    let oldest: Vec<_> = messages.iter().take(replaces).cloned().collect();
    let mut bill = Bill::default();
    let summary = match &session.template {
        // Hooks are asked about turns. What they might refuse goes to no model beside them.
        Ok(_) if session.has_hooks(Moment::PreModel) || session.has_hooks(Moment::PostModel) => {
            Err("the template has hooks around its model".to_owned())
        }
        Ok(template) => by_model(session, template, &oldest, &mut bill).await,
        Err(why) => Err(why.clone()),
    };
    let summary = summary.unwrap_or_else(|why| {
        tracing::warn!(agent = %session.agent, %why, "no model could sum up the history; it was cut by rules");
        by_rules(&oldest)
    });
    bill.settle().await;
    let summary = Ok(format!("{BEFORE}{summary}").into());
    session.report(Compressed { id, summary, spent: bill.spent() }).await;
}

async fn by_model(
    session: &Arc<Session>,
    template: &Template,
    oldest: &[Arc<Message>],
    bill: &mut Bill,
) -> Result<String, String> {
    let settings = &template.model;
    let format = Format::named(&settings.provider).ok_or("the provider is not known")?;
    let conversation = written(oldest);
    let turns = [Turn { role: dialogue::Role::User, blocks: vec![Part::Text(&conversation)] }];
    let name = template.context.model.as_deref().unwrap_or(&settings.name);
    let system = template.context.prompt.as_deref().unwrap_or(PROMPT);
    let ask = Ask {
        system: Some(system),
        max_tokens: settings.max_tokens,
        // A stream tells a model that is slow from one that hangs.
        stream: true,
        ..Ask::new(name, &turns)
    };
    let request = dialogue::write(&ask, format);
    let question = Question {
        agent: session.agent.clone(),
        run: session.traced(),
        owner: session.owner.clone(),
        place: settings.place(),
        path: request.path,
        headers: request.headers,
        body: request.body,
        cost: bill.begin(),
    };
    let reading = read(session, format, question, settings.timeout);
    let reply = tokio::time::timeout(settings.timeout.total, reading).await;
    let reply = reply.map_err(|_| "the model took too long".to_owned())??;
    bill.consumed(&reply.usage);
    let text = reply.text();
    if text.trim().is_empty() { Err("the model's summary is empty".to_owned()) } else { Ok(text) }
}

/// Reads an answer, which nobody is told of. One that does not begin, or stops in the middle, is not waited for as long as a
/// whole one may take.
async fn read(
    session: &Session,
    format: Format,
    question: Question,
    limits: TimeoutSettings,
) -> Result<dialogue::Reply, String> {
    let asking = tokio::time::timeout(limits.first_byte, session.shared.model.ask(question));
    let reply = asking.await.map_err(|_| "the model did not begin to answer in time".to_owned())?;
    let mut reply = reply.map_err(|error| error.to_string())?;
    if !reply.status.is_success() {
        return Err(format!("the model's provider answered {}", reply.status));
    }
    let is_whole = is_json(&reply);
    let (mut hearer, mut whole) = (Hearer::new(format), Vec::new());
    loop {
        let next = tokio::time::timeout(limits.idle, reply.body.next()).await;
        let next = next.map_err(|_| "the model stopped in the middle of its answer".to_owned())?;
        let Some(piece) = next else { break };
        let piece = piece.map_err(|error| error.to_string())?;
        if is_whole {
            whole.extend_from_slice(&piece);
        } else {
            hearer.hear(piece);
        }
    }
    let heard = if is_whole { hear_whole(format, &whole) } else { hearer.finish() };
    heard.map_err(|failure| failure.to_string())
}

/// The conversation in words, each message cut where it is long.
fn written(messages: &[Arc<Message>]) -> String {
    each(messages, SHOWN)
}

/// The beginning of each message.
fn by_rules(messages: &[Arc<Message>]) -> String {
    each(messages, KEPT)
}

fn each(messages: &[Arc<Message>], most: usize) -> String {
    let mut text = String::new();
    for message in messages {
        let who = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for block in message.content.iter() {
            let (kind, words) = words(block);
            let cut = words.get(..words.floor_char_boundary(most)).unwrap_or_default();
            let more = if cut.len() < words.len() { " […]" } else { "" };
            let _never_fails = writeln!(text, "{who}{kind}: {cut}{more}");
        }
    }
    text
}

/// What a block says, and what it is if it is not just said.
fn words(block: &Block) -> (String, String) {
    match block {
        Block::Text { text } => (String::new(), text.to_string()),
        Block::ToolUse { name, input, .. } => (format!(" calls {name}"), input.to_string()),
        Block::ToolResult { content, is_error, .. } => {
            let what = if *is_error { " (a tool failed)" } else { " (a tool's result)" };
            (what.to_owned(), content.iter().map(|block| words(block).1).collect())
        }
        Block::Reasoning { text, .. } => (" thinks".to_owned(), text.to_string()),
        Block::Image(_) => (String::new(), "[an image]".to_owned()),
        Block::Audio(_) => (String::new(), "[a sound]".to_owned()),
        Block::File(_) => (String::new(), "[a file]".to_owned()),
    }
}
