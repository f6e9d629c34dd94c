//! The server goes away under load: no acknowledged command is lost or doubled, and nothing needs repair.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use envelope::{Position, RecordedEvent};
use event_store::{
    AppendError, Appender, AppenderOptions, CommandHandler, Error, Loader, LoaderOptions, Log,
};
use futures_util::future::join_all;
use stack::Postgres;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::support::{Counter, TestLog, append, eventually, key, pool};

const WRITERS: usize = 24;

/// The answers that writers got.
#[derive(Default)]
struct Told {
    stop: AtomicBool,
    accepted: Mutex<HashMap<String, Position>>,
}

impl Told {
    fn count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    /// Waits until that many more commands were accepted.
    async fn more(&self, commands: usize) {
        let goal = self.count() + commands;
        eventually("more commands are accepted", async || {
            (self.count() >= goal).then_some(())
        })
        .await;
    }
}

/// Sends one command after the other, each until it is accepted.
async fn writer(appender: Appender, told: &Told) {
    while !told.stop.load(Ordering::Relaxed) {
        let name = Uuid::now_v7().to_string();
        let command = append(key(&name), Uuid::now_v7(), 1);
        loop {
            match appender.append(command.clone()).await {
                Ok(accepted) => {
                    told.accepted.lock().unwrap().insert(name, accepted.position);
                    break;
                }
                Err(AppendError::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Runs writers while `trouble` happens.
async fn under_load(appenders: &[Appender], told: &Told, trouble: impl Future<Output = ()>) {
    let writers = join_all((0..WRITERS).map(|n| writer(appenders[n % appenders.len()].clone(), told)));
    let trouble = async {
        trouble.await;
        told.stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(writers, trouble);
}

/// Every accepted command is at its position, once, and nothing else is in the log.
async fn assert_exactly_what_was_told(log: &Log, told: &Told) {
    let events: Vec<RecordedEvent> = log.read_after(Position::START, 1_000_000).await.unwrap();
    let mut accepted = told.accepted.lock().unwrap().clone();
    for event in &events {
        let name = event.metadata.request_id.as_ref().unwrap();
        assert_eq!(
            accepted.remove(name),
            Some(event.position),
            "{event:?} is doubled or was told otherwise"
        );
    }
    assert!(accepted.is_empty(), "lost: {accepted:?}");
    assert_eq!(log.head().await.unwrap().position.get(), events.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_and_crashes_of_the_server_lose_nothing() {
    let postgres = Postgres::temporary(&[]).await.unwrap();
    let test = TestLog::on(&postgres).await;
    let appenders = [
        test.appender(AppenderOptions::default()),
        test.appender(AppenderOptions::default()),
    ];
    let told = Told::default();
    let trouble = async {
        told.more(100).await;
        postgres.server().restart().await.unwrap();
        told.more(100).await;
        postgres.server().kill().await.unwrap();
        postgres.server().start().await.unwrap();
        told.more(100).await;
    };
    under_load(&appenders, &told, trouble).await;
    assert_exactly_what_was_told(&test.log, &told).await;
    postgres.server().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_has_everything_and_writers_find_it_by_themselves() {
    let primary = Postgres::temporary(&[]).await.unwrap();
    let test = TestLog::on(&primary).await;
    let standby = primary.standby(&[]).await.unwrap();
    let admin = primary.admin().await.unwrap();
    admin
        .batch_execute("alter system set synchronous_standby_names = '*'")
        .await
        .unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    eventually("the standby is synchronous", async || {
        let following = "select from pg_stat_replication where sync_state = 'sync'";
        admin.query_opt(following, &[]).await.unwrap()
    })
    .await;

    let url = both(&test.url, &primary, &standby);
    let appenders = [(); 2].map(|()| Appender::start(&url, AppenderOptions::default()).unwrap().0);
    let loader = Loader::start(&url, LoaderOptions::default()).unwrap();
    let command_handler = CommandHandler::new(Log::new(pool(&url)), loader, appenders[0].clone());
    let known = Uuid::now_v7();
    let told = Told::default();
    let first = appenders[0].append(append(key("first"), known, 1)).await.unwrap();
    told.accepted
        .lock()
        .unwrap()
        .insert("first".into(), first.position);
    command_handler.load::<Counter>(known).await.unwrap();

    let trouble = async {
        told.more(200).await;
        primary.server().kill().await.unwrap();
        standby.promote().await.unwrap();
        told.more(200).await;
    };
    under_load(&appenders, &told, trouble).await;
    assert_exactly_what_was_told(&Log::new(pool(&url)), &told).await;
    assert_eq!(
        command_handler
            .load::<Counter>(known)
            .await
            .unwrap()
            .aggregate
            .total,
        1
    );
    standby.server().stop().await.unwrap();
}

/// The URL that names both servers and asks for the one that accepts writes.
fn both(url: &str, primary: &Postgres, standby: &Postgres) -> String {
    let address = |postgres: &Postgres| {
        let url = postgres.server().url();
        let host = url.rsplit('@').next().and_then(|rest| rest.split('/').next());
        host.unwrap().to_owned()
    };
    let (first, second) = (address(primary), address(standby));
    let hosts = url.replace(&first, &format!("{first},{second}"));
    format!("{hosts}?target_session_attrs=read-write")
}

#[tokio::test]
async fn a_server_that_only_reads_is_unavailable_and_no_commands_fault() {
    let test = TestLog::new().await;
    let options = AppenderOptions {
        give_up_after: Duration::from_millis(400),
        ..AppenderOptions::default()
    };
    let appender = test.appender(options);
    let client = test.client().await;
    let name: String = client
        .query_one("select current_database()", &[])
        .await
        .unwrap()
        .get(0);
    client
        .batch_execute(&format!(
            "alter database {name} set default_transaction_read_only = on"
        ))
        .await
        .unwrap();
    let command = append(key("k"), Uuid::now_v7(), 1);
    let refused = appender.append(command.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Unavailable(why) if why.contains("25006")),
        "{refused}"
    );
    client
        .batch_execute(&format!(
            "alter database {name} reset default_transaction_read_only"
        ))
        .await
        .unwrap();
    // The writer made a new connection: nothing of the old one is left that would keep it from writing.
    assert_eq!(appender.append(command).await.unwrap().position, Position::new(1));
}

#[tokio::test]
async fn too_many_connections_are_bounded_errors_and_pass() {
    let postgres = Postgres::temporary(&[("max_connections", "20")]).await.unwrap();
    let test = TestLog::on(&postgres).await;
    let mut taken: Vec<Client> = Vec::new();
    let full = loop {
        match tokio_postgres::connect(&test.url, NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                taken.push(client);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(full.code().unwrap().code(), "53300");
    let appender = test.appender(AppenderOptions {
        give_up_after: Duration::from_millis(400),
        ..AppenderOptions::default()
    });
    let loader = test.loader(LoaderOptions {
        give_up_after: Duration::from_millis(400),
        ..LoaderOptions::default()
    });
    let command_handler = CommandHandler::new(test.log.clone(), loader, appender.clone());
    let command = append(key("k"), Uuid::now_v7(), 1);
    let refused = appender.append(command.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Unavailable(why) if why.contains("53300")),
        "{refused}"
    );
    let unread = command_handler.load::<Counter>(Uuid::now_v7()).await.unwrap_err();
    assert!(
        matches!(&unread, Error::Unavailable(why) if why.contains("53300")),
        "{unread}"
    );
    let unread = test.log.head().await.unwrap_err();
    assert!(
        matches!(&unread, Error::Unavailable(why) if why.contains("53300")),
        "{unread}"
    );
    taken.clear();
    let accepted = eventually("there is room again", async || {
        appender.append(command.clone()).await.ok()
    })
    .await;
    assert_eq!((accepted.position, accepted.replayed), (Position::new(1), false));
    command_handler.load::<Counter>(Uuid::now_v7()).await.unwrap();
    postgres.server().stop().await.unwrap();
}
