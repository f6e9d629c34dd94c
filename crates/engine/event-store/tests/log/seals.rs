//! Seals: one chain whatever happens to its sealers, and nothing can be changed below it without being found.

mod changes;
mod proofs;
mod sealers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envelope::Position;
use event_store::AppenderOptions;
use event_store::seal::{Finding, Kind, PublicKey, Report, SealKey, Sealer, SealerOptions, verify};
use uuid::Uuid;

use crate::support::{TestLog, append, key, pool};

/// Disables the triggers that refuse changes of the log.
const UNLOCK: &str = "alter table events disable trigger user; alter table log_seals disable trigger user;";

struct Sealed {
    test: TestLog,
    aggregate: Uuid,
    key: Arc<SealKey>,
    dir: PathBuf,
    file: PathBuf,
}

impl Sealed {
    async fn empty() -> Self {
        let dir = std::env::temp_dir().join(format!("seals-{}", Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        Self {
            test: TestLog::new().await,
            aggregate: Uuid::now_v7(),
            key: Arc::new(SealKey::from_pkcs8(&SealKey::generate().unwrap()).unwrap()),
            file: dir.join("seals.jsonl"),
            dir,
        }
    }

    /// Three seals: of the positions 1-5, 6-9 and 10-16; and 17 is not sealed.
    async fn three() -> Self {
        let sealed = Self::empty().await;
        let mut working = sealed.sealer();
        for last in [5, 9, 16] {
            sealed.append_up_to(last).await;
            assert_eq!(working.seal().await.unwrap(), Position::new(last));
        }
        sealed.append_up_to(17).await;
        sealed
    }

    async fn append_up_to(&self, last: u64) {
        let appender = self.test.appender(AppenderOptions::default());
        let head = self.test.log.head().await.unwrap().position.get();
        for sequence in head + 1..=last {
            let append = append(key(sequence.to_string()), self.aggregate, sequence);
            appender.append(append).await.unwrap();
        }
    }

    fn sealer(&self) -> Sealer {
        let options = SealerOptions {
            key: Arc::clone(&self.key),
            file: self.file.clone(),
            interval: Duration::from_millis(1),
        };
        Sealer::new(pool(&self.test.url), options)
    }

    async fn verify(&self) -> Report {
        self.verify_with(&[self.key.public_key()]).await
    }

    async fn verify_with(&self, keys: &[PublicKey]) -> Report {
        verify(&pool(&self.test.url), &self.file, keys, |_, _| {})
            .await
            .unwrap()
    }

    async fn tamper(&self, sql: &str) {
        let sql = format!("{UNLOCK} {sql}");
        self.test.client().await.batch_execute(&sql).await.unwrap();
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn found(report: &Report) -> Vec<(Kind, i64, i64)> {
    let place = |finding: &Finding| (finding.kind, finding.first, finding.last);
    report.findings.iter().map(place).collect()
}

#[tokio::test]
async fn what_nobody_touched_is_clean() {
    let sealed = Sealed::three().await;
    let report = sealed.verify().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (report.seals, report.events, report.sealed, report.head),
        (3, 16, 16, 17)
    );
    assert!(report.notes.is_empty(), "{report}");
    let empty = Sealed::empty().await;
    assert_eq!(empty.sealer().seal().await.unwrap(), Position::START);
    assert!(empty.verify().await.is_clean());
}
