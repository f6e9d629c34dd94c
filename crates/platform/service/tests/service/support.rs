//! What the tests share: a server on a free port, raw clients, and waiting with a deadline.

pub(crate) mod issuer;
pub(crate) mod logs;
pub(crate) mod raw;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use service::http::HttpOptions;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Fails the test, saying what it waited for, if the future takes too long.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("gave up waiting: {what}"))
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until<F, Fut>(what: &str, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    within(what, async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Lets everything else that is ready run, many times over.
pub(crate) async fn let_others_run() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) done: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Serves the router on a free port.
pub(crate) async fn start(router: Router, options: HttpOptions) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let done = tokio::spawn(service::http::serve(listener, router, options, shutdown.clone()));
    Server {
        address,
        shutdown,
        done,
    }
}

/// Serves the router with default limits.
pub(crate) async fn start_default(router: Router) -> Server {
    start(router, HttpOptions::default()).await
}

/// A client that keeps no connection open, so that tests do not meet each other's leftovers.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

/// Reads a problem and checks what all of them share: content type, status, both texts, the request id.
pub(crate) async fn problem(response: reqwest::Response) -> Value {
    let status = response.status();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(
        header("content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    let request_id = header("x-request-id").expect("every response has a request id");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status.as_u16());
    assert_eq!(body["request_id"], request_id);
    let code = body["code"].as_str().unwrap();
    assert_eq!(body["type"], format!("https://bilsportlisens.no/problems/{code}"));
    for text in ["title", "message_nb", "message_en"] {
        assert!(
            !body[text].as_str().unwrap().is_empty(),
            "{text} is empty in {body}"
        );
    }
    assert_ne!(body["message_nb"], body["message_en"]);
    body
}

/// The process's metrics recorder, installed once.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

/// The rendered lines of one metric that hold all of the given parts.
pub(crate) fn samples(name: &str, parts: &[&str]) -> Vec<String> {
    let rendered = recorder().render();
    let of_metric = rendered.lines().filter(|line| line.starts_with(name));
    of_metric
        .filter(|line| parts.iter().all(|part| line.contains(part)))
        .map(str::to_owned)
        .collect()
}
