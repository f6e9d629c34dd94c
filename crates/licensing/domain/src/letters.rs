//! Letters: what became of each e-mail about an order, once.
//!
//! One stream has the letters of one order. A letter that has an end here is not sent again, whatever its end was.

use std::collections::BTreeMap;

use envelope::Personal;
use events::{
    LetterRecipientErased, LetterRefused, LetterSent, LetterUndeliverable, LettersEvent, aggregate_type,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{LetterFailure, LetterKind};

use crate::aggregate::aggregate;
use crate::ids::letter_id;
use crate::refusal::Refusal;

/// The letters of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letters {
    /// The letters that have an end, each with whom it was addressed to, until that person is forgotten.
    ended: BTreeMap<Uuid, Option<Uuid>>,
}

/// What the letters of an order can be asked to do.
#[derive(Clone, Debug)]
pub enum LettersCommand {
    /// Record the end of a letter. The first end counts; another one changes nothing.
    End {
        /// The letter.
        letter: Letter,
        /// Its end.
        outcome: LetterOutcome,
    },
    /// Forget the address of a person.
    ErasePerson {
        /// The buyer's id, or the holder's.
        person_id: Uuid,
    },
}

/// A letter about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The order.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// What it brings.
    pub kind: LetterKind,
    /// Number of the receipt or credit note that it brings.
    pub receipt_number: Option<String>,
}

impl Letter {
    /// Its id.
    pub fn id(&self) -> Uuid {
        letter_id(self.order_id, self.kind, self.receipt_number.as_deref())
    }
}

/// Whom a letter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The buyer's id, or the holder's.
    pub id: Uuid,
    /// E-mail address.
    pub address: Personal<String>,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterOutcome {
    /// The mail server took it.
    Sent {
        /// Whom it is for.
        to: Recipient,
        /// Its `Message-ID`.
        message_id: String,
        /// How many documents are attached.
        documents: u16,
    },
    /// The mail server refused it, and will refuse it again.
    Refused {
        /// Whom it is for.
        to: Recipient,
        /// Its `Message-ID`.
        message_id: String,
        /// What the server replied.
        reply: SmtpReply,
    },
    /// It could not be handed to a mail server.
    Undeliverable {
        /// Why.
        reason: LetterFailure,
        /// Whom it is for, if an address is known.
        to: Option<Recipient>,
        /// What the server replied last, if it replied.
        reply: Option<SmtpReply>,
    },
}

/// What a mail server replied, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpReply {
    /// Reply code (RFC 5321).
    pub code: u16,
    /// Enhanced status code (RFC 3463).
    pub enhanced_status: Option<String>,
}

aggregate!(Letters: aggregate_type::LETTERS, LettersCommand => LettersEvent);

impl Letters {
    /// Whether a letter has its end.
    pub fn ended(&self, letter_id: Uuid) -> bool {
        self.ended.contains_key(&letter_id)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "as every aggregate decides; letters refuse nothing"
    )]
    fn decide(&self, command: LettersCommand) -> Result<Option<LettersEvent>, Refusal> {
        Ok(match command {
            LettersCommand::End { letter, .. } if self.ended(letter.id()) => None,
            LettersCommand::End { letter, outcome } => Some(ended(letter, outcome)),
            LettersCommand::ErasePerson { person_id } => self.erase(person_id).map(Into::into),
        })
    }

    fn erase(&self, person_id: Uuid) -> Option<LetterRecipientErased> {
        let theirs = self.ended.iter().filter(|(_, to)| **to == Some(person_id));
        let letter_ids: Vec<Uuid> = theirs.map(|(id, _)| *id).collect();
        (!letter_ids.is_empty()).then_some(LetterRecipientErased {
            recipient_id: person_id,
            letter_ids,
        })
    }

    fn evolve(&mut self, event: LettersEvent) {
        let (letter_id, to) = match event {
            LettersEvent::LetterSent(sent) => (sent.letter_id, Some(sent.recipient_id)),
            LettersEvent::LetterRefused(refused) => (refused.letter_id, Some(refused.recipient_id)),
            LettersEvent::LetterUndeliverable(undeliverable) => {
                (undeliverable.letter_id, undeliverable.recipient_id)
            }
            LettersEvent::LetterRecipientErased(erased) => {
                let forgotten = erased.letter_ids.into_iter().map(|id| (id, None));
                self.ended.extend(forgotten);
                return;
            }
        };
        self.ended.insert(letter_id, to);
    }
}

fn ended(letter: Letter, outcome: LetterOutcome) -> LettersEvent {
    let letter_id = letter.id();
    let Letter {
        order_id,
        order_number,
        kind,
        receipt_number,
    } = letter;
    match outcome {
        LetterOutcome::Sent {
            to,
            message_id,
            documents,
        } => LetterSent {
            letter_id,
            order_id,
            order_number,
            kind,
            receipt_number,
            recipient_id: to.id,
            to: to.address.belonging_to(to.id),
            message_id,
            documents,
        }
        .into(),
        LetterOutcome::Refused {
            to,
            message_id,
            reply,
        } => LetterRefused {
            letter_id,
            order_id,
            order_number,
            kind,
            receipt_number,
            recipient_id: to.id,
            to: to.address.belonging_to(to.id),
            message_id,
            smtp_code: reply.code,
            enhanced_status: reply.enhanced_status,
        }
        .into(),
        LetterOutcome::Undeliverable { reason, to, reply } => LetterUndeliverable {
            letter_id,
            order_id,
            order_number,
            kind,
            receipt_number,
            reason,
            recipient_id: to.as_ref().map(|to| to.id),
            to: to.map(|to| to.address.belonging_to(to.id)),
            smtp_code: reply.as_ref().map(|reply| reply.code),
            enhanced_status: reply.and_then(|reply| reply.enhanced_status),
        }
        .into(),
    }
}

#[cfg(test)]
mod tests;
