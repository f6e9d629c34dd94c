//! The projection `balances`: one row per account.

use std::collections::{BTreeMap, HashMap};

use connect::Migrations;
use deadpool_postgres::{GenericClient as _, Transaction};
use envelope::RecordedEvent;
use projection::{Commands, Inapplicable, Projection, ProjectionBatch};
use tokio_postgres::Error;
use uuid::Uuid;

use crate::events::{ACCOUNT, DEPOSITED, OPENED, decode};

mod embedded {
    refinery::embed_migrations!("tests/banking/balances/migrations");
}

static MIGRATIONS: Migrations = Migrations::new(
    "the database of balances",
    "bank migrate",
    1,
    embedded::migrations::runner,
);

/// Balances as one build makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balances {
    pub(crate) build: &'static str,
}

pub(crate) const BALANCES: Balances = Balances { build: "first" };

impl Projection for Balances {
    type Batch = BalancesBatch;

    fn name(&self) -> &'static str {
        "balances"
    }

    fn channel(&self) -> &'static str {
        "balances_projected"
    }

    fn build(&self) -> &str {
        self.build
    }

    fn commands(&self) -> Commands {
        Commands {
            program: "bank",
            new_epoch: "bank new-epoch",
        }
    }

    fn migrations(&self) -> &'static Migrations {
        &MIGRATIONS
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        aggregate_type == ACCOUNT
    }
}

#[derive(Clone, Copy)]
struct Balance {
    cents: i64,
    position: i64,
}

pub(crate) struct BalancesBatch {
    rows: HashMap<Uuid, Balance>,
    changed: BTreeMap<Uuid, Balance>,
}

impl ProjectionBatch for BalancesBatch {
    async fn load(transaction: &Transaction<'_>, events: &[RecordedEvent]) -> Result<Self, Error> {
        let accounts: Vec<Uuid> = events.iter().map(|event| event.aggregate_id).collect();
        let select = "select account_id, cents, position from balances where account_id = any($1)";
        let statement = transaction.prepare_cached(select).await?;
        let mut rows = HashMap::new();
        for row in transaction.query(&statement, &[&accounts]).await? {
            let (cents, position) = (row.try_get(1)?, row.try_get(2)?);
            rows.insert(row.try_get(0)?, Balance { cents, position });
        }
        Ok(Self {
            rows,
            changed: BTreeMap::new(),
        })
    }

    fn apply(&mut self, event: &RecordedEvent) -> Result<(), Inapplicable> {
        let amount = decode(event)?.cents;
        let position = event.position.to_sql();
        let cents = match (self.rows.get(&event.aggregate_id), event.event_type.as_str()) {
            (Some(row), _) if row.position >= position => return Ok(()),
            (None, OPENED) => amount,
            (Some(_), OPENED) => return Err(Inapplicable::new("the account is open")),
            (None, _) => return Err(Inapplicable::new("there is no account")),
            (Some(row), DEPOSITED) => row.cents + amount,
            (Some(row), _) => row.cents - amount,
        };
        let row = Balance { cents, position };
        self.rows.insert(event.aggregate_id, row);
        self.changed.insert(event.aggregate_id, row);
        Ok(())
    }

    fn changes(&self) -> Vec<&'static str> {
        if self.changed.is_empty() {
            return Vec::new();
        }
        vec!["balances"]
    }

    async fn store(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let accounts: Vec<Uuid> = self.changed.keys().copied().collect();
        let cents: Vec<i64> = self.changed.values().map(|row| row.cents).collect();
        let positions: Vec<i64> = self.changed.values().map(|row| row.position).collect();
        let upsert = "insert into balances (account_id, cents, position)
            select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
            on conflict (account_id) do update set cents = excluded.cents, position = excluded.position";
        let statement = transaction.prepare_cached(upsert).await?;
        transaction
            .execute(&statement, &[&accounts, &cents, &positions])
            .await
            .map(|_| ())
    }
}
