//! `append_batch` against a plain model of it in memory: random batches of events, claims, wrong versions and used keys.

use std::collections::{BTreeMap, HashMap, HashSet};

use envelope::Position;
use event_store::{
    Append, AppendError, Appended, AppenderOptions, Claim, Claims, IdempotencyKey, Release, TakenClaim,
};
use uuid::Uuid;

use crate::support::{ALL_CLAIMS, TestLog, append, in_one_batch_of};

const SEEDS: u64 = 6;
const BATCHES: usize = 12;
const COMMANDS: u64 = 16;

#[derive(Debug, PartialEq)]
enum Expected {
    Appended(u64),
    Duplicate(u64, String),
    Reused,
    Taken(Vec<TakenClaim>),
    Conflict,
}

#[derive(Default)]
struct Model {
    head: u64,
    versions: HashMap<Uuid, u64>,
    outcomes: HashMap<String, ([u8; 32], u64, String)>,
    claims: BTreeMap<(String, String, i32), Uuid>,
    /// Aggregate and sequence of each event, in order.
    events: Vec<(Uuid, u64)>,
}

impl Model {
    /// One command after the other, each seeing what those before it did.
    fn append(&mut self, append: &Append) -> Expected {
        if let Some((hash, position, response)) = self.outcomes.get(&append.key.key) {
            return if *hash == append.key.request_hash {
                Expected::Duplicate(*position, response.clone())
            } else {
                Expected::Reused
            };
        }
        let mut versions = self.versions.clone();
        for event in &append.events {
            let version = versions.entry(event.aggregate_id).or_default();
            *version += 1;
            if *version != event.sequence {
                return Expected::Conflict;
            }
        }
        let mut claims = self.claims.clone();
        for release in &append.claims.release {
            claims.retain(|(of, what, _), by| match release {
                Release::One { scope, key, owner } => (of, what, &*by) != (scope, key, owner),
                Release::All(owner) => by != owner,
            });
        }
        let taken: Vec<TakenClaim> = append
            .claims
            .take
            .iter()
            .filter_map(|claim| take(&mut claims, claim))
            .collect();
        if !taken.is_empty() {
            return Expected::Taken(taken);
        }
        self.head += append.events.len() as u64;
        (self.versions, self.claims) = (versions, claims);
        self.events.extend(
            append
                .events
                .iter()
                .map(|event| (event.aggregate_id, event.sequence)),
        );
        let outcome = (append.key.request_hash, self.head, append.response.clone());
        self.outcomes.insert(append.key.key.clone(), outcome);
        Expected::Appended(self.head)
    }

    /// A whole batch. The second of two with one key waits until all others are decided.
    fn batch(&mut self, appends: &[Append]) -> Vec<Expected> {
        let mut expected: Vec<Option<Expected>> = appends.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..appends.len()).collect();
        while !left.is_empty() {
            let mut keys = HashSet::new();
            let (now, later): (Vec<usize>, Vec<usize>) =
                left.into_iter().partition(|n| keys.insert(&appends[*n].key.key));
            for n in now {
                expected[n] = Some(self.append(&appends[n]));
            }
            left = later;
        }
        expected.into_iter().flatten().collect()
    }
}

/// The claim, if it can't be had; or it is had.
fn take(claims: &mut BTreeMap<(String, String, i32), Uuid>, claim: &Claim) -> Option<TakenClaim> {
    let name = |slot| (claim.scope.clone(), claim.key.clone(), slot);
    let owners: BTreeMap<i32, Uuid> = claims
        .range(name(0)..=name(i32::MAX))
        .map(|((_, _, slot), owner)| (*slot, *owner))
        .collect();
    if owners.values().any(|owner| *owner == claim.owner) {
        return None;
    }
    if owners.len() >= claim.at_most as usize {
        return Some(TakenClaim {
            scope: claim.scope.clone(),
            key: claim.key.clone(),
            owners: owners.into_values().collect(),
        });
    }
    let free = (1..=i32::MAX).find(|slot| !owners.contains_key(slot)).unwrap();
    claims.insert(name(free), claim.owner);
    None
}

/// Random numbers that follow from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn owner(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(1 + self.below(5)))
    }

    fn claim(&mut self) -> Claim {
        let owner = self.owner();
        match self.below(7) {
            n @ 0..5 => Claim::unique("unique", n.to_string(), owner),
            // Of one thing, some may ask for more places than others.
            n => Claim::counted(
                "counted",
                n.to_string(),
                owner,
                1 + u32::try_from(self.below(3)).unwrap(),
            ),
        }
    }

    fn claims(&mut self) -> Claims {
        let mut claims = Claims::default();
        if self.one_in(3) {
            return claims;
        }
        for _ in 0..self.below(4) {
            claims.take.push(self.claim());
        }
        for _ in 0..self.below(3) {
            let Claim {
                scope, key, owner, ..
            } = self.claim();
            claims.release.push(if self.one_in(6) {
                Release::All(owner)
            } else {
                Release::One { scope, key, owner }
            });
        }
        claims
    }

    /// A command; `next` is the version of each aggregate if all before it are accepted.
    fn command(&mut self, name: &str, used: &[String], next: &mut HashMap<Uuid, u64>) -> Append {
        let mut command = append(IdempotencyKey::new("test", name, "one"), Uuid::now_v7(), 1);
        command.response = format!(r#"{{"of":"{name}"}}"#);
        if self.one_in(6) && !used.is_empty() {
            let index = usize::try_from(self.below(used.len() as u64)).unwrap();
            let request = if self.one_in(4) { "another" } else { "one" };
            command.key = IdempotencyKey::new("test", used[index].clone(), request);
        }
        let mut events = Vec::new();
        for _ in 0..self.below(4) {
            let mut event = command.events[0].clone();
            event.aggregate_id = Uuid::from_u128(u128::from(100 + self.below(8)));
            let version = next.entry(event.aggregate_id).or_default();
            *version += 1;
            event.sequence = *version;
            events.push(event);
        }
        // All of an aggregate's events of the command are off by one, or the command could be no one's.
        if self.one_in(12) && events.iter().all(|event| event.sequence > 1) {
            let ahead = self.one_in(2);
            for event in &mut events {
                event.sequence = if ahead {
                    event.sequence + 1
                } else {
                    event.sequence - 1
                };
            }
        }
        command.events = events;
        command.claims = self.claims();
        command
    }
}

fn found(outcome: &Result<Appended, AppendError>) -> Expected {
    match outcome {
        Ok(appended) if appended.replayed => {
            Expected::Duplicate(appended.position.get(), appended.response.clone())
        }
        Ok(appended) => Expected::Appended(appended.position.get()),
        Err(AppendError::KeyReused) => Expected::Reused,
        Err(AppendError::ClaimTaken(taken)) => Expected::Taken(taken.clone()),
        Err(AppendError::Conflict(_)) => Expected::Conflict,
        Err(other) => panic!("{other}"),
    }
}

/// A command that is refused a claim gets a conflict instead if an aggregate of its own moved on within the batch.
fn agree(expected: &Expected, found: &Expected, n: usize, batch: &[Append]) -> bool {
    let shares = |other: &Append| {
        let mine = batch[n].events.iter().map(|event| event.aggregate_id);
        mine.clone()
            .any(|id| other.events.iter().any(|event| event.aggregate_id == id))
    };
    let others = || batch.iter().enumerate().filter(|(other, _)| *other != n);
    expected == found
        || matches!((expected, found), (Expected::Taken(_), Expected::Conflict))
            && others().any(|(_, other)| shares(other))
}

#[tokio::test]
async fn random_batches_do_what_a_plain_model_of_them_does() {
    for seed in 0..SEEDS {
        let test = TestLog::new().await;
        // Without memory, with a little, with all of it.
        let appender = test.appender(AppenderOptions {
            recent_outcomes: [0, 8, 10_000][usize::try_from(seed % 3).unwrap()],
            ..AppenderOptions::default()
        });
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        let mut seen = HashMap::<&str, usize>::new();
        for round in 0..BATCHES {
            let mut used: Vec<String> = model.outcomes.keys().cloned().collect();
            used.sort_unstable();
            let mut next = model.versions.clone();
            let mut batch = Vec::new();
            for n in 0..=dice.below(COMMANDS) {
                let name = format!("{round}-{n}");
                batch.push(dice.command(&name, &used, &mut next));
                used.push(name);
            }
            let outcomes = in_one_batch_of(&test, &appender, batch.clone()).await;
            // The one that the batch waits behind.
            model.head += 1;
            model.events.push((Uuid::nil(), 1));
            let expected = model.batch(&batch);
            for (n, (expected, outcome)) in expected.iter().zip(&outcomes).enumerate() {
                let found = found(outcome);
                assert!(
                    agree(expected, &found, n, &batch),
                    "seed {seed}, batch {round}, command {n}: {found:?} instead of {expected:?}"
                );
                let kind = match found {
                    Expected::Appended(_) => "appended",
                    Expected::Duplicate(..) => "duplicate",
                    Expected::Reused => "reused",
                    Expected::Taken(_) => "taken",
                    Expected::Conflict => "conflict",
                };
                *seen.entry(kind).or_default() += 1;
            }
            assert_eq!(
                stored_claims(&test).await,
                model.claims,
                "seed {seed}, batch {round}"
            );
        }
        same_events(&test, &model).await;
        for (name, (hash, position, response)) in &model.outcomes {
            let kept = test.log.outcome("test", name).await.unwrap().unwrap();
            assert_eq!(
                (kept.request_hash.as_slice(), kept.position.get(), &kept.response),
                (hash.as_slice(), *position, response)
            );
        }
        assert_eq!(seen.len(), 5, "seed {seed} has every kind of outcome: {seen:?}");
    }
}

async fn stored_claims(test: &TestLog) -> BTreeMap<(String, String, i32), Uuid> {
    let rows = test.client().await;
    let rows = rows.query(ALL_CLAIMS, &[]).await.unwrap();
    rows.iter()
        .map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3)))
        .collect()
}

async fn same_events(test: &TestLog, model: &Model) {
    let events = test.log.read_after(Position::START, 100_000).await.unwrap();
    assert_eq!(events.len(), model.events.len());
    for (event, (id, sequence)) in events.iter().zip(&model.events) {
        assert_eq!(event.sequence, *sequence, "{event:?}");
        assert!(id.is_nil() || event.aggregate_id == *id, "{event:?}");
    }
}
