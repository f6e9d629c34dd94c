//! Problem answers for requests that hyper cannot parse (a malformed request line, headers that are too large). hyper
//! answers them with a bare status, and no handler and no layer sees them. This layer between hyper and the socket
//! replaces that answer by a problem.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

use crate::metrics;
use crate::problem::Problem;

/// How much of a refused request is read, and for how long, so that its answer arrives: a socket that is closed with
/// unread bytes resets the connection, and the client's system throws the answer away.
const DISCARD_BYTES: usize = 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// A connection on which hyper's bare answers become problems.
pub(super) struct AnswersUnreadable<T> {
    io: T,
    /// The problem that replaces what hyper is writing.
    replacing: Option<Replacement>,
    /// Set when a request was refused: the rest of it is read and discarded.
    discarding: Option<Discard>,
}

struct Replacement {
    bytes: Vec<u8>,
    written: usize,
    /// The number of bytes to report to hyper as written.
    given: usize,
}

struct Discard {
    left: usize,
    until: Pin<Box<Sleep>>,
}

impl<T> AnswersUnreadable<T> {
    pub(super) const fn new(io: T) -> Self {
        Self {
            io,
            replacing: None,
            discarding: None,
        }
    }
}

impl<T: Read + Write + Unpin> AnswersUnreadable<T> {
    fn replace(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(replacement) = &mut self.replacing {
            let rest = &replacement.bytes[replacement.written..];
            if rest.is_empty() {
                let given = replacement.given;
                self.replacing = None;
                self.discarding = Some(Discard {
                    left: DISCARD_BYTES,
                    until: Box::pin(sleep(DISCARD_TIME)),
                });
                return Poll::Ready(Ok(given));
            }
            let count = ready!(Pin::new(&mut self.io).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            replacement.written += count;
        }
        Poll::Ready(Ok(0))
    }

    /// Reads on until the client has closed, enough was read, or enough time has passed.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        while let Some(discard) = &mut self.discarding {
            if discard.left == 0 || discard.until.as_mut().poll(context).is_ready() {
                self.discarding = None;
                continue;
            }
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.io).poll_read(context, buffer.unfilled())) {
                Ok(()) if !buffer.filled().is_empty() => {
                    discard.left = discard.left.saturating_sub(buffer.filled().len());
                }
                Ok(()) | Err(_) => self.discarding = None,
            }
        }
        Poll::Ready(())
    }
}

impl<T: Read + Unpin> Read for AnswersUnreadable<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: Read + Write + Unpin> Write for AnswersUnreadable<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replacing.is_none()
            && let Some(status) = bare_status(buffer)
        {
            self.replacing = Some(Replacement {
                bytes: answer(status),
                written: 0,
                given: buffer.len(),
            });
        }
        if self.replacing.is_some() {
            return self.replace(context);
        }
        Pin::new(&mut self.io).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare answer has no body, so it comes in one piece.
        let mut filled = buffers.iter().filter(|buffer| !buffer.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next()) {
            return self.poll_write(context, only);
        }
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
        ready!(self.discard(context));
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer that hyper made without a handler. All others with these statuses have a body, and say of
/// which type it is.
fn bare_status(head: &[u8]) -> Option<StatusCode> {
    let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?;
    let status = [
        StatusCode::BAD_REQUEST,
        StatusCode::URI_TOO_LONG,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    ]
    .into_iter()
    .find(|bare| bare.as_str() == status)?;
    let empty = |line: &str| line.eq_ignore_ascii_case("content-length: 0");
    lines.any(empty).then_some(status)
}

/// The whole answer, head and body. Counted like any other, on a route of its own: its path is not known.
fn answer(status: StatusCode) -> Vec<u8> {
    let labels = [
        ("method", "other".to_owned()),
        ("route", "unreadable".to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    ::metrics::counter!(metrics::HTTP_REQUESTS, &labels).increment(1);
    tracing::debug!(status = status.as_u16(), "a request could not be read");
    let problem = if status == StatusCode::BAD_REQUEST {
        Problem::new(
            status,
            "malformed_request",
            "Forespørselen følger ikke HTTP og kunne ikke leses.",
            "The request does not follow HTTP and could not be read.",
        )
    } else {
        Problem::from_status(status)
    };
    problem.raw_answer()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;

    use hyper::rt::Write as _;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{AnswersUnreadable, bare_status};

    const BARE: &[u8] =
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    /// Writes hyper's bare answer, and closes.
    async fn refuse(io: TokioIo<tokio::io::DuplexStream>) {
        let mut connection = AnswersUnreadable::new(io);
        let written = poll_fn(|context| Pin::new(&mut connection).poll_write(context, BARE)).await;
        assert_eq!(written.unwrap(), BARE.len());
        poll_fn(|context| Pin::new(&mut connection).poll_shutdown(context))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_a_refused_client_still_sends_is_read_before_its_connection_closes() {
        // Small, so that both sides have to wait for each other.
        let (client, server) = tokio::io::duplex(256);
        let (mut answer, mut request) = tokio::io::split(client);
        let send = async {
            request.write_all(&b"x".repeat(100_000)).await?;
            request.shutdown().await
        };
        let mut text = String::new();
        let (written, read, ()) = tokio::join!(
            send,
            answer.read_to_string(&mut text),
            refuse(TokioIo::new(server))
        );
        written.unwrap();
        read.unwrap();
        assert!(
            text.starts_with("HTTP/1.1 431 ") && text.contains("headers_too_large"),
            "{text}"
        );
    }

    #[test]
    fn only_an_answer_without_a_body_is_bare() {
        assert!(bare_status(BARE).is_some());
        for other in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "x HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "",
        ] {
            assert_eq!(bare_status(other.as_bytes()), None, "{other}");
        }
    }
}
