//! The settings of the adapter: address, credentials and limits.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use secret::{BadSecret, Secret};

use crate::client::Limits;

/// Address, credentials and limits of the adapter.
#[derive(Debug, Clone)]
pub struct VippsOptions {
    /// The root of the API, such as `https://api.vipps.no`; a path prefix is kept.
    pub base_url: String,
    /// The sales unit.
    pub credentials: Credentials,
    /// Timeouts and retries.
    pub limits: Limits,
}

/// The keys of one sales unit. `Debug` shows no secret.
#[derive(Clone)]
pub struct Credentials {
    /// `client_id` of the sales unit.
    pub client_id: String,
    /// `client_secret` of the sales unit.
    pub client_secret: String,
    /// `Ocp-Apim-Subscription-Key` of the sales unit.
    pub subscription_key: String,
    /// `Merchant-Serial-Number` (MSN) of the sales unit.
    pub merchant_serial_number: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("merchant_serial_number", &self.merchant_serial_number)
            .finish_non_exhaustive()
    }
}

/// The credentials of a sales unit as flags and environment variables: the shop presents them, and the emulator demands
/// them.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[expect(clippy::struct_field_names, reason = "the flags are named after the fields")]
pub struct CredentialArgs {
    /// `client_id` of the sales unit
    #[arg(long, env = "VIPPS_CLIENT_ID", value_name = "ID")]
    vipps_client_id: String,
    /// `client_secret` of the sales unit
    #[arg(
        long,
        env = "VIPPS_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    vipps_client_secret: Option<Secret>,
    /// File that holds the `client_secret`
    #[arg(long, env = "VIPPS_CLIENT_SECRET_FILE", value_name = "FILE")]
    vipps_client_secret_file: Option<PathBuf>,
    /// `Ocp-Apim-Subscription-Key` of the sales unit
    #[arg(
        long,
        env = "VIPPS_SUBSCRIPTION_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    vipps_subscription_key: Option<Secret>,
    /// File that holds the subscription key
    #[arg(long, env = "VIPPS_SUBSCRIPTION_KEY_FILE", value_name = "FILE")]
    vipps_subscription_key_file: Option<PathBuf>,
    /// Merchant serial number of the sales unit
    #[arg(long, env = "VIPPS_MSN", value_name = "NUMBER")]
    vipps_msn: String,
}

impl CredentialArgs {
    /// The credentials, with the secrets read from their files.
    pub fn credentials(&self) -> Result<Credentials, BadSecret> {
        let client_secret = Secret::required(
            "vipps-client-secret",
            self.vipps_client_secret.as_ref(),
            self.vipps_client_secret_file.as_deref(),
        )?;
        let subscription_key = Secret::required(
            "vipps-subscription-key",
            self.vipps_subscription_key.as_ref(),
            self.vipps_subscription_key_file.as_deref(),
        )?;
        Ok(Credentials {
            client_id: self.vipps_client_id.clone(),
            client_secret: client_secret.expose().to_owned(),
            subscription_key: subscription_key.expose().to_owned(),
            merchant_serial_number: self.vipps_msn.clone(),
        })
    }
}
