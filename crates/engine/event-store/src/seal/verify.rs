//! Recomputes every root from the events and follows the chain, comparing the seals of the database with those of the
//! file: a change of the log and its seals in the database does not fit the file and the key.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use deadpool_postgres::Pool;

use super::key::PublicKey;
use super::merkle::{Hash, Tree};
use super::record::{GENESIS, Seal};
use super::report::{Kind, Report};
use super::sources::{Pair, Sources};
use super::table::{MARK, Table};
use super::{Error, RANGE};
use crate::Log;

/// How long a seal may be on its way from the table to the file.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(60);

const CHANGED: &str = "the event is not the one that was sealed";
const MISSING: &str = "there is no event";
const TRUNCATED: &str = "the log ends before what was sealed";

/// Compares the log with its seals in the database and in the file at `file`, signed by any of `keys`. `progress` gets
/// the position reached and the end of the log. Memory does not grow with the log, and appends are not delayed.
pub async fn verify(
    pool: &Pool,
    file: &Path,
    keys: &[PublicKey],
    mut progress: impl FnMut(i64, i64) + Send,
) -> Result<Report, Error> {
    let table = Table::new(pool.clone());
    // In this order, whatever is read later can only be longer.
    let mut sources = Sources::open(file, table.clone()).await?;
    let (lowest, highest) = table.bounds().await?;
    let newest = table.tip().await?.map_or(0, |tip| tip.seal.last);
    let head = Log::new(pool.clone()).head().await?;
    let mut check = Check {
        table,
        keys,
        report: Report::new(head.epoch, head.position.to_sql()),
        chain: (0, GENESIS),
        epoch: None,
    };
    while let Some(pair) = sources.next().await? {
        if pair.file.is_none() && pair.table.as_ref().is_some_and(|seal| seal.first > newest) {
            // It was sealed in between.
            break;
        }
        check.pair(pair).await?;
        progress(check.report.sealed, check.report.head);
    }
    check.rest(lowest, highest).await?;
    for life in Log::new(pool.clone()).epochs().await?.into_iter().skip(1) {
        check.report.notes.push(format!(
            "a new epoch of the log began after position {} at {}: {}",
            life.after, life.began_at, life.reason
        ));
    }
    progress(check.report.head, check.report.head);
    for after in sources.damaged {
        let what = "the file holds something that is no seal after this position";
        check.report.find(Kind::FileDamaged, after, after, what);
    }
    Ok(check.report)
}

struct Check<'a> {
    table: Table,
    keys: &'a [PublicKey],
    report: Report,
    /// Last position and hash of the last valid seal.
    chain: (i64, Hash),
    epoch: Option<uuid::Uuid>,
}

impl Check<'_> {
    async fn pair(&mut self, pair: Pair) -> Result<(), Error> {
        self.compare(&pair);
        let copies: Vec<Seal> = [pair.file, pair.table].into_iter().flatten().collect();
        self.report.seals += 1;
        let Some(seal) = copies.iter().find(|seal| self.is_valid(seal)) else {
            if let Some(seal) = copies.first() {
                let what = "the seal is not signed by a known key";
                self.report.find(Kind::SealForged, seal.first, seal.last, what);
            }
            return Ok(());
        };
        self.follow(seal);
        self.range(seal).await
    }

    /// No sealer seals another range, so a signature on one is worth nothing.
    fn is_valid(&self, seal: &Seal) -> bool {
        let length = seal.last.checked_sub(seal.first);
        seal.first > 0
            && length.is_some_and(|length| (0..RANGE).contains(&length))
            && seal.is_signed_by(self.keys)
    }

    fn compare(&mut self, pair: &Pair) {
        match (&pair.file, &pair.table) {
            (Some(file), Some(table)) if file != table => {
                let what = match (self.is_valid(file), self.is_valid(table)) {
                    (true, false) => "the seal was changed in the database",
                    (false, true) => "the seal was changed in the file",
                    _ => "database and file have different seals",
                };
                self.report.find(Kind::SealChanged, file.first, file.last, what);
            }
            (Some(file), None) => {
                let what = "the seal is missing in the database";
                self.report.find(Kind::SealMissing, file.first, file.last, what);
            }
            (None, Some(table)) if pair.file_ended && Utc::now() - table.sealed_at < ON_ITS_WAY => {
                let what = format!(
                    "the seal of positions {}-{} is not in the file yet",
                    table.first, table.last
                );
                self.report.notes.push(what);
            }
            (None, Some(table)) => {
                let what = "the seal is missing in the file";
                self.report.find(Kind::SealMissing, table.first, table.last, what);
            }
            _ => {}
        }
    }

    /// Follows one link of the chain.
    fn follow(&mut self, seal: &Seal) {
        let (last, hash) = self.chain;
        if seal.first > last + 1 {
            let what = "no valid seal covers this";
            self.report
                .find(Kind::ChainBroken, last + 1, seal.first - 1, what);
        } else if seal.first <= last || seal.previous_seal_hash != hash {
            let what = "the seal does not follow the one before";
            self.report.find(Kind::ChainBroken, seal.first, seal.last, what);
        }
        if self.epoch.is_some_and(|epoch| epoch != seal.epoch) {
            let what = format!(
                "the log was restored to an earlier point before position {}",
                seal.first
            );
            self.report.notes.push(what);
        }
        self.epoch = Some(seal.epoch);
        self.chain = (seal.last, seal.hash());
        self.report.sealed = self.report.sealed.max(seal.last);
    }

    /// Compares a sealed range with the events.
    async fn range(&mut self, seal: &Seal) -> Result<(), Error> {
        let (mut tree, mut marks) = (Tree::default(), Vec::new());
        let whole = self
            .walk(seal.first, seal.last, |position, hash| {
                tree.push(hash);
                let mut mark = [0; MARK];
                mark.copy_from_slice(&hash[..MARK]);
                marks.push((position, mark));
            })
            .await?;
        self.report.events += marks.len() as u64;
        if whole && tree.root() == Some(seal.merkle_root) {
            return Ok(());
        }
        let sealed = self.table.seal_at(seal.first).await?;
        let sealed = sealed.filter(|marked| marked.seal.first == seal.first && marked.seal.last == seal.last);
        let sealed = sealed.map(|marked| marked.marks).unwrap_or_default();
        let length = usize::try_from(seal.last - seal.first + 1).unwrap_or(usize::MAX);
        let (sealed, _) = sealed.as_chunks::<MARK>();
        let differing: Vec<i64> = marks
            .iter()
            .filter(|(position, mark)| {
                let index = usize::try_from(position - seal.first).unwrap_or(usize::MAX);
                sealed.get(index) != Some(mark)
            })
            .map(|(position, _)| *position)
            .collect();
        // Marks that were removed or changed give no answer.
        if whole && (sealed.len() != length || differing.is_empty()) {
            let what = "events are not those that were sealed; which ones can't be told";
            self.report.find(Kind::EventChanged, seal.first, seal.last, what);
        } else if sealed.len() != length {
            if let (Some((first, _)), Some((last, _))) = (marks.first(), marks.last()) {
                let what = "it can't be told whether what is left of the sealed range was changed";
                self.report.find(Kind::EventUnproven, *first, *last, what);
            }
        } else {
            for position in differing {
                self.report.find(Kind::EventChanged, position, position, CHANGED);
            }
        }
        Ok(())
    }

    /// Walks over the positions `first..=last`, hands over their hashes, and says whether every one had one event.
    async fn walk(
        &mut self,
        first: i64,
        last: i64,
        mut take: impl FnMut(i64, Hash) + Send,
    ) -> Result<bool, Error> {
        let (mut due, mut whole) = (first, true);
        let report = &mut self.report;
        let head = report.head;
        let missing = |report: &mut Report, from: i64, through: i64| {
            let end = through.min(head);
            if from <= end {
                report.find(Kind::EventMissing, from, end, MISSING);
            }
            let from = from.max(head + 1);
            if from <= through {
                report.find(Kind::TailTruncated, from, through, TRUNCATED);
            }
        };
        self.table
            .leaves(first, last, |position, leaf| {
                if position < due {
                    whole = false;
                    let what = "there is more than one event";
                    report.find(Kind::EventAdded, position, position, what);
                    return;
                }
                if position > due {
                    whole = false;
                    missing(report, due, position - 1);
                }
                due = position + 1;
                if let Some(leaf) = leaf {
                    take(position, leaf.hash());
                } else {
                    whole = false;
                    report.find(Kind::EventChanged, position, position, CHANGED);
                }
            })
            .await?;
        if due <= last {
            whole = false;
            missing(report, due, last);
        }
        Ok(whole)
    }

    /// Findings outside the seals: events outside the log, and gaps after the last seal.
    async fn rest(&mut self, lowest: i64, highest: i64) -> Result<(), Error> {
        let head = self.report.head;
        if lowest < 1 {
            let what = "there are events before the first position";
            self.report.find(Kind::EventAdded, lowest, 0, what);
        }
        if highest > head {
            let what = "there are events after the log's end";
            self.report.find(Kind::EventAdded, head + 1, highest, what);
        }
        let mut first = self.report.sealed + 1;
        while first <= head {
            let last = head.min(first + RANGE - 1);
            self.walk(first, last, |_, _| {}).await?;
            first = last + 1;
        }
        Ok(())
    }
}
