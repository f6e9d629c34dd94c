//! AES-256-GCM with random nonces: nonce, ciphertext and tag are one value.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use uuid::Uuid;

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;

/// A key that seals and opens.
pub(super) struct Cipher(RandomizedNonceKey);

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
    /// What is authenticated with the value at this pointer. Each part has its length or a fixed one.
    fn bound(&self, pointer: &str) -> Vec<u8> {
        let mut bound = Vec::with_capacity(64 + self.aggregate_type.len() + pointer.len());
        bound.extend((self.aggregate_type.len() as u64).to_be_bytes());
        bound.extend(self.aggregate_type.as_bytes());
        bound.extend(self.aggregate_id.as_bytes());
        bound.extend(self.sequence.to_be_bytes());
        bound.extend(pointer.as_bytes());
        bound
    }
}

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(Self)
    }

    pub(super) fn seal(&self, value: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
        let mut text = value.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound), &mut text)
            .ok()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + text.len());
        sealed.extend(nonce.as_ref());
        sealed.extend(text);
        Some(sealed)
    }

    pub(super) fn open(&self, sealed: &[u8], bound: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotOpened)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(bound), &mut text);
        let length = opened.map_err(|_| NotOpened)?.len();
        text.truncate(length);
        Ok(text)
    }

    pub(super) fn seal_at(&self, place: &Place<'_>, pointer: &str, value: &str) -> Option<Vec<u8>> {
        self.seal(value.as_bytes(), &place.bound(pointer))
    }

    pub(super) fn open_at(
        &self,
        place: &Place<'_>,
        pointer: &str,
        sealed: &[u8],
    ) -> Result<String, NotOpened> {
        let opened = self.open(sealed, &place.bound(pointer))?;
        String::from_utf8(opened).map_err(|_| NotOpened)
    }
}

/// A new random key.
pub(super) fn random_key() -> Option<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    aws_lc_rs::rand::fill(&mut key).ok()?;
    Some(key)
}
