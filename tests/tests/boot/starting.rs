//! A program waits at start for a database that is down, and does not wait for a schema that it does not know.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::Value;
use stack::{Databases, Options, Process, shared};
use system_tests::{Shop, eventually};
use tokio_postgres::NoTls;

use crate::{Ended, run, settings};

#[tokio::test]
async fn servers_wait_for_what_is_not_up_yet() {
    let shop = Shop::open_private(Options::default()).await;
    let servers = [Process::CommandApi, Process::Projector, Process::QueryApi];
    for process in servers.into_iter().chain([Process::Nats, Process::Postgres]) {
        shop.system.stop_one(process).await.unwrap();
    }
    // As after a reboot, in the wrong order.
    let starting = join_all(servers.map(|process| shop.system.start_one(process)));
    let reasons = async {
        for (ops, check) in [
            (shop.system.command_ops_url(), "postgres"),
            (shop.system.query_ops_url(), "postgres"),
            (shop.system.projector_ops_url(), "postgres_read"),
        ] {
            eventually(&format!("{ops} says what it waits for"), async || {
                let answer = shop.http().get(format!("{ops}/health/ready")).send().await.ok()?;
                let refused = answer.status() == 503;
                let body: Value = answer.json().await.ok()?;
                let failing = body["checks"]
                    .as_array()?
                    .iter()
                    .any(|one| one["name"] == check && one["ok"] == false && one["reason"] != "starting");
                (refused && failing).then_some(())
            })
            .await;
        }
        shop.system.start_one(Process::Postgres).await.unwrap();
        shop.system.start_one(Process::Nats).await.unwrap();
    };
    let (started, ()) = tokio::join!(starting, reasons);
    for started in started {
        started.unwrap();
    }
    for process in servers {
        assert_eq!(
            shop.system.restarts(process).unwrap(),
            0,
            "{process} gave up while it waited"
        );
    }
    let placed = shop.place("late", &shop.order_of("late")).await.expect(201);
    shop.order_with_status(placed.text_at("/order_id"), "payment_pending")
        .await;
    shop.close().await;
}

#[tokio::test]
async fn migrating_twice_is_harmless() {
    let place = Workdir::new().await;
    for (program, variable, url) in place.migrations() {
        for applied in ["first", "second"] {
            let ended = place.migrate(program, variable, url).await;
            ended.well();
            let nothing = ended.output.contains("\"applied\":0");
            assert_eq!(
                nothing,
                applied == "second",
                "{program}, the {applied} time: {}",
                ended.output
            );
        }
    }
    place.databases.drop().await.unwrap();
}

#[tokio::test]
async fn empty_database_is_refused() {
    let place = Workdir::new().await;
    place
        .serve("command-api")
        .await
        .because("run `command-api migrate`");
    place.serve("query-api").await.because("run `projector migrate`");
    place.serve("projector").await.because("run `projector migrate`");
    place.databases.drop().await.unwrap();
}

#[tokio::test]
async fn database_of_a_newer_build_is_refused() {
    let place = Workdir::new().await;
    for (program, variable, url) in place.migrations() {
        place.migrate(program, variable, url).await.well();
    }
    for (url, table) in [
        (&place.databases.events_owner, "event_store_migrations"),
        (&place.databases.read_owner, "refinery_schema_history"),
    ] {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let later = format!(
            "insert into {table} (version, name, applied_on, checksum)
             select 9999, 'later', applied_on, checksum from {table} limit 1"
        );
        assert_eq!(client.execute(&later, &[]).await.unwrap(), 1);
    }
    place
        .serve("command-api")
        .await
        .because("the event database is at version 9999");
    place
        .serve("query-api")
        .await
        .because("the read database is at schema 9999");
    place
        .serve("projector")
        .await
        .because("the read database is at schema 9999");
    // Nor does an old `migrate` touch it.
    for (program, variable, url) in place.migrations() {
        let ended = place.migrate(program, variable, url).await;
        assert!(!ended.status.success(), "{program}: {}", ended.output);
    }
    place.databases.drop().await.unwrap();
}

/// A pair of empty databases.
struct Workdir {
    databases: Databases,
}

impl Workdir {
    async fn new() -> Self {
        let servers = shared().await.unwrap();
        let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
        Self { databases }
    }

    /// The migrations: program, variable, URL.
    fn migrations(&self) -> [(&'static str, &'static str, &str); 2] {
        [
            ("command-api", "EVENTS_DATABASE_URL", &self.databases.events_owner),
            ("projector", "READ_DATABASE_URL", &self.databases.read_owner),
        ]
    }

    /// Starts a server with settings that are all fine.
    async fn serve(&self, program: &str) -> Ended {
        let mut settings = settings::fine();
        settings.insert("EVENTS_DATABASE_URL", self.databases.events_owner.clone());
        settings.insert("READ_DATABASE_URL", self.databases.read_owner.clone());
        run(program, &["serve"], &settings).await
    }

    async fn migrate(&self, program: &str, variable: &'static str, url: &str) -> Ended {
        run(
            program,
            &["migrate"],
            &BTreeMap::from([(variable, url.to_owned())]),
        )
        .await
    }
}
