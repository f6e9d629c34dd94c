//! Seals: one chain whatever happens to its sealers, and nothing can be changed below it without being found.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envelope::Position;
use event_store::AppenderOptions;
use event_store::seal::{
    Error, Finding, Kind, Proof, PublicKey, Report, SealKey, Sealer, SealerOptions, prove, verify,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{TestLog, append, eventually, key, pool};

/// Turns off what keeps everybody but the owner from changing the log.
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

#[tokio::test]
async fn a_long_log_is_sealed_in_ranges() {
    let sealed = Sealed::empty().await;
    sealed
        .tamper(
            "insert into events select n, 'counter', gen_random_uuid(), 1, 'Counted', '1', '{}', '{}', now()
             from generate_series(1, 10000) n; update log_head set position = 10000",
        )
        .await;
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(10_000));
    assert_eq!(sealed.lines().len(), 3);
    let report = sealed.verify().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.seals, report.events), (3, 10_000));
    sealed
        .tamper("delete from events where position in (4096, 4097, 9999)")
        .await;
    let missing = [(Kind::EventMissing, 4096, 4097), (Kind::EventMissing, 9999, 9999)];
    assert_eq!(found(&sealed.verify().await), missing);
}

#[tokio::test]
async fn an_edit_of_any_column_is_found_where_it_is() {
    let sealed = Sealed::three().await;
    let client = sealed.test.client().await;
    client.batch_execute(UNLOCK).await.unwrap();
    client
        .batch_execute("create table kept as select * from events")
        .await
        .unwrap();
    for edit in [
        "aggregate_type = 'order'",
        "aggregate_id = gen_random_uuid()",
        "sequence = 99",
        "event_type = 'Discounted'",
        "event_version = '2'",
        r#"payload = '{"by": 2}'"#,
        r#"payload = '{"by": 1.0}'"#,
        r#"metadata = '{"actor": "nobody"}'"#,
        "recorded_at = recorded_at + interval '1 microsecond'",
        "recorded_at = 'infinity'",
    ] {
        let sql = format!("update events set {edit} where position = 7");
        client.batch_execute(&sql).await.unwrap();
        assert_eq!(
            found(&sealed.verify().await),
            [(Kind::EventChanged, 7, 7)],
            "{edit}"
        );
        client
            .batch_execute("delete from events where position = 7; insert into events select * from kept where position = 7")
            .await
            .unwrap();
    }
    client
        .batch_execute("alter table events alter payload drop not null; update events set payload = null where position = 7")
        .await
        .unwrap();
    assert_eq!(found(&sealed.verify().await), [(Kind::EventChanged, 7, 7)]);
    // With the marks gone, too, it is found all the same, but not where.
    client
        .batch_execute(
            r#"update events set payload = '{"by": 2}' where position = 7; update log_seals set leaf_marks = ''"#,
        )
        .await
        .unwrap();
    assert_eq!(found(&sealed.verify().await), [(Kind::EventChanged, 6, 9)]);
}

#[tokio::test]
async fn deleted_swapped_and_inserted_events_are_found() {
    let sealed = Sealed::three().await;
    sealed
        .tamper(
            "update events set position = 1000 where position = 3; update events set position = 3 where position = 12;
             update events set position = 12 where position = 1000",
        )
        .await;
    let swapped = [(Kind::EventChanged, 3, 3), (Kind::EventChanged, 12, 12)];
    assert_eq!(found(&sealed.verify().await), swapped);

    let sealed = Sealed::three().await;
    sealed
        .tamper("delete from events where position in (8, 17)")
        .await;
    let deleted = [(Kind::EventMissing, 8, 8), (Kind::EventMissing, 17, 17)];
    assert_eq!(found(&sealed.verify().await), deleted);

    // Inserted: as a second one, outside the log, and by moving all that follow.
    let sealed = Sealed::three().await;
    let copy = |position: &str| {
        format!(
            "insert into events select {position}, aggregate_type, gen_random_uuid(), sequence, event_type,
             event_version, payload, metadata, recorded_at from events where position = 7"
        )
    };
    sealed
        .tamper(&format!(
            "alter table events drop constraint events_pkey; alter table events drop constraint events_position_check;
             {}; {}; {}",
            copy("7"),
            copy("-2"),
            copy("30")
        ))
        .await;
    let inserted = found(&sealed.verify().await);
    for expected in [
        (Kind::EventAdded, 7, 7),
        (Kind::EventAdded, -2, 0),
        (Kind::EventAdded, 18, 30),
    ] {
        assert!(inserted.contains(&expected), "{inserted:?}");
    }

    let sealed = Sealed::three().await;
    sealed
        .tamper(&format!(
            "update events set position = position + 1000 where position >= 14;
             update events set position = position - 999 where position >= 1014; {};
             update log_head set position = 18",
            copy("14")
        ))
        .await;
    assert_eq!(found(&sealed.verify().await), [(Kind::EventChanged, 14, 16)]);
}

#[tokio::test]
async fn a_truncated_tail_is_found_because_the_file_knows_more() {
    let sealed = Sealed::three().await;
    sealed
        .tamper(
            "delete from events where position > 8; update log_head set position = 8;
             delete from log_seals where last_position > 8",
        )
        .await;
    let report = sealed.verify().await;
    let expected = [
        (Kind::SealMissing, 6, 9),
        (Kind::TailTruncated, 9, 9),
        // With the seal went the marks.
        (Kind::EventUnproven, 6, 8),
        (Kind::SealMissing, 10, 16),
        (Kind::TailTruncated, 10, 16),
    ];
    assert_eq!(found(&report), expected, "{report}");
    // Nobody seals on top of it, and the file is left alone.
    let before = sealed.lines();
    let refused = sealed.sealer().seal().await.unwrap_err();
    assert!(matches!(refused, Error::Contradiction(_)), "{refused}");
    assert_eq!(sealed.lines(), before);
}

#[tokio::test]
async fn changed_and_removed_seals_are_found() {
    for (sql, expected) in [
        (
            "update log_seals set sealed_at = sealed_at - interval '1 s' where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "update log_seals set merkle_root = sha256('') where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "update log_seals set epoch = gen_random_uuid() where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "update log_seals set previous_seal_hash = sha256('') where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "update log_seals set signature = sha512('') where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "update log_seals set last_position = 8 where first_position = 6",
            Kind::SealChanged,
        ),
        (
            "delete from log_seals where first_position = 6",
            Kind::SealMissing,
        ),
    ] {
        let sealed = Sealed::three().await;
        sealed.tamper(sql).await;
        assert_eq!(found(&sealed.verify().await), [(expected, 6, 9)], "{sql}");
        let refused = sealed.sealer().seal().await.unwrap_err();
        assert!(matches!(refused, Error::Contradiction(_)), "{sql}: {refused}");
    }
    let sealed = Sealed::three().await;
    let lines = sealed.lines();
    sealed.write(&[lines[0].as_str(), &lines[2]].concat());
    assert_eq!(found(&sealed.verify().await), [(Kind::SealMissing, 6, 9)]);
    let garbled = lines[1].replace("first", "frist");
    sealed.write(&[lines[0].as_str(), &garbled, &lines[2]].concat());
    assert_eq!(
        found(&sealed.verify().await),
        [(Kind::SealMissing, 6, 9), (Kind::FileDamaged, 5, 5)]
    );
}

#[tokio::test]
async fn seals_changed_in_both_places_are_forged_and_break_the_chain() {
    let sealed = Sealed::three().await;
    let lines = sealed.lines();
    sealed
        .tamper("delete from log_seals where first_position = 6")
        .await;
    sealed.write(&[lines[0].as_str(), &lines[2]].concat());
    assert_eq!(found(&sealed.verify().await), [(Kind::ChainBroken, 6, 9)]);

    // Sealed anew by somebody with another key, over an event that they changed.
    let sealed = Sealed::three().await;
    sealed
        .tamper("update events set payload = '{}' where position = 12; delete from log_seals where first_position = 10")
        .await;
    sealed.write(&lines_up_to(&sealed, 2));
    let other = SealerOptions {
        key: Arc::new(SealKey::from_pkcs8(&SealKey::generate().unwrap()).unwrap()),
        file: sealed.file.clone(),
        interval: Duration::from_secs(1),
    };
    let other_key = other.key.public_key();
    Sealer::new(pool(&sealed.test.url), other).seal().await.unwrap();
    assert_eq!(found(&sealed.verify().await), [(Kind::SealForged, 10, 17)]);
    // A key that is known beside the first, as after a change of keys, is as good.
    assert!(
        sealed
            .verify_with(&[sealed.key.public_key(), other_key])
            .await
            .is_clean()
    );
    assert_eq!(
        found(&sealed.verify_with(&[other_key]).await)[0],
        (Kind::SealForged, 1, 9)
    );
}

fn lines_up_to(sealed: &Sealed, count: usize) -> String {
    sealed.lines()[..count].concat()
}

#[tokio::test]
async fn a_crash_between_table_and_file_is_repaired_from_the_table() {
    let sealed = Sealed::three().await;
    let whole = sealed.lines().concat();
    let third = whole.len() - sealed.lines()[2].len();
    // Before the first byte, within the line, before its end, and before everything.
    for length in [third, third + 10, whole.len() - 1, 0] {
        sealed.write(&whole[..length]);
        let report = sealed.verify().await;
        assert!(
            report.is_clean() && !report.notes.is_empty(),
            "{length}: {report}"
        );
        assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(17));
        assert!(sealed.lines().concat().starts_with(&whole), "{length}");
        assert_eq!(sealed.lines().len(), 4);
        assert!(sealed.verify().await.is_clean());
    }
}

#[tokio::test]
async fn a_file_that_contradicts_the_table_is_never_overwritten() {
    let sealed = Sealed::three().await;
    let whole = sealed.lines().concat();
    let ahead = whole.clone() + &sealed.lines()[2];
    let other = whole.replacen("\"last\":5", "\"last\":6", 1);
    for wrong in [ahead, other, "{}\n".into()] {
        sealed.write(&wrong);
        let refused = sealed.sealer().seal().await.unwrap_err();
        assert!(matches!(refused, Error::Contradiction(_)), "{refused}");
        assert_eq!(std::fs::read_to_string(&sealed.file).unwrap(), wrong);
        assert!(!sealed.verify().await.is_clean());
    }
    // Also under a sealer that knew it: emptied while it works.
    sealed.write(&whole);
    let mut working = sealed.sealer();
    working.seal().await.unwrap();
    sealed.write("");
    let refused = working.seal().await.unwrap_err();
    assert!(matches!(refused, Error::Contradiction(_)), "{refused}");
}

#[tokio::test]
async fn two_sealers_at_once_make_one_chain_and_a_third_goes_on() {
    let sealed = Sealed::empty().await;
    let end = CancellationToken::new();
    let running = [sealed.sealer(), sealed.sealer()].map(|sealer| tokio::spawn(sealer.run(end.clone())));
    for last in (10..=200).step_by(10) {
        sealed.append_up_to(last).await;
    }
    eventually("everything is sealed", async || {
        (sealed.verify().await.sealed == 200).then_some(())
    })
    .await;
    end.cancel();
    for sealer in running {
        sealer.await.unwrap();
    }
    sealed.append_up_to(205).await;
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(205));
    let report = sealed.verify().await;
    assert!(report.is_clean() && report.notes.is_empty(), "{report}");
    assert_eq!(report.seals, sealed.lines().len() as u64);
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_sealed() {
    let sealed = Sealed::three().await;
    sealed.append_up_to(20).await;
    sealed.tamper("delete from events where position = 18").await;
    let refused = sealed.sealer().seal().await.unwrap_err();
    assert!(refused.to_string().contains("position 18 is due"), "{refused}");
    assert_eq!(sealed.lines().len(), 3);
}

#[tokio::test]
async fn seals_are_final_and_sealing_holds_nobody_up() {
    let sealed = Sealed::three().await;
    let client = sealed.test.client().await;
    let refused = client.execute("delete from log_seals", &[]).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("append-only"));
    // Somebody holds the head's lock: appends wait, the sealer does not.
    client
        .batch_execute("begin; select position from log_head for update")
        .await
        .unwrap();
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(17));
    client.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn every_event_can_be_proven_and_nothing_else() {
    let sealed = Sealed::three().await;
    let (pool, keys) = (pool(&sealed.test.url), [sealed.key.public_key()]);
    for position in 1..=16 {
        let proof = prove(&pool, position).await.unwrap();
        // As it travels.
        let proof: Proof = serde_json::from_str(&serde_json::to_string(&proof).unwrap()).unwrap();
        proof.check(&keys).unwrap();
        let altered = |alter: &dyn Fn(&mut Proof)| {
            let mut altered = proof.clone();
            alter(&mut altered);
            assert!(altered.check(&keys).is_err(), "{altered:?}");
        };
        altered(&|proof| proof.leaf.payload = r#"{"by": 2}"#.into());
        altered(&|proof| proof.leaf.position += 1);
        altered(&|proof| proof.leaf.sequence += 1);
        altered(&|proof| proof.leaf.recorded_at_micros -= 1);
        altered(&|proof| proof.path.truncate(proof.path.len() - 1));
        altered(&|proof| proof.path.push("00".repeat(32)));
        altered(&|proof| proof.path[0] = "zz".into());
        altered(&|proof| proof.seal.first -= 1);
        altered(&|proof| proof.seal.last = i64::MAX);
        altered(&|proof| proof.seal.merkle_root[0] ^= 1);
        altered(&|proof| proof.seal.signature[0] ^= 1);
        let stranger = SealKey::from_pkcs8(&SealKey::generate().unwrap()).unwrap();
        assert!(proof.check(&[stranger.public_key()]).is_err());
    }
    for position in [0, 17, 18] {
        let refused = prove(&pool, position).await.unwrap_err();
        assert!(matches!(refused, Error::NotSealed(_)), "{refused}");
    }
}
