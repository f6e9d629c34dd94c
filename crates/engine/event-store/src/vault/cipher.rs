//! AES-256-GCM, and the random bytes that it needs.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use uuid::Uuid;

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;

/// The nonce of a key that seals one text in its life. Two texts never meet it under one key, which is all that the cipher
/// asks of a nonce.
const ONLY: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// A key that seals and opens.
pub(super) struct Cipher(LessSafeKey);

/// The value was not sealed with this key for this place, or was changed.
#[derive(Debug)]
pub(super) struct NotOpened;

/// Where a value stands. It opens nowhere else.
pub(super) struct Place<'a> {
    pub(super) aggregate_type: &'a str,
    pub(super) aggregate_id: Uuid,
    pub(super) sequence: u64,
}

impl Place<'_> {
    /// What is authenticated with a value: its event, and what else is `bound`. Each part before has its length or a fixed one.
    pub(super) fn and(&self, bound: &str) -> Vec<u8> {
        let mut all = Vec::with_capacity(32 + self.aggregate_type.len() + bound.len());
        all.extend((self.aggregate_type.len() as u64).to_be_bytes());
        all.extend(self.aggregate_type.as_bytes());
        all.extend(self.aggregate_id.as_bytes());
        all.extend(self.sequence.to_be_bytes());
        all.extend(bound.as_bytes());
        all
    }
}

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Nonce, ciphertext and tag. `nonce`: random, for a key that seals many texts.
    pub(super) fn seal(&self, nonce: [u8; NONCE_LEN], text: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + text.len() + AES_256_GCM.tag_len());
        sealed.extend(nonce);
        sealed.extend(text);
        let (_, text) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(bound), text);
        sealed.extend(tag.ok()?.as_ref());
        Some(sealed)
    }

    pub(super) fn open(&self, sealed: &[u8], bound: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (nonce, text) = sealed.split_first_chunk().ok_or(NotOpened)?;
        self.open_with(*nonce, text.to_vec(), bound)
    }

    /// Ciphertext and tag of the one text that this key ever seals.
    pub(super) fn seal_only(&self, mut text: Vec<u8>, bound: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::assume_unique_for_key(ONLY);
        let sealed = self
            .0
            .seal_in_place_append_tag(nonce, Aad::from(bound), &mut text);
        sealed.ok().map(|()| text)
    }

    pub(super) fn open_only(&self, sealed: Vec<u8>, bound: &[u8]) -> Result<Vec<u8>, NotOpened> {
        self.open_with(ONLY, sealed, bound)
    }

    fn open_with(
        &self,
        nonce: [u8; NONCE_LEN],
        mut text: Vec<u8>,
        bound: &[u8],
    ) -> Result<Vec<u8>, NotOpened> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(bound), &mut text);
        let length = opened.map_err(|_| NotOpened)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// Random bytes: a key, a nonce, or both.
pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes)
}
