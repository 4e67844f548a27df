//! Logs that no agent can have written are told apart, and where they are wrong.

use seawall_engine::{Agent, Event, Fact, Judgement, LogError, VERSION};

use crate::stage::{Stage, answered, call, config, gave, judged, text};

/// A log of a whole turn with a tool.
fn log() -> Vec<Event> {
    let mut stage = Stage::running(config(), &["pure"]);
    stage.give(gave(call(1, 1), 1, "r"));
    stage.give(answered(2, 1, vec![text("done")]));
    stage.log
}

fn fold(log: &[Event]) -> LogError {
    Agent::fold(log).unwrap_err()
}

fn position(log: &[Event], kind: &str) -> usize {
    log.iter().position(|event| event.fact.kind() == kind).unwrap()
}

#[test]
fn a_missing_event_is_a_gap_wherever_it_is_missing() {
    let log = log();
    for missing in 1..log.len() - 1 {
        let mut cut = log.clone();
        let gone = cut.remove(missing);
        let streamed = matches!(gone.fact, Fact::StreamOpened { .. } | Fact::StreamClosed { .. });
        let next = cut[missing].seq;
        match fold(&cut) {
            LogError::Gap { seq, expected } => assert_eq!((seq, expected), (next, gone.seq)),
            // A piece of an answer begins here: what follows may have other numbers, and then has nothing to close.
            LogError::Orphan { seq, .. } if streamed => assert!(seq >= next),
            other => panic!("{} missing: {other:?}", gone.fact.kind()),
        }
    }
}

#[test]
fn a_cut_tail_is_a_log_of_an_earlier_time() {
    let log = log();
    for len in 1..=log.len() {
        Agent::fold(&log[..len]).unwrap();
    }
    assert_eq!(fold(&[]), LogError::Beginning { seq: 0 });
}

#[test]
fn an_event_twice_means_two_writers() {
    let mut log = log();
    let twice = log[3].clone();
    let (seq, expected) = (twice.seq, twice.last_seq() + 1);
    log.insert(4, twice);
    assert_eq!(fold(&log), LogError::Repeated { seq, expected });
}

#[test]
fn a_log_begins_with_the_creation_and_has_it_once() {
    let log = log();
    assert_eq!(fold(&log[1..]), LogError::Beginning { seq: log[1].seq });
    let mut twice = log.clone();
    twice[1].fact = log[0].fact.clone();
    twice[1].epoch = 0;
    assert!(matches!(fold(&twice), LogError::Orphan { kind: "agent.created", .. }));
}

#[test]
fn an_outcome_of_what_was_never_begun_is_an_orphan() {
    let mut log = log();
    let (started, outcome) = (position(&log, "tool.started"), position(&log, "tool.completed"));
    let (intent, ended) = (log[started].clone(), log[outcome].clone());
    // The same numbers, so that nothing but the order of things is wrong.
    log[started].fact = Fact::Noted { note: seawall_engine::Note::Error { message: "x".into() } };
    log[started].moved = intent.moved;
    assert_eq!(fold(&log), LogError::Orphan { seq: ended.seq, kind: "tool.completed" });
}

#[test]
fn an_event_of_a_stale_holder_is_fenced_off() {
    let mut log = log();
    let last = log.len() - 1;
    log[last].epoch = 0;
    let seq = log[last].seq;
    assert_eq!(fold(&log), LogError::Fenced { seq, epoch: 0, current: 1 });
    log[last].epoch = 2;
    assert_eq!(fold(&log), LogError::Fenced { seq, epoch: 2, current: 1 }, "only a claim raises the epoch");
}

#[test]
fn a_later_version_is_refused_by_its_number_whatever_else_is_in_it() {
    let mut log = log();
    log[2].v = VERSION + 1;
    let (seq, version) = (log[2].seq, VERSION + 1);
    assert_eq!(fold(&log), LogError::Newer { seq, version });
    let line = br#"{"v":2,"seq":77,"shape":"unheard of"}"#;
    assert_eq!(Event::read(line), Err(LogError::Newer { seq: 77, version: 2 }));
}

#[test]
fn what_is_no_event_says_so_and_which() {
    let written = serde_json::to_vec(&log()[1]).unwrap();
    assert_eq!(Event::read(&written).unwrap(), log()[1]);
    for (line, seq) in [
        (&b""[..], 0),
        (b"{", 0),
        (b"null", 0),
        (br#"{"v":1,"seq":5}"#, 5),
        (br#"{"v":1,"seq":6,"at":"2026-01-01T00:00:00Z","epoch":1,"fact":{"kind":"no.such","data":{}}}"#, 6),
    ] {
        let error = Event::read(line).unwrap_err();
        assert!(matches!(error, LogError::Unreadable { .. }), "{error:?}");
        assert_eq!(error.seq(), seq);
    }
    for cut in 0..written.len() {
        assert!(Event::read(&written[..cut]).is_err());
    }
}

#[test]
fn a_snapshot_goes_on_as_the_fold_does() {
    let mut stage = Stage::wanting(config(), &["pure", "unsafe"]);
    stage.give(judged(call(1, 1), Judgement::Ask { summary: "why".into() }));
    stage.give(judged(call(1, 2), Judgement::Proceed));
    let written = serde_json::to_string(&stage.agent).unwrap();
    let read: Agent = serde_json::from_str(&written).unwrap();
    assert_eq!(read, stage.agent);
    assert_eq!(serde_json::to_string(&Agent::fold(&stage.log).unwrap()).unwrap(), written);
    let apart = stage.agent.without_history();
    assert!(apart.history().is_empty());
    assert_eq!(apart.with_history(stage.agent.history().clone()), stage.agent);
}
