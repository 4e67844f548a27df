//! Budgets stop the next call.

use seawall_guard::{Call, Code, Error, Run, RunOptions, Settled, ToolEnd, Usd};
use serde_json::json;

use crate::stage::{Stage, lines};

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn admit(run: &Run) -> Result<Settled, Error> {
    run.admit(Call::new("read", json!({})))?.settle(ToolEnd::ReturnedBytes(0), None)
}

#[test]
fn tokens_are_priced_and_stop_the_next_call() {
    let stage = Stage::new();
    let run = Run::begin(stage.options("safe").max_cost_usd(usd("0.01")), None).unwrap();
    // Simulated models cost one dollar a million tokens in, and two out.
    assert_eq!(run.record_usage("sim-a", 2_000, 2_000, None).unwrap(), usd("0.006"));
    admit(&run).unwrap();
    run.record_usage("sim-a", 2_000, 2_000, None).unwrap();
    assert_eq!(run.spent_usd(), usd("0.012"));
    let Err(Error::BudgetExceeded(exceeded)) = admit(&run) else { panic!() };
    assert_eq!((exceeded.code, exceeded.budget.spent.usd), (Code::BudgetExceeded, usd("0.012")));
    assert_eq!(exceeded.budget.limit_usd, Some(usd("0.01")));
    let said = exceeded.to_string();
    assert!(said.starts_with("[BUDGET_EXCEEDED] the budget of run:"), "{said}");
    assert!(said.contains("has nothing left: $0.012000 and 8000 tokens spent"), "{said}");
}

#[test]
fn a_limit_of_tokens_and_one_by_the_minute_hold_too() {
    let stage = Stage::new();
    let run = Run::begin(stage.options("safe").max_tokens(1_500), None).unwrap();
    run.record_usage("gpt-4o", 1_000, 1_000, None).unwrap();
    assert_eq!(admit(&run).unwrap_err().code(), Some(Code::TokensExceeded));
    let run = Run::begin(stage.options("safe").max_usd_per_minute(usd("0.001")), None).unwrap();
    run.record_usage("a-model-of-mine", 1, 1, Some(usd("0.5"))).unwrap();
    assert_eq!(admit(&run).unwrap_err().code(), Some(Code::BurnRateExceeded));
}

#[test]
fn a_call_that_would_pass_the_limit_does_not_begin() {
    let stage = Stage::new();
    let run = Run::begin(stage.options("safe").max_cost_usd(usd("0.10")), None).unwrap();
    let call = || Call { cost_usd: usd("0.06"), ..Call::new("search", json!({ "q": "x" })) };
    let first = run.admit(call()).unwrap();
    assert!(matches!(run.admit(call()), Err(Error::BudgetExceeded(_))), "the first one's is held");
    first.settle(ToolEnd::ReturnedBytes(1), Some(usd("0.01"))).unwrap();
    run.admit(call()).unwrap().settle(ToolEnd::ReturnedBytes(1), None).unwrap();
    assert_eq!(run.spent_usd(), usd("0.07"));
}

#[test]
fn a_price_that_nobody_knows_is_said_where_money_is_limited() {
    let stage = Stage::new();
    let limited = Run::begin(stage.options("safe").max_cost_usd(usd("1")), None).unwrap();
    let error = limited.record_usage("no-such-model", 1, 1, None).unwrap_err();
    assert_eq!(error.code(), Some(Code::PriceUnknown));
    let free = stage.run("safe");
    assert_eq!(free.record_usage("no-such-model", 1, 1, None).unwrap(), Usd::ZERO);
    free.finish();
    let lines = lines(free.trace_path().unwrap());
    let settled = lines.iter().find(|line| line["kind"] == "action.settled").unwrap();
    assert_eq!(settled["data"]["findings"][0]["code"], "PRICE_UNKNOWN");
    assert_eq!(settled["data"]["usage"]["input_tokens"], 1);
}

#[test]
fn a_run_inside_another_spends_the_other_s_money_too() {
    let stage = Stage::new();
    let outer = Run::begin(stage.options("safe").max_cost_usd(usd("0.10")), None).unwrap();
    let inner = Run::begin(stage.options("off"), Some(&outer)).unwrap();
    inner.record_usage("m", 1, 1, Some(usd("0.10"))).unwrap();
    assert_eq!((inner.spent_usd(), outer.spent_usd()), (usd("0.10"), usd("0.10")));
    let Err(Error::BudgetExceeded(exceeded)) = admit(&inner) else { panic!() };
    assert_eq!(exceeded.budget.scope.to_string(), format!("run:{}", outer.id()));
    assert!(admit(&outer).is_err());
}

#[test]
fn policies_and_options_both_limit_and_the_least_counts() {
    let stage = Stage::new();
    let options = RunOptions { max_cost_usd: Some(usd("5")), ..stage.options("limits: { usd: 1 }") };
    let run = Run::begin(options, None).unwrap();
    run.record_usage("m", 1, 1, Some(usd("1"))).unwrap();
    assert!(admit(&run).is_err());
}

#[test]
fn threads_that_come_at_once_never_pass_the_limit() {
    let stage = Stage::new();
    let run = Run::begin(stage.options("off").max_cost_usd(usd("1")), None).unwrap();
    let admitted: usize = std::thread::scope(|scope| {
        let spend = || {
            let call = || Call { cost_usd: usd("0.01"), ..Call::new("search", json!({})) };
            let spent = |_: &u32| {
                run.admit(call()).and_then(|one| one.settle(ToolEnd::ReturnedBytes(0), None)).is_ok()
            };
            (0..50).filter(spent).count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(spend)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((admitted, run.spent_usd()), (100, usd("1")));
}
