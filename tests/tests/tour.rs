//! The tour in the README works as it is written: it is run by a shell beside a system whose catalogue is the real one.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use stack::{Options, Process, System};
use uuid::Uuid;

/// Far above what the tour takes.
const PATIENCE: Duration = Duration::from_mins(3);

/// Each answer's status goes to standard error. A command that fails ends the tour, which commands in a pipe do as well.
const PRELUDE: &str = r#"set -euo pipefail
curl() { command curl --max-time 30 -w '%{stderr}\nstatus %{http_code} %{url_effective}\n' "$@"; }
"#;

/// A directory that looks like a checkout in which `make up` runs.
struct Checkout(PathBuf);

impl Checkout {
    fn of(system: &System, club: Uuid) -> Self {
        let root = std::env::temp_dir().join(format!("bilsport-tour-{}", Uuid::new_v4()));
        std::fs::create_dir_all(root.join(".local/pids")).unwrap();
        let tokens = system.tokens(&[club]).unwrap();
        std::fs::write(
            root.join(".local/stack.env"),
            stack::stack_env(system, &tokens).unwrap(),
        )
        .unwrap();
        let pid = system.pid(Process::CommandApi).unwrap();
        std::fs::write(root.join(".local/pids/command-api"), pid.to_string()).unwrap();
        // The programs are beside the directory of the test programs.
        let programs = std::env::current_exe()
            .unwrap()
            .ancestors()
            .nth(2)
            .unwrap()
            .to_owned();
        std::fs::create_dir(root.join("target")).unwrap();
        std::os::unix::fs::symlink(programs, root.join("target/debug")).unwrap();
        Self(root)
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tour() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, tour) = readme.split_once("\n## A tour with curl\n").unwrap();
    let (_, tour) = tour.split_once("\n```sh\n").unwrap();
    let (tour, _) = tour.split_once("\n```\n").unwrap();
    format!("{PRELUDE}{tour}\n")
}

#[tokio::test]
async fn tour_of_the_readme_works_as_it_is_written() {
    let options = Options {
        edge: true,
        ..Options::default()
    };
    let system = System::on_shared_servers(options).await.unwrap();
    let staff = system.tokens(&[]).unwrap().staff;
    let catalogue = stack::catalogue::load(&system.command_api_url(), &staff)
        .await
        .unwrap();
    let checkout = Checkout::of(&system, catalogue.clubs[0].0);
    let tour = tokio::process::Command::new("bash")
        .args(["-c", &tour()])
        .current_dir(&checkout.0)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, tour).await.unwrap().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    let statuses = errors.lines().filter_map(|line| line.strip_prefix("status "));
    let failed: Vec<&str> = statuses.filter(|line| !line.starts_with('2')).collect();
    // The other customer's look, the look without a login, and the erasure while the money is on its way back.
    let (erasures, others): (Vec<&str>, Vec<&str>) =
        failed.into_iter().partition(|line| line.ends_with("/erase"));
    assert!(
        erasures.iter().all(|line| line.starts_with("409 ")),
        "{erasures:?}"
    );
    let codes: Vec<&str> = others.iter().filter_map(|line| line.get(..4)).collect();
    assert_eq!(codes, ["404 ", "401 "], "{others:?}");
    assert!(!said.contains("Ola Glemt"), "the rows still name him: {said}");
    for found in [
        "\"sent\"",
        "compared",
        "local: ",
        "1 erasures",
        "\"erasure_id\"",
        "\"net_ore\"",
        "edge; ",
        "\"unauthorized\"",
    ] {
        assert!(said.contains(found), "no {found} in {said}");
    }
    let pdf = std::fs::read(checkout.0.join("license.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let sheet = std::fs::read_to_string(checkout.0.join("receipts.csv")).unwrap();
    assert!(sheet.starts_with("\u{feff}receipt_id;"), "{sheet}");

    // Settings are in the environment of every program that a developer starts: no secret is among them.
    let env = std::fs::read_to_string(checkout.0.join(".local/stack.env")).unwrap();
    for line in env.lines() {
        let (name, _) = line.split_once('=').unwrap();
        let secret = ["SECRET", "PASSWORD", "_KEY", "AUTHORIZATION"];
        let names_secret = secret.iter().any(|word| name.contains(word));
        assert!(
            !names_secret || name.ends_with("_FILE") || name == "SEAL_PUBLIC_KEY",
            "{name}"
        );
    }
    system.stop().await;
}
