//! A log of a release before claims, brought to this schema with what it holds.

use envelope::Position;
use event_store::{AppendError, AppenderOptions, Claim, Claims, IdempotencyKey};
use refinery::Target;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{TestLog, append, empty_database, key, owners};

mod embedded {
    refinery::embed_migrations!("src/migrations");
}

/// The last version without claims.
const BEFORE: i32 = 9;

/// What instances of that release send: `append_batch` as V9 has it.
const APPEND_AS_BEFORE: &str =
    "select ordinal, outcome, position from append_batch(array[$1], array[$2], array[$3::bytea], array['{\"old\":1}'],
     array[1], array['counter'], array[$4::uuid], array[$5::bigint], array['Counted'], array['1'], array['{\"by\":1}'],
     array['{}'])";

#[tokio::test]
async fn a_log_of_the_release_before_goes_on_with_its_events_and_keys_and_without_its_writers() {
    let url = empty_database().await;
    let (mut client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut runner = embedded::migrations::runner().set_target(Target::Version(BEFORE));
    runner.set_migration_table_name("event_store_migrations");
    runner.run_async(&mut client).await.unwrap();
    let id = Uuid::now_v7();
    let old = async |scope: &str, name: &str, hash: &[u8], id: Uuid, sequence: i64| {
        let row = client
            .query_one(APPEND_AS_BEFORE, &[&scope, &name, &hash, &id, &sequence])
            .await
            .unwrap();
        (row.get::<_, String>(1), row.get::<_, i64>(2))
    };
    let hashed = key("caller's");
    old("test", &hashed.key, &hashed.request_hash, id, 1).await;
    // Process managers' keys had no hash.
    old("process:ledger:close", "1:step", b"", id, 2).await;

    assert_eq!(event_store::migrate(&url).await.unwrap(), embedded_after());
    let test = TestLog::at(url.clone()).await;
    let appender = test.appender(AppenderOptions::default());
    let mut next = append(key("next"), id, 3);
    next.claims = Claims {
        take: vec![Claim::unique("seat", "1A", id)],
        ..Claims::default()
    };
    assert_eq!(appender.append(next).await.unwrap().position, Position::new(3));
    assert_eq!(owners(&test, "seat", "1A").await, [(1, id)]);
    // What it answered, it answers.
    let again = appender.append(append(hashed, id, 1)).await.unwrap();
    assert_eq!((again.replayed, again.response.as_str()), (true, r#"{"old":1}"#));
    let mut other = append(key("caller's"), id, 1);
    other.key.request_hash = [2; 32];
    assert_eq!(appender.append(other).await, Err(AppendError::KeyReused));
    let step = IdempotencyKey::new("process:ledger:close", "1:step", "the step");
    let again = appender.append(append(step, id, 2)).await.unwrap();
    assert_eq!((again.replayed, again.position), (true, Position::new(2)));
    // An instance of that release that still runs would break claims: it can't append any more.
    let (hash, sequence) = ([7_u8; 32].as_slice(), 4_i64);
    let late = client
        .query_one(APPEND_AS_BEFORE, &[&"test", &"late", &hash, &id, &sequence])
        .await;
    assert_eq!(late.unwrap_err().code(), Some(&SqlState::UNDEFINED_FUNCTION));
    let last = appender.append(append(key("last"), id, 4)).await.unwrap();
    assert_eq!(last.position, Position::new(4));
}

fn embedded_after() -> usize {
    let runner = embedded::migrations::runner();
    let after = runner
        .get_migrations()
        .iter()
        .filter(|one| one.version() > BEFORE);
    after.count()
}
