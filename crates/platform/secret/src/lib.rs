//! A string that does not print itself, so that `{:?}` of a config struct cannot bring a secret into a log line or an
//! error. A secret is given directly or in a file.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, io};

/// A secret value. `Debug` prints `***`, there is no `Display`, and [`Secret::expose`] is the only way to read it.
///
/// Implements [`FromStr`], so a clap field can be `Option<Secret>`; add `hide_env_values = true` to its `#[arg]`.
#[derive(Clone)]
pub struct Secret(String);

/// Why there is no secret. The message names the flag, the variable and the file, never a value.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// Neither is given.
    #[error("--{0} or --{0}-file is required ({variable} or {variable}_FILE)", variable = variable(.0))]
    Missing(&'static str),
    /// Both are given.
    #[error(
        "--{0} and --{0}-file {path} are both given ({variable} and {variable}_FILE): take one away",
        variable = variable(.0),
        path = .1.display()
    )]
    Both(&'static str, PathBuf),
    /// The value is empty.
    #[error("--{0} ({variable}) is empty", variable = variable(.0))]
    Empty(&'static str),
    /// The file holds nothing.
    #[error("--{0}-file ({variable}_FILE): {path} is empty", variable = variable(.0), path = .1.display())]
    EmptyFile(&'static str, PathBuf),
    /// The file can't be read.
    #[error("--{0}-file ({variable}_FILE): cannot read {path}: {2}", variable = variable(.0), path = .1.display())]
    Unreadable(&'static str, PathBuf, io::Error),
}

fn variable(flag: &str) -> String {
    flag.to_uppercase().replace('-', "_")
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret that `--flag` or `--flag-file` gives (or the variables `FLAG` and `FLAG_FILE`), if either does.
    ///
    /// A file's trailing line breaks are not part of the secret.
    pub fn given(
        flag: &'static str,
        direct: Option<&Self>,
        file: Option<&Path>,
    ) -> Result<Option<Self>, BadSecret> {
        match (direct, file) {
            (None, None) => Ok(None),
            (Some(_), Some(path)) => Err(BadSecret::Both(flag, path.to_owned())),
            (Some(secret), None) if secret.0.is_empty() => Err(BadSecret::Empty(flag)),
            (Some(secret), None) => Ok(Some(secret.clone())),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| BadSecret::Unreadable(flag, path.to_owned(), error))?;
                match text.trim_end_matches(['\r', '\n']) {
                    "" => Err(BadSecret::EmptyFile(flag, path.to_owned())),
                    secret => Ok(Some(Self::new(secret))),
                }
            }
        }
    }

    /// As [`given`](Self::given), but an absent secret is an error.
    pub fn required(
        flag: &'static str,
        direct: Option<&Self>,
        file: Option<&Path>,
    ) -> Result<Self, BadSecret> {
        Self::given(flag, direct, file)?.ok_or(BadSecret::Missing(flag))
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
