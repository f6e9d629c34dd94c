//! What the endpoints of the issuer share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::grants::Grants;
use super::key::SigningKey;

/// Key, clients, clubs and grants.
pub(super) struct Desk {
    pub(super) key: SigningKey,
    /// The addresses that people of a client are sent back to, by its name.
    clients: Mutex<HashMap<String, Vec<String>>>,
    /// The clubs that the organizer acts for.
    clubs: Mutex<Vec<Uuid>>,
    grants: Mutex<Grants>,
}

impl Desk {
    pub(super) fn new(key: SigningKey) -> Self {
        Self {
            key,
            clients: Mutex::default(),
            clubs: Mutex::default(),
            grants: Mutex::default(),
        }
    }

    pub(super) fn add_client(&self, client_id: &str, redirect_uri: &str) {
        let mut clients = lock(&self.clients);
        let addresses = clients.entry(client_id.to_owned()).or_default();
        addresses.push(redirect_uri.to_owned());
    }

    /// Whether people of this client may be sent there: to exactly this address.
    pub(super) fn knows(&self, client_id: &str, redirect_uri: &str) -> bool {
        let clients = lock(&self.clients);
        let addresses = clients.get(client_id);
        addresses.is_some_and(|addresses| addresses.iter().any(|known| known == redirect_uri))
    }

    pub(super) fn set_clubs(&self, clubs: &[Uuid]) {
        *lock(&self.clubs) = clubs.to_vec();
    }

    pub(super) fn clubs(&self) -> Vec<Uuid> {
        lock(&self.clubs).clone()
    }

    pub(super) fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }
}

/// Nothing here is left half-written, so a panic while it was locked leaves it usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
