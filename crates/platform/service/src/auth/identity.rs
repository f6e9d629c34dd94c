//! The proof of a login that an issuer hands to the program which began it: an `id_token` (OpenID Connect Core, 2).

use jsonwebtoken::decode;
use serde::Deserialize;
use uuid::Uuid;

use super::authenticator::Authenticator;
use super::token::{self, MAX_TOKEN_BYTES, TokenError};
use crate::problem::Problem;

/// Who logged in. Not `Debug`: a name belongs in no log.
pub struct Identity {
    /// The same id as in the access tokens of this person.
    pub user_id: Uuid,
    /// What the login was begun with. The caller compares it.
    pub nonce: String,
    /// The person's name, if the issuer tells it.
    pub name: Option<String>,
}

/// `iss` as a string also refuses an array of issuers, which the library would take.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    nonce: String,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl Authenticator {
    /// Verifies an `id_token` that was made for this client: signature, issuer, client and time.
    pub async fn identity(&self, id_token: &str, client_id: &str) -> Result<Identity, Problem> {
        Ok(self.proven_identity(id_token, client_id).await?)
    }

    async fn proven_identity(&self, id_token: &str, client_id: &str) -> Result<Identity, TokenError> {
        if id_token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key = self.key_of(id_token).await?;
        let mut validation = token::validation(self.options());
        validation.set_audience(&[client_id]);
        let decoded = decode::<Claims>(id_token, &key, &validation);
        let claims = decoded.map_err(|error| token::refused(&error))?.claims;
        // The client that it was issued to, where the issuer says so.
        if claims.sub.is_empty() || claims.azp.is_some_and(|client| client != client_id) {
            return Err(TokenError::Claims);
        }
        Ok(Identity {
            user_id: token::user_id(&claims.iss, &claims.sub),
            nonce: claims.nonce,
            name: claims.name,
        })
    }
}
