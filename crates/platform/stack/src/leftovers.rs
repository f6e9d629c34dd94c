//! Ends the processes that a killed supervisor left behind, so that they do not lock the data of the next start. A pid
//! alone proves nothing: the process must run the expected program in this checkout's directories.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::checkout::Checkout;
use crate::child::signal_pid;
use crate::process::Process;
use crate::procfs;
use crate::progress::Progress;

const GRACE: Duration = Duration::from_secs(5);

/// Ends the processes of an earlier run and removes their pid files.
pub(crate) async fn end(checkout: &Checkout, progress: Progress) -> anyhow::Result<()> {
    let local = checkout.local()?;
    let outside = checkout.data_outside();
    for process in Process::in_a_checkout() {
        let file = checkout.pids()?.join(process.name());
        let pid = std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse::<u32>().ok());
        if let Some(pid) = pid {
            let ours = || is_ours(pid, process, &local, &outside);
            if ours() {
                end_one(pid, process, ours).await;
                progress.line(&format!(
                    "ended {process} (pid {pid}), left behind by an earlier run"
                ));
            }
        }
        let _ = std::fs::remove_file(&file);
    }
    // nginx's workers outlive a master that was killed.
    for pid in [local, outside].iter().flat_map(|dir| procfs::working_in(dir)) {
        if procfs::program(pid).as_deref() == Some(Process::Edge.program()) {
            signal_pid(pid, Signal::SIGKILL);
        }
    }
    Ok(())
}

fn is_ours(pid: u32, process: Process, local: &Path, outside: &Path) -> bool {
    let here = procfs::works_in(pid, local) || procfs::works_in(pid, outside);
    here && procfs::program(pid).as_deref() == Some(process.program())
}

async fn end_one(pid: u32, process: Process, still_there: impl Fn() -> bool) {
    // Fast shutdown for PostgreSQL, which after SIGTERM would wait for its clients.
    signal_pid(
        pid,
        if process.program() == Process::Postgres.program() {
            Signal::SIGINT
        } else {
            Signal::SIGTERM
        },
    );
    signal_pid(pid, Signal::SIGCONT);
    let begun = Instant::now();
    while still_there() {
        if begun.elapsed() > GRACE {
            signal_pid(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
