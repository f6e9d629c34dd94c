//! A string that does not print itself, so that a secret in a config struct cannot reach a log line or an error by
//! way of `{:?}`.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

use anyhow::{Context, bail};

/// A secret value: `Debug` prints `***`, there is no `Display`, and reading it has to be asked for.
///
/// Implements [`FromStr`], so a clap field can be `Option<Secret>`; add `hide_env_values = true` to its `#[arg]`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret given directly or in a file (the `X` and `X_FILE` pair of environment variables).
    ///
    /// A file's trailing line break is not part of the secret. `None` when neither is given; giving both, an empty
    /// value or a file that can't be read is an error that names the path, never the value.
    pub fn from_flag_or_file(flag: Option<Self>, file: Option<PathBuf>) -> anyhow::Result<Option<Self>> {
        let secret = match (flag, file) {
            (Some(_), Some(path)) => {
                bail!(
                    "a secret is given both directly and in the file {}",
                    path.display()
                )
            }
            (Some(secret), None) => secret,
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read the secret file {}", path.display()))?;
                Self::new(text.trim_end_matches(['\r', '\n']))
            }
            (None, None) => return Ok(None),
        };
        if secret.0.is_empty() {
            bail!("a secret is empty");
        }
        Ok(Some(secret))
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
