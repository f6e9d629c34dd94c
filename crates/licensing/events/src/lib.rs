//! The facts of the license shop: every event that its log can hold, with versioned payloads.
//!
//! One file per aggregate. A payload is a plain struct; the enum next to it is what the aggregate applies. Published
//! shapes never change: a new shape is a new version. Personal data is [`envelope::Personal`] wherever it stands.

pub mod aggregate_type;
mod batches;
mod clubs;
mod declare;
mod keyring;
mod letters;
mod license_types;
mod licenses;
mod orders;
mod people;
mod persons;
mod receipts;
mod refunds;
mod scans;
mod schema;
mod shape;
mod suspensions;
mod terms;
mod upcast;
mod users;

pub use batches::*;
pub use clubs::*;
pub use keyring::*;
pub use letters::*;
pub use license_types::*;
pub use licenses::*;
pub use orders::*;
pub use people::*;
pub use persons::*;
pub use receipts::*;
pub use refunds::*;
pub use scans::*;
pub use schema::EventSchema;
pub use shape::written;
pub use suspensions::*;
pub use terms::*;
pub use users::*;
pub use vocabulary::{BatchKind, Category, ErasureGround, ItemOutcome, Role, Standing, Verdict};

use envelope::{DecodeError, EventPayload, RecordedEvent};

/// The stream that carries the log to its readers: the declaration in `nats/stream.json`.
pub const STREAM_DECLARATION: &str = include_str!("../../../../nats/stream.json");

/// Any event of the shop, for readers that follow the whole log.
#[expect(
    clippy::large_enum_variant,
    reason = "decoded, applied and dropped: a box per event would cost more than it saves"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of an order.
    Order(OrderEvent),
    /// Of a license.
    License(LicenseEvent),
    /// Of a license type.
    LicenseType(LicenseTypeEvent),
    /// Of a club.
    Club(ClubEvent),
    /// Of a user.
    User(UserEvent),
    /// Of a series of receipts.
    ReceiptSeries(ReceiptSeriesEvent),
    /// Of the letters of an order.
    Letters(LettersEvent),
    /// Of the terms.
    Terms(TermsEvent),
    /// Of a suspension.
    Suspension(SuspensionEvent),
    /// Of an erased person.
    Person(PersonEvent),
    /// Of the master keys.
    Keyring(KeyringEvent),
    /// Of a batch.
    Batch(BatchEvent),
}

impl Event {
    /// What `recorded` is to this build: most often one event; none if it was dropped, several if it was split.
    ///
    /// Every reader of the whole log decodes events by this function. Events that merge with their successor stay separate
    /// here: only an aggregate's own replay sees two events at once.
    pub fn read(recorded: &RecordedEvent) -> Result<Vec<Self>, DecodeError> {
        fn of<E: EventPayload>(
            recorded: &RecordedEvent,
            event: impl Fn(E) -> Event,
        ) -> Result<Vec<Event>, DecodeError> {
            let (name, version) = (&recorded.event_type, &recorded.event_version);
            let read = E::read(name, version, recorded.payload.get())?;
            Ok(read.into_iter().map(event).collect())
        }
        match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => of(recorded, Self::Order),
            aggregate_type::LICENSE => of(recorded, Self::License),
            aggregate_type::LICENSE_TYPE => of(recorded, Self::LicenseType),
            aggregate_type::CLUB => of(recorded, Self::Club),
            aggregate_type::USER => of(recorded, Self::User),
            aggregate_type::RECEIPT_SERIES => of(recorded, Self::ReceiptSeries),
            aggregate_type::LETTERS => of(recorded, Self::Letters),
            aggregate_type::TERMS => of(recorded, Self::Terms),
            aggregate_type::SUSPENSION => of(recorded, Self::Suspension),
            aggregate_type::PERSON => of(recorded, Self::Person),
            aggregate_type::KEYRING => of(recorded, Self::Keyring),
            aggregate_type::BATCH => of(recorded, Self::Batch),
            _ => Err(DecodeError::unknown(
                &recorded.event_type,
                &recorded.event_version,
            )),
        }
    }
}

#[cfg(test)]
mod tests;
