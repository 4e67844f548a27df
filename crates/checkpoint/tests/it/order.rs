//! What earlier calls mean for later ones.

use seawall_checkpoint::tool::ToolEnd;
use seawall_types::{Code, Mode};
use serde_json::json;

use crate::stage::Stage;

#[test]
fn after_a_secret_was_read_the_run_does_not_talk_to_others() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({
        "files": {}, "flow": [{ "after": { "effect": "fs_read", "path": "secrets/**" }, "deny": { "effect": "net" } }],
    }));
    std::fs::create_dir(stage.root().join("secrets")).unwrap();
    let fetch = json!({ "url": "https://example.com/" });
    drop(stage.admit(&policy, "fetch", &fetch).unwrap());
    let read = stage.admit(&policy, "read_file", &json!({ "path": "secrets/key" })).unwrap();
    assert!(stage.admit(&policy, "fetch", &fetch).is_err(), "while the first is under way too");
    read.settle(ToolEnd::Returned(&mut json!("x")), None).unwrap();
    assert_eq!(stage.admit(&policy, "fetch", &fetch).unwrap_err().code, Code::NetHostNotAllowed);
    drop(stage.admit(&policy, "read_file", &json!({ "path": "other" })).unwrap());
}

#[test]
fn of_two_calls_on_two_threads_one_comes_second() {
    let rules = json!({ "flow": [
        { "after": { "tool": "a" }, "deny": { "tool": "b" } }, { "after": { "tool": "b" }, "deny": { "tool": "a" } },
    ] });
    for _ in 0..50 {
        let stage = Stage::new();
        let policy = stage.strict(&rules);
        let barrier = std::sync::Barrier::new(2);
        let admitted = std::thread::scope(|scope| {
            let call = |tool: &'static str| {
                let (stage, policy, barrier) = (&stage, &policy, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    stage.admit(policy, tool, &json!({})).is_ok()
                })
            };
            let threads = [call("a"), call("b")];
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
        });
        assert_eq!(admitted, 1);
    }
}

#[test]
fn what_a_sensitive_source_gave_does_not_leave_by_a_sink() {
    let stage = Stage::new();
    let written = json!({ "sensitive": [{ "tool": "read_mail" }], "sinks": [{ "tool": "post" }] });
    let policy = stage.strict(&written);
    let mail = "the merger closes on the ninth of next month, tell nobody outside of the board";
    let read = stage.admit(&policy, "read_mail", &json!({})).unwrap();
    read.settle(ToolEnd::Returned(&mut json!({ "mails": [{ "text": mail }] })), None).unwrap();
    let leak = json!({ "body": { "parts": [format!("fwd: {}", &mail[4..70])] } });
    let denial = stage.admit(&policy, "post", &leak).unwrap_err();
    assert_eq!((denial.code, denial.findings[0].rule.as_str()), (Code::TaintLeak, "sinks"));
    drop(
        stage
            .admit(&policy, "post", &json!({ "body": "lunch at noon, as every day of this week?" }))
            .unwrap(),
    );
    drop(stage.admit(&policy, "note", &leak).unwrap());
    let warning = stage.policy(&written, Mode::Warn);
    let permit = stage.admit(&warning, "post", &leak).unwrap();
    assert_eq!(permit.findings()[0].code, Code::TaintLeak);
    drop(permit);
}
