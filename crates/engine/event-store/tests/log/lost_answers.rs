//! The commit succeeded and its answer was lost: the key decides.

use std::sync::Arc;

use envelope::Position;
use event_store::{
    Appender, AppenderOptions, Claim, Claims, CommandHandler, CommandRequest, LoaderOptions, Release,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use uuid::Uuid;

use crate::support::{Count, Counter, TestLog, append, eventually, key, owners};

/// Stands between the writer and the database. The first connection's answers pass until `swallow` is closed; then
/// they vanish, and the connection breaks when `release` is closed. Later connections are left alone.
struct Proxy {
    url: String,
    swallow: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

impl Proxy {
    async fn before(url: &str) -> Self {
        let config: Config = url.parse().unwrap();
        let [Host::Tcp(host)] = config.get_hosts() else {
            panic!("not a TCP address")
        };
        let port = config.get_ports()[0];
        let server = (host.clone(), port);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let (swallow, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let signals = (swallow.clone(), release.clone());
        tokio::spawn(async move {
            let (first, _) = listener.accept().await.unwrap();
            lossy(first, TcpStream::connect(&server).await.unwrap(), signals).await;
            while let Ok((mut client, _)) = listener.accept().await {
                let mut upstream = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
            }
        });
        Self {
            url: url.replace(&format!(":{port}"), &format!(":{here}")),
            swallow,
            release,
        }
    }
}

async fn lossy(client: TcpStream, server: TcpStream, (swallow, release): (Arc<Semaphore>, Arc<Semaphore>)) {
    let ((mut asks, mut hears), (mut answers, mut takes)) = (client.into_split(), server.into_split());
    let requests = tokio::spawn(async move { tokio::io::copy(&mut asks, &mut takes).await });
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            // Closing a semaphore wakes who waits for it.
            _ = release.acquire() => break,
            read = answers.read(&mut buffer) => {
                let count = read.unwrap();
                if !swallow.is_closed() {
                    hears.write_all(&buffer[..count]).await.unwrap();
                }
            }
        }
    }
    requests.abort();
}

#[tokio::test]
async fn a_lost_commit_answer_is_resolved_by_the_key() {
    let test = TestLog::new().await;
    let proxy = Proxy::before(&test.url).await;
    let (appender, _) = Appender::start(&proxy.url, AppenderOptions::default()).unwrap();
    let id = Uuid::now_v7();
    appender.append(append(key("warm"), id, 1)).await.unwrap();

    proxy.swallow.close();
    let in_doubt = tokio::spawn({
        let appender = appender.clone();
        async move { appender.append(append(key("in doubt"), id, 2)).await }
    });
    eventually("the database commits", async || {
        (test.log.head().await.unwrap().position == Position::new(2)).then_some(())
    })
    .await;
    proxy.release.close();

    let answer = in_doubt.await.unwrap().unwrap();
    assert_eq!(
        (answer.position, answer.replayed),
        (Position::new(2), false),
        "it was this very command"
    );
    assert_eq!(
        test.log.head().await.unwrap().position,
        Position::new(2),
        "and it happened once"
    );
    let again = appender.append(append(key("in doubt"), id, 2)).await.unwrap();
    assert_eq!((again.position, again.replayed), (Position::new(2), true));
}

/// The command that is sent again finds its own claims held, and that is no refusal.
#[tokio::test]
async fn a_lost_answer_to_a_command_with_claims_is_resolved_by_the_key() {
    let test = TestLog::new().await;
    let proxy = Proxy::before(&test.url).await;
    let (appender, _) = Appender::start(&proxy.url, AppenderOptions::default()).unwrap();
    let (first, next) = (Uuid::now_v7(), Uuid::now_v7());
    let claiming = |name: &str, release: Vec<Release>, take: Vec<Claim>| {
        let mut command = append(key(name), Uuid::now_v7(), 1);
        command.claims = Claims {
            release,
            take,
            ..Claims::default()
        };
        command
    };
    let seat = |owner| Claim::unique("seat", "1A", owner);
    let warm = claiming("warm", vec![], vec![seat(first)]);
    appender.append(warm).await.unwrap();

    proxy.swallow.close();
    let places = (0..2).map(|_| Claim::counted("stand", "A", Uuid::now_v7(), 2));
    let take: Vec<Claim> = places.chain([seat(next)]).collect();
    let command = claiming("in doubt", vec![Release::All(first)], take);
    let in_doubt = tokio::spawn({
        let (appender, command) = (appender.clone(), command.clone());
        async move { appender.append(command).await }
    });
    eventually("the database commits", async || {
        (test.log.head().await.unwrap().position == Position::new(2)).then_some(())
    })
    .await;
    proxy.release.close();

    let answer = in_doubt.await.unwrap().unwrap();
    assert_eq!((answer.position, answer.in_doubt), (Position::new(2), true));
    assert_eq!(owners(&test, "seat", "1A").await, [(1, next)]);
    assert_eq!(owners(&test, "stand", "A").await.len(), 2);
    // Also when the claims have moved on meanwhile.
    let moved = claiming("moved on", vec![Release::All(next)], vec![seat(first)]);
    appender.append(moved).await.unwrap();
    assert!(appender.append(command).await.unwrap().replayed);
    assert_eq!(owners(&test, "seat", "1A").await, [(1, first)]);
}

/// A caller's request failed after its command was recorded, and comes again, as a new attempt that would create
/// something else, just when the answers get lost. What it gets is the first attempt's, and nothing of its own.
#[tokio::test]
async fn what_another_request_did_with_the_key_is_not_taken_for_ones_own() {
    let test = TestLog::new().await;
    let creating = |aggregate_id| CommandRequest {
        aggregate_id,
        command: Count(1),
        key: key("transfer"),
        metadata: envelope::Metadata::default(),
        expected_version: None,
        creates: true,
    };
    let (earlier, later) = (Uuid::now_v7(), Uuid::now_v7());
    let placed = |id: Uuid| move |_: &Counter, _| serde_json::json!({"id": id});
    let first = test
        .command_handler()
        .execute(creating(earlier), placed(earlier))
        .await
        .unwrap();

    let proxy = Proxy::before(&test.url).await;
    let (appender, _) = Appender::start(&proxy.url, AppenderOptions::default()).unwrap();
    appender
        .append(append(key("warm"), Uuid::now_v7(), 1))
        .await
        .unwrap();
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    held.execute("select from log_head for update", &[])
        .await
        .unwrap();
    proxy.swallow.close();
    let loader = test.loader(LoaderOptions::default());
    let command_handler = CommandHandler::new(test.log.clone(), loader, appender);
    let again = tokio::spawn(async move {
        command_handler
            .execute_on(None, creating(later), placed(later))
            .await
    });
    test.a_session_waits().await;
    proxy.release.close();
    held.commit().await.unwrap();

    let (answer, own) = again.await.unwrap().unwrap();
    assert_eq!((&answer.body, answer.replayed), (&first.body, true));
    assert!(own.is_none(), "what it would have made is not what there is");
}
