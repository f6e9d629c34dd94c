//! Real servers: killed, frozen, restarted, stopped.

use std::path::PathBuf;

use async_nats::{ConnectOptions, jetstream};
use stack::{Databases, Servers, shared};

use crate::support::{connect, eventually, processes_in, redis, state_of};

#[tokio::test]
async fn killed_servers_keep_their_data_and_their_ports() {
    let servers = Servers::temporary().await.unwrap();

    let sql = connect(servers.postgres().url()).await;
    sql.batch_execute("create table kept (n int); insert into kept values (7)")
        .await
        .unwrap();
    let password = servers.nats_logins().unwrap().password("administrator").unwrap();
    let nats = ConnectOptions::with_user_and_password("administrator".into(), password);
    let nats = jetstream::new(nats.connect(servers.nats().url()).await.unwrap());
    let stream = nats.create_stream("KEPT").await.unwrap();
    nats.publish("KEPT", "seven".into()).await.unwrap().await.unwrap();
    assert_eq!(redis(servers.redis().url(), "SET kept 7").await, "+OK");

    for server in servers.all() {
        let before = server.pid().unwrap();
        server.kill().await.unwrap();
        assert_eq!(server.pid(), None);
        server.restart().await.unwrap();
        assert_ne!(server.pid().unwrap(), before);
    }

    let sql = connect(servers.postgres().url()).await;
    let kept: i32 = sql.query_one("select n from kept", &[]).await.unwrap().get(0);
    assert_eq!(kept, 7);
    // The client reconnects by itself, to the same port.
    let mut stream = stream;
    let messages = eventually(async || stream.info().await.ok().map(|info| info.state.messages)).await;
    assert_eq!(messages, 1);
    assert_eq!(redis(servers.redis().url(), "GET kept").await, "$1\r\n7");
    servers.stop().await;
}

#[tokio::test]
async fn killed_postgres_leaves_no_backend_behind() {
    let servers = Servers::temporary().await.unwrap();
    let _session = connect(servers.postgres().url()).await;
    let data = servers.postgres().data_dir().unwrap().to_owned();
    assert!(processes_in(&data).len() > 1);
    servers.postgres().kill().await.unwrap();
    assert_eq!(processes_in(&data), Vec::<u32>::new());
    servers.stop().await;
}

#[tokio::test]
async fn paused_server_stands_still_with_all_its_children_and_goes_on_after() {
    let servers = Servers::temporary().await.unwrap();
    let session = connect(servers.postgres().url()).await;
    for server in servers.all() {
        server.pause().unwrap();
        eventually(async || (state_of(server.pid().unwrap()) == 'T').then_some(())).await;
    }
    let backends = processes_in(servers.postgres().data_dir().unwrap());
    assert!(backends.len() > 1);
    eventually(async || backends.iter().all(|pid| state_of(*pid) == 'T').then_some(())).await;

    for server in servers.all() {
        server.resume().unwrap();
        server.wait_ready().await.unwrap();
    }
    let one: i32 = session.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1, "the connection survived the pause");
    servers.stop().await;
}

#[tokio::test]
async fn stopping_a_paused_server_works() {
    let servers = Servers::temporary().await.unwrap();
    servers.postgres().pause().unwrap();
    servers.nats().pause().unwrap();
    servers.stop().await;
    assert_eq!(servers.all().map(stack::Server::pid), [None, None, None]);
}

/// As when a test fails while it has a server paused.
#[tokio::test]
async fn dropped_servers_leave_no_process_even_when_they_are_paused() {
    let servers = Servers::temporary().await.unwrap();
    let _session = connect(servers.postgres().url()).await;
    let data = data_of_all(&servers);
    for server in servers.all() {
        server.pause().unwrap();
    }
    assert!(processes_in(&data).len() > 3);
    drop(servers);
    eventually(async || processes_in(&data).is_empty().then_some(())).await;
}

#[tokio::test]
async fn stopped_servers_leave_no_process_and_no_file() {
    let servers = Servers::temporary().await.unwrap();
    let data = data_of_all(&servers);
    assert!(processes_in(&data).len() > 3);
    servers.stop().await;
    assert_eq!(processes_in(&data), Vec::<u32>::new());
    drop(servers);
    assert!(!data.exists());
}

#[tokio::test]
async fn two_sets_of_servers_run_side_by_side() {
    let (one, two) = tokio::join!(Servers::temporary(), Servers::temporary());
    let (one, two) = (one.unwrap(), two.unwrap());
    for (one, two) in one.all().into_iter().zip(two.all()) {
        assert_ne!(one.url(), two.url());
    }
    one.stop().await;
    for server in two.all() {
        server.wait_ready().await.unwrap();
        assert!(server.pid().is_some());
    }
    two.stop().await;
}

#[tokio::test]
async fn only_loopback_is_listened_on_and_a_password_is_needed() {
    let servers = shared().await.unwrap();
    let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
    let listening: String = connect(servers.postgres().url())
        .await
        .query_one("show listen_addresses", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(listening, "127.0.0.1");
    let wrong = databases.read_reader.replacen("query_api:", "query_api:x", 1);
    assert!(
        tokio_postgres::connect(&wrong, tokio_postgres::NoTls)
            .await
            .is_err()
    );
    databases.drop().await.unwrap();
}

#[tokio::test]
async fn lock_file_that_names_a_living_stranger_does_not_keep_postgres_down() {
    let (servers, other) = tokio::join!(Servers::temporary(), Servers::temporary());
    let (servers, other) = (servers.unwrap(), other.unwrap());
    servers.postgres().kill().await.unwrap();
    // The file stays after a kill, and its pid may belong to another process of the same user by now.
    let lock = servers.postgres().data_dir().unwrap().join("postmaster.pid");
    let text = std::fs::read_to_string(&lock).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    std::fs::write(&lock, format!("{}\n{rest}", other.postgres().pid().unwrap())).unwrap();
    servers.postgres().start().await.unwrap();
    assert!(servers.postgres().pid().is_some());
    tokio::join!(servers.stop(), other.stop());
}

/// The directory with the data of all three servers.
fn data_of_all(servers: &Servers) -> PathBuf {
    let of_one = servers.postgres().data_dir().unwrap();
    of_one.parent().unwrap().to_owned()
}
