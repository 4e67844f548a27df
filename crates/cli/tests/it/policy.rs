//! `seawall policy`: presets, checking a file, and what a policy says about an action.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::program::Setup;

fn policy(setup: &Setup, args: &[&str]) -> Output {
    setup.cli(&[&["policy"], args].concat())
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn presets_are_listed_and_shown_and_what_is_shown_is_a_policy() {
    let setup = Setup::new("policy");
    let list = said(&policy(&setup, &["list", "--json"]));
    let names: Vec<&str> =
        list["policies"].as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["off", "fs_safe", "net_safe", "safe", "strict", "readonly"]);
    for name in names {
        let shown = policy(&setup, &["show", name]);
        setup.write("copy.yaml", std::str::from_utf8(&shown.stdout).unwrap());
        assert!(policy(&setup, &["check", "copy.yaml"]).status.success(), "{name}: {shown:?}");
    }
}

#[test]
fn a_check_tells_everything_that_is_wrong_with_place_and_hint() {
    let setup = Setup::new("policy");
    setup.write("base.yaml", "injektion: warn");
    setup.write("team.yaml", "extends: [base.yaml]\ntools: [{ name: a, verdict: ask, when: 'arg.x > 1' }]");
    let output = policy(&setup, &["check", "team.yaml", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        said(&output),
        json!({ "ok": false, "errors": [
            {
                "path": "tools[0].when",
                "message": "\"arg.x > 1\" can't be read: at column 1: there is no \"arg\"; did you mean args?",
                "file": "team.yaml",
            },
            { "path": "injektion", "message": "unknown key", "hint": "did you mean injection?", "file": "base.yaml" },
        ] })
    );
    setup.write("base.yaml", "injection: warn");
    setup.write("team.yaml", "extends: [base.yaml, safe]");
    let output = policy(&setup, &["check", "team.yaml", "--json"]);
    assert!(output.status.success());
    assert_eq!(said(&output), json!({ "ok": true, "errors": [] }));
    let unknown = policy(&setup, &["check", "sfae"]);
    assert_eq!(unknown.status.code(), Some(2));
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(
        message,
        "seawall: policy: \"sfae\" is no preset, and there is no file sfae; did you mean safe?\n"
    );
}

#[test]
fn an_explanation_has_verdict_findings_and_exit_code() {
    let setup = Setup::new("policy");
    setup.write("team.yaml", "extends: [safe]\ntools: [{ name: pay, verdict: ask, when: 'args.usd > 50' }]");
    setup.write("mild.yaml", "extends: [safe]\nmode: warn");
    setup.write("a.txt", "text");
    for (args, verdict, code, exit) in [
        (vec!["--policy", "safe", "--path", "a.txt"], "allow", "", 0),
        (vec!["--policy", "safe", "--path", "../../etc/passwd"], "deny", "FS_TRAVERSAL", 3),
        (vec!["--path", "/etc/passwd"], "deny", "FS_OUTSIDE_ROOT", 3),
        (vec!["--policy", "mild.yaml", "--path", "/etc/passwd"], "warn", "FS_OUTSIDE_ROOT", 0),
        (vec!["--policy", "off", "--path", "/etc/passwd"], "allow", "", 0),
        (vec!["--policy", "readonly", "--path", "a.txt", "--effect", "write"], "deny", "FS_OUTSIDE_ROOT", 3),
        (vec!["--policy", "safe", "--url", "https://example.com/"], "allow", "", 0),
        (vec!["--policy", "safe", "--url", "http://169.254.169.254/"], "deny", "NET_METADATA_SERVICE", 3),
        (vec!["--policy", "safe", "--command", "ls"], "allow", "", 0),
        (vec!["--policy", "readonly", "--command", "ls"], "deny", "CMD_NOT_ALLOWED", 3),
        (
            vec!["--policy", "team.yaml", "--tool", "pay", "--args", r#"{"usd":80}"#],
            "ask",
            "APPROVAL_REQUIRED",
            6,
        ),
        (vec!["--policy", "team.yaml", "--tool", "pay", "--args", r#"{"usd":8}"#], "allow", "", 0),
        (
            vec!["--policy", "safe", "--tool", "get", "--args", r#"{"file":"/etc/passwd"}"#],
            "deny",
            "FS_OUTSIDE_ROOT",
            3,
        ),
    ] {
        let output = policy(&setup, &[&["explain", "--json"], args.as_slice()].concat());
        let explained = said(&output);
        assert_eq!(
            (explained["verdict"].as_str(), output.status.code()),
            (Some(verdict), Some(exit)),
            "{args:?}: {explained}"
        );
        let finding = &explained["findings"][0];
        assert_eq!(finding["code"].as_str().unwrap_or_default(), code, "{args:?}: {explained}");
        for key in ["rule", "severity", "message", "where", "remedy"] {
            assert_eq!(finding[key].is_string(), !code.is_empty(), "{args:?}: {explained}");
        }
    }
}

#[test]
fn a_sandbox_takes_the_place_of_the_root() {
    let setup = Setup::new("policy");
    std::fs::create_dir(setup.path("box")).unwrap();
    let inside = setup.path("box/a.txt");
    let inside = inside.to_str().unwrap();
    let explain =
        |args: &[&str]| policy(&setup, &[&["explain", "--policy", "fs_safe", "--json"], args].concat());
    assert_eq!(explain(&["--sandbox", "box", "--path", inside]).status.code(), Some(0));
    let outside = setup.path("b.txt");
    assert_eq!(explain(&["--sandbox", "box", "--path", outside.to_str().unwrap()]).status.code(), Some(3));
    assert_eq!(explain(&["--path", outside.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn wrong_flags_are_told_with_an_example() {
    let setup = Setup::new("policy");
    for (args, expected) in [
        (vec!["explain", "--tool", "a", "--args", "{"], "write it like '{\"path\":\"a.txt\"}'"),
        (vec!["explain", "--tool", "a", "--args", "[]"], "give a JSON object"),
        (vec!["explain"], "--tool"),
        (vec!["explain", "--policy", "nowhere", "--path", "a"], "is no preset, and there is no file nowhere"),
    ] {
        let output = policy(&setup, &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}

#[test]
fn the_configured_policy_is_the_one_that_is_asked() {
    let setup = Setup::new("policy").config("policy: { models: { allow: [] } }");
    let output = policy(&setup, &["explain", "--config", "config.yaml", "--path", "/etc/passwd", "--json"]);
    assert_eq!(said(&output)["verdict"], "allow");
    let people = policy(&setup, &["explain", "--policy", "safe", "--path", "/etc/passwd"]);
    let text = String::from_utf8(people.stdout).unwrap();
    assert!(
        text.starts_with("deny (policy safe, strict mode)\n- FS_OUTSIDE_ROOT by files.root at /path: "),
        "{text}"
    );
}

#[test]
fn the_schema_is_one() {
    let schema = said(&policy(&Setup::new("policy"), &["schema"]));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["properties"]["flow"]["items"]["properties"]["after"].is_object());
}

#[test]
fn every_example_of_the_guide_is_a_good_policy() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let setup = Setup::new("policy");
    let examples_in = |language: &str| -> Vec<&str> {
        let rests = guide.split(language).skip(1);
        rests.map(|rest| rest.split("```").next().unwrap()).collect()
    };
    let baseline = examples_in("```json\n").into_iter().find(|example| example.contains("\"runs\""));
    setup.write("baseline.json", baseline.unwrap());
    let examples = examples_in("```yaml\n");
    assert!(examples.len() >= 6, "{}", examples.len());
    for example in examples {
        setup.write("example.yaml", example);
        let output = policy(&setup, &["check", "example.yaml"]);
        assert!(output.status.success(), "{example}\n{output:?}");
    }
}
