//! The follower finds every row that moved, once, in as many looks as it takes, through the indexes by position.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use query::Round as _;
use read_model::changes::{Follower, Step, statement};
use uuid::Uuid;

use crate::support::Database;

#[tokio::test]
async fn a_look_reads_the_rows_that_moved_and_no_others() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.batch_execute("set enable_seqscan = off").await?;
    let plan = database
        .client
        .query(&format!("explain (costs off) {}", with_values(statement())), &[])
        .await?;
    let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
    let plan = plan.join("\n");
    for table in [
        "orders",
        "licenses",
        "receipts",
        "letters",
        "suspensions",
        "batches",
        "users",
    ] {
        assert!(plan.contains(&format!("{table}_by_position")), "{table}:\n{plan}");
    }
    Ok(())
}

/// `explain` takes no binds of a statement that is not prepared.
fn with_values(statement: &str) -> String {
    let values = [("$1", "'licensing'"), ("$2", "10"), ("$3", "10"), ("$4", "1000")];
    values.iter().fold(statement.to_owned(), |text, (bind, value)| {
        text.replace(bind, value)
    })
}

#[tokio::test]
async fn every_row_that_moved_is_found_once_however_many_they_are() -> Result<()> {
    let database = Database::migrated().await?;
    database.checkpoint(10).await?;
    let steps = Arc::new(Mutex::new(Vec::new()));
    let handed = Arc::clone(&steps);
    let mut follower = Follower::new(move |step| handed.lock().unwrap().push(step));
    assert!(!follower.look(&database.client).await?);
    assert!(!follower.look(&database.client).await?);
    let first = std::mem::take(&mut *steps.lock().unwrap());
    assert!(
        matches!(&first[..], [Step::Began { reason: "first", .. }]),
        "{first:?}"
    );

    // Clubs of one position each, and users of which three share one.
    database
        .client
        .batch_execute(
            "insert into clubs (club_id, name, created_at, updated_at, version, position)
             select gen_random_uuid(), n::text, now(), now(), 1, 10 + n from generate_series(1, 2500) n;
             insert into users (user_id, club_ids, roles, created_at, updated_at, version, position)
             select gen_random_uuid(), '{}', '{staff}', now(), now(), 1, 11 + n / 3 from generate_series(0, 1499) n",
        )
        .await?;
    database.checkpoint(2510).await?;
    let mut looks = 1;
    while follower.look(&database.client).await? {
        looks += 1;
    }
    assert!(looks > 2, "{looks}");
    let mut found: BTreeMap<Uuid, &str> = BTreeMap::new();
    let (mut accounts, mut last) = (0, 10);
    for step in std::mem::take(&mut *steps.lock().unwrap()) {
        let Step::Moved {
            changes,
            accounts: users,
            through,
            place,
        } = step
        else {
            panic!("{step:?}");
        };
        accounts += users.len();
        for change in changes {
            assert!(last < change.position && change.position <= through, "{change:?}");
            assert_eq!(found.insert(change.id, change.of.name), None);
        }
        last = through;
        assert_eq!(place.is_some(), through == 2510);
    }
    assert_eq!((found.len(), accounts, last), (4000, 1500, 2510));

    // One event that changes more rows than a look takes.
    database
        .client
        .batch_execute("update clubs set position = 2511")
        .await?;
    database.checkpoint(2511).await?;
    assert!(!follower.look(&database.client).await?);
    let step = steps.lock().unwrap().pop();
    assert!(
        matches!(
            step,
            Some(Step::Began {
                reason: "too_many",
                ..
            })
        ),
        "{step:?}"
    );
    assert!(!follower.look(&database.client).await?);
    assert!(steps.lock().unwrap().is_empty());
    Ok(())
}
