//! Waits until a process is ready, with a deadline. A server that accepts a connection may still be recovering, so each
//! kind is asked with its own protocol.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use connect::Database;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificates::ClientFiles;

const ASK_TIMEOUT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);

/// How to ask a process whether it can work.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// A connection to this URL that answers a query.
    Postgres(String),
    /// `PING` to this address, by TLS with these files if there are any.
    Redis(String, Option<ClientFiles>),
    /// Status 200 at this URL.
    Http(String),
}

impl Question {
    /// Asks until the process is ready. `gone` reports that it died for good, which ends the wait.
    pub(crate) async fn wait(&self, deadline: Duration, gone: impl Fn() -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        let client = http_client()?;
        loop {
            let answer = match tokio::time::timeout(ASK_TIMEOUT, Box::pin(self.ask(&client))).await {
                Ok(answer) => answer,
                Err(_) => Err(anyhow::anyhow!("no answer within {} s", ASK_TIMEOUT.as_secs())),
            };
            let Err(error) = answer else { return Ok(()) };
            if gone() {
                bail!("it ended before it was ready");
            }
            if begun.elapsed() > deadline {
                return Err(error).with_context(|| format!("not ready after {} s", deadline.as_secs()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        match self {
            Self::Postgres(url) => {
                let (client, connection) = Box::pin(Database::parse(url)?.connect()).await?;
                let connection = tokio::spawn(connection);
                let answer = client.simple_query("select 1").await;
                drop(client);
                connection.await??;
                answer?;
            }
            Self::Redis(address, tls) => {
                let stream = TcpStream::connect(address).await?;
                match tls {
                    None => ping(stream).await?,
                    Some(files) => {
                        let identity = (files.client.certificate.as_path(), files.client.key.as_path());
                        let config = connect::client_config(&files.authority, Some(identity))?;
                        let host = address.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
                        let connector = TlsConnector::from(Arc::new(config));
                        ping(Box::pin(connector.connect(host.try_into()?, stream)).await?).await?;
                    }
                }
            }
            Self::Http(url) => {
                let response = client.get(url).send().await?;
                let status = response.status();
                if status != reqwest::StatusCode::OK {
                    bail!(
                        "{url} answered {status}: {}",
                        response.text().await.unwrap_or_default()
                    );
                }
            }
        }
        Ok(())
    }
}

async fn ping(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<()> {
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await?;
    if !answer[..length].starts_with(b"+PONG") {
        bail!("answered {}", String::from_utf8_lossy(&answer[..length]).trim());
    }
    Ok(())
}

/// A client for servers on this machine: without a proxy, and with a time limit.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(ASK_TIMEOUT)
        .timeout(Duration::from_secs(30))
        .build()
        .context("cannot set up an HTTP client")
}
