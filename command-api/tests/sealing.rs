//! `command-api log …` for an operator with a database, a file and a public key.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use event_store::seal::{SealKey, Sealer, SealerOptions};
use service::postgres::{PoolOptions, pool};
use stack::Databases;
use uuid::Uuid;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("sealing-{}", Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn log(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_command-api"))
        .arg("log")
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

/// What it printed, if it ended well.
fn well(arguments: &[&str]) -> String {
    let output = log(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Standard output and standard error, if it did its work and found something.
fn badly(arguments: &[&str]) -> (String, String) {
    with_status(1, arguments)
}

/// Standard output and standard error, if it ended with that status.
fn with_status(status: i32, arguments: &[&str]) -> (String, String) {
    let output = log(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

async fn execute(url: &str, sql: &str) {
    let client = pool(url, &PoolOptions::default(), "test").unwrap();
    client.get().await.unwrap().batch_execute(sql).await.unwrap();
}

#[test]
fn a_key_is_made_once() {
    let scratch = Scratch::new();
    let key = scratch.path("seal.key");
    let public = well(&["keygen", "--seal-key-file", &key]);
    assert_eq!(public.len(), 64, "{public}");
    assert_eq!(well(&["public-key", "--seal-key-file", &key]), public);
    let (_, why) = with_status(2, &["keygen", "--seal-key-file", &key]);
    assert!(why.contains(&key), "{why}");
    assert_eq!(well(&["public-key", "--seal-key-file", &key]), public);
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_log_is_verified_and_an_event_proven() {
    let servers = stack::shared().await.unwrap();
    let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
    let url = &databases.events_owner;
    event_store::migrate(url).await.unwrap();
    execute(
        url,
        "insert into events select n, 'counter', gen_random_uuid(), 1, 'Counted', '1', '{}', '{}', now()
         from generate_series(1, 9) n; update log_head set position = 9",
    )
    .await;
    let scratch = Scratch::new();
    let (key, file) = (scratch.path("seal.key"), scratch.path("seals.jsonl"));
    let public = well(&["keygen", "--seal-key-file", &key]);
    let options = SealerOptions {
        key: Arc::new(SealKey::read(Path::new(&key)).unwrap()),
        file: PathBuf::from(&file),
        interval: Duration::from_secs(1),
    };
    let sealing = pool(url, &PoolOptions::default(), "test").unwrap();
    Sealer::new(sealing, options).seal().await.unwrap();

    let database = ["--events-database-url", url.as_str()];
    let trust = ["--seal-public-key", public.as_str()];
    let verify = [["verify", "--seal-file"].as_slice(), &[&file], &database, &trust].concat();
    let report = well(&verify);
    assert!(
        report.starts_with("the log is what was sealed: 9 events under 1 seals"),
        "{report}"
    );

    let proof = scratch.path("proof.json");
    std::fs::write(
        &proof,
        well(&[["prove", "--position", "4"].as_slice(), &database].concat()),
    )
    .unwrap();
    let check = [["check-proof", proof.as_str()].as_slice(), &trust].concat();
    assert!(well(&check).starts_with("position 4 is in the log"));
    let text = std::fs::read_to_string(&proof).unwrap();
    std::fs::write(&proof, text.replace("Counted", "Recounted")).unwrap();
    let (_, why) = badly(&check);
    assert!(why.contains("does not lead to the sealed root"), "{why}");
    let (_, why) = with_status(2, &[["prove", "--position", "10"].as_slice(), &database].concat());
    assert!(
        why.contains("there is no event at position 10: the log ends at 9"),
        "{why}"
    );

    execute(
        url,
        "alter table events disable trigger user; delete from events where position = 6",
    )
    .await;
    let (said, _) = badly(&verify);
    assert!(said.starts_with("position 6: there is no event"), "{said}");
    let (said, _) = badly(&[verify.as_slice(), &["--json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["findings"][0]["kind"], "event_missing");
    assert_eq!(report["findings"][0]["first"], 6);
}
