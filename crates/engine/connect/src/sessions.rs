//! Whether a connection is a session of its own. A pooler in transaction mode (PgBouncer's `pool_mode = transaction`) runs
//! each transaction on any free server connection: session settings, prepared statements, `listen` and advisory locks are
//! then lost or another client's.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::database::Database;

/// Why the connections of a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoSession {
    /// A pooler is in the way. Waiting does not help.
    #[error(
        "a connection pooler is in the way ({0}): give a URL that leads to PostgreSQL itself, since session settings, \
         prepared statements, listen and advisory locks do not work through a pooler"
    )]
    Pooled(&'static str),
    /// The database does not answer. Waiting may help.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

/// How often two connections are compared.
const EXCHANGES: usize = 5;

impl Database {
    /// Proves with two connections that each is a session of its own, with the settings that were asked for.
    pub async fn check_sessions(&self) -> Result<(), NoSession> {
        // Something that no server has by itself, so that a pooler which ignores `options` is noticed.
        let probing = self.clone().set(&[("engine.session", "own")]);
        let [one, other] = [open(&probing).await?, open(&probing).await?];
        if ask(&one, "select current_setting('engine.session', true)").await? != "own" {
            return Err(NoSession::Pooled("it ignores the startup parameter `options`"));
        }
        let pid = "select pg_backend_pid()";
        // A busy pooler may give both their own server process once.
        for _ in 0..EXCHANGES {
            let before = ask(&one, pid).await?;
            other.batch_execute("begin").await?;
            let others = ask(&other, pid).await?;
            let after = ask(&one, pid).await?;
            other.batch_execute("rollback").await?;
            if before == others || before != after {
                return Err(NoSession::Pooled("two connections share a server process"));
            }
        }
        Ok(())
    }
}

async fn open(database: &Database) -> Result<Client, NoSession> {
    match database.connect().await {
        Ok((client, connection)) => {
            tokio::spawn(connection);
            Ok(client)
        }
        Err(error) if refuses_options(&error) => {
            Err(NoSession::Pooled("it refuses the startup parameter `options`"))
        }
        Err(error) => Err(error.into()),
    }
}

/// PgBouncer's `unsupported startup parameter: options`, and of later ones `unsupported startup parameter in options: …`.
fn refuses_options(error: &Error) -> bool {
    error.as_db_error().is_some_and(|refused| {
        *refused.code() == SqlState::PROTOCOL_VIOLATION && refused.message().contains("startup parameter")
    })
}

/// One value, without a prepared statement.
async fn ask(client: &Client, query: &str) -> Result<String, NoSession> {
    let answer = client.simple_query(query).await?;
    let value = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
        _ => None,
    });
    Ok(value.unwrap_or_default().to_owned())
}
