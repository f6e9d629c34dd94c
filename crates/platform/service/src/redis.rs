//! Redis, which no request depends on: what it does not answer in time is done without it.
//!
//! One connection is shared by all requests. The first question without an answer takes it away from all, so that an
//! outage costs the requests of one moment, and not each request, the time limit. A task then opens another connection and
//! tries it out, with a script that writes: a Redis that is full or read-only is of no use here. That is why
//! `ConnectionManager` is not used: it reconnects while a request waits, and keeps a dead connection that only times out.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ErrorKind, IntoConnectionInfo as _, RedisResult, Script,
    TlsCertificates, cmd,
};
use anyhow::{Context as _, bail};
use clap::Args;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::health::{Check, Health};
use crate::metrics;
use crate::secret::Secret;

/// How long connecting may take, login included. No request waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before the next connection is tried.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// How often a connection is tried out that seems to work, so that an outage shows without requests.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Questions that may wait to be sent; a burst larger than that waits for the first of them.
const QUEUE: usize = 1024;
/// Writes, as callers do.
const PROBE: &str = "return redis.call('SET', KEYS[1], '1', 'PX', 10000)";
const PROBE_KEY: &str = "bilsport:probe";

/// Address, TLS files and time limit of Redis.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[expect(
    clippy::struct_field_names,
    reason = "the flags begin with the name of the server"
)]
pub struct RedisOptions {
    /// Redis: redis://user:password@host:port/db, rediss:// for TLS, unix:// for a socket. Without it each
    /// instance counts alone, and keeps no answers
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    redis_url: Option<Secret>,
    /// File that holds that URL instead
    #[arg(long, env = "REDIS_URL_FILE", value_name = "FILE")]
    redis_url_file: Option<PathBuf>,
    /// File with the authorities that may have signed Redis's certificate, in PEM form; without one, those that the system
    /// trusts. It needs a URL with rediss://
    #[arg(long, env = "REDIS_CA_FILE", value_name = "FILE")]
    redis_ca_file: Option<PathBuf>,
    /// File with a certificate of our own, for a Redis that asks for one
    #[arg(
        long,
        env = "REDIS_CERT_FILE",
        value_name = "FILE",
        requires = "redis_key_file"
    )]
    redis_cert_file: Option<PathBuf>,
    /// File with the key of that certificate
    #[arg(
        long,
        env = "REDIS_KEY_FILE",
        value_name = "FILE",
        requires = "redis_cert_file"
    )]
    redis_key_file: Option<PathBuf>,
    /// Milliseconds that a request waits for Redis before it goes on without
    #[arg(long, env = "REDIS_TIMEOUT_MS", default_value_t = 20, value_name = "MILLISECONDS",
          value_parser = clap::value_parser!(u16).range(1..=5000))]
    redis_timeout_ms: u16,
}

impl RedisOptions {
    /// A Redis at this URL, with another time limit.
    pub fn at(url: &str, time_limit_ms: u16) -> Self {
        Self {
            redis_url: Some(Secret::new(url)),
            redis_url_file: None,
            redis_ca_file: None,
            redis_cert_file: None,
            redis_key_file: None,
            redis_timeout_ms: time_limit_ms,
        }
    }

    /// Connects in the background, until shutdown, and adds the health check "redis", which is never worse than degraded.
    /// Nothing without a URL. Only settings that can't be used are an error.
    pub fn connect(&self, health: &Health, shutdown: CancellationToken) -> anyhow::Result<Option<Redis>> {
        let url = Secret::given(
            "redis-url",
            self.redis_url.as_ref(),
            self.redis_url_file.as_deref(),
        )?;
        let Some(url) = url else {
            return Ok(None);
        };
        let server = Server {
            url,
            options: self.clone(),
        };
        server.client()?;
        metrics::begin_redis();
        let redis = Redis {
            link: Arc::new(watch::Sender::new(None)),
            time_limit: Duration::from_millis(self.redis_timeout_ms.into()),
        };
        let keeper = Keeper {
            server,
            redis: redis.clone(),
            check: health.check("redis"),
        };
        tokio::spawn(shutdown.run_until_cancelled_owned(keeper.keep()));
        Ok(Some(redis))
    }
}

/// A Redis that may be away. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Redis {
    link: Arc<watch::Sender<Option<Link>>>,
    time_limit: Duration,
}

/// A connection that works, as far as is known. The number tells it from later ones.
#[derive(Clone, Debug)]
struct Link {
    number: u64,
    connection: MultiplexedConnection,
}

impl Redis {
    /// The answer, or nothing if Redis is away, does not answer in time, or answers with an error.
    pub async fn ask<T, F>(&self, question: impl FnOnce(MultiplexedConnection) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let link = self.link.borrow().clone()?;
        let failure = match self.in_time(question(link.connection)).await {
            Ok(answer) => return Some(answer),
            Err(failure) => failure,
        };
        let lost = self.link.send_if_modified(|current| {
            let same = current
                .as_ref()
                .is_some_and(|current| current.number == link.number);
            if same {
                *current = None;
            }
            same
        });
        if lost {
            tracing::warn!(reason = %failure, "redis is lost");
        }
        None
    }

    /// The bytes under a key; nothing if there are none, or if Redis gives no answer.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let question = |mut connection: MultiplexedConnection| async move {
            let bytes: RedisResult<Option<Vec<u8>>> = cmd("GET").arg(key).query_async(&mut connection).await;
            match bytes {
                // Something that is no string is there: that is no fault of the connection.
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
                bytes => bytes,
            }
        };
        self.ask(question).await.flatten()
    }

    /// Keeps bytes under a key for that time, a millisecond at least. Whether Redis confirmed it.
    pub async fn set(&self, key: &str, bytes: Vec<u8>, kept_for: Duration) -> bool {
        let kept_ms = u64::try_from(kept_for.as_millis()).unwrap_or(u64::MAX).max(1);
        let question = |mut connection: MultiplexedConnection| async move {
            let mut set = cmd("SET");
            set.arg(key).arg(bytes).arg("PX").arg(kept_ms);
            set.query_async::<()>(&mut connection).await
        };
        self.ask(question).await.is_some()
    }

    /// Returns when Redis is used.
    pub async fn connected(&self) {
        // It ends with an error only when nothing can connect any more.
        let _ = self.link.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether Redis is used.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().is_some()
    }

    async fn in_time<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, String> {
        let (reason, text) = match timeout(self.time_limit, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.is_io_error() => ("connection", error.category().to_owned()),
            // The code alone: the text of an error may quote what was sent.
            Ok(Err(error)) => (
                "error",
                error.code().unwrap_or_else(|| error.category()).to_owned(),
            ),
            Err(_elapsed) => ("timeout", "no answer in time".to_owned()),
        };
        ::metrics::counter!(metrics::REDIS_FAILURES, "reason" => reason).increment(1);
        Err(text)
    }
}

/// Keeps a connection.
struct Keeper {
    server: Server,
    redis: Redis,
    check: Check,
}

impl Keeper {
    async fn keep(self) {
        let probe = Script::new(PROBE);
        for number in 0.. {
            match self.open(&probe).await {
                Ok(connection) => {
                    self.redis.link.send_replace(Some(Link { number, connection }));
                    self.shows(None);
                    self.lost(&probe).await;
                }
                Err(reason) => self.shows(Some(reason)),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    fn shows(&self, problem: Option<String>) {
        ::metrics::gauge!(metrics::REDIS_UP).set(if problem.is_none() { 1.0 } else { 0.0 });
        match problem {
            None => self.check.ok(),
            Some(reason) => self.check.degraded(format!("Redis is not used: {reason}")),
        }
    }

    /// A connection that was tried out.
    async fn open(&self, probe: &Script) -> Result<MultiplexedConnection, String> {
        let client = self.server.client().map_err(|error| error.to_string())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            // Each question has a time limit of its own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| error.category().to_owned())?;
        self.redis.in_time(tried(probe, connection.clone())).await?;
        Ok(connection)
    }

    /// Returns when the connection is lost: to a question, or to a probe.
    async fn lost(&self, probe: &Script) {
        let mut link = self.redis.link.subscribe();
        let mut gone = std::pin::pin!(async move {
            let _ = link.wait_for(Option::is_none).await;
        });
        loop {
            tokio::select! {
                () = &mut gone => return,
                () = tokio::time::sleep(PROBE_EVERY) => {
                    let question = |connection| tried(probe, connection);
                    if self.redis.ask(question).await.is_none() {
                        return;
                    }
                }
            }
        }
    }
}

async fn tried(probe: &Script, mut connection: MultiplexedConnection) -> RedisResult<()> {
    let said: String = probe.key(PROBE_KEY).invoke_async(&mut connection).await?;
    if said == "OK" {
        Ok(())
    } else {
        Err((ErrorKind::UnexpectedReturnType, "a write is not confirmed").into())
    }
}

/// Where Redis is.
struct Server {
    url: Secret,
    options: RedisOptions,
}

impl Server {
    /// Reads the files each time, so that renewed certificates need no restart. An error never quotes the URL.
    fn client(&self) -> anyhow::Result<Client> {
        let options = &self.options;
        let Ok(info) = self.url.expose().into_connection_info() else {
            bail!(
                "--redis-url (REDIS_URL) is none such as redis://:password@host:6379/0, rediss://… or unix:///path"
            );
        };
        let read =
            |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let root_cert = options.redis_ca_file.as_deref().map(read).transpose()?;
        let client_tls = match (&options.redis_cert_file, &options.redis_key_file) {
            (Some(certificate), Some(key)) => Some(ClientTlsConfig {
                client_cert: read(certificate)?,
                client_key: read(key)?,
            }),
            _ => None,
        };
        if root_cert.is_none() && client_tls.is_none() {
            return Ok(Client::open(info)?);
        }
        let files = TlsCertificates {
            client_tls,
            root_cert,
        };
        Client::build_with_tls(info, files)
            .context("the files of --redis-ca-file, --redis-cert-file and --redis-key-file")
    }
}
