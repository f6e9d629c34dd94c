//! The mail server as its clients see it: the protocol, hostile clients, every fault, and the page.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use stack::Port;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::support::eventually;

const LETTER: &str = "From: Butikken <shop@example.no>\r\nTo: kari@example.no\r\nSubject: =?utf-8?Q?Kj=C3=B8p?=\r\n\
    Message-ID: <one@example.no>\r\n\r\nHei Kari\r\n..starts with a dot\r\n.\r\n";

/// A running mail server.
struct Mail {
    smtp: Port,
    page: Port,
    dir: PathBuf,
    process: Child,
    http: reqwest::Client,
}

impl Mail {
    async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("bilsport-mail-{}", Uuid::new_v4()));
        let (smtp, page) = (Port::any().unwrap(), Port::any().unwrap());
        let process = spawn(&smtp, &page, &dir);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mail = Self {
            smtp,
            page,
            dir,
            process,
            http,
        };
        mail.ready().await;
        mail
    }

    async fn ready(&self) {
        let url = format!("{}/health/ready", self.page.http_url());
        eventually(async || self.http.get(&url).send().await.ok()).await;
    }

    async fn end(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
        eventually(async || self.process.try_wait().unwrap()).await;
    }

    async fn restart(&mut self) {
        self.process = spawn(&self.smtp, &self.page, &self.dir);
        self.ready().await;
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.page.http_url());
        self.http.get(url).send().await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    async fn letters(&self, query: &str) -> Vec<Value> {
        self.get(&format!("/messages{query}")).await.json().await.unwrap()
    }

    async fn faults(&self, faults: &Value) -> u16 {
        let url = format!("{}/faults", self.page.http_url());
        self.http
            .post(url)
            .json(faults)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.smtp.address()).await.unwrap();
        Client(BufReader::new(stream))
    }

    /// A connection that has said who it is.
    async fn hello(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(client.code().await, 220);
        assert_eq!(client.say("EHLO test").await, 250);
        client
    }

    async fn send(&self, letter: &str) -> u16 {
        let mut client = self.hello().await;
        client.begin("kari@example.no").await;
        client.write(letter.as_bytes()).await;
        client.code().await
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn spawn(smtp: &Port, page: &Port, dir: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stack"))
        .args(["mail", "--smtp-listen", &smtp.address()])
        .args(["--listen", &page.address(), "--dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The code of the next answer, 0 if the connection has ended.
    async fn code(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return 0;
            }
            // An answer of several lines has a hyphen in all but its last.
            if line.as_bytes()[3] == b' ' {
                return line[..3].parse().unwrap();
            }
        }
    }

    async fn say(&mut self, command: &str) -> u16 {
        self.write(format!("{command}\r\n").as_bytes()).await;
        self.code().await
    }

    async fn begin(&mut self, to: &str) {
        assert_eq!(self.say("MAIL FROM:<shop@example.no> BODY=8BITMIME").await, 250);
        assert_eq!(self.say(&format!("RCPT TO:<{to}>")).await, 250);
        assert_eq!(self.say("DATA").await, 354);
    }
}

#[tokio::test]
async fn letter_is_kept_and_shown_with_its_attachments() {
    let mail = Mail::start().await;
    let letter = "From: shop@example.no\r\nTo: kari@example.no\r\nSubject: Lisens\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\nHei på deg\r\n--b\r\nContent-Type: application/pdf; name=\"lisens.pdf\"\r\n\
        Content-Disposition: attachment; filename=\"lisens.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        JVBERi0xLjcK\r\n--b--\r\n.\r\n";
    assert_eq!(mail.send(LETTER).await, 250);
    assert_eq!(mail.send(letter).await, 250);
    let letters = mail.letters("").await;
    assert_eq!(letters.len(), 2);
    // Newest first.
    assert_eq!((&letters[0]["n"], &letters[1]["n"]), (&json!(2), &json!(1)));
    let pdf = &letters[0]["attachments"][0];
    assert_eq!(
        (&pdf["name"], &pdf["type"]),
        (&json!("lisens.pdf"), &json!("application/pdf"))
    );
    assert_eq!(letters[0]["text"].as_str().unwrap().trim(), "Hei på deg");
    let answer = mail.get(pdf["url"].as_str().unwrap()).await;
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"lisens.pdf\""
    );
    assert_eq!(answer.bytes().await.unwrap(), "%PDF-1.7\n");
    let first = &letters[1];
    assert_eq!(
        (&first["subject"], &first["message_id"]),
        (&json!("Kjøp"), &json!("one@example.no"))
    );
    assert_eq!(
        (&first["from"], &first["to"]),
        (&json!("shop@example.no"), &json!(["kari@example.no"]))
    );
    assert!(
        first["text"].as_str().unwrap().contains("\n.starts with a dot"),
        "{first}"
    );
    assert!(
        first["headers"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "To", "value": "kari@example.no"})),
        "{first}"
    );
    assert_eq!(mail.letters("?to=KARI@example.no").await.len(), 2);
    assert_eq!(mail.letters("?to=ola@example.no").await.len(), 0);
    assert!(mail.text("/").await.contains("Kjøp"));
    assert!(mail.text("/messages/2").await.contains("lisens.pdf"));
    for nowhere in [
        "/messages/3",
        "/messages/2/attachments/0",
        "/messages/2/attachments/2",
    ] {
        assert_eq!(mail.get(nowhere).await.status(), 404, "{nowhere}");
    }
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order_and_one_connection_sends_several_letters() {
    let mail = Mail::start().await;
    let mut client = mail.hello().await;
    let begin =
        "MAIL FROM:<>\r\nRCPT TO:<a@b.no>\r\nRCPT TO:<not an address>\r\nRCPT TO:<c@d.no>\r\nDATA\r\n";
    client.write(begin.as_bytes()).await;
    for code in [250, 250, 501, 250, 354] {
        assert_eq!(client.code().await, code);
    }
    client
        .write(format!("{LETTER}RSET\r\nMAIL FROM:<a@b.no>\r\n").as_bytes())
        .await;
    for code in [250, 250, 250] {
        assert_eq!(client.code().await, code);
    }
    assert_eq!(client.say("RCPT TO:<e@f.no>").await, 250);
    assert_eq!(client.say("DATA").await, 354);
    client.write(LETTER.as_bytes()).await;
    assert_eq!(client.code().await, 250);
    assert_eq!(client.say("QUIT").await, 221);
    assert_eq!(client.code().await, 0);
    let letters = mail.letters("").await;
    assert_eq!(letters[0]["to"], json!(["e@f.no"]));
    assert_eq!(
        (&letters[1]["from"], &letters[1]["to"]),
        (&json!(""), &json!(["a@b.no", "c@d.no"]))
    );
}

#[tokio::test]
async fn commands_out_of_order_or_out_of_bounds_are_refused_and_change_nothing() {
    let mail = Mail::start().await;
    let mut client = mail.connect().await;
    assert_eq!(client.code().await, 220);
    for (command, code) in [
        ("MAIL FROM:<a@b.no>", 503),
        ("EHLO", 501),
        ("EHLO test", 250),
        ("RCPT TO:<a@b.no>", 503),
        ("DATA", 503),
        ("MAIL FROM:<a@b.no> SIZE=26214401", 552),
        ("MAIL FROM:<a@b.no> SIZE=many", 501),
        ("MAIL FROM:<a@b.no> SMTPUTF8", 555),
        ("MAIL FROM:<a@b.no> SIZE=26214400", 250),
        ("MAIL FROM:<a@b.no>", 503),
        ("DATA", 554),
        ("RCPT TO:<a@b.no> NOTIFY=NEVER", 555),
        ("EXPN all", 502),
        ("NOOP", 250),
        ("VRFY a", 252),
    ] {
        assert_eq!(client.say(command).await, code, "{command}");
    }
    for _ in 0..100 {
        assert_eq!(client.say("RCPT TO:<a@b.no>").await, 250);
    }
    assert_eq!(client.say("RCPT TO:<a@b.no>").await, 452);
    assert!(mail.letters("").await.is_empty());
}

#[tokio::test]
async fn hostile_lines_are_refused_and_smuggle_no_letter() {
    let mail = Mail::start().await;
    let mut client = mail.hello().await;
    let long = "X".repeat(5000);
    for line in [
        long.as_bytes(),
        b"NOOP\nNOOP",
        b"NO\0OP",
        "NØØP".as_bytes(),
        b"MAIL FROM:<a@b.no>\rRCPT TO:<c@d.no>",
    ] {
        client.write(line).await;
        client.write(b"\r\n").await;
        assert_eq!(client.code().await, 500);
        if line.contains(&b'\n') {
            // The second of the two ends well.
            assert_eq!(client.code().await, 250);
        }
    }
    let smuggled = "Subject: one\r\n\r\ntext\n.\nMAIL FROM:<a@b.no>\r\nRCPT TO:<c@d.no>\r\nDATA\r\n\r\n.\r\n";
    assert_eq!(mail.send(smuggled).await, 554);
    assert_eq!(mail.send(&format!("Subject: {long}\r\n\r\n.\r\n")).await, 500);
    // A letter whose connection ends before its dot was not sent.
    client.begin("kari@example.no").await;
    client.write(b"Subject: half\r\n\r\n").await;
    drop(client);
    let mut client = mail.hello().await;
    for _ in 0..20 {
        assert_eq!(client.say("XYZZY").await, 502);
    }
    assert_eq!(client.say("XYZZY").await, 421);
    assert_eq!(client.code().await, 0);
    assert!(mail.letters("").await.is_empty());
}

#[tokio::test]
async fn letter_that_is_too_large_is_refused_and_the_next_one_is_kept() {
    let mail = Mail::start().await;
    let mut client = mail.hello().await;
    client.begin("kari@example.no").await;
    let line = format!("{}\r\n", "x".repeat(998));
    let block = line.repeat(1000);
    for _ in 0..27 {
        client.write(block.as_bytes()).await;
    }
    client.write(b".\r\n").await;
    assert_eq!(client.code().await, 552);
    client.begin("kari@example.no").await;
    client.write(LETTER.as_bytes()).await;
    assert_eq!(client.code().await, 250);
    assert_eq!(mail.letters("").await.len(), 1);
}

#[tokio::test]
async fn connections_are_bounded_and_free_again_when_they_end() {
    let mail = Mail::start().await;
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(mail.hello().await);
    }
    let mut refused = mail.connect().await;
    assert_eq!((refused.code().await, refused.code().await), (421, 0));
    clients.clear();
    eventually(async || (mail.connect().await.code().await == 220).then_some(())).await;
}

#[tokio::test]
async fn every_fault_is_switched_on_and_off() {
    let mail = Mail::start().await;
    let mut open = mail.hello().await;
    assert_eq!(mail.faults(&json!({"outage": true})).await, 200);
    assert_eq!((open.say("NOOP").await, open.code().await), (421, 0));
    assert_eq!(mail.connect().await.code().await, 421);

    assert_eq!(
        mail.faults(&json!({"defer": 2, "refuse": ["Ola@example.no"]}))
            .await,
        200
    );
    let mut client = mail.hello().await;
    assert_eq!(client.say("MAIL FROM:<a@b.no>").await, 250);
    for (to, code) in [
        ("kari", 451),
        ("kari", 451),
        ("per", 451),
        ("KARI", 250),
        ("per", 451),
        ("per", 250),
        ("ola", 550),
    ] {
        assert_eq!(
            client.say(&format!("RCPT TO:<{to}@example.no>")).await,
            code,
            "{to}"
        );
    }

    assert_eq!(mail.faults(&json!({"drop_after_data": 1})).await, 200);
    assert_eq!(mail.send(LETTER).await, 0);
    assert_eq!(mail.send(LETTER).await, 250);
    assert_eq!(mail.letters("").await.len(), 2);

    assert_eq!(mail.faults(&json!({"slow_ms": 300})).await, 200);
    let begun = std::time::Instant::now();
    assert_eq!(mail.connect().await.code().await, 220);
    assert!(begun.elapsed().as_millis() >= 300);

    for wrong in [
        json!({"outrage": true}),
        json!({"slow_ms": 600_001}),
        json!({"defer": -1}),
    ] {
        assert_eq!(mail.faults(&wrong).await, 400, "{wrong}");
    }
    let shown: Value = mail.get("/faults").await.json().await.unwrap();
    assert_eq!(shown["slow_ms"], 300);
    assert_eq!(mail.faults(&json!({})).await, 200);
    assert_eq!(mail.send(LETTER).await, 250);
}

#[tokio::test]
async fn letters_survive_a_kill_and_a_stop_that_answers_open_connections() {
    let mut mail = Mail::start().await;
    assert_eq!(mail.send(LETTER).await, 250);
    mail.end(Signal::SIGKILL).await;
    mail.restart().await;
    let before = mail.letters("").await;
    assert_eq!(before.len(), 1);
    let mut open = mail.hello().await;
    mail.end(Signal::SIGTERM).await;
    let mut rest = String::new();
    open.0.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("421 "), "{rest}");
    mail.restart().await;
    assert_eq!(mail.letters("").await, before);
    assert_eq!(mail.send(LETTER).await, 250);
    assert_eq!(mail.letters("").await[0]["n"], 2);
}

#[tokio::test]
async fn nothing_in_a_letter_becomes_markup_or_a_header_of_ours() {
    let mail = Mail::start().await;
    let evil = "<script>alert(1)</script>";
    let letter = format!(
        "Subject: {evil}\r\nX-{evil}: {evil}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\n\r\n{evil}\r\n--b\r\nContent-Type: text/{evil}; name=x\r\n\
         Content-Disposition: attachment; filename*=utf-8''%22%0d%0aSet-Cookie:%20a%3Db%3Cscript%3E\r\n\r\n{evil}\r\n--b--\r\n.\r\n"
    );
    let mut client = mail.hello().await;
    client.begin(&format!("\"{evil}\"@example.no")).await;
    client.write(letter.as_bytes()).await;
    assert_eq!(client.code().await, 250);
    for path in ["/", "/messages/1"] {
        let answer = mail.get(path).await;
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
    }
    let letters = mail.letters("").await;
    let url = letters[0]["attachments"][0]["url"].as_str().unwrap();
    let answer = mail.get(url).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("set-cookie"));
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    // A letter without headers is one as well.
    assert_eq!(mail.send(".\r\n").await, 250);
    assert_eq!(mail.send("text only\r\n.\r\n").await, 250);
    assert_eq!(mail.letters("").await.len(), 3);
    assert_eq!(mail.get("/messages/2").await.status(), 200);
}
