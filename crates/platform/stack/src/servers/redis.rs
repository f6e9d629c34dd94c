//! Redis, a cache of bounded size. The append-only file only avoids a cold start.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{Private, Server, ServersConfig};
use crate::certificates::ServerFiles;
use crate::checkout::create_dir;
use crate::daemon::Daemon;
use crate::install::needed;
use crate::launch::Launch;
use crate::ports::Port;
use crate::readiness::Question;

const SETTINGS: &[&str] = &[
    "--bind 127.0.0.1",
    "--daemonize no",
    "--save ''",
    "--appendonly yes",
    "--appendfsync everysec",
    "--maxmemory 128mb",
    "--maxmemory-policy allkeys-lru",
];

/// Returns how to run it.
pub(super) fn prepare(
    config: &ServersConfig,
    program: Option<PathBuf>,
    tls: Option<&ServerFiles>,
) -> anyhow::Result<Server> {
    let program = needed(program, "Redis >= 7")?;
    let data = config.data.join("redis");
    create_dir(&data, 0o700)?;
    let port = Port::any()?;
    let mut args: Vec<String> = SETTINGS
        .iter()
        .flat_map(|setting| setting.split(' '))
        .map(|word| word.replace('\'', ""))
        .collect();
    let number = port.number().to_string();
    match tls {
        None => args.extend(["--port".to_owned(), number]),
        Some(tls) => {
            let file = |path: &Path| path.display().to_string();
            // Port 0 switches the plain port off.
            args.extend([
                "--port".to_owned(),
                "0".to_owned(),
                "--tls-port".to_owned(),
                number,
            ]);
            args.extend(["--tls-cert-file".to_owned(), file(&tls.server.certificate)]);
            args.extend(["--tls-key-file".to_owned(), file(&tls.server.key)]);
            args.extend(["--tls-ca-cert-file".to_owned(), file(&tls.clients.authority)]);
        }
    }
    args.extend(["--dir".to_owned(), data.display().to_string()]);
    let launch = Launch {
        name: "redis",
        program,
        args,
        env: Vec::new(),
        dir: data.clone(),
        log: config.logs.join("redis.log"),
        pid_file: config.pids.as_ref().map(|pids| pids.join("redis")),
        run_as: None,
        stop_signal: Signal::SIGTERM,
    };
    let scheme = if tls.is_some() { "rediss" } else { "redis" };
    let url = format!("{scheme}://{}", port.address());
    let ready = Question::Redis(port.address(), tls.map(|tls| tls.clients.clone()));
    let private = Private {
        daemon: Daemon::new(launch, None),
        ready,
        data,
        _ports: vec![port],
    };
    Ok(Server {
        name: "redis",
        url,
        private: Some(private),
    })
}
