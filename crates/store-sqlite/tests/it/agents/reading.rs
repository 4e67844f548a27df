//! The file as other tools read it: the queries that the documentation shows give what they say.

use rusqlite::Connection;
use seawall_store::conformance::agents::{life, run};

use super::opened;

const PAGE: &str = include_str!("../../../../../docs/stores.md");

/// The queries of the page, for the agent of the test.
fn queries() -> Vec<String> {
    let (_, rest) = PAGE.split_once("<<'SQL'\n").unwrap();
    let (queries, _) = rest.split_once("\nSQL\n").unwrap();
    let queries = queries.replace("'writer'", "'walk-3'");
    queries.split(';').map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_queries_of_the_documentation_give_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    let there = file.clone();
    run(
        || async move { opened(&there) },
        move |opened| {
            Box::pin(async move {
                life(opened, 3, 150).await;
                let connection = Connection::open(&file).unwrap();
                // Nobody waits at the end of that life.
                connection.execute("UPDATE agent_call SET state = 'in_doubt' WHERE rowid = 1", ()).unwrap();
                let queries = queries();
                assert_eq!(queries.len(), 4);
                for query in queries {
                    let mut statement = connection.prepare(&query).unwrap();
                    let last = statement.column_count() - 1;
                    let shown = statement.query_map((), |row| row.get::<_, Option<String>>(last)).unwrap();
                    let shown: Vec<_> = shown.collect::<rusqlite::Result<_>>().unwrap();
                    assert!(shown.iter().any(Option::is_some), "{query}");
                }
            })
        },
    );
}
