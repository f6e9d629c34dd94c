//! The one way to connect, with a name, and without ever giving up.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use async_nats::{AuthError, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;

pub use self::tls::TlsFiles;
use self::tls::why_not;

mod tls;

/// How long one request to JetStream may take.
const REQUEST_WAIT: Duration = Duration::from_secs(3);
/// The longest pause between two attempts to connect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// The longest pause after the server refused the login: somebody has to mend that, and each attempt is logged.
const MAX_REFUSED_DELAY: Duration = Duration::from_secs(5);
/// The subjects of the JetStream API in the account that holds the stream.
const API_PREFIX: &str = "$JS.API";

/// Where NATS is, and who asks. Prints nothing of itself: the URL may hold a password.
#[derive(Clone)]
pub struct Access {
    /// The server. Its user and password, if it has any, count when no [`Access::login`] is given.
    pub url: String,
    /// Who asks; without it, what the URL says, or nobody in particular.
    pub login: Option<Login>,
    /// What the subjects of the JetStream API begin with: `$JS.API`, or what an account imports it as.
    pub api_prefix: String,
    /// With which certificates. TLS is demanded by a URL with `tls://`, and by each of these files.
    pub tls: TlsFiles,
}

/// A user of the server, and where the password is.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user. Answers come to subjects below `_INBOX.<user>`, so that no other user needs to be allowed to hear them.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// A password, or where it is.
#[derive(Clone)]
pub enum Password {
    /// The password itself.
    Given(String),
    /// A file that holds it, read again for each attempt to connect: a new password needs no restart.
    File(PathBuf),
}

/// Why nothing could even be tried: a setting is wrong.
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

/// JetStream, and what the server has against us. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    context: Context,
    refused: Arc<watch::Sender<Option<String>>>,
}

/// JetStream at a URL, under a name that the server shows. Only a setting that can't be used is an error: a server that
/// is down, or refuses us, is tried again in the background, and whoever needs it meanwhile gets timeouts.
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
            // Asked at every attempt, so that a password that was changed is seen.
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
            // Asked before each attempt, since the event of a failed one does not say why.
            if let Some(problem) = why_not(&servers) {
                keep(&told, &problem);
            }
            // Whichever it would take anyway.
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

/// Keeps what the server has against us, until it takes us again.
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
        // The permissions and the code disagree: it stays wrong until one of them changes.
        Event::ServerError(ServerError::Other(told)) if told.starts_with("Permissions Violation") => {
            format!("nats denies something this needs: {told}")
        }
        // What else goes wrong is told by whoever is affected, with more to say than this.
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

/// What is said of a login that the server does not take.
const REFUSED: &str = "nats refuses the user or the password";

impl Connection {
    /// Why JetStream can't be used, if that is known here: refused, denied, or not connected.
    pub fn problem(&self) -> Option<String> {
        let refused = self.refused.borrow().clone();
        refused.or_else(|| (!self.is_connected()).then(|| "disconnected from nats".to_owned()))
    }

    /// Known at once when the connection breaks; a server that hangs is only missed by what it does not answer.
    pub fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }
}

/// Everything that needs no more than JetStream takes it from here.
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

/// The user and password in a URL, which async-nats itself does not look at.
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
