//! The rows as they are written: one field a column, under the column's name.

use std::fmt;
use std::pin::pin;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::GenericClient;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Error, Transaction};
use uuid::Uuid;

/// A row of a projected table.
pub trait Row: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// The statement of [`load`].
    const LOAD: &'static str;
    /// The statement of [`upsert`].
    const UPSERT: &'static str;
    /// The statement of [`copy`].
    const COPY: &'static str;
    /// The columns' types, in the order of [`Row::COPY`].
    const TYPES: &'static [Type];

    /// The aggregate.
    fn id(&self) -> Uuid;

    /// Log position of the last event that changed the row.
    fn position(&self) -> i64;

    /// The row is as of this event of its aggregate.
    fn stamp(&mut self, version: i64, position: i64);

    /// The columns' values, in the order of [`Row::COPY`].
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
}

/// The rows of these aggregates, as far as they exist, in any order.
pub async fn load<R: Row>(client: &impl GenericClient, ids: &[Uuid]) -> Result<Vec<R>, Error> {
    let statement = client.prepare_cached(R::LOAD).await?;
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter()
        .map(|row| row.try_get::<_, Json<Loaded<R>>>(0).map(|row| row.0.0))
        .collect()
}

/// Writes rows, new or newer than what is there. A row that the table has already in this state, or a later one, stays.
pub async fn upsert<R: Row>(client: &impl GenericClient, rows: &[R]) -> Result<(), Error> {
    let statement = client.prepare_cached(R::UPSERT).await?;
    client
        .execute(&statement, &[&Json(Batch(rows))])
        .await
        .map(|_| ())
}

/// Writes rows that the table does not have yet, much faster than [`upsert`]; an error if it has one of them.
pub async fn copy<R: Row>(transaction: &Transaction<'_>, rows: &[R]) -> Result<(), Error> {
    let sink = transaction.copy_in(R::COPY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, R::TYPES));
    for row in rows {
        writer.as_mut().write(&row.values()).await?;
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

macro_rules! row {
    ($row:ident, $id:ident, $load:literal, $upsert:literal, $copy:literal, { $($column:ident: $type:ident,)+ }) => {
        impl Row for $row {
            const LOAD: &'static str = include_str!(concat!("../sql/write/", $load));
            const UPSERT: &'static str = include_str!(concat!("../sql/write/", $upsert));
            const COPY: &'static str = include_str!(concat!("../sql/write/", $copy));
            const TYPES: &'static [Type] = &[$(Type::$type),+];

            fn id(&self) -> Uuid {
                self.$id
            }

            fn position(&self) -> i64 {
                self.position
            }

            fn stamp(&mut self, version: i64, position: i64) {
                (self.version, self.position) = (version, position);
            }

            fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
                vec![$(&self.$column),+]
            }
        }
    };
}

row!(OrderRow, order_id, "load_orders.sql", "upsert_orders.sql", "copy_orders.sql", {
    order_id: UUID,
    order_number: TEXT,
    customer_id: UUID,
    status: TEXT,
    total_ore: INT8,
    currency: TEXT,
    payment_provider: TEXT,
    payment_reference: TEXT,
    redirect_url: TEXT,
    lines: JSONB,
    club_ids: UUID_ARRAY,
    license_types: TEXT_ARRAY,
    activity_from: DATE,
    activity_to: DATE,
    activity_dates: DATE_ARRAY,
    search: TEXT,
    captured_ore: INT8,
    refunded_ore: INT8,
    written_off_ore: INT8,
    capture_failure: TEXT,
    paid_at: TIMESTAMPTZ,
    fulfilled_at: TIMESTAMPTZ,
    expires_at: TIMESTAMPTZ,
    created_at: TIMESTAMPTZ,
    updated_at: TIMESTAMPTZ,
    version: INT8,
    position: INT8,
});

row!(LicenseRow, license_id, "load_licenses.sql", "upsert_licenses.sql", "copy_licenses.sql", {
    license_id: UUID,
    order_id: UUID,
    order_number: TEXT,
    line: INT4,
    customer_id: UUID,
    status: TEXT,
    license_type: TEXT,
    category: TEXT,
    discipline: TEXT,
    role: TEXT,
    name_nb: TEXT,
    name_en: TEXT,
    club_id: UUID,
    club_name: TEXT,
    activity_date: DATE,
    activity_days: INT4,
    holder_name: TEXT,
    holder_birth_date: DATE,
    holder_phone: TEXT,
    holder_email: TEXT,
    guardian: JSONB,
    vehicle: JSONB,
    price_ore: INT8,
    search: TEXT,
    issued_at: TIMESTAMPTZ,
    created_at: TIMESTAMPTZ,
    updated_at: TIMESTAMPTZ,
    version: INT8,
    position: INT8,
});

row!(LicenseTypeRow, license_type_id, "load_license_types.sql", "upsert_license_types.sql", "copy_license_types.sql", {
    license_type_id: UUID,
    code: TEXT,
    category: TEXT,
    discipline: TEXT,
    role: TEXT,
    name_nb: TEXT,
    name_en: TEXT,
    prices: JSONB,
    prices_ore: INT8_ARRAY,
    prices_valid_from: TIMESTAMPTZ_ARRAY,
    min_age: INT4,
    max_age: INT4,
    max_days: INT4,
    status: TEXT,
    search: TEXT,
    created_at: TIMESTAMPTZ,
    updated_at: TIMESTAMPTZ,
    version: INT8,
    position: INT8,
});

row!(ClubRow, club_id, "load_clubs.sql", "upsert_clubs.sql", "copy_clubs.sql", {
    club_id: UUID,
    name: TEXT,
    search: TEXT,
    created_at: TIMESTAMPTZ,
    updated_at: TIMESTAMPTZ,
    version: INT8,
    position: INT8,
});

/// A row of `orders`. What the columns mean stands in the migration.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the migration comments every column")]
pub struct OrderRow {
    pub order_id: Uuid,
    pub order_number: String,
    pub customer_id: Uuid,
    pub status: String,
    pub total_ore: i64,
    pub currency: String,
    pub payment_provider: String,
    pub payment_reference: Option<String>,
    pub redirect_url: Option<String>,
    pub lines: Json<Box<RawValue>>,
    pub club_ids: Vec<Uuid>,
    pub license_types: Vec<String>,
    pub activity_from: NaiveDate,
    pub activity_to: NaiveDate,
    pub activity_dates: Vec<NaiveDate>,
    pub search: String,
    pub captured_ore: i64,
    pub refunded_ore: i64,
    pub written_off_ore: i64,
    pub capture_failure: Option<String>,
    pub paid_at: Option<DateTime<Utc>>,
    pub fulfilled_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}

/// A row of `licenses`. What the columns mean stands in the migration.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the migration comments every column")]
pub struct LicenseRow {
    pub license_id: Uuid,
    pub order_id: Uuid,
    pub order_number: Option<String>,
    pub line: i32,
    pub customer_id: Uuid,
    pub status: String,
    pub license_type: String,
    pub category: String,
    pub discipline: String,
    pub role: String,
    pub name_nb: String,
    pub name_en: String,
    pub club_id: Uuid,
    pub club_name: String,
    pub activity_date: NaiveDate,
    pub activity_days: i32,
    pub holder_name: String,
    pub holder_birth_date: NaiveDate,
    pub holder_phone: Option<String>,
    pub holder_email: Option<String>,
    pub guardian: Option<Json<Box<RawValue>>>,
    pub vehicle: Option<Json<Box<RawValue>>>,
    pub price_ore: i64,
    pub search: String,
    pub issued_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}

/// A row of `license_types`. What the columns mean stands in the migration.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the migration comments every column")]
pub struct LicenseTypeRow {
    pub license_type_id: Uuid,
    pub code: String,
    pub category: String,
    pub discipline: String,
    pub role: String,
    pub name_nb: String,
    pub name_en: String,
    pub prices: Json<Vec<Price>>,
    pub prices_ore: Vec<i64>,
    pub prices_valid_from: Vec<DateTime<Utc>>,
    pub min_age: Option<i32>,
    pub max_age: Option<i32>,
    pub max_days: i32,
    pub status: String,
    pub search: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}

/// A price as `license_types` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// In øre.
    pub price_ore: i64,
    /// From when on.
    pub valid_from: DateTime<Utc>,
}

/// A row of `clubs`. What the columns mean stands in the migration.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the migration comments every column")]
pub struct ClubRow {
    pub club_id: Uuid,
    pub name: String,
    pub search: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}
