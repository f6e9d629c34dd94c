//! What is counted, and that requests of strangers add no labels.

use axum::Router;
use axum::routing::get;
use reqwest::Method;

use crate::support::raw::Raw;
use crate::support::{client, recorder, samples, start_default, until};

const REQUESTS: &str = service::metrics::HTTP_REQUESTS;

#[tokio::test]
async fn requests_are_counted_by_method_matched_route_and_status() {
    recorder();
    let nested = Router::new().route("/counted/{id}", get(async || "counted"));
    let server = start_default(Router::new().nest("/api/v1", nested)).await;
    for id in 0..3 {
        client()
            .get(server.url(&format!("/api/v1/counted/{id}")))
            .send()
            .await
            .unwrap();
    }
    client()
        .delete(server.url("/api/v1/counted/1"))
        .send()
        .await
        .unwrap();
    let route = r#"route="/api/v1/counted/{id}""#;
    let got = samples(REQUESTS, &[route, r#"method="GET""#, r#"status="200""#]);
    assert!(got[0].ends_with(" 3"), "{got:?}");
    let refused = samples(REQUESTS, &[route, r#"method="DELETE""#, r#"status="405""#]);
    assert!(refused[0].ends_with(" 1"), "{refused:?}");
    let times = samples(
        service::metrics::HTTP_REQUEST_SECONDS,
        &[route, r#"status="200""#],
    );
    assert!(!times.is_empty());
}

#[tokio::test]
async fn unknown_paths_and_methods_add_no_series() {
    recorder();
    let server = start_default(Router::new().route("/bounded/{id}", get(async || "x"))).await;
    let attack = async |count: usize| {
        for n in 0..count {
            let method: Method = format!("BREW{n}").parse().unwrap();
            client()
                .request(method, server.url(&format!("/bounded/{n}")))
                .send()
                .await
                .unwrap();
            client()
                .get(server.url(&format!("/stranger/{n}")))
                .send()
                .await
                .unwrap();
        }
    };
    let series = || {
        let of_route = samples(REQUESTS, &[r#"route="/bounded/{id}""#]).len();
        (
            of_route,
            samples(REQUESTS, &[r#"route="unmatched""#, r#"method="GET""#]).len(),
        )
    };
    attack(2).await;
    assert_eq!(series(), (1, 1));
    attack(50).await;
    assert_eq!(series(), (1, 1));
    assert_eq!(
        samples(REQUESTS, &[r#"route="/bounded/{id}""#, r#"method="other""#]).len(),
        1
    );
    assert!(samples(REQUESTS, &["stranger"]).is_empty());
    assert!(samples(REQUESTS, &["BREW"]).is_empty());
}

#[tokio::test]
async fn connections_and_requests_in_flight_go_up_and_down_again() {
    recorder();
    let router = Router::new().route("/in-flight", get(async || std::future::pending::<()>().await));
    let server = start_default(router).await;
    let gauges = || {
        [
            service::metrics::HTTP_CONNECTIONS,
            service::metrics::HTTP_REQUESTS_IN_FLIGHT,
        ]
        .map(|name| {
            samples(name, &[])
                .first()
                .map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
        })
    };
    let before: [f64; 2] = gauges();
    let mut client = Raw::connect(server.address).await;
    client.send("GET /in-flight HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    until("both gauges to rise", async || {
        gauges().iter().zip(before).all(|(now, before)| *now > before)
    })
    .await;
    drop(client);
    until("both gauges to fall", async || {
        gauges().iter().zip(before).all(|(now, before)| *now <= before)
    })
    .await;
    assert!(gauges()[1] <= before[1]);
}
