//! Files of keys, as texts and types.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::qr::SigningKey;

/// A larger file holds something else.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// It can't be read.
    #[error("cannot read {path}: {1}", path = .0.display())]
    Unreadable(PathBuf, io::Error),
    /// It holds something else.
    #[error("{path} has more than {MAX_BYTES} bytes", path = .0.display())]
    TooLarge(PathBuf),
    /// It is not the JSON of keys.
    #[error("{path} is no file of keys (line {1}, column {2})", path = .0.display())]
    Malformed(PathBuf, usize, usize),
    /// Its keys can't be used.
    #[error("{path}: {1}", path = .0.display())]
    Unusable(PathBuf, String),
}

/// Keys of QR codes, as their file has them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseKeys {
    /// All of them, in any order.
    pub keys: Vec<LicenseKey>,
}

/// A key of QR codes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseKey {
    /// Id in payloads.
    pub kid: u16,
    /// Its secret.
    pub seed: String,
    /// When it begins to sign.
    pub not_before: DateTime<Utc>,
    /// Licenses for days after this one are not accepted.
    pub not_after: DateTime<Utc>,
}

/// Reads a file as text.
pub fn read(path: &Path) -> Result<String, BadKeys> {
    let unreadable = |error| BadKeys::Unreadable(path.to_owned(), error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(BadKeys::TooLarge(path.to_owned()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// The keys in the text of a file.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, BadKeys> {
    serde_json::from_str(text)
        .map_err(|error| BadKeys::Malformed(path.to_owned(), error.line(), error.column()))
}

/// The key that a secret makes. `None` if the secret is not 32 bytes in base64url.
pub fn signing_key(id: u16, seed: &str) -> Option<SigningKey> {
    SigningKey::from_seed(id, &URL_SAFE_NO_PAD.decode(seed).ok()?)
}

/// Bytes as the files and lists have them.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
