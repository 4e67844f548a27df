//! Writing to agents' logs: one statement, which checks the right to do so and writes all or nothing of each agent.

mod write;

use std::sync::Arc;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Append, Appended, Creation, Right};

use crate::database::{Begin, Database};
use crate::failure::{Undone, unavailable};
use crate::hints::Notices;
use crate::load;
use crate::row::get;
use crate::statement::Statement;
use crate::together::{Work, in_place};
use crate::value::{Number, Text};

pub(crate) use write::Write;

/// How often something that others change at the same time is looked at again.
const TRIES: usize = 5;

/// When an agent that nobody holds is to be run, as an SQL expression of its columns or values. What is due at once was by
/// the clock of whoever wrote it: where that one is ahead of the server's, it is due all the same.
pub(crate) fn queued(due: &str, updated_at: &str) -> String {
    format!("case when {due} <= {updated_at} then least({due}, now()) else {due} end")
}

/// Appends to logs, of which others are told.
pub(crate) struct Appends {
    pub(crate) database: Arc<Database>,
    pub(crate) notices: Arc<Notices>,
}

impl Work for Appends {
    type Answer = Appended;
    type Wish = Write;

    const AT_ONCE: usize = 2;
    const MOST: usize = 256;
    const NAME: &'static str = "appends";

    fn agent(write: &Write) -> &AgentId {
        &write.append.agent
    }

    fn weight(write: &Write) -> usize {
        write.weight()
    }

    async fn together(&self, writes: &[Write]) -> Result<Vec<Option<Appended>>, Undone> {
        let rows = self.database.attempt_one(Begin::Together, write::writing(writes)).await?;
        let appended = in_place(writes.len(), &rows, |_, _| Ok(Appended::Done))?;
        for (write, _) in writes.iter().zip(&appended).filter(|(_, appended)| appended.is_some()) {
            self.notices.wrote(&write.append.agent);
        }
        Ok(appended)
    }

    async fn alone(&self, write: Write, was_left: bool) -> Result<Appended, StoreError> {
        if was_left && let Some(refused) = refusal(&self.database, &write.append).await? {
            return Ok(refused);
        }
        let appended = alone(&self.database, &write).await?;
        if appended == Appended::Done {
            self.notices.wrote(&write.append.agent);
        }
        Ok(appended)
    }
}

/// Makes an agent, or tells which one there is.
pub(crate) async fn create(database: &Database, first: Append) -> Result<Creation, StoreError> {
    let first = Write::of(first)?;
    for _ in 0..TRIES {
        if !database.one(Begin::Write, write::making(&first)).await?.is_empty() {
            return Ok(Creation::Made);
        }
        if let Some(row) = load::agent(database, &first.append.agent).await? {
            return Ok(Creation::Exists(Box::new(row)));
        }
    }
    Err(unavailable(format!("the agent {} is made and removed all the time", first.append.agent)))
}

/// Writes events of one agent with all that follows from them.
async fn alone(database: &Database, write: &Write) -> Result<Appended, StoreError> {
    for _ in 0..TRIES {
        let statement = write::writing(std::slice::from_ref(write));
        if !database.one(Begin::Write, statement).await?.is_empty() {
            return Ok(Appended::Done);
        }
        // What was in the way is looked at afterwards. Where nothing is any more, it is tried again.
        if let Some(refused) = refusal(database, &write.append).await? {
            return Ok(refused);
        }
    }
    Ok(Appended::Moved)
}

async fn refusal(database: &Database, append: &Append) -> Result<Option<Appended>, StoreError> {
    let run = append.row.run.to_string();
    let look = Statement::new(
        "select epoch, holder is not null, seq from seawall_agent where name = $1 and run = $2",
    )
    .with(Text::new(append.agent.as_str()))
    .with(Text::new(&run));
    let rows = database.one(Begin::Read, look).await?;
    let Some(row) = rows.first() else { return Ok(Some(Appended::Gone)) };
    let (epoch, is_held, seq) = (get::<Number>(row, 0)?.0, get::<bool>(row, 1)?, get::<Number>(row, 2)?.0);
    let is_fenced = match append.right {
        Right::Holder { epoch: own } => !is_held || own != epoch,
        Right::Outsider => false,
    };
    Ok(match (is_fenced, seq == append.after) {
        (true, _) => Some(Appended::Fenced),
        (false, false) => Some(Appended::Moved),
        (false, true) => None,
    })
}
