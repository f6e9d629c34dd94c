//! The master keys: a file outside the database, one key a line, the active one first.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::VaultError;
use super::cipher::{Cipher, KEY_LEN, random};
use crate::seal::hex;

/// Most characters of a key's name.
const MAX_NAME: usize = 64;

/// The keys of one reading of the file.
pub(super) struct MasterKeys {
    active: Arc<str>,
    keys: HashMap<Arc<str>, Cipher>,
}

impl MasterKeys {
    /// Lines `name key`, the key as 64 hexadecimal digits. Empty lines and those after `#` count for nothing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut active, mut keys) = (None, HashMap::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, key) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("line {number} is not a name and a key"))?;
            if !is_name(name) {
                return Err(format!(
                    "line {number}: a name has 1 to {MAX_NAME} letters, digits, hyphens and dots"
                ));
            }
            let key: [u8; KEY_LEN] = hex::decode_array(key.trim())
                .ok_or_else(|| format!("line {number}: a key is 64 lower-case hexadecimal digits"))?;
            let cipher = Cipher::new(&key).ok_or_else(|| format!("line {number}: the key can't be used"))?;
            let name: Arc<str> = name.into();
            active.get_or_insert_with(|| Arc::clone(&name));
            if keys.insert(Arc::clone(&name), cipher).is_some() {
                return Err(format!("line {number}: {name} is there twice"));
            }
        }
        let active = active.ok_or_else(|| "there is no key".to_owned())?;
        Ok(Self { active, keys })
    }

    pub(super) fn read(path: &Path) -> Result<Self, VaultError> {
        let unusable = |why: String| VaultError::MasterKeys(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        Self::parse(&text).map_err(unusable)
    }

    pub(super) const fn active(&self) -> &Arc<str> {
        &self.active
    }

    pub(super) fn get(&self, name: &str) -> Option<&Cipher> {
        self.keys.get(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.keys.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }
}

/// The text of a key file with a new key in front of the keys of `existing`.
pub fn with_new_master_key(name: &str, existing: &str) -> Result<String, VaultError> {
    if !is_name(name) {
        return Err(VaultError::MasterKeys(format!("{name:?} is no name of a key")));
    }
    let key = random::<KEY_LEN>().ok_or_else(|| VaultError::MasterKeys("no random numbers".into()))?;
    let mut text = format!("{name} {}\n", hex::encode(&key));
    for line in existing.lines() {
        // A `String` takes every text.
        let _ = writeln!(text, "{line}");
    }
    MasterKeys::parse(&text).map_err(VaultError::MasterKeys)?;
    Ok(text)
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::{MasterKeys, with_new_master_key};

    #[test]
    fn the_newest_key_is_the_active_one() {
        let first = with_new_master_key("2026", "").unwrap();
        let both = with_new_master_key("2027", &first).unwrap();
        let keys = MasterKeys::parse(&both).unwrap();
        assert_eq!(&**keys.active(), "2027");
        assert_eq!(keys.names(), ["2026", "2027"]);
        assert!(with_new_master_key("2027", &both).is_err(), "the name is taken");
    }

    #[test]
    fn an_unusable_file_is_refused() {
        let key = "0".repeat(64);
        for bad in [
            String::new(),
            "# nothing\n".into(),
            "2026".into(),
            "2026 abc".into(),
            format!("a_b {key}"),
            format!("a {key}\na {key}"),
        ] {
            assert!(MasterKeys::parse(&bad).is_err(), "{bad}");
        }
        assert!(MasterKeys::parse(&format!("# ours\n\n a  {key}\n")).is_ok());
    }
}
