//! Uploads that do not end.

use futures_util::future::select_all;
use stack::Options;
use system_tests::{Shop, eventually_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{PATIENCE, count, send};

/// How many uploads are taken at once.
const PLACES: usize = 4;

/// Begins to send a file. The answer comes at once only if there is no place for it.
async fn begin(shop: &Shop, number: usize) -> TcpStream {
    let url = shop.system.command_api_url();
    let address = url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/batches?kind=upsert_club HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         idempotency-key: slow-{number}\r\ncontent-type: text/csv\r\ncontent-length: 1000\r\n\r\nname\n",
        shop.tokens.staff
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// What the server sends first.
async fn first_words(connection: &mut TcpStream) -> String {
    let mut words = vec![0; 4096];
    let length = connection.read(&mut words).await.unwrap();
    String::from_utf8_lossy(&words[..length]).to_lowercase()
}

#[tokio::test]
async fn uploads_that_do_not_end_hold_a_bounded_number_of_places() {
    let shop = Shop::open(Options::default()).await;
    let mut slow = Vec::new();
    for number in 0..=PLACES {
        slow.push(begin(&shop, number).await);
    }
    let answers = slow
        .iter_mut()
        .map(|connection| Box::pin(first_words(connection)));
    let (busy, _, _) = select_all(answers).await;
    assert!(busy.starts_with("http/1.1 503"), "{busy}");
    assert!(busy.contains("retry-after: 1\r\n"), "{busy}");
    assert!(busy.contains("batches_busy"), "{busy}");
    let one = async || {
        let key = Uuid::now_v7().to_string();
        send(&shop, &key, "?kind=upsert_club", "text/csv", "name\nNMK Nyby\n").await
    };
    // The others hold their places.
    assert_eq!(one().await.expect(503).text_at("/code"), "batches_busy");
    drop(slow);
    eventually_within(PATIENCE, "places are free again", async || {
        Some(one().await).filter(|answer| answer.status == 202)
    })
    .await;
    let batches = "select count(*) from events where event_type = 'BatchSubmitted'";
    assert_eq!(count(&shop, batches).await, 1);
    shop.close().await;
}
