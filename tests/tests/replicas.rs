//! Two replicas of the read database: one stands still, the other is killed, and readers notice nothing. Their requests succeed,
//! and no reader who sends the last position that it saw is shown an earlier one.

use std::cell::Cell;

use anyhow::Context as _;
use futures_util::future::join_all;
use stack::{Options, Process};
use system_tests::{Shop, eventually};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// The sum of query-api's samples of a metric that have all these labels.
async fn metric(shop: &Shop, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let text = shop.ops(&shop.system.query_ops_url(), "metrics").await.ok()?.text;
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let begin = format!("{name}{{");
    text.lines()
        .filter(|line| line.starts_with(&begin) && labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .reduce(|sum: f64, sample| sum + sample)
}

/// Waits until a replica is used for both projections, or for none.
async fn until_used(shop: &Shop, replica: &str, used: bool) {
    eventually(&format!("{replica} used: {used}"), async || {
        let in_use = metric(shop, "bilsport_query_replica_in_use", &[("place", replica)]).await?;
        ((in_use > 1.5) == used && (in_use < 0.5) != used).then_some(())
    })
    .await;
}

async fn reads(shop: &Shop, place: &str) -> f64 {
    metric(shop, "bilsport_query_reads_total", &[("place", place)])
        .await
        .unwrap_or_default()
}

/// Reads page after page, as one who knows the last position that was shown. Returns the number of answers.
async fn read(shop: &Shop, reader: usize, end: &CancellationToken) -> usize {
    let (mut seen, mut answers) = (0, 0);
    let paths = ["/orders?limit=5", "/licenses?limit=5", "/license-types?limit=2"];
    while !end.is_cancelled() {
        let path = paths[(reader + answers) % paths.len()];
        let path = format!("{path}&min_position={seen}");
        let answer = shop.get(&path, &shop.tokens.customer).await.expect(200);
        assert!(
            answer.position() >= seen,
            "{path}: {} after {seen}",
            answer.position()
        );
        seen = answer.position();
        answers += 1;
    }
    answers
}

/// Buys, and reads each order at once.
async fn buy(shop: &Shop, bought: &Cell<u32>, end: &CancellationToken) {
    while !end.is_cancelled() {
        let key = format!("order{}", bought.get());
        let placed = shop.place(&key, &shop.order_of(&key)).await.expect(201);
        let path = format!(
            "/orders/{}?min_position={}",
            placed.text_at("/order_id"),
            placed.position()
        );
        let order = shop.get(&path, &shop.tokens.customer).await.expect(200);
        assert!(order.position() >= placed.position());
        shop.at_provider(&placed, "approve").await.expect(200);
        bought.set(bought.get() + 1);
    }
}

async fn administrator(shop: &Shop, replica: usize) -> anyhow::Result<Client> {
    let server = shop
        .system
        .servers()
        .replicas()
        .nth(replica)
        .context("a replica")?;
    let database = connect::Database::parse(server.url())?;
    let (client, connection) = Box::pin(database.connect()).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn a_replica_stands_still_another_is_killed_and_no_reader_sees_time_go_backwards() {
    let shop = Shop::open_private(Options {
        replicas: 2,
        env: vec![(Process::QueryApi, "REPLICA_MAX_LAG_S".into(), "1".into())],
        ..Options::default()
    })
    .await;
    for replica in ["replica-1", "replica-2"] {
        until_used(&shop, replica, true).await;
    }
    let end = CancellationToken::new();
    let bought = Cell::new(0);
    let readers = join_all((0..4).map(|reader| read(&shop, reader, &end)));
    let faults = async {
        let _stop = end.clone().drop_guard();
        let further = async |place: &str| {
            let before = reads(&shop, place).await;
            eventually(&format!("{place} is read"), async || {
                (reads(&shop, place).await > before).then_some(())
            })
            .await;
        };
        further("replica-1").await;
        further("replica-2").await;

        let still = administrator(&shop, 0).await.unwrap();
        still.batch_execute("select pg_wal_replay_pause()").await.unwrap();
        until_used(&shop, "replica-1", false).await;
        let lagging = [
            ("place", "replica-1"),
            ("projection", "licensing"),
            ("reason", "lagging"),
        ];
        let ejected = metric(&shop, "bilsport_query_replica_ejections_total", &lagging).await;
        assert!(ejected >= Some(1.0), "{ejected:?}");
        further("replica-2").await;

        shop.system.crash(Process::Replica(2)).await.unwrap();
        until_used(&shop, "replica-2", false).await;
        further("primary").await;
        let ready = shop
            .ops(&shop.system.query_ops_url(), "health/ready")
            .await
            .unwrap();
        assert_eq!(ready.status, 200, "{}", ready.text);
        for said in ["replica-1 lags by", "replica-2 cannot be read"] {
            assert!(ready.text.contains(said), "{}", ready.text);
        }

        shop.system.start_one(Process::Replica(2)).await.unwrap();
        until_used(&shop, "replica-2", true).await;
        further("replica-2").await;
        still
            .batch_execute("select pg_wal_replay_resume()")
            .await
            .unwrap();
        until_used(&shop, "replica-1", true).await;
        further("replica-1").await;
    };
    let (answers, (), ()) = tokio::join!(readers, buy(&shop, &bought, &end), faults);
    assert!(answers.iter().all(|answers| *answers > 5), "{answers:?}");
    assert!(bought.get() > 3, "{}", bought.get());
    shop.close().await;
}
