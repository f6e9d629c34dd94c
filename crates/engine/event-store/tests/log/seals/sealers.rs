//! Sealers that crash, meet each other, or find something that is not theirs.

use envelope::Position;
use event_store::seal::Error;
use tokio_util::sync::CancellationToken;

use super::Sealed;
use crate::support::eventually;

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
    // While the head's lock is held, appends wait and the sealer does not.
    client
        .batch_execute("begin; select position from log_head for update")
        .await
        .unwrap();
    assert_eq!(sealed.sealer().seal().await.unwrap(), Position::new(17));
    client.batch_execute("rollback").await.unwrap();
}
