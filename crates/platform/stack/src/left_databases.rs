//! Databases of tests that have ended. Each test has two, and a run has more than a thousand tests: all of them together would
//! need more disk than some machines have.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use crate::databases::{DROP_DATABASES, OF_PROCESS, connect, run_generated};

/// How often they are looked for.
const EVERY: Duration = Duration::from_secs(10);

/// Drops them again and again, on a server of this machine.
pub(crate) async fn drop_for_ever(admin_url: &str) -> Infallible {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        // Only disk is at stake, and the next attempt comes soon.
        let _ = drop_once(admin_url).await;
    }
}

/// Drops those whose process has ended.
async fn drop_once(admin_url: &str) -> anyhow::Result<()> {
    let admin = connect(admin_url).await?;
    let noted = include_str!("sql/list_noted_databases.sql");
    let noted = admin.query(noted, &[&format!("{OF_PROCESS}%")]).await?;
    let mut left: Vec<&str> = Vec::new();
    for row in &noted {
        let (name, note): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let process = note.strip_prefix(OF_PROCESS);
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            left.push(name);
        }
    }
    run_generated(&admin, DROP_DATABASES, &[&left]).await
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::drop_once;
    use crate::databases::{Databases, OF_PROCESS, connect};

    #[tokio::test]
    async fn databases_of_a_process_that_ended_are_dropped_and_ours_are_not() {
        let servers = crate::shared().await.unwrap();
        let admin_url = servers.postgres().url();
        let [ours, left] = [
            Databases::fresh(admin_url).await.unwrap(),
            Databases::fresh(admin_url).await.unwrap(),
        ];
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let client = connect(&left.read_owner).await.unwrap();
        let name = "select current_database()::text";
        let name: String = client.query_one(name, &[]).await.unwrap().get(0);
        let admin = connect(admin_url).await.unwrap();
        let note = format!("comment on database {name} is '{OF_PROCESS}{}'", ended.id());
        admin.batch_execute(&note).await.unwrap();
        drop_once(admin_url).await.unwrap();
        assert!(connect(&left.read_owner).await.is_err(), "it is dropped");
        for url in [&ours.read_owner, &ours.events_owner, &left.events_owner] {
            connect(url).await.unwrap();
        }
        ours.drop().await.unwrap();
        left.drop().await.unwrap();
    }
}
