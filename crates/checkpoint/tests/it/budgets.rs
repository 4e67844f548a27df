//! Budgets and places, as calls of tools meet them.

use seawall_base::id;
use seawall_checkpoint::tool::{ModelSpend, ToolEnd};
use seawall_types::{Code, Usage};
use serde_json::{Value, json};

use crate::stage::Stage;

#[test]
fn a_call_is_held_at_what_was_declared_and_settled_at_what_it_cost() {
    let stage = Stage::with_budget(Some("1"));
    let policy = stage.strict(&json!({}));
    let admit = |cost: &str| stage.admit_asking(&policy, "search", &Value::Null, None, cost.parse().unwrap());
    let first = admit("0.60").unwrap();
    let denial = admit("0.60").unwrap_err();
    assert_eq!(denial.code, Code::BudgetExceeded);
    assert_eq!(denial.budget.unwrap().held.usd, "0.60".parse().unwrap());
    first.settle(ToolEnd::ReturnedBytes(1), Some("0.10".parse().unwrap())).unwrap();
    admit("0.60").unwrap().settle(ToolEnd::ReturnedBytes(1), None).unwrap();
    drop(admit("0.30").unwrap());
    assert!(admit("0.01").is_err(), "what was dropped stays charged");
    let refused = &stage.data("action.denied")[0];
    assert_eq!((&refused["kind"], &refused["status"]), (&json!("tool_call"), &json!(402)));
}

#[test]
fn a_budget_with_nothing_left_stops_what_costs_nothing_too() {
    let stage = Stage::with_budget(Some("0.01"));
    let policy = stage.strict(&json!({}));
    let free = || stage.admit(&policy, "read", &Value::Null);
    let spend = |usd: &str| {
        let usage = Usage { input: 10, output: 5, ..Usage::default() };
        let cost = usd.parse().unwrap();
        let (run, actor, scopes) = (stage.run, &stage.actor, &stage.scopes[..]);
        let spend = ModelSpend { run, actor, model: "sim-a", usage, cost, scopes, findings: &[] };
        stage.checkpoint.record_spend(id::new_action(&*stage.clock), &spend);
    };
    spend("0.009");
    drop(free().unwrap());
    spend("0.005");
    assert_eq!(free().unwrap_err().code, Code::BudgetExceeded);
    spend("0.005");
    let budget = free().unwrap_err().budget.unwrap();
    assert_eq!(
        (budget.spent.usd, budget.spent.tokens),
        ("0.019".parse().unwrap(), 45),
        "past the limit it is counted on"
    );
    assert_eq!(stage.checkpoint.ledger().stats().holds, 0);
}

#[test]
fn the_policy_limits_how_many_calls_are_under_way() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({ "limits": { "concurrent": 2 } }));
    let admit = || stage.admit(&policy, "read", &Value::Null);
    let (one, two) = (admit().unwrap(), admit().unwrap());
    assert_eq!(admit().unwrap_err().code, Code::Overloaded);
    one.settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    drop((admit().unwrap(), two));
}
