//! The rights of each role in the databases.

use stack::{Databases, shared};
use tokio_postgres::error::SqlState;

use crate::support::connect;

const FORBIDDEN: Option<&SqlState> = Some(&SqlState::INSUFFICIENT_PRIVILEGE);

async fn fresh() -> Databases {
    let servers = shared().await.unwrap();
    Databases::fresh(servers.postgres().url()).await.unwrap()
}

async fn refusal(url: &str, statement: &str) -> Option<SqlState> {
    connect(url)
        .await
        .batch_execute(statement)
        .await
        .err()
        .and_then(|error| error.code().cloned())
}

#[tokio::test]
async fn projector_reads_events_and_cannot_write_them() {
    let databases = fresh().await;
    let owner = connect(&databases.events_owner).await;
    owner
        .batch_execute("create table events (n int); insert into events values (1)")
        .await
        .unwrap();
    let reader = connect(&databases.events_reader).await;
    assert_eq!(reader.query("select n from events", &[]).await.unwrap().len(), 1);
    for statement in [
        "insert into events values (2)",
        "update events set n = 2",
        "delete from events",
        "create table mine (n int)",
    ] {
        let refused = refusal(&databases.events_reader, statement).await;
        assert_eq!(refused.as_ref(), FORBIDDEN, "{statement}");
    }
    databases.drop().await.unwrap();
}

#[tokio::test]
async fn query_api_reads_the_read_model_and_cannot_write_it() {
    let databases = fresh().await;
    let owner = connect(&databases.read_owner).await;
    owner
        .batch_execute("create table orders (n int); insert into orders values (1)")
        .await
        .unwrap();
    let reader = connect(&databases.read_reader).await;
    assert_eq!(reader.query("select n from orders", &[]).await.unwrap().len(), 1);
    for statement in [
        "insert into orders values (2)",
        "update orders set n = 2",
        "delete from orders",
        "truncate orders",
        "create table mine (n int)",
        "create temporary table mine (n int)",
    ] {
        let refused = refusal(&databases.read_reader, statement).await;
        assert_eq!(refused.as_ref(), FORBIDDEN, "{statement}");
    }
    databases.drop().await.unwrap();
}

#[tokio::test]
async fn query_api_cannot_connect_to_the_events() {
    let databases = fresh().await;
    let (read, events) = (
        database(&databases.read_reader),
        database(&databases.events_owner),
    );
    let url = databases.read_reader.replace(read, events);
    let refused = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err();
    assert_eq!(refused.unwrap().code(), FORBIDDEN);
    databases.drop().await.unwrap();
}

#[tokio::test]
async fn many_tests_may_create_their_databases_at_once() {
    let servers = shared().await.unwrap();
    let admin = servers.postgres().url();
    let all = futures_util::future::join_all((0..8).map(|_| Databases::fresh(admin))).await;
    let mut names = std::collections::HashSet::new();
    for databases in all {
        let databases = databases.unwrap();
        let reader = connect(&databases.read_reader).await;
        let name: String = reader
            .query_one("select current_database()::text", &[])
            .await
            .unwrap()
            .get(0);
        names.insert(name);
        databases.drop().await.unwrap();
    }
    assert_eq!(names.len(), 8);
}

#[tokio::test]
async fn dropped_databases_are_gone_even_when_someone_is_connected() {
    let databases = fresh().await;
    let _session = connect(&databases.events_owner).await;
    databases.drop().await.unwrap();
    let gone = tokio_postgres::connect(&databases.events_owner, tokio_postgres::NoTls)
        .await
        .err()
        .unwrap();
    assert_eq!(gone.code(), Some(&SqlState::UNDEFINED_DATABASE));
}

#[tokio::test]
async fn opening_keeps_what_is_there() {
    let servers = shared().await.unwrap();
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let first = Databases::open_or_create(servers.postgres().url(), &suffix)
        .await
        .unwrap();
    connect(&first.events_owner)
        .await
        .batch_execute("create table events (n int)")
        .await
        .unwrap();
    let second = Databases::open_or_create(servers.postgres().url(), &suffix)
        .await
        .unwrap();
    let rows = connect(&second.events_reader)
        .await
        .query("select n from events", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 0);
    second.drop().await.unwrap();
}

fn database(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}
