//! A listener, and servers that vanish.

use connect::Database;
use stack::{Direction, Network, Proxy};
use tokio::sync::mpsc;

use crate::{eventually, open};

/// A listener through a proxy, and what it hears.
async fn listener(url: &str, channel: &'static str) -> (Proxy, mpsc::UnboundedReceiver<String>) {
    let port = Database::parse(url).unwrap().config().get_ports()[0];
    let proxy = Proxy::start(format!("127.0.0.1:{port}")).await.unwrap();
    let through = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let (hear, heard) = mpsc::unbounded_channel();
    let database = Database::parse(&through).unwrap();
    tokio::spawn(async move {
        let statements = format!("listen {channel}; select pg_notify('{channel}', 'listening')");
        connect::listen(database, channel, &statements, |payload| {
            let _ = hear.send(payload.to_owned());
        })
        .await
    });
    (proxy, heard)
}

#[tokio::test]
async fn a_connection_that_dies_without_a_word_is_missed_and_the_next_one_hears() {
    let servers = stack::shared().await.unwrap();
    let url = servers.postgres().url();
    for silence in [Direction::Both, Direction::ToServer, Direction::ToProgram] {
        let (proxy, mut heard) = listener(url, "silence").await;
        assert_eq!(heard.recv().await.unwrap(), "listening");
        let before = proxy.connections();
        proxy.set(Network::Stalled(silence));
        // It gives the connection up by itself; the proxy never says a word.
        eventually("the listener gives its connection up", async || {
            (proxy.connections() > before).then_some(())
        })
        .await;
        proxy.set(Network::Whole);
        while heard.recv().await.unwrap() != "listening" {}
        let speaker = open(url).await.unwrap();
        speaker
            .batch_execute("select pg_notify('silence', 'after')")
            .await
            .unwrap();
        while heard.recv().await.unwrap() != "after" {}
    }
}
