//! nats-server with JetStream, configured by `nats/server.conf` and `nats/accounts.conf`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::{Private, Server, ServersConfig};
use crate::certificates::ServerFiles;
use crate::checkout::create_dir;
use crate::daemon::Daemon;
use crate::install::needed;
use crate::launch::Launch;
use crate::nats_logins::NatsLogins;
use crate::ports::Port;
use crate::readiness::Question;

/// Compiled in, so that a test binary finds them wherever it runs.
const CONFIG: &str = include_str!("../../../../../nats/server.conf");
const ACCOUNTS: &str = include_str!("../../../../../nats/accounts.conf");
const TLS: &str = include_str!("../../../../../nats/tls.conf");

/// Writes the configuration; returns how to run the server, and its users.
pub(super) fn prepare(
    config: &ServersConfig,
    program: Option<PathBuf>,
    tls: Option<&ServerFiles>,
) -> anyhow::Result<(Server, NatsLogins)> {
    let program = needed(program, "nats-server >= 2.14")?;
    let data = config.data.join("nats");
    create_dir(&data, 0o700)?;
    let accounts = if config.any_stream {
        // The same rules, for streams and subjects of any name.
        ACCOUNTS.replace("LICENSING", "*").replace("licensing.v1", "*.v1")
    } else {
        ACCOUNTS.to_owned()
    };
    let file = data.join("server.conf");
    let server = match tls {
        None => CONFIG.to_owned(),
        Some(_) => format!("{CONFIG}\ninclude \"tls.conf\"\n"),
    };
    for (path, text) in [
        (&file, server.as_str()),
        (&data.join("accounts.conf"), &accounts),
        (&data.join("tls.conf"), TLS),
    ] {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let logins = NatsLogins::create(&data)?;
    let (port, monitor) = (Port::any()?, Port::any()?);
    // nats-server reads a variable's value as configuration, so texts need quotes.
    let mut env = vec![
        ("NATS_SERVER_NAME", "\"bilsport-local\"".to_owned()),
        ("NATS_PORT", port.number().to_string()),
        ("NATS_MONITOR_ADDRESS", format!("\"{}\"", monitor.address())),
        ("NATS_STORE_DIR", format!("\"{}\"", data.display())),
    ];
    if let Some(tls) = tls {
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        env.extend([
            ("NATS_TLS_CERT_FILE", quoted(&tls.server.certificate)),
            ("NATS_TLS_KEY_FILE", quoted(&tls.server.key)),
            ("NATS_TLS_CA_FILE", quoted(&tls.clients.authority)),
        ]);
    }
    let launch = Launch {
        name: "nats",
        program,
        args: vec!["--config".to_owned(), file.display().to_string()],
        env: env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        dir: data.clone(),
        log: config.logs.join("nats.log"),
        pid_file: config.pids.as_ref().map(|pids| pids.join("nats")),
        run_as: None,
        stop_signal: Signal::SIGTERM,
    };
    let scheme = if tls.is_some() { "tls" } else { "nats" };
    let url = logins.url_of("administrator", &format!("{scheme}://{}", port.address()))?;
    let ready = Question::Http(format!("{}/healthz", monitor.http_url()));
    // JetStream's own directory: `data` itself also holds the configuration.
    let store = data.join("jetstream");
    forget_the_global_account(&store)?;
    let private = Private {
        daemon: Daemon::new(launch, None),
        ready,
        data: store,
        _ports: vec![port, monitor],
    };
    let server = Server {
        name: "nats",
        url,
        private: Some(private),
    };
    Ok((server, logins))
}

/// Deletes streams from before there were accounts: they belong to no account now, and with them nats-server reports
/// itself unhealthy. They are disposable, since the relay fills a stream again.
fn forget_the_global_account(store: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(store.join("$G")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove $G in {}", store.display()))
        }
        _ => Ok(()),
    }
}
