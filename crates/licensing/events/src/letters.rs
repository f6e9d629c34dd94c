//! Letters: what became of each e-mail about an order.

use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{LetterFailure, LetterKind};

use crate::declare::events;

events! {
    /// What happens to the letters of one order.
    pub enum LettersEvent {
        /// The mail server took a letter. Status `sent`.
        LetterSent: "1",
        /// The mail server refused the address or the letter. Status `refused`.
        LetterRefused: "1",
        /// A letter could not be handed to a mail server. Status `undeliverable`.
        LetterUndeliverable: "1",
        /// A person whom letters were addressed to is forgotten. The status of the letters stays.
        LetterRecipientErased: "1",
    }
}

/// The mail server took a letter.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LetterSent {
    /// The letter: its id follows from order, kind and receipt number.
    pub letter_id: Uuid,
    /// The order that it is about.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// What it brings.
    pub kind: LetterKind,
    /// Number of the receipt or credit note that it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_number: Option<String>,
    /// Whom it is for: the buyer's id, or the holder's.
    pub recipient_id: Uuid,
    /// E-mail address.
    pub to: Personal<String>,
    /// Its `Message-ID`, by which mail programs recognize it.
    pub message_id: String,
    /// How many documents are attached.
    pub documents: u16,
}

/// The mail server refused the address or the letter, and will refuse it again.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LetterRefused {
    /// The letter.
    pub letter_id: Uuid,
    /// The order that it is about.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// What it brings.
    pub kind: LetterKind,
    /// Number of the receipt or credit note that it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_number: Option<String>,
    /// Whom it is for.
    pub recipient_id: Uuid,
    /// E-mail address.
    pub to: Personal<String>,
    /// Its `Message-ID`.
    pub message_id: String,
    /// Reply code of the server (RFC 5321), for example 550. Never its text, which repeats the address.
    pub smtp_code: u16,
    /// Enhanced status code (RFC 3463), for example `5.1.1`, if the server gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_status: Option<String>,
}

/// A letter could not be handed to a mail server.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LetterUndeliverable {
    /// The letter.
    pub letter_id: Uuid,
    /// The order that it is about.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// What it brings.
    pub kind: LetterKind,
    /// Number of the receipt or credit note that it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_number: Option<String>,
    /// Why.
    pub reason: LetterFailure,
    /// Whom it is for, if an address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<Uuid>,
    /// E-mail address, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Personal<String>>,
    /// Last reply code of the server, if it replied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_code: Option<u16>,
    /// Last enhanced status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_status: Option<String>,
}

/// A person whom letters were addressed to is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LetterRecipientErased {
    /// The person: the buyer's id, or the holder's.
    pub recipient_id: Uuid,
    /// The letters that were addressed to them.
    pub letter_ids: Vec<Uuid>,
}
