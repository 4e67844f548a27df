//! Skills, and scripts of theirs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use seawall_tools::{Skills, built_in};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Agent;

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn skills() -> (TempDir, Skills) {
    let folder = tempfile::tempdir().unwrap();
    let matter =
        "---\nname: pdf\ndescription: >\n  Reads PDF\n  files\nlicense: MIT\n---\n\nUse `scripts/show.sh`.\n";
    put(folder.path(), "a/SKILL.md", matter);
    put(folder.path(), "a/scripts/show.sh", "for word in \"$@\"; do echo \"[$word]\"; done\npwd\n");
    put(folder.path(), "a/scripts/show.py", "import sys\nprint(sys.argv[1:])\n");
    let own = put(folder.path(), "a/scripts/own", "#!/bin/sh\necho own\n");
    std::fs::set_permissions(own, std::fs::Permissions::from_mode(0o755)).unwrap();
    put(folder.path(), "a/references/table.md", "| a |\n");
    put(folder.path(), "broken/SKILL.md", "no matter");
    put(folder.path(), "empty/notes.md", "no skill");
    let skills = Skills::find(&[folder.path().to_owned(), "/nonexistent".into()]);
    (folder, skills)
}

fn agent(skills: &Skills) -> Agent {
    let tools = built_in().into_iter().chain(skills.tools()).collect();
    Agent::with(tools, |_| {})
}

#[test]
fn skills_are_found_and_what_is_none_is_told_to_the_operator() {
    let (_folder, skills) = skills();
    assert_eq!(skills.prompt(), "### Skills\n\n- **pdf**: Reads PDF files\n");
    let refused: Vec<_> = skills.refused().iter().map(ToString::to_string).collect();
    assert!(refused.len() == 1 && refused[0].contains("broken") && refused[0].contains("---"), "{refused:?}");
    assert!(skills.only(["pdf"]).is_ok());
    assert!(skills.only(["pdx"]).unwrap_err().to_string().contains("did you mean pdf?"));
    assert_eq!(skills.only([""; 0]).unwrap().prompt(), "");
}

#[tokio::test]
async fn a_skill_says_what_it_has() {
    let (_folder, skills) = skills();
    let agent = agent(&skills);
    let all = agent.ok("skills", json!({ "action": "list" })).await;
    assert_eq!(all, json!({ "skills": [{ "name": "pdf", "description": "Reads PDF files" }] }));
    let pdf = agent.ok("skills", json!({ "action": "load", "skill_name": "pdf" })).await;
    assert_eq!(pdf["content"], "Use `scripts/show.sh`.");
    assert_eq!(pdf["scripts"], json!(["scripts/own", "scripts/show.py", "scripts/show.sh"]));
    assert_eq!(pdf["files"], json!(["references/table.md"]));
    assert!(agent.error("skills", json!({ "action": "load" })).await.contains("load which skill?"));
    let said = agent.error("skills", json!({ "action": "load", "skill_name": "../a" })).await;
    assert!(said.contains("there is no skill"), "{said}");
}

#[tokio::test]
async fn a_script_gets_its_arguments_one_by_one() {
    let (_folder, skills) = skills();
    let agent = agent(&skills);
    let run = |script: &str, args: Value| {
        let wish = json!({ "skill_name": "pdf", "script_name": script, "args": args });
        let agent = &agent;
        async move { agent.ok("execute_script", wish).await["output"].as_str().unwrap().to_owned() }
    };
    let root = agent.place.root().display().to_string();
    let hostile = json!(["a b", "$(id)", "; rm -rf .", "*", "\"", ""]);
    let expected = format!("[a b]\n[$(id)]\n[; rm -rf .]\n[*]\n[\"]\n[]\n{root}\n");
    assert_eq!(run("show.sh", hostile).await, expected);
    assert_eq!(run("scripts/show.py", json!(["$(id)"])).await, "['$(id)']\n");
    assert_eq!(run("own", json!([])).await, "own\n");
}

#[tokio::test]
async fn only_scripts_of_the_skill_are_run_and_they_are_held() {
    let (folder, skills) = skills();
    let agent = agent(&skills);
    for script in ["references/table.md", "../../../bin/ls", "/bin/ls", "SKILL.md"] {
        let wish = json!({ "skill_name": "pdf", "script_name": script });
        let said = agent.error("execute_script", wish).await;
        assert!(said.contains("has no script"), "{said}");
    }
    let changed = format!("echo x >> {}", folder.path().join("a/SKILL.md").display());
    put(folder.path(), "a/scripts/show.sh", &changed);
    let told = agent.ok("execute_script", json!({ "skill_name": "pdf", "script_name": "show.sh" })).await;
    assert_ne!(told["code"], 0, "{told}");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_skill_shows_nothing() {
    let (folder, skills) = skills();
    let agent = agent(&skills);
    std::fs::remove_file(folder.path().join("a/SKILL.md")).unwrap();
    symlink(agent.outside("secret"), folder.path().join("a/SKILL.md")).unwrap();
    let said = agent.error("skills", json!({ "action": "load", "skill_name": "pdf" })).await;
    assert!(said.contains("can't be opened"), "{said}");
}
