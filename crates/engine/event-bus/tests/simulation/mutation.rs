//! Rules broken on purpose, one at a time: the simulation must notice each of them.

use envelope::Position;
use event_bus::{Continuity, Verdict};

/// A rule that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A subscription takes an event whose predecessors it has not seen.
    SkipTheGapCheck,
    /// A subscription takes what it has seen already.
    TakeOldEvents,
    /// A subscription accepts messages of another epoch of the log.
    TrustAnotherEpoch,
    /// A subscription accepts an event that stands at another's place.
    TrustAnyPlace,
    /// The head of the log is read before the events, not with them.
    ReadTheHeadFirst,
    /// The relay publishes without saying what must come before.
    PublishUnfenced,
    /// The relay goes on one event too far after the stream's last sequence.
    ResumeTooFar,
    /// The relay goes on one event before it.
    ResumeTooNear,
    /// The relay continues from its own last position, not from the stream's.
    NeverAskTheStream,
    /// The relay keeps a stream that belongs to another epoch of the log.
    KeepAnyStream,
    /// The relay publishes what it read in one epoch of the log as if it were of another.
    PublishAcrossLives,
    /// The relay takes a refusal for an acknowledgement.
    IgnoreRefusals,
    /// The relay forgets, when it resumes, what came last in each partition.
    ForgetThePredecessors,
    /// A checkpoint moves wherever it stands.
    IgnoreTheCheckpoint,
    /// Rows and checkpoint are two transactions.
    MoveTheCheckpointLater,
    /// In a new epoch of the log only the checkpoint starts over.
    KeepTheRows,
    /// The head is read before the checkpoint it is compared with.
    CompareWithAnOldHead,
    /// The live checkpoint may move on while a rebuilt read model takes its place.
    SwapUnfenced,
    /// A rebuild does not look whether the log began a new epoch.
    CopyAcrossLives,
    /// A read of the log does not check that the log still holds the event taken last.
    SkipTheComparison,
    /// A subscription takes what comes next, whatever it names as its predecessor.
    TrustAnyPredecessor,
    /// A checkpoint does not say which event it is at.
    ForgetTheFingerprint,
    /// A rebuild does not look whether the log was the same from its first read to its last.
    CopyAcrossBranches,
}

impl Mutation {
    pub(crate) const ALL: [Self; 23] = [
        Self::SkipTheGapCheck,
        Self::TakeOldEvents,
        Self::TrustAnotherEpoch,
        Self::TrustAnyPlace,
        Self::ReadTheHeadFirst,
        Self::PublishUnfenced,
        Self::ResumeTooFar,
        Self::ResumeTooNear,
        Self::NeverAskTheStream,
        Self::KeepAnyStream,
        Self::PublishAcrossLives,
        Self::IgnoreRefusals,
        Self::ForgetThePredecessors,
        Self::IgnoreTheCheckpoint,
        Self::MoveTheCheckpointLater,
        Self::KeepTheRows,
        Self::CompareWithAnOldHead,
        Self::SwapUnfenced,
        Self::CopyAcrossLives,
        Self::SkipTheComparison,
        Self::TrustAnyPredecessor,
        Self::ForgetTheFingerprint,
        Self::CopyAcrossBranches,
    ];
}

/// How a subscription checks what arrives, under a mutation.
pub(crate) fn judge(mutation: Option<Mutation>) -> fn(&mut Continuity, Position) -> Verdict {
    match mutation {
        Some(Mutation::SkipTheGapCheck) => |seen, position| match seen.check(position) {
            Verdict::Gap => {
                *seen = Continuity::after(position);
                Verdict::Next
            }
            verdict => verdict,
        },
        Some(Mutation::TakeOldEvents) => |seen, position| match seen.check(position) {
            Verdict::Old => Verdict::Next,
            verdict => verdict,
        },
        _ => Continuity::check,
    }
}
