//! Personal data in events: sealed with keys in the log, opened again, gone with its keys.

use std::path::PathBuf;
use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use envelope::{Personal, Position, RecordedEvent};
use event_store::vault::{Held, HeldKeys, Vault, VaultError, with_new_master_key};
use event_store::{
    Append, Appender, AppenderOptions, Claim, Claims, CommandHandler, CommandRequest, Error, EventData,
    IdempotencyKey, LoaderOptions, Log, SnapshotOptions, Staging,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Count, Counter, TestLog, eventually, in_one_batch_of, key, pool};

mod format;

const NAME: &str = "Kari Nordmann";

/// A key file that goes with its test.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("master-{}", Uuid::now_v7()));
        let file = Self(path);
        file.write(&with_new_master_key("first", "").unwrap());
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    fn vault(&self) -> Arc<Vault> {
        Arc::new(Vault::new(&self.0).unwrap())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A log with a vault.
pub(crate) struct Sealed {
    pub(crate) test: TestLog,
    file: KeyFile,
    pub(crate) vault: Arc<Vault>,
    appender: Appender,
    log: Log,
}

impl Sealed {
    pub(crate) async fn new() -> Self {
        let (test, file) = (TestLog::new().await, KeyFile::new());
        let vault = file.vault();
        vault.begin(&pool(&test.url)).await.unwrap();
        Self {
            appender: test
                .appender(AppenderOptions::default())
                .with_vault(Arc::clone(&vault)),
            log: test.log.clone().with_vault(Arc::clone(&vault)),
            test,
            file,
            vault,
        }
    }

    pub(crate) fn staging(&self) -> Staging {
        Staging::new(pool(&self.test.url), Arc::clone(&self.vault))
    }

    async fn payloads(&self) -> Vec<String> {
        let client = self.test.client().await;
        let rows = client
            .query("select payload from events order by position", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn keys(&self) -> i64 {
        let client = self.test.client().await;
        let keys = "select coalesce(sum(cardinality(array_remove(wrapped, ''))), 0) from data_keys";
        let count = client.query_one(keys, &[]).await;
        count.unwrap().get(0)
    }

    async fn opened(&self) -> Vec<Value> {
        let events = self.log.read_after(Position::START, 100).await.unwrap();
        let opened = self.log.open(events).await.unwrap();
        opened.events().iter().map(payload).collect()
    }
}

fn payload(event: &RecordedEvent) -> Value {
    serde_json::from_str(event.payload.get()).unwrap()
}

fn named(person: Uuid, name: &str) -> Value {
    json!({"who": [{"name": {"$clear": name, "$person": person}}], "count": 1})
}

fn signed_up(key: IdempotencyKey, id: Uuid, sequence: u64, payload: &Value) -> Append {
    Append::new(key).events(
        "member",
        id,
        sequence - 1,
        [EventData::json("SignedUp", payload).unwrap()],
    )
}

#[tokio::test]
async fn the_log_holds_ciphertext_and_a_reader_with_the_keys_the_data() {
    let sealed = Sealed::new().await;
    let (id, person) = (Uuid::now_v7(), Uuid::now_v7());
    let facts = named(person, NAME);
    let first = signed_up(key("a"), id, 1, &facts);
    sealed.appender.append(first.clone()).await.unwrap();
    let second = json!({"note": {"$clear": {"text": NAME}}, "none": null});
    sealed
        .appender
        .append(signed_up(key("b"), id, 2, &second))
        .await
        .unwrap();
    // A repeat writes nothing, and no key.
    assert!(sealed.appender.append(first).await.unwrap().replayed);
    for stored in sealed.payloads().await {
        assert!(!stored.contains("Kari") && stored.contains("$sealed"), "{stored}");
        assert!(!stored.contains(&person.to_string()), "nor whose it is: {stored}");
    }
    assert_eq!(sealed.keys().await, 2);
    assert_eq!(sealed.opened().await, [facts, second]);
    let without = sealed.test.log.clone();
    let events = without.read_after(Position::START, 9).await.unwrap();
    let refused = without.open(events).await.unwrap_err();
    assert!(
        matches!(refused, Error::Vault(VaultError::NoMasterKeys)),
        "{refused}"
    );
}

#[tokio::test]
async fn a_batch_keeps_the_keys_of_its_accepted_commands_alone() {
    let sealed = Sealed::new().await;
    let id = || Uuid::now_v7();
    let facts = named(id(), NAME);
    let seat = |owner| Claims {
        take: vec![Claim::unique("seat", "1A", owner)],
        ..Claims::default()
    };
    let (sits, stands) = (id(), id());
    let mut taking = signed_up(key("sits"), sits, 1, &facts);
    taking.claims = seat(sits);
    sealed.appender.append(taking.clone()).await.unwrap();
    let mut refused = signed_up(key("stands"), stands, 1, &facts);
    refused.claims = seat(stands);
    let outcomes = in_one_batch_of(
        &sealed.test,
        &sealed.appender,
        vec![
            refused.clone(),
            taking,
            signed_up(key("plain"), id(), 1, &json!({"count": 2})),
            signed_up(key("new"), id(), 1, &facts),
        ],
    )
    .await;
    let accepted: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [false, true, true, true]);
    assert_eq!(sealed.keys().await, 2, "of `sits` and `new`");
    // The careful way, because of a version that is not there.
    let outcomes = in_one_batch_of(
        &sealed.test,
        &sealed.appender,
        vec![
            signed_up(key("gap"), id(), 7, &facts),
            signed_up(key("next"), sits, 2, &facts),
            refused,
        ],
    )
    .await;
    let accepted: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [false, true, false]);
    assert_eq!(sealed.keys().await, 3);
    let opened = sealed.opened().await;
    let open = opened.iter().filter(|event| **event == facts).count();
    assert_eq!(open, 3, "every key is where its event is");
}

#[tokio::test]
async fn with_its_keys_the_data_is_gone_and_nothing_else() {
    let sealed = Sealed::new().await;
    let (id, other, forgotten, stays) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let both = json!({
        "gone": {"$clear": NAME, "$person": forgotten},
        "note": {"$clear": "Kari called"},
        "here": {"$clear": "Ola", "$person": stays},
    });
    let at = sealed
        .appender
        .append(signed_up(key("a"), id, 1, &both))
        .await
        .unwrap();
    sealed
        .appender
        .append(signed_up(key("later"), id, 2, &named(forgotten, "Kari again")))
        .await
        .unwrap();
    sealed
        .appender
        .append(signed_up(key("elsewhere"), other, 1, &named(forgotten, NAME)))
        .await
        .unwrap();
    let held = sealed.log.held_of(forgotten, 10).await.unwrap();
    let of = |aggregate_id| Held {
        aggregate_type: "member".into(),
        aggregate_id,
    };
    assert_eq!(held, [of(id), of(other)]);
    let keys = HeldKeys {
        person: forgotten,
        aggregates: vec![id],
        through: at.position,
    };
    assert_eq!(sealed.log.destroy_keys(&keys).await.unwrap(), 2);
    assert_eq!(sealed.log.destroy_keys(&keys).await.unwrap(), 0, "once");
    let opened = sealed.opened().await;
    assert_eq!(
        opened[0],
        json!({
            "gone": {"$erased": true},
            "note": {"$erased": true},
            "here": {"$clear": "Ola", "$person": stays},
        })
    );
    assert_eq!(opened[1], named(forgotten, "Kari again"), "it came later");
    assert_eq!(opened[2], named(forgotten, NAME), "another aggregate");
}

#[tokio::test]
async fn a_value_opens_only_where_it_was_sealed() {
    let sealed = Sealed::new().await;
    let (id, person) = (Uuid::now_v7(), Uuid::now_v7());
    for sequence in 1..=2 {
        let facts = named(person, &format!("{NAME} {sequence}"));
        let append = signed_up(key(sequence.to_string()), id, sequence, &facts);
        sealed.appender.append(append).await.unwrap();
    }
    let events = sealed.log.read_after(Position::START, 9).await.unwrap();
    let mut moved = events.clone();
    moved[1].payload = events[0].payload.clone();
    let opened = sealed.log.open(moved.clone()).await.unwrap();
    assert!(opened.failure(0).is_none());
    assert!(matches!(
        opened.failure(1),
        Some(VaultError::NotOpened { sequence: 2, .. })
    ));
    assert_eq!(opened.recorded(1).unwrap(), moved[1], "as the log has it");
    assert_eq!(opened.recorded(0).unwrap(), events[0]);
    // Nothing else in its payload can be changed, nor whose it is.
    let mut changed = events.clone();
    let payload = changed[0].payload.get().replace("\"count\":1", "\"count\":2");
    assert_ne!(payload, events[0].payload.get());
    changed[0].payload = RawValue::from_string(payload).unwrap();
    assert!(sealed.log.open(changed).await.unwrap().failure(0).is_some());
    let client = sealed.test.client().await;
    let other = "update data_keys set person_ids[1] = gen_random_uuid() where after = 1";
    client.execute(other, &[]).await.unwrap();
    let refused = sealed.log.open(events).await.unwrap_err();
    assert!(
        matches!(refused, Error::Vault(VaultError::NotUnwrapped(_))),
        "{refused}"
    );
}

#[tokio::test]
async fn a_member_is_loaded_with_the_keys_of_a_mixed_batch() {
    let sealed = Sealed::new().await;
    let members: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let name = |member: usize, number: u64| format!("{NAME} {member}.{number}");
    let append = |member: usize, expected: u64| {
        let named = [1, 2].map(|number| {
            let name = Named(Personal::new(name(member, expected + number)));
            EventData::json("Named", &name).unwrap()
        });
        Append::new(key(format!("{member} {expected}"))).events("member", members[member], expected, named)
    };
    sealed.appender.append(append(3, 0)).await.unwrap();
    // The repeat is dropped, and the places of what follows move.
    let mut batch: Vec<Append> = (0..4).map(|member| append(member, 0)).collect();
    batch.swap(0, 3);
    batch.push(append(3, 2));
    let without = sealed.test.appender(AppenderOptions {
        recent_outcomes: 0,
        ..AppenderOptions::default()
    });
    let without = without.with_vault(Arc::clone(&sealed.vault));
    let outcomes = in_one_batch_of(&sealed.test, &without, batch).await;
    assert!(outcomes[0].as_ref().unwrap().replayed);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let handler = CommandHandler::new(
        sealed.log.clone(),
        sealed.test.loader(LoaderOptions {
            max_events: 1,
            ..LoaderOptions::default()
        }),
        sealed.appender.clone(),
    );
    for (member, id) in members.iter().enumerate() {
        let loaded = handler.load::<Member>(*id).await.unwrap();
        assert_eq!(
            loaded.aggregate.0.unwrap().expose(),
            &name(member, loaded.version)
        );
    }
}

#[tokio::test]
async fn a_master_key_is_changed_while_the_log_is_used() {
    let sealed = Sealed::new().await;
    let facts = named(Uuid::now_v7(), NAME);
    for number in 0..3 {
        let append = signed_up(key(number.to_string()), Uuid::now_v7(), 1, &facts);
        sealed.appender.append(append).await.unwrap();
    }
    let first = sealed.file.text();
    sealed.file.write(&with_new_master_key("second", &first).unwrap());
    let rotating = sealed.file.vault();
    let used = sealed.log.master_key_use().await.unwrap();
    assert_eq!(used, [("first".to_owned(), 5)].into());
    let done = sealed.log.wrap_again(&rotating, |_| {}).await.unwrap();
    assert_eq!(
        done, 5,
        "three keys of data, and the secrets of request hashes and of staged work"
    );
    assert_eq!(sealed.log.wrap_again(&rotating, |_| {}).await.unwrap(), 0);
    assert_eq!(sealed.keys().await, 3);
    let used = sealed.log.master_key_use().await.unwrap();
    assert_eq!(used, [("second".to_owned(), 5)].into());
    // The running program finds the new key by itself.
    assert_eq!(sealed.opened().await, vec![facts.clone(); 3]);
    // Without the first key, everything opens; with the first alone, nothing does.
    let both = sealed.file.text();
    sealed.file.write(both.lines().next().unwrap());
    let alone = sealed.test.log.clone().with_vault(sealed.file.vault());
    let events = alone.read_after(Position::START, 9).await.unwrap();
    assert!(alone.open(events.clone()).await.is_ok());
    sealed.file.write(&first);
    let old = sealed.test.log.clone().with_vault(sealed.file.vault());
    let refused = old.open(events).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Vault(VaultError::UnknownMasterKey(name)) if name == "second"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_repeat_is_recognized_across_the_first_vault() {
    let sealed = Sealed::new().await;
    let (id, plain) = (Uuid::now_v7(), sealed.test.appender(AppenderOptions::default()));
    let before = signed_up(key("before"), id, 1, &json!({"count": 1}));
    plain.append(before.clone()).await.unwrap();
    let again = sealed.appender.append(before.clone()).await.unwrap();
    assert!(again.replayed, "stored without salt");
    let after = signed_up(key("after"), id, 2, &json!({"count": 1}));
    sealed.appender.append(after.clone()).await.unwrap();
    assert!(sealed.appender.append(after.clone()).await.unwrap().replayed);
    let handler = CommandHandler::new(
        sealed.log.clone(),
        sealed.test.loader(LoaderOptions::default()),
        sealed.appender.clone(),
    );
    for kept in [&before.key, &after.key] {
        let answer = handler.answered::<VaultError>(kept).await.unwrap();
        assert!(answer.is_some(), "{}", kept.key);
    }
    for used in [before, after] {
        let mut other = used;
        other.key = IdempotencyKey::new(other.key.scope.clone(), other.key.key.clone(), "another request");
        assert!(sealed.appender.append(other).await.is_err());
    }
    // Who sees the database can't test a guess of the request.
    let stored = sealed.log.outcome("test", "after").await.unwrap().unwrap();
    assert_ne!(stored.request_hash, key("after").request_hash);
    assert_eq!(sealed.vault.master_keys().1, "first");
}

/// An aggregate that remembers a name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Member(Option<Personal<String>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named(Personal<String>);

event_store::event!(Named, "1");

impl Aggregate for Member {
    const TYPE: &'static str = "member";
    type Command = String;
    type Event = Named;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(&mut self, name: String, (): &(), sink: &EventSink<Self>) -> Result<(), Self::Error> {
        sink.write(Named(Personal::new(name)), self).await;
        Ok(())
    }

    fn apply(&mut self, Named(name): Named) {
        self.0 = Some(name);
    }
}

#[tokio::test]
async fn a_state_with_personal_data_is_loaded_in_clear_and_gets_no_snapshot() {
    let sealed = Sealed::new().await;
    let handler = CommandHandler::new(
        sealed.log.clone(),
        sealed.test.loader(LoaderOptions::default()),
        sealed.appender.clone(),
    )
    .with_snapshots(SnapshotOptions {
        every: 1,
        schema_fingerprint: "members-1".into(),
    });
    let (member, counter) = (Uuid::now_v7(), Uuid::now_v7());
    for number in 0..3 {
        let request = CommandRequest::new(member, NAME.to_owned(), key(format!("name-{number}")));
        handler.execute(request, |_: &Member, _| json!({})).await.unwrap();
    }
    let loaded = handler.load::<Member>(member).await.unwrap();
    assert_eq!(loaded.aggregate.0.unwrap().expose(), NAME);
    // One task writes all snapshots in turn: when this one is there, the others were looked at.
    let request = CommandRequest::new(counter, Count(1), key("count"));
    handler
        .execute(request, |_: &Counter, _| json!({}))
        .await
        .unwrap();
    let client = sealed.test.client().await;
    let written = eventually("the counter has its snapshot", async || {
        let rows = client
            .query("select aggregate_id from snapshots", &[])
            .await
            .unwrap();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    let written: Vec<Uuid> = written.iter().map(|row| row.get(0)).collect();
    assert_eq!(written, [counter]);
}
