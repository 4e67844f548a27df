//! The configuration as the product's contract writes it, every key of it: what this build does, it takes as it stands;
//! what it does not do, it refuses by name.

use crate::support::program::Setup;

const CONTRACT: &str = include_str!("contract/contract.yaml");

/// A seed of 32 bytes.
const SEED: &str = "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=";

/// What the contract's example asks for and this build does not do, and the same asking for nothing.
const BEYOND: [(&str, &str); 1] = [("syslog: { address: /dev/log }", "syslog: null")];

fn setup(command: &str, config: &str) -> Setup {
    let setup = Setup::new(command).config(config).env("OPENAI_API_KEY", "sk-theirs").env("SIGN_KEY", SEED);
    setup.write("prices.json", r#"{"models":{"x":{"in":1,"out":2}}}"#);
    std::fs::create_dir_all(setup.path(".seawall")).unwrap();
    setup
}

fn within_this_build() -> String {
    let apply = |text: String, (asks, nothing): (&str, &str)| {
        assert!(text.contains(asks), "{asks}");
        text.replace(asks, nothing)
    };
    BEYOND.into_iter().fold(CONTRACT.to_owned(), apply)
}

#[test]
fn all_that_it_asks_beyond_this_build_is_refused_by_name_and_nothing_else_is() {
    let output = setup("config", CONTRACT).args(["check"]).run();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let faults: Vec<&str> = said.lines().collect();
    assert_eq!(faults.len(), BEYOND.len(), "{said}");
    let fault = faults[0];
    assert!(fault.contains("logging.syslog: not in this build") && fault.contains("; "), "a remedy: {fault}");
    assert!(!said.contains(SEED), "{said}");
}

#[tokio::test]
async fn the_rest_of_it_is_good_and_a_server_runs_with_it() {
    let text = within_this_build();
    let output = setup("config", &text).args(["check"]).run();
    assert!(output.status.success(), "{output:?}");
    let server = setup("proxy", &text).args(["--listen", "127.0.0.1:0"]).start();
    assert_eq!(server.get("/health").await.status, 200);
}

#[test]
fn other_values_of_its_keys_are_taken_or_refused_by_name() {
    for (section, named) in [
        ("ledger: { shared: postgres }", "ledger.shared: \"postgres\" is not in this build"),
        ("ledger: { shared: redis }", "ledger.shared: \"redis\" is not in this build"),
        ("otlp: { protocol: grpc }", "otlp.protocol: \"grpc\" is not in this build"),
    ] {
        let output = setup("config", section).args(["check"]).run();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(named), "{section}: {said}");
    }
    for section in [
        "trace: { content: none }",
        "trace: { content: redacted }",
        "trace: { content: full }",
        "otlp: { endpoint: \"http://127.0.0.1:4318\" }",
        "mcp: { servers: {} }",
        "agents: null",
    ] {
        let output = setup("config", section).args(["check"]).run();
        assert!(output.status.success(), "{section}: {output:?}");
    }
}
