//! Sealing the events of a command.
//!
//! All values of one person in an event are sealed as one text, with a key that seals nothing else. The text stands where the
//! first of the values stood, and is bound to the event and to everything else in its payload:
//!
//! ```json
//! {"name": {"$sealed": "<base64: ciphertext, tag>", "$key": 0}, "phone": {"$sealed": "", "$key": 0}}
//! ```
//!
//! `$key` numbers the event's keys from 0. Each is found by the event's position.

use aws_lc_rs::aead::NONCE_LEN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::VaultError;
use super::cipher::{Cipher, KEY_LEN, Place, random};
use super::json::{Marked, Unwritten, rewrite, split_at_mark};
use super::keeper::Vault;
use super::keys::{DataKey, bound};
use super::master::MasterKeys;
use crate::append::NewEvent;

pub(super) const CLEAR: &str = "$clear";
pub(super) const PERSON: &str = "$person";
/// How a marked value begins as `envelope::Personal` writes it. In a text, the quotes would be escaped.
const MARK: &str = r#"{"$clear":"#;
const NAMED: &str = r#","$person":""#;
/// How a sealed value begins.
pub(super) const SEAL: &str = r#"{"$sealed":""#;
/// What stands between a sealed text and the number of its key.
pub(super) const NUMBER: &str = r#"","$key":"#;

impl Vault {
    /// Seals what these events, of one command, mark. Returns the keys, to be recorded with them.
    pub(crate) fn seal(&self, events: &mut [NewEvent]) -> Result<Vec<DataKey>, VaultError> {
        let mut keys = Vec::new();
        for (number, event) in events.iter_mut().enumerate() {
            let payload = event.payload.get();
            if !is_clear(payload) {
                continue;
            }
            // Callers may write JSON of their own.
            let taken = match TakenApart::of(payload, event.aggregate_id) {
                Some(taken) if !is_clear(&taken.rest) => Some(taken),
                _ => TakenApart::of(&as_we_write(payload)?, event.aggregate_id),
            };
            let sealed = self.seal_event(event, number, taken.ok_or(VaultError::NotSealed)?, &mut keys)?;
            event.payload = RawValue::from_string(sealed).map_err(|_| VaultError::NotSealed)?;
        }
        Ok(keys)
    }

    fn seal_event(
        &self,
        event: &NewEvent,
        number: usize,
        taken: TakenApart,
        keys: &mut Vec<DataKey>,
    ) -> Result<String, VaultError> {
        let place = Place {
            aggregate_type: &event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
        };
        let (master, bound) = (self.current(), place.and(&taken.rest));
        let mut sealed = String::with_capacity(taken.sealed_len());
        let mut from = 0;
        for Text { person, values, at } in taken.texts {
            let (key, cipher) = fresh_key(&master, number, person)?;
            keys.push(key);
            let text = cipher.seal_only(values, &bound).ok_or(VaultError::NotSealed)?;
            sealed.push_str(taken.rest.get(from..at).ok_or(VaultError::NotSealed)?);
            STANDARD_NO_PAD.encode_string(text, &mut sealed);
            from = at;
        }
        sealed.push_str(taken.rest.get(from..).ok_or(VaultError::NotSealed)?);
        Ok(sealed)
    }
}

fn fresh_key(master: &MasterKeys, event: usize, person: Uuid) -> Result<(DataKey, Cipher), VaultError> {
    let random = random::<{ KEY_LEN + NONCE_LEN }>().ok_or(VaultError::NotSealed)?;
    let parts = random.split_first_chunk::<KEY_LEN>().and_then(|(key, nonce)| {
        let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
        Some((key, nonce))
    });
    let (key, nonce) = parts.ok_or(VaultError::NotSealed)?;
    let fresh = DataKey {
        event,
        person,
        master_key: master.active().clone(),
        wrapped: Vault::wrap_with(nonce, master, &bound(person), key)?,
    };
    Ok((fresh, Cipher::new(key).ok_or(VaultError::NotSealed)?))
}

/// A payload and the values that were marked in it.
struct TakenApart {
    /// The payload with an empty sealed value in each place. Every text is bound to all of it.
    rest: String,
    texts: Vec<Text>,
}

/// What one key seals.
struct Text {
    person: Uuid,
    /// The values, as the elements of a JSON array.
    values: Vec<u8>,
    /// Where it is inserted.
    at: usize,
}

impl TakenApart {
    /// `None` if a mark is not written as we write them.
    fn of(payload: &str, aggregate_id: Uuid) -> Option<Self> {
        let mut rest = String::with_capacity(payload.len() + 64);
        let mut texts: Vec<Text> = Vec::new();
        let mut left = payload;
        while let Some((before, marked)) = split_at_mark(left, MARK) {
            rest.push_str(before);
            let (value, after) = first_value(marked)?;
            let (person, after) = match after.strip_prefix(NAMED) {
                None => (aggregate_id, after.strip_prefix('}')?),
                Some(named) => {
                    let (person, after) = named.split_once("\"}")?;
                    (person.parse().ok()?, after)
                }
            };
            let known = texts.iter().position(|text| text.person == person);
            let number = known.unwrap_or(texts.len());
            rest.push_str(SEAL);
            if let Some(text) = texts.get_mut(number) {
                text.values.push(b',');
                text.values.extend(value.as_bytes());
            } else {
                let mut values = Vec::with_capacity(128);
                values.extend(value.as_bytes());
                let at = rest.len();
                texts.push(Text { person, values, at });
            }
            rest.push_str(NUMBER);
            rest.push_str(&number.to_string());
            rest.push('}');
            left = after;
        }
        rest.push_str(left);
        Some(Self { rest, texts })
    }

    fn sealed_len(&self) -> usize {
        let texts = self.texts.iter();
        self.rest.len() + texts.map(|text| text.values.len() * 4 / 3 + 32).sum::<usize>()
    }
}

/// The JSON value that this text begins with, and what follows it.
fn first_value(json: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    Some((value, json.split_at_checked(values.byte_offset())?.1))
}

/// The payload with its marks as `envelope::Personal` writes them.
fn as_we_write(payload: &str) -> Result<String, VaultError> {
    let mark = |_: &str, marked: &Marked<'_>| {
        let value = member(marked, CLEAR).ok_or(VaultError::NotSealed)?;
        let Some(person) = member(marked, PERSON) else {
            return Ok(Some(format!("{MARK}{value}}}")));
        };
        let person: Uuid = serde_json::from_str(person).map_err(|_| VaultError::NotSealed)?;
        Ok(Some(format!("{MARK}{value}{NAMED}{person}\"}}")))
    };
    rewrite(payload, CLEAR, &mut { mark }).map_err(|error| match error {
        Unwritten::Replacing(error) => error,
        Unwritten::NotJson => VaultError::NotSealed,
    })
}

pub(super) fn member<'a>(marked: &Marked<'a>, name: &str) -> Option<&'a str> {
    let found = marked.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.get())
}

/// Whether JSON may hold personal data in clear.
pub fn is_clear(json: &str) -> bool {
    json.contains(r#""$clear""#)
}
