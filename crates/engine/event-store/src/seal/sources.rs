//! The seals from both places at once, matched by where their ranges begin, a page at a time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Take};

use super::Error;
use super::record::Seal;
use super::table::Table;

/// Seals read from the database at a time.
const PAGE: i64 = 512;
/// Far more than the longest line.
const LONGEST_LINE: u64 = 4096;

/// A seal of the file, of the database, or of both.
pub(crate) struct Pair {
    pub(crate) file: Option<Seal>,
    pub(crate) table: Option<Seal>,
    /// The file has nothing more.
    pub(crate) file_ended: bool,
}

pub(crate) struct Sources {
    file: Lines,
    table: Table,
    read: VecDeque<Seal>,
    last_read: Option<i64>,
    next_line: Option<Seal>,
    /// Lines of the file that are no seals, each with the position that the seal before it ends with.
    pub(crate) damaged: Vec<i64>,
}

impl Sources {
    /// The file up to its present end. The table had each line first, so it must have all of them.
    pub(crate) async fn open(path: &Path, table: Table) -> Result<Self, Error> {
        Ok(Self {
            file: Lines::open(path).await?,
            table,
            read: VecDeque::new(),
            last_read: Some(i64::MIN),
            next_line: None,
            damaged: Vec::new(),
        })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Pair>, Error> {
        if self.next_line.is_none() {
            self.next_line = self.file.next(&mut self.damaged).await?;
        }
        if self.read.is_empty()
            && let Some(after) = self.last_read
        {
            self.read = self.table.seals_after(after, PAGE).await?.into();
            self.last_read = self.read.back().map(|seal| seal.first);
        }
        let begins = |seal: &Seal| seal.first;
        let (file, table) = (self.next_line.as_ref().map(begins), self.read.front().map(begins));
        let (from_file, from_table) = match (file, table) {
            (None, None) => return Ok(None),
            (Some(file), Some(table)) => (file <= table, table <= file),
            (file, table) => (file.is_some(), table.is_some()),
        };
        Ok(Some(Pair {
            file_ended: file.is_none(),
            file: if from_file { self.next_line.take() } else { None },
            table: if from_table { self.read.pop_front() } else { None },
        }))
    }
}

struct Lines {
    path: PathBuf,
    reader: BufReader<Take<File>>,
    last: i64,
}

impl Lines {
    async fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::file(path, error);
        let file = File::open(path).await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(file.take(length)),
            last: 0,
        })
    }

    /// The next seal. Half a line at the end is none: its writer has not finished.
    async fn next(&mut self, damaged: &mut Vec<i64>) -> Result<Option<Seal>, Error> {
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut self.reader).take(LONGEST_LINE);
            let read = bounded.read_until(b'\n', &mut line).await;
            read.map_err(|error| Error::file(&self.path, error))?;
            if line.is_empty() || (line.len() as u64) < LONGEST_LINE && !line.ends_with(b"\n") {
                return Ok(None);
            }
            if let Ok(seal) = serde_json::from_slice::<Seal>(&line) {
                self.last = seal.last;
                return Ok(Some(seal));
            }
            if damaged.last() != Some(&self.last) {
                damaged.push(self.last);
            }
        }
    }
}
