//! One instance leads the relay, the planner and the sealer; the others stand by.
//!
//! Leadership is a session's advisory lock. It keeps instances from doing the same work; what keeps two that both
//! believe to lead from doing harm is elsewhere: the stream accepts only the next sequence, the planner's
//! checkpoint moves only from where it was, and one seal can follow another.

use std::time::Duration;

use metrics::gauge;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::sync::CancellationToken;

use crate::metrics::RELAY_LEADER;

/// `pg_try_advisory_lock` key: "bilsport" in ASCII.
const LOCK: i64 = 0x6269_6c73_706f_7274;
/// How often a standby asks, and a leader makes sure.
const BEAT: Duration = Duration::from_millis(500);
/// How long the database may take to answer a leader before it steps down.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `lead` whenever this instance leads, until `shutdown`. The token given to it is cancelled when leadership is
/// lost; it is awaited before leadership is sought again.
pub(crate) async fn lead_whenever_possible<F, Leading>(url: &str, shutdown: CancellationToken, lead: F)
where
    F: Fn(CancellationToken) -> Leading,
    Leading: Future<Output = ()>,
{
    gauge!(RELAY_LEADER).set(0.0);
    while !shutdown.is_cancelled() {
        let sought = tokio::select! {
            () = shutdown.cancelled() => return,
            sought = seek(url) => sought,
        };
        match sought {
            Ok(client) => {
                tracing::info!("leading the relay and the planner");
                gauge!(RELAY_LEADER).set(1.0);
                // Ends with the shutdown, as a child of it, or with the leadership; the work ends in either case.
                let term = shutdown.child_token();
                tokio::join!(lead(term.clone()), hold(&client, term));
                gauge!(RELAY_LEADER).set(0.0);
            }
            Err(error) => {
                let error = service::postgres::describe(&error);
                tracing::warn!(error, "leadership could not be sought");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

/// Connects and waits for the lock.
async fn seek(url: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config: Config = url.parse()?;
    config
        .application_name("command-api leader")
        .connect_timeout(PATIENCE)
        .tcp_user_timeout(PATIENCE)
        .keepalives_idle(PATIENCE)
        .options("-c statement_timeout=3000");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    loop {
        let row = client
            .query_one("select pg_try_advisory_lock($1)", &[&LOCK])
            .await?;
        if row.get(0) {
            return Ok(client);
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// Returns, with `term` cancelled, when the session that holds the lock is gone or `term` ends.
async fn hold(client: &Client, term: CancellationToken) {
    loop {
        tokio::select! {
            () = term.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let alive = tokio::time::timeout(PATIENCE, client.simple_query("select 1")).await;
        if !matches!(alive, Ok(Ok(_))) {
            tracing::warn!("lost the leadership of relay and planner");
            term.cancel();
            return;
        }
    }
}
