//! Lines of SMTP: bounded, and ended by CR and LF only. A server that takes a bare LF for an end reads another letter than
//! one that does not, which lets a sender smuggle letters.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// The longest line with its end, in octets (RFC 5321, 4.5.3.1.6).
pub(super) const MAX_LINE: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The line is read, without its end.
    Proper,
    /// A CR or LF stands alone.
    Bare,
    /// The line was too long and is skipped.
    TooLong,
    /// The connection ended. A line that it cut is not one.
    Closed,
}

/// Reads one line. What was read of a line that is not proper is of no use.
pub(super) async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<Ending> {
    line.clear();
    let mut too_long = false;
    loop {
        let buffer = input.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(Ending::Closed);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        too_long |= line.len() + used > MAX_LINE;
        if !too_long {
            line.extend_from_slice(&buffer[..used]);
        }
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if too_long {
        return Ok(Ending::TooLong);
    }
    if !line.ends_with(b"\r\n") {
        return Ok(Ending::Bare);
    }
    line.truncate(line.len() - 2);
    Ok(if line.contains(&b'\r') {
        Ending::Bare
    } else {
        Ending::Proper
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_cr_lf_ends_a_line_and_a_long_one_is_skipped() {
        let long = "x".repeat(MAX_LINE);
        let text = format!("NOOP\r\n\r\na\nb\rc\r\n{long}\r\n{}\r\ncut", &long[2..]);
        // A small buffer, so that lines come in pieces.
        let mut input = tokio::io::BufReader::with_capacity(7, text.as_bytes());
        let mut line = Vec::new();
        let mut endings = Vec::new();
        loop {
            let ending = read_line(&mut input, &mut line).await.unwrap();
            let length = if ending == Ending::Proper { line.len() } else { 0 };
            endings.push((ending, length));
            if ending == Ending::Closed {
                break;
            }
        }
        assert_eq!(
            endings,
            [
                (Ending::Proper, 4),
                (Ending::Proper, 0),
                (Ending::Bare, 0),
                (Ending::Bare, 0),
                (Ending::TooLong, 0),
                (Ending::Proper, MAX_LINE - 2),
                (Ending::Closed, 0)
            ]
        );
    }
}
