//! Another gateway's configuration becomes one that this program takes as it is.

use serde_json::Value;

use crate::support::program::Setup;

const THEIRS: &str = "
model_list:
  - { model_name: gpt-4o, litellm_params: { model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY } }
  - { model_name: fast, litellm_params: { model: groq/llama-3.3-70b-versatile, api_key: gsk_0123456789abcdefghij } }
router_settings: { fallbacks: [ { gpt-4o: [fast] } ], num_retries: 1 }
litellm_settings: { drop_params: true, max_budget: 10, budget_duration: 1d }
";

fn import(args: &[&str]) -> Setup {
    let setup = Setup::new("config");
    let theirs = setup.write("theirs.yaml", THEIRS);
    setup.args(["import", "litellm", theirs.to_str().unwrap()]).args(args.iter().copied())
}

#[test]
fn what_is_imported_passes_the_check() {
    let import = import(&["--out", "ours.yaml"]);
    let output = import.run();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("2 upstreams") && said.contains("OPENAI_API_KEY, UPSTREAM_KEY_GROQ"), "{said}");
    let ours = import.path("ours.yaml");
    let check = Setup::new("config").args(["check", "--config", ours.to_str().unwrap()]);
    let unset = check.run();
    assert_eq!(unset.status.code(), Some(2), "the keys are not set yet: {unset:?}");
    let output = check.env("OPENAI_API_KEY", "sk-x").env("UPSTREAM_KEY_GROQ", "gsk-x").run();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_file_that_is_there_stays_as_it_is() {
    let import = import(&["--out", "ours.yaml"]);
    let ours = import.write("ours.yaml", "gateway: { mode: strict }");
    let output = import.run();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::fs::read_to_string(ours).unwrap(), "gateway: { mode: strict }");
}

#[test]
fn stdout_has_the_configuration_and_nothing_else() {
    let output = import(&[]).run();
    let yaml = String::from_utf8(output.stdout).unwrap();
    assert!(
        yaml.starts_with("# Made from") && yaml.contains("# not imported: litellm_settings.drop_params"),
        "{yaml}"
    );
    assert!(!yaml.contains("gsk_"), "{yaml}");
    let output = import(&["--json"]).run();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["config"].as_str().map(str::trim_end), Some(yaml.trim_end()));
    assert_eq!(answer["not_imported"].as_array().map(Vec::len), Some(2), "{answer}");
}

#[test]
fn what_is_no_configuration_is_refused_with_its_name() {
    let setup = Setup::new("config").args(["import", "litellm", "theirs.yaml"]);
    for (text, reason) in [
        (None, "No such file"),
        (Some("model_list: ["), "line 1"),
        (
            Some("model_list: [ { model_name: a, litellm_params: { model: bedrock/a } } ]"),
            "\"bedrock\" speaks none",
        ),
    ] {
        text.map(|text| setup.write("theirs.yaml", text));
        let output = setup.run();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("theirs.yaml: ") && said.contains(reason), "{said}");
    }
}
