//! The settings of the adapter: address, credentials and limits.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use secret::{BadSecret, Secret};

use crate::client::Limits;

/// Address, credentials and limits of the adapter.
#[derive(Debug, Clone)]
pub struct NexiOptions {
    /// The root of the API, such as `https://api.dibspayment.eu`; a path prefix is kept.
    pub base_url: String,
    /// The webshop.
    pub credentials: Credentials,
    /// The page with the shop's terms, which the payment page links to.
    pub terms_url: String,
    /// Timeouts and retries.
    pub limits: Limits,
}

/// The keys of one webshop. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The secret key of the webshop's integration.
    pub secret_key: Secret,
    /// What the provider sends back in the `Authorization` header of each webhook.
    pub webhook_authorization: Secret,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum BadNexiSecret {
    /// A secret is missing, or can't be read.
    #[error(transparent)]
    Secret(#[from] BadSecret),
    /// The provider takes no such text.
    #[error("--nexi-webhook-authorization (NEXI_WEBHOOK_AUTHORIZATION) is not 8 to 32 of a-z, A-Z, 0-9")]
    WebhookAuthorization,
}

/// The credentials of a webshop as flags and environment variables: the shop presents them, and the emulator demands
/// them.
#[derive(Clone, Args)]
#[group(skip)]
#[expect(clippy::struct_field_names, reason = "the flags are named after the fields")]
pub struct CredentialArgs {
    /// Secret key of the webshop at Nexi Checkout; without one, Nexi is not used
    #[arg(long, env = "NEXI_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    nexi_secret_key: Option<Secret>,
    /// File that holds the secret key
    #[arg(long, env = "NEXI_SECRET_KEY_FILE", value_name = "FILE")]
    nexi_secret_key_file: Option<PathBuf>,
    /// `Authorization` header of Nexi's webhooks: 8 to 32 of a-z, A-Z, 0-9
    #[arg(
        long,
        env = "NEXI_WEBHOOK_AUTHORIZATION",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    nexi_webhook_authorization: Option<Secret>,
    /// File that holds that header
    #[arg(long, env = "NEXI_WEBHOOK_AUTHORIZATION_FILE", value_name = "FILE")]
    nexi_webhook_authorization_file: Option<PathBuf>,
}

impl fmt::Debug for CredentialArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialArgs").finish_non_exhaustive()
    }
}

impl CredentialArgs {
    /// The secret key, if one is given.
    pub fn secret_key(&self) -> Result<Option<Secret>, BadSecret> {
        Secret::given(
            "nexi-secret-key",
            self.nexi_secret_key.as_ref(),
            self.nexi_secret_key_file.as_deref(),
        )
    }

    /// The credentials, with the secrets read from their files; none without a secret key.
    pub fn credentials(&self) -> Result<Option<Credentials>, BadNexiSecret> {
        let Some(secret_key) = self.secret_key()? else {
            return Ok(None);
        };
        let webhook_authorization = Secret::required(
            "nexi-webhook-authorization",
            self.nexi_webhook_authorization.as_ref(),
            self.nexi_webhook_authorization_file.as_deref(),
        )?;
        let text = webhook_authorization.expose();
        if !(8..=32).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(BadNexiSecret::WebhookAuthorization);
        }
        Ok(Some(Credentials {
            secret_key,
            webhook_authorization,
        }))
    }
}
