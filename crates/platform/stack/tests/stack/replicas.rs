//! Streaming replicas: they have what the primary has, also after they or all servers were away.

use ::connect::Database;
use stack::{Server, Servers};
use tokio_postgres::Client;

use crate::support::{eventually, processes_in};

async fn session(server: &Server) -> Client {
    let database = Database::parse(server.url()).unwrap();
    let (client, connection) = Box::pin(database.connect()).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Writes a number at the primary, and waits until it is at a replica.
async fn arrives(primary: &Client, replica: &Server, number: i32) {
    let insert = "insert into kept values ($1)";
    primary.execute(insert, &[&number]).await.unwrap();
    let replica = session(replica).await;
    eventually(async || {
        let found = replica.query("select from kept where n = $1", &[&number]).await;
        found.is_ok_and(|rows| rows.len() == 1).then_some(())
    })
    .await;
    let refused = replica.execute(insert, &[&number]).await;
    assert!(refused.is_err(), "a replica takes no writes");
}

#[tokio::test]
async fn replicas_follow_the_primary_by_tls_and_catch_up_when_they_were_away() {
    let servers = Servers::temporary_with(true, 2).await.unwrap();
    let replicas: Vec<&Server> = servers.replicas().collect();
    assert_eq!(replicas.len(), 2);
    let primary = session(servers.postgres()).await;
    primary.batch_execute("create table kept (n int)").await.unwrap();
    arrives(&primary, replicas[0], 1).await;
    arrives(&primary, replicas[1], 2).await;
    replicas[0].kill().await.unwrap();
    primary.execute("insert into kept values (3)", &[]).await.unwrap();
    replicas[0].start().await.unwrap();
    arrives(&primary, replicas[0], 4).await;
    let data = replicas[0].data_dir().unwrap().to_owned();
    servers.stop().await;
    assert_eq!(processes_in(data.parent().unwrap()), Vec::<u32>::new());
}
