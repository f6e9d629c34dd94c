//! All keys as they are at a moment: those of QR codes, and the root key.

use std::path::Path;

use anyhow::Context as _;
use documents::keys::{KeyRing, encode, parse, signing_key};
use documents::qr::SigningKey;
use serde::{Deserialize, Serialize};

/// The key of the lists, as its file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RootKey {
    pub(super) seed: String,
}

/// All keys.
#[derive(Debug)]
pub struct Ring {
    /// Those that sign QR codes.
    pub licenses: KeyRing,
    root: SigningKey,
}

impl Ring {
    /// From the texts of both files.
    pub(super) fn parse(keys: (&Path, &str), root: (&Path, &str)) -> anyhow::Result<Self> {
        let root_key: RootKey = parse(root.0, root.1)?;
        let root_key = signing_key(0, &root_key.seed);
        Ok(Self {
            licenses: KeyRing::parse(keys.0, keys.1)?,
            root: root_key.with_context(|| format!("{} holds no key", root.0.display()))?,
        })
    }

    /// The root key's signature of a text, in base64url.
    pub fn sign_list(&self, text: &str) -> String {
        encode(&self.root.sign(text.as_bytes()))
    }

    /// The public half of the root key, in base64url.
    pub fn root_public(&self) -> String {
        encode(&self.root.public())
    }
}
