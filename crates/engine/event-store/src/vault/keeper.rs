//! The vault: the master keys as last read, and the key of the request hashes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::hmac;
use deadpool_postgres::Pool;

use super::VaultError;
use super::cipher::{KEY_LEN, random};
use super::master::MasterKeys;
use crate::error::Error;

/// How long a reading of the file is used without a look whether it changed.
const FRESH: Duration = Duration::from_secs(2);
/// Names the secret that request hashes are made with.
const REQUEST_KEY: &str = "request-hash";
/// Names the secret that staged work is sealed with.
const STAGING_KEY: &str = "staging";

/// Seals and opens personal data with the master keys of a file.
pub struct Vault {
    file: PathBuf,
    reading: Mutex<Reading>,
    request_key: OnceLock<hmac::Key>,
    pub(super) staging_key: OnceLock<hmac::Key>,
}

struct Reading {
    keys: Arc<MasterKeys>,
    changed_at: Option<SystemTime>,
    looked_at: Instant,
}

impl Vault {
    /// The vault of the master keys in this file. The file is read again when it changes.
    pub fn new(file: impl Into<PathBuf>) -> Result<Self, VaultError> {
        let file = file.into();
        let reading = Reading {
            changed_at: changed_at(&file),
            keys: Arc::new(MasterKeys::read(&file)?),
            looked_at: Instant::now(),
        };
        Ok(Self {
            file,
            reading: Mutex::new(reading),
            request_key: OnceLock::new(),
            staging_key: OnceLock::new(),
        })
    }

    /// Names of the master keys, and which of them is the active one.
    pub fn master_keys(&self) -> (Vec<String>, String) {
        let keys = self.current();
        (keys.names(), keys.active().to_string())
    }

    /// Gets the secrets of this log, that of request hashes and that of staged work; makes them at the first start. Before
    /// this, hashes are not salted.
    pub async fn begin(&self, pool: &Pool) -> Result<(), Error> {
        // Only the first call sets them; every other one would set the same.
        let _ = self.request_key.set(self.secret(pool, REQUEST_KEY).await?);
        let _ = self.staging_key.set(self.secret(pool, STAGING_KEY).await?);
        Ok(())
    }

    async fn secret(&self, pool: &Pool, name: &str) -> Result<hmac::Key, Error> {
        let keys = self.current();
        let fresh = random::<KEY_LEN>().ok_or(VaultError::NotSealed)?;
        let wrapped = Self::wrap(&keys, name.as_bytes(), &fresh)?;
        let client = pool.get().await?;
        let active: &str = keys.active();
        client
            .execute(
                include_str!("../sql/make_secret.sql"),
                &[&name, &active, &wrapped],
            )
            .await?;
        let row = client
            .query_one(include_str!("../sql/read_secret.sql"), &[&name])
            .await?;
        let (master_key, wrapped): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let secret = self.unwrap(&master_key, name.as_bytes(), &wrapped)?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// The hash in its stored form: without the key it can't be tested against a guessed request.
    pub(crate) fn salted(&self, request_hash: &[u8; 32]) -> [u8; 32] {
        let Some(key) = self.request_key.get() else {
            return *request_hash;
        };
        let mut salted = [0; 32];
        salted.copy_from_slice(hmac::sign(key, request_hash).as_ref());
        salted
    }

    /// A key, wrapped for what these bytes identify.
    pub(super) fn wrap(keys: &MasterKeys, bound: &[u8], key: &[u8; KEY_LEN]) -> Result<Vec<u8>, VaultError> {
        Self::wrap_with(random().ok_or(VaultError::NotSealed)?, keys, bound, key)
    }

    /// As above, with random bytes that the caller has.
    pub(super) fn wrap_with(
        nonce: [u8; NONCE_LEN],
        keys: &MasterKeys,
        bound: &[u8],
        key: &[u8; KEY_LEN],
    ) -> Result<Vec<u8>, VaultError> {
        let master = keys.get(keys.active()).ok_or(VaultError::NotSealed)?;
        master.seal(nonce, key, bound).ok_or(VaultError::NotSealed)
    }

    pub(super) fn unwrap(
        &self,
        master_key: &str,
        bound: &[u8],
        wrapped: &[u8],
    ) -> Result<[u8; KEY_LEN], VaultError> {
        let mut keys = self.current();
        if keys.get(master_key).is_none() {
            // Another instance knows a newer key.
            keys = self.read_again();
        }
        let master = keys
            .get(master_key)
            .ok_or_else(|| VaultError::UnknownMasterKey(master_key.to_owned()))?;
        let key = master
            .open(wrapped, bound)
            .ok()
            .and_then(|key| key.try_into().ok());
        key.ok_or_else(|| VaultError::NotUnwrapped(master_key.to_owned()))
    }

    /// The master keys, read again if the file changed.
    pub(super) fn current(&self) -> Arc<MasterKeys> {
        let mut reading = self.reading();
        if reading.looked_at.elapsed() >= FRESH {
            reading.looked_at = Instant::now();
            let changed_at = changed_at(&self.file);
            if changed_at != reading.changed_at {
                self.renew(&mut reading);
            }
        }
        Arc::clone(&reading.keys)
    }

    fn read_again(&self) -> Arc<MasterKeys> {
        let mut reading = self.reading();
        self.renew(&mut reading);
        Arc::clone(&reading.keys)
    }

    /// A file that can't be used leaves the keys unchanged: it may be half written.
    fn renew(&self, reading: &mut Reading) {
        let changed_at = changed_at(&self.file);
        match MasterKeys::read(&self.file) {
            Ok(keys) => {
                reading.changed_at = changed_at;
                reading.keys = Arc::new(keys);
            }
            Err(error) => tracing::warn!(error = %error, "the master keys are used as they were read before"),
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        // Each change is whole, also after a panic while the lock was held.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .ok()
}
