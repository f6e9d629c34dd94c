//! The mail server: one exchange, step by step, because it matters at which step a server refuses.
//!
//! What a server says about the recipient or the letter is final. What it says about us, our login or our address as sender,
//! is not the customer's affair: the letter waits until that is mended.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::SmtpReply;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::time::timeout;
use url::{Host, Url};

/// How long a connection may take until the server knows who asks.
const CONNECT: Duration = Duration::from_secs(20);
/// How long the server may take for a command.
const COMMAND: Duration = Duration::from_mins(1);
/// How long it may take to accept a letter. Long, because a letter that we give up too early arrives twice.
const LETTER: Duration = Duration::from_mins(4);
/// The most connections that are kept for the next letter, and how long. Most servers close one after a minute.
const MOST_IDLE: usize = 8;
const IDLE: Duration = Duration::from_secs(20);

/// A mail server that takes letters for anyone.
#[derive(Clone)]
pub(crate) struct MailServer {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
    idle: Arc<Mutex<Vec<(AsyncSmtpConnection, Instant)>>>,
}

#[derive(Clone)]
enum Security {
    /// On this machine only.
    None,
    /// From a certain command on; a server that does not offer it gets no letter.
    StartTls(TlsParameters),
    /// From the first byte on.
    Tls(TlsParameters),
}

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Step {
    Connect,
    Sender,
    Recipient,
    Letter,
}

/// Why the server did not take a letter. Never holds the server's text: it repeats addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It refuses this recipient or this letter, and will refuse it again.
    Refused(SmtpReply),
    /// Not now.
    Later(Trouble),
}

/// What keeps letters waiting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mail server: {what}{} at the step {}", code(.reply.as_ref()), <&str>::from(.step))]
pub(crate) struct Trouble {
    pub(crate) step: Step,
    pub(crate) reply: Option<SmtpReply>,
    what: &'static str,
}

fn code(reply: Option<&SmtpReply>) -> String {
    reply.map_or_else(String::new, |reply| format!(" {}", reply.code))
}

impl MailServer {
    /// The server of an `smtp:` or `smtps:` URL. `hello` is the domain that it is greeted from.
    pub(crate) fn at(url: &str, password: Option<&str>, hello: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url)?;
        anyhow::ensure!(
            url.password().is_none(),
            "the password does not belong into the URL: give it as a file"
        );
        let host = url
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        anyhow::ensure!(!host.is_empty(), "the URL has no host");
        let tls = || TlsParameters::new(host.clone());
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Tls(tls()?), 465),
            "smtp" if is_this_machine(&host) => (Security::None, 25),
            "smtp" => (Security::StartTls(tls()?), 587),
            other => anyhow::bail!("the scheme {other:?} is neither smtp nor smtps"),
        };
        let user = percent_decoded(url.username())?;
        let credentials = match (user.as_str(), password) {
            ("", None) => None,
            ("", Some(_)) => anyhow::bail!("there is a password, but the URL names no user"),
            (_, None) => anyhow::bail!("the URL names a user, but there is no password"),
            (user, Some(password)) => Some(Credentials::new(user.to_owned(), password.to_owned())),
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            host,
            security,
            credentials,
            hello: ClientId::Domain(hello.to_owned()),
            idle: Arc::default(),
        })
    }

    /// A connection that is ready for a letter.
    pub(crate) async fn connect(&self) -> Result<Exchange<'_>, Trouble> {
        let connected = timeout(CONNECT, async {
            while let Some(mut kept) = self.kept() {
                if kept.test_connected().await {
                    return Ok(kept);
                }
            }
            self.new_connection().await
        });
        let connection = match connected.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(trouble(Step::Connect, &error)),
            Err(_) => return Err(too_slow(Step::Connect)),
        };
        Ok(Exchange {
            server: self,
            connection,
        })
    }

    async fn new_connection(&self) -> Result<AsyncSmtpConnection, Error> {
        let first = match &self.security {
            Security::Tls(tls) => Some(tls.clone()),
            Security::None | Security::StartTls(_) => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &self.hello, first, None).await?;
        if let Security::StartTls(tls) = &self.security {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        }
    }
}

/// One letter's exchange with the server. Dropped before its end, it closes the connection, and the server has no letter.
pub(crate) struct Exchange<'a> {
    server: &'a MailServer,
    connection: AsyncSmtpConnection,
}

impl Exchange<'_> {
    /// Asks whether the server takes a letter for this recipient.
    pub(crate) async fn offer(&mut self, from: &Address, to: &Address) -> Result<(), NotTaken> {
        let sender = Mail::new(Some(from.clone()), Vec::new());
        let sender = timeout(COMMAND, self.connection.command(sender)).await;
        answered(Step::Sender, sender)?;
        let recipient = Rcpt::new(to.clone(), Vec::new());
        let recipient = timeout(COMMAND, self.connection.command(recipient)).await;
        answered(Step::Recipient, recipient)
    }

    /// Hands the letter over. From the first byte on, only the server knows whether it has the letter, until it answers.
    pub(crate) async fn hand_over(mut self, letter: &[u8]) -> Result<(), NotTaken> {
        let begun = timeout(COMMAND, self.connection.command(Data)).await;
        answered(Step::Letter, begun)?;
        let taken = timeout(LETTER, self.connection.message(letter)).await;
        answered(Step::Letter, taken)?;
        self.server.keep(self.connection);
        Ok(())
    }
}

fn answered(
    step: Step,
    answer: Result<Result<Response, Error>, tokio::time::error::Elapsed>,
) -> Result<(), NotTaken> {
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let trouble = trouble(step, &error);
            match (step, trouble.reply) {
                (Step::Recipient | Step::Letter, Some(reply)) if error.is_permanent() => {
                    Err(NotTaken::Refused(reply))
                }
                (_, reply) => Err(NotTaken::Later(Trouble { reply, ..trouble })),
            }
        }
        Err(_) => Err(NotTaken::Later(too_slow(step))),
    }
}

fn too_slow(step: Step) -> Trouble {
    Trouble {
        step,
        reply: None,
        what: "no answer in time",
    }
}

fn trouble(step: Step, error: &Error) -> Trouble {
    let text = std::error::Error::source(error).map(ToString::to_string);
    let reply = error.status().map(|code| SmtpReply {
        code: code.into(),
        enhanced_status: text.as_deref().and_then(enhanced_status),
    });
    let what = if reply.is_some() {
        "it replied"
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_tls() {
        "no TLS"
    } else if error.is_client() {
        "it lacks what we need: TLS, or a way to log in"
    } else {
        "no connection"
    };
    Trouble { step, reply, what }
}

/// The enhanced status code at the beginning of a reply's text (RFC 2034): class, subject and detail.
fn enhanced_status(text: &str) -> Option<String> {
    let first = text.split_ascii_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(number))
        .then(|| first.to_owned())
}

/// Only there may letters go without TLS.
fn is_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

fn percent_decoded(text: &str) -> anyhow::Result<String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| anyhow::anyhow!("the user is not UTF-8"))?
        .into_owned())
}

#[cfg(test)]
mod tests {
    use super::{MailServer, Security, enhanced_status};

    fn at(url: &str, password: Option<&str>) -> anyhow::Result<MailServer> {
        MailServer::at(url, password, "bilsportlisens.no")
    }

    #[test]
    fn letters_leave_the_machine_by_tls_only() {
        for local in [
            "smtp://127.0.0.1:2525",
            "smtp://localhost:2525",
            "smtp://[::1]:2525",
        ] {
            let server = at(local, None).unwrap();
            assert!(matches!(server.security, Security::None), "{local}");
            assert_eq!(server.port, 2525);
        }
        let relay = at("smtp://user%40x@mail.example.no", Some("secret")).unwrap();
        assert!(matches!(relay.security, Security::StartTls(_)));
        assert_eq!((relay.port, relay.host.as_str()), (587, "mail.example.no"));
        let relay = at("smtps://user@mail.example.no", Some("secret")).unwrap();
        assert!(matches!(relay.security, Security::Tls(_)));
        assert_eq!(relay.port, 465);
    }

    #[test]
    fn a_wrong_url_is_refused_without_a_secret_in_the_error() {
        for (url, password) in [
            ("smtps://user:hunter2@mail.example.no", None),
            ("smtps://user@mail.example.no", None),
            ("smtps://mail.example.no", Some("hunter2")),
            ("http://mail.example.no", None),
            ("smtp:", None),
            ("mail.example.no", None),
        ] {
            let error = at(url, password).err().map(|error| format!("{error:#}"));
            let error = error.unwrap_or_else(|| panic!("{url} is taken"));
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_enhanced_status_is_three_numbers_and_nothing_of_the_text() {
        assert_eq!(
            enhanced_status("5.1.1 <kari@example.no> unknown").as_deref(),
            Some("5.1.1")
        );
        assert_eq!(enhanced_status("4.7.1\nagain").as_deref(), Some("4.7.1"));
        for text in [
            "",
            "kari@example.no",
            "5.1",
            "5.1.1.1 x",
            "6.1.1 x",
            "5.1.1234",
            "5..1",
        ] {
            assert_eq!(enhanced_status(text), None, "{text}");
        }
    }
}
