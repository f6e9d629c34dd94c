//! Starts child processes. Each has a clean environment, its own process group (so that this process handles Ctrl-C and
//! stops the children in order), its output in a log file, another user where the program refuses to run as root, and a
//! parent-death signal, with which the kernel kills it if this process dies without stopping it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use crate::run_as::RunAs;

/// Everything needed to start a program, and to restart it in the same way.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Working directory, by which [`crate::procfs`] recognises the process.
    pub(crate) dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) run_as: Option<RunAs>,
    /// The signal that asks the program to stop in good order.
    pub(crate) stop_signal: Signal,
}

/// Variables passed on from our own environment. All others that a child gets are named in its [`Launch`].
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

impl Launch {
    /// Starts the program.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot open the log file {}", self.log.display()))?;
        let mut command = self.command();
        command
            .args(&self.args)
            .env_clear()
            .envs(self.environment())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        spawn_from_lasting_thread(command)
            .with_context(|| format!("cannot start {} ({})", self.name, self.program.display()))
    }

    /// The same program with the same settings and other arguments, to run at the same time.
    pub(crate) fn beside(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The whole environment of the child.
    fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> + '_ {
        let passed_on = PASSED_ON
            .iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        passed_on.chain(self.env.iter().map(|(name, value)| (name.into(), value.into())))
    }

    /// The program itself, or wrapped in `setpriv`, which then executes it under the same pid.
    fn command(&self) -> Command {
        let Some(setpriv) = SETPRIV.as_deref() else {
            let mut command = Command::new(&self.program);
            if let Some(RunAs { uid, gid }) = self.run_as {
                command.uid(uid).gid(gid);
            }
            return command;
        };
        let mut command = Command::new(setpriv);
        if let Some(RunAs { uid, gid }) = self.run_as {
            command.args([
                "--reuid",
                &uid.to_string(),
                "--regid",
                &gid.to_string(),
                "--clear-groups",
            ]);
        }
        command.args(["--pdeathsig", "KILL"]).arg(&self.program);
        command
    }
}

/// A command that is killed when this process dies, on systems with `setpriv --pdeathsig`.
pub(crate) fn dying_with_us(program: &Path) -> Command {
    match SETPRIV.as_deref() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// `setpriv` of util-linux, if it knows `--pdeathsig` (busybox's does not).
static SETPRIV: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let path = crate::binaries::in_path("setpriv").into_iter().next()?;
    let works = Command::new(&path)
        .args(["--pdeathsig", "KILL", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    works.then_some(path)
});

type Job = Box<dyn FnOnce() + Send>;

/// The kernel sends the parent-death signal when the *thread* that forked ends, not the process. Test threads and runtime
/// workers end early, so one thread that runs as long as the process starts every child.
static STARTER: LazyLock<Mutex<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::channel::<Job>();
    std::thread::spawn(move || queue.into_iter().for_each(|job| job()));
    Mutex::new(jobs)
});

/// Starts a command from the one thread that lasts.
pub(crate) fn spawn_from_lasting_thread(mut command: Command) -> anyhow::Result<Child> {
    let (reply, answer) = mpsc::channel();
    let job: Job = Box::new(move || {
        let _ = reply.send(command.spawn());
    });
    let starter = STARTER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let sent = starter.send(job);
    drop(starter);
    if sent.is_err() {
        bail!("the thread that starts processes is gone");
    }
    Ok(answer
        .recv()
        .context("the thread that starts processes is gone")??)
}
