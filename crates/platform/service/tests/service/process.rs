//! A whole process, booted as every binary does: signals, log lines, panics and running out of file descriptors.
//!
//! The process is this test binary again, running the one ignored test below.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use service::http::HttpOptions;
use service::telemetry::LogOptions;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use crate::support::raw::Raw;
use crate::support::{client, until, within};

const MARKER: &str = "SERVICE_TEST_CHILD";

#[tokio::test]
#[ignore = "the child process of the tests below"]
async fn child() {
    if std::env::var_os(MARKER).is_none() {
        return;
    }
    let booted = service::boot("test-service", &LogOptions::default()).unwrap();
    booted.health.check("always").ok();
    let ops = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tracing::info!(address = %ops.local_addr().unwrap(), "ops listening");
    service::ops::serve(ops, &booted);
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/panic", get(async || -> &'static str { panic!("deliberate") }))
        .route(
            "/slow",
            get(async || {
                tracing::info!("slow begins");
                // Until shutdown has begun, and then a little work.
                while !std::path::Path::new(&std::env::var("RELEASE_FILE").unwrap()).exists() {
                    tokio::task::yield_now().await;
                }
                "slow ends"
            }),
        );
    let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
    service::http::serve(public, router, HttpOptions::default(), booted.shutdown)
        .await
        .unwrap();
    tracing::info!("ended");
}

/// A child process and its log.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Process {
    fn start(file_limit: u32) -> Self {
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "ulimit -n {file_limit}; exec \"$0\" --exact process::child --ignored --nocapture"
            ))
            .arg(std::env::current_exe().unwrap())
            .env(MARKER, "1")
            .env("RELEASE_FILE", release_file())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            log,
            seen: Vec::new(),
        }
    }

    /// The next line with this message; the harness's own output is skipped.
    async fn line(&mut self, message: &str) -> Value {
        loop {
            let line = within(message, self.log.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the log ended before {message:?}"));
            if line.starts_with('{') {
                let line: Value = serde_json::from_str(&line).unwrap();
                self.seen.push(line.clone());
                if line["message"] == message {
                    return line;
                }
            }
        }
    }

    async fn address(&mut self, message: &str) -> SocketAddr {
        self.line(message).await["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    async fn end(&mut self) -> ExitStatus {
        within("the process to end", self.child.wait()).await.unwrap()
    }
}

fn release_file() -> std::path::PathBuf {
    use std::sync::LazyLock;

    static PATH: LazyLock<std::path::PathBuf> =
        LazyLock::new(|| std::env::temp_dir().join(format!("release-{}", uuid::Uuid::now_v7())));
    PATH.clone()
}

#[tokio::test]
async fn boot_says_what_started_and_a_signal_ends_it() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut process = Process::start(256);
        let starting = process.line("starting").await;
        assert_eq!(starting["service"], "test-service");
        assert!(starting["version"].is_string() && starting["revision"].is_string());
        process.line("listening").await;
        process.signal(signal);
        assert_eq!(process.line("shutting down").await["signal"], signal.as_str());
        process.line("ended").await;
        assert!(process.end().await.success());
    }
}

#[tokio::test]
async fn sigterm_fails_readiness_at_once_and_lets_the_request_in_flight_finish() {
    let mut process = Process::start(256);
    let ops = process.address("ops listening").await;
    let public = process.address("listening").await;
    let ready = async || {
        client()
            .get(format!("http://{ops}/health/ready"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(ready().await, 200);
    let mut slow = Raw::connect(public).await;
    slow.send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    process.line("slow begins").await;

    process.signal(Signal::SIGTERM);
    process.line("shutting down").await;
    assert_eq!(ready().await, 503);
    until("new connections to be refused", async || {
        tokio::net::TcpStream::connect(public).await.is_err()
    })
    .await;

    std::fs::write(release_file(), "").unwrap();
    let answer = slow.read_to_end().await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow ends"),
        "{answer}"
    );
    assert!(process.end().await.success());
    std::fs::remove_file(release_file()).unwrap();
}

#[tokio::test]
async fn a_panic_is_one_log_line_with_the_request_id_and_is_counted() {
    let mut process = Process::start(256);
    let ops = process.address("ops listening").await;
    let public = process.address("listening").await;
    let request = client()
        .get(format!("http://{public}/panic"))
        .header("x-request-id", "boom-1");
    assert_eq!(request.send().await.unwrap().status(), 500);
    let line = process.line("panicked").await;
    assert_eq!(
        (&line["panic"], &line["request_id"], &line["level"]),
        (&"deliberate".into(), &"boom-1".into(), &"ERROR".into())
    );
    assert!(
        line["location"].as_str().unwrap().contains("process.rs"),
        "{line}"
    );

    let metrics = client()
        .get(format!("http://{ops}/metrics"))
        .send()
        .await
        .unwrap();
    assert!(
        metrics.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let metrics = metrics.text().await.unwrap();
    for sample in [
        "bilsport_process_panics_total{service=\"test-service\"} 1",
        "bilsport_health_check_ok{service=\"test-service\",check=\"always\"} 1",
        "# TYPE bilsport_http_request_seconds histogram",
        "# HELP bilsport_http_requests_total ",
        "le=\"0.025\"",
        "process_resident_memory_bytes{service=\"test-service\"}",
        "process_open_fds{service=\"test-service\"}",
    ] {
        assert!(metrics.contains(sample), "{sample} is missing from\n{metrics}");
    }
}

#[tokio::test]
async fn running_out_of_file_descriptors_is_survived() {
    let mut process = Process::start(40);
    let public = process.address("listening").await;
    let begun = Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(Raw::connect(public).await);
    }
    let complaint = "cannot accept a connection";
    assert_eq!(process.line(complaint).await["reason"], "limit");
    process.line(complaint).await;
    drop(crowd);
    let response = client().get(format!("http://{public}/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");

    process.signal(Signal::SIGTERM);
    process.line("ended").await;
    let complaints = process
        .seen
        .iter()
        .filter(|line| line["message"] == complaint)
        .count();
    // One each 200 ms, however slow this machine is.
    let allowed = begun.elapsed().as_millis() / 200 + 2;
    assert!(
        complaints as u128 <= allowed,
        "{complaints} complaints, {allowed} allowed: it does not back off"
    );
}
