//! Opening payloads: of this release, and of those that sealed each value by itself.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::VaultError;
use super::cipher::Place;
use super::json::{Marked, Unwritten, rewrite, split_at_mark};
use super::keys::{KeyRing, RingKey};
use super::seal::{CLEAR, NUMBER, PERSON, SEAL, member};

const SEALED: &str = "$sealed";
const KEY: &str = "$key";
const ERASED: &str = r#"{"$erased":true}"#;

/// The payload with every sealed value in clear, or erased where its key is gone; `None` if there is no sealed one.
/// `at`: the event among the ring's events.
pub(super) fn open(
    keys: &KeyRing,
    at: u64,
    place: &Place<'_>,
    payload: &str,
) -> Result<Option<String>, VaultError> {
    let opened = match how_sealed(payload) {
        None => return Ok(None),
        Some(Sealed::EachValue) => open_each(keys, place, payload),
        Some(Sealed::Together) => open_together(keys, at, place, payload),
    };
    opened.map(Some).ok_or_else(|| VaultError::NotOpened {
        aggregate_type: place.aggregate_type.to_owned(),
        aggregate_id: place.aggregate_id,
        sequence: place.sequence,
    })
}

/// How the personal data of a payload is sealed.
pub(super) enum Sealed {
    /// The values of a person together, with keys that are found by the event's position.
    Together,
    /// As releases before that did: each value by itself, with the id of its key.
    EachValue,
}

/// `None` if a payload holds no sealed personal data.
pub(super) fn how_sealed(payload: &str) -> Option<Sealed> {
    let (_, first) = split_at_mark(payload, SEAL)?;
    let numbered = first.split_once(NUMBER);
    let is_number = |key: &str| key.starts_with(|digit: char| digit.is_ascii_digit());
    if numbered.is_some_and(|(_, key)| is_number(key)) {
        return Some(Sealed::Together);
    }
    Some(Sealed::EachValue)
}

/// Whether a payload holds sealed personal data, exactly as it is written here. In a text, the quotes would be escaped.
pub(crate) fn is_sealed(payload: &str) -> bool {
    payload.contains(SEAL)
}

/// `None` if something in it was changed or moved.
fn open_together(keys: &KeyRing, at: u64, place: &Place<'_>, payload: &str) -> Option<String> {
    let taken = TakenApart::of(payload)?;
    let bound = place.and(&taken.rest);
    let mut texts = Vec::with_capacity(taken.texts.len());
    for (number, sealed) in taken.texts.iter().enumerate() {
        let Some(key) = keys.numbered(at, number) else {
            texts.push(None);
            continue;
        };
        let sealed = STANDARD_NO_PAD.decode(sealed).ok()?;
        let mut text = vec![b'['];
        text.extend(key.cipher.open_only(sealed, &bound).ok()?);
        text.push(b']');
        texts.push(Some((key, text)));
    }
    let mut people = Vec::with_capacity(texts.len());
    for text in &texts {
        let Some((key, text)) = text else {
            people.push(None);
            continue;
        };
        let values: Vec<&RawValue> = serde_json::from_slice(text).ok()?;
        people.push(Some((*key, values.into_iter())));
    }
    let (mut opened, mut from) = (String::with_capacity(payload.len()), 0);
    for (places, number) in taken.places {
        opened.push_str(taken.rest.get(from..places.start)?);
        match people.get_mut(number)? {
            None => opened.push_str(ERASED),
            Some((key, values)) => opened.push_str(&in_clear(key, place, values.next()?.get())),
        }
        from = places.end;
    }
    opened.push_str(taken.rest.get(from..)?);
    let mut values = people.into_iter().flatten();
    values
        .all(|(_, mut left)| left.next().is_none())
        .then_some(opened)
}

/// A sealed payload, as `seal::TakenApart` was when it was sealed.
struct TakenApart<'a> {
    rest: String,
    /// By the numbers of their keys, in base64.
    texts: Vec<&'a str>,
    /// Of each sealed value, where it stands in `rest`, and the number of its key.
    places: Vec<(Range<usize>, usize)>,
}

impl<'a> TakenApart<'a> {
    fn of(payload: &'a str) -> Option<Self> {
        let mut taken = Self {
            rest: String::with_capacity(payload.len()),
            texts: Vec::new(),
            places: Vec::new(),
        };
        let mut left = payload;
        while let Some((before, sealed)) = split_at_mark(left, SEAL) {
            taken.rest.push_str(before);
            let start = taken.rest.len();
            let (text, numbered) = sealed.split_once(NUMBER)?;
            let (digits, after) = numbered.split_once('}')?;
            let number: usize = digits.parse().ok()?;
            match number.cmp(&taken.texts.len()) {
                Ordering::Less if text.is_empty() => {}
                Ordering::Equal => taken.texts.push(text),
                _ => return None,
            }
            for part in [SEAL, NUMBER, digits, "}"] {
                taken.rest.push_str(part);
            }
            taken.places.push((start..taken.rest.len(), number));
            left = after;
        }
        taken.rest.push_str(left);
        Some(taken)
    }
}

fn in_clear(key: &RingKey, place: &Place<'_>, value: &str) -> String {
    if key.person == place.aggregate_id {
        format!(r#"{{"{CLEAR}":{value}}}"#)
    } else {
        format!(r#"{{"{CLEAR}":{value},"{PERSON}":"{}"}}"#, key.person)
    }
}

/// Each value is bound to its event and JSON pointer.
fn open_each(keys: &KeyRing, place: &Place<'_>, payload: &str) -> Option<String> {
    let opened = rewrite(payload, SEALED, &mut |pointer, marked| {
        let Some(key) = keys.named(named_key(marked).ok_or(())?) else {
            return Ok(Some(ERASED.to_owned()));
        };
        let sealed = member(marked, SEALED).and_then(|text| serde_json::from_str::<Cow<'_, str>>(text).ok());
        let sealed = sealed.and_then(|text| STANDARD_NO_PAD.decode(text.as_bytes()).ok());
        let value = key.cipher.open(&sealed.ok_or(())?, &place.and(pointer));
        let value = String::from_utf8(value.map_err(|_| ())?).map_err(|_| ())?;
        Ok(Some(in_clear(key, place, &value)))
    });
    opened.map_err(|_: Unwritten<()>| ()).ok()
}

/// Adds the ids of the keys that a payload names whose values are sealed each by itself.
pub(super) fn names_keys(payload: &str, ids: &mut Vec<Uuid>) {
    // What can't be read here can't be opened either, and that is where it is reported.
    let _ = rewrite(payload, SEALED, &mut |_, marked| {
        ids.extend(named_key(marked));
        Ok::<_, ()>(None)
    });
}

fn named_key(marked: &Marked<'_>) -> Option<Uuid> {
    serde_json::from_str(member(marked, KEY)?).ok()
}
