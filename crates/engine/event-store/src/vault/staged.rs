//! Staged work, sealed: each piece of work has a key of its own, which follows from a secret of the log.

use aws_lc_rs::hmac;
use uuid::Uuid;

use super::VaultError;
use super::cipher::{Cipher, KEY_LEN, random};
use super::keeper::Vault;

impl Vault {
    pub(crate) fn seal_staged(&self, work: Uuid, first: u32, content: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce = random().ok_or(VaultError::NotSealed)?;
        let sealed = self
            .staged_cipher(work)?
            .seal(nonce, content, &bound(work, first));
        sealed.ok_or(VaultError::NotSealed)
    }

    pub(crate) fn open_staged(&self, work: Uuid, first: u32, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let opened = self.staged_cipher(work)?.open(sealed, &bound(work, first));
        opened.map_err(|_| VaultError::NotOpened {
            aggregate_type: "staged work".to_owned(),
            aggregate_id: work,
            sequence: first.into(),
        })
    }

    fn staged_cipher(&self, work: Uuid) -> Result<Cipher, VaultError> {
        let secret = self.staging_key.get().ok_or(VaultError::NotSealed)?;
        let mut key = [0; KEY_LEN];
        key.copy_from_slice(hmac::sign(secret, work.as_bytes()).as_ref());
        Cipher::new(&key).ok_or(VaultError::NotSealed)
    }
}

/// What a chunk is bound to, so that it can't stand in for another one.
fn bound(work: Uuid, first: u32) -> Vec<u8> {
    let mut bound = work.into_bytes().to_vec();
    bound.extend(first.to_be_bytes());
    bound
}
