//! What is sealed together, and in which JSON.

use event_store::{Append, EventData};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NAME, Sealed, signed_up};
use crate::support::key;

#[tokio::test]
async fn every_event_and_person_has_a_key_of_its_own() {
    let sealed = Sealed::new().await;
    let (id, kari, ola) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let first = json!({
        "signed": {"name": {"$clear": NAME, "$person": kari}, "phone": {"$clear": 90_000_000, "$person": kari}},
        "parent": {"$clear": ["Ola", null, {"$clear": "deep"}], "$person": ola},
        "note": {"$clear": "called"},
        "email": {"$clear": "k@example.test", "$person": kari},
        "text": "{\"$clear\":1}",
    });
    let second = json!({"signed": {"$clear": NAME, "$person": kari}});
    let events =
        [&first, &json!({"count": 1}), &second].map(|facts| EventData::json("SignedUp", facts).unwrap());
    let append = Append::new(key("a")).events("member", id, 0, events);
    sealed.appender.append(append).await.unwrap();
    assert_eq!(
        sealed.keys().await,
        4,
        "three people in one event, and one in another"
    );
    assert_eq!(sealed.opened().await, [first, json!({"count": 1}), second]);
    let client = sealed.test.client().await;
    let different = "select count(distinct w) from data_keys, unnest(wrapped) w";
    assert_eq!(
        client.query_one(different, &[]).await.unwrap().get::<_, i64>(0),
        4
    );
}

#[tokio::test]
async fn marks_are_sealed_however_their_json_is_written() {
    let sealed = Sealed::new().await;
    let person = Uuid::now_v7();
    let payload = format!(
        r#"{{ "a": {{ "$clear" : "{NAME}" }}, "b": {{"$person":"{person}", "$clear":{{"c":"{NAME}"}}}}, "d": "$clear" }}"#
    );
    let facts: Value = serde_json::from_str(&payload).unwrap();
    let data = EventData {
        payload: RawValue::from_string(payload).unwrap(),
        ..EventData::json("SignedUp", &()).unwrap()
    };
    let append = Append::new(key("a")).events("member", Uuid::now_v7(), 0, [data]);
    sealed.appender.append(append).await.unwrap();
    let stored = sealed.payloads().await.join("");
    assert!(
        !stored.contains("Kari") && !stored.contains(&person.to_string()),
        "{stored}"
    );
    assert_eq!(sealed.opened().await, [facts]);
    let wrong = json!({"name": {"$clear": NAME, "$person": 7}});
    let refused = signed_up(key("b"), Uuid::now_v7(), 1, &wrong);
    assert!(
        sealed.appender.append(refused).await.is_err(),
        "never recorded in clear"
    );
}
