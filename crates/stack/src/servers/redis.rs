//! Redis. What it holds is a cache, bounded in size; the append-only file only spares a cold start.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::{Private, Server, ServersConfig};
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

/// Says how to run it.
pub(super) fn prepare(config: &ServersConfig, program: Option<PathBuf>) -> anyhow::Result<Server> {
    let program = needed(program, "Redis >= 7")?;
    let data = config.data.join("redis");
    create_dir(&data, 0o700)?;
    let port = Port::any()?;
    let mut args: Vec<String> = SETTINGS
        .iter()
        .flat_map(|setting| setting.split(' '))
        .map(|word| word.replace('\'', ""))
        .collect();
    args.extend(["--port".to_owned(), port.number().to_string()]);
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
    let url = format!("redis://{}", port.address());
    let ready = Question::Redis(port.address());
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
