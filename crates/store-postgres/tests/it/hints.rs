//! Hints: that they come, that they are gathered, and what happens when they may have been lost.

use std::collections::BTreeSet;
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_store::AgentStore;
use seawall_store::agents::{Hint, Hints};
use tokio_postgres::{AsyncMessage, NoTls};

use crate::Way;
use crate::cluster::Database;
use crate::stage::{Stage, run, send};

async fn next(hints: &mut Box<dyn Hints>) -> Hint {
    tokio::time::timeout(Duration::from_secs(20), hints.next()).await.unwrap()
}

/// The agent of the next hint for one.
async fn agent(hints: &mut Box<dyn Hints>) -> String {
    loop {
        if let Hint::Agent(agent) = next(hints).await {
            return agent.to_string();
        }
    }
}

#[test]
fn what_one_writes_the_other_hears_of_and_nobody_hears_himself() {
    run(async {
        let database = Database::new();
        let (store, other) = (database.open(Way::Direct, ""), database.open(Way::Direct, ""));
        let (mut own, mut heard) = (store.listen().unwrap(), other.listen().unwrap());
        assert_eq!(
            (next(&mut own).await, next(&mut heard).await),
            (Hint::All, Hint::All),
            "whoever begins looks"
        );
        let mut stage = Stage::unclaimed(&store, "a").await;
        assert_eq!(agent(&mut heard).await, "a");
        stage.give(send("m")).await;
        assert_eq!(agent(&mut heard).await, "a");
        // What the other one writes is the first that this one hears.
        Stage::unclaimed(&other, "b").await;
        assert_eq!(agent(&mut own).await, "b");
        assert!(store.purge(stage.kept.id()).await.unwrap());
        assert_eq!(agent(&mut heard).await, "a");
    });
}

#[test]
fn everybody_in_a_process_hears_over_one_connection() {
    run(async {
        let database = Database::new();
        let (store, other) = (database.open(Way::Direct, ""), database.open(Way::Direct, ""));
        let mut ears: Vec<_> = (0..3).map(|_| other.listen().unwrap()).collect();
        for ear in &mut ears {
            assert_eq!(next(ear).await, Hint::All);
        }
        Stage::unclaimed(&store, "a").await;
        for ear in &mut ears {
            assert_eq!(agent(ear).await, "a");
        }
        let listening = "select count(*) from pg_stat_activity where datname = current_database() and query like 'listen %'";
        assert_eq!(database.sql(listening), "1");
    });
}

/// Two hundred writes within some hundred milliseconds are told in notifications of ten milliseconds each.
#[test]
fn hints_are_gathered() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        let (client, mut connection) =
            tokio_postgres::connect(&database.url(Way::Direct), NoTls).await.unwrap();
        let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
        let listening = Group::new();
        let hear = async move {
            while let Some(Ok(message)) =
                std::future::poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(notification) = message {
                    drop(sender.send(notification.payload().to_owned()));
                }
            }
        };
        drop(listening.spawn("a listener", hear));
        client.batch_execute("listen seawall_agent_public").await.unwrap();

        let begun = std::time::Instant::now();
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..200 {
            let store = store.clone();
            writers.spawn(async move {
                let mut stage = Stage::unclaimed(&store, &format!("a{number}")).await;
                stage.give(send("m")).await;
            });
        }
        writers.join_all().await;
        let (mut told, mut heard) = (0_u128, BTreeSet::new());
        while heard.len() < 200 {
            let payload = tokio::time::timeout(Duration::from_secs(20), said.recv()).await.unwrap().unwrap();
            let (_, names) = payload.split_once(':').unwrap();
            heard.extend(names.split(' ').map(str::to_owned));
            told += 1;
        }
        let most = begun.elapsed().as_millis() / 10 + 2;
        assert!(told <= most, "{told} notifications in {:?}", begun.elapsed());
    });
}

/// Whoever listened may have missed something.
#[test]
fn a_listener_that_was_cut_off_comes_back_and_says_so() {
    run(async {
        let database = Database::new();
        let (store, other) = (database.open(Way::Direct, ""), database.open(Way::Direct, ""));
        let mut heard = other.listen().unwrap();
        assert_eq!(next(&mut heard).await, Hint::All);
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
                   and query like 'listen %'";
        assert_eq!(database.sql(cut), "t");
        assert_eq!(next(&mut heard).await, Hint::All);
        Stage::unclaimed(&store, "a").await;
        assert_eq!(agent(&mut heard).await, "a");
    });
}

#[test]
fn pieces_of_an_answer_are_shown_to_others_until_they_expire() {
    use seawall_engine::{Part, StreamKind, Streamed};
    run(async {
        let database = Database::new();
        let (store, other) = (database.open(Way::Direct, ""), database.open(Way::Direct, ""));
        let mut heard = other.listen().unwrap();
        assert_eq!(next(&mut heard).await, Hint::All, "what is written before it listens is not heard of");
        let mut stage = Stage::new(&store, "a").await;
        stage.give(send("m")).await;
        let mut pieces = Vec::new();
        for word in ["some", " words"] {
            let part = Part::Delta { stream: StreamKind::Text, text: word.into() };
            let (next, append, events) = stage.decide(Streamed { step: 1, attempt: 1, part });
            if !append.events.is_empty() {
                store.append(append).await.unwrap();
            }
            let shown: Vec<_> = events.iter().filter(|event| event.expires()).cloned().collect();
            store.show(stage.kept.id(), &shown).await.unwrap();
            store.show(stage.kept.id(), &shown).await.unwrap();
            pieces.extend(shown);
            stage.went(next, events);
        }
        assert_eq!(agent(&mut heard).await, "a");
        let id = stage.kept.id();
        assert_eq!(other.shown(id, 0).await.unwrap(), pieces);
        assert_eq!(other.shown(id, pieces[0].seq).await.unwrap(), pieces[1..]);
        assert!(other.shown(id, u64::MAX).await.unwrap().is_empty());
        database.sql("update seawall_agent_shown set expires_at = now()");
        assert!(other.shown(id, 0).await.unwrap().is_empty());
        assert!(store.renew(&crate::stage::worker("w")).await.unwrap());
        assert_eq!(database.sql("select count(*) from seawall_agent_shown"), "0");
    });
}
