//! The tables, and bringing older ones up to date.

use std::time::Duration;

use seawall_store::StoreError;
use tokio::time::{Instant, sleep};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::FromSql;

use crate::database::{Begin, Database};
use crate::failure::{answered, damaged, unavailable};
use crate::row::get;
use crate::statement::Statement;

/// What makes each version of the one before, oldest first. Each may be done twice.
const SCRIPTS: [&str; 1] = [include_str!("schema/0001_agents.sql")];

/// The number that programs agree on for who may change tables: "seawall" in ASCII. Held by a transaction and not by a
/// session, which behind a pooler is anybody's.
const LOCK: i64 = 0x0073_6561_7761_6c6c;

/// How long another program's changes are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the answer to one statement that changes tables is waited for: longer than the server lets it take.
const LONGEST: Duration = Duration::from_secs(70);

const VERSION: &str = "select coalesce(max(version), 0) from seawall_agent_schema";

/// Brings the tables up to date. Where they are, nothing is asked for but reading.
pub(crate) async fn migrate(database: &Database) -> Result<(), StoreError> {
    let until = Instant::now() + PATIENCE;
    while !is_current(database).await? {
        if !advance(database).await? {
            if Instant::now() > until {
                return Err(unavailable("another program has been changing its tables for a minute"));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Whether there are tables of ours, of whichever version.
pub(crate) async fn is_there(database: &Database) -> Result<bool, StoreError> {
    asked(database, "select to_regclass('seawall_agent_schema') is not null").await
}

/// The one value that a question has for an answer.
async fn asked<T: for<'a> FromSql<'a>>(database: &Database, question: &'static str) -> Result<T, StoreError> {
    let rows = database.one(Begin::Read, Statement::new(question)).await?;
    get(rows.first().ok_or_else(|| damaged("a question without an answer"))?, 0)
}

async fn is_current(database: &Database) -> Result<bool, StoreError> {
    if !is_there(database).await? {
        return Ok(false);
    }
    let found: i32 = asked(database, VERSION).await?;
    let (found, known) = (u32::try_from(found).unwrap_or(0), newest());
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found == known) }
}

fn newest() -> u32 {
    u32::try_from(SCRIPTS.len()).unwrap_or(u32::MAX)
}

/// Runs the scripts that are missing, in one transaction. `false`: another program does.
async fn advance(database: &Database) -> Result<bool, StoreError> {
    let mut client = database.client().await?;
    let changes = answered(LONGEST, client.transaction()).await?;
    let lock = format!(
        "set local statement_timeout = '60s'; set local lock_timeout = '5s'; \
         set local idle_in_transaction_session_timeout = '10s'; select pg_try_advisory_xact_lock({LOCK})"
    );
    let said = answered(LONGEST, changes.simple_query(&lock)).await?;
    if first_word(&said) != Some("t") {
        return Ok(false);
    }
    let table = "create table if not exists seawall_agent_schema \
                 (version integer primary key, applied_at timestamptz not null default now())";
    answered(LONGEST, changes.batch_execute(table)).await?;
    let said = answered(LONGEST, changes.simple_query(VERSION)).await?;
    let found: usize = first_word(&said).and_then(|word| word.parse().ok()).unwrap_or(0);
    for (version, script) in (1..).zip(SCRIPTS).skip(found) {
        let record =
            format!("insert into seawall_agent_schema (version) values ({version}) on conflict do nothing");
        let statements = u32::try_from(script.matches(';').count()).unwrap_or(u32::MAX);
        answered(LONGEST.saturating_mul(statements), changes.batch_execute(script)).await?;
        answered(LONGEST, changes.batch_execute(&record)).await?;
    }
    answered(LONGEST, changes.commit()).await?;
    Ok(true)
}

fn first_word(said: &[SimpleQueryMessage]) -> Option<&str> {
    said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
