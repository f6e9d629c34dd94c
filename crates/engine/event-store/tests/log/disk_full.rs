//! The disk is full: clear errors while it is, nothing acknowledged lost, and no repair once there is room again.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use envelope::{Position, RecordedEvent};
use event_store::{Append, AppendError, AppenderOptions};
use stack::Postgres;
use uuid::Uuid;

use crate::support::{TestLog, append_payload, key, pool};

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    /// `None`, said aloud, for a user who may not mount one. Root must be able to.
    #[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
    fn mount(megabytes: u32) -> Option<Self> {
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            eprintln!("SKIPPED: only root can mount a small disk to fill");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("full-disk-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&dir).unwrap();
        let size = format!("size={megabytes}m,mode=0711");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&dir)
            .status()
            .unwrap();
        assert!(
            mounted.success(),
            "this test needs to mount a tmpfs, and root could not"
        );
        Some(Self(dir))
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let chunk = vec![0; 64 << 10];
        while ballast.write_all(&chunk).is_ok() {}
    }

    fn relieve(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if unmounted.is_ok_and(|status| status.success()) {
            let _ = std::fs::remove_dir(&self.0);
        }
    }
}

/// Does not compress, so that it takes the room it seems to take.
fn command(number: u64) -> Append {
    let noise: String = (0..1_500).map(|_| Uuid::new_v4().simple().to_string()).collect();
    append_payload(
        key(number.to_string()),
        Uuid::now_v7(),
        1,
        &format!(r#"{{"by":1,"noise":"{noise}"}}"#),
    )
}

/// Fills the disk, writes until the log refuses, makes room, and checks what is there.
async fn fill_and_recover(postgres: &Postgres, disk: &Disk) {
    let test = TestLog::on(postgres).await;
    let appender = test.appender(AppenderOptions {
        give_up_after: Duration::from_secs(1),
        ..AppenderOptions::default()
    });
    let mut accepted = 0;
    for _ in 0..3 {
        appender.append(command(accepted + 1)).await.unwrap();
        accepted += 1;
    }
    disk.fill();
    let (refused, why) = loop {
        assert!(accepted < 5_000, "the disk does not get full");
        let next = command(accepted + 1);
        match appender.append(next.clone()).await {
            Ok(_) => accepted += 1,
            Err(error) => break (next, error),
        }
    };
    let AppendError::Unavailable(why) = why else {
        panic!("{why}")
    };
    assert!(!why.is_empty());
    disk.relieve();

    let begun = Instant::now();
    let late = loop {
        // As an init system would.
        if postgres.server().pid().is_none() {
            postgres.server().start().await.unwrap();
        }
        match appender.append(refused.clone()).await {
            Ok(accepted) => break accepted,
            Err(AppendError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "it does not recover");
    };
    assert_eq!(late.position, Position::new(accepted + 1));
    appender.append(command(accepted + 2)).await.unwrap();
    let events: Vec<RecordedEvent> = test.log.read_after(Position::START, 10_000).await.unwrap();
    let keys: Vec<String> = events
        .iter()
        .map(|event| event.metadata.request_id.clone().unwrap())
        .collect();
    let expected: Vec<String> = (1..=accepted + 2).map(|number| number.to_string()).collect();
    assert_eq!(keys, expected, "each once, in order");
    postgres.server().stop().await.unwrap();
}

const SMALL: &[(&str, &str)] = &[
    ("shared_buffers", "16MB"),
    ("max_wal_size", "32MB"),
    ("min_wal_size", "32MB"),
];

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    let Some(disk) = Disk::mount(128) else { return };
    let postgres = Postgres::temporary_in(&disk.0, SMALL).await.unwrap();
    fill_and_recover(&postgres, &disk).await;
}

/// A server that can't write its WAL ends itself.
#[tokio::test]
async fn a_full_disk_of_the_wal_stops_the_server_and_it_recovers_by_itself() {
    let Some(disk) = Disk::mount(64) else { return };
    let postgres = Postgres::temporary(SMALL).await.unwrap();
    postgres.server().stop().await.unwrap();
    move_away(&postgres.server().data_dir().unwrap().join("pg_wal"), &disk.0);
    postgres.server().start().await.unwrap();
    // Segments that are used again need no room: with a slow writer the disk would never get full. A slot keeps them.
    let keep = "select pg_create_physical_replication_slot('keeps_segments', true)";
    let client = pool(postgres.server().url()).get().await.unwrap();
    client.query_one(keep, &[]).await.unwrap();
    drop(client);
    fill_and_recover(&postgres, &disk).await;
}

fn move_away(dir: &Path, to: &Path) {
    let moved = to.join("pg_wal");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(dir)
        .arg(&moved)
        .status()
        .unwrap();
    assert!(copied.success());
    std::fs::remove_dir_all(dir).unwrap();
    symlink(&moved, dir).unwrap();
}
