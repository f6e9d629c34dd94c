//! The identity of an event at a place in the log.
//!
//! A position alone does not identify an event: a log that lost its last events uses their positions again.
//! A reader that resumes after an event therefore stores its [`Fingerprint`] and compares it with the log at that position.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::{LogPage, Position, RecordedEvent};

/// Bytes of a fingerprint: enough that two events never share one by accident.
const BYTES: usize = 16;
/// Keeps these hashes apart from any others, and from those of another recipe.
const RECIPE: &[u8] = b"event fingerprint 1";

/// The beginning of a SHA-256 of one recorded event.
///
/// Made of what log and bus carry unchanged: the fields, and the bytes of the payload. It depends neither on how the
/// envelope is printed nor on the payload version that a build reads. Metadata counts field
/// by field, so that a field which a later build adds changes no fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; BYTES]);

/// A place in the log and, where that is known, which event stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The place.
    pub position: Position,
    /// The event there; none if it is not known, or at [`Position::START`], where no event stands.
    pub fingerprint: Option<Fingerprint>,
}

/// A log that does not hold the event of a [`Mark`], although its epoch is the same: another log, or this one after it
/// lost its last events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The log ends before the mark.
    #[error(
        "the log ends at {head}, before position {position}, which was read from it: it was restored without a new epoch"
    )]
    Ends {
        /// The end of the log.
        head: Position,
        /// The mark.
        position: Position,
    },
    /// Another event stands there.
    #[error(
        "the log holds another event at position {position} than was read from it: it was restored without a new epoch"
    )]
    Differs {
        /// The mark.
        position: Position,
    },
}

impl Fingerprint {
    /// The fingerprint of an event.
    pub fn of(event: &RecordedEvent) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(RECIPE);
        let metadata = &event.metadata;
        let causation = metadata
            .causation_position
            .map(|position| position.get().to_string());
        for number in [
            event.position.get().to_be_bytes(),
            event.sequence.to_be_bytes(),
            event.recorded_at.timestamp_micros().to_be_bytes(),
        ] {
            hash.update(&number);
        }
        hash.update(event.aggregate_id.as_bytes());
        for text in [
            Some(event.aggregate_type.as_str()),
            Some(event.event_type.as_str()),
            Some(event.event_version.as_str()),
            Some(event.payload.get()),
            metadata.request_id.as_deref(),
            metadata.correlation_id.as_deref(),
            causation.as_deref(),
            metadata.actor.as_deref(),
            // Not the role: builds that do not know it have stored fingerprints of events that have one.
            metadata.traceparent.as_deref(),
        ] {
            // With its length, so that no two lists of texts look alike; an absent one has a length of its own.
            hash.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
            hash.update(text.unwrap_or_default().as_bytes());
        }
        let mut bytes = [0; BYTES];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finish().as_ref()) {
            *byte = *hashed;
        }
        Self(bytes)
    }

    /// Its stored form.
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// From its stored form; none if the bytes are no fingerprint.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Mark {
    /// Before the first event.
    pub const START: Self = Self {
        position: Position::START,
        fingerprint: None,
    };

    /// The place of an event.
    pub fn of(event: &RecordedEvent) -> Self {
        Self {
            position: event.position,
            fingerprint: Some(Fingerprint::of(event)),
        }
    }

    /// Arguments of [`crate::LogReader::read_page`] for at most `limit` events after this place and the proof that they follow
    /// it: after which position, and how many.
    pub fn reading(self, limit: u32) -> (Position, u32) {
        if self.fingerprint.is_none() {
            return (self.position, limit);
        }
        let before = Position::new(self.position.get().saturating_sub(1));
        (before, limit.saturating_add(1))
    }

    /// Checks with a page that was read with [`Mark::reading`] that the log still holds the event here, and removes that event
    /// from the page. Without a fingerprint only the end of the log can contradict.
    pub fn prove(self, page: &mut LogPage) -> Result<(), Contradiction> {
        let (position, head) = (self.position, page.head.position);
        if head < position {
            return Err(Contradiction::Ends { head, position });
        }
        let Some(fingerprint) = self.fingerprint else {
            return Ok(());
        };
        let first = page.events.first().filter(|first| first.position == position);
        if first.is_none_or(|first| Fingerprint::of(first) != fingerprint) {
            return Err(Contradiction::Differs { position });
        }
        page.events.remove(0);
        Ok(())
    }

    /// Whether an event that names `previous` as its predecessor comes directly after the event here. Where that is not known
    /// only the position counts.
    pub fn precedes(self, position: Position, previous: Option<Fingerprint>) -> bool {
        position == self.position.next() && (self.fingerprint.is_none() || previous == self.fingerprint)
    }
}

impl From<Position> for Mark {
    /// A place of which only the position is known.
    fn from(position: Position) -> Self {
        Self {
            position,
            fingerprint: None,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 hexadecimal digits")]
pub struct BadFingerprint;

impl std::str::FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        if text.len() != 2 * BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadFingerprint);
        }
        let mut bytes = [0; BYTES];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadFingerprint)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::{Contradiction, Fingerprint, Mark};
    use crate::{LogHead, LogPage, Metadata, Position, RecordedEvent};

    fn event(position: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(position),
            aggregate_type: "account".into(),
            aggregate_id: Uuid::from_u128(9),
            sequence: 1,
            event_type: "AccountOpened".into(),
            event_version: "1".into(),
            payload: serde_json::from_str(r#"{"b":1.50,  "a":"\u00e5"}"#).unwrap(),
            metadata: Metadata {
                request_id: Some("r-1".into()),
                ..Metadata::default()
            },
            recorded_at: DateTime::<Utc>::from_timestamp_micros(1_760_000_000_120_000).unwrap(),
        }
    }

    /// As the bus prints it, in another order and with other spaces, and in a build that knows more fields.
    #[test]
    fn how_the_envelope_is_printed_does_not_matter() {
        let printed = serde_json::to_string(&event(7)).unwrap();
        let read: RecordedEvent = serde_json::from_str(&printed).unwrap();
        let again = r#"{ "recorded_at": "2025-10-09T10:53:20.12+02:00", "metadata": {"later": 1, "request_id": "r-1"},
            "payload": {"b":1.50,  "a":"\u00e5"}, "event_version": "1", "event_type": "AccountOpened", "sequence": 1,
            "aggregate_id": "00000000-0000-0000-0000-000000000009", "aggregate_type": "account", "position": 7 }"#;
        let again: RecordedEvent = serde_json::from_str(again).unwrap();
        let fingerprint = Fingerprint::of(&event(7));
        assert_eq!(Fingerprint::of(&read), fingerprint);
        assert_eq!(Fingerprint::of(&again), fingerprint);
        // A recipe that changes makes every stored fingerprint contradict its log.
        assert_eq!(fingerprint.to_string(), "885e4759885eda9472c6c5b34d4804f7");
    }

    #[test]
    fn every_field_matters() {
        let changes: [fn(&mut RecordedEvent); 13] = [
            |event| event.position = Position::new(8),
            |event| event.aggregate_type = "branch".into(),
            |event| event.aggregate_id = Uuid::from_u128(10),
            |event| event.sequence = 2,
            |event| event.event_type = "Deposited".into(),
            |event| event.event_version = "2".into(),
            |event| event.payload = serde_json::from_str("{}").unwrap(),
            |event| event.recorded_at += chrono::TimeDelta::microseconds(1),
            |event| event.metadata.request_id = None,
            |event| event.metadata.correlation_id = Some("r-1".into()),
            |event| event.metadata.causation_position = Some(Position::new(1)),
            |event| event.metadata.actor = Some(String::new()),
            |event| event.metadata.traceparent = Some("t".into()),
        ];
        let mut seen = vec![Fingerprint::of(&event(7))];
        for change in changes {
            let mut altered = event(7);
            change(&mut altered);
            let fingerprint = Fingerprint::of(&altered);
            assert!(!seen.contains(&fingerprint), "{altered:?}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn stored_and_printed_it_is_the_same() {
        let fingerprint = Fingerprint::of(&event(7));
        assert_eq!(Fingerprint::from_bytes(fingerprint.bytes()), Some(fingerprint));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(Fingerprint::from_bytes(&[1, 2]), None);
        for wrong in [
            "",
            "00",
            "+0112233445566778899aabbccddeeff",
            "zz112233445566778899aabbccddeeff",
        ] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_proves_the_place_or_contradicts_it() {
        let page = |head, events: &[RecordedEvent]| LogPage {
            head: LogHead {
                position: Position::new(head),
                epoch: Uuid::nil(),
            },
            events: events.to_vec(),
        };
        let mark = Mark::of(&event(7));
        assert_eq!(mark.reading(5), (Position::new(6), 6));
        let mut good = page(8, &[event(7), event(8)]);
        assert_eq!(mark.prove(&mut good), Ok(()));
        assert_eq!(good.events, [event(8)]);
        let mut other = event(7);
        other.sequence = 2;
        let position = Position::new(7);
        for (mut page, why) in [
            (page(8, &[other, event(8)]), Contradiction::Differs { position }),
            (page(8, &[]), Contradiction::Differs { position }),
            (page(8, &[event(8)]), Contradiction::Differs { position }),
            (
                page(6, &[]),
                Contradiction::Ends {
                    head: Position::new(6),
                    position,
                },
            ),
        ] {
            assert_eq!(mark.prove(&mut page), Err(why));
        }
        let unknown = Mark::from(position);
        assert_eq!(unknown.reading(5), (position, 5));
        assert_eq!(unknown.prove(&mut page(7, &[])), Ok(()));
        assert!(unknown.prove(&mut page(6, &[])).is_err());
        assert_eq!(Mark::START.prove(&mut page(0, &[])), Ok(()));
    }

    #[test]
    fn only_what_names_the_event_here_follows_it() {
        let (mark, next) = (Mark::of(&event(7)), Position::new(8));
        assert!(mark.precedes(next, mark.fingerprint));
        assert!(!mark.precedes(next, None) && !mark.precedes(next, Some(Fingerprint::of(&event(6)))));
        assert!(!mark.precedes(Position::new(9), mark.fingerprint));
        assert!(Mark::from(Position::new(7)).precedes(next, None));
        assert!(Mark::START.precedes(Position::new(1), None));
    }
}
