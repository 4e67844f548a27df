//! Many processes over one PostgreSQL: servers that only accept, workers that only work, and one of them killed.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;

const TEMPLATE: &str = "
id: helper
model: { provider: anthropic, name: sim-small }
tools: [bash_run]
sandbox: { root: ROOT }
";

const AGENTS: usize = 20;

/// One of the processes.
fn process(command: &str, database: &Postgres, shared: &Path, more: &[&str]) -> Program {
    let templates = shared.display().to_string();
    let flags =
        ["--listen", "127.0.0.1:0", "--store", &database.url, "--templates", &templates, "--lease", "2s"];
    let setup = Setup::new(command).config(&one_upstream("sim:"));
    setup.args(flags).args(more.iter().copied()).start()
}

async fn posted(server: &Program, path: &str, body: &Value) -> Value {
    let answer = server.ask(raw::post(path, body.to_string())).await;
    assert!(answer.status < 300, "{path}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

async fn got(server: &Program, path: &str) -> Value {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn agents_of_a_killed_worker_go_on_at_another_and_nothing_is_done_twice() {
    let database = Postgres::start();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(
        shared.path().join("helper.yaml"),
        TEMPLATE.replace("ROOT", shared.path().to_str().unwrap()),
    )
    .unwrap();
    let fronts = [(); 2].map(|()| process("serve", &database, shared.path(), &["--no-workers"]));
    let doomed = process("worker", &database, shared.path(), &[]);
    for number in 0..AGENTS {
        let id = format!("a{number}");
        posted(&fronts[0], "/api/agents", &json!({ "id": id, "template": "helper" })).await;
        let said = format!(
            "sim:tool bash_run {{\"cmd\":\"echo ran >> {id}; sleep 600\"}}\nsim:turn 1 sim:text {id} knows"
        );
        posted(&fronts[number % 2], &format!("/api/agents/{id}/messages"), &json!({ "content": said })).await;
    }
    let witness = |number: usize| shared.path().join(format!("a{number}"));
    eventually("all tools run", async || match (0..AGENTS).find(|number| !witness(*number).exists()) {
        None => Ok(()),
        missing => Err(missing),
    })
    .await;
    let other = process("worker", &database, shared.path(), &[]);
    doomed.kill();
    for number in 0..AGENTS {
        let path = format!("/api/agents/a{number}");
        let agent = eventually("the agent goes on", async || {
            let agent = got(&fronts[1], &path).await;
            if agent["state"] == "ready" { Ok(agent) } else { Err(agent) }
        })
        .await;
        assert_eq!(agent["message_count"], 4, "{agent}");
        assert_eq!(std::fs::read_to_string(witness(number)).unwrap(), "ran\n", "a{number}");
        let checked = got(&fronts[0], &format!("{path}/consistency")).await;
        assert_eq!(checked["consistent"], true, "{checked}");
    }
    // Whoever is left does what is asked next, through either server.
    let said = json!({ "content": "and now?" });
    let answered = posted(&fronts[0], "/api/agents/a0/messages?wait=true", &said).await;
    assert_eq!(answered["status"], "ok", "{answered}");
    drop(other);
}
