//! `seawall agent chat`: a conversation in the terminal. Whatever happens to this process, the next one goes on where it was.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_engine::{
    AgentId, AgentState, ApprovalScope, Block, CallId, Channel, Decide, MessageId, MessageKind, Role, Ruling,
    Subject,
};
use seawall_runtime::{CreateAgent, Feed, Runtime, Told};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{World, parse};
use crate::args::{ChatArgs, ServeArgs};
use crate::boot::{self, Booted};
use crate::exit::{Failure, Outcome};
use crate::{client, output};

/// Ended by Ctrl-C, as shells say it.
const INTERRUPTED: u8 = 130;

/// How one stays in the conversation.
enum Left {
    /// There is nothing more to say.
    Over,
    /// By Ctrl-C.
    Interrupted,
}

pub(super) fn run(world: &World<'_>, args: ChatArgs) -> Outcome {
    let agent = parse(&args.name)?;
    if let Some(server) = client::running(&world.data_dir()) {
        return Err(Failure::usage(format!(
            "a server works on this data directory: talk to the agent at {}/api/agents/{agent}/messages, or name another --data-dir",
            server.url
        )));
    }
    let serve = ServeArgs {
        listen: Some("127.0.0.1:0".to_owned()),
        upstream: args.upstream.clone(),
        ..ServeArgs::default()
    };
    let request = super::super::serve::request(world, serve);
    let plan = request.plan()?;
    let booted = boot::boot(&request, &plan)?;
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = threads.block_on(Conversation::begin(&booted.agents.runtime, agent, args));
    // A read of the terminal can't be ended; the process is.
    threads.shutdown_background();
    end(booted);
    match left? {
        Left::Over => Ok(ExitCode::SUCCESS),
        Left::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
    }
}

/// Lets go of everything in the order in which it depends on each other.
fn end(booted: Booted) {
    let Booted { server, app, agents, writer, exporter, housekeeper, data_dir, lock, run, .. } = booted;
    agents.stop();
    app.gateway().mcp().stop();
    app.gateway().checkpoint().trace().finish_run(run, &serde_json::json!({"reason": "stopped"}));
    housekeeper.stop();
    drop((server, app));
    let _counts = writer.stop();
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    seawall_server::ServerState::remove(&data_dir);
    drop(lock);
}

struct Conversation<'a> {
    runtime: &'a Runtime,
    agent: AgentId,
    feed: Feed,
    lines: mpsc::Receiver<String>,
    /// Whether the words of the answer have begun to be shown.
    is_speaking: bool,
}

impl<'a> Conversation<'a> {
    async fn begin(runtime: &'a Runtime, agent: AgentId, args: ChatArgs) -> Result<Left, Failure> {
        let known = runtime.store().load(&agent).await?;
        if known.is_none() {
            let Some(template) = args.template else {
                let ids: Vec<_> =
                    runtime.templates().list().iter().map(|template| template.id.clone()).collect();
                return Err(Failure::usage(format!(
                    "there is no agent {agent} yet: say of which --template it is to be ({})",
                    if ids.is_empty() { "there are none in templates/".to_owned() } else { ids.join(", ") }
                )));
            };
            let request = CreateAgent { id: Some(agent.clone()), template, ..CreateAgent::default() };
            runtime.create(request).await.map_err(Failure::usage)?;
        }
        let kept = runtime.load(&agent).await?;
        let feed = runtime.follow(&agent, &Channel::ALL, kept.seq());
        // What was said while nobody looked.
        if let Some(last) =
            kept.agent().history().newest_first().next().filter(|last| last.role == Role::Assistant)
        {
            last.content.iter().for_each(|block| output::line(shown(last.role, block)));
        }
        let mut conversation = Self { runtime, agent, feed, lines: lines(), is_speaking: false };
        let at_work = !kept.agent().rests() || kept.agent().status().state == AgentState::Paused;
        if at_work {
            output::say(format!("{} goes on where it was.", conversation.agent));
        }
        let questions: Vec<CallId> = waiting(kept.agent());
        conversation.go_on(at_work, questions).await
    }

    async fn go_on(&mut self, mut at_work: bool, questions: Vec<CallId>) -> Result<Left, Failure> {
        for call in questions {
            if let Some(left) = self.ask(call, "this call").await? {
                return Ok(left);
            }
        }
        loop {
            if at_work && let Some(left) = self.listen().await? {
                return Ok(left);
            }
            prompt("> ");
            let line = tokio::select! {
                line = self.lines.recv() => line,
                _ = tokio::signal::ctrl_c() => return Ok(Left::Interrupted),
            };
            let Some(line) = line else { return Ok(Left::Over) };
            at_work = !line.trim().is_empty();
            if at_work {
                let name = MessageId(id::new_request(&SystemClock::new()).to_string().into());
                let content = [Block::text(line)].into();
                self.runtime.send(&self.agent, name, MessageKind::User, content).await?;
            }
        }
    }

    /// Shows what happens until the turn is over.
    async fn listen(&mut self) -> Result<Option<Left>, Failure> {
        loop {
            let told = tokio::select! {
                told = self.feed.next() => told?,
                _ = tokio::signal::ctrl_c() => return Ok(Some(Left::Interrupted)),
            };
            let face: Value = serde_json::from_str(&told.json)?;
            let event = face.get("event").unwrap_or(&Value::Null);
            if told.kind == "permission_required" {
                let call = word(event, "/call/id").parse()?;
                if let Some(left) = self.ask(call, word(event, "/summary")).await? {
                    return Ok(Some(left));
                }
                continue;
            }
            if self.show(&told, event) {
                return Ok(None);
            }
        }
    }

    /// Shows one thing. Whether the turn is over by it.
    fn show(&mut self, told: &Told, event: &Value) -> bool {
        let text = |key: &str| word(event, &format!("/{key}")).to_owned();
        match told.kind {
            "text_chunk" => {
                self.is_speaking = true;
                write(&text("delta"));
            }
            "text_chunk_end" => {
                let rest = if self.is_speaking { String::new() } else { text("text") };
                self.is_speaking = false;
                output::line(rest);
            }
            "tool:start" => {
                output::say(format!("· {} {}", word(event, "/call/name"), word(event, "/call/inputPreview")))
            }
            "tool:error" => output::say(format!("· {} failed: {}", word(event, "/call/name"), text("error"))),
            "error" => output::say(format!("! {}", text("message"))),
            "done" => return true,
            _ => {}
        }
        false
    }

    /// Asks the person about a call, and tells the agent. It is over where nobody answers.
    async fn ask(&mut self, call: CallId, why: &str) -> Result<Option<Left>, Failure> {
        let rows = self.runtime.load(&self.agent).await?;
        let known = rows.agent().call(call);
        let (name, input) =
            known.map_or_else(Default::default, |call| (call.name.to_string(), call.arguments().to_string()));
        loop {
            output::say(format!("{why}\n{name} {input}"));
            prompt(
                "Allow it? [y]es, [r]un: every call of it in this run, [a]lways with these arguments, [n]o: ",
            );
            let line = tokio::select! {
                line = self.lines.recv() => line,
                _ = tokio::signal::ctrl_c() => return Ok(Some(Left::Interrupted)),
            };
            let Some(line) = line else { return Ok(Some(Left::Over)) };
            let (ruling, scope) = match line.trim() {
                "y" | "yes" => (Ruling::Allow, ApprovalScope::Once),
                "r" | "run" => (Ruling::Allow, ApprovalScope::Run),
                "a" | "always" => (Ruling::Allow, ApprovalScope::Arguments),
                "n" | "no" => (Ruling::Deny, ApprovalScope::Once),
                _ => continue,
            };
            let subject = Subject::Call(call);
            let by: Arc<str> = "terminal".into();
            let decision = Decide { subject, ruling, by, scope, note: None, arguments: None };
            self.runtime.decide(&self.agent, decision).await?;
            return Ok(None);
        }
    }
}

/// A word in an event.
fn word<'v>(event: &'v Value, pointer: &str) -> &'v str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The calls that wait for a person.
fn waiting(agent: &seawall_engine::Agent) -> Vec<CallId> {
    let is_open = |call: &&seawall_engine::Call| {
        call.state == seawall_engine::CallState::ApprovalRequired
            && call.approval.as_ref().is_some_and(|asked| asked.decided.is_none())
    };
    agent.calls().iter().filter(is_open).map(|call| call.id).collect()
}

/// The lines that are typed, until there are no more.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Asks a person at the terminal for something. Where input comes from elsewhere, nobody reads the question.
fn prompt(question: &str) {
    if std::io::stdin().is_terminal() {
        write(question);
    }
}

/// Writes without an end of line.
fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    let _reader_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A block of a message as people read it.
pub(super) fn shown(role: Role, block: &Block) -> String {
    let who = match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    match block {
        Block::Text { text } => format!("{who}: {text}"),
        Block::ToolUse { name, input, .. } => format!("{who} calls {name} {input}"),
        Block::ToolResult { content, is_error, .. } => {
            let words: Vec<_> = content.iter().map(|block| shown(role, block)).collect();
            format!("{}: {}", if *is_error { "failed" } else { "result" }, words.join(" "))
        }
        Block::Reasoning { text, .. } => format!("{who} thinks: {text}"),
        Block::Image(_) => format!("{who}: [an image]"),
        Block::Audio(_) => format!("{who}: [a sound]"),
        Block::File(_) => format!("{who}: [a file]"),
    }
}
