//! All keys of QR codes as they are at a moment, and which of them signs.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};

use super::file::{self, BadKeys, LicenseKeys};
use crate::qr::{Payload, PublicKey, SigningKey, sign};

/// More keys than a shop ever has at a time.
const MOST_KEYS: usize = 64;

/// All keys of QR codes.
#[derive(Debug)]
pub struct KeyRing {
    /// By their beginnings.
    keys: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    signing: SigningKey,
    public: PublicKey,
}

impl KeyRing {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, BadKeys> {
        Self::parse(path, &file::read(path)?)
    }

    /// From the text of the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, BadKeys> {
        Self::of(file::parse(path, text)?).map_err(|problem| BadKeys::Unusable(path.to_owned(), problem))
    }

    fn of(found: LicenseKeys) -> Result<Self, String> {
        if found.keys.is_empty() || found.keys.len() > MOST_KEYS {
            return Err(format!(
                "it holds {} keys, not 1 to {MOST_KEYS}",
                found.keys.len()
            ));
        }
        let mut keys: Vec<Entry> = Vec::with_capacity(found.keys.len());
        for key in found.keys {
            let id = key.kid;
            if keys.iter().any(|other| other.public.id == id) {
                return Err(format!("two keys have the id {id}"));
            }
            if key.not_before >= key.not_after {
                return Err(format!("key {id} ends before it begins"));
            }
            let signing = file::signing_key(id, &key.seed)
                .ok_or_else(|| format!("the seed of key {id} is not 32 bytes in base64url"))?;
            let public = PublicKey {
                id,
                key: signing.public(),
                not_before: key.not_before,
                not_after: key.not_after,
            };
            keys.push(Entry { signing, public });
        }
        keys.sort_by_key(|key| (key.public.not_before, key.public.id));
        Ok(Self { keys })
    }

    /// The key that signs at this moment: the one that began last.
    pub fn signing_at(&self, now: DateTime<Utc>) -> Option<&PublicKey> {
        let begun = |key: &&Entry| key.public.not_before <= now;
        self.keys.iter().rfind(begun).map(|key| &key.public)
    }

    /// The key that signs a license for these days: of those that have begun and are valid on one of the days, the one that
    /// began last. `None` for days that no key is for.
    pub fn for_days(&self, now: DateTime<Utc>, first: NaiveDate, last: NaiveDate) -> Option<&SigningKey> {
        let fit = |key: &&Entry| key.public.not_before <= now && key.public.is_valid_on(first, last);
        self.keys.iter().rev().find(fit).map(|key| &key.signing)
    }

    /// The text of a license's code. `None` if no key is for its days.
    pub fn code(&self, now: DateTime<Utc>, license: &Payload) -> Option<String> {
        sign(
            license,
            self.for_days(now, license.first_day, license.last_day())?,
        )
    }

    /// Every key as gates get it.
    pub fn published(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().map(|key| &key.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::file::{LicenseKey, encode};

    fn key(kid: u16, not_before: &str, not_after: &str) -> LicenseKey {
        LicenseKey {
            kid,
            seed: encode(&[u8::try_from(kid).unwrap(); 32]),
            not_before: not_before.parse().unwrap(),
            not_after: not_after.parse().unwrap(),
        }
    }

    fn ring(keys: Vec<LicenseKey>) -> Result<KeyRing, String> {
        KeyRing::of(LicenseKeys { keys })
    }

    #[test]
    fn the_key_that_began_last_signs_the_days_that_it_is_for() {
        let ring = ring(vec![
            key(2, "2026-06-01T12:00:00Z", "2029-06-01T00:00:00Z"),
            key(1, "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"),
        ])
        .unwrap();
        let signs = |now: &str, day: &str| {
            let day = day.parse().unwrap();
            ring.for_days(now.parse().unwrap(), day, day).map(|key| key.id)
        };
        assert_eq!(signs("2025-12-31T23:59:59Z", "2026-06-05"), None);
        assert_eq!(signs("2026-06-01T11:59:59Z", "2026-06-05"), Some(1));
        assert_eq!(signs("2026-06-01T12:00:00Z", "2026-06-05"), Some(2));
        // A past day keeps the key of its time; a day that no key is for has none.
        assert_eq!(signs("2026-07-01T12:00:00Z", "2026-03-05"), Some(1));
        assert_eq!(signs("2026-05-01T12:00:00Z", "2027-01-01"), None);
        assert_eq!(signs("2026-07-01T12:00:00Z", "2025-12-01"), None);
        let at = |now: &str| ring.signing_at(now.parse().unwrap()).map(|key| key.id);
        assert_eq!(
            (at("2026-06-01T11:00:00Z"), at("2026-06-02T00:00:00Z")),
            (Some(1), Some(2))
        );
    }

    #[test]
    fn files_that_are_wrong_are_refused_and_not_shown() {
        let day = "2026-01-01T00:00:00Z";
        let long = "2027-01-01T00:00:00Z";
        for (keys, reason) in [
            (vec![], "0 keys"),
            (vec![key(1, day, long), key(1, day, long)], "two keys"),
            (vec![key(1, long, day)], "ends before"),
            (
                vec![LicenseKey {
                    seed: "c2hvcnQ".into(),
                    ..key(1, day, long)
                }],
                "32 bytes",
            ),
        ] {
            let error = ring(keys).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        let path = Path::new("keys.json");
        let text = r#"{"keys": [{"kid": 1, "seed": "c2VjcmV0", "not_befor": 1}]}"#;
        let error = file::parse::<LicenseKeys>(path, text).err().unwrap().to_string();
        assert!(
            error.contains("keys.json") && !error.contains("c2VjcmV0"),
            "{error}"
        );
    }
}
