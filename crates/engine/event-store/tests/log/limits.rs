//! What a command must be, as the docs state it: everything else is refused with a reason, and nothing of it recorded.

use envelope::Position;
use event_store::{Append, AppendError, AppenderOptions, Claim, Release};
use uuid::Uuid;

use crate::support::{TestLog, append, key};

type Change = fn(&mut Append);

fn seat(change: impl FnOnce(&mut Claim)) -> Vec<Claim> {
    let mut claim = Claim::unique("seat", "1A", Uuid::from_u128(7));
    change(&mut claim);
    vec![claim]
}

fn release(scope: &str, key: &str, owner: u128) -> Vec<Release> {
    vec![Release::One {
        scope: scope.into(),
        key: key.into(),
        owner: Uuid::from_u128(owner),
    }]
}

/// Adds an event of the same aggregate with this sequence.
fn then(append: &mut Append, sequence: u64) {
    let mut event = append.events[0].clone();
    event.sequence = sequence;
    append.events.push(event);
}

const REFUSED: &[(&str, Change)] = &[
    ("1 to 255 characters", |a| a.key.key.clear()),
    ("1 to 255 characters", |a| a.key.key = "k".repeat(300)),
    ("1 to 255 characters", |a| a.key.key = "æ".repeat(256)),
    ("1 to 255 characters", |a| a.key.scope.clear()),
    ("1 to 255 characters", |a| a.key.scope = "s".repeat(1 << 20)),
    ("no character", |a| a.key.key = "a\0b".into()),
    ("no character", |a| a.key.scope = "\0".into()),
    ("no hash of its request", |a| a.key.request_hash = [0; 32]),
    ("must be a JSON object", |a| a.response = String::new()),
    ("must be a JSON object", |a| a.response = "7".into()),
    ("must be a JSON object", |a| a.response = "null".into()),
    ("must be a JSON object", |a| a.response = "[{}]".into()),
    ("must be a JSON object", |a| a.response = r#"{"a":1"#.into()),
    ("must be a JSON object", |a| a.response = "{} ".into()),
    ("must be a JSON object", |a| a.response = "{}{}".into()),
    ("has a position", |a| a.response = r#"{"position":9}"#.into()),
    (r"has \ud800", |a| a.response = r#"{"a":"\ud800"}"#.into()),
    ("response is larger", |a| {
        a.response = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
    }),
    ("visible ASCII", |a| a.events[0].aggregate_type = "".into()),
    ("visible ASCII", |a| a.events[0].aggregate_type = "a.b".into()),
    ("visible ASCII", |a| a.events[0].aggregate_type = "løype".into()),
    ("visible ASCII", |a| a.events[0].event_type = "Race Held".into()),
    ("visible ASCII", |a| a.events[0].event_type = "*".into()),
    ("visible ASCII", |a| a.events[0].event_type = "Counted>".into()),
    ("visible ASCII", |a| a.events[0].event_type = "a\u{1f}b".into()),
    ("visible ASCII", |a| a.events[0].event_version = "".into()),
    ("visible ASCII", |a| a.events[0].event_version = "1\n".into()),
    ("visible ASCII", |a| a.events[0].event_version = "1.0".into()),
    ("id is nil", |a| a.events[0].aggregate_id = Uuid::nil()),
    ("no sequence 0", |a| a.events[0].sequence = 0),
    ("no sequence", |a| a.events[0].sequence = u64::MAX),
    ("where 2 is due", |a| then(a, 1)),
    ("where 2 is due", |a| then(a, 3)),
    ("more than 10000 events", |a| {
        (2..=10_001).for_each(|n| then(a, n));
    }),
    ("no character", |a| a.metadata.correlation_id = Some("\0".into())),
    ("more than 255", |a| a.metadata.actor = Some("x".repeat(256))),
    ("1 to 255 characters", |a| {
        a.claims.take = seat(|claim| claim.scope.clear());
    }),
    ("1 to 255 characters", |a| {
        a.claims.take = seat(|claim| claim.key.clear());
    }),
    ("1 to 255 characters", |a| {
        a.claims.take = seat(|claim| claim.key = "k".repeat(256));
    }),
    ("no character", |a| {
        a.claims.take = seat(|claim| claim.key.push('\0'));
    }),
    ("no character", |a| {
        a.claims.take = seat(|claim| claim.scope.push('\0'));
    }),
    ("owner is nil", |a| {
        a.claims.take = seat(|claim| claim.owner = Uuid::nil());
    }),
    ("held by 1 to", |a| {
        a.claims.take = seat(|claim| claim.at_most = 0);
    }),
    ("held by 1 to", |a| {
        a.claims.take = seat(|claim| claim.at_most = u32::MAX);
    }),
    ("more than 1000 claims", |a| {
        a.claims.take = vec![seat(|_| ()).remove(0); 1_001];
    }),
    ("1 to 255 characters", |a| a.claims.release = release("", "1A", 7)),
    ("no character", |a| a.claims.release = release("seat", "\0", 7)),
    ("owner is nil", |a| a.claims.release = release("seat", "1A", 0)),
    ("owner is nil", |a| {
        a.claims.release = vec![Release::All(Uuid::nil())];
    }),
];

#[tokio::test]
async fn what_is_beyond_a_limit_is_refused_with_a_reason_and_not_recorded() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    for (number, (reason, change)) in REFUSED.iter().enumerate() {
        let mut command = append(key("k"), Uuid::now_v7(), 1);
        change(&mut command);
        let refused = appender.append(command).await;
        let Err(AppendError::Unstorable(why)) = &refused else {
            panic!("case {number}, {reason}: {refused:?}")
        };
        assert!(why.contains(reason), "case {number}: {why}");
    }
    assert_eq!(test.log.head().await.unwrap().position, Position::START);
}

#[tokio::test]
async fn what_is_just_within_the_limits_is_recorded() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let wide = "🏁".repeat(255);
    let mut command = append(key(wide.clone()), Uuid::now_v7(), 1);
    command.key.scope.clone_from(&wide);
    command.metadata.actor = Some("å".repeat(255));
    command.claims.take = seat(|claim| {
        claim.scope.clone_from(&wide);
        claim.key.clone_from(&wide);
        claim.at_most = u32::try_from(i32::MAX).unwrap();
    });
    (2..=10_000).for_each(|sequence| then(&mut command, sequence));
    let accepted = appender.append(command.clone()).await.unwrap();
    assert_eq!(accepted.position, Position::new(10_000));
    assert!(appender.append(command).await.unwrap().replayed);
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused_however_keys_are_made() {
    use event_store::IdempotencyKey;
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let used = |request: &str| append(IdempotencyKey::new("me", "1", request), Uuid::now_v7(), 1);
    appender.append(used("count 5")).await.unwrap();
    assert!(appender.append(used("count 5")).await.unwrap().replayed);
    for other in ["count 6", ""] {
        assert_eq!(
            appender.append(used(other)).await,
            Err(AppendError::KeyReused),
            "{other:?}"
        );
    }
    let unique = IdempotencyKey::unique();
    let other = IdempotencyKey::new(unique.scope.clone(), unique.key.clone(), "something else");
    appender.append(append(unique, Uuid::now_v7(), 1)).await.unwrap();
    assert_eq!(
        appender.append(append(other, Uuid::now_v7(), 1)).await,
        Err(AppendError::KeyReused)
    );
}
