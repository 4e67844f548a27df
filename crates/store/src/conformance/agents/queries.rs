//! Claims about what can be asked.

use std::time::Duration;

use seawall_engine::{
    AgentState, Archive, CallId, CallState, Config, FailureClass, Judgement, ModelFailed, ModelFailure, Role,
    TakeSnapshot,
};
use seawall_types::Timestamp;

use super::Opened;
use super::stage::{Stage, answered, beginning, config, gave, judged, owner, send, wish};
use crate::agents::{AgentOrder, AgentQuery, AgentStore, CallQuery, MessageQuery};

const ALL: AgentQuery = AgentQuery {
    prefix: None,
    template: None,
    tenant: None,
    state: None,
    archived: true,
    from: None,
    until: None,
    order: AgentOrder::Name,
    skip: 0,
    most: u32::MAX,
};

/// Agents that differ in all that can be asked for: each was made a second after the one before.
async fn cast(opened: &Opened) -> (Timestamp, Vec<Stage>) {
    let start = opened.time.now().await;
    let mut stages = Vec::new();
    let names =
        [("team.b", "x", "clerk"), ("team.a", "y", "clerk"), ("Team.c", "", "writer"), ("t", "x", "clerk")];
    for (seconds, (name, tenant, template)) in (0..).zip(names) {
        let at = start.saturating_add(Duration::from_secs(seconds));
        let config = Config { template: template.into(), ..config() };
        let mut stage = Stage::unclaimed(opened, beginning(name, owner(tenant), config, at)).await;
        stage.claim("w").await;
        stages.push(stage);
    }
    let [ready, working, failed, archived] = &mut stages[..] else { panic!("four") };
    ready.turn("m").await;
    working.give(send("m", "go")).await;
    failed.give(send("m", "go")).await;
    let failure = ModelFailure { class: FailureClass::Timeout, message: "late".into() };
    failed.give(ModelFailed { step: 1, attempt: 1, failure, spent: None }).await;
    archived.give(Archive { by: "ann".into() }).await;
    (start, stages)
}

async fn names(store: &dyn AgentStore, query: &AgentQuery) -> Vec<String> {
    store.agents(query).await.unwrap().into_iter().map(|row| row.id.to_string()).collect()
}

/// By each filter, and by several at once.
pub async fn agents_are_found_by_what_they_are(opened: &Opened) {
    let (start, stages) = cast(opened).await;
    let second = |seconds| Some(start.saturating_add(Duration::from_secs(seconds)));
    let cases: [(AgentQuery, &[&str]); 14] = [
        (ALL, &["Team.c", "t", "team.a", "team.b"]),
        (AgentQuery { archived: false, ..ALL }, &["Team.c", "team.a", "team.b"]),
        (AgentQuery { prefix: Some("team.".into()), ..ALL }, &["team.a", "team.b"]),
        (AgentQuery { prefix: Some("t_am".into()), ..ALL }, &[]),
        (AgentQuery { prefix: Some("%".into()), ..ALL }, &[]),
        (AgentQuery { template: Some("writer".into()), ..ALL }, &["Team.c"]),
        (AgentQuery { tenant: Some("x".into()), ..ALL }, &["t", "team.b"]),
        (AgentQuery { tenant: Some("".into()), ..ALL }, &[]),
        (AgentQuery { state: Some(AgentState::Working), ..ALL }, &["team.a"]),
        (AgentQuery { state: Some(AgentState::Failed), ..ALL }, &["Team.c"]),
        (AgentQuery { from: second(1), ..ALL }, &["Team.c", "t", "team.a"]),
        (AgentQuery { until: second(1), ..ALL }, &["team.b"]),
        (AgentQuery { from: second(1), until: second(3), ..ALL }, &["Team.c", "team.a"]),
        (AgentQuery { tenant: Some("x".into()), archived: false, ..ALL }, &["team.b"]),
    ];
    for (query, expected) in cases {
        assert_eq!(names(&*opened.other, &query).await, expected, "{query:?}");
    }
    let rows = opened.store.agents(&ALL).await.unwrap();
    for stage in &stages {
        assert_eq!(rows.iter().find(|row| row.id == *stage.id()), stage.whole().await.row.as_ref());
    }
}

/// Each order, and every page of it.
pub async fn agents_are_listed_in_order_and_by_pages(opened: &Opened) {
    let (_, mut stages) = cast(opened).await;
    let first = stages.first_mut().unwrap();
    first.now = first.now.saturating_add(Duration::from_secs(100));
    first.turn("n").await;
    for (order, expected) in [
        (AgentOrder::Newest, ["t", "Team.c", "team.a", "team.b"]),
        (AgentOrder::Oldest, ["team.b", "team.a", "Team.c", "t"]),
        (AgentOrder::Active, ["team.b", "t", "Team.c", "team.a"]),
        (AgentOrder::Name, ["Team.c", "t", "team.a", "team.b"]),
    ] {
        for skip in 0..6_u32 {
            for most in 0..6_u32 {
                let query = AgentQuery { order, skip, most, ..ALL };
                let size = |number: u32| usize::try_from(number).unwrap();
                let page: Vec<_> = expected.iter().skip(size(skip)).take(size(most)).copied().collect();
                assert_eq!(names(&*opened.other, &query).await, page, "{query:?}");
            }
        }
    }
}

/// By each filter; those of all agents by agent.
pub async fn messages_are_found_by_what_they_are(opened: &Opened) {
    let (_, stages) = cast(opened).await;
    let all = MessageQuery { most: u32::MAX, ..MessageQuery::default() };
    let found = async |query: &MessageQuery| -> Vec<(String, u64)> {
        let rows = opened.other.messages(query).await.unwrap();
        rows.into_iter().map(|row| (row.agent.to_string(), row.place)).collect()
    };
    let everything =
        [("Team.c", 1), ("team.a", 1), ("team.b", 1), ("team.b", 2), ("team.b", 3), ("team.b", 4)];
    let everything = everything.map(|(name, place)| (name.to_owned(), place));
    assert_eq!(found(&all).await, everything);
    for skip in 0..7_u32 {
        let page = MessageQuery { skip, most: 2, ..all.clone() };
        let size = usize::try_from(skip).unwrap();
        assert_eq!(found(&page).await, everything.iter().skip(size).take(2).cloned().collect::<Vec<_>>());
    }
    let ready = stages.first().unwrap();
    let of = MessageQuery { agent: Some(ready.id().clone()), ..all.clone() };
    let places = async |query: MessageQuery| -> Vec<u64> {
        found(&query).await.into_iter().map(|(_, place)| place).collect()
    };
    assert_eq!(places(of.clone()).await, [1, 2, 3, 4]);
    assert_eq!(places(MessageQuery { role: Some(Role::Assistant), ..of.clone() }).await, [2, 4]);
    assert_eq!(places(MessageQuery { after: 2, ..of.clone() }).await, [3, 4]);
    assert_eq!(places(MessageQuery { after: 1, role: Some(Role::User), ..of.clone() }).await, [3]);
    let rows = opened.store.messages(&of).await.unwrap();
    let second = rows.get(1).unwrap().at;
    assert!(rows.first().unwrap().at < second);
    assert_eq!(places(MessageQuery { until: Some(second), ..of.clone() }).await, [1]);
    let since = places(MessageQuery { from: Some(second), ..of.clone() }).await;
    assert_eq!(since, [2, 3, 4]);
    let of_tenant = |tenant: &str| MessageQuery { tenant: Some(tenant.into()), ..all.clone() };
    assert_eq!(places(of_tenant("x")).await, [1, 2, 3, 4]);
    assert_eq!(found(&of_tenant("y")).await, [("team.a".to_owned(), 1)]);
    let others = MessageQuery { agent: Some(ready.id().clone()), ..of_tenant("y") };
    assert!(found(&others).await.is_empty(), "another tenant's");
    let nobody = MessageQuery { agent: Some(super::stage::id("nobody")), ..all };
    assert!(found(&nobody).await.is_empty());
}

/// By each filter; in the order in which they were asked for, the tenth of a step after the second.
pub async fn calls_are_found_by_what_they_are(opened: &Opened) {
    let mut first = Stage::of(opened, "a", owner("x"), config()).await;
    first.give(send("m", "go")).await;
    first.give(answered(1, (0..11).map(|_| wish("keyed")).collect())).await;
    let step = |index| CallId { step: 1, index };
    first.give(judged(step(10), Judgement::Proceed)).await;
    first.give(gave(step(10), "r")).await;
    let mut second = Stage::of(opened, "b", owner("y"), config()).await;
    second.now = first.now.saturating_add(Duration::from_secs(5));
    second.turn("m").await;

    let all = CallQuery { most: u32::MAX, ..CallQuery::default() };
    let found = async |query: CallQuery| -> Vec<(String, u32)> {
        let rows = opened.other.calls(&query).await.unwrap();
        rows.into_iter().map(|row| (row.agent.to_string(), row.call.id.index)).collect()
    };
    let of_first: Vec<_> = (1..=11).map(|index| ("a".to_owned(), index)).collect();
    let of_second = vec![("b".to_owned(), 1)];
    let everything: Vec<_> = of_first.iter().chain(&of_second).cloned().collect();
    assert_eq!(found(all.clone()).await, everything);
    assert_eq!(found(CallQuery { skip: 9, most: 3, ..all.clone() }).await, everything[9..]);
    assert_eq!(found(CallQuery { agent: Some(first.id().clone()), ..all.clone() }).await, of_first);
    assert_eq!(found(CallQuery { tenant: Some("y".into()), ..all.clone() }).await, of_second);
    assert_eq!(found(CallQuery { tool: Some("keyed".into()), ..all.clone() }).await, of_first);
    assert_eq!(found(CallQuery { tool: Some("KEYED".into()), ..all.clone() }).await, []);
    let completed = CallQuery { state: Some(CallState::Completed), ..all.clone() };
    assert_eq!(found(completed).await, [("a".to_owned(), 10), ("b".to_owned(), 1)]);
    let between = first.now.saturating_add(Duration::from_secs(1));
    assert_eq!(found(CallQuery { until: Some(between), ..all.clone() }).await, of_first);
    assert_eq!(found(CallQuery { from: Some(between), ..all.clone() }).await, of_second);
    let both = CallQuery { tenant: Some("x".into()), state: Some(CallState::Pending), ..all };
    assert_eq!(found(both).await.len(), 10);
}

/// Of one agent and of all; those put away too.
pub async fn what_there_is_is_counted(opened: &Opened) {
    let (_, mut stages) = cast(opened).await;
    let first = stages.first_mut().unwrap();
    first.give(TakeSnapshot { id: "s".into(), label: None }).await;
    first.give(send("n", "go")).await;
    first.give(answered(3, vec![wish("pure"), wish("unsafe"), wish("invented")])).await;
    let one = opened.other.stats(Some(first.id())).await.unwrap();
    assert_eq!((one.agents, one.messages, one.calls, one.snapshots), (1, 6, 4, 1));
    let count = |counts: &std::collections::BTreeMap<std::sync::Arc<str>, u64>| -> Vec<(String, u64)> {
        counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
    };
    let named = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    assert_eq!(count(&one.calls_by_tool), named(&[("invented", 1), ("pure", 2), ("unsafe", 1)]));
    assert_eq!(count(&one.calls_by_state), named(&[("completed", 1), ("denied", 1), ("pending", 2)]));
    let all = opened.other.stats(None).await.unwrap();
    assert_eq!((all.agents, all.messages, all.calls, all.snapshots), (4, 8, 4, 1));
    assert_eq!(all.calls_by_tool, one.calls_by_tool);
}
