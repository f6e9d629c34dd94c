//! How much one address may ask, and that the programs are told which address it is.

use std::net::Ipv4Addr;

use futures_util::future::join_all;
use reqwest::Client;
use system_tests::{Answer, answer, eventually};

use crate::support::{Edge, client_at, code};

/// Far more than a burst.
const MANY: usize = 400;

async fn at(client: &Client, edge: &Edge, path: &str) -> Answer {
    answer(client.get(format!("{}{path}", edge.url))).await.unwrap()
}

#[tokio::test]
async fn an_address_over_its_limit_is_refused_and_no_other() {
    let edge = Edge::without_login().await;
    let (one, other) = (
        client_at(Ipv4Addr::new(127, 0, 0, 11)),
        client_at(Ipv4Addr::new(127, 0, 0, 12)),
    );
    let answers = join_all((0..MANY).map(|_| at(&one, &edge, "/api/v1/orders"))).await;
    let with = |status: u16| {
        let answers = answers.iter();
        answers.filter(move |answered| answered.status == status)
    };
    let (passed, refused) = (with(503).count(), with(429).count());
    assert_eq!(passed + refused, MANY);
    assert!(passed >= 200, "a burst of 200: {passed}");
    assert!(refused > 0, "{passed} passed");
    for limited in with(429) {
        assert_eq!(code(limited), "rate_limited");
        assert_eq!(limited.header("retry-after"), Some("1"));
    }
    // Not others, and not what everyone may read: pages, copies, and the way back from a payment provider.
    assert_eq!(
        code(&at(&other, &edge, "/api/v1/orders").await),
        "login_unavailable"
    );
    for path in ["/", "/api/v1/clubs", "/api/v1/status", "/revocations"] {
        let reads = join_all((0..MANY).map(|_| at(&one, &edge, path))).await;
        assert!(reads.iter().all(|read| read.status == 200), "{path}");
    }
    // It is let in again.
    eventually("room for the address", async || {
        let answered = at(&one, &edge, "/api/v1/orders").await;
        (answered.status == 503).then_some(())
    })
    .await;
    edge.shop.close().await;
}

#[tokio::test]
async fn the_programs_count_the_address_of_the_client_and_not_that_of_the_edge() {
    let edge = Edge::open(&[("RATE_LIMITS", "public=60/h:3"), ("REDIS_TIMEOUT_MS", "5000")]).await;
    let (one, other) = (
        client_at(Ipv4Addr::new(127, 0, 0, 21)),
        client_at(Ipv4Addr::new(127, 0, 0, 22)),
    );
    // Questions that no copy answers.
    let ask = async |client: &Client, question: usize, says: &str| {
        let url = format!("{}/api/v1/clubs?limit={question}", edge.url);
        answer(client.get(url).header("x-forwarded-for", says))
            .await
            .unwrap()
    };
    for question in 1..=5 {
        let status = if question <= 3 { 200 } else { 429 };
        // What a client says of itself counts for nothing.
        let says = format!("198.51.100.{question}");
        ask(&one, question, &says).await.expect(status);
    }
    ask(&other, 6, "").await.expect(200);
    // A copy costs nothing.
    for _ in 0..5 {
        ask(&one, 1, "").await.expect(200);
    }
    edge.shop.close().await;
}
