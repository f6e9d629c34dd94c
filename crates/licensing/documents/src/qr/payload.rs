//! The payload: 37 bytes of fixed fields, most significant byte first, and the holder's name.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 2 | key id |
//! | 3 | 16 | license id |
//! | 19 | 4 | license type: hash of its code |
//! | 23 | 4 | club: hash of the 16 bytes of its id |
//! | 27 | 2 | first day, days since 1970-01-01 |
//! | 29 | 1 | number of days |
//! | 30 | 2 | birth date, days since 1900-01-01 |
//! | 32 | 4 | vehicle: hash of its number, zeros for none |
//! | 36 | 1 | bytes of the name, at most 43 |
//! | 37 | 0–43 | name in UTF-8 |

use aws_lc_rs::digest;
use chrono::{Days, NaiveDate};
use uuid::Uuid;

pub(super) const VERSION: u8 = 1;
/// Bytes before the name.
const FIXED_BYTES: usize = 37;
/// The most bytes of a name: with them the payload has 80 bytes, which fit a QR code of version 8.
const MAX_NAME_BYTES: usize = 43;
const ELLIPSIS: char = '…';

const DAYS_SINCE: NaiveDate = epoch(1970);
const BIRTHS_SINCE: NaiveDate = epoch(1900);

/// What a code says of a license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The key that signed it. [`sign`](super::sign) sets it.
    pub key_id: u16,
    /// The license.
    pub license_id: Uuid,
    /// [`short_hash`] of the code of the license type.
    pub license_type: [u8; 4],
    /// [`short_hash`] of the 16 bytes of the club's id.
    pub club: [u8; 4],
    /// First day it is valid, in Norway.
    pub first_day: NaiveDate,
    /// Number of consecutive days, at least 1.
    pub days: u8,
    /// Birth date of the holder; personal data.
    pub birth_date: NaiveDate,
    /// [`short_hash`] of the vehicle's number; zeros for none.
    pub vehicle: [u8; 4],
    /// Name of the holder, shortened if it is long; personal data.
    pub name: String,
}

/// The first four bytes of the SHA-256. Enough to compare with what is at hand, never to find what is meant.
pub fn short_hash(content: &[u8]) -> [u8; 4] {
    let digest = digest::digest(&digest::SHA256, content);
    let mut hash = [0; 4];
    hash.copy_from_slice(&digest.as_ref()[..4]);
    hash
}

impl Payload {
    /// Last day it is valid.
    pub fn last_day(&self) -> NaiveDate {
        let more = u64::from(self.days.saturating_sub(1));
        self.first_day
            .checked_add_days(Days::new(more))
            .unwrap_or(self.first_day)
    }

    /// `None` if a date is outside what two bytes hold, or no day is given.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.days == 0 {
            return None;
        }
        let name = shortened(&self.name);
        let mut bytes = Vec::with_capacity(FIXED_BYTES + name.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.key_id.to_be_bytes());
        bytes.extend_from_slice(self.license_id.as_bytes());
        bytes.extend_from_slice(&self.license_type);
        bytes.extend_from_slice(&self.club);
        bytes.extend_from_slice(&days_since(DAYS_SINCE, self.first_day)?.to_be_bytes());
        bytes.push(self.days);
        bytes.extend_from_slice(&days_since(BIRTHS_SINCE, self.birth_date)?.to_be_bytes());
        bytes.extend_from_slice(&self.vehicle);
        bytes.push(u8::try_from(name.len()).ok()?);
        bytes.extend_from_slice(name.as_bytes());
        Some(bytes)
    }

    /// `None` if the length is not exactly that of a payload, or a field holds what none can.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fixed, name) = bytes.split_first_chunk::<FIXED_BYTES>()?;
        let two = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let four = |at: usize| [fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]];
        let (days, length) = (fixed[29], usize::from(fixed[36]));
        if days == 0 || length != name.len() || length > MAX_NAME_BYTES {
            return None;
        }
        Some(Self {
            key_id: two(1),
            license_id: Uuid::from_slice(&fixed[3..19]).ok()?,
            license_type: four(19),
            club: four(23),
            first_day: DAYS_SINCE.checked_add_days(Days::new(two(27).into()))?,
            days,
            birth_date: BIRTHS_SINCE.checked_add_days(Days::new(two(30).into()))?,
            vehicle: four(32),
            name: std::str::from_utf8(name).ok()?.to_owned(),
        })
    }
}

/// A name of at most 43 bytes. A longer one ends with an ellipsis after as many whole characters as fit.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let end = name.floor_char_boundary(MAX_NAME_BYTES - ELLIPSIS.len_utf8());
    let mut short = name[..end].to_owned();
    short.push(ELLIPSIS);
    short
}

fn days_since(epoch: NaiveDate, day: NaiveDate) -> Option<u16> {
    u16::try_from((day - epoch).num_days()).ok()
}

const fn epoch(year: i32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, 1, 1) {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}
