//! A login from its first click to the session, and every way in which it must not succeed.

use reqwest::{StatusCode, Url};
use serde_json::json;
use stack::Lifetimes;
use uuid::Uuid;

use crate::support::{Answer, Browser, Door, LOGIN, SESSION, parameter};

#[tokio::test]
async fn a_person_logs_in_and_comes_back_to_where_they_were() {
    let door = Door::open().await;
    let club = Uuid::new_v4();
    door.issuer().set_clubs(&[club]);
    let mut browser = door.browser();
    let page = browser
        .begin("/session/login?return_to=/klubb/1%3Fdag%3D2&lang=nb")
        .await;
    assert_eq!(parameter(&page, "response_type"), "code");
    assert_eq!(parameter(&page, "code_challenge_method"), "S256");
    assert_eq!(parameter(&page, "ui_locales"), "nb");
    assert!(browser.cookies.contains_key(LOGIN));
    let back = browser.choose(&page, "organizer").await;
    let ended = browser.get(&back).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{ended:?}");
    assert_eq!(ended.header("location"), "/klubb/1?dag=2");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    assert!(browser.cookies[SESSION].starts_with("first."));

    let me = browser.get("/session/me").await;
    assert_eq!(me.status, StatusCode::OK, "{me:?}");
    assert_eq!(
        (&me.body["name"], &me.body["roles"], &me.body["clubs"]),
        (&json!("Olga Løpsleder"), &json!(["organizer"]), &json!([club]))
    );
    let checked = browser.check("GET", &[]).await;
    assert_eq!(checked.status, StatusCode::NO_CONTENT, "{checked:?}");
    let bearer = checked.header("x-bearer").as_bytes();
    let principal = door.state.authenticator.authenticate(bearer).await.unwrap();
    assert_eq!(me.body["user_id"], json!(principal.user_id));
    for answer in [&ended, &me, &checked] {
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn no_token_is_readable_in_a_cookie() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let bearer = browser.check("GET", &[]).await.header("x-bearer").to_owned();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    for part in token.split('.') {
        assert!(!browser.cookies[SESSION].contains(part), "{part}");
    }
    // What is left of the 4096 bytes that browsers keep is for clubs.
    assert!(
        browser.cookies[SESSION].len() < 1500,
        "{}",
        browser.cookies[SESSION].len()
    );
}

#[tokio::test]
async fn a_session_that_no_browser_would_keep_is_a_failure_and_not_a_lost_cookie() {
    let door = Door::open().await;
    let mut browser = door.browser();
    let clubs: Vec<Uuid> = (0..30).map(|_| Uuid::new_v4()).collect();
    door.issuer().set_clubs(&clubs);
    let back = browser.log_in("/session/login", "organizer").await;
    assert_eq!(back.header("location"), "/", "thirty clubs fit");
    let clubs: Vec<Uuid> = (0..100).map(|_| Uuid::new_v4()).collect();
    door.issuer().set_clubs(&clubs);
    let mut browser = door.browser();
    browser
        .log_in("/session/login", "organizer")
        .await
        .failed_as("session_too_large");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn a_person_who_stops_gets_a_page_in_their_language_that_knows_the_way_back() {
    let door = Door::open().await;
    for (path, page, return_to) in [
        ("/session/login", "/innlogging", None),
        ("/session/login?lang=&return_to=", "/innlogging", None),
        ("/session/login?lang=sv", "/innlogging", None),
        (
            "/session/login?lang=en&return_to=/mine?a%3D1%26b",
            "/en/innlogging",
            Some("/mine?a=1&b"),
        ),
    ] {
        let mut browser = door.browser();
        let (to, told) = browser.log_in(path, "").await.failure();
        assert_eq!((to.as_str(), told["feil"].as_str()), (page, "login_cancelled"));
        assert_eq!(told.get("return_to").map(String::as_str), return_to, "{path}");
        assert!(browser.cookies.is_empty());
    }
}

#[tokio::test]
async fn an_answer_to_another_login_is_refused_and_the_login_goes_on() {
    let door = Door::open().await;
    let (mut mine, mut theirs) = (door.browser(), door.browser());
    let page = mine.begin("/session/login").await;
    let their_page = theirs.begin("/session/login").await;
    let their_back = theirs.choose(&their_page, "customer2").await;
    let code = {
        let url = Url::parse(&format!("{}{their_back}", door.url)).unwrap();
        parameter(&url, "code")
    };
    // Another person's login in my browser.
    mine.get(&their_back).await.failed_as("login_refused");
    let state = parameter(&page, "state");
    for query in [
        String::new(),
        "?code=x".to_owned(),
        format!("?code={code}&state="),
        format!("?code={code}&state={state}x"),
        format!("?code={code}&state={state}&state={state}"),
        format!("?code={code}&code={code}&state={state}"),
        format!("?code={code}&state={state}&iss=https://evil.example"),
        "?error=access_denied".to_owned(),
    ] {
        let refused = mine.get(&format!("/session/callback{query}")).await;
        refused.failed_as("login_refused");
        assert!(mine.cookies.contains_key(LOGIN), "{query}");
    }
    let back = mine.choose(&page, "customer").await;
    assert_eq!(mine.get(&back).await.header("location"), "/");
    // Their code with my state is not for my secret.
    let mut another = door.browser();
    let page = another.begin("/session/login").await;
    let state = parameter(&page, "state");
    let mixed = another
        .get(&format!("/session/callback?code={code}&state={state}"))
        .await;
    mixed.failed_as("login_refused");
    assert!(another.cookies.is_empty(), "an attempt is used once");
}

#[tokio::test]
async fn a_login_ends_once() {
    let door = Door::open().await;
    let mut browser = door.browser();
    let page = browser.begin("/session/login").await;
    let back = browser.choose(&page, "customer").await;
    let attempt = browser.cookies[LOGIN].clone();
    assert_eq!(browser.get(&back).await.header("location"), "/");
    browser.get(&back).await.failed_as("login_expired");
    let mut thief = door.browser();
    thief.get(&back).await.failed_as("login_expired");
    thief.cookies.insert(LOGIN.to_owned(), attempt);
    thief.get(&back).await.failed_as("login_refused");
    assert!(thief.cookies.is_empty());
    // The issuer has seen a code twice, and trusts neither.
    assert!(browser.post("/session/refresh").await.is(401, "session_ended"));
}

#[tokio::test]
async fn a_code_that_comes_too_late_is_refused() {
    let door = Door::open().await;
    door.issuer().set_lifetimes(Lifetimes {
        code: chrono::TimeDelta::zero(),
        ..Lifetimes::default()
    });
    let mut browser = door.browser();
    browser
        .log_in("/session/login", "customer")
        .await
        .failed_as("login_refused");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn an_error_of_the_issuer_is_told_by_its_kind() {
    let door = Door::open().await;
    for (error, code) in [
        ("access_denied", "login_cancelled"),
        ("temporarily_unavailable", "login_unavailable"),
        ("server_error", "login_unavailable"),
        ("invalid_scope", "login_refused"),
        ("", "login_refused"),
    ] {
        let mut browser = door.browser();
        let state = parameter(&browser.begin("/session/login").await, "state");
        let back = browser
            .get(&format!("/session/callback?error={error}&state={state}"))
            .await;
        back.failed_as(code);
        assert!(browser.cookies.is_empty(), "{error}");
    }
}

async fn lands(browser: &mut Browser<'_>, return_to: &str) -> Answer {
    browser
        .log_in(&format!("/session/login?return_to={return_to}"), "customer")
        .await
}

#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let door = Door::open().await;
    for bad in [
        "//evil.example",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/%0D%0ASet-Cookie:a=b",
        "/.//evil.example",
        "/%252e//evil.example",
        "/x/..//evil.example",
        "/session/login?return_to=/",
        "/%00",
        "mine",
    ] {
        let mut browser = door.browser();
        let landed = lands(&mut browser, bad).await;
        assert_eq!(landed.header("location"), "/", "{bad}");
    }
    let mut browser = door.browser();
    let fine = lands(&mut browser, "/arbeid/ordrer%3Fq%3D%2523a%23rad-10").await;
    assert_eq!(fine.header("location"), "/arbeid/ordrer?q=%23a#rad-10");
}

#[tokio::test]
async fn a_login_is_begun_with_parameters_that_are_known_and_given_once() {
    let door = Door::open().await;
    for query in ["return_to=/a&return_to=/b", "lang=nb&lang=en", "next=/a"] {
        let refused = door.get(&format!("/session/login?{query}"), &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(refused.cookies().is_empty());
    }
}
