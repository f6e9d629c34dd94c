//! Which payment providers this shop has, from flags or the environment.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use payments::nexi::{self, Nexi, NexiOptions};
use payments::vipps::{self, Vipps, VippsOptions};
use payments::{Limits, PaymentProvider as Port};
use service::secret::{BadSecret, Secret};
use vocabulary::{PaymentProvider, Word as _};

use crate::process::providers::Providers;

#[derive(Args)]
// Required only if Vipps is one of the providers.
#[command(mut_arg("vipps_client_id", |arg| arg.required(false).default_value("")))]
#[command(mut_arg("vipps_msn", |arg| arg.required(false).default_value("")))]
pub(crate) struct PaymentArgs {
    /// Payment providers that new orders can be paid with, separated by commas: vipps, nexi
    #[arg(
        long,
        env = "PAYMENT_PROVIDERS",
        default_value = "vipps",
        value_delimiter = ',',
        value_parser = provider,
        value_name = "NAMES"
    )]
    payment_providers: Vec<PaymentProvider>,
    /// Payment providers that are no longer offered, and whose orders are still captured and refunded
    #[arg(
        long,
        env = "PAYMENT_PROVIDERS_KEPT",
        value_delimiter = ',',
        value_parser = provider,
        value_name = "NAMES"
    )]
    payment_providers_kept: Vec<PaymentProvider>,
    #[command(flatten)]
    vipps: VippsArgs,
    #[command(flatten)]
    nexi: NexiArgs,
}

#[derive(Args)]
#[group(skip)]
struct VippsArgs {
    /// Root of the Vipps MobilePay API
    #[arg(
        long,
        env = "VIPPS_BASE_URL",
        default_value = "https://api.vipps.no",
        value_name = "URL"
    )]
    vipps_base_url: String,
    #[command(flatten)]
    credentials: vipps::CredentialArgs,
    /// Secret that the webhooks of Vipps are signed with
    #[arg(
        long,
        env = "VIPPS_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    vipps_webhook_secret: Option<Secret>,
    /// File that holds the webhook secret
    #[arg(long, env = "VIPPS_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    vipps_webhook_secret_file: Option<PathBuf>,
}

#[derive(Args)]
#[group(skip)]
struct NexiArgs {
    /// Root of the Nexi Checkout API
    #[arg(
        long,
        env = "NEXI_BASE_URL",
        default_value = "https://api.dibspayment.eu",
        value_name = "URL"
    )]
    nexi_base_url: String,
    /// Page with the shop's terms, which Nexi's payment page links to
    #[arg(
        long,
        env = "NEXI_TERMS_URL",
        default_value = "http://127.0.0.1:8080/terms",
        value_name = "URL"
    )]
    nexi_terms_url: String,
    #[command(flatten)]
    credentials: nexi::CredentialArgs,
}

/// Every provider, and the secrets of their webhooks.
pub(crate) struct Payments {
    pub(crate) providers: Providers,
    pub(crate) vipps_webhook_secret: Option<Secret>,
    pub(crate) nexi_webhook_authorization: Option<Secret>,
}

fn provider(name: &str) -> Result<PaymentProvider, String> {
    let known = PaymentProvider::texts().join(", ");
    name.trim()
        .parse()
        .map_err(|_| format!("the payment providers are: {known}"))
}

impl PaymentArgs {
    /// The providers of the settings. A provider whose credentials are missing is an error that names the setting.
    pub(crate) fn payments(&self) -> anyhow::Result<Payments> {
        let offered = &self.payment_providers;
        ensure!(!offered.is_empty(), "--payment-providers names no provider");
        let mut payments = Payments {
            providers: Providers::new(Vec::new(), Vec::new()),
            vipps_webhook_secret: None,
            nexi_webhook_authorization: None,
        };
        let mut configured: Vec<(PaymentProvider, Arc<dyn Port>)> = Vec::new();
        for provider in offered.iter().chain(&self.payment_providers_kept) {
            if configured.iter().any(|(known, _)| known == provider) {
                bail!(
                    "--payment-providers and --payment-providers-kept name {} twice",
                    provider.as_str()
                );
            }
            let port: Arc<dyn Port> = match provider {
                PaymentProvider::Vipps => {
                    payments.vipps_webhook_secret = Some(self.vipps.webhook_secret()?);
                    Arc::new(Vipps::new(self.vipps.options()?).context("vipps")?)
                }
                PaymentProvider::Nexi => {
                    let options = self.nexi.options()?;
                    payments.nexi_webhook_authorization =
                        Some(options.credentials.webhook_authorization.clone());
                    Arc::new(Nexi::new(options).context("nexi")?)
                }
            };
            configured.push((*provider, port));
        }
        payments.providers = Providers::new(configured, offered.clone());
        Ok(payments)
    }
}

impl VippsArgs {
    fn options(&self) -> anyhow::Result<VippsOptions> {
        let credentials = self.credentials.credentials()?;
        for (flag, value) in [
            ("--vipps-client-id (VIPPS_CLIENT_ID)", &credentials.client_id),
            ("--vipps-msn (VIPPS_MSN)", &credentials.merchant_serial_number),
        ] {
            ensure!(!value.is_empty(), "{flag} is required");
        }
        Ok(VippsOptions {
            base_url: self.vipps_base_url.clone(),
            credentials,
            limits: Limits::default(),
        })
    }

    fn webhook_secret(&self) -> Result<Secret, BadSecret> {
        Secret::required(
            "vipps-webhook-secret",
            self.vipps_webhook_secret.as_ref(),
            self.vipps_webhook_secret_file.as_deref(),
        )
    }
}

impl NexiArgs {
    fn options(&self) -> anyhow::Result<NexiOptions> {
        let credentials = self.credentials.credentials()?;
        Ok(NexiOptions {
            base_url: self.nexi_base_url.clone(),
            credentials: credentials.context(
                "--nexi-secret-key or --nexi-secret-key-file is required (NEXI_SECRET_KEY or NEXI_SECRET_KEY_FILE)",
            )?,
            terms_url: self.nexi_terms_url.clone(),
            limits: Limits::default(),
        })
    }
}
