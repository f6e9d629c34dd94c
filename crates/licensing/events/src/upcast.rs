//! What became of event versions that this build no longer writes. The log keeps them for ever; here they are read.
//!
//! A version that gets a successor moves from its `events!` list to this table: its upcaster makes the newer version's
//! payload of it, or several events, or none. `schemas/samples` has one payload of every version ever published, and a
//! test reads each of them by way of this table.

use std::borrow::Cow;

use envelope::{Facts, Merger, Upcaster};

/// An older version whose payloads are payloads of the newer one, which only has more that may be absent.
macro_rules! same_payload {
    ($event_type:literal, $from:literal, $to:literal) => {
        Upcaster {
            event_type: $event_type,
            event_version: $from,
            upcast: |payload| {
                Ok(vec![Facts {
                    event_type: Cow::Borrowed($event_type),
                    event_version: Cow::Borrowed($to),
                    payload: Cow::Owned(payload.to_owned()),
                }])
            },
        }
    };
}

/// By type and version.
pub(crate) const UPCASTERS: &[Upcaster] = &[
    // Version 2 may name the holder's id, the cap, the tax and the moment of acceptance. Without them it is version 1.
    same_payload!("OrderPlaced", "1", "2"),
    same_payload!("LicenseIssued", "1", "2"),
    same_payload!("LicenseTypeCreated", "1", "2"),
    // Version 2 has one more reason.
    same_payload!("RefundRequested", "1", "2"),
];

/// Pairs that became one event. Seen only where one aggregate's whole run is read, never by projections.
pub(crate) const MERGERS: &[Merger] = &[];
