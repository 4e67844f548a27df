//! What a turn costs does not depend on how much was said before it. Counted, not timed.

use std::sync::Arc;

use seawall_types::{ApprovalId, RunId, Timestamp, Usage, Usd};
use serde_json::json;

use crate::history::counting;
use crate::{
    Agent, Answer, Authority, Block, CallId, Claim, Command, Config, Judged, Judgement, MessageId,
    MessageKind, ModelAnswered, NewAgent, SendMessage, StopReason, ToolFinished, ToolResult, ToolSpec,
    create, decide,
};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn agent() -> Agent {
    let tools = Arc::new([("tool".into(), ToolSpec::default())].into());
    let config = Config { tools, ..Config::default() };
    let new = NewAgent { id: "a".parse().unwrap(), run: RunId::from_bytes([1; 16]), config };
    let mut agent = Agent::fold(&create(new, NOW).unwrap().events).unwrap();
    give(&mut agent, Claim { owner: "w".into() });
    agent
}

/// Messages looked at or copied while a command was decided on and applied; events that it made.
fn give(agent: &mut Agent, command: impl Into<Command>) -> (usize, usize) {
    counting::take();
    let decision = decide(agent, command, Authority::Holder { epoch: 1 }, NOW).unwrap();
    for event in &decision.events {
        agent.apply(event).unwrap();
    }
    (counting::take(), decision.events.len())
}

/// One turn: a message, a tool, an answer.
fn turn(agent: &mut Agent) -> Vec<(usize, usize)> {
    let step = agent.steps() + 1;
    let call = CallId { step, index: 1 };
    let answer = |step, content| ModelAnswered {
        step,
        attempt: 1,
        content,
        stop: StopReason::EndTurn,
        usage: Usage::default(),
        cost: Usd::ZERO,
    };
    let wish = Answer::Call { provider_id: None, name: "tool".into(), input: Arc::new(json!({})) };
    let commands: [Command; 5] = [
        SendMessage {
            id: MessageId(step.to_string().into()),
            kind: MessageKind::User,
            content: [Block::text("go")].into(),
        }
        .into(),
        answer(step, vec![wish]).into(),
        Judged {
            call,
            policy: "p".into(),
            judgement: Judgement::Proceed,
            approval: ApprovalId::from_bytes([1; 16]),
            expires_at: None,
        }
        .into(),
        ToolFinished { call, attempt: 1, result: ToolResult::error("no"), spent: None }.into(),
        answer(step + 1, vec![Answer::Block(Block::text("done"))]).into(),
    ];
    commands.into_iter().map(|command| give(agent, command)).collect()
}

#[test]
fn a_turn_costs_the_same_after_ten_messages_and_after_twenty_thousand() {
    // A chunk of the history holds eight turns: whole ones are compared, so that it is as full each time.
    let eight = |agent: &mut Agent| (0..8).map(|_| turn(agent)).collect::<Vec<_>>();
    let mut agent = agent();
    let first = eight(&mut agent);
    (0..5_000).for_each(|_| drop(turn(&mut agent)));
    assert!(agent.history().len() > 20_000);
    let late = eight(&mut agent);
    assert_eq!(late, first);
    let most = late.iter().flatten().map(|(touched, _)| *touched).max();
    assert!(most < Some(200), "{most:?}");
}
