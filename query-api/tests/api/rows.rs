//! Rows as the projector writes them. Each builder starts from a plain row; what matters to a test is set by name.

use anyhow::Result;
use read_model::reports::activity_id;
use read_model::{Term, searched};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// Inserts an order and returns its id.
pub(crate) async fn order(client: &Client, changes: Value) -> Result<Uuid> {
    let row = json!({
        "order_id": Uuid::now_v7(), "order_number": "BL-00000-00001", "customer_id": Uuid::nil(), "status": "fulfilled",
        "total_ore": 42_000, "currency": "NOK", "payment_provider": "vipps", "lines": [], "club_ids": [Uuid::nil()],
        "license_types": ["konkurranse-bilcross"], "activity_from": "2026-06-05", "activity_to": "2026-06-05",
        "activity_dates": ["2026-06-05"], "expires_at": null, "search": "",
        "captured_ore": 0, "refunded_ore": 0, "refunds": [], "written_off_ore": 0,
        "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z", "version": 1, "position": 1,
    });
    insert(client, "orders", "order_id", row, changes).await
}

/// Inserts a license and returns its id.
pub(crate) async fn license(client: &Client, changes: Value) -> Result<Uuid> {
    let row = json!({
        "license_id": Uuid::now_v7(), "order_id": Uuid::nil(), "order_number": "BL-00000-00001", "line": 1,
        "customer_id": Uuid::nil(), "status": "issued", "license_type": "konkurranse-bilcross",
        "category": "competition", "discipline": "bilcross", "role": "driver", "name_nb": "Bilcross",
        "name_en": "Bilcross", "club_id": Uuid::nil(), "club_name": "NMK Testby", "activity_date": "2026-06-05",
        "activity_days": 1, "holder_name": "Kari Nordmann", "holder_birth_date": "1990-05-17",
        "holder_phone": "22 22 22 22", "price_ore": 42_000, "search": "", "scan_count": 0, "issued_at": "2026-05-01T10:00:00Z",
        "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z", "version": 1, "position": 1,
    });
    insert(client, "licenses", "license_id", row, changes).await
}

/// Inserts a receipt and returns its id.
pub(crate) async fn receipt(client: &Client, changes: Value) -> Result<Uuid> {
    let example = include_str!("../../../schemas/openapi/examples/receipts.json");
    let mut row: Value = serde_json::from_str(example)?;
    row["receipt_id"] = json!(Uuid::new_v4());
    row["updated_at"] = row["created_at"].clone();
    row["version"] = json!(1);
    row["position"] = json!(1);
    insert(client, "receipts", "receipt_id", row, changes).await
}

/// Inserts a batch and returns its id.
pub(crate) async fn batch(client: &Client, changes: Value) -> Result<Uuid> {
    let example = include_str!("../../../schemas/openapi/examples/batches.json");
    let mut row: Value = serde_json::from_str(example)?;
    row["batch_id"] = json!(Uuid::now_v7());
    insert(client, "batches", "batch_id", row, changes).await
}

/// Inserts an item of a batch and returns the id of its row.
pub(crate) async fn batch_item(client: &Client, changes: Value) -> Result<Uuid> {
    let example = include_str!("../../../schemas/openapi/examples/batch_results.json");
    let mut row: Value = serde_json::from_str(example)?;
    row["item_id"] = json!(Uuid::new_v4());
    row["version"] = json!(2);
    row["position"] = json!(1);
    insert(client, "batch_items", "item_id", row, changes).await
}

/// Inserts a license type and returns its id.
pub(crate) async fn license_type(client: &Client, changes: Value) -> Result<Uuid> {
    let row = json!({
        "license_type_id": Uuid::now_v7(), "code": "konkurranse-bilcross", "category": "competition",
        "discipline": "bilcross", "role": "driver", "name_nb": "Bilcross", "name_en": "Bilcross", "max_days": 1,
        "prices": [{"price_ore": 42_000, "valid_from": "2020-01-01T00:00:00Z"}], "prices_ore": [42_000],
        "prices_valid_from": ["2020-01-01T00:00:00Z"], "tax_code": "exempt", "tax_rate_permille": 0, "status": "active",
        "search": "",
        "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z", "version": 1, "position": 1,
    });
    insert(client, "license_types", "license_type_id", row, changes).await
}

/// Inserts a club and returns its id.
pub(crate) async fn club(client: &Client, name: &str) -> Result<Uuid> {
    let row = json!({
        "club_id": Uuid::now_v7(), "name": name, "status": "active", "search": searched([Term::Words(name)]), "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:00:00Z", "version": 1, "position": 1,
    });
    insert(client, "clubs", "club_id", row, json!({})).await
}

/// Inserts a version of the terms and returns its id.
pub(crate) async fn terms(client: &Client, version: &str, valid_from: &str, sequence: u64) -> Result<Uuid> {
    let row = json!({
        "terms_id": Uuid::now_v7(), "terms_version": version, "valid_from": valid_from, "title_nb": "Vilkår",
        "title_en": "Terms", "text_nb": "Én person.\nÉn dag.", "text_en": "One person.\nOne day.",
        "declaration_nb": "Jeg er frisk.", "declaration_en": "I am well.", "created_at": "2026-05-01T10:00:00Z",
        "version": sequence, "position": sequence,
    });
    insert(client, "terms", "terms_id", row, json!({})).await
}

/// Inserts an activity that sold this number of licenses of one type, and returns its id.
pub(crate) async fn activity(client: &Client, club_id: Uuid, date: &str, sold: i64) -> Result<Uuid> {
    let id = activity_id(club_id, date.parse()?);
    let row = json!({
        "activity_id": id, "club_id": club_id, "activity_date": date, "license_type": "konkurranse-bilcross", "sold": sold,
        "complimentary": 0, "checked_in": 1, "revoked": 0, "version": sold, "position": sold,
    });
    insert(
        client,
        "reports.activities",
        "activity_id",
        row.clone(),
        json!({}),
    )
    .await?;
    insert(
        client,
        "reports.activity_license_types",
        "activity_id",
        row,
        json!({}),
    )
    .await
}

/// Inserts what was sold of one group on a day: one order, and a refund of a tenth.
pub(crate) async fn sales(
    client: &Client,
    dimension: &str,
    day: &str,
    value: &str,
    gross_ore: i64,
) -> Result<()> {
    let row = json!({
        "dimension": dimension, "day": day, "value": value, "orders": 1, "licenses": 2, "receipts": 1, "credit_notes": 1,
        "gross_ore": gross_ore, "refunded_ore": gross_ore / 10, "tax_ore": 100, "id": Uuid::nil(),
    });
    insert(client, "reports.sales", "id", row, json!({})).await?;
    Ok(())
}

async fn insert(client: &Client, table: &str, key: &str, mut row: Value, changes: Value) -> Result<Uuid> {
    if let (Value::Object(row), Value::Object(changes)) = (&mut row, changes) {
        row.extend(changes);
    }
    let sql = format!("insert into {table} select * from jsonb_populate_record(null::{table}, $1)");
    client.execute(&sql, &[&row]).await?;
    Ok(serde_json::from_value(row[key].clone())?)
}
