//! The settings of letters.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use documents::keys::KeyRing;
use lettre::message::Mailbox;
use service::secret::Secret;
use service::seller::SellerOptions;
use tokio::sync::Semaphore;

use super::{MailServer, Post};

/// How many letters' documents are made at once. One takes some milliseconds of a core.
const MADE_AT_ONCE: usize = 2;

/// How letters to customers are sent.
#[derive(Args)]
pub(crate) struct LetterArgs {
    /// Mail server that takes letters to customers, for example `smtps://user@mail.example.no`; `smtp:` means STARTTLS,
    /// except on this machine. Without one no letters are sent
    #[arg(
        long,
        env = "SMTP_URL",
        value_name = "URL",
        requires_all = ["letters_from", "license_keys_file", "seller_name"]
    )]
    smtp_url: Option<String>,
    /// Password for the mail server
    #[arg(long, env = "SMTP_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    smtp_password: Option<Secret>,
    /// File that holds the password for the mail server
    #[arg(long, env = "SMTP_PASSWORD_FILE", value_name = "FILE")]
    smtp_password_file: Option<PathBuf>,
    /// Sender of letters, for example `Bilsportlisens <ikke-svar@bilsportlisens.no>`
    #[arg(long, env = "LETTERS_FROM", value_name = "MAILBOX")]
    letters_from: Option<Mailbox>,
    /// File of the keys that sign the QR codes of licenses, as query-api has it; read for each letter
    #[arg(long, env = "LICENSE_KEYS_FILE", value_name = "FILE")]
    license_keys_file: Option<PathBuf>,
    #[command(flatten)]
    seller: SellerOptions,
}

impl LetterArgs {
    /// What letters are made and sent with, if there is a mail server. Every setting is tried once.
    pub(crate) fn post(&self) -> anyhow::Result<Option<Post>> {
        let Some(url) = &self.smtp_url else {
            tracing::warn!("no letters are sent: there is no --smtp-url (SMTP_URL)");
            return Ok(None);
        };
        let file = self.smtp_password_file.as_deref();
        let password = Secret::given("smtp-password", self.smtp_password.as_ref(), file)?;
        let from = self.letters_from.clone().context("--letters-from is required")?;
        let keys = self
            .license_keys_file
            .clone()
            .context("--license-keys-file is required")?;
        KeyRing::read(&keys).context("--license-keys-file")?;
        let domain = idna::domain_to_ascii(from.email.domain()).ok();
        let domain = domain.context("--letters-from has no domain of the internet")?;
        let password = password.as_ref().map(Secret::expose);
        let server = MailServer::at(url, password, &domain).context("--smtp-url")?;
        Ok(Some(Post {
            server,
            from,
            domain: domain.into(),
            keys: keys.into(),
            seller: Arc::new(self.seller.seller().context("--seller-name is required")?),
            turns: Arc::new(Semaphore::new(MADE_AT_ONCE)),
        }))
    }
}
