//! Random secrets of a local stack, in a file that only its owner can read, so that a second `make up` accepts the cursors
//! and webhooks of the first.

use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use crate::checkout::write_private;
use crate::hex::hex;

/// Secrets that the local processes share.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// Signs the cursors of pages.
    pub(crate) cursor: String,
    /// Signs the payment provider's webhooks.
    pub(crate) webhook: String,
    /// Credentials of the merchant at the payment provider.
    pub(crate) vipps_client: String,
    pub(crate) vipps_subscription: String,
    /// Added later: a file without them gets new ones at each start, which the emulator then expects, too.
    #[serde(default = "random_secret")]
    pub(crate) nexi: String,
    #[serde(default = "random_secret")]
    pub(crate) nexi_webhook: String,
}

/// Random, or too short for every check if there are no random numbers.
fn random_secret() -> String {
    random_hex().unwrap_or_default().chars().take(32).collect()
}

impl Secrets {
    /// Reads the file, or creates it.
    pub(crate) fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            return serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()));
        }
        let secrets = Self {
            cursor: random_hex()?,
            webhook: random_hex()?,
            vipps_client: random_hex()?,
            vipps_subscription: random_hex()?,
            nexi: random_hex()?,
            nexi_webhook: random_hex()?.chars().take(32).collect(),
        };
        write_private(path, &serde_json::to_vec(&secrets)?)?;
        Ok(secrets)
    }
}

/// The key that seals the log, made when the file is missing. Returns its public key, in hexadecimal digits.
pub(crate) fn seal_key(path: &Path) -> anyhow::Result<String> {
    if !path.exists() {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        write_private(
            path,
            key.map_err(|_| anyhow::anyhow!("cannot generate a key"))?
                .as_ref(),
        )?;
    }
    let pkcs8 = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let key = Ed25519KeyPair::from_pkcs8(&pkcs8)
        .map_err(|_| anyhow::anyhow!("{} holds no Ed25519 key", path.display()))?;
    Ok(hex(key.public_key().as_ref()))
}

/// Makes a key of 256 random bits when the file is missing.
pub(crate) fn random_key(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    write_private(path, random_hex()?.as_bytes())
}

/// Makes the master key of personal data when the file is missing.
pub(crate) fn master_key(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    write_private(path, format!("local {}\n", random_hex()?).as_bytes())
}

/// 256 random bits.
pub(crate) fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no random numbers"))?;
    Ok(hex(&bytes))
}
