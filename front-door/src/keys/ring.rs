//! The keys of one reading of the file.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a key.
const KEY_LEN: usize = 32;
/// Most characters of a key's name: it stands in every cookie.
const MAX_NAME: usize = 16;
/// Longer than any cookie that was made here.
const MAX_SEALED: usize = 8 * 1024;
/// Separates these texts from all others, should a key ever be used twice. Its number is the version of the format.
const FORMAT: &str = "bilsport cookie 1";

/// The keys, the one that seals first. `Debug` shows their names.
pub struct Ring(Vec<Key>);

struct Key {
    name: String,
    cipher: LessSafeKey,
}

/// The text cannot be sealed: no random numbers, or a key that the library refuses.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cannot seal a cookie")]
pub(super) struct NotSealed;

impl Ring {
    /// Lines `name key`, the key as 64 hexadecimal digits. Empty lines and those after `#` count for nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.split_once(char::is_whitespace);
            let (name, key) = key.ok_or_else(|| format!("line {number} is not a name and a key"))?;
            if !is_name(name) {
                return Err(format!(
                    "line {number}: a name has 1 to {MAX_NAME} letters, digits and hyphens"
                ));
            }
            if keys.iter().any(|known| known.name == name) {
                return Err(format!("line {number}: {name} is there twice"));
            }
            let key = from_hex(key.trim()).and_then(|key| UnboundKey::new(&AES_256_GCM, &key).ok());
            let key = key.ok_or_else(|| format!("line {number}: a key is 64 hexadecimal digits"))?;
            keys.push(Key {
                name: name.to_owned(),
                cipher: LessSafeKey::new(key),
            });
        }
        if keys.is_empty() {
            return Err("there is no key".to_owned());
        }
        Ok(Self(keys))
    }

    /// The name of the key that seals.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |key| &key.name)
    }

    /// Seals with the first key.
    pub(super) fn seal(&self, purpose: &str, plain: Vec<u8>) -> Result<String, NotSealed> {
        let key = self.0.first().ok_or(NotSealed)?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| NotSealed)?;
        let mut sealed = plain;
        let (unique, bound) = (Nonce::assume_unique_for_key(nonce), bound(purpose, &key.name));
        let done = key
            .cipher
            .seal_in_place_append_tag(unique, Aad::from(bound), &mut sealed);
        done.map_err(|_| NotSealed)?;
        let content = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(format!("{}.{content}", key.name))
    }

    /// Opens with the key that the text names.
    pub(super) fn open(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > MAX_SEALED {
            return None;
        }
        let (name, content) = text.split_once('.')?;
        let key = self.0.iter().find(|key| key.name == name)?;
        let content = URL_SAFE_NO_PAD.decode(content).ok()?;
        let (nonce, sealed) = content.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = sealed.to_vec();
        let (nonce, bound) = (Nonce::assume_unique_for_key(*nonce), bound(purpose, name));
        let opened = key.cipher.open_in_place(nonce, Aad::from(bound), &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.name))
            .finish()
    }
}

/// What a text is bound to, so that the cookie of a login is no session.
fn bound(purpose: &str, name: &str) -> Vec<u8> {
    format!("{FORMAT}\n{purpose}\n{name}").into_bytes()
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits)
}

fn from_hex(text: &str) -> Option<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::Ring;

    fn ring(names: &[&str]) -> Ring {
        let line = |name: &&str| format!("{name} {:0>64x}\n", name.len());
        Ring::parse(&names.iter().map(line).collect::<String>()).unwrap()
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, both) = (ring(&["old"]), ring(&["newer", "old"]));
        let before = old.seal("session", b"text".to_vec()).unwrap();
        assert_eq!(both.open("session", &before).unwrap(), b"text");
        let after = both.seal("session", b"text".to_vec()).unwrap();
        assert!(after.starts_with("newer."), "{after}");
        assert_eq!(old.open("session", &after), None);
        assert_ne!(after, both.seal("session", b"text".to_vec()).unwrap());
    }

    #[test]
    fn a_changed_or_foreign_text_does_not_open() {
        let ring = ring(&["a", "bb"]);
        let sealed = ring.seal("session", b"a text of some length".to_vec()).unwrap();
        assert!(ring.open("session", &sealed).is_some());
        assert_eq!(ring.open("login", &sealed), None, "another purpose");
        assert_eq!(ring.open("session", &sealed.replacen("a.", "bb.", 1)), None);
        for place in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert_eq!(ring.open("session", &changed), None, "{changed}");
            }
            assert_eq!(ring.open("session", &sealed[..place]), None, "{place}");
        }
        for garbage in ["", ".", "a.", "a.AAAA", "..", &"a.".repeat(9000)] {
            assert_eq!(ring.open("session", garbage), None);
        }
    }

    #[test]
    fn an_unusable_file_is_refused_without_its_keys() {
        let key = "0".repeat(64);
        for bad in [
            String::new(),
            "# nothing\n".into(),
            "a".into(),
            "a beef".into(),
            format!("a.b {key}"),
            format!("a {}g", &key[1..]),
            format!("a {}å", &key[2..]),
            format!("a-name-that-is-too-long {key}"),
            format!("a {key}\na {key}"),
        ] {
            let refused = Ring::parse(&bad).unwrap_err();
            assert!(!refused.contains("beef") && !refused.contains("000"), "{refused}");
        }
        assert_eq!(format!("{:?}", ring(&["a", "bb"])), r#"["a", "bb"]"#);
    }
}
