//! What every request shares.

use axum::extract::FromRef;
use query::Reads;
use service::auth::Authenticator;

/// What every request shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Reads the rows.
    pub reads: Reads,
    /// Says who is asking.
    pub authenticator: Authenticator,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

impl FromRef<AppState> for Reads {
    fn from_ref(state: &AppState) -> Self {
        state.reads.clone()
    }
}
