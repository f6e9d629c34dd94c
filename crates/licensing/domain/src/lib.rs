//! The rules of the license shop: a command goes in, events or a refusal come out.
//!
//! No I/O and no clock: what a rule needs (the time, the catalogue's price) comes with the command, so that every decision
//! can be repeated from the log.

mod aggregate;
mod batches;
mod clubs;
mod day;
mod findings;
mod holder;
mod ids;
mod letters;
mod license_types;
mod licenses;
mod orders;
mod people;
mod persons;
mod receipts;
mod refusal;
mod suspensions;
mod terms;
pub mod typed;
mod users;

pub use batches::{Batch, BatchCommand, MAX_ITEMS};
pub use clubs::{Club, ClubCommand};
pub use day::{last_day, time_of_day, today};
pub use holder::{HOLDER_KEY_MIN_BYTES, HolderKey};
pub use ids::{
    keyring_id, letter_id, letters_id, license_id, license_type_id, order_number, receipt_id,
    receipt_series_id, terms_id,
};
pub use letters::{Letter, LetterOutcome, Letters, LettersCommand, Recipient, SmtpReply};
pub use license_types::{LicenseType, LicenseTypeCommand, NewLicenseType, Offer};
pub use licenses::{CheckIn, CorrectLicense, FirstScan, GrantLicense, License, LicenseCommand, ScanReport};
pub use orders::{
    AskedLine, CapClaim, CapturePolicy, ClaimChange, DayClaim, Difference, LineClaims, MAX_LINES, Order,
    OrderClub, OrderCommand, Overrider, PaidOrder, PaymentBooks, PlaceOrder, RefundPolicy, RefundStep,
    RequestRefund, RequestedLine, Resolution, SeenPayment,
};
pub use people::{RequestedGuardian, RequestedHolder, RequestedVehicle};
pub use persons::{EraseHolder, Person, PersonCommand};
pub use receipts::{DueReceipt, ReceiptSeries, ReceiptSeriesCommand, due_receipts, moved_ore, receipt_year};
pub use refusal::{Field, Refusal, Rule};
pub use suspensions::{NewSuspension, RequestedPerson, Suspension, SuspensionCommand};
pub use terms::{NewTerms, TERMS_GRACE, Terms, TermsCommand, terms_version};
pub use typed::{club_identity, holder_identity};
pub use users::{ContactChange, MAX_CLUBS, User, UserCommand};

/// Names the shape of the aggregates and how they apply events. It changes with the source of this crate, of the events and
/// of the envelope, so that a snapshot is only read by the rules that made it.
pub const SCHEMA_FINGERPRINT: &str = env!("AGGREGATES_FINGERPRINT");
