//! A person in a browser: logs in, reads and buys by a cookie alone, and no other site can do it for them.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode, Url};
use stack::Process;
use system_tests::{Answer, answer};

use crate::support::{Edge, code};

const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A browser with its cookies.
struct Browser<'a> {
    edge: &'a Edge,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// In which this person has logged in.
    async fn logged_in(edge: &'a Edge, person: &str) -> Self {
        let mut browser = Self {
            edge,
            cookies: BTreeMap::new(),
        };
        let begun = browser
            .send(Method::GET, "/session/login?return_to=/mine", &[OURS], "")
            .await;
        let page: Url = begun.header("location").unwrap().parse().unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        assert_eq!(http.get(page.clone()).send().await.unwrap().status(), 200);
        let mut form: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        form.push(("person".to_owned(), person.to_owned()));
        let mut action = page.clone();
        action.set_query(None);
        let chosen = http.post(action).form(&form).send().await.unwrap();
        let back = chosen.headers()["location"].to_str().unwrap();
        let path = back.strip_prefix(&edge.url).unwrap().to_owned();
        let ended = browser.send(Method::GET, &path, &[], "").await;
        assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text);
        assert_eq!(ended.header("location"), Some("/mine"));
        browser
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = self
            .edge
            .request(method, path)
            .header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = answer(request.body(body.to_owned())).await.unwrap();
        for cookie in response.headers.get_all("set-cookie") {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn order(&mut self, key: &str, headers: &[(&str, &str)]) -> Answer {
        let order = self.edge.shop.order_of(key).to_string();
        let own = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send(Method::POST, "/api/v1/orders", &[&own, headers].concat(), &order)
            .await
    }
}

#[tokio::test]
async fn a_person_buys_by_a_cookie_and_other_sites_cannot_do_it_for_them() {
    let edge = Edge::open(&[]).await;
    let mut browser = Browser::logged_in(&edge, "customer").await;
    let placed = browser.order("by-cookie", &[OURS]).await.expect(201);
    let path = format!(
        "/api/v1/orders/{}?min_position={}",
        placed.text_at("/order_id"),
        placed.position()
    );
    let read = browser.send(Method::GET, &path, &[OURS], "").await.expect(200);
    assert_eq!(read.text_at("/order_id"), placed.text_at("/order_id"));
    assert_eq!(read.header("cache-status"), None, "no copy of what is personal");
    // A link from another site may be followed, and a form of theirs is refused.
    browser
        .send(Method::GET, &path, &[("sec-fetch-site", "cross-site")], "")
        .await
        .expect(200);
    let evil = ("origin", "https://evil.example");
    for foreign in [
        [("sec-fetch-site", "cross-site"), evil].as_slice(),
        &[("sec-fetch-site", "same-site")],
        &[evil],
        &[],
    ] {
        let refused = browser.order("by-another-site", foreign).await.expect(403);
        assert_eq!(code(&refused), "cross_site", "{foreign:?}");
    }
    let own_origin = ("origin", edge.url.as_str());
    browser.order("by-origin", &[own_origin]).await.expect(201);

    // Another person sees none of it, and a cookie that was changed is none.
    let mut other = Browser::logged_in(&edge, "customer2").await;
    other.send(Method::GET, &path, &[OURS], "").await.expect(404);
    for cookie in other.cookies.values_mut() {
        let at = cookie.len() / 2;
        let changed = if cookie.as_bytes()[at] == b'A' { "B" } else { "A" };
        cookie.replace_range(at..=at, changed);
    }
    let refused = other.send(Method::GET, &path, &[OURS], "").await.expect(401);
    assert_eq!(code(&refused), "session_ended");

    // What the cookie says survives the program that sealed it, and a logout ends it in the browser.
    edge.shop.system.kill(Process::FrontDoor).await.unwrap();
    edge.shop.system.wait_ready(Process::FrontDoor).await.unwrap();
    browser.send(Method::GET, &path, &[OURS], "").await.expect(200);
    browser
        .send(Method::POST, "/session/refresh", &[OURS], "")
        .await
        .expect(204);
    browser.send(Method::GET, &path, &[OURS], "").await.expect(200);
    let before = browser.cookies.len();
    browser
        .send(Method::POST, "/session/logout", &[OURS], "")
        .await
        .expect(204);
    assert!(browser.cookies.len() < before);
    browser.send(Method::GET, &path, &[OURS], "").await.expect(401);
    edge.shop.close().await;
}
