//! The key that signs seals, and the public key that checks them.

use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::{Error, hex};

/// An Ed25519 key that signs seals.
pub struct SealKey(Ed25519KeyPair);

impl SealKey {
    /// A new key in PKCS#8 form, to be kept where the database's owner cannot read it.
    pub fn generate() -> Result<Vec<u8>, Error> {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let key = key.map_err(|_| Error::Key("no key could be generated".into()))?;
        Ok(key.as_ref().to_vec())
    }

    /// A key in PKCS#8 form.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Error> {
        Ed25519KeyPair::from_pkcs8(pkcs8)
            .map(Self)
            .map_err(|_| Error::Key("this is no Ed25519 key in PKCS#8 form".into()))
    }

    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let in_file = |what: String| Error::Key(format!("{}: {what}", path.display()));
        let pkcs8 = std::fs::read(path).map_err(|error| in_file(error.to_string()))?;
        Self::from_pkcs8(&pkcs8).map_err(|error| in_file(error.to_string()))
    }

    /// What checks this key's signatures.
    pub fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }
}

/// Checks signatures. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(message, signature)
            .is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        hex::decode_array(text.trim())
            .map(Self)
            .ok_or_else(|| Error::Key("a public key is 64 lower-case hexadecimal digits".into()))
    }
}
