//! The schedule of faults: a pure function of the seed.
//!
//! Kinds are dealt from a shuffled deck, so that a campaign of any length has all of them about equally often. Places and
//! durations are random. Faults come in rounds of one or two. A round starts when the system has recovered from the one
//! before and has rested, so the time of a fault counts from the start of its round.

use std::time::Duration;

use stack::{Direction, Network, Process};

use super::dice::Dice;
use super::fault::Fault;

const PROGRAMS: [Process; 5] = [
    Process::CommandApi,
    Process::CommandApi2,
    Process::Projector,
    Process::QueryApi,
    Process::PaymentEmulator,
];
const SERVERS: [Process; 2] = [Process::Postgres, Process::Nats];
/// The connections between programs and servers.
const LINKS: [(Process, Process); 7] = [
    (Process::CommandApi, Process::Postgres),
    (Process::CommandApi, Process::Nats),
    (Process::CommandApi2, Process::Postgres),
    (Process::CommandApi2, Process::Nats),
    (Process::Projector, Process::Postgres),
    (Process::Projector, Process::Nats),
    (Process::QueryApi, Process::Postgres),
];
const DIRECTIONS: [Direction; 3] = [Direction::ToServer, Direction::ToProgram, Direction::Both];

/// A kind of fault without its place.
#[derive(Clone, Copy)]
enum Card {
    KillProgram,
    KillServer,
    PauseProgram,
    PauseServer,
    Cut,
    Stall,
    Slow,
    Certain(Fault),
}

/// One pass through the deck. The kinds that are frequent in operation are in it more than once.
const DECK: [Card; 22] = [
    Card::KillProgram,
    Card::KillProgram,
    Card::KillServer,
    Card::PauseProgram,
    Card::PauseProgram,
    Card::PauseServer,
    Card::Cut,
    Card::Cut,
    Card::Stall,
    Card::Stall,
    Card::Slow,
    Card::Certain(Fault::StreamDeleted),
    Card::Certain(Fault::StreamPurged),
    Card::Certain(Fault::StreamReplaced),
    Card::Certain(Fault::StoreWiped),
    Card::Certain(Fault::TailLost),
    Card::Certain(Fault::DiskFull(Process::Postgres)),
    Card::Certain(Fault::DiskFull(Process::Nats)),
    Card::Certain(Fault::WebhooksLost),
    Card::Certain(Fault::WebhooksForged),
    Card::Certain(Fault::ProviderDown),
    Card::Certain(Fault::AnswersLost),
];

/// One fault of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The fault.
    pub fault: Fault,
    /// When it is injected, from the start of the round.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

/// Faults at about the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The time without faults before the round.
    pub rest: Duration,
    /// One or two.
    pub faults: Vec<Planned>,
}

/// An endless sequence of rounds.
#[derive(Clone)]
pub struct Schedule {
    dice: Dice,
    deck: Vec<Card>,
}

impl Schedule {
    /// The schedule of that seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            deck: Vec::new(),
        }
    }

    fn deal(&mut self) -> (Card, Fault) {
        if self.deck.is_empty() {
            self.deck = DECK.to_vec();
            self.dice.shuffle(&mut self.deck);
        }
        // The deck has cards.
        let card = self.deck.pop().unwrap_or(Card::KillProgram);
        let dice = &mut self.dice;
        let fault = match card {
            Card::KillProgram => Fault::Kill(dice.pick(&PROGRAMS)),
            Card::KillServer => Fault::Kill(dice.pick(&SERVERS)),
            Card::PauseProgram => Fault::Pause(dice.pick(&PROGRAMS)),
            Card::PauseServer => Fault::Pause(dice.pick(&SERVERS)),
            Card::Cut => self.network(|_| Network::Cut),
            Card::Stall => self.network(|dice| Network::Stalled(dice.pick(&DIRECTIONS))),
            Card::Slow => self.network(|dice| Network::Slow(Duration::from_millis(dice.between(20, 100)))),
            Card::Certain(fault) => fault,
        };
        (card, fault)
    }

    fn network(&mut self, network: impl FnOnce(&mut Dice) -> Network) -> Fault {
        let (program, server) = self.dice.pick(&LINKS);
        let network = network(&mut self.dice);
        Fault::Network {
            program,
            server,
            network,
        }
    }

    fn plan(&mut self, fault: Fault, latest: Duration) -> Planned {
        let (shortest, longest) = fault.lasts_ms();
        let latest = u64::try_from(latest.as_millis()).unwrap_or(u64::MAX);
        Planned {
            fault,
            after: Duration::from_millis(self.dice.between(0, latest)),
            lasts: Duration::from_millis(self.dice.between(shortest, longest)),
        }
    }
}

impl Iterator for Schedule {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        let rest = Duration::from_millis(self.dice.between(200, 1_500));
        let (_, fault) = self.deal();
        let first = self.plan(fault, Duration::ZERO);
        let mut faults = vec![first];
        if self.dice.between(1, 2) == 1 {
            let (card, fault) = self.deal();
            if first.fault.goes_with(&fault) {
                // While the first one lasts, or just after.
                faults.push(self.plan(fault, first.lasts));
            } else {
                // Put under the deck, so that the card comes later in this pass.
                self.deck.insert(0, card);
            }
        }
        Some(Round { rest, faults })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::Schedule;
    use crate::campaign::fault::KINDS;

    #[test]
    fn the_same_seed_gives_the_same_faults_at_the_same_times_and_another_seed_others() {
        let rounds = |seed| Schedule::new(seed).take(200).collect::<Vec<_>>();
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn a_plan_written_down_is_still_the_plan() {
        let told: Vec<String> = Schedule::new(1)
            .take(3)
            .flat_map(|round| round.faults)
            .map(|planned| format!("{} {:?} {:?}", planned.fault, planned.after, planned.lasts))
            .collect();
        assert_eq!(
            told, PLAN_OF_1,
            "a change of the schedule makes old seeds mean something else"
        );
    }

    const PLAN_OF_1: [&str; 3] = [
        "webhooks forged 0ns 2.684s",
        "tail lost 0ns 2.796s",
        "provider down 0ns 4.308s",
    ];

    #[test]
    fn every_kind_comes_and_at_most_two_that_go_together_at_once() {
        let mut kinds = BTreeSet::new();
        for round in Schedule::new(11).take(200) {
            assert!((1..=2).contains(&round.faults.len()), "{round:?}");
            for planned in &round.faults {
                kinds.insert(planned.fault.kind());
                assert!(planned.lasts <= Duration::from_secs(7), "{round:?}");
            }
            if let [first, second] = &round.faults[..] {
                assert!(first.fault.goes_with(&second.fault), "{round:?}");
                assert!(second.after <= first.lasts, "{round:?}");
            }
        }
        let all: BTreeSet<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, all);
    }
}
