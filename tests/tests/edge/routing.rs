//! Which program a request reaches, and what of it.

use payments::vipps::webhook::{self, AUTHORIZATION_HEADER, CONTENT_HASH_HEADER, DATE_HEADER};
use reqwest::Method;
use serde_json::json;
use stack::Process;
use system_tests::{Shop, answer};

use crate::support::{Edge, code};

/// The most bytes that a header of a request may have at the edge.
const LONGEST: usize = 15_000;

#[tokio::test]
async fn no_cookie_and_no_login_goes_to_a_public_route() {
    let edge = Edge::open(&[("RATE_LIMITS", "public=1000/s:1000")]).await;
    let query_api = edge.shop.system.query_api_url();
    let long = "x".repeat(LONGEST);
    // A program takes 32 kB of headers. What is passed on is more than that only with the cookies, or with the login.
    for secret in ["cookie", "authorization"] {
        let padded = |url: String| {
            let request = edge.shop.http().get(url).header("x-pad", &long);
            let request = request.header("x-pad-too", &long[..5_000]);
            request.header(secret, format!("__Host-session={long}"))
        };
        let path = format!("/api/v1/clubs?limit={}", secret.len());
        let direct = answer(padded(format!("{query_api}{path}"))).await.unwrap();
        assert_eq!(direct.status, 431, "{secret} counts");
        let public = answer(padded(format!("{}{path}", edge.url))).await.unwrap();
        assert_eq!(public.status, 200, "{secret}: {}", public.text);
    }
    // And what is passed on arrives: with one more header there is too much.
    let request = edge.request(Method::GET, "/api/v1/clubs?limit=1");
    let request = request.header("x-pad", &long).header("x-pad-too", &long);
    let request = request.header("x-pad-three", &long[..5_000]);
    assert_eq!(answer(request).await.unwrap().status, 431);

    // Staff are strangers there.
    let checks = async |class: &str| {
        let ops = edge.shop.system.query_ops_url();
        let count = edge.shop.metric(&ops, "bilsport_rate_limit_checks_total", class);
        count.await.unwrap_or_default()
    };
    let strangers = checks("public").await;
    for number in 1..=3 {
        let path = format!("/api/v1/license-types?limit={number}");
        let staff = edge
            .request(Method::GET, &path)
            .bearer_auth(&edge.shop.tokens.staff);
        answer(staff).await.unwrap().expect(200);
    }
    assert_eq!(
        (checks("public").await, checks("staff").await),
        (strangers + 3.0, 0.0)
    );
    edge.shop.close().await;
}

#[tokio::test]
async fn commands_are_told_from_reads_by_their_method() {
    let edge = Edge::without_login().await;
    for path in [
        "/api/v1/clubs",
        "/api/v1/license-types",
        "/api/v1/terms",
        "/api/v1/status",
    ] {
        let read = edge.get(path).await.expect(200);
        assert!(read.header("cache-status").is_some(), "{path}");
        // The same address, and another program behind a session.
        for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            let refused = answer(edge.request(method.clone(), path)).await.unwrap();
            assert_eq!(code(&refused), "login_unavailable", "{method} {path}");
            assert_eq!(refused.header("cache-status"), None, "{method} {path}");
        }
    }
    // A path that only looks public is not, and what is read is what was asked for.
    for path in [
        "/api/v1/clubs/",
        "/api/v1/clubsx",
        "/api/v1/licenses/verification",
        "/api/v1/licenses/a/b/verification",
        "/api/v1/orders/outline",
    ] {
        let refused = edge.get(path).await.expect(503);
        assert_eq!(code(&refused), "login_unavailable", "{path}");
    }
    let odd = edge
        .raw("GET /api/v1/orders/../clubs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    assert!(odd.starts_with("HTTP/1.1 404 "), "{odd}");
    edge.shop.close().await;
}

#[tokio::test]
async fn the_answer_of_the_session_check_cannot_be_asked_for() {
    let edge = Edge::open(&[]).await;
    for path in [
        "/session/check",
        "/session/./check",
        "/session//check",
        "/session/%63heck",
        "/session/x/../check",
        "/.session-check",
        "//session/check",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let text = edge.raw(&request).await;
        assert!(text.starts_with("HTTP/1.1 404 "), "{path}: {text}");
    }
    edge.shop.close().await;
}

#[tokio::test]
async fn a_webhook_arrives_byte_for_byte_with_what_it_is_checked_by() {
    let edge = Edge::open(&[]).await;
    let placed = edge.shop.place("k", &edge.shop.order()).await.expect(201);
    let secret = std::fs::read_to_string(setting(&edge.shop, "VIPPS_WEBHOOK_SECRET_FILE")).unwrap();
    let event = json!({
        "msn": "123456", "reference": placed.text_at("/order_id"), "pspReference": "by-the-edge", "name": "CREATED",
        "amount": {"currency": "NOK", "value": 1}, "timestamp": "2026-01-01T00:00:00Z", "success": true,
    });
    // White space and letters that a parser would write in another way.
    let body = format!("  {event}\r\n\t ");
    let body = body.replace("by-the-edge", "by-the-edge \u{e5}/\\u00e5");
    let path = "/api/v1/webhooks/vipps";
    let host = webhook::host_of(&edge.shop.system.command_api_url()).unwrap();
    let date = "Thu, 30 Mar 2023 08:38:32 GMT";
    let deliver = async |body: String, signed_body: &str| {
        let signed = webhook::sign(&secret, "POST", path, &host, date, signed_body.as_bytes());
        let request = edge
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .header(DATE_HEADER, date)
            .header(CONTENT_HASH_HEADER, signed.content_hash)
            .header(AUTHORIZATION_HEADER, signed.authorization);
        answer(request.body(body)).await.unwrap()
    };
    deliver(body.clone(), &body).await.expect(200);
    deliver(format!("{body} "), &body).await.expect(401);

    // Far more at once than an address may send to the APIs.
    let storm = (0..400).map(|_| deliver(body.clone(), &body));
    let answers = futures_util::future::join_all(storm).await;
    assert!(
        answers.iter().all(|answered| answered.status == 200),
        "{:?}",
        answers.iter().find(|answered| answered.status != 200)
    );
    edge.shop.close().await;
}

/// A setting of command-api.
fn setting(shop: &Shop, name: &str) -> String {
    let command = shop.system.command(Process::CommandApi, &[]).unwrap();
    let value = command
        .as_std()
        .get_envs()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
        .unwrap();
    value.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn big_bodies_are_refused_by_who_knows_the_limit() {
    let edge = Edge::open(&[]).await;
    // 64 kB for a webhook: the program says so, also when the body is far beyond.
    for bytes in [70 << 10, 5 << 20] {
        let request = edge.request(Method::POST, "/api/v1/webhooks/vipps");
        let refused = answer(request.body(vec![b' '; bytes])).await.unwrap();
        assert_eq!(code(&refused), "body_too_large", "{bytes} bytes");
        assert_eq!(refused.status, 413);
    }
    edge.shop.close().await;
}

#[tokio::test]
async fn the_id_of_a_request_is_the_same_at_the_edge_and_in_the_program() {
    let edge = Edge::open(&[]).await;
    let path = format!("/api/v1/licenses/{}/verification", uuid::Uuid::now_v7());
    let given = |id: &str| edge.request(Method::GET, &path).header("x-request-id", id);
    let kept = answer(given("from-a-browser.1")).await.unwrap().expect(404);
    assert_eq!(kept.header("x-request-id"), Some("from-a-browser.1"));
    assert_eq!(kept.text_at("/request_id"), "from-a-browser.1");
    for bad in ["with \"quotes\"", "a,b", &"x".repeat(65)] {
        let replaced = answer(given(bad)).await.unwrap().expect(404);
        let id = replaced.header("x-request-id").unwrap();
        assert!(id != bad && id.len() == 32, "{id}");
        assert_eq!(replaced.text_at("/request_id"), id, "{bad}");
    }
    edge.shop.close().await;
}
