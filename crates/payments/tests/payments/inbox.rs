//! Webhooks as they come, unverified: of both providers, each with what it carried.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::running::in_time;

pub(crate) struct Inbox {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    status: Mutex<StatusCode>,
    seen: watch::Sender<Vec<Delivered>>,
}

#[derive(Clone)]
pub(crate) struct Delivered {
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Delivered {
    /// The event's name in either protocol.
    pub(crate) fn name(&self) -> &str {
        let name = self.body["name"].as_str().or(self.body["event"].as_str());
        name.unwrap()
    }
}

impl Inbox {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            status: Mutex::new(StatusCode::OK),
            seen: watch::Sender::default(),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, shared }
    }

    /// How every webhook is answered from now on.
    pub(crate) fn answer(&self, status: StatusCode) {
        *self.shared.status.lock().unwrap() = status;
    }

    pub(crate) fn seen(&self) -> Vec<Delivered> {
        self.shared.seen.borrow().clone()
    }

    /// The names of the first `count` webhooks, once they are there.
    pub(crate) async fn names(&self, count: usize) -> Vec<String> {
        let mut seen = self.shared.seen.subscribe();
        let seen = in_time(seen.wait_for(|seen| seen.len() >= count)).await.unwrap();
        seen[..count]
            .iter()
            .map(|delivered| delivered.name().to_owned())
            .collect()
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let delivered = Delivered {
        path_and_query: uri.path_and_query().unwrap().to_string(),
        headers,
        body: serde_json::from_slice(&body).unwrap(),
    };
    shared.seen.send_modify(|seen| seen.push(delivered));
    *shared.status.lock().unwrap()
}
