//! What every request shares.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use query::{Exports, Reads};
use service::auth::Authenticator;
use service::limits::Limiter;
use service::return_key::ReturnKey;
use service::seller::Seller;

use crate::keys::Signer;
use crate::rendering::Renderer;
use crate::status::StatusBoard;
use crate::stream::Hub;

/// What every request shares. Each layer and each route clones it for each request, so it is one pointer.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Parts>);

/// The parts of it.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Reads the rows.
    pub reads: Reads,
    /// Reads the rows of the projection `reports`.
    pub reports: Reads,
    /// Streams all rows of a resource.
    pub exports: Exports,
    /// Tells what changes.
    pub changes: Hub,
    /// What works.
    pub status: StatusBoard,
    /// Says who is asking.
    pub authenticator: Authenticator,
    /// Counts requests.
    pub limiter: Limiter,
    /// Checks the capabilities of return URLs.
    pub return_key: ReturnKey,
    /// Signs licenses and lists, if there are keys.
    pub signer: Option<Signer>,
    /// Makes documents.
    pub renderer: Renderer,
    /// Who sells, if that is known.
    pub seller: Option<Seller>,
}

impl AppState {
    /// Of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

impl FromRef<AppState> for Limiter {
    fn from_ref(state: &AppState) -> Self {
        state.limiter.clone()
    }
}

impl FromRef<AppState> for Reads {
    fn from_ref(state: &AppState) -> Self {
        state.reads.clone()
    }
}

impl FromRef<AppState> for ReturnKey {
    fn from_ref(state: &AppState) -> Self {
        state.return_key.clone()
    }
}
