//! The pool without a server behind it: bounded waits, and errors that give nothing away.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use service::postgres::{PoolOptions, describe, observe_pool, pool};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{recorder, samples, until, within};

fn options() -> PoolOptions {
    PoolOptions::default()
}

#[tokio::test]
async fn a_refused_connection_is_an_error_and_not_a_wait() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("postgres://shop:hunter2@{}/shop", socket.local_addr().unwrap());
    let pool = pool(&url, &options(), "test").unwrap();
    let error = within("the refusal", pool.get()).await.unwrap_err();
    let text = describe(&error);
    assert!(text.contains("refused"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://shop:hunter2@{}/shop", listener.local_addr().unwrap());
    let pool = pool(
        &url,
        &PoolOptions {
            db_pool_size: 1,
            ..options()
        },
        "test",
    )
    .unwrap();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.unwrap_err() }
    });
    // Kept open and silent to the end of the test.
    let _silent = within("the only slot to be taken", listener.accept())
        .await
        .unwrap();
    let second = within("the wait for a slot", pool.get()).await.unwrap_err();
    assert!(describe(&second).contains("imeout"), "{}", describe(&second));
    let first = within("the connect to be given up", first).await.unwrap();
    assert!(describe(&first).contains("imeout"), "{}", describe(&first));
}

#[tokio::test]
async fn a_bad_url_is_refused_without_quoting_it() {
    for url in [
        "",
        "postgres://shop:hunter2@[::1/shop",
        "postgres://shop:hunter2@host:port/shop",
        "hunter2",
    ] {
        let Err(error) = pool(url, &options(), "test") else {
            panic!("{url:?} was accepted")
        };
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn pool_use_is_published_until_shutdown() {
    recorder();
    let pool = pool("postgres://shop@127.0.0.1:1/shop", &options(), "test").unwrap();
    let shutdown = CancellationToken::new();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    observe_pool(&pool, "observed", shutdown.clone());
    let published = |name: &str| !samples(name, &[r#"pool="observed""#]).is_empty();
    for name in [
        service::metrics::POOL_SIZE,
        service::metrics::POOL_AVAILABLE,
        service::metrics::POOL_WAITING,
    ] {
        until(name, async || published(name)).await;
    }
    assert_eq!(tasks(), before + 1);
    shutdown.cancel();
    until("the task to end", async || tasks() == before).await;
}

/// An error that quotes its cause, as many do.
#[derive(Debug)]
struct Quoting(Box<dyn Error>);

impl fmt::Display for Quoting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot read: {}", self.0)
    }
}

impl Error for Quoting {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// An error that quotes everything below it, as `{:#}` of an `anyhow::Error` does.
#[derive(Debug)]
struct QuotingAll(Box<dyn Error>);

impl fmt::Display for QuotingAll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(&*self.0);
        while let Some(error) = next {
            write!(formatter, "[{error}]")?;
            next = error.source();
        }
        Ok(())
    }
}

impl Error for QuotingAll {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn a_description_says_each_cause_once() {
    let error = Quoting(Box::new(Quoting(Box::new(std::io::Error::other("disk full")))));
    assert_eq!(describe(&error), "cannot read: cannot read: disk full");
}

/// A server that fails every login with a message that has a `detail` field, as a real one does for constraint errors.
async fn server_that_quotes_a_row() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://shop@{}/shop?sslmode=disable",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut startup = [0; 1024];
        let _ = stream.read(&mut startup).await.unwrap();
        let fields = "SERROR\0VERROR\0C23505\0Mduplicate key\0DKey (email)=(kari@example.no) exists\0\0";
        let mut message = vec![b'E'];
        message.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
        message.extend(fields.as_bytes());
        stream.write_all(&message).await.unwrap();
    });
    url
}

#[tokio::test]
async fn row_data_in_a_server_error_is_left_out() {
    let url = server_that_quotes_a_row().await;
    let (pool, timeout) = (pool(&url, &options(), "test").unwrap(), Duration::from_secs(10));
    let error = tokio::time::timeout(timeout, pool.get())
        .await
        .unwrap()
        .unwrap_err();
    let quoting = QuotingAll(Box::new(error));
    assert!(
        quoting.to_string().contains("kari"),
        "the test shows nothing: {quoting}"
    );
    let text = describe(&quoting);
    assert!(text.ends_with("23505: duplicate key"), "{text}");
    assert!(!text.contains("kari"), "{text}");
}
