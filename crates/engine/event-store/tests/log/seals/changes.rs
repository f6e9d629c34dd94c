//! Whatever is changed behind the seals is found, and where it is.

use std::sync::Arc;
use std::time::Duration;

use envelope::Position;
use event_store::AppenderOptions;
use event_store::seal::{Error, Kind, SealKey, Sealer, SealerOptions};
use uuid::Uuid;

use super::{Sealed, UNLOCK, found};
use crate::support::{append, key, pool};

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
        "aggregate_type = 'meter'",
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
    // No sealer seals on top of it, and the file stays unchanged.
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

    // Sealed again with another key, over an event that was changed.
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
    // With both keys known, as after a change of keys, it is valid.
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

/// A log of before the payload was kept as written: what PostgreSQL printed stays, and so do seals and loads.
#[tokio::test]
async fn seals_outlive_the_change_from_parsed_to_written_json() {
    let sealed = Sealed::empty().await;
    let rows = r#"insert into events
        select n, 'counter', gen_random_uuid(), 1, 'Counted', '1', '{"by":1,"a":"\u00e6"}'::jsonb::text, '{"actor": "x"}', now()
        from generate_series(1, 20) n; update log_head set position = 20"#;
    sealed.tamper(rows).await;
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(20));
    let parse = "alter table events alter column payload type jsonb using payload::jsonb,
                                    alter column metadata type jsonb using metadata::jsonb";
    sealed.tamper(parse).await;
    sealed
        .tamper(include_str!("../../../src/migrations/V8__payload_as_written.sql"))
        .await;
    let report = sealed.verify().await;
    assert!(report.is_clean() && report.events == 20, "{report}");
    let appender = sealed.test.appender(AppenderOptions::default());
    for number in 0..5 {
        let append = append(key(number.to_string()), Uuid::now_v7(), 1);
        appender.append(append).await.unwrap();
    }
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(25));
    assert!(sealed.verify().await.is_clean());
    let kept = sealed.test.log.read_after(Position::new(24), 1).await.unwrap();
    assert_eq!(kept[0].payload.get(), r#"{"by":1}"#, "as it was written");
}
