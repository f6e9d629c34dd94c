//! The events of an account.

use envelope::{DecodeError, RecordedEvent};
use event_store::NewEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

pub(crate) const ACCOUNT: &str = "account";

pub(crate) const OPENED: &str = "Opened";
pub(crate) const DEPOSITED: &str = "Deposited";
pub(crate) const WITHDRAWN: &str = "Withdrawn";

/// The payload of every event.
#[derive(Serialize, Deserialize)]
pub(crate) struct Amount {
    pub(crate) cents: i64,
}

/// The amount of an event that this build knows.
pub(crate) fn decode(event: &RecordedEvent) -> Result<Amount, DecodeError> {
    let (kind, version) = (event.event_type.as_str(), event.event_version.as_str());
    if ![OPENED, DEPOSITED, WITHDRAWN].contains(&kind) || version != "1" {
        return Err(DecodeError::Unknown {
            event_type: kind.to_owned(),
            event_version: version.to_owned(),
        });
    }
    serde_json::from_str(event.payload.get()).map_err(|error| DecodeError::malformed(kind, version, &error))
}

/// An event of an account, to be appended.
pub(crate) fn event(account: Uuid, sequence: u64, event_type: &'static str, cents: i64) -> NewEvent {
    NewEvent {
        aggregate_type: ACCOUNT.into(),
        aggregate_id: account,
        sequence,
        event_type: event_type.into(),
        event_version: "1".into(),
        payload: to_raw_value(&Amount { cents }).unwrap(),
    }
}
