//! `stack` as a program: exit codes, signals, and what it leaves behind.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use crate::support::{eventually, processes_in, state_of};

const STACK: &str = env!("CARGO_BIN_EXE_stack");
const URLS: &str = "echo urls $DATABASE_URL $NATS_URL $REDIS_URL";

fn test_servers(script: &str) -> Command {
    let mut command = Command::new(STACK);
    command.args(["test-servers", "--", "sh", "-c", script]);
    for name in ["DATABASE_URL", "NATS_URL", "REDIS_URL"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn test_servers_pass_on_the_commands_exit_code() {
    let output = test_servers(&format!("{URLS}; exit 7")).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("urls postgres://"), "{text}");
    assert!(
        text.contains(" nats://administrator:") && text.contains(" redis://127.0.0.1:"),
        "{text}"
    );
}

#[tokio::test]
async fn test_servers_end_with_their_supervisor_however_it_ends() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut stack = test_servers(&format!("{URLS}; exec sleep 600"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ports = ports(&mut stack);
        for port in &ports {
            assert!(answers(*port), "{port} does not answer");
        }
        kill(Pid::from_raw(stack.id().try_into().unwrap()), signal).unwrap();
        stack.wait().unwrap();
        eventually(async || ports.iter().all(|port| !answers(*port)).then_some(())).await;
    }
}

fn ports(stack: &mut Child) -> Vec<u16> {
    let output = BufReader::new(stack.stdout.take().unwrap());
    let urls = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("urls "))
        .unwrap();
    urls.split(' ')
        .skip(1)
        .map(|url| {
            url.rsplit(':')
                .next()
                .unwrap()
                .split('/')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect()
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// An empty checkout.
struct Checkout(PathBuf);

impl Checkout {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("bilsport-checkout-{}", Uuid::new_v4()));
        std::fs::create_dir_all(root.join("nats")).unwrap();
        std::fs::create_dir_all(root.join(".local/pids")).unwrap();
        std::fs::create_dir_all(root.join(".local/data/redis")).unwrap();
        std::fs::write(root.join("nats/server.conf"), "").unwrap();
        Self(root.canonicalize().unwrap())
    }

    fn stack(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(STACK);
        command
            .args(arguments)
            .current_dir(&self.0)
            .env_remove("DATABASE_URL")
            .output()
            .unwrap()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn second_up_and_clean_data_are_refused_while_one_runs() {
    let checkout = Checkout::new();
    let lock = File::create(checkout.0.join(".local/up.lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(checkout.0.join(".local/up.lock"), "4711\n").unwrap();
    for command in ["up", "clean-data"] {
        let output = checkout.stack(&[command]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{command} went on");
        assert!(text.contains("already running (pid 4711)"), "{text}");
    }
    assert!(checkout.0.join(".local/data").exists());
}

#[test]
fn token_is_refused_when_nothing_runs() {
    let checkout = Checkout::new();
    let output = checkout.stack(&["token", "--role", "staff"]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("run `make up` first"), "{text}");
}

#[test]
fn leftovers_are_ended_and_strangers_are_not() {
    let checkout = Checkout::new();
    // The right program in the right directory, and the right program in another one, which now has the pid.
    let redis = checkout.0.join("redis-server");
    std::fs::copy(sleep(), &redis).unwrap();
    let mut ours = start(&redis, &checkout.0.join(".local/data/redis"));
    let mut stranger = start(&redis, &std::env::temp_dir());
    std::fs::write(checkout.0.join(".local/pids/redis"), ours.id().to_string()).unwrap();
    std::fs::write(checkout.0.join(".local/pids/nats"), stranger.id().to_string()).unwrap();

    let reaper = std::thread::spawn(move || ours.wait().unwrap());
    let output = checkout.stack(&["clean-data"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!reaper.join().unwrap().success(), "it was ended by a signal");
    assert_ne!(state_of(stranger.id()), 'X');
    assert_eq!(processes_in(&checkout.0), Vec::<u32>::new());
    assert!(!checkout.0.join(".local/data").exists());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

fn start(program: &Path, dir: &Path) -> Child {
    Command::new(program).arg("600").current_dir(dir).spawn().unwrap()
}

fn sleep() -> PathBuf {
    ["/usr/bin/sleep", "/bin/sleep"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .unwrap()
}
