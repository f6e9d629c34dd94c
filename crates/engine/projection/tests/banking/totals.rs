//! The projection `totals`: rows that the events of all accounts change, in the same database as `balances`.

use std::collections::BTreeMap;

use connect::Migrations;
use deadpool_postgres::Transaction;
use envelope::RecordedEvent;
use projection::{Commands, Inapplicable, Projection, ProjectionBatch};
use tokio_postgres::Error;

use crate::events::{ACCOUNT, decode};

mod embedded {
    refinery::embed_migrations!("tests/banking/totals/migrations");
}

static MIGRATIONS: Migrations = Migrations::new(
    "the database of totals",
    "bank migrate",
    2,
    embedded::migrations::runner,
);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals;

impl Projection for Totals {
    type Batch = TotalsBatch;

    fn name(&self) -> &'static str {
        "totals"
    }

    fn channel(&self) -> &'static str {
        "totals_projected"
    }

    fn build(&self) -> &'static str {
        "first"
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

    fn rows_span_aggregates(&self) -> bool {
        true
    }
}

/// What a run of events adds, by kind: events and cents.
#[derive(Default)]
pub(crate) struct TotalsBatch(BTreeMap<String, (i64, i64)>);

impl ProjectionBatch for TotalsBatch {
    async fn load(_: &Transaction<'_>, _: &[RecordedEvent]) -> Result<Self, Error> {
        Ok(Self::default())
    }

    fn apply(&mut self, event: &RecordedEvent) -> Result<(), Inapplicable> {
        let amount = decode(event)?.cents;
        let (events, cents) = self.0.entry(event.event_type.clone()).or_default();
        (*events, *cents) = (*events + 1, *cents + amount);
        Ok(())
    }

    async fn store(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        for (kind, (events, cents)) in self.0 {
            let upsert = "insert into totals as t (kind, events, cents) values ($1, $2, $3)
                on conflict (kind) do update set events = t.events + $2, cents = t.cents + $3";
            transaction.execute(upsert, &[&kind, &events, &cents]).await?;
        }
        Ok(())
    }
}
