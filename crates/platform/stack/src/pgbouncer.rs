//! PgBouncer in front of a PostgreSQL server, for the tests of what programs say of one.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use connect::Database;
use nix::sys::signal::Signal;

use crate::binaries::pgbouncer;
use crate::checkout::{create_dir, write_private};
use crate::daemon::Daemon;
use crate::launch::Launch;
use crate::ports::Port;
use crate::readiness::Question;
use crate::scratch::Scratch;
use crate::servers::postgres::{hand_over, run_as};
use crate::{Progress, install};

/// A running PgBouncer.
#[derive(Debug)]
pub struct PgBouncer {
    daemon: Arc<Daemon>,
    url: String,
    _port: Port,
    _scratch: Scratch,
}

impl PgBouncer {
    /// Before the database at `url`, with more settings for its `[pgbouncer]` section and for its database. `None`, after
    /// saying so, on a system that has no PgBouncer and can't install it.
    pub async fn start(url: &str, settings: &str, of_database: &str) -> anyhow::Result<Option<Self>> {
        install::ensure_pgbouncer(Progress::console()).await;
        let Some(program) = pgbouncer() else {
            return Ok(None);
        };
        let (scratch, port, run_as) = (Scratch::create()?, Port::any()?, run_as()?);
        let dir: PathBuf = scratch.path().join("pgbouncer");
        create_dir(&dir, 0o711)?;
        let database = Database::parse(url)?;
        let config = database.config();
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let name = config.get_dbname().context("a URL without a database")?;
        let (user, password) = (
            config.get_user().context("a URL without a user")?,
            text(config.get_password()),
        );
        let server = config.get_ports().first().context("a URL without a port")?;
        let file = dir.join("pgbouncer.ini");
        let ini = format!(
            "[databases]\n{name} = host=127.0.0.1 port={server} dbname={name} user={user} password={password} {of_database}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nauth_type = any\nunix_socket_dir =\n{settings}\n",
            port.number()
        );
        write_private(&file, ini.as_bytes())?;
        for path in [&dir, &file] {
            hand_over(path, run_as)?;
        }
        let launch = Launch {
            name: "pgbouncer",
            program,
            args: vec![file.display().to_string()],
            env: Vec::new(),
            dir: dir.clone(),
            log: scratch.path().join("pgbouncer.log"),
            pid_file: None,
            run_as,
            stop_signal: Signal::SIGINT,
        };
        let daemon = Daemon::new(launch, None);
        let url = url.replace(&format!(":{server}/"), &format!(":{}/", port.number()));
        let pooler = Self {
            daemon,
            url,
            _port: port,
            _scratch: scratch,
        };
        pooler.daemon.start().await?;
        let gone = || pooler.daemon.pid().is_none();
        Question::Postgres(pooler.url.clone())
            .wait(std::time::Duration::from_secs(20), gone)
            .await
            .with_context(|| pooler.daemon.log_tail())?;
        Ok(Some(pooler))
    }

    /// The database's URL by way of it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it.
    pub async fn stop(&self) {
        self.daemon.stop().await;
    }
}
