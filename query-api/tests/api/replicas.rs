//! Real streaming replicas: which of them a request goes to, and what becomes of one that lags, dies, or has other rows.

use std::time::Duration;

use anyhow::Result;
use axum::http::StatusCode;
use query_api::AccountsInTheReadModel;
use serde_json::json;
use service::auth::Accounts as _;
use stack::{Databases, Port, Postgres};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, REPORTS, Reading, connect, eventually, fresh_databases};

const CLUBS: &str = "/api/v1/clubs";
/// Longer than a test takes.
const ANY_LAG: Duration = Duration::from_mins(10);

/// The service on a primary with replicas.
struct Fleet {
    app: App,
    primary: Postgres,
    replicas: Vec<Postgres>,
}

impl Fleet {
    /// All replicas are in use, and everywhere the rows are at position 1.
    async fn start(replicas: usize, most_lag: Duration) -> Result<Self> {
        Box::pin(Self::begin(replicas, most_lag)).await
    }

    async fn begin(replicas: usize, most_lag: Duration) -> Result<Self> {
        let primary = Postgres::temporary(&[("max_connections", "100"), ("shared_buffers", "16MB")]).await?;
        let databases = Databases::fresh(primary.server().url()).await?;
        read_model::migrate(&databases.read_owner).await?;
        let projector = connect(&databases.read_owner).await?;
        projector.batch_execute(REPORTS).await?;
        let mut standbys = Vec::new();
        let settings = [
            ("max_connections", "100"),
            ("shared_buffers", "16MB"),
            ("hot_standby_feedback", "on"),
        ];
        for _ in 0..replicas {
            standbys.push(primary.standby(&settings).await?);
        }
        let urls = standbys
            .iter()
            .map(|replica| databases.read_reader_at(replica.server().url()));
        let reading = Reading {
            replicas: urls.collect::<Result<_>>()?,
            most_lag,
            ..Reading::default()
        };
        let app = App::reading(databases, projector, reading).await?;
        app.project_to(1).await?;
        let fleet = Self {
            app,
            primary,
            replicas: standbys,
        };
        fleet.until("replicas", "null").await;
        for replica in 0..replicas {
            fleet.replays_to(replica, 1).await;
        }
        Ok(fleet)
    }

    /// Waits until a check's reason is this, or has this in it.
    async fn until(&self, check: &str, reason: &str) {
        eventually(&format!("{check}: {reason}"), async || {
            let readiness = serde_json::to_value(self.app.health.readiness()).ok()?;
            let checks = readiness["checks"].as_array()?;
            let found = checks.iter().find(|found| found["name"] == check)?;
            found["reason"].to_string().contains(reason).then_some(())
        })
        .await;
    }

    async fn at_replica(&self, replica: usize) -> Result<Client> {
        let admin = self.replicas[replica].server().url().rsplit_once('/');
        let read = self.app.databases.read_reader.rsplit_once('/');
        let (Some((server, _)), Some((_, database))) = (admin, read) else {
            anyhow::bail!("URLs without a database");
        };
        connect(&format!("{server}/{database}")).await
    }

    async fn replays_to(&self, replica: usize, position: i64) {
        let client = self.at_replica(replica).await.expect("a connection");
        eventually("the replica has replayed it", async || {
            let asked = "select position from checkpoints where projection = 'licensing'";
            let row = client.query_opt(asked, &[]).await.ok()??;
            (row.get::<_, i64>(0) >= position).then_some(())
        })
        .await;
    }

    /// Rows that arrive from now on do not show there.
    async fn pause(&self, replica: usize) -> Result<()> {
        let client = self.at_replica(replica).await?;
        client.batch_execute("select pg_wal_replay_pause()").await?;
        eventually("replay is paused", async || {
            let state = client
                .query_one("select pg_get_wal_replay_pause_state()", &[])
                .await
                .ok()?;
            (state.get::<_, String>(0) == "paused").then_some(())
        })
        .await;
        Ok(())
    }

    async fn resume(&self, replica: usize) -> Result<()> {
        let client = self.at_replica(replica).await?;
        client.batch_execute("select pg_wal_replay_resume()").await?;
        Ok(())
    }

    /// The position of an answer, which is 200.
    async fn position(&self, path: &str) -> u64 {
        let answer = self.app.get_anonymously(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.header("event-position").parse().expect("a position")
    }
}

#[tokio::test]
async fn requests_go_to_the_replica_and_one_that_needs_more_to_the_primary() -> Result<()> {
    let fleet = Fleet::start(1, ANY_LAG).await?;
    fleet.pause(0).await?;
    fleet.app.project_to(2).await?;
    assert_eq!(fleet.position(CLUBS).await, 1, "the replica answers");
    assert_eq!(fleet.position(&format!("{CLUBS}?min_position=1")).await, 1);
    assert_eq!(
        fleet.position(&format!("{CLUBS}?min_position=2")).await,
        2,
        "the primary has it"
    );
    // A request that reads twice stays where it began, whatever the other server has by now.
    let staff = fleet.app.staff();
    let batch = rows::batch(&fleet.app.projector, json!({})).await?;
    let results = format!("/api/v1/batches/{batch}/results");
    let here = fleet.app.get(&results, &staff).await;
    assert_eq!(
        (here.status, here.header("event-position")),
        (StatusCode::NOT_FOUND, "1"),
        "{here:?}"
    );
    let there = fleet.app.get(&format!("{results}?min_position=2"), &staff).await;
    assert_eq!(
        (there.status, there.header("event-position")),
        (StatusCode::OK, "2"),
        "{there:?}"
    );
    // A gate that has seen a list is not given an older one.
    for (path, position) in [
        ("/revocations", 1),
        ("/revocations?since=1", 1),
        ("/revocations?since=2", 2),
    ] {
        assert_eq!(fleet.position(path).await, position, "{path}");
    }
    // Exports, too.
    for (path, position) in [
        ("/api/v1/exports/orders", "1"),
        ("/api/v1/exports/orders?min_position=2", "2"),
    ] {
        let export = fleet.app.get(path, &staff).await;
        assert_eq!(
            (export.status, export.header("event-position")),
            (StatusCode::OK, position)
        );
    }
    fleet.resume(0).await?;
    fleet.replays_to(0, 2).await;
    assert_eq!(fleet.position(CLUBS).await, 2);
    Ok(())
}

#[tokio::test]
async fn a_replica_that_gets_there_in_a_moment_is_waited_for_when_the_primary_is_away() -> Result<()> {
    let fleet = Fleet::start(1, ANY_LAG).await?;
    fleet.pause(0).await?;
    fleet.app.project_to(2).await?;
    eventually("the primary's position is known", async || {
        (fleet.position(&format!("{CLUBS}?min_position=2")).await == 2).then_some(())
    })
    .await;
    // What was sent to the replica before is replayed there later.
    let client = fleet.at_replica(0).await?;
    let sent: String = connect(fleet.primary.server().url())
        .await?
        .query_one("select pg_current_wal_flush_lsn()::text", &[])
        .await?
        .get(0);
    eventually("the replica has received it", async || {
        let received = "select pg_last_wal_receive_lsn() >= $1::text::pg_lsn";
        client
            .query_one(received, &[&sent])
            .await
            .ok()?
            .get::<_, bool>(0)
            .then_some(())
    })
    .await;
    fleet.primary.server().kill().await?;
    fleet.until("postgres", "replicas are read").await;
    assert!(fleet.app.health.readiness().is_ready(), "the replica serves");
    assert_eq!(fleet.position(CLUBS).await, 1);
    let lagging = fleet
        .app
        .get_anonymously(&format!("{CLUBS}?min_position=2"))
        .await;
    assert!(lagging.is(503, "projection_lagging"), "{lagging:?}");
    assert_eq!(lagging.header("event-position"), "1");
    let path = format!("{CLUBS}?min_position=2");
    let (position, resumed) = tokio::join!(fleet.position(&path), fleet.resume(0));
    resumed?;
    assert_eq!(position, 2);
    fleet.primary.server().start().await?;
    fleet.until("postgres", "null").await;
    Ok(())
}

#[tokio::test]
async fn a_replica_that_lags_is_not_read_until_it_has_caught_up() -> Result<()> {
    let fleet = Fleet::start(1, Duration::from_secs(1)).await?;
    fleet.pause(0).await?;
    // A quiet log: the replica is not behind, however long that takes.
    fleet.until("replicas", "null").await;
    fleet.app.project_to(2).await?;
    fleet.until("replicas", "not used: replica-1 lags by").await;
    assert!(fleet.app.health.readiness().is_ready());
    assert_eq!(fleet.position(CLUBS).await, 2, "the primary answers");
    fleet.resume(0).await?;
    fleet.until("replicas", "null").await;
    // Without the primary only the replica can answer.
    fleet.primary.server().kill().await?;
    fleet.until("postgres", "replicas are read").await;
    assert_eq!(fleet.position(CLUBS).await, 2);
    Ok(())
}

#[tokio::test]
async fn a_replica_that_stands_still_or_dies_fails_no_request() -> Result<()> {
    let fleet = Fleet::start(2, ANY_LAG).await?;
    // In the middle of a request: it was begun at a server that does not answer any more, and is repeated.
    for replica in &fleet.replicas {
        replica.server().pause()?;
    }
    assert_eq!(fleet.position(CLUBS).await, 1);
    fleet
        .until("replicas", "replica-1 cannot be read, replica-2 cannot be read")
        .await;
    for replica in &fleet.replicas {
        replica.server().resume()?;
    }
    fleet.until("replicas", "null").await;

    let stop = tokio_util::sync::CancellationToken::new();
    let reading = async {
        let mut seen = 0;
        let mut requests = 0_u32;
        while !stop.is_cancelled() {
            let position = fleet.position(&format!("{CLUBS}?min_position={seen}")).await;
            assert!(position >= seen, "{position} after {seen}");
            (seen, requests) = (position, requests + 1);
        }
        requests
    };
    let faults = async {
        let _stop = stop.clone().drop_guard();
        for (number, position) in [(0, 2), (1, 3)] {
            let server = fleet.replicas[number].server();
            server.kill().await?;
            fleet.app.project_to(position).await?;
            fleet
                .until(
                    "replicas",
                    &format!("not used: replica-{} cannot be read", number + 1),
                )
                .await;
            server.start().await?;
            fleet.until("replicas", "null").await;
        }
        anyhow::Ok(())
    };
    let (requests, done) = tokio::join!(reading, faults);
    done?;
    assert!(requests > 10, "{requests}");
    Ok(())
}

#[tokio::test]
async fn a_replica_with_the_rows_of_another_epoch_is_not_read() -> Result<()> {
    let fleet = Fleet::start(1, ANY_LAG).await?;
    let epoch = |epoch: u128| format!("update checkpoints set epoch = '{}'", Uuid::from_u128(epoch));
    fleet.app.projector.batch_execute(&epoch(1)).await?;
    fleet.until("replicas", "null").await;
    fleet.app.project_to(2).await?;
    fleet.replays_to(0, 2).await;
    fleet.pause(0).await?;
    // The restored log begins again further back.
    fleet
        .app
        .projector
        .batch_execute(&format!("{}, position = 1", epoch(2)))
        .await?;
    fleet
        .until("replicas", "replica-1 has the rows of another log")
        .await;
    assert_eq!(fleet.position(CLUBS).await, 1);
    fleet.resume(0).await?;
    fleet.until("replicas", "null").await;
    Ok(())
}

#[tokio::test]
async fn roles_and_sessions_are_never_older_than_those_of_the_primary() -> Result<()> {
    let fleet = Fleet::start(1, ANY_LAG).await?;
    let app = &fleet.app;
    let accounts = || AccountsInTheReadModel::new(app.state.reads.clone());
    let user = Uuid::from_u128(7);
    fleet.pause(0).await?;
    app.projector
        .execute(
            "insert into users (user_id, roles, club_ids, sessions_revoked_at, created_at, updated_at, version, position)
             values ($1, '{customer}', '{}', now(), now(), now(), 1, 2)",
            &[&user],
        )
        .await?;
    app.project_to(2).await?;
    let revoked = accounts().of(user).await.expect("an account");
    assert!(
        revoked.revoked_at.is_some(),
        "the replica does not know it yet: {revoked:?}"
    );
    assert_eq!(fleet.position(&format!("{CLUBS}?min_position=2")).await, 2);

    // Without the primary a replica that has all that was seen there is as good, and one that has not is not.
    fleet.primary.server().kill().await?;
    fleet.until("postgres", "replicas are read").await;
    let refused = accounts().of(user).await.expect_err("old rows");
    assert_eq!(refused.code(), "database_unavailable");
    fleet.resume(0).await?;
    fleet.replays_to(0, 2).await;
    eventually("the replica is known to have it", async || {
        let account = accounts().of(user).await.ok()?;
        account.revoked_at.is_some().then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_replica_that_is_no_replica_harms_nothing() -> Result<()> {
    let databases = fresh_databases().await?;
    read_model::migrate(&databases.read_owner).await?;
    let projector = connect(&databases.read_owner).await?;
    projector.batch_execute(REPORTS).await?;
    let nothing = Port::any()?;
    let older = fresh_databases().await?;
    read_model::migrate(&older.read_owner).await?;
    let last = "delete from refinery_schema_history where version = (select max(version) from refinery_schema_history)";
    connect(&older.read_owner).await?.batch_execute(last).await?;
    let reading = Reading {
        replicas: vec![
            older.read_reader.clone(),
            format!("postgres://query_api:secret@{}/read", nothing.address()),
        ],
        ..Reading::default()
    };
    let app = App::reading(databases, projector, reading).await?;
    app.project_to(1).await?;
    let path = format!("{CLUBS}?min_position=1");
    assert_eq!(app.get_anonymously(&path).await.status, StatusCode::OK);
    eventually("both are not used, and the reasons are said", async || {
        let readiness = serde_json::to_string(&app.health.readiness()).ok()?;
        assert!(
            !readiness.contains("secret") && !readiness.contains("127.0.0.1"),
            "{readiness}"
        );
        let said = "not used: replica-1 does not have the schema of this build, replica-2 cannot be read";
        readiness.contains(said).then_some(())
    })
    .await;
    assert!(app.health.readiness().is_ready());
    assert_eq!(app.get_anonymously(&path).await.status, StatusCode::OK);
    Ok(())
}
