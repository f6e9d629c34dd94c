//! Bulkheads: requests of different kinds have connections of their own, so that a flood of one kind, or some slow
//! statements of it, take nothing from the others.

use connect::Database;
use deadpool_postgres::{ClientWrapper, Object, Pool};
use service::postgres::{self, PoolOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cancel::cancel;
use crate::error::{Error, Question};

/// Which connections a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Requests without a login: public resources, and what a link shows.
    Public,
    /// Requests of people who are logged in.
    People,
    /// Requests that may read many rows to answer with few: searches, counts, reports, the beginning of an export.
    Expensive,
}

impl Lane {
    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::People => "people",
            Self::Expensive => "expensive",
        }
    }
}

/// Something of each lane.
#[derive(Clone, Debug)]
pub struct PerLane<T> {
    /// Of [`Lane::Public`].
    pub public: T,
    /// Of [`Lane::People`].
    pub people: T,
    /// Of [`Lane::Expensive`].
    pub expensive: T,
}

impl<T> PerLane<T> {
    /// That of one lane.
    pub const fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::Public => &self.public,
            Lane::People => &self.people,
            Lane::Expensive => &self.expensive,
        }
    }

    /// Something else of each lane, that follows from this.
    pub fn map<U>(&self, mut of: impl FnMut(Lane, &T) -> U) -> PerLane<U> {
        PerLane {
            public: of(Lane::Public, &self.public),
            people: of(Lane::People, &self.people),
            expensive: of(Lane::Expensive, &self.expensive),
        }
    }
}

/// Who asks, and by which lane.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub(crate) lane: Lane,
    pub(crate) reader: Option<Uuid>,
}

impl Asker {
    /// A request without a login.
    pub const PUBLIC: Self = Self {
        lane: Lane::Public,
        reader: None,
    };

    /// A person, who asks for some rows.
    pub const fn person(reader: Uuid) -> Self {
        Self {
            lane: Lane::People,
            reader: Some(reader),
        }
    }

    /// The same person, who asks for something expensive.
    #[must_use]
    pub const fn expensively(self) -> Self {
        Self {
            lane: Lane::Expensive,
            ..self
        }
    }
}

/// The connections of the lanes to one database.
#[derive(Debug)]
pub(crate) struct Lanes {
    pools: PerLane<Pool>,
    database: Database,
}

impl Lanes {
    /// Pools that connect when first used. `session` names the connections in Postgres, `name` the pools in metrics.
    pub(crate) fn new(
        database: &Database,
        options: &PerLane<PoolOptions>,
        name: &str,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let pool = |lane: Lane| {
            let options = options.of(lane);
            let pool = postgres::built(&postgres::limited(database.clone(), options), options)?;
            postgres::observe_pool(&pool, &format!("{name}-{}", lane.name()), shutdown.clone());
            anyhow::Ok(pool)
        };
        Ok(Self {
            pools: PerLane {
                public: pool(Lane::Public)?,
                people: pool(Lane::People)?,
                expensive: pool(Lane::Expensive)?,
            },
            database: database.clone(),
        })
    }

    pub(crate) fn pool(&self, lane: Lane) -> &Pool {
        self.pools.of(lane)
    }

    /// How many requests use the lane or wait for it.
    pub(crate) fn load(&self, lane: Lane) -> usize {
        let status = self.pool(lane).status();
        status.size.saturating_sub(status.available) + status.waiting
    }

    /// Asks by a connection of the lane.
    pub(crate) async fn ask<T>(
        &self,
        lane: Lane,
        question: impl FnOnce(&ClientWrapper) -> Question<'_, T>,
    ) -> Result<T, Error> {
        let object = self.pool(lane).get().await?;
        let mut at_work = AtWork {
            connection: None,
            database: &self.database,
        };
        let connection = &*at_work.connection.insert(object);
        let answer = question(connection).await;
        // Back to the pool.
        at_work.connection = None;
        answer
    }
}

/// A connection whose answer is waited for. Dropped before that, it is closed and its statement cancelled: the next request
/// would wait behind that statement, and the bound of the lane would not count it.
struct AtWork<'a> {
    connection: Option<Object>,
    database: &'a Database,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let token = connection.cancel_token();
            drop(Object::take(connection));
            cancel(token, self.database.protection());
        }
    }
}
