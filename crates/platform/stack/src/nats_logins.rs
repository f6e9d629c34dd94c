//! The users of our own nats-server and their generated passwords. The passwords are in files that only their owner can
//! read, never in an environment or on a command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::checkout::{create_dir, write_private};
use crate::secrets::random_hex;

/// The users in `nats/accounts.conf`.
const USERS: [&str; 4] = ["command-api", "projector", "operator", "administrator"];
/// The prefix of the JetStream API for readers, in that file.
const READERS_API: &str = "$JS.LOG.API";
/// The variable in which `stack test-servers` passes the directory of the passwords to the tests.
pub(crate) const VARIABLE: &str = "NATS_LOGINS";

/// A password file per user, and the server's own copy of them all.
#[derive(Clone, Debug)]
pub struct NatsLogins {
    dir: PathBuf,
}

impl NatsLogins {
    /// Passwords for a server that works in `data`: those of an earlier run, or new ones.
    pub(crate) fn create(data: &Path) -> anyhow::Result<Self> {
        let logins = Self {
            dir: data.join("passwords"),
        };
        create_dir(&logins.dir, 0o700)?;
        for user in USERS {
            if !logins.file(user).exists() {
                logins.tell(user, &random_hex()?)?;
            }
        }
        let told = USERS.map(|user| logins.password(user).map(|password| (user, password)));
        logins.write_server_copy(&told.into_iter().collect::<anyhow::Result<Vec<_>>>()?)?;
        Ok(logins)
    }

    /// The passwords of a server that another process started, if [`VARIABLE`] names their directory.
    pub(crate) fn given() -> Option<Self> {
        let dir = std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty())?;
        Some(Self { dir: dir.into() })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file that holds a user's password.
    pub fn file(&self, user: &str) -> PathBuf {
        self.dir.join(user)
    }

    /// A user's password, as its program reads it.
    pub fn password(&self, user: &str) -> anyhow::Result<String> {
        let file = self.file(user);
        let text = std::fs::read_to_string(&file);
        Ok(text
            .with_context(|| format!("cannot read {}", file.display()))?
            .trim()
            .to_owned())
    }

    /// Gives a user's program another password, and the server none.
    pub fn tell(&self, user: &str, password: &str) -> anyhow::Result<()> {
        write_private(&self.file(user), format!("{password}\n").as_bytes())
    }

    /// Gives the server another password for a user, from its next (re)load on, and the program none.
    pub fn change(&self, user: &str, password: &str) -> anyhow::Result<()> {
        let of = |other: &'static str| {
            if other == user {
                Ok((other, password.to_owned()))
            } else {
                Ok((other, self.password(other)?))
            }
        };
        self.write_server_copy(&USERS.map(of).into_iter().collect::<anyhow::Result<Vec<_>>>()?)
    }

    /// The prefix of the JetStream API for that user.
    pub fn api_prefix(user: &str) -> &'static str {
        match user {
            "command-api" | "administrator" => "$JS.API",
            _ => READERS_API,
        }
    }

    /// A URL with user and password in it.
    pub(crate) fn url_of(&self, user: &str, address: &str) -> anyhow::Result<String> {
        let (scheme, host) = address.split_once("://").context("an address with a scheme")?;
        let password = self.password(user)?;
        Ok(format!("{scheme}://{user}:{password}@{host}"))
    }

    fn write_server_copy(&self, passwords: &[(&str, String)]) -> anyhow::Result<()> {
        let text = passwords
            .iter()
            .fold(String::new(), |mut text, (user, password)| {
                let name = user.to_uppercase().replace('-', "_");
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{name}_PASSWORD: \"{password}\"");
                text
            });
        write_private(&self.dir.with_extension("conf"), text.as_bytes())
    }
}

/// A URL without the user and password in it.
pub(crate) fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}
