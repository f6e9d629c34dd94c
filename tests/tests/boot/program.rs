//! A program that a test runs by itself, to see its exit code and its output.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::{Process, System};
use tokio::process::{Child, Command};

/// The time within which every program stops after SIGTERM.
const PROMISED: Duration = Duration::from_secs(10);
/// How long a program may take to refuse to run, or to do its work.
const REFUSAL: Duration = Duration::from_secs(30);

/// A running program.
pub(crate) struct Program {
    child: Child,
    output: PathBuf,
}

/// An ended program.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Its standard output and standard error.
    pub(crate) output: String,
}

impl Program {
    /// Stops a process of the system and runs it again in the same way, as a child of this test.
    pub(crate) async fn instead_of(system: &System, process: Process) -> Self {
        let pid = system.pid(process).expect("a running process");
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).expect("a program");
        let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("an environment");
        system.stop_one(process).await.expect("it stops");
        let variables = environment.split(|byte| *byte == 0).filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..at].to_vec(), pair[at + 1..].to_vec()))
        });
        let variables = variables.map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)));
        let output = system.logs().join(format!("{process}-of-the-test.log"));
        let file = File::create(&output).expect("a file for its output");
        let child = Command::new(program)
            .arg("serve")
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        Self { child, output }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it has not been waited for");
        kill(Pid::from_raw(pid.try_into().expect("a pid")), signal).expect("a signal");
    }

    /// Waits for its end within [`PROMISED`].
    pub(crate) async fn ended(mut self) -> Ended {
        let status = tokio::time::timeout(PROMISED, self.child.wait()).await;
        let output = std::fs::read_to_string(&self.output).expect("its output");
        let status =
            status.unwrap_or_else(|_| panic!("it did not end within {PROMISED:?}; it said:\n{output}"));
        Ended {
            status: status.expect("a status"),
            output,
        }
    }
}

/// What a program said, apart.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// As [`run`], with both outputs apart.
pub(crate) async fn run_apart(
    program: &str,
    arguments: &[&str],
    variables: &BTreeMap<&str, String>,
) -> Output {
    let output = ended(program, arguments, variables).await;
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program of this workspace, with only these variables, until it ends by itself.
pub(crate) async fn run(program: &str, arguments: &[&str], variables: &BTreeMap<&str, String>) -> Ended {
    let output = ended(program, arguments, variables).await;
    Ended {
        status: output.status,
        output: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    }
}

async fn ended(
    program: &str,
    arguments: &[&str],
    variables: &BTreeMap<&str, String>,
) -> std::process::Output {
    let running = Command::new(path(program))
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(REFUSAL, running)
        .await
        .unwrap_or_else(|_| panic!("{program} {arguments:?} neither refused nor ended"))
        .expect("a process")
}

impl Ended {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn well(&self) {
        assert!(self.status.success(), "{}:\n{}", self.status, self.output);
    }

    /// Asserts a refusal whose message contains this text.
    #[track_caller]
    pub(crate) fn because(&self, reason: &str) {
        assert!(
            self.status.code().is_some_and(|code| code > 0),
            "{}:\n{}",
            self.status,
            self.output
        );
        assert!(
            self.output.contains(reason),
            "not a word of {reason:?}:\n{}",
            self.output
        );
        assert!(!self.output.contains("panicked"), "{}", self.output);
    }
}

/// Where a program of this workspace is: Cargo puts test programs one directory further down.
fn path(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this program");
    let path = here
        .parent()
        .and_then(Path::parent)
        .expect("the target directory")
        .join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `make build`",
        path.display()
    );
    path
}
