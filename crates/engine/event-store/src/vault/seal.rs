//! Sealing the events of a command, and opening payloads.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::VaultError;
use super::cipher::{Cipher, Place, random_key};
use super::json::{Marked, Unwritten, rewrite};
use super::keeper::Vault;
use super::keys::{DataKey, KeyRing, bound};
use crate::append::NewEvent;

const CLEAR: &str = "$clear";
const PERSON: &str = "$person";
const SEALED: &str = "$sealed";
const KEY: &str = "$key";

/// Keys of one command, by aggregate and person.
type Fresh = HashMap<(Uuid, Uuid), (Uuid, Cipher)>;

impl Vault {
    /// Seals what these events, of one command, mark. Returns the keys, to be recorded with them.
    pub(crate) fn seal(&self, events: &mut [NewEvent]) -> Result<Vec<DataKey>, VaultError> {
        let (mut fresh, mut rows) = (Fresh::new(), Vec::new());
        for event in events {
            if !is_clear(event.payload.get()) {
                continue;
            }
            let sealed = {
                let event = &*event;
                rewrite(event.payload.get(), CLEAR, &mut |pointer, marked| {
                    self.seal_value(event, pointer, marked, &mut fresh, &mut rows)
                        .map(Some)
                })
            };
            let sealed = sealed.map_err(|error| not_written(error, VaultError::NotSealed))?;
            event.payload = RawValue::from_string(sealed).map_err(|_| VaultError::NotSealed)?;
        }
        Ok(rows)
    }

    fn seal_value(
        &self,
        event: &NewEvent,
        pointer: &str,
        marked: &Marked<'_>,
        fresh: &mut Fresh,
        rows: &mut Vec<DataKey>,
    ) -> Result<String, VaultError> {
        let value = member(marked, CLEAR).ok_or(VaultError::NotSealed)?;
        let person = match member(marked, PERSON) {
            None => event.aggregate_id,
            Some(person) => serde_json::from_str(person).map_err(|_| VaultError::NotSealed)?,
        };
        let of = (event.aggregate_id, person);
        let (id, cipher) = match fresh.entry(of) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let (row, cipher) = self.fresh_key(event.aggregate_type.clone(), of)?;
                let id = row.id;
                rows.push(row);
                new.insert((id, cipher))
            }
        };
        let sealed = cipher
            .seal_at(&place(event), pointer, value)
            .ok_or(VaultError::NotSealed)?;
        let sealed = STANDARD_NO_PAD.encode(sealed);
        Ok(format!(r#"{{"{SEALED}":"{sealed}","{KEY}":"{id}"}}"#))
    }

    fn fresh_key(
        &self,
        aggregate_type: Cow<'static, str>,
        (aggregate_id, person): (Uuid, Uuid),
    ) -> Result<(DataKey, Cipher), VaultError> {
        let (id, master) = (Uuid::now_v7(), self.current());
        let key = random_key().ok_or(VaultError::NotSealed)?;
        let wrapped = Self::wrap(&master, &bound(aggregate_id, id, person), &key)?;
        let row = DataKey {
            aggregate_type,
            aggregate_id,
            id,
            person,
            master_key: master.active().clone(),
            wrapped,
        };
        Ok((row, Cipher::new(&key).ok_or(VaultError::NotSealed)?))
    }
}

/// The payload with every sealed value in clear, or erased where its key is gone; `None` if there is no sealed one.
pub(super) fn open(keys: &KeyRing, place: &Place<'_>, payload: &str) -> Result<Option<String>, VaultError> {
    if !is_sealed(payload) {
        return Ok(None);
    }
    let not_opened = || VaultError::NotOpened {
        aggregate_type: place.aggregate_type.to_owned(),
        aggregate_id: place.aggregate_id,
        sequence: place.sequence,
    };
    let opened = rewrite(payload, SEALED, &mut |pointer, marked| {
        let id = named_key(marked).ok_or_else(not_opened)?;
        let Some(key) = keys.get(id) else {
            return Ok(Some(r#"{"$erased":true}"#.to_owned()));
        };
        let sealed = member(marked, SEALED).and_then(|text| serde_json::from_str::<Cow<'_, str>>(text).ok());
        let sealed = sealed.and_then(|text| STANDARD_NO_PAD.decode(text.as_bytes()).ok());
        let sealed = sealed.ok_or_else(not_opened)?;
        let value = key
            .cipher
            .open_at(place, pointer, &sealed)
            .map_err(|_| not_opened())?;
        Ok(Some(if key.person == place.aggregate_id {
            format!(r#"{{"{CLEAR}":{value}}}"#)
        } else {
            format!(r#"{{"{CLEAR}":{value},"{PERSON}":"{}"}}"#, key.person)
        }))
    });
    opened.map(Some).map_err(|error| not_written(error, not_opened()))
}

/// Adds the ids of the keys that a payload names.
pub(super) fn names_keys(payload: &str, ids: &mut Vec<Uuid>) {
    if !is_sealed(payload) {
        return;
    }
    // What can't be read here can't be opened either, and that is where it is reported.
    let _ = rewrite(payload, SEALED, &mut |_, marked| {
        ids.extend(named_key(marked));
        Ok::<_, VaultError>(None)
    });
}

/// Whether a payload holds sealed personal data, exactly as it is written here. In a text, the quotes would be escaped.
pub(crate) fn is_sealed(payload: &str) -> bool {
    payload.contains(r#"{"$sealed":""#)
}

/// Whether JSON may hold personal data in clear.
pub fn is_clear(json: &str) -> bool {
    json.contains(r#""$clear""#)
}

fn named_key(marked: &Marked<'_>) -> Option<Uuid> {
    serde_json::from_str(member(marked, KEY)?).ok()
}

fn member<'a>(marked: &Marked<'a>, name: &str) -> Option<&'a str> {
    let found = marked.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.get())
}

fn not_written(error: Unwritten<VaultError>, not_json: VaultError) -> VaultError {
    match error {
        Unwritten::Replacing(error) => error,
        Unwritten::NotJson => not_json,
    }
}

fn place(event: &NewEvent) -> Place<'_> {
    Place {
        aggregate_type: &event.aggregate_type,
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
    }
}
