//! The id of events: up to where a reader was told everything, so that a reader who comes back says it.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName};
use query::Checkpoint;
use read_model::changes::Place;
use uuid::Uuid;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a reader says to have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastEventId {
    /// The reader comes for the first time.
    Absent,
    /// No id of ours.
    Unknown,
    /// Everything up to there.
    At(Place),
}

impl LastEventId {
    /// The one of a request. One that can't be read is no reason to refuse: a browser can't send another.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(LAST_EVENT_ID).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Self::Absent,
            (Some(value), None) => value.as_bytes().trim_ascii(),
            (Some(_), Some(_)) => return Self::Unknown,
        };
        if value.is_empty() {
            return Self::Absent;
        }
        let text = std::str::from_utf8(value).ok();
        text.and_then(parsed).map_or(Self::Unknown, Self::At)
    }

    /// The position, or the beginning.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::At(place) => place.checkpoint.position,
            Self::Absent | Self::Unknown => 0,
        }
    }
}

/// As events carry it: epoch, position and parked events, so that it says nothing of a later epoch.
pub(super) fn written(place: Place) -> String {
    let mut text = place.checkpoint.epoch.simple().to_string();
    // Writing to a String can't fail.
    let _ = write!(text, ".{}.{}", place.checkpoint.position, place.parked);
    text
}

fn parsed(text: &str) -> Option<Place> {
    let mut parts = text.split('.');
    let place = Place {
        checkpoint: Checkpoint {
            epoch: Uuid::try_parse(parts.next()?).ok()?,
            position: parts.next()?.parse().ok()?,
        },
        parked: parts.next()?.parse().ok()?,
    };
    // Only as it is written here: no sign, no leading zero, no other form of the epoch.
    (written(place) == text).then_some(place)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use query::Checkpoint;
    use read_model::changes::Place;
    use uuid::Uuid;

    use super::{LAST_EVENT_ID, LastEventId, written};

    fn of(values: &[&[u8]]) -> LastEventId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LAST_EVENT_ID, HeaderValue::from_bytes(value).unwrap());
        }
        LastEventId::of(&headers)
    }

    #[test]
    fn an_id_is_read_as_it_was_written_and_in_no_other_form() {
        let place = Place {
            checkpoint: Checkpoint {
                position: 4711,
                epoch: Uuid::from_u128(7),
            },
            parked: 2,
        };
        let id = written(place);
        assert_eq!(of(&[id.as_bytes()]), LastEventId::At(place));
        assert_eq!(of(&[]), LastEventId::Absent);
        assert_eq!(of(&[b" "]), LastEventId::Absent);
        for wrong in [
            "4711",
            "x",
            &id.replace('.', "-"),
            &id.replace("4711", "+4711"),
            &id.replace("4711", "04711"),
            &id.replace("4711", "-1"),
            &id.replace("4711", "18446744073709551616"),
            &format!("{id}.1"),
            &format!("{}.4711.2", Uuid::from_u128(7)),
            &"9".repeat(30_000),
        ] {
            assert_eq!(of(&[wrong.as_bytes()]), LastEventId::Unknown, "{wrong}");
        }
        assert_eq!(of(&[b"\xff\xfe"]), LastEventId::Unknown);
        assert_eq!(of(&[id.as_bytes(), id.as_bytes()]), LastEventId::Unknown);
    }
}
