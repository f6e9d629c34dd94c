//! Login: bearer tokens from an OpenID Connect issuer, checked here against its cached keys. There are no sessions and
//! no passwords; a user is (`iss`, `sub`), never an e-mail address.

mod account;
mod authenticator;
mod extractor;
mod identity;
mod jwks;
mod policy;
mod principal;
mod session;
mod token;
mod verified;

use clap::Args;
use jsonwebtoken::{Algorithm, AlgorithmFamily};

pub use account::{Account, Accounts};
pub use authenticator::Authenticator;
pub use identity::Identity;
pub use jwks::Pace;
pub use policy::{Caller, Rule, Who, Whose, guarded};
pub use principal::{Principal, Role};
pub use session::Session;
pub(crate) use token::problems;

/// Which tokens are accepted.
#[derive(Debug, Clone, Args)]
pub struct AuthOptions {
    /// The issuer of tokens, exactly as in their `iss`
    #[arg(long, env = "JWT_ISSUER", value_name = "URL")]
    pub jwt_issuer: String,
    /// Who tokens must be for, as in their `aud`
    #[arg(
        long,
        env = "JWT_AUDIENCE",
        default_value = "bilsportlisens",
        value_name = "NAME"
    )]
    pub jwt_audience: String,
    /// Where the issuer publishes its keys (JWKS)
    #[arg(long, env = "JWKS_URL", value_name = "URL")]
    pub jwks_url: String,
    /// The one signature algorithm accepted, whatever a token or a key says
    #[arg(long, env = "JWT_ALGORITHM", default_value = "ES256", value_parser = asymmetric, value_name = "NAME")]
    pub jwt_algorithm: Algorithm,
}

/// Shared-secret algorithms are refused: the key is published, so anyone could sign with it.
fn asymmetric(name: &str) -> Result<Algorithm, String> {
    let algorithm: Algorithm = name.parse().map_err(|_| format!("unknown algorithm {name:?}"))?;
    if algorithm.family() == AlgorithmFamily::Hmac {
        return Err("a shared-secret algorithm cannot verify with published keys".to_owned());
    }
    Ok(algorithm)
}
