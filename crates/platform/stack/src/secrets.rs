//! Random secrets of a local stack, each in a file that only its owner can read, so that a second `make up` accepts the
//! cursors, webhooks and sealed data of the first.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use crate::checkout::{create_dir, write_private};
use crate::hex::hex;

/// Secrets of the APIs and of the merchant at the payment providers, with their hexadecimal digits. Nexi takes at most 32 in
/// its webhooks.
const SHARED: [(&str, usize); 6] = [
    ("cursor", 64),
    ("vipps-client", 64),
    ("vipps-subscription", 64),
    ("vipps-webhook", 64),
    ("nexi", 64),
    ("nexi-webhook", 32),
];

/// The file of one of the secrets that several processes know.
pub(crate) fn secret_file(data: &Path, name: &str) -> PathBuf {
    data.join("secrets").join(name)
}

/// Makes the secrets whose files are missing.
pub(crate) fn shared_secrets(data: &Path) -> anyhow::Result<()> {
    create_dir(&data.join("secrets"), 0o700)?;
    for (name, digits) in SHARED {
        let file = secret_file(data, name);
        if !file.exists() {
            let digits: String = random_hex()?.chars().take(digits).collect();
            write_private(&file, digits.as_bytes())?;
        }
    }
    Ok(())
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

/// Makes a file of keys with names, with its first key, when it is missing.
pub(crate) fn named_key(path: &Path) -> anyhow::Result<()> {
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
