//! `order_timeline`: what an event says, without personal data.

use envelope::RecordedEvent;
use read_model::write::TimelineRow;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::facts;
use super::slot::stamp;
use crate::bounds;
use crate::misfit::Misfit;

/// The longest text that is shown: ids, words and moments are shorter, and what people write is often longer.
const MAX_TEXT: usize = 64;
/// The most elements of a list that are shown.
const MAX_ELEMENTS: usize = 50;
/// Not shown, whatever it is: an address to pay at is for the customer alone.
const HIDDEN: [&str; 1] = ["redirect_url"];

/// The entry of an event of an order, or of one of its licenses.
pub(super) fn entry(
    recorded: &RecordedEvent,
    order_id: Uuid,
    license_id: Option<Uuid>,
) -> Result<TimelineRow, Misfit> {
    bounds::indexed(&recorded.event_type, "event_type")?;
    let (version, position) = stamp(recorded);
    let metadata = &recorded.metadata;
    Ok(TimelineRow {
        entry_id: TimelineRow::id_at(position),
        order_id,
        license_id,
        event_type: recorded.event_type.clone(),
        actor: metadata.actor.clone(),
        actor_role: metadata.actor_role.clone(),
        request_id: metadata.request_id.clone(),
        facts: facts::column(&said(recorded.payload.get())),
        at: recorded.recorded_at,
        version,
        position,
    })
}

/// The members that are numbers, words, ids and moments, and lists of those. What is marked as personal is an object, so
/// it stays out with all objects, sealed or not.
fn said(payload: &str) -> Map<String, Value> {
    let Ok(Value::Object(members)) = serde_json::from_str(payload) else {
        return Map::new();
    };
    let shown = |(name, value): &(String, Value)| !HIDDEN.contains(&name.as_str()) && is_shown(value);
    members.into_iter().filter(shown).collect()
}

fn is_shown(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.len() <= MAX_ELEMENTS && elements.iter().all(is_plain),
        other => is_plain(other),
    }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= MAX_TEXT && text.bytes().all(|byte| byte.is_ascii_graphic()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::said;

    #[expect(clippy::needless_pass_by_value, reason = "a literal of a test")]
    fn of(payload: Value) -> Value {
        Value::Object(said(&payload.to_string()))
    }

    #[test]
    fn what_is_personal_stays_out() {
        let payload = json!({
            "reason": {"$clear": "Kari was expelled"},
            "name": {"$sealed": "AAAA", "$key": "k"},
            "holder": {"name": {"$clear": "Kari"}},
            "lines": [{"holder": {"name": {"$clear": "Kari"}}}],
            "redirect_url": "https://pay.test/secret",
            "club_name": "NMK Testby",
            "amount_ore": 100,
            "action": "write_off",
            "license_ids": ["0198c5a2-7d1e-7000-8000-000000000001"],
        });
        let shown = json!({
            "amount_ore": 100,
            "action": "write_off",
            "license_ids": ["0198c5a2-7d1e-7000-8000-000000000001"],
        });
        assert_eq!(of(payload), shown);
    }

    #[test]
    fn what_is_shown_has_a_bound() {
        let payload = json!({"a": "x".repeat(65), "b": vec![1; 51], "c": vec![1; 50]});
        assert_eq!(of(payload), json!({"c": vec![1; 50]}));
    }
}
