//! Making connections, and finding out whether a pooler stands between.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::Connect;
use seawall_base::tasks::Group;
use seawall_store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::{answered, failed, silent};
use crate::options::Options;
use crate::tls;

/// How long the server may take to answer a question that is no transaction of a store.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// Makes connections whose tasks belong to the store.
#[derive(Clone)]
pub(crate) struct Connector {
    server: Config,
    tls: MakeRustlsConnect,
    group: Group,
}

impl Connector {
    pub(crate) fn new(options: &Options, group: &Group) -> Result<Self, StoreError> {
        Ok(Self { server: options.server.clone(), tls: tls::connector(options)?, group: group.clone() })
    }

    /// How long connecting may take: one host after the other.
    pub(crate) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.server.get_hosts().len()).unwrap_or(1).max(1);
        let each = self.server.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5));
        each.saturating_mul(hosts)
    }

    /// A connection that is not the pool's. What the server says by itself on it goes to `heard`.
    pub(crate) async fn own(
        &self,
        heard: impl FnMut(AsyncMessage) + Send + 'static,
    ) -> Result<Own, StoreError> {
        let connecting = self.server.connect(self.tls.clone());
        let (client, connection) = answered(self.patience(), connecting).await?;
        let task = self.group.spawn("PostgreSQL's voice", hear(connection, heard));
        Ok(Own { client, task, tls: self.tls.clone() })
    }

    /// Whether connections reach the server itself. A pooler that hands connections on to others can't pass on a setting
    /// of a session that is not its own: it refuses or forgets what is asked for at the start.
    pub(crate) async fn is_direct(&self) -> Result<bool, StoreError> {
        const SIGN: &str = "seawall.direct";
        const ASK: &str = "select current_setting('seawall.direct', true)";
        let mut server = self.server.clone();
        let options = self.server.get_options().unwrap_or_default();
        server.options(format!("{options} -c {SIGN}=yes"));
        let probe = match timeout(self.patience(), self.connect_with(&server)).await {
            Ok(Ok((client, task))) => Own { client, task, tls: self.tls.clone() },
            // What PgBouncer says to a parameter that it was not told to ignore.
            Ok(Err(error)) if error.code() == Some(&SqlState::PROTOCOL_VIOLATION) => return Ok(false),
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => return Err(silent()),
        };
        let row = probe.ask(ANSWER, |client| client.query_typed_one(ASK, &[])).await?;
        let sign: Option<String> = row.try_get(0).map_err(|error| failed(&error))?;
        Ok(sign.as_deref() == Some("yes"))
    }

    async fn connect_with(&self, server: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, connection) = server.connect(self.tls.clone()).await?;
        // What breaks a connection is told to whoever uses it.
        let task = self.group.spawn("a connection to PostgreSQL", hear(connection, |_| {}));
        Ok((client, task))
    }
}

/// A connection that is not the pool's. It ends with this, also where the server owes it an answer.
pub(crate) struct Own {
    client: Client,
    task: JoinHandle<()>,
    tls: MakeRustlsConnect,
}

impl Own {
    /// What the server says to a question. If it says nothing for that long it is told to leave it: what waits there would go
    /// on waiting after its connection is gone, and who asks anew would add to it.
    pub(crate) async fn ask<'a, T, F>(
        &'a self,
        patience: Duration,
        question: impl FnOnce(&'a Client) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match timeout(patience, question(&self.client)).await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(_) => {
                let leaving = self.client.cancel_token();
                drop(timeout(ANSWER, leaving.cancel_query(self.tls.clone())).await);
                Err(silent())
            }
        }
    }

    /// Whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        server: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let server = server.clone();
        Box::pin(async move { self.connect_with(&server).await })
    }
}

/// Moves a connection on until it ends: by its client's end, or by the server's.
async fn hear<T>(mut connection: Connection<Socket, T>, mut heard: impl FnMut(AsyncMessage) + Send)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(message)) => heard(message),
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to PostgreSQL broke");
                return;
            }
            None => return,
        }
    }
}
