//! The proxy cuts, stalls and slows down a network.

use std::time::{Duration, Instant};

use stack::{Direction, Network, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A server that reports each byte and sends it back, and a proxy in front of it.
async fn echo() -> (Proxy, mpsc::UnboundedReceiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().to_string())
        .await
        .unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    tell.send(byte).unwrap();
                    stream.write_u8(byte).await.unwrap();
                }
            });
        }
    });
    (proxy, told)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

#[tokio::test]
async fn what_is_stalled_arrives_later_and_in_order() {
    let (proxy, mut told) = echo().await;
    let mut client = connect(&proxy).await;
    client.write_u8(1).await.unwrap();
    assert_eq!((told.recv().await, client.read_u8().await.unwrap()), (Some(1), 1));
    assert_eq!(proxy.connections(), 1);

    // The server receives and answers, and the answer does not arrive.
    proxy.set(Network::Stalled(Direction::ToProgram));
    client.write_u8(2).await.unwrap();
    assert_eq!(told.recv().await, Some(2));
    assert!(client.try_read(&mut [0]).is_err(), "it arrived");

    // Neither side receives anything, on a new connection, either.
    proxy.set(Network::Stalled(Direction::Both));
    client.write_u8(3).await.unwrap();
    let mut other = connect(&proxy).await;
    other.write_u8(4).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(100), told.recv()).await;
    assert!(silence.is_err(), "{silence:?} arrived");

    proxy.set(Network::Whole);
    assert_eq!(client.read_u8().await.unwrap(), 2);
    assert_eq!(client.read_u8().await.unwrap(), 3);
    assert_eq!(other.read_u8().await.unwrap(), 4);
}

#[tokio::test]
async fn what_is_cut_is_reset_and_can_be_opened_again_when_it_is_whole() {
    let (proxy, _told) = echo().await;
    let mut client = connect(&proxy).await;
    client.write_u8(1).await.unwrap();
    client.read_u8().await.unwrap();
    proxy.set(Network::Cut);
    let reset = client.read_u8().await.unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    let mut other = connect(&proxy).await;
    assert!(other.read_u8().await.is_err(), "it was let in");
    proxy.set(Network::Whole);
    let mut again = connect(&proxy).await;
    again.write_u8(2).await.unwrap();
    assert_eq!(again.read_u8().await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_slow_takes_at_least_its_time_each_way() {
    let (proxy, _told) = echo().await;
    let mut client = connect(&proxy).await;
    proxy.set(Network::Slow(Duration::from_millis(40)));
    let begun = Instant::now();
    client.write_u8(1).await.unwrap();
    client.read_u8().await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(80),
        "{:?}",
        begun.elapsed()
    );
}
