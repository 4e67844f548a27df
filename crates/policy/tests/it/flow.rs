//! The order of a run's actions, and where data comes from and goes to.

use seawall_policy::{Declared, FlowState, Policy};
use seawall_types::Verdict;
use serde_json::{Value, json};

use super::{findings, judged, judged_with, policy_in};

const RULES: &str = "
files: {}
network: {}
flow:
  - { after: { effect: fs_read, path: 'secrets/**' }, deny: { effect: net, unless: { hosts: [vault.example] } } }
  - { after: { tool: 'web_*' }, ask: { tool: 'deploy' } }
sensitive: [{ path: 'secrets/**' }, { tool: 'crm.*' }]
sinks: [{ effect: net }, { tool: 'send_*' }]
";

struct Run {
    policy: Policy,
    state: FlowState,
    _root: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let policy = policy_in(root.path(), RULES);
        Self { policy, state: FlowState::default(), _root: root }
    }

    /// Judges a call and, as it was performed, takes note of it.
    fn call(&mut self, tool: &str, args: &Value) -> Verdict {
        let decision = judged_with(&self.policy, tool, args, &Declared::Nothing, Some(&self.state));
        self.state.advance(&decision.steps);
        decision.verdict
    }
}

#[test]
fn after_a_secret_was_read_no_other_host_is_talked_to() {
    let mut run = Run::new();
    let (fetch, vault) = (json!({ "url": "https://example.com" }), json!({ "url": "https://vault.example" }));
    assert_eq!(run.call("fetch", &fetch), Verdict::Allow);
    assert_eq!(run.call("read_file", &json!({ "path": "notes.txt" })), Verdict::Allow);
    assert_eq!(run.call("fetch", &fetch), Verdict::Allow);
    assert!(run.state.is_fresh());
    assert_eq!(run.call("read_file", &json!({ "path": "./secrets/./key" })), Verdict::Allow);
    assert_eq!(run.call("fetch", &fetch), Verdict::Deny);
    assert_eq!(run.call("fetch", &vault), Verdict::Allow);
    assert_eq!(
        run.call("fetch", &json!({ "a": "https://vault.example", "b": "https://example.com" })),
        Verdict::Deny
    );
    let decision = judged_with(&run.policy, "fetch", &fetch, &Declared::Nothing, Some(&run.state));
    assert_eq!(findings(&decision), [("NET_HOST_NOT_ALLOWED", "/url")]);
    assert_eq!(decision.findings[0].rule, "flow");
}

#[test]
fn a_step_is_taken_by_what_is_read_and_not_by_what_is_written() {
    let mut run = Run::new();
    run.call("write_file", &json!({ "path": "secrets/key", "content": "x" }));
    assert!(run.state.is_fresh());
    run.call("web_search", &json!({ "query": "x" }));
    assert_eq!(run.call("deploy", &json!({})), Verdict::Ask);
    assert_eq!(run.call("other", &json!({})), Verdict::Allow);
}

#[test]
fn what_happened_stays_when_the_policy_is_read_again() {
    let mut run = Run::new();
    run.call("read_file", &json!({ "path": "secrets/key" }));
    let again = policy_in(run._root.path(), RULES);
    let args = json!({ "url": "https://example.com" });
    let decision = judged_with(&again, "fetch", &args, &Declared::Nothing, Some(&run.state));
    assert_eq!(decision.verdict, Verdict::Deny);
}

#[test]
fn a_link_to_a_secret_is_a_secret() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("secrets")).unwrap();
    std::fs::write(root.path().join("secrets/key"), "k").unwrap();
    std::os::unix::fs::symlink("secrets/key", root.path().join("harmless")).unwrap();
    let whole = root.path().canonicalize().unwrap();
    let decision = judged(&policy_in(&whole, RULES), "read_file", &json!({ "path": "harmless" }));
    assert!(decision.sensitive, "{decision:?}");
    assert_eq!(decision.steps.len(), 1);
}

#[test]
fn sources_and_sinks_are_told() {
    let run = Run::new();
    for (tool, args, sensitive, sink) in [
        ("read_file", json!({ "path": "secrets/key" }), true, false),
        ("read_file", json!({ "path": "notes.txt" }), false, false),
        ("crm.search", json!({}), true, false),
        ("fetch", json!({ "url": "https://example.com" }), false, true),
        ("send_mail", json!({ "body": "x" }), false, true),
    ] {
        let decision = judged(&run.policy, tool, &args);
        assert_eq!((decision.sensitive, decision.sink), (sensitive, sink), "{tool} {args}");
    }
}
