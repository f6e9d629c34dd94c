//! What happened to an order: one row for each event of the order, of its licenses and of its letters.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use query::{Filter, Sort, index};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::checkpoint::PROJECTION;

/// What the event says, without personal data.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineFacts {
    #[serde(flatten)]
    facts: HashMap<String, serde_json::Value>,
}

query::shapes!(TimelineFacts);

query::resource! {
    /// A row of `order_timeline`.
    row TimelineRow;

    /// What happened to an order, its licenses and its letters, for staff.
    resource TIMELINE = "timeline" {
        schema: "TimelineEntry",
        projection: PROJECTION,
        table: "order_timeline",
        key: entry_id,
        audience: Personal,
        default: Ascending,
        example: include_str!("../../../../schemas/openapi/examples/timeline.json"),
    }

    columns {
        entry_id: Uuid, Shown, "Id of the entry.";
        order_id: Uuid, Shown, "The order.";
        license_id: Option<Uuid>, Shown, "The license that it happened to; null if it happened to the order.";
        event_type: String, Shown, "What happened, for example OrderPaid.";
        actor: Option<String>, Shown, "Id of the user who did it, or the process.";
        actor_role: Option<String>, Shown, "The role in which the user did it.";
        request_id: Option<String>, Shown, "The request that led to it, as in the log lines of all programs.";
        facts: Json<Box<RawValue>> as TimelineFacts, Shown, "What the event says, without personal data.";
        at: DateTime<Utc>, Shown, "When the log recorded it.";
        version: i64, Shown, "Number of the event in the history of the order or license.";
        position: i64, Shown, "Position of the event in the log.";
    }

    computed {}

    sorts {
        Sort::number("position", "position", index("order_timeline_by_order"));
    }

    filters {
        Filter::uuid("order_id", "order_id = ?", index("order_timeline_by_order"), "Id of the order.");
    }
}

impl TimelineRow {
    /// The id of the entry of the event at this position.
    pub fn id_at(position: i64) -> Uuid {
        Uuid::from_u128(u128::from(position.unsigned_abs()))
    }
}
