//! A key's own policy: named when the key is made, obeyed when it is used, and nobody else's.

use seawall_types::Window;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::upstream::{Reply, Upstream};

const SMALL: &str = "
name: small
mode: strict
models: { allow: [\"sim-*-small\"], max_output_tokens: 7 }
limits: { usd: \"2\" }
";

async fn call(server: &Program, key: &str, model: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let body = format!(
        r#"{{"model":"{model}","max_tokens":50,"messages":[{{"role":"user","content":"sim:repeat 50 word"}}]}}"#
    );
    server.ask(raw::request("POST", "/v1/chat/completions", &[("authorization", &bearer)], body)).await
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, Format::Chat.error(answer)["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_keys_policy_decides_on_models_output_mode_and_money_for_that_key_alone() {
    let setup = Setup::simulated("");
    setup.write("small.yaml", SMALL);
    let bound = setup.key(&["--name", "bound", "--budget", "5", "--policy", "small.yaml"]);
    let free = setup.key(&["--name", "free"]);
    let server = setup.start();

    let answer = call(&server, &bound, "sim-x-small").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["usage"]["completion_tokens"], 7, "the policy's output limit holds: {answer:?}");
    assert_eq!(code(&call(&server, &bound, "sim-x-large").await), (403, "MODEL_NOT_ALLOWED".to_owned()));

    let answer = call(&server, &free, "sim-x-large").await;
    assert_eq!(answer.status, 200, "another key is under the configured policy: {answer:?}");
    assert_ne!(answer.json()["usage"]["completion_tokens"], 7);

    let budgets = setup.cli_json(&["budget", "show"]);
    let limits: Vec<_> = budgets["budgets"].as_array().unwrap().iter().collect();
    let of_bound = limits.iter().find(|account| account["scope"] == "key:bound").unwrap();
    assert_eq!(of_bound["limit_usd"], "2.000000", "the smaller of budget and policy: {of_bound}");
}

#[tokio::test]
async fn keys_list_shows_the_policy_and_only_a_policy_that_can_be_read_makes_a_key() {
    let setup = Setup::simulated("");
    setup.write("small.yaml", SMALL);
    setup.key(&["--name", "bound", "--policy", "small.yaml"]);
    setup.key(&["--name", "open", "--policy", "off"]);
    setup.write("broken.yaml", "models: 7");
    for wrong in ["nowhere.yaml", "saef", "broken.yaml"] {
        let output = setup.cli(&["keys", "create", "--name", "none", "--policy", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("sk-sw-"), "{output:?}");
    }
    let keys = setup.cli_json(&["keys", "list"]);
    let policy = |index: usize| keys["keys"][index]["policy"].as_str().unwrap();
    let whole = std::fs::canonicalize(setup.path("small.yaml")).unwrap();
    assert_eq!(policy(0), whole.to_str().unwrap(), "the server may run in another folder");
    assert_eq!(policy(1), "off");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let table = String::from_utf8(setup.cli(&["keys", "list"]).stdout).unwrap();
    assert!(table.contains("POLICY") && table.contains("small.yaml"), "{table}");
}

#[tokio::test]
async fn a_policy_comes_into_force_with_its_key_and_follows_its_file() {
    let setup = Setup::simulated("");
    setup.write("small.yaml", SMALL);
    let server = setup.start();
    // Made while the server runs: its policy is read and its file watched from then on.
    let bound = setup.key(&["--name", "bound", "--policy", "small.yaml"]);
    assert_eq!(call(&server, &bound, "sim-x-large").await.status, 403);

    setup.write("small.yaml", "name: small\nmode: strict\nmodels: { allow: [sim-x-large] }");
    eventually("the changed policy", async || {
        let answer = call(&server, &bound, "sim-x-large").await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_stops_its_keys_and_nothing_else() {
    let setup = Setup::simulated("");
    let file = setup.write("small.yaml", SMALL);
    let bound = setup.key(&["--name", "bound", "--policy", "small.yaml"]);
    let free = setup.key(&["--name", "free"]);
    std::fs::remove_file(file).unwrap();
    let server = setup.start();
    let answer = call(&server, &bound, "sim-x-small").await;
    assert_eq!(code(&answer), (403, "FORBIDDEN".to_owned()), "{answer:?}");
    assert!(!answer.text().contains("small.yaml"), "where it is, is the operator's: {answer:?}");
    assert_eq!(call(&server, &free, "sim-x-small").await.status, 200);
    server.stderr.wait_for("keys with this policy can't be used").expect("a word about it in the log");

    setup.write("small.yaml", SMALL);
    eventually("the mended policy", async || {
        let answer = call(&server, &bound, "sim-x-small").await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_policy_tightens_what_is_configured_for_its_key_and_loosens_nothing() {
    let setup =
        Setup::simulated("budgets: [ { scope: \"key:a\", usd: \"1\", tokens: 1000, on_store_down: open } ]");
    setup.write("wide.yaml", "name: wide\nlimits: { usd: \"100\", tokens: 900 }");
    setup.key(&["--name", "a", "--policy", "wide.yaml"]);
    let account = setup.start().budget("key:a", Window::Total).await;
    assert_eq!(
        (account.limit_usd.map(|usd| usd.to_string()), account.limit_tokens),
        (Some("1.000000".to_owned()), Some(900))
    );
}

#[tokio::test]
async fn a_revoked_key_has_no_say_in_what_the_next_of_its_name_may_spend() {
    let setup = Setup::simulated("");
    setup.write("small.yaml", SMALL);
    setup.key(&["--name", "a", "--policy", "small.yaml"]);
    setup.cli_well(&["keys", "revoke", "a"]);
    setup.key(&["--name", "a"]);
    let shown = setup.start().get("/api/budgets").await;
    let budgets = shown.text();
    assert!(!budgets.contains("2.000000"), "{budgets}");
}

#[tokio::test]
async fn policies_of_one_name_in_two_files_count_their_actions_apart() {
    let upstream = Upstream::always(Reply::nothing().hang());
    let setup = Setup::proxy(&one_upstream(&upstream.url()));
    setup.write("a.yaml", "limits: { concurrent: 2 }");
    setup.write("b.yaml", "limits: { concurrent: 1 }");
    let a = setup.key(&["--name", "a", "--policy", "a.yaml"]);
    let b = setup.key(&["--name", "b", "--policy", "b.yaml"]);
    let server = setup.start();
    let begin = async |key: &str| {
        let mut client = server.connect().await;
        let bearer = format!("Bearer {key}");
        let body = r#"{"model":"m","messages":[]}"#;
        client.send(raw::request("POST", "/v1/chat/completions", &[("authorization", &bearer)], body)).await;
        client
    };
    let _of_a = begin(&a).await;
    upstream.wait_for_requests(1).await;
    let _of_b = begin(&b).await;
    upstream.wait_for_requests(2).await;
    assert_eq!(call(&server, &b, "m").await.status, 503, "one is b's limit");
}
