//! The service with a cache, a projector that writes versions, and a look at the counters.

use std::future::pending;
use std::ops::Deref;
use std::time::Duration;

use anyhow::Result;
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use query::Asker;
use read_model::collections::{ACTIVITIES, CLUBS, LICENSE_TYPES, TERMS};
use redis::aio::MultiplexedConnection;
use serde_json::{Map, json};
use service::redis::{Redis, RedisOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::types::Json;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{Answer, App, DEADLINE, LANE, eventually};

/// What the projector runs in its transaction.
const ANNOUNCE: &str = include_str!("../../../crates/engine/projection/src/sql/announce_changes.sql");

/// The service with a cache.
pub(crate) struct Cached {
    app: App,
    pub(crate) redis: Redis,
    handle: PrometheusHandle,
    _recorder: LocalRecorderGuard<'static>,
    _stop: DropGuard,
}

impl Deref for Cached {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Cached {
    /// With the Redis of all tests.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_at(stack::shared().await?.redis().url()).await
    }

    /// With the Redis at this address; with rows at position 1, and connected.
    pub(crate) async fn start_at(url: &str) -> Result<Self> {
        // All of a test runs in one thread, and so does what it counts.
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let handle = recorder.handle();
        let guard = metrics::set_default_local_recorder(recorder);
        let mut app = App::start().await?;
        let stop = CancellationToken::new();
        // Long enough that a slow machine is no outage, and short enough to wait for once in an outage.
        let redis = RedisOptions::at(url, 1000)
            .connect(&app.health, stop.clone())?
            .ok_or_else(|| anyhow::anyhow!("no Redis"))?;
        tokio::time::timeout(DEADLINE, redis.connected()).await?;
        app.change(|state| {
            let cache = query_api::cache(redis.clone(), &state.reads, &state.reports);
            (state.reads.cache, state.reports.cache) = (Some(cache.clone()), Some(cache));
        });
        let cached = Self {
            app,
            redis,
            handle,
            _recorder: guard,
            _stop: stop.drop_guard(),
        };
        cached
            .write(1, "", &[CLUBS.name, LICENSE_TYPES.name, TERMS.name])
            .await?;
        cached.report(1, "", &[ACTIVITIES.name, "sales"]).await?;
        Ok(cached)
    }

    /// Writes rows as the projector does: they, the position and the versions are one transaction.
    pub(crate) async fn write(&self, position: i64, sql: &str, changed: &[&str]) -> Result<()> {
        self.transact("public", "licensing", "projected", position, sql, changed)
            .await
    }

    /// The same in the schema of the reports.
    pub(crate) async fn report(&self, position: i64, sql: &str, changed: &[&str]) -> Result<()> {
        self.transact("reports", "reports", "reports_projected", position, sql, changed)
            .await
    }

    async fn transact(
        &self,
        schema: &str,
        projection: &str,
        channel: &str,
        position: i64,
        sql: &str,
        changed: &[&str],
    ) -> Result<()> {
        let client = &self.projector;
        client
            .batch_execute(&format!("begin; set local search_path = {schema}; {sql}"))
            .await?;
        client
            .execute(
                "insert into checkpoints (projection, position, epoch) values ($1, $2, $3)
                 on conflict (projection) do update set position = excluded.position",
                &[&projection, &position, &Uuid::nil()],
            )
            .await?;
        let position = position.to_string();
        if changed.is_empty() {
            client
                .execute("select pg_notify($1, $2)", &[&channel, &position])
                .await?;
        } else {
            let versions: Map<_, _> = changed
                .iter()
                .map(|name| ((*name).to_owned(), json!(Uuid::new_v4())))
                .collect();
            client
                .execute(ANNOUNCE, &[&projection, &channel, &position, &Json(versions)])
                .await?;
        }
        client.batch_execute("commit").await?;
        Ok(())
    }

    /// How often looks for an answer ended so.
    pub(crate) fn looks(&self, resource: &str, outcome: &str) -> u64 {
        self.count(&format!(
            "bilsport_query_cache_lookups_total{{resource=\"{resource}\",outcome=\"{outcome}\"}} "
        ))
    }

    /// How often the database was asked for a resource, with an answer.
    pub(crate) fn reads(&self, resource: &str) -> u64 {
        self.count(&format!(
            "bilsport_query_read_seconds_count{{resource=\"{resource}\",outcome=\"ok\"}} "
        ))
    }

    /// How many answers were stored.
    pub(crate) fn stored(&self, resource: &str) -> u64 {
        self.count(&format!(
            "bilsport_query_cache_stores_total{{resource=\"{resource}\",outcome=\"stored\"}} "
        ))
    }

    fn count(&self, series: &str) -> u64 {
        let rendered = self.handle.render();
        let value = rendered.lines().find_map(|line| line.strip_prefix(series));
        value.map_or(0, |value| value.parse().expect("a count"))
    }

    /// Forgets what the instance remembers, so that the next answer comes from Redis.
    pub(crate) fn forget(&self) {
        self.state.reads.cache.as_ref().expect("a cache").forget();
    }

    /// Asks until the answer comes from Redis.
    pub(crate) async fn until_hit(&self, path: &str, token: &str, resource: &str) -> Answer {
        eventually(&format!("a hit for {path}"), async || {
            self.forget();
            let before = self.looks(resource, "hit");
            let answer = self.get(path, token).await;
            (self.looks(resource, "hit") > before).then_some(answer)
        })
        .await
    }

    /// Keeps every connection at work, so that the database cannot be asked. The session that follows the projection is
    /// another one.
    pub(crate) async fn exhaust(&self) -> JoinSet<()> {
        let mut at_work = JoinSet::new();
        let (begun, mut starts) = mpsc::channel(1);
        for reads in [&self.state.reads, &self.state.reports] {
            for _ in 0..LANE {
                let person = Asker::person(Uuid::new_v4());
                for asker in [Asker::PUBLIC, person, person.expensively()] {
                    let (reads, begun) = (reads.clone(), begun.clone());
                    at_work.spawn(async move {
                        let endless = reads.ask("endless", asker, |_| {
                            let begun = begun.clone();
                            Box::pin(async move {
                                begun.send(()).await.expect("somebody waits");
                                pending::<Result<(), query::Error>>().await
                            })
                        });
                        endless.await.expect("it ends with the test");
                    });
                }
            }
        }
        for _ in 0..at_work.len() {
            starts.recv().await.expect("a connection");
        }
        at_work
    }

    /// The time in the database, in milliseconds.
    pub(crate) async fn clock_ms(&self) -> Result<i64> {
        let sql = "select (extract(epoch from clock_timestamp()) * 1000)::int8";
        Ok(self.projector.query_one(sql, &[]).await?.try_get(0)?)
    }
}

/// The keys of kept answers in a Redis.
pub(crate) async fn keys(redis: &mut MultiplexedConnection) -> Result<Vec<String>> {
    Ok(redis::cmd("KEYS")
        .arg("bilsport:cache:*")
        .query_async(redis)
        .await?)
}

/// A connection of the test's own.
pub(crate) async fn connection(url: &str) -> Result<MultiplexedConnection> {
    Ok(redis::Client::open(url)?
        .get_multiplexed_async_connection()
        .await?)
}

/// Between two looks at something that changes by itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
