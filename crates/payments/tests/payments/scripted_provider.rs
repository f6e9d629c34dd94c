//! Providers that answer whatever a test wants, as HTTP or as raw bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each request with the next answer of its script, and repeats the last one. Token requests are not scripted.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<VecDeque<Answer>>,
    token_answer: Answer,
    tokens: Mutex<usize>,
    paths: Mutex<Vec<String>>,
    requests: Mutex<Vec<HeaderMap>>,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn problem(status: u16, title: &str) -> Self {
        let body = json!({ "type": "about:blank", "title": title, "detail": "because", "traceId": "1" });
        Self::new(
            status,
            "application/problem+json; charset=utf-8",
            body.to_string(),
        )
    }

    /// A payment as the API describes it.
    pub(crate) fn payment(reference: &str, amount_ore: i64) -> Self {
        let amount = |value: i64| json!({ "currency": "NOK", "value": value });
        Self::json(
            200,
            &json!({
                "reference": reference, "pspReference": "1", "state": "CREATED", "amount": amount(amount_ore),
                "redirectUrl": "https://landing.example.org/?token=1",
                "aggregate": { "authorizedAmount": amount(0), "capturedAmount": amount(0),
                    "cancelledAmount": amount(0), "refundedAmount": amount(0) },
            }),
        )
    }
}

impl Scripted {
    pub(crate) async fn start(script: impl Into<VecDeque<Answer>>) -> Self {
        let token = json!({ "access_token": "token", "expires_in": "3600" });
        Self::with_token_answer(Answer::json(200, &token), script).await
    }

    pub(crate) async fn with_token_answer(token_answer: Answer, script: impl Into<VecDeque<Answer>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into()),
            token_answer,
            tokens: Mutex::default(),
            paths: Mutex::default(),
            requests: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, shared }
    }

    pub(crate) fn tokens_given(&self) -> usize {
        *self.shared.tokens.lock().unwrap()
    }

    /// The path of each request.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.shared.paths.lock().unwrap().clone()
    }

    /// The headers of each request but those for tokens.
    pub(crate) fn requests(&self) -> Vec<HeaderMap> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let answer = if path.ends_with("/accesstoken/get") {
        *shared.tokens.lock().unwrap() += 1;
        shared.token_answer.clone()
    } else {
        shared.requests.lock().unwrap().push(request.headers().clone());
        let mut script = shared.script.lock().unwrap();
        if script.len() > 1 {
            script.pop_front().unwrap()
        } else {
            script.front().unwrap().clone()
        }
    };
    shared.paths.lock().unwrap().push(path);
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    response.headers_mut().clear();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// What a raw provider does with a connection.
#[derive(Clone, Copy)]
pub(crate) enum Raw {
    /// Accepts, and sends nothing.
    Silent,
    /// Begins a proper answer and sends a byte of it now and then.
    Trickle,
    /// Sends this at once and closes.
    Bytes(&'static [u8]),
    /// A body without end, as fast as it is read.
    Endless,
}

/// A provider below HTTP; returns its URL.
pub(crate) async fn raw(behaviour: Raw) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(behave(connection, behaviour));
        }
    });
    url
}

async fn behave(mut connection: tokio::net::TcpStream, behaviour: Raw) -> std::io::Result<()> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let mut request = [0; 4096];
    let _ = connection.read(&mut request).await?;
    match behaviour {
        Raw::Silent => std::future::pending().await,
        Raw::Bytes(bytes) => connection.write_all(bytes).await,
        Raw::Trickle => {
            connection.write_all(HEAD).await?;
            connection.write_all(b"content-length: 100000\r\n\r\n").await?;
            let mut pauses = tokio::time::interval(std::time::Duration::from_millis(20));
            loop {
                pauses.tick().await;
                connection.write_all(b" ").await?;
            }
        }
        Raw::Endless => {
            connection.write_all(HEAD).await?;
            connection.write_all(b"connection: close\r\n\r\n").await?;
            loop {
                connection.write_all(&[b' '; 8192]).await?;
            }
        }
    }
}
