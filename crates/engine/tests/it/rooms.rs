//! Rooms: who is in them, who hears what, and that what was said is passed on until it is known what came of it.

use std::sync::Arc;

use seawall_engine::{
    Archive, Block, Config, Delivered, Effect, Event, JoinRoom, LeaveRoom, Member, MessageId, NewFork, Note,
    Refused, SayInRoom, SetSchedule, Tell, Trigger, fork, outstanding, project,
};
use seawall_types::RunId;

use crate::stage::{START, Stage, config, run, send};

fn room() -> Stage {
    Stage::new(Config { template: "@room".into(), is_room: true, ..Config::default() })
}

fn member(name: &str, agent: &str) -> Member {
    Member { name: name.into(), agent: agent.parse().unwrap(), run: RunId::from_parts(7, &[7; 10]) }
}

fn join(stage: &mut Stage, name: &str) {
    stage.give(JoinRoom { member: member(name, &format!("agent-{name}")) });
}

fn say(id: &str, from: &str, text: &str) -> SayInRoom {
    SayInRoom { id: MessageId(id.into()), from: from.into(), text: text.into(), only: Arc::default() }
}

fn reached(stage: &mut Stage, said: u64, name: &str) -> Vec<String> {
    let agent = format!("agent-{name}").parse().unwrap();
    passed_on(&stage.give(Delivered { said, agent, failure: None }))
}

/// Which member is to get what.
fn passed_on(effects: &[Effect]) -> Vec<String> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Deliver { to, content, .. } => match content.first() {
            Some(Block::Text { text }) => Some(format!("{} <- {text}", to.name)),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}

fn trio() -> Stage {
    let mut stage = room();
    ["ann", "bob", "cy"].into_iter().for_each(|name| join(&mut stage, name));
    stage
}

#[test]
fn what_is_said_is_for_those_who_are_mentioned_or_for_all() {
    let mut stage = trio();
    assert_eq!(passed_on(&stage.give(say("1", "user", "@bob look"))), ["bob <- [from:user] @bob look"]);
    let all = passed_on(&stage.give(say("2", "ann", "hello")));
    // To bob only once the first has reached it.
    assert_eq!(all, ["cy <- [from:ann] hello"]);
    let first = stage.log.iter().find(|event| event.fact.kind() == "room.said").unwrap().seq;
    assert_eq!(reached(&mut stage, first, "bob"), ["bob <- [from:ann] hello"]);
    let only = Arc::new(["cy".into()]);
    stage.give(SayInRoom { only, ..say("3", "user", "this @is not read") });
    assert_eq!(stage.agent.room().unwrap().waiting(), 2);
}

#[test]
fn a_room_rests_once_everybody_has_got_everything() {
    let mut stage = trio();
    assert!(stage.agent.rests());
    stage.give(say("1", "user", "hello"));
    let said = stage.log.last().unwrap().seq;
    for name in ["ann", "bob", "cy"] {
        assert!(!stage.agent.rests(), "before {name}");
        reached(&mut stage, said, name);
    }
    assert!(stage.agent.rests() && outstanding(&stage.agent).is_empty());
    let late = Delivered { said, agent: "agent-ann".parse().unwrap(), failure: None };
    assert!(matches!(stage.refuse(late), Refused::Late { .. }));
}

#[test]
fn whoever_takes_a_room_up_passes_on_what_is_left_under_the_same_names() {
    let mut stage = trio();
    stage.outside(say("1", "user", "hello")).unwrap();
    let said = stage.log.last().unwrap().seq;
    let names = |effects: &[Effect]| -> Vec<String> {
        let names = effects.iter().filter_map(|effect| match effect {
            Effect::Deliver { to, message, .. } => Some(format!("{} {message}", to.name)),
            _ => None,
        });
        names.collect()
    };
    let first = names(&stage.claim());
    assert_eq!(first.len(), 3);
    reached(&mut stage, said, "bob");
    let second = names(&stage.claim());
    assert_eq!(second, [first[0].clone(), first[2].clone()]);
}

#[test]
fn an_agent_of_two_names_hears_once_and_nobody_hears_itself() {
    let mut stage = room();
    for name in ["ann", "editor"] {
        stage.give(JoinRoom { member: member(name, "one") });
    }
    assert!(matches!(stage.refuse(say("1", "ann", "hello")), Refused::Invalid(_)));
    assert_eq!(passed_on(&stage.give(say("2", "user", "hello"))).len(), 1);
    assert!(matches!(stage.refuse(say("3", "ann", "@ann hello")), Refused::Invalid(_)));
}

#[test]
fn who_is_not_there_is_not_spoken_to() {
    let mut stage = trio();
    let refused = stage.refuse(say("1", "user", "@dan look"));
    assert!(
        refused.to_string().contains("\"dan\"") && refused.to_string().contains("ann, bob, cy"),
        "{refused}"
    );
    stage.give(say("1", "user", "@ann last words"));
    stage.give(LeaveRoom { name: "ann".into() });
    assert_eq!(passed_on(&stage.claim()), ["ann <- [from:user] @ann last words"], "it was said before");
    assert!(matches!(stage.refuse(LeaveRoom { name: "ann".into() }), Refused::NoSuchMember { .. }));
    assert!(matches!(stage.refuse(say("2", "user", "@ann?")), Refused::NoSuchMember { .. }));
    assert!(matches!(stage.refuse(say("3", "no name", "x")), Refused::Invalid(_)));
    assert!(matches!(stage.refuse(say("4", "user", " ")), Refused::Invalid(_)));
}

#[test]
fn joining_twice_is_joining_once_and_names_are_not_taken_over() {
    let mut stage = trio();
    let events = stage.log.len();
    join(&mut stage, "ann");
    assert_eq!(stage.log.len(), events);
    let taken = stage.refuse(JoinRoom { member: member("ann", "other") });
    assert!(matches!(taken, Refused::MemberExists { .. }), "{taken}");
    let again = Member { run: RunId::from_parts(8, &[8; 10]), ..member("ann", "agent-ann") };
    stage.give(JoinRoom { member: again.clone() });
    assert_eq!(stage.agent.room().unwrap().member("ann"), Some(&again));
    assert_eq!(stage.agent.room().unwrap().members().len(), 3);
}

#[test]
fn an_agent_that_was_made_anew_is_one_member_under_its_new_name() {
    let mut stage = trio();
    let again = Member { run: RunId::from_parts(8, &[8; 10]), ..member("zoe", "agent-ann") };
    stage.give(JoinRoom { member: again });
    let heard = passed_on(&stage.give(say("1", "user", "hello")));
    assert_eq!(heard, ["bob", "cy", "zoe"].map(|name| format!("{name} <- [from:user] hello")));
}

#[test]
fn a_room_is_not_put_away_before_everybody_has_heard() {
    let mut stage = trio();
    stage.give(say("1", "user", "@ann hello"));
    let said = stage.log.last().unwrap().seq;
    let refused = stage.refuse(Archive { by: "somebody".into() });
    assert!(refused.to_string().contains("heard"), "{refused}");
    reached(&mut stage, said, "ann");
    stage.give(Archive { by: "somebody".into() });
}

#[test]
fn what_is_said_at_once_has_an_end() {
    let mut stage = trio();
    assert!(matches!(stage.refuse(say("1", "user", &"x".repeat(64 * 1024 + 1))), Refused::Invalid(_)));
    stage.give(say("1", "user", &"x".repeat(64 * 1024)));
}

#[test]
fn a_room_does_no_work_and_an_agent_is_no_room() {
    let mut stage = trio();
    assert_eq!(stage.refuse(send("m", "hello")), Refused::IsRoom);
    let trigger = Trigger::Steps { every: 1 };
    assert_eq!(stage.refuse(SetSchedule { id: "s".into(), trigger, text: "x".into() }), Refused::IsRoom);
    let new = NewFork { id: "b".parse().unwrap(), run: run(), config: None };
    assert_eq!(fork(&stage.agent, new, START).unwrap_err(), Refused::IsRoom);
    stage.give(Archive { by: "ann".into() });
    assert_eq!(stage.refuse(say("1", "user", "hello")), Refused::Archived);
    let mut agent = Stage::new(config());
    assert_eq!(agent.refuse(say("1", "user", "hello")), Refused::NotARoom);
}

#[test]
fn a_note_with_words_for_the_model_goes_along_with_the_next_step() {
    let mut stage = Stage::new(config());
    let content = [Block::text("look again")].into();
    stage.outside(Tell { note: Note::FileChanged { path: "a".into(), changed_at: START, content } }).unwrap();
    let told: Vec<_> =
        stage.log.last().map(|event| project(event).map(|face| face.event.kind()).collect()).unwrap();
    assert_eq!(told, ["file_changed", "reminder_sent"]);
    assert!(stage.agent.rests(), "it begins no step");
    stage.give(send("m", "go"));
    assert_eq!(stage.roles_and_words(), ["look again", "go"]);
}

/// The life of a room.
pub(crate) fn life() -> Vec<Event> {
    let mut stage = trio();
    stage.give(LeaveRoom { name: "cy".into() });
    stage.give(say("1", "user", "hello"));
    let said = stage.log.last().unwrap().seq;
    reached(&mut stage, said, "ann");
    let failure = Some("the agent was removed".into());
    stage.give(Delivered { said, agent: "agent-bob".parse().unwrap(), failure });
    let only = Arc::new(["ann".into()]);
    stage.give(SayInRoom { only, ..say("2", "bob", "psst") });
    let content = [Block::text("look again")].into();
    stage.give(Tell { note: Note::FileChanged { path: "a".into(), changed_at: START, content } });
    stage.log
}
