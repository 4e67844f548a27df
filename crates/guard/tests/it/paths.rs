//! Files: what was decided on is what the tool gets.

use seawall_guard::{Call, Code, Declared, Effect, Error};
use serde_json::{Value, json};

use crate::stage::Stage;

#[test]
fn a_relative_path_lands_in_the_sandbox_and_nowhere_else() {
    let stage = Stage::new();
    let run = stage.run("fs_safe");
    let wrote =
        run.call(Call::new("write_file", json!({ "path": "only-here.txt", "content": "hi" })), |args| {
            std::fs::write(args["path"].as_str().unwrap(), args["content"].as_str().unwrap())
                .map(|()| Value::Null)
        });
    wrote.unwrap();
    assert_eq!(std::fs::read_to_string(stage.sandbox().join("only-here.txt")).unwrap(), "hi");
    assert!(!std::path::Path::new("only-here.txt").exists());
}

#[test]
fn every_path_is_judged_whatever_its_parameter_is_called() {
    let stage = Stage::new();
    let run = stage.run("fs_safe");
    let secret = stage.folder().join("secret");
    for (tool, arguments) in [
        ("two", json!({ "path": "ok.txt", "file_path": "/etc/passwd" })),
        ("copy", json!({ "src": "/etc/passwd", "dst": "ok" })),
        ("copy", json!({ "src": "ok", "dst": "/etc/cron.d/x" })),
        ("read", json!({ "filename": "/etc/passwd" })),
        ("read", json!({ "whatever": "/etc/passwd" })),
        ("read", json!({ "x": "../secret" })),
        ("read", json!({ "options": { "deep": [{ "target": secret }] } })),
        ("read", json!({ "path": "%2e%2e/secret" })),
        ("read", json!({ "path": "file:///etc/passwd" })),
        ("read", json!({ "path": "~/.ssh/id_ed25519" })),
        ("read", json!({ "path": "/proc/self/environ" })),
        ("read", json!({ "path": "a\u{0}b" })),
        ("read", json!({ "files": { "../secret": true } })),
    ] {
        let Err(Error::PolicyDenied(denied)) = run.admit(Call::new(tool, arguments.clone())) else {
            panic!("{tool} {arguments} was admitted")
        };
        assert!(denied.code.as_str().starts_with("FS_"), "{arguments}: {denied}");
        assert!(!denied.remedy.is_empty() && !denied.findings.is_empty());
    }
}

#[test]
fn a_link_out_of_the_sandbox_is_not_followed() {
    let stage = Stage::new();
    let run = stage.run("fs_safe");
    std::os::unix::fs::symlink(stage.folder().join("secret"), stage.sandbox().join("link")).unwrap();
    let error = run.admit(Call::new("read", json!({ "path": "link" }))).unwrap_err();
    assert_eq!(error.code(), Some(Code::FsSymlinkEscape));
}

#[test]
fn what_is_declared_goes_before_what_names_tell() {
    let stage = Stage::new();
    let run = stage.run("files: { also: [\"notes:ro\"] }");
    std::fs::create_dir(stage.sandbox().join("notes")).unwrap();
    let admit = |effect: Option<Effect>, value: &str| {
        let effects = Declared::Parameters([("note".to_owned(), effect)].into_iter().collect());
        run.admit(Call { effects: &effects, ..Call::new("run", json!({ "note": value })) }).map(drop)
    };
    admit(Some(Effect::FsRead), "notes/a").unwrap();
    assert!(admit(Some(Effect::FsWrite), "notes/a").is_err());
    assert!(admit(Some(Effect::FsRead), "/etc/passwd").is_err());
    admit(None, "/etc/passwd").unwrap();
}
