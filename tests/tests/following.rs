//! Changes are told as they happen, through the whole system, and idle streams cost little.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

use chrono::TimeDelta;
use reqwest::Response;
use serde_json::{Value, json};
use stack::{Options, Process, Role};
use system_tests::{PATIENCE, Shop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A stream that is read event by event.
struct Following {
    response: Response,
    text: String,
}

impl Following {
    async fn open(shop: &Shop, token: &str) -> Self {
        let url = format!("{}/api/v1/stream", shop.system.query_api_url());
        let response = shop.http().get(url).bearer_auth(token).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200);
        let mut following = Self {
            response,
            text: String::new(),
        };
        following.until("ready", |_| true).await;
        following
    }

    /// The data of the next event of that name that is sought.
    async fn until(&mut self, name: &str, sought: impl Fn(&Value) -> bool) -> Value {
        let reading = self.find(name, sought);
        // Heartbeats go on for ever.
        timeout(PATIENCE, reading).await.expect("the event in time")
    }

    async fn find(&mut self, name: &str, sought: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.next().await;
            let line = |field: &str| event.lines().find_map(|line| line.strip_prefix(field));
            if line("event: ") != Some(name) {
                continue;
            }
            let data = serde_json::from_str(line("data: ").expect("data")).expect("JSON");
            if sought(&data) {
                return data;
            }
        }
    }

    async fn next(&mut self) -> String {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return event;
            }
            let chunk = self.response.chunk().await;
            let chunk = chunk.expect("a stream").expect("not the end");
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

#[tokio::test]
async fn an_order_is_told_up_to_its_license_and_other_roles_end_a_stream() {
    let shop = Shop::open(Options::default()).await;
    let mut customer = Following::open(&shop, &shop.tokens.customer).await;
    let mut organizer = Following::open(&shop, &shop.tokens.organizer).await;
    let placed = shop.place("followed", &shop.order()).await.expect(201);
    let order_id = placed.text_at("/order_id");
    for following in [&mut customer, &mut organizer] {
        let told = following.until("changed", |data| data["id"] == order_id).await;
        assert_eq!(told["type"], "order");
        assert!(told["position"].as_u64() >= Some(1), "{told}");
    }
    shop.at_provider(&placed, "approve").await.expect(200);
    for following in [&mut customer, &mut organizer] {
        let told = following.until("changed", |data| data["type"] == "license").await;
        let path = format!(
            "/licenses/{}?min_position={}",
            told["id"].as_str().expect("an id"),
            told["position"]
        );
        shop.get(&path, &shop.tokens.customer).await.expect(200);
    }

    let issuer = shop.system.issuer();
    let person = issuer
        .token(Role::Customer, "promoted", &[], TimeDelta::hours(1))
        .expect("a token");
    let mut following = Following::open(&shop, &person).await;
    let body = json!({"language": "nb"});
    let me = shop.patch("/users/me", &person, "me", &body).await.expect(200);
    let user_id = me.text_at("/user_id").to_owned();
    following
        .until("changed", |data| data["id"] == user_id.as_str())
        .await;
    let path = format!("/users/{user_id}/roles");
    let roles = json!({"roles": ["staff"]});
    shop.post(&path, &shop.tokens.admin, "roles", &roles)
        .await
        .expect(200);
    let end = following.until("end", |_| true).await;
    assert_eq!(end["reason"], "roles_changed");
    shop.close().await;
}

/// Idle streams that are measured.
const STREAMS: usize = 500;
/// The most that one may cost. 5,000 streams are then within 200 MB.
const MOST_BYTES: usize = 40_000;

#[tokio::test]
async fn an_idle_stream_costs_little_memory() {
    let shop = Shop::open(Options::default()).await;
    let pid = shop.system.pid(Process::QueryApi).expect("a process");
    // What the first streams allocate is not theirs alone.
    let _first = open(&shop, "first", STREAMS / 5).await;
    let before = resident(pid);
    let _idle = open(&shop, "idle", STREAMS).await;
    let each = resident(pid).saturating_sub(before) / STREAMS;
    assert!(each < MOST_BYTES, "{each} bytes a stream");
    shop.close().await;
}

/// Opens streams of different people, and leaves them.
async fn open(shop: &Shop, group: &str, count: usize) -> Vec<TcpStream> {
    let url = shop.system.query_api_url();
    let address = url.trim_start_matches("http://");
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        let token = shop
            .system
            .issuer()
            .token(
                Role::Customer,
                &format!("{group}-{number}"),
                &[],
                TimeDelta::hours(1),
            )
            .expect("a token");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request =
            format!("GET /api/v1/stream HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains("event: ready") {
            let read = timeout(PATIENCE, stream.read_buf(&mut text))
                .await
                .expect("an answer in time");
            assert_ne!(read.expect("an answer"), 0, "{}", String::from_utf8_lossy(&text));
        }
        streams.push(stream);
    }
    streams
}

/// The resident memory of a process in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.expect("a size") * 1024
}
