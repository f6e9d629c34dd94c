//! Settings of the shop itself, and of its keys, which several subcommands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use domain::{CapturePolicy, HOLDER_KEY_MIN_BYTES, HolderKey, RefundPolicy};
use event_store::vault::Vault;
use service::secret::Secret;

use crate::erasure::Ledger;

#[derive(Args)]
pub(crate) struct ShopArgs {
    /// Where the payment provider reaches this service: scheme and host as it signs its webhooks for
    #[arg(
        long,
        env = "PUBLIC_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub(crate) public_url: String,
    /// Where the provider sends the customer's browser back to; `order_id` and the capability `t` are added to its query
    #[arg(
        long,
        env = "RETURN_URL",
        default_value = "http://127.0.0.1:8080/return",
        value_name = "URL"
    )]
    pub(crate) return_url: String,
    /// Seconds that an order may stay unpaid
    #[arg(long, env = "ORDER_TTL_S", default_value_t = 900, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) order_ttl_s: u32,
    #[command(flatten)]
    pub(crate) holder_key: HolderKeyArgs,
    /// Seconds after a capture until the provider's books are looked at again for money that moved outside the shop
    #[arg(long, env = "RECONCILE_AFTER_S", default_value_t = 3600, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub(crate) reconcile_after_s: u32,
    /// Seconds between two rounds of the scheduled comparison of orders with their payments
    #[arg(long, env = "RECONCILE_EVERY_S", default_value_t = 86_400, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=2_592_000))]
    pub(crate) reconcile_every_s: u32,
    /// File that says what to do at once when money can't be collected, by reason; without one, the policy that this build
    /// was made with
    #[arg(long, env = "CAPTURE_POLICY_FILE", value_name = "FILE")]
    capture_policy_file: Option<PathBuf>,
    /// File that says until when and how much of a license's price staff gives back; without one, the policy that this build
    /// was made with
    #[arg(long, env = "REFUND_POLICY_FILE", value_name = "FILE")]
    refund_policy_file: Option<PathBuf>,
}

/// The key of the holder ids.
#[derive(Args)]
pub(crate) struct HolderKeyArgs {
    /// Key that holder ids are made with, 32 bytes or more; never changed while the log exists
    #[arg(long, env = "HOLDER_KEY", hide_env_values = true, value_name = "KEY")]
    holder_key: Option<Secret>,
    /// File that holds the key of the holder ids
    #[arg(long, env = "HOLDER_KEY_FILE", value_name = "FILE")]
    holder_key_file: Option<PathBuf>,
}

impl HolderKeyArgs {
    pub(crate) fn key(&self) -> anyhow::Result<HolderKey> {
        let file = self.holder_key_file.as_deref();
        let key = Secret::required("holder-key", self.holder_key.as_ref(), file)?;
        HolderKey::new(key.expose().as_bytes())
            .with_context(|| format!("--holder-key has less than {HOLDER_KEY_MIN_BYTES} bytes"))
    }
}

/// How personal data is kept.
#[derive(Args)]
pub(crate) struct PersonalDataArgs {
    /// File with the master keys of personal data, the active one first (see `keys new`)
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    pub(crate) master_key_file: PathBuf,
    /// File outside the database that erasures are written down in, and carried out from at every start
    #[arg(long, env = "ERASURES_FILE", value_name = "FILE")]
    pub(crate) erasures_file: Option<PathBuf>,
}

impl PersonalDataArgs {
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        self.erasures_file.clone().map(Ledger::new)
    }

    pub(crate) fn vault(&self) -> anyhow::Result<Arc<Vault>> {
        Ok(Arc::new(
            Vault::new(&self.master_key_file).context("--master-key-file")?,
        ))
    }
}

impl ShopArgs {
    pub(crate) fn capture_policy(&self) -> anyhow::Result<CapturePolicy> {
        let built_in = include_str!("../../data/capture-policy.json");
        let text = text(self.capture_policy_file.as_deref(), built_in)?;
        let policy: CapturePolicy = serde_json::from_str(&text).context("--capture-policy-file")?;
        anyhow::ensure!(
            !policy.version.trim().is_empty(),
            "--capture-policy-file: its version is empty"
        );
        tracing::info!(version = policy.version, "capture policy loaded");
        Ok(policy)
    }

    pub(crate) fn refund_policy(&self) -> anyhow::Result<RefundPolicy> {
        let built_in = include_str!("../../data/refund-policy.json");
        let text = text(self.refund_policy_file.as_deref(), built_in)?;
        let policy: RefundPolicy = serde_json::from_str(&text).context("--refund-policy-file")?;
        anyhow::ensure!(
            policy.is_sound(),
            "--refund-policy-file: its version is empty, or its share is above 1000 per mille"
        );
        tracing::info!(version = policy.version, "refund policy loaded");
        Ok(policy)
    }
}

/// The file's text, or the one that this build was made with.
fn text(file: Option<&Path>, built_in: &str) -> anyhow::Result<String> {
    match file {
        None => Ok(built_in.to_owned()),
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        }
    }
}
