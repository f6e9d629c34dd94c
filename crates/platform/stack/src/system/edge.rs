//! nginx as the edge, configured by `web/edge`: one address for pages, both APIs and the login, where an installation has
//! its CDN or load balancer.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::applications::{EDGE_SOURCE, Ports};
use super::{System, SystemPlaces};
use crate::binaries::{brotli_static, nginx};
use crate::checkout::create_dir;
use crate::daemon::{Daemon, Family};
use crate::install::needed;
use crate::launch::Launch;
use crate::process::Process;
use crate::run_as::{RunAs, hand_over, run_as};

/// Compiled in, so that a test binary finds them wherever it runs.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../../web/", $name)))),+]
    };
}

const CONFIG: &[(&str, &str)] = files![
    "edge/nginx.conf",
    "edge/types.conf",
    "edge/maps.conf",
    "edge/log.conf",
    "edge/headers.conf",
    "edge/proxy.conf",
    "edge/errors.conf",
    "edge/cached.conf",
    "edge/session.conf",
    "edge/compressed.conf",
    "edge/pages.conf",
    "edge/public.conf",
    "edge/api.conf",
    "edge/login.conf",
    "edge/problems.conf",
];

const PAGES: &[(&str, &str)] = files![
    "static/index.html",
    "static/page.css",
    "static/favicon.svg",
    "static/robots.txt",
    "static/errors/404.html",
    "static/errors/503.html",
];

/// Writes configuration and pages, and says how to run nginx on them.
pub(super) fn prepare(place: &SystemPlaces) -> anyhow::Result<Arc<Daemon>> {
    let program = needed(nginx(), "nginx")?;
    let (dir, run_as) = (place.edge.as_path(), run_as()?);
    // The copies of answers from an earlier run may be those of another log.
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    for of_nginx in [dir, &dir.join("temp")] {
        create_dir(of_nginx, 0o755)?;
        hand_over(of_nginx, run_as)?;
    }
    for (name, text) in CONFIG {
        write(&dir.join(name), &filled(text, dir, &place.ports))?;
    }
    for (name, text) in PAGES {
        write(&dir.join(name), text)?;
    }
    let log = place.logs.join(format!("{}.log", Process::Edge));
    own_log(&log, run_as)?;
    let launch = Launch {
        name: Process::Edge.name(),
        program,
        args: arguments(dir),
        env: Vec::new(),
        dir: dir.to_owned(),
        log,
        pid_file: place.pids.as_ref().map(|pids| pids.join(Process::Edge.name())),
        run_as,
        // Requests under way are answered first.
        stop_signal: Signal::SIGQUIT,
    };
    let family = Family {
        dir: dir.to_owned(),
        lock_file: dir.join("nginx.pid"),
        outlives: true,
    };
    Ok(Daemon::new(launch, Some(family)))
}

fn arguments(dir: &Path) -> Vec<String> {
    // The first log is the one until the configuration is read.
    [
        "-e",
        "stderr",
        "-p",
        &dir.display().to_string(),
        "-c",
        "edge/nginx.conf",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A file of the configuration with the words of this system.
fn filled(text: &str, dir: &Path, ports: &Ports) -> String {
    let (load, on) = brotli_static().map_or_else(Default::default, |module| {
        (
            format!("load_module {};", module.display()),
            "brotli_static on;".to_owned(),
        )
    });
    [
        ("@LOAD_BROTLI@", load),
        ("@BROTLI@", on),
        ("@LISTEN@", ports.edge.address()),
        ("@PAGES@", dir.join("static").display().to_string()),
        ("@SOURCE@", EDGE_SOURCE.to_owned()),
        ("@QUERY_API@", ports.query_api.address()),
        ("@COMMAND_API@", ports.command_api.address()),
        ("@FRONT_DOOR@", ports.front_door.address()),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (word, value)| text.replace(word, &value))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        create_dir(dir, 0o755)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// nginx opens its standard output once more, as its own user.
fn own_log(log: &Path, run_as: Option<RunAs>) -> anyhow::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open the log file {}", log.display()))?;
    hand_over(log, run_as)
}

impl System {
    /// `http://…`, the one address of pages, APIs and login.
    pub fn edge_url(&self) -> String {
        self.ports.edge.http_url()
    }

    /// The directory of the files that the edge serves.
    pub fn pages(&self) -> anyhow::Result<PathBuf> {
        let daemon = self
            .supervised(Process::Edge)
            .context("this system has no edge")?;
        Ok(daemon.launch().dir.join("static"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_configuration_is_replaced() {
        let ports = Ports::any().unwrap();
        let mut replaced = 0;
        for (name, text) in CONFIG {
            let filled = filled(text, Path::new("/edge"), &ports);
            replaced += usize::from(filled != *text);
            assert!(!filled.contains('@'), "{name}");
        }
        assert!(replaced >= 3, "{replaced}");
    }

    #[test]
    fn every_file_of_the_directory_is_written() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../web");
        for (dir, known) in [("edge", CONFIG), ("static", PAGES), ("static/errors", PAGES)] {
            for entry in std::fs::read_dir(web.join(dir)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&web).unwrap().to_str().unwrap();
                assert!(
                    path.is_dir() || known.iter().any(|(known, _)| *known == name),
                    "{name} is not compiled in"
                );
            }
        }
    }
}
