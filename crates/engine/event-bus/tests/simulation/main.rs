//! The delivery logic in a simulated world: the decisions of [`event_bus::decide`] in two relays, two projectors and a
//! rebuild, over a log, a broker, a database and a clock that a seed breaks in every way we could think of.
//!
//! A run keeps its rules or says which one broke, and the same seed always gives the same run. What is simulated and
//! what is not: `docs/ARCHITECTURE.md`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on should say where"
)]
#![expect(
    clippy::print_stderr,
    reason = "who waits for a million seeds wants to see them go by"
)]

mod broker;
mod faults;
mod log;
mod mutation;
mod projector;
mod reader;
mod rebuild;
mod relay;
mod rng;
mod run;
mod schedule;
mod seeds;
mod tables;
mod world;

use mutation::Mutation;
use run::run;
use seeds::{Tally, report, run_all};

/// How many seeds `make test` runs.
const SEEDS: u64 = 10_000;
/// Each mutation must be caught among this many seeds.
const CAUGHT_WITHIN: u64 = 5_000;

/// Seeds that show what was once wrong: the head read before the events, events of one epoch of the log published as of
/// another, a checkpoint compared with an old head.
const REGRESSIONS: [u64; 3] = [501, 33, 417];

#[test]
fn thousands_of_seeds_keep_the_rules() {
    let tally = run_all(0, SEEDS, None, |_| {});
    eprintln!("{}", tally.summary());
    assert!(tally.failure.is_none(), "{}", tally.failure.unwrap());
    assert_met_everything(&tally);
}

/// A simulation in which nothing happens proves nothing.
fn assert_met_everything(tally: &Tally) {
    let counts = &tally.counts;
    let met = [
        ("events", counts.events),
        ("faults", counts.faults),
        ("messages published", counts.published),
        ("messages refused", counts.refused),
        ("messages of an old life", counts.alien_messages),
        ("streams created", counts.streams_created),
        ("events from the stream", counts.from_stream),
        ("events from the log", counts.from_log),
        ("gaps refilled", counts.gaps_refilled),
        ("old events dropped", counts.dropped_old),
        ("messages mistrusted", counts.untrusted),
        ("new lives noticed", counts.epochs_noticed),
        ("checkpoints lost to another", counts.checkpoints_lost),
        ("starts over", counts.starts_over),
        ("swaps", counts.swaps),
        ("rollbacks", counts.rollbacks),
        ("silent steps back found", counts.contradictions),
        ("new epochs by a relay", counts.epochs_by_relay),
    ];
    for (what, count) in met {
        assert!(count > 0, "no {what} in {} seeds: {counts:?}", tally.seeds);
    }
}

#[test]
fn seeds_that_once_failed_keep_the_rules() {
    for seed in REGRESSIONS {
        let outcome = run(seed, None, false);
        assert!(outcome.violation.is_none(), "{}", report(seed, None));
    }
}

#[test]
fn a_seed_repeats_itself() {
    let mut digests = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let (once, again) = (run(seed, None, true), run(seed, None, true));
        assert_eq!(once.digest, again.digest, "seed {seed}");
        assert_eq!(once.trace, again.trace, "seed {seed}");
        digests.insert(once.digest);
    }
    assert_eq!(digests.len(), 20, "every seed is another run");
}

/// Each rule, broken alone, shows within a few seeds; the unbroken ones pass all of these in the test above.
#[test]
fn every_broken_rule_is_caught() {
    const { assert!(CAUGHT_WITHIN <= SEEDS) };
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let caught = (0..CAUGHT_WITHIN).find(|seed| run(*seed, Some(mutation), false).violation.is_some());
        match caught {
            Some(seed) => {
                let why = run(seed, Some(mutation), false).violation.unwrap();
                eprintln!("{mutation:?}: caught by seed {seed}: {why}");
            }
            None => missed.push(mutation),
        }
    }
    assert!(
        missed.is_empty(),
        "not caught in {CAUGHT_WITHIN} seeds: {missed:?}"
    );
}

/// `make simulate`: as many seeds as asked for, from where it is asked to begin.
#[test]
#[ignore = "takes as long as it is told to; run by `make simulate`"]
fn as_many_seeds_as_asked_for() {
    let number = |name: &str, default| {
        let given = std::env::var(name).ok().filter(|value| !value.is_empty());
        given.map_or(default, |value| value.parse().expect("a number"))
    };
    let (seeds, from) = (number("SEEDS", 1_000_000), number("FROM", 0));
    let mutation = std::env::var("MUTATION").ok().filter(|name| !name.is_empty());
    let mutation = mutation.map(|name| {
        let mut all = Mutation::ALL.into_iter();
        all.find(|known| format!("{known:?}") == name)
            .expect("a mutation")
    });
    let tally = run_all(from, seeds, mutation, |progress| eprintln!("{progress}"));
    eprintln!("{}", tally.summary());
    assert!(tally.failure.is_none(), "{}", tally.failure.unwrap());
}
