//! The whole system by TLS: PostgreSQL, NATS and Redis take nothing else, and nobody without a certificate.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use connect::Database;
use serde_json::Value;
use stack::{Authority, Options, Process};
use system_tests::purchase::{Purchase, Sales, order_of};
use system_tests::{Shop, books, eventually};
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
    let order = order_of(&shop, 1);
    let placed = shop.place("tls", &order).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;

    let events = &shop.system.databases().events_owner;
    let unprotected =
        "select array_agg(application_name) from pg_stat_activity left join pg_stat_ssl using (pid)
                       where backend_type = 'client backend' and ssl is not true";
    let row = books::connect(events)
        .await
        .query_one(unprotected, &[])
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, Option<Vec<String>>>(0),
        None,
        "connected without TLS"
    );
    no_plain_postgres(events).await;
    no_plain_nats(&shop).await;
    no_plain_redis(&shop).await;

    let sales = Sales {
        purchases: vec![Purchase::acknowledged("tls", &order, &placed)],
        abandoned: Vec::new(),
    };
    books::close(&shop, &sales).await;
    shop.close().await;
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
    // With the administrator's password, even.
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
async fn a_program_that_trusts_another_authority_says_so_and_goes_on_when_that_is_mended() {
    let dir = std::env::temp_dir().join(format!("authority-{}", uuid::Uuid::now_v7().simple()));
    Authority::create(&dir, "other").unwrap();
    let other = dir.join("other.pem");
    let shop = Shop::open_private(Options {
        tls: true,
        env: vec![(
            Process::Projector,
            "NATS_CA_FILE".to_owned(),
            other.display().to_string(),
        )],
        ..Options::default()
    })
    .await;
    let ready = format!("{}/health/ready", shop.system.projector_ops_url());
    let said = async || -> Option<Value> {
        let answer = shop.http().get(&ready).send().await.ok()?;
        answer.json().await.ok()
    };
    eventually("the projector says why it has no NATS", async || {
        let text = said().await?.to_string();
        text.contains("UnknownIssuer").then_some(())
    })
    .await;
    let log = std::fs::read_to_string(shop.system.logs().join("projector.log")).unwrap();
    assert!(log.contains("no TLS connection to nats"), "{log}");

    // PostgreSQL's certificate, judged by the same authority.
    let database = &shop.system.databases().events_owner;
    let files = shop.system.servers().certificates().unwrap();
    let trusted = files.authority.display().to_string();
    for (authority, said) in [
        (other.display().to_string(), "UnknownIssuer"),
        ("/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
    ] {
        let mut command = shop.system.command(Process::CommandApi, &["migrate"]).unwrap();
        let url = database.replace(&trusted, &authority);
        let output = command.env("EVENTS_DATABASE_URL", url).output().await.unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains(said), "{text}");
    }

    // The file is mended in place; nothing is restarted.
    std::fs::copy(&files.authority, &other).unwrap();
    eventually("the projector follows NATS", async || {
        let text = said().await?.to_string();
        (!text.contains("TLS")).then_some(())
    })
    .await;
    assert_eq!(shop.system.restarts(Process::Projector).unwrap(), 0);
    let placed = shop.place("mended", &shop.order()).await.expect(201);
    shop.order_with_status(placed.text_at("/order_id"), "payment_pending")
        .await;
    shop.close().await;
    std::fs::remove_dir_all(dir).unwrap();
}
