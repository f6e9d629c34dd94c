//! A listener, and servers that vanish.

use connect::Database;
use connect::metrics::LISTENING;
use metrics_exporter_prometheus::PrometheusBuilder;
use stack::{Direction, Network, Proxy};
use tokio::sync::mpsc;

use crate::{eventually, open};

/// A listener through a proxy, and the payloads it gets.
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
    let recorder = PrometheusBuilder::new().build_recorder();
    // All tasks of this test are on this thread.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let handle = recorder.handle();
    let up = |channel: &str, value: u8| {
        handle
            .render()
            .contains(&format!("{LISTENING}{{channel=\"{channel}\"}} {value}"))
    };
    let servers = stack::shared().await.unwrap();
    let url = servers.postgres().url();
    for (channel, silence) in [
        ("no_word", Direction::Both),
        ("no_question", Direction::ToServer),
        ("no_answer", Direction::ToProgram),
    ] {
        let (proxy, mut heard) = listener(url, channel).await;
        assert_eq!(heard.recv().await.unwrap(), "listening");
        eventually("it is up", async || up(channel, 1).then_some(())).await;
        let before = proxy.connections();
        proxy.set(Network::Stalled(silence));
        // It gives the connection up by itself; the proxy never answers.
        eventually("the listener gives its connection up", async || {
            (proxy.connections() > before).then_some(())
        })
        .await;
        assert!(up(channel, 0), "{}", handle.render());
        proxy.set(Network::Whole);
        while heard.recv().await.unwrap() != "listening" {}
        let speaker = open(url).await.unwrap();
        speaker
            .batch_execute(&format!("select pg_notify('{channel}', 'after')"))
            .await
            .unwrap();
        while heard.recv().await.unwrap() != "after" {}
    }
}
