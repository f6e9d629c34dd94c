//! The primary of the read database and its replicas, and which of them a request goes to.
//!
//! Requests go to replicas, the least busy one first, and to the primary when no replica can answer. A request that needs a
//! position goes to a replica that is known to have it; if none is, it waits a moment for one that is near, and else for the
//! primary. A replica that lags, fails, does not answer, or has rows of another log is not asked until it has been well for a
//! while; the others are judged without it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connect::Database;
use deadpool_postgres::Pool;
use futures_util::future::select_all;
use service::health::Check;
use service::postgres::PoolOptions;
use tokio::time::{Instant, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::follower::Channel;
use crate::lane::{Lane, Lanes, PerLane};
use crate::metrics;
use crate::place::Place;
use crate::progress::Seen;
use crate::projection::{Projection, WAIT};
use crate::schema_gate::{SchemaGate, SchemaRefused};
use crate::standing::{Change, Fault, Steps};

/// How often replicas are compared with the primary.
const TICK: Duration = Duration::from_millis(100);
/// How long a request waits for a replica when the primary has what it needs.
const BRIEF: Duration = Duration::from_millis(50);
/// A replica that lags by less gets there in a moment.
const NEAR: Duration = Duration::from_secs(1);
/// The name of the primary.
const PRIMARY: &str = "primary";

/// What to read, and how.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The URL of the primary.
    pub primary: &'a str,
    /// The URLs of its replicas.
    pub replicas: &'a [String],
    /// Which projection.
    pub channel: Channel,
    /// The `search_path` of the sessions, if it is not the usual one.
    pub search_path: Option<&'a str>,
    /// The name of the connections in Postgres, and of the pools in metrics.
    pub session: &'a str,
    /// The connections to each server.
    pub pools: &'a PerLane<PoolOptions>,
    /// A replica whose rows are older is not used.
    pub most_lag: Duration,
}

/// Where the state of it is reported.
#[derive(Debug)]
pub struct Checks {
    /// Whether the rows can be read.
    pub postgres: Check,
    /// Whether the primary has the schema of this build.
    pub schema: Check,
    /// Which replicas are not used; needed with replicas only.
    pub replicas: Option<Check>,
}

/// The servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    primary: Place,
    replicas: Vec<Place>,
    projection: &'static str,
    most_lag: Duration,
    steps: Mutex<Steps>,
    /// Turns among replicas that are equally busy.
    turn: AtomicUsize,
}

impl Places {
    /// Follows the servers of `source` until `shutdown`. `look` finds out whether a database has the schema of this build: a
    /// primary that answers and does not have it is an error.
    pub async fn open<L, F>(
        source: Source<'_>,
        checks: Checks,
        shutdown: &CancellationToken,
        look: L,
    ) -> anyhow::Result<Self>
    where
        L: Fn(Pool) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<(), SchemaRefused>> + Send + 'static,
    {
        let Checks {
            postgres,
            schema,
            replicas: replicas_check,
        } = checks;
        let parts = source.parts(PRIMARY, source.primary, shutdown)?;
        let pool = parts.1.pool(Lane::People).clone();
        let gate = SchemaGate::watch(pool, schema, shutdown.clone(), look.clone()).await?;
        let primary = source.place(PRIMARY.to_owned(), source.primary, parts, gate, shutdown)?;
        let mut replicas = Vec::new();
        for (url, number) in source.replicas.iter().zip(1_u32..) {
            let name = format!("replica-{number}");
            let parts = source.parts(&name, url, shutdown)?;
            let (address, pool) = (parts.0.address(), parts.1.pool(Lane::People).clone());
            let gate = SchemaGate::default();
            let replica = source.place(name, url, parts, gate.clone(), shutdown)?;
            tracing::info!(replica = replica.name(), address, "reading from a replica");
            let following = gate.follow(pool, replica.projection().clone(), address, look.clone());
            tokio::spawn(shutdown.clone().run_until_cancelled_owned(following));
            replicas.push(replica);
        }
        let places = Self(Arc::new(Inner {
            primary,
            replicas,
            projection: source.channel.projection,
            most_lag: source.most_lag,
            steps: Mutex::default(),
            turn: AtomicUsize::new(0),
        }));
        let judging = places.clone().judge(postgres, replicas_check);
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(judging));
        Ok(places)
    }

    /// How far the rows of the primary have come.
    pub fn projection(&self) -> &Projection {
        self.0.primary.projection()
    }

    /// Where a request goes by a lane, whose rows must hold a position if it awaits one, as it does `since` then. Not to the
    /// places that it was `at`; nowhere if there is no other.
    pub(crate) async fn choose(
        &self,
        lane: Lane,
        awaited: Option<u64>,
        since: Instant,
        at: &[Place],
    ) -> Option<Place> {
        let usable = self.usable(at);
        let primary = Some(&self.0.primary).filter(|primary| !primary.is_one_of(at));
        let Some(position) = awaited.filter(|position| *position > 0) else {
            return self.least_busy(usable, lane).or_else(|| primary.cloned());
        };
        let holding = usable.iter().filter(|place| place.seen().holds(position));
        if let Some(place) = self.least_busy(holding.cloned().collect(), lane) {
            return Some(place);
        }
        let primary = primary.filter(|primary| primary.seen().answers || usable.is_empty());
        let near: Vec<_> = usable
            .iter()
            .filter(|place| primary.is_none() || self.steps().lag(place.seen().position) < NEAR)
            .collect();
        if near.is_empty() {
            return primary.cloned();
        }
        let first = select_all(near.into_iter().map(|place| {
            Box::pin(async move {
                place.projection().held(position).await;
                place.clone()
            })
        }));
        let at_the_primary = async {
            match primary {
                Some(primary) => primary.projection().decided(position, since).await,
                None => std::future::pending().await,
            }
            sleep(BRIEF).await;
        };
        let found = async {
            tokio::select! {
                (place, ..) = first => Some(place),
                () = at_the_primary => None,
            }
        };
        let found = timeout_at(since + WAIT, found).await.ok().flatten();
        let fallback = || {
            let primary = primary.filter(|primary| primary.seen().answers);
            primary.or_else(|| usable.iter().max_by_key(|place| place.seen().position))
        };
        found.or_else(|| fallback().cloned())
    }

    /// Where what must not be old is read: the primary, and while it does not answer a replica that has all that was seen
    /// there.
    pub(crate) fn freshest(&self, lane: Lane, at: &[Place]) -> Option<Place> {
        let primary = Some(&self.0.primary).filter(|primary| !primary.is_one_of(at));
        if let Some(primary) = primary.filter(|primary| primary.seen().answers) {
            return Some(primary.clone());
        }
        let last = self.0.primary.seen();
        let mut current = self.usable(at);
        current.retain(|place| place.seen().position >= last.position);
        self.least_busy(current, lane).or_else(|| primary.cloned())
    }

    /// Whether a request could well be answered elsewhere than at these places.
    pub(crate) fn has_another(&self, at: &[Place]) -> bool {
        let primary = &self.0.primary;
        (!primary.is_one_of(at) && primary.seen().answers) || !self.usable(at).is_empty()
    }

    /// The replicas that take requests, but for these.
    fn usable(&self, but: &[Place]) -> Vec<Place> {
        let primary = self.0.primary.seen();
        let steps = self.steps();
        let is_usable = |place: &&Place| {
            !place.is_one_of(but)
                && place.ejected_for().is_none()
                && place.fault(primary, &steps, self.0.most_lag).is_none()
        };
        self.0.replicas.iter().filter(is_usable).cloned().collect()
    }

    fn least_busy(&self, mut places: Vec<Place>, lane: Lane) -> Option<Place> {
        if places.len() > 1 {
            let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % places.len();
            places.rotate_left(turn);
        }
        places.into_iter().min_by_key(|place| place.load(lane))
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        // Each change is whole, also after a panic while the lock was held.
        self.0.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the replicas with the primary, and reports.
    async fn judge(self, postgres: Check, replicas: Option<Check>) {
        let mut ticks = interval(TICK);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let primary = self.0.primary.seen();
            if primary.answers {
                self.steps().note(primary.position, now);
            }
            for place in &self.0.replicas {
                self.judge_one(place, primary, now);
            }
            self.report(primary, &postgres, replicas.as_ref());
        }
    }

    fn judge_one(&self, place: &Place, primary: Seen, now: Instant) {
        let projection = self.0.projection;
        let (fault, lag) = {
            let steps = self.steps();
            let lag = steps.lag(place.seen().position);
            (place.fault(primary, &steps, self.0.most_lag), lag)
        };
        match place.judge(fault, now) {
            Some(Change::Ejected(fault)) => {
                let name = place.name().to_owned();
                ::metrics::counter!(metrics::EJECTIONS, "place" => name, "projection" => projection, "reason" => fault.name())
                    .increment(1);
                tracing::warn!(
                    replica = place.name(),
                    address = place.database().address(),
                    projection,
                    reason = %fault,
                    "a replica is not used any more"
                );
            }
            Some(Change::Returned) => {
                tracing::info!(
                    replica = place.name(),
                    address = place.database().address(),
                    projection,
                    "a replica is used"
                );
            }
            None => {}
        }
        let used = f64::from(u8::from(place.ejected_for().is_none()));
        for (gauge, value) in [
            (metrics::REPLICA_IN_USE, used),
            (metrics::REPLICA_LAG_SECONDS, lag.as_secs_f64()),
        ] {
            ::metrics::gauge!(gauge, "place" => place.name().to_owned(), "projection" => projection)
                .set(value);
        }
    }

    /// Stale rows are read on, and each answer says what they are. Reasons are public: they have no address.
    fn report(&self, primary: Seen, postgres: &Check, replicas: Option<&Check>) {
        ::metrics::gauge!(metrics::STALE, "projection" => self.0.projection)
            .set(f64::from(u8::from(primary.stale)));
        let ejected: Vec<(&Place, Fault)> = self
            .0
            .replicas
            .iter()
            .filter_map(|place| Some((place, place.ejected_for()?)))
            .collect();
        let out = f64::from(u32::try_from(ejected.len()).unwrap_or(u32::MAX));
        ::metrics::gauge!(metrics::REPLICAS_EJECTED, "projection" => self.0.projection).set(out);
        if !primary.answers && ejected.len() < self.0.replicas.len() {
            postgres.degraded("the primary does not answer: replicas are read, whose rows do not change");
        } else if !primary.answers {
            postgres.fail("the read database cannot be read");
        } else if primary.stale {
            postgres.degraded(
                "the rows are of another log than there is now: answers are marked as stale until they are built again",
            );
        } else {
            postgres.ok();
        }
        if let Some(replicas) = replicas {
            if ejected.is_empty() {
                replicas.ok();
            } else {
                let reasons = ejected
                    .iter()
                    .map(|(place, fault)| format!("{} {fault}", place.name()));
                let reasons: Vec<String> = reasons.collect();
                replicas.degraded(format!("not used: {}", reasons.join(", ")));
            }
        }
    }
}

impl Source<'_> {
    fn parts(
        &self,
        name: &str,
        url: &str,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<(Database, Lanes)> {
        let mut database = Database::parse(url)?;
        if let Some(path) = self.search_path {
            database = database.set(&[("search_path", path)]);
        }
        let named = database.clone().named(self.session);
        let pools = format!("{}-{name}", self.channel.projection);
        Ok((database, Lanes::new(&named, self.pools, &pools, shutdown)?))
    }

    fn place(
        &self,
        name: String,
        url: &str,
        (database, lanes): (Database, Lanes),
        schema: SchemaGate,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Place> {
        let session = format!("{} follow", self.session);
        let projection = Projection::follow(url, &session, self.channel, shutdown.clone())?;
        for reason in Fault::NAMES {
            if name != PRIMARY {
                ::metrics::counter!(metrics::EJECTIONS, "place" => name.clone(), "projection" => self.channel.projection, "reason" => reason)
                    .increment(0);
            }
        }
        for counter in [metrics::READS, metrics::REPEATED] {
            ::metrics::counter!(counter, "place" => name.clone()).increment(0);
        }
        Ok(Place::new(name, database, lanes, schema, projection))
    }
}
