//! What the edge gets to know of a request.

use reqwest::StatusCode;

use crate::support::{Door, OURS, SESSION};

const FOREIGN: (&str, &str) = ("sec-fetch-site", "cross-site");

#[tokio::test]
async fn a_cookie_counts_for_changes_only_from_our_own_pages() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let own = ("origin", door.url.clone());
    let own = (own.0, own.1.as_str());
    let other_port = ("origin", "http://127.0.0.1:1");
    let from: [(&[(&str, &str)], bool); 13] = [
        (&[OURS], true),
        (&[OURS, other_port], true),
        (&[own], true),
        (&[], false),
        (&[FOREIGN], false),
        (&[FOREIGN, own], false),
        (&[("sec-fetch-site", "same-site"), own], false),
        (&[("sec-fetch-site", "none"), own], false),
        (&[("sec-fetch-site", ""), own], false),
        (&[OURS, FOREIGN], false),
        (&[other_port], false),
        (&[("origin", "null")], false),
        (&[own, own], false),
    ];
    for (headers, is_ours) in from {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let checked = browser.check(method, headers).await;
            assert_eq!(checked.status, StatusCode::NO_CONTENT, "{method} {headers:?}");
        }
        for method in ["POST", "PATCH", "PUT", "DELETE", "TRACE", "get", "GET ,POST", ""] {
            let checked = browser.check(method, headers).await;
            let bearer = checked.header("x-bearer");
            if is_ours {
                assert_eq!(checked.status, StatusCode::NO_CONTENT, "{method} {headers:?}");
                assert!(bearer.starts_with("Bearer ey"), "{bearer}");
            } else {
                assert!(checked.is(403, "cross_site"), "{method} {headers:?}: {checked:?}");
                assert_eq!(bearer, "");
            }
        }
    }
    let unknown = browser.get("/session/check").await;
    assert_eq!(unknown.status, StatusCode::NO_CONTENT, "from our own page");
    let unknown = browser.send(reqwest::Method::GET, "/session/check", &[]).await;
    assert!(
        unknown.is(403, "cross_site"),
        "without a method it may be a change"
    );
    let twice = browser.check("GET", &[("x-original-method", "GET")]).await;
    assert!(twice.is(403, "cross_site"), "{twice:?}");
}

#[tokio::test]
async fn a_bearer_of_the_callers_own_goes_before_a_cookie() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    for own in ["Bearer of-my-own", "bearer x", "Basic eDp5"] {
        let checked = browser.check("POST", &[("authorization", own), FOREIGN]).await;
        assert_eq!(checked.status, StatusCode::NO_CONTENT);
        assert_eq!(checked.header("x-bearer"), own);
    }
    let empty = browser.check("GET", &[("authorization", "")]).await;
    assert!(
        empty.header("x-bearer").starts_with("Bearer ey"),
        "as if there was none"
    );
    let twice = browser
        .check(
            "GET",
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        )
        .await;
    assert!(twice.is(401, "token_invalid"), "{twice:?}");
    browser.cookies.insert(SESSION.to_owned(), "garbage".to_owned());
    let checked = browser.check("GET", &[("authorization", "Bearer a")]).await;
    assert_eq!(checked.header("x-bearer"), "Bearer a");
}

#[tokio::test]
async fn a_request_without_a_login_goes_on_without_a_token() {
    let door = Door::open().await;
    let mut browser = door.browser();
    browser.cookies.insert("other".to_owned(), "1".to_owned());
    for (method, headers) in [("GET", &[] as &[(&str, &str)]), ("POST", &[FOREIGN])] {
        let checked = browser.check(method, headers).await;
        assert_eq!(checked.status, StatusCode::NO_CONTENT);
        assert_eq!(checked.headers["x-bearer"], "", "{method}");
        assert_eq!(checked.header("cache-control"), "no-store");
    }
}
