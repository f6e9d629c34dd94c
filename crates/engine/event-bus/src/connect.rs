//! Connecting to NATS: under a name, as a user, and again for as long as it takes.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use async_nats::{AuthError, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;

use self::tls::why_not;

mod tls;

pub use self::tls::TlsFiles;

/// How long one request to JetStream may take.
const REQUEST_WAIT: Duration = Duration::from_secs(3);
/// The longest pause between two attempts to connect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// The longest pause after the server refused the login: only an operator can change that, and each attempt is logged.
const MAX_REFUSED_DELAY: Duration = Duration::from_secs(5);
/// The subjects of the JetStream API in the account that holds the stream.
const API_PREFIX: &str = "$JS.API";

/// Address and login of NATS. Not printable: the URL may hold a password.
#[derive(Clone)]
pub struct Access {
    /// The server. Its user and password are used when [`Access::login`] is not set.
    pub url: String,
    /// The user; without it, the user in the URL, or none.
    pub login: Option<Login>,
    /// Prefix of the subjects of the JetStream API: `$JS.API`, or the prefix under which an account imports it.
    pub api_prefix: String,
    /// The certificates. A URL with `tls://` and each of these files make TLS mandatory.
    pub tls: TlsFiles,
}

/// A user of the server and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user. Replies come to subjects below `_INBOX.<user>`, so that no other user needs a permission for them.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// A password, or the file that holds it.
#[derive(Clone)]
pub enum Password {
    /// The password itself.
    Given(String),
    /// A file that holds it. Each attempt to connect reads it, so a new password needs no restart.
    File(PathBuf),
}

/// A setting that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL can't be used.
    #[error("bad NATS URL: {0}")]
    Url(String),
    /// User and password don't go together.
    #[error("{0}")]
    Login(&'static str),
    /// A file for TLS can't be used.
    #[error("the NATS {what} {path}: {why}", path = path.display())]
    TlsFile {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The password's file can't be read.
    #[error("cannot read the NATS password file {path}", path = path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// JetStream, and the server's reason if it refuses us. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    context: Context,
    refused: Arc<watch::Sender<Option<String>>>,
}

/// JetStream at a URL, under a name that the server shows. Only a setting that can't be used is an error. A server that is
/// down or refuses us is tried again in the background; until then, requests time out.
pub async fn connect(url: &str, name: &str) -> Result<Connection, ConnectError> {
    let access = Access {
        url: url.to_owned(),
        ..Access::default()
    };
    connect_as(&access, name).await
}

/// Like [`connect`], as a certain user.
pub async fn connect_as(access: &Access, name: &str) -> Result<Connection, ConnectError> {
    let bad_url = |error: &dyn fmt::Display| ConnectError::Url(error.to_string());
    let address: ServerAddr = access.url.parse().map_err(|error| bad_url(&error))?;
    let login = match &access.login {
        Some(login) => Some(login.clone()),
        None => login_in(&address)?,
    };
    let refused = Arc::new(watch::Sender::new(None));
    let [heard, known, told] = std::array::from_fn(|_| Arc::clone(&refused));
    let options = match login {
        None => ConnectOptions::new(),
        Some(login) => {
            login.read()?;
            let inbox = format!("_INBOX.{}", login.user);
            // Called for every attempt, so that a changed password is used.
            ConnectOptions::with_auth_callback(move |_| std::future::ready(login.auth()))
                .custom_inbox_prefix(inbox)
        }
    };
    let options = access
        .tls
        .protect(options, address.scheme() == "tls")?
        .name(name)
        .retry_on_initial_connect()
        .request_timeout(Some(REQUEST_WAIT))
        .reconnect_delay_callback(move |attempts| {
            let doublings = u32::try_from(attempts.min(10)).unwrap_or(10);
            let longest = if known.borrow().is_some() {
                MAX_REFUSED_DELAY
            } else {
                MAX_RECONNECT_DELAY
            };
            (Duration::from_millis(25) * 2_u32.pow(doublings)).min(longest)
        })
        .reconnect_to_server_callback(move |servers, _| {
            // Called before each attempt, since the event of a failed one has no reason.
            if let Some(problem) = why_not(&servers) {
                keep(&told, &problem);
            }
            // The client chooses the server.
            std::future::ready(None)
        })
        .event_callback(move |event| {
            hear(&heard, event);
            std::future::ready(())
        });
    let client = options.connect(address).await.map_err(|error| bad_url(&error))?;
    let mut context = jetstream::with_prefix(client, &access.api_prefix);
    context.set_timeout(REQUEST_WAIT);
    Ok(Connection { context, refused })
}

/// Keeps the server's reason for a refusal until it accepts us.
fn hear(refused: &watch::Sender<Option<String>>, event: Event) {
    let problem = match event {
        Event::Connected => {
            tracing::info!("connected to nats");
            refused.send_replace(None);
            return;
        }
        Event::Disconnected => {
            tracing::warn!("disconnected from nats");
            return;
        }
        Event::ServerError(ServerError::AuthorizationViolation) => REFUSED.to_owned(),
        Event::ClientError(ClientError::Other(told))
            if told == ConnectErrorKind::AuthorizationViolation.to_string() =>
        {
            REFUSED.to_owned()
        }
        Event::ClientError(ClientError::Other(told))
            if told == ConnectErrorKind::Authentication.to_string() =>
        {
            "the nats password can't be read".to_owned()
        }
        // Permissions and code disagree until one of them is changed.
        Event::ServerError(ServerError::Other(told)) if told.starts_with("Permissions Violation") => {
            format!("nats denies something this needs: {told}")
        }
        // The affected request reports other failures, with more detail.
        other => {
            tracing::debug!(event = %other, "nats event");
            return;
        }
    };
    keep(refused, &problem);
}

fn keep(refused: &watch::Sender<Option<String>>, problem: &str) {
    let changed = refused.send_replace(Some(problem.to_owned())).as_deref() != Some(problem);
    if changed {
        tracing::error!(problem, "nats refuses");
    }
}

/// The problem when the server does not accept the login.
const REFUSED: &str = "nats refuses the user or the password";

impl Connection {
    /// Why JetStream can't be used, if that is known here: refused, denied, or not connected.
    pub fn problem(&self) -> Option<String> {
        let refused = self.refused.borrow().clone();
        refused.or_else(|| (!self.is_connected()).then(|| "disconnected from nats".to_owned()))
    }

    /// False as soon as the connection breaks. A server that hangs is noticed only by a request that times out.
    pub fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }
}

/// Gives the plain JetStream context.
impl Deref for Connection {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            url: String::new(),
            login: None,
            api_prefix: API_PREFIX.to_owned(),
            tls: TlsFiles::default(),
        }
    }
}

impl Login {
    /// The login that settings describe: none without a user; a user needs a password, given or in a file.
    pub fn from_settings(
        user: Option<&str>,
        password: Option<&str>,
        password_file: Option<&Path>,
    ) -> Result<Option<Self>, ConnectError> {
        let password = match (password, password_file) {
            (Some(password), None) => Some(Password::Given(password.to_owned())),
            (None, Some(path)) => Some(Password::File(path.to_owned())),
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(ConnectError::Login(
                    "the NATS password is given both directly and as a file",
                ));
            }
        };
        match (user, password) {
            (Some(user), Some(password)) => Ok(Some(Self {
                user: user.to_owned(),
                password,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConnectError::Login("a NATS user is given without a password")),
            (None, Some(_)) => Err(ConnectError::Login("a NATS password is given without a user")),
        }
    }

    fn read(&self) -> Result<String, ConnectError> {
        match &self.password {
            Password::Given(password) => Ok(password.clone()),
            // A file's line break is not part of the password.
            Password::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(source) => Err(ConnectError::PasswordFile {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }

    fn auth(&self) -> Result<async_nats::Auth, AuthError> {
        let password = self.read().map_err(AuthError::new)?;
        let mut auth = async_nats::Auth::new();
        auth.username = Some(self.user.clone());
        auth.password = Some(password);
        Ok(auth)
    }
}

/// The user and password in a URL, which async-nats does not use.
fn login_in(address: &ServerAddr) -> Result<Option<Login>, ConnectError> {
    let Some((user, password)) = address.username().zip(address.password()) else {
        return Ok(None);
    };
    if user.contains('%') || password.contains('%') {
        let reason = "give a user or password with special characters on its own, not in the URL";
        return Err(ConnectError::Url(reason.into()));
    }
    Ok(Some(Login {
        user: user.to_owned(),
        password: Password::Given(password.to_owned()),
    }))
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => formatter.write_str("***"),
            Self::File(path) => path.fmt(formatter),
        }
    }
}
