//! Finds the servers' programs and reports the missing ones. A program counts only if it is recent enough, and PostgreSQL
//! only with `initdb` in the same directory: the one in `PATH` may be a wrapper or a client-only installation.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::Checkout;

/// The oldest versions that work: log and grants need the defaults of PostgreSQL 15, the stream's options nats-server
/// 2.14, the cache Redis 7.
const POSTGRES: Version = Version(15, 0, 0);
const NATS: Version = Version(2, 14, 0);
const REDIS: Version = Version(7, 0, 0);

/// A program's version: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32, u32);

/// Where the programs are; `None` is missing or too old.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The directory with `postgres` and `initdb`.
    pub(crate) postgres: Option<PathBuf>,
    pub(crate) nats: Option<PathBuf>,
    pub(crate) redis: Option<PathBuf>,
    pub(crate) nginx: Option<PathBuf>,
}

impl Found {
    /// Looks in `PATH` and the known places.
    pub(crate) fn search() -> Self {
        Self {
            postgres: postgres_dir(),
            nats: nats_server(),
            redis: redis_server(),
            nginx: nginx(),
        }
    }
}

fn postgres_dir() -> Option<PathBuf> {
    let mut dirs: Vec<PathBuf> = in_path("postgres")
        .iter()
        .filter_map(|path| Some(path.canonicalize().ok()?.parent()?.to_owned()))
        .collect();
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        dirs.extend(entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))));
    }
    dirs.extend(["/usr/local/pgsql/bin", "/usr/bin"].map(PathBuf::from));
    dirs.into_iter()
        .filter(|dir| dir.join("initdb").is_file())
        .filter_map(|dir| Some((version_of(&dir.join("postgres"))?, dir)))
        .filter(|(version, _)| *version >= POSTGRES)
        .max_by_key(|(version, _)| *version)
        .map(|(_, dir)| dir)
}

fn nats_server() -> Option<PathBuf> {
    let own = Checkout::find().map(|checkout| checkout.nats_server());
    recent(in_path("nats-server").into_iter().chain(own), NATS)
}

fn redis_server() -> Option<PathBuf> {
    recent(in_path("redis-server").into_iter(), REDIS)
}

/// Prometheus, for the test of the dashboard.
pub fn prometheus() -> Option<PathBuf> {
    in_path("prometheus")
        .into_iter()
        .find(|path| version_of(path).is_some())
}

/// PgBouncer, for the test that programs refuse it.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    in_path("pgbouncer")
        .into_iter()
        .find(|path| version_of(path).is_some())
}

/// nginx, for the edge.
pub(crate) fn nginx() -> Option<PathBuf> {
    in_path("nginx").into_iter().next()
}

/// nginx's module that sends files compressed with brotli.
pub(crate) fn brotli_static() -> Option<PathBuf> {
    let module = PathBuf::from("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so");
    module.is_file().then_some(module)
}

fn recent(paths: impl Iterator<Item = PathBuf>, oldest: Version) -> Option<PathBuf> {
    paths
        .into_iter()
        .find(|path| version_of(path).is_some_and(|version| version >= oldest))
}

/// Every executable of that name in `PATH`, and in the system directories that a user's `PATH` may lack.
pub(crate) fn in_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .filter(|path| path.is_file())
        .collect()
}

/// Runs the program with `--version`.
pub(crate) fn version_of(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output
        .status
        .success()
        .then(|| parse_version(&String::from_utf8_lossy(&output.stdout)))
        .flatten()
}

/// The first thing that looks like a version: `postgres (PostgreSQL) 15.14 (Debian …)`, `nats-server: v2.15.1`,
/// `Redis server v=7.0.15 sha=…`.
fn parse_version(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches("v=").trim_start_matches('v');
        let mut parts = word
            .split(['.', '-', '+', '~'])
            .map_while(|part| part.parse::<u32>().ok());
        let major = parts.next()?;
        Some(Version(major, parts.next()?, parts.next().unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_each_server_prints() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
                Version(15, 14, 0),
            ),
            ("nats-server: v2.15.1", Version(2, 15, 1)),
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
                Version(7, 0, 15),
            ),
        ];
        for (text, version) in cases {
            assert_eq!(parse_version(text), Some(version), "{text}");
        }
        assert_eq!(parse_version("usage: postgres"), None);
    }

    #[test]
    fn program_without_a_version_is_not_found() {
        assert_eq!(version_of(Path::new("/nonexistent/postgres")), None);
    }
}
