//! A client that writes exactly the given bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// One TCP connection.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(within("connect", TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        within("send", self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// Everything until the server closes; a reset counts as closing.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match within("the server to close", self.0.read(&mut chunk)).await {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// What has arrived when the text first contains `needle`.
    pub(crate) async fn read_until(&mut self, needle: &str) -> String {
        let mut text = String::new();
        let mut chunk = [0; 4096];
        while !text.contains(needle) {
            let count = within(needle, self.0.read(&mut chunk)).await.unwrap();
            assert_ne!(count, 0, "closed before {needle:?} came, after {text:?}");
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        text
    }
}
