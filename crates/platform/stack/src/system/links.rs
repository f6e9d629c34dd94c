//! The network between programs and servers: a proxy for each pair, so that a test can cut one program off from one server.

use crate::process::Process;
use crate::proxy::Proxy;
use crate::servers::{Server, Servers};

/// The variables that hold a server's URL.
const URLS: [(&str, Process); 3] = [
    ("EVENTS_DATABASE_URL", Process::Postgres),
    ("READ_DATABASE_URL", Process::Postgres),
    ("NATS_URL", Process::Nats),
];

#[derive(Debug)]
pub(super) struct Links(Vec<Link>);

#[derive(Debug)]
struct Link {
    program: Process,
    server: Process,
    proxy: Proxy,
}

impl Links {
    /// Opens a proxy for each program and server that are connected.
    pub(super) async fn open(servers: &Servers, programs: &[Process]) -> anyhow::Result<Self> {
        let mut links = Vec::new();
        for program in programs {
            for (server, talk) in [
                (
                    Process::Postgres,
                    !matches!(
                        program,
                        Process::PaymentEmulator | Process::Mail | Process::FrontDoor
                    ),
                ),
                (
                    Process::Nats,
                    !matches!(
                        program,
                        Process::PaymentEmulator | Process::Mail | Process::QueryApi | Process::FrontDoor
                    ),
                ),
            ] {
                if talk {
                    let at = if server == Process::Nats {
                        servers.nats()
                    } else {
                        servers.postgres()
                    };
                    links.push(Link {
                        program: *program,
                        server,
                        proxy: Proxy::start(address(at)?).await?,
                    });
                }
            }
        }
        Ok(Self(links))
    }

    /// Replaces the servers' URLs in a program's environment by those of the proxies.
    pub(super) fn redirect(&self, program: Process, env: &mut [(String, String)]) -> anyhow::Result<()> {
        for (name, value) in env {
            let server = URLS.iter().find(|(variable, _)| variable == name);
            if let Some(proxy) = server.and_then(|(_, server)| self.between(program, *server)) {
                let mut url = reqwest::Url::parse(value)?;
                if url.set_port(Some(proxy.port())).is_err() {
                    anyhow::bail!("{name} names no host");
                }
                *value = url.into();
            }
        }
        Ok(())
    }

    pub(super) fn between(&self, program: Process, server: Process) -> Option<&Proxy> {
        let link = self
            .0
            .iter()
            .find(|link| link.program == program && link.server == server);
        link.map(|link| &link.proxy)
    }
}

fn address(server: &Server) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(server.url())?;
    let (Some(host), Some(port)) = (url.host_str(), url.port()) else {
        anyhow::bail!("a server's URL names no host and port");
    };
    Ok(format!("{host}:{port}"))
}
