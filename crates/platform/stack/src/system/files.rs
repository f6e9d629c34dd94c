//! Where a system keeps its keys and its files outside the servers.

use std::path::{Path, PathBuf};

/// The key that seals the log.
pub(crate) fn seal_key_file(data: &Path) -> PathBuf {
    data.join("seal.key")
}

/// The key that holder ids are made with.
pub(crate) fn holder_key_file(data: &Path) -> PathBuf {
    data.join("holder.key")
}

/// The master keys of personal data.
pub(crate) fn master_key_file(data: &Path) -> PathBuf {
    data.join("master.keys")
}

/// The keys that seal the cookies of sessions.
pub(crate) fn session_keys_file(data: &Path) -> PathBuf {
    data.join("session.keys")
}

/// Where erasures are written down outside the database.
pub(crate) fn erasures_file(data: &Path) -> PathBuf {
    data.join("erasures.jsonl")
}

/// The key of the capabilities in return URLs.
pub(crate) fn return_key_file(data: &Path) -> PathBuf {
    data.join("return.key")
}

/// Where the log's seals go outside the database.
pub(crate) fn seal_file(data: &Path) -> PathBuf {
    data.join("seals.jsonl")
}
