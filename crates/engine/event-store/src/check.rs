//! Checks a command before it waits for a batch, so that neither the other commands of the batch nor a reader meets values
//! that they can't take.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use envelope::Metadata;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use uuid::Uuid;

use crate::append::{Append, IdempotencyKey, NewEvent, Past};
use crate::claims::{Claims, Release};

/// Most characters of a scope, a key, a token or a text of the metadata.
const MAX_CHARS: usize = 255;
/// Most events of one command.
const MAX_EVENTS: usize = 10_000;
/// Most claims that one command takes and releases.
const MAX_CLAIMS: usize = 1_000;

type Checked = Result<(), String>;

/// An error is the reason why the command can never be recorded.
pub(crate) fn check(append: &Append, max_payload_bytes: usize) -> Checked {
    let Append {
        key,
        response,
        events,
        claims,
        metadata,
    } = append;
    check_key(key)?;
    if response.len() > max_payload_bytes {
        return Err(format!("the response is larger than {max_payload_bytes} bytes"));
    }
    object(response)?;
    check_metadata(metadata)?;
    if events.len() > MAX_EVENTS {
        return Err(format!("a command has more than {MAX_EVENTS} events"));
    }
    for event in events {
        check_event(event, max_payload_bytes)?;
    }
    check_order(events)?;
    check_claims(claims)
}

/// An error is the reason why this can't be part of a history.
pub(crate) fn check_past(past: &Past, max_payload_bytes: usize) -> Checked {
    check_metadata(&past.metadata)?;
    for event in &past.events {
        check_event(event, max_payload_bytes)?;
    }
    check_order(&past.events)?;
    if past.events.is_empty() {
        return Err("a command of a history has no events".into());
    }
    if !past.claims.guard.is_empty() {
        return Err("a command of a history has guards".into());
    }
    check_claims(&past.claims)
}

/// Sealed payloads are larger than in clear.
pub(crate) fn check_sizes(events: &[NewEvent], max_payload_bytes: usize) -> Checked {
    if events
        .iter()
        .any(|event| event.payload.get().len() > max_payload_bytes)
    {
        return Err(format!(
            "a sealed payload is larger than {max_payload_bytes} bytes"
        ));
    }
    Ok(())
}

fn check_key(key: &IdempotencyKey) -> Checked {
    text("the idempotency key's scope", &key.scope)?;
    text("the idempotency key", &key.key)?;
    if key.request_hash == [0; 32] {
        return Err("the idempotency key has no hash of its request".into());
    }
    Ok(())
}

fn check_metadata(metadata: &Metadata) -> Checked {
    let Metadata {
        request_id,
        correlation_id,
        actor,
        actor_role,
        traceparent,
        causation_position: _,
    } = metadata;
    let texts = [request_id, correlation_id, actor, actor_role, traceparent];
    for text in texts.into_iter().flatten() {
        if text.contains('\0') {
            return Err(r"the metadata has \u0000, which is no character of any text".into());
        }
        if text.chars().count() > MAX_CHARS {
            return Err(format!(
                "the metadata has a text of more than {MAX_CHARS} characters"
            ));
        }
    }
    Ok(())
}

fn check_event(event: &NewEvent, max_payload_bytes: usize) -> Checked {
    token("an aggregate's type", &event.aggregate_type)?;
    token("an event's type", &event.event_type)?;
    token("an event's version", &event.event_version)?;
    if event.aggregate_id.is_nil() {
        return Err("an aggregate's id is nil".into());
    }
    let payload = event.payload.get();
    if payload.len() > max_payload_bytes {
        return Err(format!(
            "an event's payload is larger than {max_payload_bytes} bytes"
        ));
    }
    no_broken_escape("an event's payload", payload)
}

/// Each aggregate's events must follow each other, from any sequence on.
fn check_order(events: &[NewEvent]) -> Checked {
    let mut due: HashMap<(&str, Uuid), u64> = HashMap::new();
    for event in events {
        let (kind, id, sequence) = (&*event.aggregate_type, event.aggregate_id, event.sequence);
        if sequence == 0 || i64::try_from(sequence).is_err() {
            return Err(format!("{kind} {id} has no sequence {sequence}"));
        }
        match due.entry((kind, id)) {
            Entry::Vacant(first) => _ = first.insert(sequence + 1),
            Entry::Occupied(due) if *due.get() != sequence => {
                let due = due.get();
                return Err(format!("{kind} {id} has sequence {sequence} where {due} is due"));
            }
            Entry::Occupied(mut due) => *due.get_mut() += 1,
        }
    }
    Ok(())
}

fn check_claims(claims: &Claims) -> Checked {
    if claims.steps() > MAX_CLAIMS {
        return Err(format!(
            "a command takes and releases more than {MAX_CLAIMS} claims"
        ));
    }
    let released = claims.release.iter().map(|release| match release {
        Release::One { scope, key, owner } => (Some((scope, key)), owner),
        Release::All(owner) => (None, owner),
    });
    let taken = claims
        .take
        .iter()
        .map(|claim| (Some((&claim.scope, &claim.key)), &claim.owner));
    for (claim, owner) in released.chain(taken) {
        if let Some((scope, key)) = claim {
            text("a claim's scope", scope)?;
            text("a claim's key", key)?;
        }
        if owner.is_nil() {
            return Err("a claim's owner is nil".into());
        }
    }
    for guard in &claims.guard {
        text("a claim's scope", &guard.scope)?;
        text("a claim's key", &guard.key)?;
    }
    if claims
        .take
        .iter()
        .any(|claim| claim.at_most == 0 || i32::try_from(claim.at_most).is_err())
    {
        return Err(format!("a claim may be held by 1 to {} at a time", i32::MAX));
    }
    Ok(())
}

/// 1 to 255 characters, none of them NUL, which no database text can hold.
fn text(what: &str, text: &str) -> Checked {
    if text.contains('\0') {
        return Err(format!(r"{what} has \u0000, which is no character of any text"));
    }
    if !(1..=MAX_CHARS).contains(&text.chars().count()) {
        return Err(format!("{what} must have 1 to {MAX_CHARS} characters"));
    }
    Ok(())
}

/// One token of a subject on the bus.
fn token(what: &str, token: &str) -> Checked {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>');
    if (1..=MAX_CHARS).contains(&token.len()) && token.bytes().all(fits) {
        return Ok(());
    }
    Err(format!(
        "{what}, {token:?}, must be 1 to {MAX_CHARS} visible ASCII characters other than . * and >"
    ))
}

/// A JSON object without blanks around it and without a `position`, which the answer adds.
fn object(json: &str) -> Checked {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = bool;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<bool, M::Error> {
            let mut has_position = false;
            while let Some((name, IgnoredAny)) = members.next_entry::<Cow<'de, str>, _>()? {
                has_position |= name == "position";
            }
            Ok(has_position)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let members = deserializer.deserialize_map(Members);
    match members.and_then(|has_position| deserializer.end().map(|()| has_position)) {
        Ok(false) if json.starts_with('{') && json.ends_with('}') => no_broken_escape("the response", json),
        Ok(true) => Err("the response has a position, which is the log's to add".into()),
        Ok(false) | Err(_) => Err("the response must be a JSON object and nothing else".into()),
    }
}

fn no_broken_escape(what: &str, json: &str) -> Checked {
    broken_escape(json).map_or(Ok(()), |escape| {
        Err(format!("{what} has {escape}, which is no character of any text"))
    })
}

/// The first escape in this JSON that stands for no character: `\u0000`, or half of a surrogate pair.
fn broken_escape(json: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(at) = json.get(from..)?.find('\\') {
        let at = from + at;
        let Some(unit) = code_unit(json, at) else {
            from = at + 2;
            continue;
        };
        from = at + 6;
        match unit {
            0xd800..=0xdbff if matches!(code_unit(json, from), Some(0xdc00..=0xdfff)) => from += 6,
            0 | 0xd800..=0xdfff => return json.get(at..at + 6),
            _ => {}
        }
    }
    None
}

/// The UTF-16 code unit that is written as `\uXXXX` here.
fn code_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{broken_escape, object};

    #[test]
    fn escapes_that_stand_for_no_character_are_found() {
        for (json, broken) in [
            (r#"{"a":"plain"}"#, None),
            (r#"{"a":"\"\\\/\b\f\n\r\t\u00e6"}"#, None),
            (r#"{"a":"\u0000"}"#, Some(r"\u0000")),
            (r#"{"a":"\\u0000"}"#, None),
            (r#"{"a":"\\\u0000"}"#, Some(r"\u0000")),
            (r#"{"\u0000":1}"#, Some(r"\u0000")),
            (r#"{"a":"\ud83c\udfc1"}"#, None),
            (r#"{"a":"\uD83C\uDFC1 \ud83c"}"#, Some(r"\ud83c")),
            (r#"{"a":"\udfc1\ud83c"}"#, Some(r"\udfc1")),
            (r#"{"a":"\ud83c\u0041"}"#, Some(r"\ud83c")),
            (r#"{"a":"\ud83cx"}"#, Some(r"\ud83c")),
            (r#"{"a":"æ\\ø🏁"}"#, None),
        ] {
            assert_eq!(broken_escape(json), broken, "{json}");
        }
    }

    #[test]
    fn a_response_is_an_object_without_a_position() {
        for good in ["{}", r#"{"a":1}"#, r#"{"a":{"position":1},"b":"}"}"#] {
            assert_eq!(object(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "null",
            "7",
            "[]",
            r#""{}""#,
            "{",
            "{}}",
            "{} ",
            " {}",
            r#"{"a":1}{"#,
            r#"{"a":}"#,
            r#"{"position":1}"#,
            r#"{"posi\u0074ion":1}"#,
            r#"{"a":"\ud83c"}"#,
        ] {
            assert!(object(bad).is_err(), "{bad}");
        }
    }
}
