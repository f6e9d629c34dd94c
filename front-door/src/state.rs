//! What every request shares.

use service::auth::Authenticator;

use crate::keys::Seal;
use crate::origin::Origin;
use crate::provider::Provider;

/// What every request shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Where browsers see the shop.
    pub origin: Origin,
    /// Seals and opens cookies.
    pub seal: Seal,
    /// Where people log in.
    pub provider: Provider,
    /// Verifies what the issuer signed.
    pub authenticator: Authenticator,
}
