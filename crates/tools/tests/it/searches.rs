//! Finding files and lines.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::Agent;

fn tree() -> Agent {
    let agent = Agent::new();
    for (name, text) in [
        ("src/main.rs", "fn main() {\n    run();\n}\n"),
        ("src/net/tcp.rs", "fn connect() {} // run()\n"),
        ("src/net/notes.md", "run the tests\n"),
        (".github/ci.yml", "run: test\n"),
        (".git/config", "run\n"),
        ("target/out.rs", "run\n"),
        ("Cargo.toml", "[package]\n"),
        (".gitignore", "/target\n*.log\n"),
        ("a.log", "run\n"),
        ("src/net/.gitignore", "!kept.log\n"),
        ("src/net/kept.log", "kept\n"),
    ] {
        agent.put(name, text);
    }
    agent
}

async fn glob(agent: &Agent, arguments: Value) -> Vec<String> {
    let found = agent.ok("fs_glob", arguments).await;
    serde_json::from_value(found["matches"].clone()).unwrap()
}

#[tokio::test]
async fn a_pattern_finds_files_in_order() {
    let agent = tree();
    for (arguments, expected) in [
        (json!({ "pattern": "**/*.rs" }), vec!["src/main.rs", "src/net/tcp.rs"]),
        (json!({ "pattern": "*.rs" }), vec![]),
        (json!({ "pattern": "src/*.rs" }), vec!["src/main.rs"]),
        (json!({ "pattern": "**/*.log" }), vec!["src/net/kept.log"]),
        (json!({ "pattern": "*.{rs,md}", "cwd": "src/net" }), vec!["src/net/notes.md", "src/net/tcp.rs"]),
        (json!({ "pattern": "src/main.rs" }), vec!["src/main.rs"]),
        (json!({ "pattern": "*" }), vec!["Cargo.toml"]),
        (json!({ "pattern": "**/*.yml" }), vec![]),
        (json!({ "pattern": ".github/*" }), vec![".github/ci.yml"]),
        (json!({ "pattern": "**/*.yml", "dot": true }), vec![".github/ci.yml"]),
        (
            json!({ "pattern": "**/*.rs", "ignored": true }),
            vec!["src/main.rs", "src/net/tcp.rs", "target/out.rs"],
        ),
        (json!({ "pattern": "**/config", "dot": true, "ignored": true }), vec![]),
    ] {
        assert_eq!(glob(&agent, arguments.clone()).await, expected, "{arguments}");
    }
}

#[tokio::test]
async fn an_absolute_pattern_begins_where_it_says() {
    let agent = tree();
    let pattern = agent.path("src/**/*.rs").to_string_lossy().into_owned();
    assert_eq!(glob(&agent, json!({ "pattern": pattern })).await, ["src/main.rs", "src/net/tcp.rs"]);
}

#[tokio::test]
async fn more_files_than_asked_for_are_told() {
    let agent = tree();
    let found = agent.ok("fs_glob", json!({ "pattern": "**", "limit": 2 })).await;
    assert_eq!((found["matches"].as_array().unwrap().len(), &found["truncated"]), (2, &json!(true)));
    let found = agent.ok("fs_glob", json!({ "pattern": "**/*.rs", "limit": 2 })).await;
    assert_eq!(found["truncated"], false);
}

#[tokio::test]
async fn searches_do_not_leave_the_root() {
    let agent = tree();
    symlink(agent.outside(""), agent.path("away")).unwrap();
    symlink(agent.outside("secret"), agent.path("src/secret")).unwrap();
    assert_eq!(glob(&agent, json!({ "pattern": "**/secret" })).await, ["src/secret"]);
    let found = agent.ok("fs_grep", json!({ "pattern": "PRIVATE" })).await;
    assert_eq!(found["matches"], json!([]));
    for (tool, arguments) in [
        ("fs_glob", json!({ "pattern": "*", "cwd": "away" })),
        ("fs_glob", json!({ "pattern": "away/*" })),
        ("fs_glob", json!({ "pattern": "../outside/*" })),
        ("fs_glob", json!({ "pattern": "/etc/*" })),
        ("fs_grep", json!({ "pattern": "PRIVATE", "path": "src/secret" })),
        ("fs_grep", json!({ "pattern": "PRIVATE", "path": "away/**" })),
        ("fs_grep", json!({ "pattern": "root", "path": "/etc/passwd" })),
    ] {
        let said = agent.error(tool, arguments.clone()).await;
        assert!(said.contains("[seawall] denied FS_"), "{arguments}: {said}");
    }
}

#[tokio::test]
async fn lines_are_found_with_their_places() {
    let agent = tree();
    let found = agent.ok("fs_grep", json!({ "pattern": "run()" })).await;
    let expected = json!([
        { "path": "src/main.rs", "line": 2, "column": 5, "preview": "    run();" },
        { "path": "src/net/tcp.rs", "line": 1, "column": 20, "preview": "fn connect() {} // run()" },
    ]);
    assert_eq!(found["matches"], expected);
}

#[tokio::test]
async fn a_search_is_as_wide_as_was_asked_for() {
    let agent = tree();
    for (arguments, expected) in [
        (json!({ "pattern": "RUN" }), 0),
        (json!({ "pattern": "RUN", "case_sensitive": false }), 3),
        (json!({ "pattern": "r.n\\b", "regex": true }), 3),
        (json!({ "pattern": "r.n", "path": "src" }), 0),
        (json!({ "pattern": "run", "path": "src/net" }), 2),
        (json!({ "pattern": "run", "path": "src/**/*.md" }), 1),
        (json!({ "pattern": "run", "path": "target/out.rs" }), 1),
        (json!({ "pattern": "run", "dot": true }), 4),
        (json!({ "pattern": "run", "ignored": true }), 5),
    ] {
        let found = agent.ok("fs_grep", arguments.clone()).await;
        assert_eq!(found["matches"].as_array().unwrap().len(), expected, "{arguments}: {found}");
    }
    let found = agent.ok("fs_grep", json!({ "pattern": "run", "max_results": 1 })).await;
    assert_eq!((found["matches"].as_array().unwrap().len(), &found["truncated"]), (1, &json!(true)));
}

#[tokio::test]
async fn a_pattern_that_is_none_is_told() {
    let agent = tree();
    let said = agent.error("fs_grep", json!({ "pattern": "(", "regex": true })).await;
    assert!(said.contains("can't be sought"), "{said}");
    let said = agent.error("fs_glob", json!({ "pattern": "src/[" })).await;
    assert!(said.contains("is no pattern"), "{said}");
}

#[tokio::test]
async fn what_is_no_text_is_not_searched_and_long_results_are_bounded() {
    let agent = Agent::new();
    agent.put("program", b"run\0run\nrun\n");
    agent.put("long", format!("{}\n", "run ".repeat(1_000)).repeat(2_000));
    let found = agent.ok("fs_grep", json!({ "pattern": "run", "max_results": 1000 })).await;
    assert_eq!(found["truncated"], true);
    assert!(found.to_string().len() <= seawall_tools::RESULT_BYTES);
    let found = agent.ok("fs_grep", json!({ "pattern": "run", "path": "program" })).await;
    assert_eq!(found["matches"], json!([]));
}
