//! `query-api license-keys`: makes, rotates and shows the keys.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use clap::{Args, Subcommand};
use documents::keys::{LicenseKey, LicenseKeys, encode, parse, read};
use serde_json::{Value, json};

use super::file;
use super::ring::{Ring, RootKey};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the first license key, and the root key if its file is missing; exit status 0 if that is done, 2 if not
    New(NewOptions),
    /// Add a key that begins to sign later; codes of the others stay good until these end; exit status 0
    /// if that is done, 2 if not
    Rotate(RotateOptions),
    /// Show the keys without their secrets, and which one signs
    List(ListOptions),
}

/// Where the keys are.
#[derive(Debug, Args)]
pub struct KeyFiles {
    /// File of the keys that sign the QR codes of licenses
    #[arg(long, env = "LICENSE_KEYS_FILE", value_name = "FILE")]
    license_keys_file: PathBuf,
    /// File of the root key, which signs the lists that gates read
    #[arg(long, env = "ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: PathBuf,
}

/// How a new key is.
#[derive(Debug, Args)]
pub struct KeyForm {
    /// Days that the key is valid for; licenses are sold up to a year ahead, and none is accepted after the key's end
    #[arg(long, env = "SIGNING_DAYS", default_value_t = 1095, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Print the result as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

/// Options of `new`.
#[derive(Debug, Args)]
pub struct NewOptions {
    #[command(flatten)]
    files: KeyFiles,
    #[command(flatten)]
    form: KeyForm,
}

/// Options of `rotate`.
#[derive(Debug, Args)]
pub struct RotateOptions {
    #[command(flatten)]
    files: KeyFiles,
    #[command(flatten)]
    form: KeyForm,
    /// Hours until the key begins to sign; gates fetch it before they meet its codes
    #[arg(long, env = "SIGNING_BEGINS_IN_HOURS", default_value_t = 48, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(0..=8760))]
    begins_in_hours: u32,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    files: KeyFiles,
    /// Print the list as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

/// Does one of them. The result goes to standard output.
pub fn run(command: KeysCommand) -> anyhow::Result<()> {
    let now = Utc::now().trunc_subsecs(0);
    let (files, as_json) = match command {
        KeysCommand::New(NewOptions { files, form }) => {
            if files.license_keys_file.exists() {
                bail!(
                    "{} exists: `rotate` adds a key to it",
                    files.license_keys_file.display()
                );
            }
            if !files.root_key_file.exists() {
                let root = RootKey {
                    seed: file::new_seed()?,
                };
                file::write(&files.root_key_file, &root)?;
            }
            let keys = vec![new_key(1, now, form.days)?];
            file::write(&files.license_keys_file, &LicenseKeys { keys })?;
            (files, form.json)
        }
        KeysCommand::Rotate(RotateOptions {
            files,
            form,
            begins_in_hours,
        }) => {
            let path = &files.license_keys_file;
            let mut found: LicenseKeys = parse(path, &read(path)?)?;
            let last = found.keys.iter().map(|key| key.kid).max().unwrap_or_default();
            let kid = last.checked_add(1).context("no id is left for a key")?;
            let begin = now + TimeDelta::hours(begins_in_hours.into());
            found.keys.push(new_key(kid, begin, form.days)?);
            file::write(path, &found)?;
            (files, form.json)
        }
        KeysCommand::List(ListOptions { files, json }) => (files, json),
    };
    let ring = Ring::parse(
        (&files.license_keys_file, &read(&files.license_keys_file)?),
        (&files.root_key_file, &read(&files.root_key_file)?),
    )?;
    let text = if as_json {
        serde_json::to_string_pretty(&shown(&ring, now))?
    } else {
        in_words(&ring, now)
    };
    writeln!(stdout(), "{}", text.trim_end()).context("cannot write to standard output")
}

fn new_key(kid: u16, not_before: DateTime<Utc>, days: u32) -> anyhow::Result<LicenseKey> {
    Ok(LicenseKey {
        kid,
        seed: file::new_seed()?,
        not_before,
        not_after: not_before + TimeDelta::days(days.into()),
    })
}

fn shown(ring: &Ring, now: DateTime<Utc>) -> Value {
    let signs = ring.licenses.signing_at(now).map(|key| key.id);
    let keys: Vec<Value> = ring
        .licenses
        .published()
        .map(|key| {
            json!({"kid": key.id, "public_key": encode(&key.key), "not_before": key.not_before,
                   "not_after": key.not_after, "signs": signs == Some(key.id)})
        })
        .collect();
    json!({"root_public_key": ring.root_public(), "keys": keys})
}

fn in_words(ring: &Ring, now: DateTime<Utc>) -> String {
    let signs = ring.licenses.signing_at(now).map(|key| key.id);
    let mut text = format!("root public key {}\n", ring.root_public());
    for key in ring.licenses.published() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "key {}  {}  from {} to {}{}",
            key.id,
            encode(&key.key),
            key.not_before.format("%F %R"),
            key.not_after.format("%F %R UTC"),
            if signs == Some(key.id) { "  signs now" } else { "" }
        );
    }
    text
}
