//! The list of every event's schema. `schemas/` is written from it, for readers that do not share these types.

use schemars::Schema;

use crate::aggregate_type;
use crate::batches::BatchEvent;
use crate::clubs::ClubEvent;
use crate::keyring::KeyringEvent;
use crate::letters::LettersEvent;
use crate::license_types::LicenseTypeEvent;
use crate::licenses::LicenseEvent;
use crate::orders::OrderEvent;
use crate::persons::PersonEvent;
use crate::receipts::ReceiptSeriesEvent;
use crate::suspensions::SuspensionEvent;
use crate::terms::TermsEvent;
use crate::users::UserEvent;

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
            (aggregate_type::USER, UserEvent::schemas()),
            (aggregate_type::RECEIPT_SERIES, ReceiptSeriesEvent::schemas()),
            (aggregate_type::LETTERS, LettersEvent::schemas()),
            (aggregate_type::TERMS, TermsEvent::schemas()),
            (aggregate_type::SUSPENSION, SuspensionEvent::schemas()),
            (aggregate_type::PERSON, PersonEvent::schemas()),
            (aggregate_type::KEYRING, KeyringEvent::schemas()),
            (aggregate_type::BATCH, BatchEvent::schemas()),
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
