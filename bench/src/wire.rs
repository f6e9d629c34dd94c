//! As little HTTP/1.1 as a load generator needs, so that the two cores are left to what is measured: one connection,
//! one request after the other, bodies with a length.

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// One connection, from either end.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    line: String,
}

/// What came: its first line, its entity tag and its body.
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) tag: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            line: String::new(),
        })
    }

    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        Self::new(stream)
    }

    pub(crate) async fn send(&mut self, message: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(message).await?)
    }

    /// The next message, or nothing when the other end is done.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Option<Message>> {
        self.line.clear();
        if self.stream.read_line(&mut self.line).await? == 0 {
            return Ok(None);
        }
        let first_line = self.line.trim_end().to_owned();
        let (mut length, mut tag) = (0_usize, None);
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line).await? == 0 {
                bail!("the connection ended in the middle of a message");
            }
            let line = self.line.trim_end();
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("a length")?;
            } else if name.eq_ignore_ascii_case("etag") {
                tag = Some(value.trim().to_owned());
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Some(Message {
            first_line,
            tag,
            body,
        }))
    }
}
