//! Seals new events in parallel to the appends: it reads committed events, takes no lock that an append needs, and writes
//! one row per range. Two sealers at once make one chain, since only one seal can follow another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{SubsecRound as _, Utc};
use deadpool_postgres::Pool;
use envelope::Position;
use metrics::{counter, gauge, histogram};
use tokio_util::sync::CancellationToken;

use super::file::SealFile;
use super::key::SealKey;
use super::merkle::Tree;
use super::record::{GENESIS, Seal};
use super::table::{MARK, Marked, Table};
use super::{Error, RANGE};
use crate::Log;
use crate::metrics::{SEAL_ERRORS_TOTAL, SEAL_SECONDS, SEALED_POSITION};

/// How to seal.
#[derive(Clone)]
pub struct SealerOptions {
    /// The signing key.
    pub key: Arc<SealKey>,
    /// The file of seals outside the database.
    pub file: PathBuf,
    /// Time between two rounds.
    pub interval: Duration,
}

/// Seals the log.
pub struct Sealer {
    log: Log,
    table: Table,
    file: SealFile,
    key: Arc<SealKey>,
    interval: Duration,
}

impl Sealer {
    /// A sealer of the log in the database of `pool`. It begins by comparing the whole file with the database.
    pub fn new(pool: Pool, options: SealerOptions) -> Self {
        Self {
            log: Log::new(pool.clone()),
            table: Table::new(pool),
            file: SealFile::new(options.file),
            key: options.key,
            interval: options.interval,
        }
    }

    /// Seals until `term` ends. A failure is logged and counted, and tried again after the interval.
    pub async fn run(mut self, term: CancellationToken) {
        while !term.is_cancelled() {
            let sealed = tokio::select! {
                () = term.cancelled() => return,
                sealed = self.seal() => sealed,
            };
            if let Err(error) = sealed {
                counter!(SEAL_ERRORS_TOTAL, "reason" => error.reason()).increment(1);
                tracing::error!(error = %error, "the log could not be sealed");
            }
            tokio::select! {
                () = term.cancelled() => {}
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// Brings the file up to the table, and then both up to the head. Returns the last sealed position.
    pub async fn seal(&mut self) -> Result<Position, Error> {
        self.file.catch_up(&self.table).await?;
        let head = self.log.head().await?;
        loop {
            let begun = Instant::now();
            let tip = self.table.tip().await?.map(|tip| tip.seal);
            let sealed = tip.as_ref().map_or(0, |tip| tip.last);
            if sealed >= head.position.to_sql() {
                self.not_beyond_the_log(sealed).await?;
                let sealed = Position::from_sql(sealed);
                gauge!(SEALED_POSITION).set(position_for_a_gauge(sealed));
                return Ok(sealed);
            }
            let last = head.position.to_sql().min(sealed + RANGE);
            let (merkle_root, marks) = self.hash(sealed + 1, last).await?;
            let seal = Seal {
                epoch: head.epoch,
                first: sealed + 1,
                last,
                merkle_root,
                previous_seal_hash: tip.map_or(GENESIS, |tip| tip.hash()),
                sealed_at: Utc::now().trunc_subsecs(6),
                signature: [0; 64],
            };
            let seal = seal.signed(&self.key);
            // The sealer that lost continues from the winner's seal.
            let won = self.table.insert(&Marked { seal, marks }).await?;
            self.file.catch_up(&self.table).await?;
            if won {
                histogram!(SEAL_SECONDS).record(begun.elapsed().as_secs_f64());
                gauge!(SEALED_POSITION).set(position_for_a_gauge(Position::from_sql(last)));
            }
        }
    }

    /// The root over a range, and its leaves' marks.
    async fn hash(&self, first: i64, last: i64) -> Result<([u8; 32], Vec<u8>), Error> {
        let (mut tree, mut marks, mut due, mut broken) = (Tree::default(), Vec::new(), first, None);
        self.table
            .leaves(first, last, |position, leaf| match leaf {
                Some(leaf) if position == due => {
                    let hash = leaf.hash();
                    tree.push(hash);
                    marks.extend_from_slice(&hash[..MARK]);
                    due += 1;
                }
                _ => broken = broken.or(Some(position)),
            })
            .await?;
        match tree.root() {
            Some(root) if broken.is_none() && due == last + 1 => Ok((root, marks)),
            _ => Err(crate::Error::Broken(format!(
                "position {due} is due before {}, and is missing or can't be read",
                broken.unwrap_or(last)
            ))
            .into()),
        }
    }

    /// Another sealer may have sealed beyond the head that was read, but not beyond the present head.
    async fn not_beyond_the_log(&self, sealed: i64) -> Result<(), Error> {
        let head = self.log.head().await?.position;
        if head.to_sql() < sealed {
            return Err(Error::Contradiction(format!(
                "the log ends at position {head} and is sealed up to {sealed}"
            )));
        }
        Ok(())
    }
}

fn position_for_a_gauge(position: Position) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let number = position.get() as f64;
    number
}
