//! Readiness, seen through the ops port.

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use service::Booted;
use service::health::Health;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::client;
use crate::support::logs::Logs;

async fn ops() -> (Booted, String) {
    let shutdown = CancellationToken::new();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let booted = Booted {
        health: Health::new(shutdown.clone()),
        shutdown,
        metrics,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    service::ops::serve(listener, &booted);
    (booted, url)
}

async fn get(url: &str, path: &str) -> (u16, Value) {
    let response = client().get(format!("{url}{path}")).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn ready_when_every_check_passes_and_says_why_when_not() {
    let (booted, url) = ops().await;
    assert_eq!(
        get(&url, "/health/ready").await,
        (200, json!({ "status": "ready", "checks": [] }))
    );

    let postgres = booted.health.check("postgres");
    let nats = booted.health.clone().check("nats");
    nats.ok();
    let (status, body) = get(&url, "/health/ready").await;
    assert_eq!(status, 503);
    assert_eq!(
        body,
        json!({ "status": "not_ready", "checks": [
            { "name": "nats", "ok": true, "reason": null },
            { "name": "postgres", "ok": false, "reason": "starting" },
        ] })
    );
    postgres.ok();
    assert_eq!(get(&url, "/health/ready").await.0, 200);
    postgres.clone().fail("no connection");
    let (status, body) = get(&url, "/health/ready").await;
    assert_eq!(
        (status, &body["checks"][1]["reason"]),
        (503, &json!("no connection"))
    );
    assert_eq!(
        get(&url, "/health/live").await,
        (200, json!({ "status": "live" }))
    );
}

#[tokio::test]
async fn what_is_degraded_shows_its_reason_and_stays_ready() {
    let (booted, url) = ops().await;
    booted.health.check("nats").degraded("no answer");
    let checks = json!([{ "name": "nats", "ok": true, "reason": "no answer" }]);
    assert_eq!(
        get(&url, "/health/ready").await,
        (200, json!({ "status": "ready", "checks": checks }))
    );
}

#[tokio::test]
async fn not_ready_as_soon_as_shutdown_begins_and_the_ops_port_stays() {
    let (booted, url) = ops().await;
    booted.health.check("postgres").ok();
    assert_eq!(get(&url, "/health/ready").await.0, 200);
    booted.shutdown.cancel();
    for _ in 0..3 {
        let (status, body) = get(&url, "/health/ready").await;
        assert_eq!(status, 503);
        assert_eq!(
            body["checks"][1],
            json!({ "name": "shutdown", "ok": false, "reason": "shutting down" })
        );
    }
    assert_eq!(get(&url, "/health/live").await.0, 200);
}

#[test]
fn changes_are_logged_and_repetitions_are_not() {
    let (logs, _guard) = Logs::capture("info");
    let check = Health::new(CancellationToken::new()).check("nats");
    check.ok();
    check.ok();
    check.fail("gone");
    check.fail("still gone");
    check.ok();
    assert_eq!(logs.with_message("health check passes").len(), 2);
    let failures = logs.with_message("health check fails");
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (&failures[0]["check"], &failures[0]["reason"]),
        (&json!("nats"), &json!("gone"))
    );
}
