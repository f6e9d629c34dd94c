//! Cookies and requests that no browser of ours sends.

use reqwest::StatusCode;
use reqwest::header::HeaderValue;

use crate::support::{Door, LOGIN, SESSION, key};

#[tokio::test]
async fn a_cookie_that_is_not_ours_is_no_session() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let good = browser.cookies[SESSION].clone();
    browser.begin("/session/login").await;
    let of_a_login = browser.cookies.remove(LOGIN).unwrap();
    let foreign = {
        let other = Door::open().await;
        let other = other.logged_in("admin").await;
        other.cookies[SESSION].clone()
    };
    let unknown_key = good.replacen("first.", "second.", 1);
    let (half, rest) = good.split_at(good.len() / 2);
    for bad in [
        "x",
        ".",
        "first.",
        "first",
        ".first",
        "first.%%%",
        "\"",
        half,
        rest,
        &good[..good.len() - 1],
        &format!("{good}A"),
        &format!("{good}="),
        &good.to_uppercase(),
        &unknown_key,
        &foreign,
        &of_a_login,
        &"A".repeat(20_000),
        &format!("first.{}", "A".repeat(7000)),
    ] {
        browser.cookies.insert(SESSION.to_owned(), bad.to_owned());
        let shown = &bad[..bad.len().min(40)];
        let checked = browser.check("GET", &[]).await;
        assert!(checked.is(401, "login_required"), "{shown}: {checked:?}");
        assert!(
            browser.get("/session/me").await.is(401, "login_required"),
            "{shown}"
        );
        browser.cookies.clear();
        browser.cookies.insert(LOGIN.to_owned(), bad.to_owned());
        if bad != of_a_login {
            let back = browser.get("/session/callback?code=x&state=x").await;
            back.failed_as("login_expired");
        }
        browser.cookies.clear();
    }
    for several in [
        format!("{SESSION}={good}; {SESSION}={good}"),
        format!("{SESSION}={good}; {SESSION}=x"),
    ] {
        let asked = [("x-original-method", "GET"), ("cookie", several.as_str())];
        let checked = door.get("/session/check", &asked).await;
        assert!(checked.is(401, "login_required"), "{checked:?}");
    }
    browser.cookies.insert(SESSION.to_owned(), good);
    assert_eq!(browser.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn bytes_that_are_no_text_harm_nothing() {
    let door = Door::open().await;
    let browser = door.logged_in("customer").await;
    let session = format!("{SESSION}={}", browser.cookies[SESSION]);
    for (cookie, status) in [
        (
            [b"a=\xff\xfe; ", session.as_bytes()].concat(),
            StatusCode::NO_CONTENT,
        ),
        ([session.as_bytes(), b"; \xff"].concat(), StatusCode::NO_CONTENT),
        ([session.as_bytes(), b"\xff"].concat(), StatusCode::UNAUTHORIZED),
        ([SESSION.as_bytes(), b"=\xff"].concat(), StatusCode::UNAUTHORIZED),
    ] {
        let request = door.http.get(format!("{}/session/check", door.url));
        let request = request
            .header("x-original-method", "GET")
            .header("cookie", HeaderValue::from_bytes(&cookie).unwrap());
        assert_eq!(request.send().await.unwrap().status(), status, "{cookie:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_and_the_next_is_answered() {
    let door = Door::open().await;
    let large = format!("{SESSION}={}", "A".repeat(60_000));
    for path in [
        "/session/check",
        "/session/me",
        "/session/login",
        "/session/callback",
    ] {
        let refused = door.get(path, &[("cookie", &large)]).await;
        assert!(refused.is(431, "headers_too_large"), "{path}: {refused:?}");
    }
    let long = format!("/session/login?return_to=/{}", "a".repeat(8000));
    let begun = door.get(&long, &[]).await;
    assert_eq!(begun.status, StatusCode::FOUND, "{begun:?}");
    assert!(begun.cookies()[0].1.len() < 1000, "it leads to / instead");
    assert_eq!(
        door.get("/session/check", &[]).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_as_everywhere() {
    let door = Door::open().await;
    assert!(door.get("/session", &[]).await.is(404, "not_found"));
    assert!(door.get("/session/", &[]).await.is(404, "not_found"));
    let wrong = door.send(reqwest::Method::DELETE, "/session/me", &[]).await;
    assert!(wrong.is(405, "method_not_allowed"), "{wrong:?}");
    assert_ne!(key("a"), key("a"), "tests have keys of their own");
}
