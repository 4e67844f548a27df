//! What was typed wrongly: exit code 2, nothing on stdout, and a word about what is wrong.

use super::{ended_runs, refusal};
use crate::support::program::Setup;

/// Commands, and what their refusals must name.
const WRONG: [(&str, &str); 38] = [
    ("completions tcsh", "possible values"),
    ("list --limit many", "--limit"),
    ("trace tail 0000", "there is no run \"0000\""),
    ("trace tail -n -1", "-1"),
    ("trace show 0000", "there is no run \"0000\""),
    ("trace export 0000", "there is no run \"0000\""),
    ("trace export --csv --jsonl", "cannot be used with"),
    ("trace gc", "give --older-than, --max-size or --compress"),
    ("trace gc --dry-run", "give --older-than, --max-size or --compress"),
    ("trace gc --older-than soon", "--older-than: \"soon\" is not a duration"),
    ("trace gc --older-than 30", "--older-than"),
    ("trace gc --max-size big", "--max-size: \"big\" is not a size"),
    ("trace verify --public-key nothing", "--public-key"),
    ("budget set planet --usd 1", "\"planet\" is not a scope"),
    ("budget set key: --usd 1", "scope"),
    ("budget set global", "--usd"),
    ("budget set global --usd=-1", "--usd: \"-1\" is negative"),
    ("budget set global --usd lots", "--usd: \"lots\" is not an amount"),
    ("budget set global --tokens=-1", "--tokens"),
    ("budget set global --usd 1 --window week", "--window: \"week\" is not a window"),
    ("budget remove global", "no limit was set by hand for global"),
    ("budget reset planet", "\"planet\" is not a scope"),
    ("keys create", "--name"),
    ("keys create --name a/b", "--name: \"a/b\""),
    ("keys create --name b --tenant a/b", "--tenant: \"a/b\""),
    ("keys create --name b --ip nowhere", "--ip: \"nowhere\""),
    ("keys create --name b --models a*b*", "--models: \"a*b*\""),
    ("keys create --name b --role king", "--role: \"king\""),
    ("keys create --name b --expires never", "--expires: \"never\" is not a duration"),
    ("keys create --name b --budget lots", "--budget: \"lots\" is not an amount"),
    ("keys create --name b --budget=-1", "--budget: \"-1\" is negative"),
    ("keys create --name b --budget 1/week", "--budget: \"week\" is not a window"),
    ("keys create --name b --rpm=-1", "--rpm"),
    ("keys create --name b --policy nowhere", "\"nowhere\" is no preset"),
    ("keys revoke nobody", "\"nobody\" does not exist"),
    ("keys rotate nobody", "there is no key \"nobody\""),
    ("keys rotate nobody --overlap long", "--overlap: \"long\" is not a duration"),
    ("config show --config nowhere.yaml", "nowhere.yaml"),
];

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_by_name_and_changes_nothing() {
    let (setup, _runs) = ended_runs(&[1]).await;
    let state = || ["keys list", "budget show", "list"].map(|look| setup.cli_json(&words(look)));
    let before = state();
    for (command, named) in WRONG {
        let said = refusal(&setup, &words(command), 2);
        assert!(said.contains(named), "{command}: {said}");
    }
    assert_eq!(state(), before);
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

#[test]
fn a_command_that_is_none_is_refused_with_the_nearest_one() {
    let said = refusal(&Setup::new("list"), &["lst"], 2);
    assert!(said.contains("'lst'") && said.contains("'list'"), "{said}");
}
