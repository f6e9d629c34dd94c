//! Installs and runs schemathesis, which tests an API against its OpenAPI document.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use stack::Checkout;
use tokio::process::Command;

/// Every package with its version and hashes, made by
/// `echo schemathesis | uv pip compile --generate-hashes --universal --python-version 3.11 -`.
const REQUIREMENTS: &str = "tests/tests/contract/requirements.txt";
/// The directory of this version's packages. Another one whenever the requirements change.
const INSTALLED: &str = "schemathesis-4.32.5";
/// Where the configuration and the hooks are.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract");

/// An installed schemathesis.
pub(crate) struct Schemathesis {
    packages: PathBuf,
    /// What it writes while it runs.
    working: PathBuf,
}

/// Which requests to send as whom.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// The document's address.
    pub(crate) document: &'a str,
    /// The role's name, for messages.
    pub(crate) role: &'a str,
    /// The role's token, if it has one.
    pub(crate) token: Option<&'a str>,
    /// Most requests of each operation and phase.
    pub(crate) max_examples: u32,
    /// What to try.
    pub(crate) phases: &'a str,
}

impl Schemathesis {
    /// Installs it from the Python package index, if it is not there yet, with every hash checked.
    pub(crate) async fn installed() -> anyhow::Result<Self> {
        let local = Checkout::here()?.local()?;
        let packages = local.join(INSTALLED);
        if !packages.is_dir() {
            let unpacked = local.join(format!("{INSTALLED}-unpacked-{}", std::process::id()));
            let installed = install(&unpacked).await;
            // By rename, so that another process never finds half of it. One that was faster has the same packages.
            if installed.is_err() || std::fs::rename(&unpacked, &packages).is_err() {
                let _ = std::fs::remove_dir_all(&unpacked);
            }
            installed?;
        }
        ensure!(packages.is_dir(), "{} is not there", packages.display());
        let working = local.join("schemathesis");
        std::fs::create_dir_all(&working)?;
        Ok(Self { packages, working })
    }

    /// Runs all its checks; its report if any fails.
    pub(crate) async fn check(&self, run: &Run<'_>) -> Result<(), String> {
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SCHEMATHESIS_HOOKS", format!("{HERE}/hooks.py"))
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(format!("{HERE}/schemathesis.toml"))
            .args([
                "run",
                run.document,
                "--checks",
                "all",
                "--seed",
                "7",
                "--no-color",
            ])
            .args(["--phases", run.phases, "--continue-on-failure"])
            .args(["--max-examples", &run.max_examples.to_string()])
            .current_dir(&self.working)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(token) = run.token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        let output = command.output().await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("as {}: {}\n{text}{errors}", run.role, output.status))
    }
}

async fn install(target: &Path) -> anyhow::Result<()> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(REQUIREMENTS);
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "-q",
            "--no-compile",
            "--disable-pip-version-check",
        ])
        .args([
            "--root-user-action=ignore",
            "--only-binary=:all:",
            "--require-hashes",
        ])
        .arg("--target")
        .arg(target)
        .arg("-r")
        .arg(requirements)
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot run python3")?;
    ensure!(
        output.status.success(),
        "schemathesis cannot be installed (needs python3 with pip):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
