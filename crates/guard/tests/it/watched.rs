//! What a tool is seen to do, whatever its arguments said.

use seawall_guard::{Call, Code, Effect, Error, Run, Seen};
use serde_json::json;

use crate::stage::{Stage, lines};

fn code(run: &Run, seen: Seen<'_>) -> Option<Code> {
    let admitted = run.admit(Call::new("innocent", json!({ "text": "hello" }))).unwrap();
    admitted.observe(seen).err().and_then(|error| error.code())
}

#[test]
fn a_tool_with_innocent_arguments_is_held_to_the_policy_too() {
    let stage = Stage::new();
    let run = stage.run("safe");
    let inside = stage.sandbox().join("a");
    let inside = inside.to_str().unwrap();
    let path = |effect, path| Seen::Path { effect, path };
    let connection = |address: &str, port| Seen::Connection { address: address.parse().unwrap(), port };
    for (seen, expected) in [
        (path(Effect::FsRead, "/etc/passwd"), Some(Code::FsOutsideRoot)),
        (path(Effect::FsWrite, inside), None),
        (Seen::Name("good.example"), None),
        (Seen::Name("private.example"), Some(Code::NetPrivateAddress)),
        (Seen::Name("localhost"), Some(Code::NetPrivateAddress)),
        (Seen::Name("169.254.169.254"), Some(Code::NetMetadataService)),
        (connection("93.184.215.14", 443), None),
        (connection("93.184.215.14", 22), Some(Code::NetPort)),
        (connection("127.0.0.1", 80), Some(Code::NetPrivateAddress)),
        (connection("::1", 443), Some(Code::NetPrivateAddress)),
        (Seen::Command(&["ls", "-l"]), None),
    ] {
        assert_eq!(code(&run, seen), expected, "{seen:?}");
    }
    assert!(code(&run, Seen::Command(&["rm", "-rf", "/"])).is_some());
}

#[test]
fn a_connection_is_allowed_to_what_an_allowed_name_led_to_and_nowhere_else() {
    let stage = Stage::new();
    let run = stage.run("network: { hosts: [good.example] }");
    let address = "93.184.215.14".parse().unwrap();
    let connect = Seen::Connection { address, port: 443 };
    assert_eq!(code(&run, connect), Some(Code::NetHostNotAllowed));
    let admitted = run.admit(Call::new("innocent", json!({}))).unwrap();
    assert!(admitted.observe(Seen::Name("evil.example")).is_err());
    assert!(admitted.observe(connect).is_err());
    admitted.observe(Seen::Name("good.example")).unwrap();
    admitted.observe(connect).unwrap();
    let by_argument = run.admit(Call::new("fetch", json!({ "url": "https://good.example/" }))).unwrap();
    by_argument.observe(connect).unwrap();
}

#[test]
fn what_was_seen_and_refused_is_written_down_under_its_call() {
    let stage = Stage::new();
    for (strict, kind) in [(true, "action.denied"), (false, "note")] {
        let run = Run::begin(stage.options("safe").strict(strict), None).unwrap();
        let admitted = run.admit(Call::new("innocent", json!({}))).unwrap();
        let seen = admitted.observe(Seen::Path { effect: Effect::FsRead, path: "/etc/passwd" });
        assert_eq!(seen.is_err(), strict);
        assert!(seen.is_ok() || matches!(seen, Err(Error::PolicyDenied(_))));
        let action = json!(admitted.action());
        drop(admitted);
        run.finish();
        let lines = lines(run.trace_path().unwrap());
        let line = lines.iter().find(|line| line["kind"] == kind).unwrap();
        assert_eq!(line["data"]["findings"][0]["code"], "FS_OUTSIDE_ROOT");
        assert!(line["parent"] == action || line["action"] == action);
    }
}
