//! The keys that sign the QR codes of licenses, and the file that they are in.
//!
//! Secrets in the file are 32 bytes in base64url. An error never shows what a file holds.

mod file;
mod ring;

pub use file::{BadKeys, LicenseKey, LicenseKeys, encode, parse, read, signing_key};
pub use ring::KeyRing;
