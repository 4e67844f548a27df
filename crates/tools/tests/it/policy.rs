//! What policies see in calls of the built-in tools.

use std::path::Path;
use std::sync::Arc;

use seawall_policy::{Asked, Performer, Policy, PolicyFile, Setting};
use seawall_tools::{HttpFetch, Registry, SystemResolver, Tool, built_in};
use seawall_types::{Actor, Mode, Verdict};
use serde_json::{Value, json};

use crate::support::Agent;

fn policy(root: &Path) -> Policy {
    let all = json!({ "files": {}, "network": {}, "commands": { "dangerous": "deny" }, "secrets": { "in": "deny" } });
    written(&all, root)
}

fn written(rules: &Value, root: &Path) -> Policy {
    let document = seawall_config::Document::from_value(rules);
    let file = seawall_config::read(&document, PolicyFile::declare).unwrap();
    file.compile(&Setting { mode: Mode::Strict, folder: root, sandbox: None }, "test")
}

fn tools() -> Registry {
    let mut tools = Registry::with(built_in()).unwrap();
    let tls = seawall_llm_client::client_config().unwrap();
    tools.register(Arc::new(HttpFetch::new(tls, Arc::new(SystemResolver)))).unwrap();
    tools
}

#[test]
fn what_a_call_touches_is_judged_and_what_is_only_text_is_not_taken_for_a_path() {
    let root = tempfile::tempdir().unwrap();
    let (policy, tools, actor) = (policy(root.path()), tools(), Actor::default());
    let verdict = |tool: &str, args: &Value| {
        let effects = &tools.get(tool).unwrap().description().effects;
        let performer = Performer::Us;
        policy.judge(&Asked { tool, args, effects, actor: &actor, run: "", flow: None, performer }).verdict
    };
    let key = format!("sk-ant-api03-{}", "Ab9_".repeat(24));
    for (tool, args, expected) in [
        ("fs_read", json!({ "path": "a" }), Verdict::Allow),
        ("fs_read", json!({ "path": "../a" }), Verdict::Deny),
        ("fs_write", json!({ "path": "a", "content": "../b" }), Verdict::Allow),
        ("fs_write", json!({ "path": "/etc/a", "content": "x" }), Verdict::Deny),
        ("fs_write", json!({ "path": "a", "content": key }), Verdict::Deny),
        (
            "fs_edit",
            json!({ "path": "a", "old_string": "import '../b'", "new_string": "/etc/c" }),
            Verdict::Allow,
        ),
        ("fs_edit", json!({ "path": "../a", "old_string": "a", "new_string": "b" }), Verdict::Deny),
        (
            "fs_multi_edit",
            json!({ "edits": [{ "path": "a", "find": "../b", "replace": "~/c" }] }),
            Verdict::Allow,
        ),
        (
            "fs_multi_edit",
            json!({ "edits": [{ "path": "/etc/a", "find": "b", "replace": "c" }] }),
            Verdict::Deny,
        ),
        ("fs_glob", json!({ "pattern": "src/**/*.rs" }), Verdict::Allow),
        ("fs_glob", json!({ "pattern": "*", "cwd": "/etc" }), Verdict::Deny),
        ("fs_grep", json!({ "pattern": "../b", "path": "src/**/*.rs" }), Verdict::Allow),
        ("fs_grep", json!({ "pattern": "b", "path": "/etc/passwd" }), Verdict::Deny),
        ("bash_run", json!({ "cmd": "ls -l" }), Verdict::Allow),
        ("bash_run", json!({ "cmd": "rm -r -f /" }), Verdict::Deny),
        (
            "todo_write",
            json!({ "todos": [{ "id": "1", "title": "../b", "status": "pending" }] }),
            Verdict::Allow,
        ),
        ("http_fetch", json!({ "url": "http://127.0.0.1/" }), Verdict::Deny),
        ("http_fetch", json!({ "url": "https://93.184.215.14/" }), Verdict::Allow),
    ] {
        assert_eq!(verdict(tool, &args), expected, "{tool} {args}");
    }
}

#[tokio::test]
async fn a_place_is_held_by_the_rules_of_its_policy() {
    let rules = json!({ "files": { "also": [".git:ro"], "max_file_bytes": 8 }, "network": { "hosts": ["one.example"] } });
    let tls = seawall_llm_client::client_config().unwrap();
    let fetch: Arc<dyn Tool> = Arc::new(HttpFetch::new(tls, Arc::new(SystemResolver)));
    let agent = Agent::with(built_in().into_iter().chain([fetch]).collect(), |settings| {
        let root = settings.files.root.clone();
        std::fs::create_dir(root.join(".git")).unwrap();
        *settings = settings.clone().under(&written(&rules, &root));
    });
    agent.put("long", "123456789");
    let said = agent.error("fs_read", json!({ "path": "long" })).await;
    assert!(said.contains("FS_TOO_LARGE"), "{said}");
    let said = agent.error("fs_write", json!({ "path": ".git/config", "content": "x" })).await;
    assert!(said.contains("read-only"), "{said}");
    let said = agent.error("http_fetch", json!({ "url": "https://two.example/" })).await;
    assert!(said.contains("NET_HOST_NOT_ALLOWED"), "{said}");
    let told = agent.ok("bash_run", json!({ "cmd": "echo x > .git/config" })).await;
    assert_ne!(told["code"], 0, "{told}");
}
