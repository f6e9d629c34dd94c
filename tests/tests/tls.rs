//! The whole system with TLS: PostgreSQL, NATS and Redis accept nothing else, and no client without a certificate.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use connect::Database;
use stack::{Authority, Options, Process};
use system_tests::purchase::{Purchase, Sales, order_of, send};
use system_tests::{PATIENCE, Shop, books, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_license_is_bought_by_tls_everywhere_and_nothing_else_is_let_in() {
    let shop = Shop::open_private(Options {
        tls: true,
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let sales = buy(&shop).await;

    // As the administrator, who sees all sessions.
    let sessions = "select count(*) filter (where ssl), count(*) filter (where ssl is not true)
                    from pg_stat_activity left join pg_stat_ssl using (pid) where backend_type = 'client backend'";
    let admin = books::connect(shop.system.servers().postgres().url()).await;
    let row = admin.query_one(sessions, &[]).await.unwrap();
    let (by_tls, without) = (row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert!(by_tls > 10 && without == 0, "{by_tls} by TLS, {without} without");
    let events = &shop.system.databases().events_owner;
    no_plain_postgres(events).await;
    no_plain_nats(&shop).await;
    no_plain_redis(&shop).await;
    uses_redis(&shop).await;

    books::close(&shop, &sales).await;
    shop.close().await;
}

/// A purchase that is paid for and fulfilled.
async fn buy(shop: &Shop) -> Sales {
    let (key, order) = ("purchase-1", order_of(shop, 1));
    let command_api = shop.system.command_api_url();
    let placed = send(shop, &command_api, key, &order, PATIENCE)
        .await
        .unwrap()
        .expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    Sales {
        purchases: vec![Purchase::acknowledged(key, &order, &placed)],
        abandoned: Vec::new(),
    }
}

/// Both APIs reach Redis, with a certificate of their own.
async fn uses_redis(shop: &Shop) {
    for ops in [shop.system.command_ops_url(), shop.system.query_ops_url()] {
        eventually(&format!("{ops} uses Redis"), async || {
            let text = shop.ops(&ops, "metrics").await.ok()?.text;
            let mut lines = text.lines();
            lines
                .any(|line| line.starts_with("bilsport_redis_up{") && line.ends_with(" 1"))
                .then_some(())
        })
        .await;
    }
}

async fn no_plain_postgres(url: &str) {
    let (plain, _) = url.split_once('?').unwrap();
    for (parameters, said) in [
        ("sslmode=disable", "no encryption"),
        ("sslmode=require", "certificate"),
    ] {
        let database = Database::parse(&format!("{plain}?{parameters}")).unwrap();
        let Err(error) = database.connect().await else {
            panic!("{parameters} is let in")
        };
        let said_by_server = error
            .as_db_error()
            .map_or_else(|| format!("{error:?}"), |refused| refused.message().to_owned());
        assert!(
            said_by_server.to_lowercase().contains(said),
            "{parameters}: {said_by_server}"
        );
    }
}

async fn no_plain_nats(shop: &Shop) {
    let url = shop.system.servers().nats().url();
    let address = url.rsplit('@').next().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Not even with the administrator's password.
    let login = url.split("://").nth(1).unwrap().split('@').next().unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let hello =
        format!("CONNECT {{\"user\":\"{user}\",\"pass\":\"{password}\",\"verbose\":false}}\r\nPING\r\n");
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is a refusal, too.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.contains("PONG"), "{answer}");
}

async fn no_plain_redis(shop: &Shop) {
    let url = shop.system.servers().redis().url();
    let address = url.strip_prefix("rediss://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PING\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"+PONG"));
}

#[tokio::test]
async fn programs_say_whom_they_do_not_trust_and_go_on_when_a_file_is_renewed() {
    let shop = Shop::open_private(Options {
        tls: true,
        ..Options::default()
    })
    .await;
    let ours = shop.system.servers().certificates().unwrap().authority.clone();
    let dir = ours.parent().unwrap().join("elsewhere");
    Authority::create(&dir, "other").unwrap();
    let (kept, other) = (std::fs::read(&ours).unwrap(), dir.join("other.pem"));

    // PostgreSQL, at start.
    for (authority, said) in [
        (other.display().to_string(), "UnknownIssuer"),
        ("/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
    ] {
        let mut command = shop.system.command(Process::CommandApi, &["migrate"]).unwrap();
        let database = &shop.system.databases().events_owner;
        let url = database.replace(&ours.display().to_string(), &authority);
        let output = command.env("EVENTS_DATABASE_URL", url).output().await.unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains(said), "{text}");
    }

    // NATS, while running: the file that all programs trust changes, and then the connection breaks.
    shop.system.stop_one(Process::Nats).await.unwrap();
    std::fs::write(&ours, std::fs::read(&other).unwrap()).unwrap();
    shop.system.start_one(Process::Nats).await.unwrap();
    for process in [Process::CommandApi, Process::Projector] {
        eventually(&format!("{process} says why it has no NATS"), async || {
            let log = std::fs::read_to_string(shop.system.logs().join(format!("{process}.log"))).ok()?;
            (log.contains("no TLS connection to nats") && log.contains("UnknownIssuer")).then_some(())
        })
        .await;
    }
    std::fs::write(&ours, kept).unwrap();
    shop.system.stop_one(Process::Nats).await.unwrap();
    shop.system.start_one(Process::Nats).await.unwrap();

    let sales = buy(&shop).await;
    books::close(&shop, &sales).await;
    for process in [Process::CommandApi, Process::Projector] {
        assert_eq!(shop.system.restarts(process).unwrap(), 0, "{process}");
    }
    shop.close().await;
}
