//! A shop's webhook endpoint: verifies each webhook with the crate's own code and keeps it.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode};
use payments::vipps::webhook::{Event, EventName, host_of, verify};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::running::{SECRET, in_time};

pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    /// Answers to give before accepting.
    refusals: Mutex<VecDeque<StatusCode>>,
    /// Payments whose webhooks are never accepted.
    unwanted: Mutex<HashSet<String>>,
    seen: watch::Sender<Seen>,
}

#[derive(Default, Clone)]
pub(crate) struct Seen {
    /// Verified and accepted, in order.
    pub(crate) accepted: Vec<Event>,
    /// Verified and refused because the test said so.
    pub(crate) refused: Vec<Event>,
    /// Webhooks with a wrong signature.
    pub(crate) forged: usize,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), "/api/v1/webhooks/vipps?shop=1").await
    }

    pub(crate) async fn start_at(address: SocketAddr, path: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            host: host_of(&url).unwrap(),
            refusals: Mutex::default(),
            unwanted: Mutex::default(),
            seen: watch::Sender::default(),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, shared }
    }

    /// Answers the next `times` valid webhooks with `status`.
    pub(crate) fn refuse(&self, times: usize, status: StatusCode) {
        self.shared
            .refusals
            .lock()
            .unwrap()
            .extend(std::iter::repeat_n(status, times));
    }

    /// Accepts no webhook of this payment.
    pub(crate) fn refuse_payment(&self, reference: &str) {
        self.shared.unwanted.lock().unwrap().insert(reference.to_owned());
    }

    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.borrow().clone()
    }

    /// Waits until `enough`, and returns what was seen then.
    pub(crate) async fn wait(&self, enough: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.shared.seen.subscribe();
        in_time(seen.wait_for(enough)).await.unwrap().clone()
    }

    /// Waits for `count` accepted webhooks of the payment and returns their names.
    pub(crate) async fn names(&self, reference: &str, count: usize) -> Vec<EventName> {
        let seen = self.wait(|seen| names_of(seen, reference).len() >= count).await;
        names_of(&seen, reference)
    }
}

pub(crate) fn names_of(seen: &Seen, reference: &str) -> Vec<EventName> {
    let of_payment = seen.accepted.iter().filter(|event| event.reference == reference);
    of_payment.map(|event| event.name.clone()).collect()
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let path = uri.path_and_query().unwrap().as_str();
    if verify(SECRET, method.as_str(), path, &shared.host, &headers, &body).is_err() {
        shared.seen.send_modify(|seen| seen.forged += 1);
        return StatusCode::UNAUTHORIZED;
    }
    let event = Event::parse(&body).unwrap();
    let unwanted = shared.unwanted.lock().unwrap().contains(&event.reference);
    let refusal = if unwanted {
        Some(StatusCode::CONFLICT)
    } else {
        shared.refusals.lock().unwrap().pop_front()
    };
    shared.seen.send_modify(|seen| {
        let kind = if refusal.is_some() {
            &mut seen.refused
        } else {
            &mut seen.accepted
        };
        kind.push(event);
    });
    refusal.unwrap_or(StatusCode::OK)
}
