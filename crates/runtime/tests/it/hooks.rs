//! Hooks: what they refuse, answer, ask and rewrite; and what happens when they don't answer.

use std::sync::{Arc, Mutex};

use seawall_engine::{
    AgentId, ApprovalScope, Block, Channel, Decide, EffectClass, Ruling, Subject, ToolResult,
};
use seawall_runtime::{
    About, BoxFuture, CreateAgent, Hook, HookAnswer, HookFailed, Moment, Status, Template, What,
};
use seawall_store::agents::CallQuery;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Stage, settings, template, within};

/// The operator's own server, with what it was asked.
#[derive(Clone)]
struct Operator {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Operator {
    /// One that answers so; with nothing: never.
    async fn who(answers: impl Fn(&Value) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let operator = Self { url, asked: Arc::default() };
        let (asked, answers) = (Arc::clone(&operator.asked), Arc::new(answers));
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let about = request(&mut stream).await;
                asked.lock().unwrap().push(about.clone());
                let Some((status, body)) = answers(&about) else {
                    silent.push(stream);
                    continue;
                };
                let body = body.to_string();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close", body.len());
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
            }
        });
        operator
    }

    async fn says(answer: Value) -> Self {
        Self::who(move |_| Some((200, answer.clone()))).await
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

async fn request(stream: &mut TcpStream) -> Value {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return body;
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the request broke off");
    }
}

/// An agent whose template has this hook.
async fn watched(moment: &str, operator: &Operator) -> (Stage, AgentId) {
    watched_by(moment, json!({"url": operator.url, "timeout": "500ms"})).await
}

async fn watched_by(moment: &str, hook: Value) -> (Stage, AgentId) {
    let stage = Stage::with(settings(), EffectClass::Idempotent);
    stage.tool.ends.add_permits(10);
    stage.runtime.templates().add(template("openai", &json!({"id": "watched", "hooks": {moment: [hook]}})));
    let id = stage.agent_of("a", "watched", None).await;
    (stage, id)
}

const WORK: &str = "sim:tool work {\"n\": 7}\nsim:turn 1 sim:text worked";

async fn result(stage: &Stage, id: &AgentId) -> (bool, String) {
    let calls = CallQuery { agent: Some(id.clone()), most: 9, ..CallQuery::default() };
    let ToolResult { content, is_error } =
        stage.store.calls(&calls).await.unwrap()[0].call.result.clone().unwrap();
    let Block::Text { text } = &content[0] else { panic!("{content:?}") };
    (is_error, text.to_string())
}

async fn errors(stage: &Stage, id: &AgentId) -> Vec<String> {
    let mut feed = stage.runtime.follow(id, &[Channel::Monitor], 0);
    let mut errors = Vec::new();
    while let Some(told) = feed.try_next().await.unwrap() {
        if told.kind == "error" {
            errors.push(told.json);
        }
    }
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_refuses_answers_or_rewrites_a_call_before_it_runs() {
    for (says, begun, is_error, words) in [
        (json!({"decision": "deny", "reason": "not on Sundays"}), 0, true, "not on Sundays"),
        (json!({"decision": "answer", "result": {"kept": 3}}), 0, false, "{\"kept\":3}"),
        (json!({"decision": "rewrite", "arguments": {"n": 42}}), 1, false, "done 42"),
        (json!({"decision": "rewrite", "arguments": {"n": "x"}}), 0, true, "wrote other arguments"),
        (json!({}), 1, false, "done 7"),
    ] {
        let operator = Operator::says(says.clone()).await;
        let (stage, id) = watched("pre_tool", &operator).await;
        let completed = stage.complete(&id, "m1", WORK).await;
        assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("worked")), "{says}");
        let (failed, result) = result(&stage, &id).await;
        assert_eq!((stage.tool.begun(), failed), (begun, is_error), "{says}: {result}");
        assert!(result.contains(words), "{says}: {result}");
        let asked = &operator.asked()[0];
        assert_eq!(
            asked,
            &json!({"hook": "pre_tool", "agent": "a", "call": "call_1_1", "tool": "work", "arguments": {"n": 7}})
        );
        assert_eq!(errors(&stage, &id).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_has_a_person_asked() {
    let operator = Operator::says(json!({"decision": "ask", "reason": "is this meant?"})).await;
    let (stage, id) = watched("pre_tool", &operator).await;
    let paused = stage.complete(&id, "m1", WORK).await;
    assert_eq!((paused.status, stage.tool.begun()), (Status::Paused, 0));
    let call = stage.runtime.load(&id).await.unwrap().agent().calls()[0].clone();
    assert_eq!(&*call.approval.unwrap().summary, "is this meant?");
    let decision = Decide {
        subject: Subject::Call(call.id),
        ruling: Ruling::Allow,
        by: "ann".into(),
        scope: ApprovalScope::Once,
        note: None,
        arguments: None,
    };
    let decided = stage.runtime.decide(&id, decision).await.unwrap();
    let completed = within(stage.runtime.wait(&id, decided.first)).await.unwrap();
    assert_eq!((completed.text.as_deref(), stage.tool.begun()), (Some("worked"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_before_a_tool_that_fails_or_is_late_lets_nothing_run() {
    for (answers, words) in [
        (Some((500, json!({}))), "500"),
        (Some((200, json!({"decision": "alow"}))), "can't be read"),
        (None, "did not answer within 0.5s"),
    ] {
        let operator = Operator::who(move |_| answers.clone()).await;
        let (stage, id) = watched("pre_tool", &operator).await;
        let completed = stage.complete(&id, "m1", WORK).await;
        assert_eq!(completed.text.as_deref(), Some("worked"), "the model is told, and goes on");
        let (failed, result) = result(&stage, &id).await;
        assert!(
            failed && result.contains("could not look at this call") && result.contains(words),
            "{result}"
        );
        assert_eq!(stage.tool.begun(), 0, "{words}");
        let errors = errors(&stage, &id).await;
        assert!(
            errors.len() == 1 && errors[0].contains("pre_tool hook") && errors[0].contains(words),
            "{errors:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_after_a_tool_puts_something_in_the_results_place() {
    for (answers, words, failures) in [
        ((200, json!({"decision": "rewrite", "result": "all fine"})), "all fine", 0),
        ((200, json!({"decision": "deny", "reason": "secret"})), "withholds its result: secret", 0),
        ((500, json!({})), "could not look at its result, which is withheld: it answered 500", 1),
    ] {
        let operator = Operator::who(move |_| Some(answers.clone())).await;
        let (stage, id) = watched("post_tool", &operator).await;
        assert_eq!(stage.complete(&id, "m1", WORK).await.text.as_deref(), Some("worked"));
        let (_, result) = result(&stage, &id).await;
        assert!(result.contains(words), "{result}");
        assert!(stage.last_prompt().contains(words), "it is what the model reads");
        assert_eq!((stage.tool.begun(), errors(&stage, &id).await.len()), (1, failures));
        assert_eq!(operator.asked()[0]["result"]["content"][0]["text"], "done 7");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_before_the_model_refuses_answers_or_rewrites_what_it_is_asked() {
    let operator = Operator::says(json!({"decision": "deny", "reason": "closed"})).await;
    let (stage, id) = watched("pre_model", &operator).await;
    let refused = stage.complete(&id, "m1", "hello").await;
    let (code, message) = refused.error.unwrap();
    assert_eq!((refused.status, code.as_str()), (Status::Failed, "denied"));
    assert!(message.contains("closed"), "{message}");
    assert_eq!(stage.sim.stats().requests, 0);
    assert_eq!(operator.asked()[0]["messages"][0]["content"][0]["text"], "hello");

    let operator = Operator::says(json!({"decision": "answer", "text": "by heart"})).await;
    let (stage, id) = watched("pre_model", &operator).await;
    assert_eq!(stage.complete(&id, "m1", "hello").await.text.as_deref(), Some("by heart"));
    assert_eq!(stage.sim.stats().requests, 0);

    let operator = Operator::who(|about| {
        let mut messages = about["messages"].clone();
        messages[0]["content"][0]["text"] = "sim:text rewritten".into();
        Some((200, json!({"decision": "rewrite", "system": "Be brief.", "messages": messages})))
    })
    .await;
    let (stage, id) = watched("pre_model", &operator).await;
    assert_eq!(stage.complete(&id, "m1", "hello").await.text.as_deref(), Some("rewritten"));
    assert!(stage.last_prompt().contains("Be brief.") && !stage.last_prompt().contains("hello"));
    let said = stage.runtime.load(&id).await.unwrap().agent().history().iter().next().unwrap().clone();
    assert_eq!(said.content[..], [Block::text("hello")], "the history is as it was");

    let operator = Operator::who(|_| None).await;
    let (stage, id) = watched("pre_model", &operator).await;
    assert_eq!(stage.complete(&id, "m1", "hello").await.status, Status::Failed);
    assert_eq!(stage.sim.stats().requests, 0, "a hook that is late lets no model be asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_after_the_model_is_heard_before_anybody_hears_the_model() {
    let operator = Operator::says(json!({"decision": "rewrite", "text": "polite words"})).await;
    let (stage, id) = watched("post_model", &operator).await;
    let completed = stage.complete(&id, "m1", "sim:repeat 300 rude").await;
    assert_eq!(completed.text.as_deref(), Some("polite words"));
    let mut feed = stage.runtime.follow(&id, &[Channel::Progress], 0);
    while let Some(told) = feed.try_next().await.unwrap() {
        assert!(!told.json.contains("rude"), "{}", told.json);
    }
    assert!(operator.asked()[0]["text"].as_str().unwrap().starts_with("rude rude"));

    let operator = Operator::says(json!({"decision": "deny", "reason": "too rude"})).await;
    let (stage, id) = watched("post_model", &operator).await;
    let refused = stage.complete(&id, "m1", "sim:text rude").await;
    assert!(refused.status == Status::Failed && refused.error.unwrap().1.contains("too rude"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_not_heard_where_a_hook_after_it_fails() {
    let operator = Operator::who(|_| None).await;
    let (stage, id) = watched("post_model", &operator).await;
    let refused = stage.complete(&id, "m1", "sim:text rude").await;
    let why = refused.error.unwrap().1;
    assert!(refused.status == Status::Failed && why.contains("withheld: it did not answer within"), "{why}");
    let kept = stage.runtime.load(&id).await.unwrap();
    assert!(kept.agent().spent().tokens > 0, "what it withheld was consumed all the same");
    let mut feed = stage.runtime.follow(&id, &[Channel::Progress], 0);
    while let Some(told) = feed.try_next().await.unwrap() {
        assert!(!told.json.contains("rude"), "{}", told.json);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_only_watches_may_fail_and_is_told_of() {
    for moment in ["pre_tool", "post_tool", "pre_model", "post_model"] {
        let operator = Operator::who(|_| Some((500, json!({})))).await;
        let (stage, id) = watched_by(moment, json!({"url": operator.url, "on_failure": "allow"})).await;
        let completed = stage.complete(&id, "m1", WORK).await;
        assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("worked")), "{moment}");
        assert_eq!(result(&stage, &id).await, (false, "done 7".to_owned()), "{moment}");
        let told = errors(&stage, &id).await;
        assert!(!told.is_empty() && told.iter().all(|error| error.contains(moment)), "{told:?}");
    }
}

/// A hook in this program.
#[derive(Debug, Default)]
struct Counting {
    told: Mutex<Vec<(u64, usize)>>,
}

impl Hook for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn wants(&self, moment: Moment, _tool: Option<&str>) -> bool {
        moment == Moment::MessagesChanged
    }

    fn ask<'a>(&'a self, about: About<'a>) -> BoxFuture<'a, Result<HookAnswer, HookFailed>> {
        let What::Messages { count, messages } = about.what else { panic!("{about:?}") };
        self.told.lock().unwrap().push((count, messages.len()));
        Box::pin(std::future::ready(Ok(HookAnswer::Pass)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_of_the_program_is_told_of_every_message() {
    let counting = Arc::new(Counting::default());
    let stage = Stage::hooked(vec![Arc::clone(&counting) as Arc<dyn Hook>]);
    stage.tool.ends.add_permits(1);
    let id = stage.agent("a").await;
    stage.complete(&id, "m1", WORK).await;
    let all = || counting.told.lock().unwrap().iter().map(|(_, new)| new).sum::<usize>() == 4;
    crate::stage::until(all).await;
    let told = counting.told.lock().unwrap().clone();
    assert_eq!(told.iter().map(|(count, _)| *count).max(), Some(4), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_the_operators_and_a_wrong_one_refuses_the_file() {
    let stage = Stage::new();
    let request = CreateAgent {
        template: "openai".to_owned(),
        overrides: Some(json!({"hooks": {"pre_tool": [{"command": ["/bin/true"]}]}})),
        ..CreateAgent::default()
    };
    let refused = stage.runtime.create(request).await.unwrap_err().to_string();
    assert!(refused.contains("hooks are the operator's"), "{refused}");
    for (hook, words) in [
        ("pre_tool: [{ url: 'http://x/', command: [a] }]", "a url or a command"),
        ("pre_tool: [{}]", "a url or a command"),
        ("pre_tool: [{ url: 'file:///x' }]", "can't be posted to"),
        ("pre_model: [{ url: 'http://x/', tools: [a] }]", "hooks.pre_model: tools"),
        ("pre_tool: [{ url: 'http://x/', timeout: 0s }]", "timeout"),
        ("before_tool: [{ url: 'http://x/' }]", "before_tool"),
        ("pre_tool: [{ url: 'http://x/', on_failure: ignore }]", "ignore"),
        ("messages_changed: [{ url: 'http://x/', on_failure: deny }]", "nothing waits for this hook"),
    ] {
        let text = format!("id: t\nmodel: {{ provider: openai, name: m }}\nhooks: {{ {hook} }}\n");
        let refused = Template::parse(&text, std::path::Path::new("t.yaml")).unwrap_err().to_string();
        assert!(refused.contains(words), "{hook}: {refused}");
    }
}
