//! The table behind a resource: whole rows, many at once, with statements made from the declaration.
//!
//! Rows travel as one JSON array, so that a batch costs one round trip a table whatever its size. The statements are
//! made once, from constants of the declaration only: text from outside never becomes SQL.

use std::fmt;
use std::pin::pin;

use deadpool_postgres::GenericClient;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Error, Transaction};
use uuid::Uuid;

use crate::column::{Bound, Column};
use crate::resource::Resource;

/// A row of a projected table, as [`resource!`](crate::resource!) declares it.
pub trait Row: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// The table's statements.
    fn table() -> &'static Table;

    /// The aggregate.
    fn id(&self) -> Uuid;

    /// Log position of the last event that changed the row.
    fn position(&self) -> i64;

    /// The row is as of this event of its aggregate.
    fn stamp(&mut self, version: i64, position: i64);

    /// The columns' values, in the order of the declaration.
    fn values(&self) -> Vec<Bound<'_>>;
}

/// The statements of a table, and its columns' types.
#[derive(Debug)]
pub struct Table {
    /// The rows of these aggregates, as JSON. Binds: $1 ids uuid[].
    pub load: String,
    /// Whole rows, new or newer than what is there. Binds: $1 rows json, an array of objects.
    pub upsert: String,
    /// Whole rows, none of which is there. No binds; the columns in the order of the declaration.
    pub copy: String,
    types: Vec<Type>,
}

impl Table {
    /// The statements for the table of a resource.
    pub fn of(resource: &Resource) -> Self {
        let Resource { table, key, .. } = resource;
        let stored = || {
            resource
                .columns
                .iter()
                .filter_map(|column| column.stored.map(|stored| (column, stored)))
        };
        let list = |each: &dyn Fn(&Column) -> String| {
            let columns: Vec<String> = stored().map(|(column, _)| each(column)).collect();
            columns.join(", ")
        };
        let names = list(&|column| column.name.to_owned());
        let typed: Vec<String> = stored()
            .map(|(column, stored)| format!("{} {}", column.name, stored.name()))
            .collect();
        let changed: Vec<String> = stored()
            .filter(|(column, _)| column.name != *key)
            .map(|(column, _)| format!("{0} = excluded.{0}", column.name))
            .collect();
        Self {
            load: format!("select row_to_json(t) from {table} t where {key} = any($1)"),
            upsert: format!(
                "insert into {table} as t ({names}) select {names} from json_to_recordset($1) as r ({}) \
                 on conflict ({key}) do update set {} where t.position < excluded.position",
                typed.join(", "),
                changed.join(", "),
            ),
            copy: format!("copy {table} ({names}) from stdin (format binary)"),
            types: stored().map(|(_, stored)| stored.driver()).collect(),
        }
    }
}

/// The rows of these aggregates, as far as they exist, in any order.
pub async fn load<R: Row>(client: &impl GenericClient, ids: &[Uuid]) -> Result<Vec<R>, Error> {
    let statement = client.prepare_cached(&R::table().load).await?;
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter()
        .map(|row| row.try_get::<_, Json<Loaded<R>>>(0).map(|row| row.0.0))
        .collect()
}

/// Writes rows, new or newer than what is there. A row that the table has already in this state, or a later one, stays.
pub async fn upsert<R: Row>(client: &impl GenericClient, rows: &[R]) -> Result<(), Error> {
    let statement = client.prepare_cached(&R::table().upsert).await?;
    client
        .execute(&statement, &[&Json(Batch(rows))])
        .await
        .map(|_| ())
}

/// Writes rows that the table does not have yet, much faster than [`upsert`]; an error if it has one of them.
pub async fn copy<R: Row>(transaction: &Transaction<'_>, rows: &[R]) -> Result<(), Error> {
    let table = R::table();
    let sink = transaction.copy_in(&table.copy).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &table.types));
    for row in rows {
        writer.as_mut().write_raw(row.values()).await?;
    }
    writer.finish().await.map(|_| ())
}

/// Rows on their way in. `Debug`, which the driver asks for, shows none of them: they hold personal data.
#[derive(Serialize)]
#[serde(transparent)]
struct Batch<'a, R>(&'a [R]);

impl<R> fmt::Debug for Batch<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.0.len())
    }
}

/// A row on its way out, as silent as [`Batch`].
#[derive(Deserialize)]
#[serde(transparent)]
struct Loaded<R>(R);

impl<R> fmt::Debug for Loaded<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }
}
