//! Operations of fault tests on a running system: kill, pause, stop and start single processes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use super::System;
use crate::daemon::Daemon;
use crate::process::Process;
use crate::proxy::Network;
use crate::readiness::Question;
use crate::servers::Server;

const READY_DEADLINE: Duration = Duration::from_mins(1);
/// After this number of deaths a program counts as unable to become ready.
const FUTILE_RESTARTS: u64 = 4;

impl System {
    /// SIGKILL. The supervisor restarts it at once; [`System::wait_ready`] waits for that.
    pub async fn kill(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.kill().await
    }

    /// SIGKILL, without a restart until [`System::launch`] or [`System::start_one`].
    pub async fn crash(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.crash().await
    }

    /// Pauses a process: its connections stay open and it does nothing.
    pub fn pause(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.pause()
    }

    /// Ends a pause.
    pub fn resume(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.resume();
        Ok(())
    }

    /// Stops a process in good order; it stays down until [`System::start_one`].
    pub async fn stop_one(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.stop().await;
        Ok(())
    }

    /// Starts a process that [`System::stop_one`] stopped, and waits until it is ready.
    pub async fn start_one(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.start().await?;
        self.wait_ready(process).await
    }

    /// Starts a process that is down, and waits for nothing.
    pub async fn launch(&self, process: Process) -> anyhow::Result<()> {
        self.daemon(process)?.start().await.map(drop)
    }

    /// Sets the state of the network between a program and a server. Returns the number of connections between them.
    pub fn network(&self, program: Process, server: Process, network: Network) -> anyhow::Result<usize> {
        let links = self.links.as_ref().context("this system has no proxies")?;
        let proxy = links
            .between(program, server)
            .with_context(|| format!("{program} does not talk to {server}"))?;
        let connections = proxy.connections();
        proxy.set(network);
        Ok(connections)
    }

    /// One of our programs with its settings and other arguments, such as `verify`.
    pub fn command(&self, process: Process, args: &[&str]) -> anyhow::Result<tokio::process::Command> {
        Ok(self.daemon(process)?.launch().beside(args))
    }

    /// All that run here, in the order in which they start.
    pub fn processes(&self) -> Vec<Process> {
        let second = self.applications.iter().map(|(process, _)| *process);
        let second = second.filter(|process| {
            matches!(
                process,
                Process::CommandApi2 | Process::Projector2 | Process::Edge
            )
        });
        let replicas = Process::REPLICAS
            .into_iter()
            .take(self.servers.replicas().count());
        Process::ALL.into_iter().chain(replicas).chain(second).collect()
    }

    /// Waits until a process reports that it is ready.
    pub async fn wait_ready(&self, process: Process) -> anyhow::Result<()> {
        if let Some(server) = self.server(process) {
            // Its supervisor may be about to restart it.
            self.running(process).await?;
            return server.wait_ready().await;
        }
        let daemon = self.daemon(process)?;
        let before = daemon.restarts();
        Question::Http(self.ports.ready_url(process))
            .wait(READY_DEADLINE, || daemon.restarts() >= before + FUTILE_RESTARTS)
            .await
            .map_err(|error| anyhow!("{process} did not become ready: {error:#}; {}", daemon.log_tail()))
    }

    async fn running(&self, process: Process) -> anyhow::Result<()> {
        let daemon = self.daemon(process)?;
        let running = async {
            while daemon.pid().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(READY_DEADLINE, running)
            .await
            .with_context(|| format!("{process} stays down"))
    }

    /// The process's pid, if it runs.
    pub fn pid(&self, process: Process) -> Option<u32> {
        self.daemon(process).ok()?.pid()
    }

    /// How often the supervisor restarted it.
    pub fn restarts(&self, process: Process) -> anyhow::Result<u64> {
        Ok(self.daemon(process)?.restarts())
    }

    fn server(&self, process: Process) -> Option<&Server> {
        match process {
            Process::Postgres => Some(self.servers.postgres()),
            Process::Replica(number) => self.servers.replica(number),
            Process::Nats => Some(self.servers.nats()),
            Process::Redis => Some(self.servers.redis()),
            _ => None,
        }
    }

    pub(super) fn supervised(&self, process: Process) -> Option<&Arc<Daemon>> {
        match self.server(process) {
            Some(server) => server.daemon().filter(|_| self.owns_servers),
            None => self
                .applications
                .iter()
                .find(|(of, _)| *of == process)
                .map(|(_, daemon)| daemon),
        }
    }

    fn daemon(&self, process: Process) -> anyhow::Result<&Arc<Daemon>> {
        match self.supervised(process) {
            Some(daemon) => Ok(daemon),
            None => bail!("{process} is shared or given by URL; use System::on_private_servers()"),
        }
    }
}
