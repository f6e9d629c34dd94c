//! What the payloads look like to those who do not share these types: `schemas/` is written from here.

use schemars::Schema;

use crate::{ClubEvent, LicenseEvent, LicenseTypeEvent, OrderEvent, aggregate_type};

/// The shape of one event type in the version that this build writes.
#[derive(Clone, Debug)]
pub struct EventSchema {
    /// The kind of aggregate it happens to.
    pub aggregate_type: &'static str,
    /// What happens, for example `OrderPlaced`.
    pub event_type: &'static str,
    /// The version of the shape.
    pub event_version: &'static str,
    /// The payload, as JSON Schema 2020-12.
    pub schema: Schema,
}

impl EventSchema {
    /// Every event that this build writes.
    pub fn all() -> Vec<Self> {
        let kinds = [
            (aggregate_type::ORDER, OrderEvent::schemas()),
            (aggregate_type::LICENSE, LicenseEvent::schemas()),
            (aggregate_type::LICENSE_TYPE, LicenseTypeEvent::schemas()),
            (aggregate_type::CLUB, ClubEvent::schemas()),
        ];
        let of_kind = |(aggregate_type, schemas): (_, Vec<_>)| {
            schemas
                .into_iter()
                .map(move |(event_type, event_version, schema)| Self {
                    aggregate_type,
                    event_type,
                    event_version,
                    schema,
                })
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }
}
