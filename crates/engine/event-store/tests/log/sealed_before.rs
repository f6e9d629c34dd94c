//! Events of a release that sealed each value by itself: they are opened, their keys are changed and destroyed as all others.

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use envelope::Position;
use event_store::vault::{HeldKeys, Vault, VaultError, with_new_master_key};
use event_store::{Append, AppenderOptions, CommandHandler, EventData, LoaderOptions, Log};
use refinery::Target;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{TestLog, empty_database, key, pool};

mod embedded {
    refinery::embed_migrations!("src/migrations");
}

/// The last version with a row for each key.
const BEFORE: i32 = 17;
const RECORDED: &str = include_str!("sealed_before.sql");
const MASTER: &str = "old 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

const MEMBER: Uuid = Uuid::from_u128(0x11);
const KARI: Uuid = Uuid::from_u128(0x22);

/// An aggregate that remembers all payloads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Facts(Vec<Value>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SignedUp(Value);

event_store::event!(SignedUp, "1");

impl Aggregate for Facts {
    const TYPE: &'static str = "member";
    type Command = ();
    type Event = SignedUp;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn apply(&mut self, SignedUp(facts): SignedUp) {
        self.0.push(facts);
    }
}

fn recorded() -> [Value; 3] {
    let of = |value: &str| json!({"$clear": value, "$person": KARI});
    [
        json!({"who": [{"name": of("Kari Nordmann"), "phone": of("+47 900 00 000")}], "count": 1}),
        json!({"note": {"$clear": {"text": "Kari called"}}, "again": of("Kari")}),
        json!({"who": [{"name": of("Kari Hansen")}], "count": 2}),
    ]
}

async fn opened(log: &Log) -> Vec<Value> {
    let events = log.read_after(Position::START, 100).await.unwrap();
    let opened = log.open(events).await.unwrap();
    let payloads = opened.events().iter().map(|event| event.payload.get());
    payloads
        .map(|payload| serde_json::from_str(payload).unwrap())
        .collect()
}

#[tokio::test]
async fn what_an_older_release_sealed_stays_readable_beside_new_events_until_it_is_erased() {
    let url = empty_database().await;
    let (mut client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut runner = embedded::migrations::runner().set_target(Target::Version(BEFORE));
    runner.set_migration_table_name("event_store_migrations");
    runner.run_async(&mut client).await.unwrap();
    client.batch_execute(RECORDED).await.unwrap();

    let file = std::env::temp_dir().join(format!("master-{}", Uuid::now_v7()));
    std::fs::write(&file, MASTER).unwrap();
    let test = TestLog::at(url).await;
    let vault = Arc::new(Vault::new(&file).unwrap());
    let log = test.log.clone().with_vault(Arc::clone(&vault));
    assert_eq!(opened(&log).await, recorded());
    // An instance of that release would write what this one can't find.
    let late = client.batch_execute(RECORDED).await.unwrap_err();
    assert_eq!(late.code(), Some(&SqlState::UNDEFINED_FUNCTION));

    // Both in one aggregate, loaded by a command.
    let appender = test
        .appender(AppenderOptions::default())
        .with_vault(Arc::clone(&vault));
    let new = json!({"who": [{"name": {"$clear": "Kari Olsen", "$person": KARI}}], "count": 3});
    let event = EventData::json("SignedUp", &new).unwrap();
    let append = Append::new(key("new")).events("member", MEMBER, 3, [event]);
    let at = appender.append(append).await.unwrap().position;
    let mut all = recorded().to_vec();
    all.push(new);
    assert_eq!(opened(&log).await, all);
    let handler = CommandHandler::new(log.clone(), test.loader(LoaderOptions::default()), appender);
    let loaded = handler.load::<Facts>(MEMBER).await.unwrap();
    assert_eq!(loaded.aggregate.0, all);

    std::fs::write(&file, with_new_master_key("new", MASTER).unwrap()).unwrap();
    let rotating = Vault::new(&file).unwrap();
    assert_eq!(
        log.master_key_use().await.unwrap(),
        [("old".to_owned(), 4)].into()
    );
    assert_eq!(log.wrap_again(&rotating, |_| {}).await.unwrap(), 4);
    assert_eq!(
        log.master_key_use().await.unwrap(),
        [("new".to_owned(), 4)].into()
    );
    assert_eq!(opened(&log).await, all);

    let held = log.held_of(KARI, 10).await.unwrap();
    let aggregates: Vec<Uuid> = held.iter().map(|held| held.aggregate_id).collect();
    assert_eq!(aggregates, [MEMBER]);
    let keys = HeldKeys {
        person: KARI,
        aggregates,
        through: at,
    };
    assert_eq!(log.destroy_keys(&keys).await.unwrap(), 4);
    assert_eq!(log.destroy_keys(&keys).await.unwrap(), 0, "once");
    assert!(log.held_of(KARI, 10).await.unwrap().is_empty());
    let gone = json!({"$erased": true});
    let erased = opened(&log).await;
    assert_eq!(erased[1], json!({"note": gone, "again": gone}));
    assert_eq!(erased[3], json!({"who": [{"name": gone}], "count": 3}));
    assert_eq!(handler.load::<Facts>(MEMBER).await.unwrap().aggregate.0, erased);
    assert_eq!(log.master_key_use().await.unwrap(), [].into());
    let without = Log::new(pool(&test.url));
    let events = without.read_after(Position::START, 9).await.unwrap();
    let refused = without.open(events).await.unwrap_err();
    assert!(matches!(
        refused,
        event_store::Error::Vault(VaultError::NoMasterKeys)
    ));
    std::fs::remove_file(&file).unwrap();
}
