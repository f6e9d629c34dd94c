//! What verifying found.

use serde::Serialize;
use uuid::Uuid;

/// The most findings that are kept.
const MOST: usize = 1000;

/// A kind of difference between log and seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An event is not the one that was sealed.
    EventChanged,
    /// Too much of a sealed range is gone to check the rest of it.
    EventUnproven,
    /// There is no event at a position where one must be.
    EventMissing,
    /// There is an event where none can be.
    EventAdded,
    /// The log ends before what was sealed.
    TailTruncated,
    /// Database and file have different seals for the same range.
    SealChanged,
    /// A seal is in only one of database and file.
    SealMissing,
    /// No copy of a seal is signed by a known key.
    SealForged,
    /// A seal does not follow the one before.
    ChainBroken,
    /// The file holds something that is no seal.
    FileDamaged,
}

/// One difference between log and seals, and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The first position that it is about.
    pub first: i64,
    /// The last position that it is about.
    pub last: i64,
    /// Description.
    pub what: String,
}

/// What verifying found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The log's epoch.
    pub epoch: Uuid,
    /// Where the log ends.
    pub head: i64,
    /// The last position under a valid seal. What comes after it is only checked for gaps.
    pub sealed: i64,
    /// Events that were compared with a seal.
    pub events: u64,
    /// Seals that were checked.
    pub seals: u64,
    /// The differences between log and seals; adjacent positions in one.
    pub findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub more_findings: u64,
    /// Remarks that are no findings.
    pub notes: Vec<String>,
}

impl Report {
    pub(crate) const fn new(epoch: Uuid, head: i64) -> Self {
        Self {
            epoch,
            head,
            sealed: 0,
            events: 0,
            seals: 0,
            findings: Vec::new(),
            more_findings: 0,
            notes: Vec::new(),
        }
    }

    /// Whether the log is what was sealed.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds a finding, to the one before if that is of the same kind and ends where this one begins.
    pub(crate) fn find(&mut self, kind: Kind, first: i64, last: i64, what: &str) {
        if let Some(before) = self.findings.last_mut()
            && before.kind == kind
            && before.what == what
            && before.last + 1 == first
        {
            before.last = last;
        } else if self.findings.len() < MOST {
            let what = what.to_owned();
            self.findings.push(Finding {
                kind,
                first,
                last,
                what,
            });
        } else {
            self.more_findings += 1;
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first == self.last {
            write!(f, "position {}: {}", self.first, self.what)
        } else {
            write!(f, "positions {}-{}: {}", self.first, self.last, self.what)
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.more_findings > 0 {
            writeln!(f, "and {} findings more", self.more_findings)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let verdict = if self.is_clean() {
            "the log is what was sealed"
        } else {
            "THE LOG IS NOT WHAT WAS SEALED"
        };
        write!(
            f,
            "{verdict}: {} events under {} seals, sealed up to position {} of {}",
            self.events, self.seals, self.sealed, self.head
        )
    }
}
