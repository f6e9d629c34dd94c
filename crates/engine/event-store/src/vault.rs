//! Personal data in events: sealed when it is recorded, opened when it is read, gone when its keys are deleted.
//!
//! An event payload marks its personal data ([`envelope::Personal`]). A [`Vault`] that the appender is given replaces each
//! marked value by its ciphertext. Each event brings a fresh data key for each person in it. The keys of a batch are a row
//! beside the events, wrapped by a master key from a file outside the database. [`crate::Log::open`] gets the values
//! back for readers that may see them; everything else (bus, seals, backups) carries the ciphertext. To erase a person,
//! their data keys are deleted ([`crate::Log::destroy_keys`]): an event without its key has blank values there.
//!
//! A log without a vault keeps payloads unchanged. Events from before a vault stay readable beside sealed ones.

mod cipher;
mod json;
mod keeper;
mod keys;
mod master;
mod open;
mod opened;
mod rotation;
mod seal;
mod staged;

pub use keeper::Vault;
pub use keys::{ClearData, Held, HeldKeys};
pub use master::with_new_master_key;
pub use opened::Opened;
pub use rotation::MasterKeyUse;
pub use seal::is_clear;

pub(crate) use keys::{DataKey, KeyRing, KeyRow};
pub(crate) use open::is_sealed;
pub(crate) use opened::open_one;

/// Why personal data could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The file of the master keys can't be used.
    #[error("the master keys: {0}")]
    MasterKeys(String),
    /// A data key is wrapped by a master key that the file does not hold.
    #[error(
        "a key of personal data is wrapped by the master key {0}, which the file of master keys does not hold"
    )]
    UnknownMasterKey(String),
    /// A data key does not unwrap: the row was changed, or the master key is another one of the same name.
    #[error("a key of personal data can't be unwrapped by the master key {0}")]
    NotUnwrapped(String),
    /// A value does not open: it was changed, or moved from another place.
    #[error("personal data of {aggregate_type} {aggregate_id}, sequence {sequence}, does not open")]
    NotOpened {
        /// Kind of the aggregate.
        aggregate_type: String,
        /// The aggregate.
        aggregate_id: uuid::Uuid,
        /// The event's place among the aggregate's events.
        sequence: u64,
    },
    /// The log holds sealed data, and this reader was given no master keys.
    #[error("the log holds sealed personal data, and no file of master keys is given")]
    NoMasterKeys,
    /// The value could not be encrypted.
    #[error("personal data can't be sealed")]
    NotSealed,
}
