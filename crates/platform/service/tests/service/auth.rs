//! Login, against a real issuer.

mod extractor;
mod keys;
mod tokens;

use service::auth::{Authenticator, Principal};
use service::problem::Problem;

use crate::support::issuer::{Issuer, Key};
use crate::support::until;

/// An issuer with one key, and an authenticator that has fetched it.
async fn ready() -> (Key, Issuer, Authenticator) {
    let key = Key::generate("first");
    let issuer = Issuer::start(&[&key]).await;
    let authenticator = Authenticator::new(&issuer.options()).unwrap();
    until("the first fetch", async || issuer.fetches() > 0).await;
    (key, issuer, authenticator)
}

async fn authenticate(authenticator: &Authenticator, token: &str) -> Result<Principal, Problem> {
    authenticator
        .authenticate(format!("Bearer {token}").as_bytes())
        .await
}

/// The code of the refusal.
async fn refusal(authenticator: &Authenticator, token: &str) -> String {
    authenticate(authenticator, token)
        .await
        .expect_err("a bad token was accepted")
        .code()
        .to_owned()
}
