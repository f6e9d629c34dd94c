//! A shop with an edge, and requests to it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use stack::{Options, Process};
use system_tests::{Answer, PATIENCE, Shop, answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A shop behind its edge.
pub(crate) struct Edge {
    pub(crate) shop: Shop,
    pub(crate) url: String,
    /// Follows no redirect.
    client: Client,
}

impl Edge {
    /// With these settings of query-api.
    pub(crate) async fn open(settings: &[(&str, &str)]) -> Self {
        let setting = |(name, value): &(&str, &str)| {
            let (name, value) = ((*name).to_owned(), (*value).to_owned());
            (Process::QueryApi, name, value)
        };
        let shop = Shop::open(Options {
            edge: true,
            env: settings.iter().map(setting).collect(),
            ..Options::default()
        })
        .await;
        let url = shop.system.edge_url();
        Self {
            shop,
            url,
            client: client_at(Ipv4Addr::LOCALHOST),
        }
    }

    /// The same while front-door is away.
    pub(crate) async fn without_login() -> Self {
        let edge = Self::open(&[]).await;
        edge.shop.system.crash(Process::FrontDoor).await.unwrap();
        edge
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await.unwrap()
    }

    /// The same from query-api itself.
    pub(crate) async fn direct(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.shop.system.query_api_url());
        answer(self.client.get(url)).await.unwrap()
    }

    /// A command without a session.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        answer(request.body(body.to_owned())).await.unwrap()
    }

    /// Puts a file among those that the edge serves.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path: PathBuf = self.shop.system.pages().unwrap().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Bytes as they are sent, and the whole answer as text.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        // A connection whose request was refused before all of it came is reset after the answer.
        let reading = stream.read_to_end(&mut text);
        let _ = tokio::time::timeout(PATIENCE, reading).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What one of the programs has counted with that label.
    pub(crate) async fn counted(&self, label: &str) -> f64 {
        let ops = self.shop.system.query_ops_url();
        let count = self.shop.metric(&ops, "bilsport_http_requests_total", label);
        count.await.unwrap_or_default()
    }
}

/// A client with that address of this machine.
pub(crate) fn client_at(address: Ipv4Addr) -> Client {
    Client::builder()
        .local_address(IpAddr::from(address))
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// The code of a problem, which has the shape of those of the programs.
#[track_caller]
pub(crate) fn code(refused: &Answer) -> &str {
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json"),
        "{refused:?}"
    );
    assert_eq!(refused.header("cache-control"), Some("no-store"), "{refused:?}");
    assert_eq!(
        refused.body["status"],
        refused.status.as_u16(),
        "{}",
        refused.text
    );
    assert_eq!(
        refused.text_at("/request_id"),
        refused.header("x-request-id").unwrap()
    );
    assert!(!refused.text_at("/message_nb").is_empty() && !refused.text_at("/message_en").is_empty());
    let code = refused.text_at("/code");
    assert!(refused.text_at("/type").ends_with(&format!("/problems/{code}")));
    code
}
