//! The text in the QR code of a license: `BL1:` and the Base45 of a payload with its Ed25519 signature.
//!
//! A gate without a network judges it with the published keys alone. Everything that costs nothing is refused before the
//! signature is looked at.

mod keys;
mod payload;

use thiserror::Error;

pub use keys::{PublicKey, SigningKey};
pub use payload::{Payload, short_hash};

/// What every text begins with. A later layout that old readers must not accept has another one.
pub const PREFIX: &str = "BL1:";
/// The longest text that is looked at.
pub const MAX_TEXT_CHARS: usize = 400;
const SIGNATURE_BYTES: usize = 64;

/// Why a text is refused, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Longer than [`MAX_TEXT_CHARS`].
    #[error("too_long")]
    TooLong,
    /// Another code than that of a license.
    #[error("wrong_prefix")]
    WrongPrefix,
    /// Not the Base45 of a payload: cut off, altered, or with bytes left over.
    #[error("malformed")]
    Malformed,
    /// A layout that this build does not know.
    #[error("unknown_version")]
    UnknownVersion,
    /// The key is not in the list: the list may be old.
    #[error("unknown_key")]
    UnknownKey,
    /// The key did not sign this payload.
    #[error("bad_signature")]
    BadSignature,
    /// The key is not valid on the days of the license.
    #[error("key_not_valid")]
    KeyNotValid,
}

/// A text that was taken apart. Nothing in it is proven until [`Code::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// What it claims.
    pub payload: Payload,
    signed: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// Signs a payload. `None` if a date in it cannot be written.
pub fn sign(payload: &Payload, key: &SigningKey) -> Option<String> {
    let payload = Payload {
        key_id: key.id,
        ..payload.clone()
    };
    let mut bytes = payload.to_bytes()?;
    let signature = key.sign(&signed(&bytes));
    bytes.extend_from_slice(&signature);
    Some(PREFIX.to_owned() + &base45::encode(bytes))
}

/// Takes a text apart, without any cryptography.
pub fn read(text: &str) -> Result<Code, Refusal> {
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        return Err(Refusal::TooLong);
    }
    let encoded = text.strip_prefix(PREFIX).ok_or(Refusal::WrongPrefix)?;
    let bytes = base45::decode(encoded).map_err(|_| Refusal::Malformed)?;
    // The decoder takes some texts that no encoder makes; one payload has one text.
    if base45::encode(&bytes) != encoded {
        return Err(Refusal::Malformed);
    }
    let version = *bytes.first().ok_or(Refusal::Malformed)?;
    if version != payload::VERSION {
        return Err(Refusal::UnknownVersion);
    }
    let (payload, signature) = bytes
        .split_last_chunk::<SIGNATURE_BYTES>()
        .ok_or(Refusal::Malformed)?;
    Ok(Code {
        payload: Payload::from_bytes(payload).ok_or(Refusal::Malformed)?,
        signed: signed(payload),
        signature: *signature,
    })
}

/// Judges a text by the published keys.
pub fn judge(text: &str, keys: &[PublicKey]) -> Result<Payload, Refusal> {
    let code = read(text)?;
    let key = keys.iter().find(|key| key.id == code.payload.key_id);
    code.verify(key.ok_or(Refusal::UnknownKey)?)?;
    Ok(code.payload)
}

impl Code {
    /// Whether this key signed it and is valid on a day of the license.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Refusal> {
        if !key.signed(&self.signed, &self.signature) {
            return Err(Refusal::BadSignature);
        }
        if !key.is_valid_on(self.payload.first_day, self.payload.last_day()) {
            return Err(Refusal::KeyNotValid);
        }
        Ok(())
    }
}

/// What is signed. With the prefix in it no signature can serve another purpose.
fn signed(payload: &[u8]) -> Vec<u8> {
    [PREFIX.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests;
