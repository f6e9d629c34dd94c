//! One SMTP connection (RFC 5321), with pipelining, 8-bit text and declared sizes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::Answer::{End, Kept, Say, SayAndEnd, Wrong};
use super::Mail;
use super::faults::Verdict;
use super::letter::Envelope;
use super::lines::{Ending, read_line};

/// The largest letter, in octets.
const MAX_BYTES: usize = 26_214_400;
const MAX_RECIPIENTS: usize = 100;
/// After this number of commands that are none, the connection ends.
const MAX_WRONG: u32 = 20;
/// A client may think this long between two lines (RFC 5321, 4.5.3.2.7).
const MAX_SILENCE: Duration = Duration::from_mins(5);

const OUTAGE: &str = "421 4.3.2 Out of service";
const HELLO: &str =
    "250-mail.localhost\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES";

pub(super) struct Session {
    stream: BufReader<TcpStream>,
    mail: Mail,
    shutdown: CancellationToken,
    greeted: bool,
    /// The sender of the letter that begins; empty for a bounce.
    from: Option<String>,
    to: Vec<String>,
    wrong: u32,
}

/// What follows from a command.
enum Answer {
    Say(&'static str),
    /// It is no command, or at the wrong time.
    Wrong(&'static str),
    SayAndEnd(&'static str),
    Kept(u64),
    End,
}

impl Session {
    pub(super) fn new(stream: TcpStream, mail: Mail, shutdown: CancellationToken) -> Self {
        Self {
            stream: BufReader::new(stream),
            mail,
            shutdown,
            greeted: false,
            from: None,
            to: Vec::new(),
            wrong: 0,
        }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        if self.mail.faults.outage() {
            return self.say(OUTAGE).await;
        }
        self.say("220 mail.localhost ESMTP Every letter is accepted and kept")
            .await?;
        let mut line = Vec::new();
        loop {
            let answer = match self.read(&mut line).await? {
                None => SayAndEnd("421 4.3.2 Shutting down"),
                Some(Ending::Closed) => End,
                Some(_) if self.mail.faults.outage() => SayAndEnd(OUTAGE),
                Some(Ending::TooLong) => Wrong("500 5.5.2 The line is too long"),
                Some(Ending::Bare) => Wrong("500 5.5.2 A line ends with CR and LF"),
                Some(Ending::Proper) => self.obey(&line).await?,
            };
            match answer {
                Say(text) => self.say(text).await?,
                Kept(n) => self.say(&format!("250 2.0.0 Kept as letter {n}")).await?,
                SayAndEnd(text) => return self.say(text).await,
                End => return Ok(()),
                Wrong(text) => {
                    self.wrong += 1;
                    if self.wrong > MAX_WRONG {
                        return self.say("421 4.7.0 Too many wrong commands").await;
                    }
                    self.say(text).await?;
                }
            }
        }
    }

    /// The next line; `None` when the server stops.
    async fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Ending>> {
        tokio::select! {
            read = tokio::time::timeout(MAX_SILENCE, read_line(&mut self.stream, line)) => Ok(Some(read??)),
            () = self.shutdown.cancelled() => Ok(None),
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        let delay = self.mail.faults.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let line = format!("{text}\r\n");
        tokio::time::timeout(MAX_SILENCE, self.stream.write_all(line.as_bytes())).await?
    }

    async fn obey(&mut self, line: &[u8]) -> io::Result<Answer> {
        let Some(line) = printable(line) else {
            return Ok(Wrong("500 5.5.2 A command has printable ASCII only"));
        };
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match command.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if rest.trim().is_empty() => Wrong("501 5.5.4 The client has no name"),
            hello @ ("EHLO" | "HELO") => {
                self.reset();
                self.greeted = true;
                Say(if hello == "EHLO" {
                    HELLO
                } else {
                    "250 mail.localhost"
                })
            }
            "MAIL" => self.sender(rest),
            "RCPT" => self.recipient(rest),
            "DATA" if self.from.is_none() => Wrong("503 5.5.1 MAIL comes first"),
            "DATA" if self.to.is_empty() => Wrong("554 5.5.1 There is no recipient"),
            "DATA" => self.data().await?,
            "RSET" => {
                self.reset();
                Say("250 2.0.0 Forgotten")
            }
            "NOOP" => Say("250 2.0.0 Fine"),
            "VRFY" => Say("252 2.1.5 Send it and see"),
            "QUIT" => SayAndEnd("221 2.0.0 Goodbye"),
            _ => Wrong("502 5.5.1 This command is unknown"),
        };
        Ok(answer)
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn sender(&mut self, rest: &str) -> Answer {
        if !self.greeted {
            return Wrong("503 5.5.1 EHLO comes first");
        }
        if self.from.is_some() {
            return Wrong("503 5.5.1 The sender is known already");
        }
        let Some((address, parameters)) = path(rest, "FROM:") else {
            return Wrong("501 5.5.4 It is MAIL FROM:<address>");
        };
        if !(address.is_empty() || is_address(address)) {
            return Wrong("501 5.1.7 This is not an address");
        }
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name.to_ascii_uppercase().as_str(), value.parse::<usize>()) {
                ("SIZE", Ok(size)) if size > MAX_BYTES => return Say("552 5.3.4 The letter is too large"),
                ("SIZE", Ok(_)) => {}
                ("SIZE", Err(_)) => return Wrong("501 5.5.4 SIZE is a number of octets"),
                ("BODY", _) if ["7BIT", "8BITMIME"].contains(&value.to_ascii_uppercase().as_str()) => {}
                _ => return Wrong("555 5.5.4 This parameter is unknown"),
            }
        }
        self.from = Some(address.to_owned());
        Say("250 2.1.0 Go on")
    }

    fn recipient(&mut self, rest: &str) -> Answer {
        if self.from.is_none() {
            return Wrong("503 5.5.1 MAIL comes first");
        }
        let Some((address, parameters)) = path(rest, "TO:") else {
            return Wrong("501 5.5.4 It is RCPT TO:<address>");
        };
        if !is_address(address) {
            return Wrong("501 5.1.3 This is not an address");
        }
        if !parameters.trim().is_empty() {
            return Wrong("555 5.5.4 This parameter is unknown");
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return Say("452 4.5.3 There are too many recipients");
        }
        match self.mail.faults.judge(address) {
            Verdict::Deferred => Say("451 4.7.1 Greylisted: try again later"),
            Verdict::Refused => Say("550 5.1.1 There is no such mailbox"),
            Verdict::Accepted => {
                self.to.push(address.to_owned());
                Say("250 2.1.5 Go on")
            }
        }
    }

    async fn data(&mut self) -> io::Result<Answer> {
        self.say("354 End with a line that has one dot only").await?;
        let (mut letter, mut line) = (Vec::new(), Vec::new());
        let mut fault = None;
        loop {
            match self.read(&mut line).await? {
                None => return Ok(SayAndEnd("421 4.3.2 Shutting down")),
                // A letter without its end was not sent.
                Some(Ending::Closed) => return Ok(End),
                Some(Ending::TooLong) => fault = fault.or(Some("500 5.6.0 A line of the letter is too long")),
                Some(Ending::Bare) => {
                    fault = fault.or(Some("554 5.6.0 A line of the letter ends without CR and LF"));
                }
                Some(Ending::Proper) if line == b"." => break,
                Some(Ending::Proper) => {
                    // The client doubles a dot that begins a line.
                    let text = line.strip_prefix(b".").unwrap_or(&line);
                    if letter.len() + text.len() + 2 > MAX_BYTES {
                        fault = fault.or(Some("552 5.3.4 The letter is too large"));
                        letter = Vec::new();
                    }
                    if fault.is_none() {
                        letter.extend_from_slice(text);
                        letter.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
        let envelope = Envelope::new(self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if let Some(fault) = fault {
            return Ok(Say(fault));
        }
        if self.mail.faults.outage() {
            return Ok(SayAndEnd(OUTAGE));
        }
        Ok(match self.mail.store.keep(envelope, letter).await {
            Ok(_) if self.mail.faults.drops() => End,
            Ok(n) => Kept(n),
            Err(error) => {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "a letter is lost: {error:#}");
                Say("452 4.3.1 The letter cannot be kept")
            }
        })
    }
}

/// The command as text, if it is printable ASCII.
fn printable(line: &[u8]) -> Option<&str> {
    let printable = line.iter().all(|byte| (b' '..=b'~').contains(byte));
    printable.then(|| std::str::from_utf8(line).ok()).flatten()
}

/// The address in `FROM:<address>` or `TO:<address>`, and the parameters after it.
fn path<'a>(rest: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let rest = rest.trim_start();
    let (begin, rest) = rest.split_at_checked(word.len())?;
    let rest = rest.trim_start().strip_prefix('<')?;
    // A quoted name may hold any character.
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.find(|character| {
        let ends = character == '>' && !quoted;
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let parameters = &rest[end + 1..];
    let apart = parameters.is_empty() || parameters.starts_with(' ');
    (begin.eq_ignore_ascii_case(word) && apart).then_some((&rest[..end], parameters))
}

/// Whether it looks like `name@host`, and is as short as an address must be.
fn is_address(address: &str) -> bool {
    let Some((name, host)) = address.rsplit_once('@') else {
        return false;
    };
    let quoted = name.len() > 2 && name.starts_with('"') && name.ends_with('"');
    let plain = |name: &str| !name.is_empty() && !name.contains([' ', '"', '<', '@', ',', ';']);
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    address.len() <= 254
        && name.len() <= 64
        && (quoted || plain(name))
        && !host.is_empty()
        && host.bytes().all(of_a_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_found_between_its_brackets() {
        for (line, found) in [
            ("FROM:<a@b.no>", Some(("a@b.no", ""))),
            ("from: <a@b.no> SIZE=7", Some(("a@b.no", " SIZE=7"))),
            ("FROM:<>", Some(("", ""))),
            (r#"FROM:<"a>\"b"@c.no> X"#, Some((r#""a>\"b"@c.no"#, " X"))),
            ("FROM:<a@b.no>SIZE=7", None),
            ("FROM:a@b.no", None),
            ("FROM:<a@b.no", None),
            ("TO:<a@b.no>", None),
            ("FR", None),
        ] {
            assert_eq!(path(line, "FROM:"), found, "{line}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@b.no", "a".repeat(65));
        for address in [
            "",
            "a",
            "@b.no",
            "a@",
            "a b@c.no",
            "a@b,c.no",
            "a@b@c.no",
            long.as_str(),
        ] {
            assert!(!is_address(address), "{address}");
        }
        for address in ["a@b.no", "a+b@[127.0.0.1]", r#""a b"@c.no"#] {
            assert!(is_address(address), "{address}");
        }
    }
}
