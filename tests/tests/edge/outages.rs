//! Each program behind the edge is killed in turn, and the edge itself.

use reqwest::Method;
use stack::Process;
use system_tests::{answer, eventually};

use crate::support::{Edge, code};

#[tokio::test]
async fn what_is_away_is_named_and_all_else_goes_on() {
    let edge = Edge::without_login().await;
    let system = &edge.shop.system;

    // front-door.
    assert_eq!(
        code(&edge.get("/api/v1/orders").await.expect(503)),
        "login_unavailable"
    );
    let refused = edge.post("/api/v1/orders", "{}").await.expect(503);
    assert_eq!(code(&refused), "login_unavailable");
    assert_eq!(refused.header("retry-after"), Some("2"));
    let refresh = edge.post("/session/refresh", "").await.expect(503);
    assert_eq!(code(&refresh), "login_unavailable");
    edge.get("/api/v1/clubs").await.expect(200);
    system.start_one(Process::FrontDoor).await.unwrap();
    assert_eq!(
        code(&edge.get("/api/v1/orders").await.expect(401)),
        "unauthorized"
    );

    // command-api: all reads go on.
    system.crash(Process::CommandApi).await.unwrap();
    let webhook = edge.post("/api/v1/webhooks/nexi", "{}").await.expect(503);
    assert_eq!(code(&webhook), "unavailable");
    assert_eq!(webhook.header("retry-after"), Some("1"));
    edge.get("/api/v1/terms").await.expect(200);
    system.start_one(Process::CommandApi).await.unwrap();
    let refused = edge.post("/api/v1/webhooks/nexi", "{}").await.expect(401);
    assert_eq!(code(&refused), "signature_invalid");

    // query-api: files, copies and webhooks go on.
    system.crash(Process::QueryApi).await.unwrap();
    edge.get("/").await.expect(200);
    edge.get("/api/v1/clubs").await.expect(200);
    edge.post("/api/v1/webhooks/nexi", "{}").await.expect(401);
    let nothing = format!("/api/v1/orders/{}/return-status?t=x", uuid::Uuid::now_v7());
    assert_eq!(code(&edge.get(&nothing).await.expect(503)), "unavailable");
    system.start_one(Process::QueryApi).await.unwrap();
    edge.get(&nothing).await.expect(401);
    edge.shop.close().await;
}

#[tokio::test]
async fn a_page_without_its_program_says_so_in_two_languages_and_needs_no_script() {
    let edge = Edge::without_login().await;
    let html = edge.request(Method::GET, "/session/login?to=/mine");
    let html = html.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = answer(html).await.unwrap().expect(503);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("retry-after"), Some("5"));
    for text in [
        "ikke tilgjengelig akkurat nå",
        "not available right now",
        "lang=\"nb\"",
        "lang=\"en\"",
    ] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    let missing = edge.get("/nowhere").await.expect(404);
    assert!(missing.text.contains("Vi finner ikke siden") && missing.text.contains("We cannot find"));
    let front = edge.get("/").await.expect(200);
    for page in [&page, &missing, &front] {
        for refused in ["<script", "style=", "<style", "http://", "https://", " on"] {
            let inside = page.text.split('<').any(|tag| {
                let tag = tag.split('>').next().unwrap_or_default();
                format!("<{tag}").contains(refused)
            });
            assert!(!inside, "{refused}: {}", page.text);
        }
    }
    // Nothing that a page names is missing.
    for page in [&page, &missing, &front] {
        let names = page.text.split("href=\"").skip(1);
        for name in names.filter_map(|rest| rest.split('"').next()) {
            edge.get(name).await.expect(200);
        }
    }
    edge.shop.close().await;
}

/// Whether a program has bytes to read from the edge.
fn unread(url: &str) -> bool {
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    // 127.0.0.1 and 127.0.0.2, as the kernel prints them.
    let (program, edge) = (format!("0100007F:{port:04X}"), "0200007F:");
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    connections.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, _, queues, ..] = fields[..] else {
            return false;
        };
        local == program && remote.starts_with(edge) && !queues.ends_with(":00000000")
    })
}

#[tokio::test]
async fn a_killed_edge_comes_back_and_a_stopped_one_leaves_nothing() {
    let edge = Edge::open(&[]).await;
    let system = &edge.shop.system;
    edge.get("/").await.expect(200);
    system.kill(Process::Edge).await.unwrap();
    eventually("the edge answers again", async || {
        let again = answer(edge.request(Method::GET, "/api/v1/clubs")).await.ok()?;
        (again.status == 200).then_some(())
    })
    .await;
    assert_eq!(system.restarts(Process::Edge).unwrap(), 1);

    // Requests under way are answered before it stops.
    system.pause(Process::QueryApi).unwrap();
    let slow = edge.get("/api/v1/terms");
    let stopping = async {
        eventually("the request is under way", async || {
            unread(&system.query_api_url()).then_some(())
        })
        .await;
        let ((), resumed) = tokio::join!(async { system.stop_one(Process::Edge).await.unwrap() }, async {
            system.resume(Process::QueryApi)
        });
        resumed.unwrap();
    };
    let (answered, ()) = tokio::join!(slow, stopping);
    answered.expect(200);
    assert_eq!(system.pid(Process::Edge), None);
    let dir = system.pages().unwrap();
    let left: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path().join("cwd")).ok())
        .filter(|cwd| Some(cwd.as_path()) == dir.parent())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(answer(edge.request(Method::GET, "/")).await.is_err());
    system.start_one(Process::Edge).await.unwrap();
    edge.get("/").await.expect(200);
    edge.shop.close().await;
}
