//! Sessions go on, expire and end.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use stack::Lifetimes;

use crate::support::{Door, SESSION};

#[tokio::test]
async fn a_refresh_gives_other_tokens_for_the_same_person() {
    let door = Door::open().await;
    let mut browser = door.logged_in("staff").await;
    let me = browser.get("/session/me").await.body;
    let (before, cookie) = (browser.check("GET", &[]).await, browser.cookies[SESSION].clone());
    let refreshed = browser.post("/session/refresh").await;
    assert_eq!(refreshed.status, StatusCode::NO_CONTENT, "{refreshed:?}");
    assert_eq!(refreshed.header("cache-control"), "no-store");
    assert_ne!(browser.cookies[SESSION], cookie);
    assert_ne!(
        browser.check("GET", &[]).await.header("x-bearer"),
        before.header("x-bearer")
    );
    let after = browser.get("/session/me").await.body;
    for same in ["user_id", "name", "roles"] {
        assert_eq!(after[same], me[same], "{same}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let mut thief = door.browser();
    thief.cookies.clone_from(&browser.cookies);
    assert_eq!(
        browser.post("/session/refresh").await.status,
        StatusCode::NO_CONTENT
    );
    for robbed in [&mut thief, &mut browser] {
        let ended = robbed.post("/session/refresh").await;
        assert!(ended.is(401, "session_ended"), "{ended:?}");
        assert!(robbed.cookies.is_empty(), "the cookie is taken away");
    }
}

#[tokio::test]
async fn an_expired_session_needs_a_refresh_and_nothing_else() {
    let door = Door::open().await;
    door.issuer().set_lifetimes(Lifetimes {
        access: TimeDelta::zero(),
        ..Lifetimes::default()
    });
    let mut browser = door.logged_in("customer").await;
    assert!(browser.get("/session/me").await.is(401, "session_expired"));
    let checked = browser.check("GET", &[]).await;
    assert!(checked.is(401, "session_expired") && checked.header("x-bearer").is_empty());
    door.issuer().set_lifetimes(Lifetimes::default());
    assert_eq!(
        browser.post("/session/refresh").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(browser.get("/session/me").await.status, StatusCode::OK);
    assert_eq!(browser.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_session_ends_when_the_issuer_says_so() {
    let door = Door::open().await;
    door.issuer().set_lifetimes(Lifetimes {
        refresh: TimeDelta::zero(),
        ..Lifetimes::default()
    });
    let mut browser = door.logged_in("customer").await;
    assert!(browser.post("/session/refresh").await.is(401, "session_ended"));
    assert!(browser.get("/session/me").await.is(401, "login_required"));
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_refresh() {
    let door = Door::open().await;
    for cookie in [None, Some("garbage"), Some("first.AAAA"), Some("")] {
        let mut browser = door.browser();
        browser
            .cookies
            .extend(cookie.map(|value| (SESSION.to_owned(), value.to_owned())));
        let ended = browser.post("/session/refresh").await;
        assert!(ended.is(401, "session_ended"), "{ended:?}");
        assert!(browser.cookies.is_empty());
        assert!(browser.get("/session/me").await.is(401, "login_required"));
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_ends_no_session() {
    let mut door = Door::open().await;
    let cookies = door.logged_in("customer").await.cookies;
    door.issuer = None;
    let mut browser = door.browser();
    browser.cookies = cookies;
    let unavailable = browser.post("/session/refresh").await;
    assert!(unavailable.is(503, "login_unavailable"), "{unavailable:?}");
    assert!(!unavailable.header("retry-after").is_empty());
    assert!(browser.cookies.contains_key(SESSION));
    assert_eq!(browser.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(browser.get("/session/me").await.status, StatusCode::OK);
    let begun = Instant::now();
    assert_eq!(
        browser.post("/session/logout").await.status,
        StatusCode::NO_CONTENT
    );
    assert!(begun.elapsed() < Duration::from_secs(4), "a farewell is short");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn a_logout_ends_the_session_here_and_at_the_issuer() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let mut thief = door.browser();
    thief.cookies.clone_from(&browser.cookies);
    for _ in 0..2 {
        assert_eq!(
            browser.post("/session/logout").await.status,
            StatusCode::NO_CONTENT
        );
        assert!(browser.cookies.is_empty());
    }
    assert!(browser.get("/session/me").await.is(401, "login_required"));
    assert!(thief.post("/session/refresh").await.is(401, "session_ended"));
}

#[tokio::test]
async fn only_our_own_pages_refresh_and_log_out() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    for path in ["/session/refresh", "/session/logout"] {
        for headers in [
            &[] as &[(&str, &str)],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://evil.example")],
        ] {
            let refused = browser.send(Method::POST, path, headers).await;
            assert!(refused.is(403, "cross_site"), "{path} {headers:?}: {refused:?}");
        }
        let refused = browser.get(path).await;
        assert_eq!(
            refused.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "a link does neither"
        );
    }
    let own = door.url.clone();
    let refreshed = browser
        .send(Method::POST, "/session/refresh", &[("origin", &own)])
        .await;
    assert_eq!(refreshed.status, StatusCode::NO_CONTENT);
}
