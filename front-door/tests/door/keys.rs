//! Keys change while the service runs, and no session ends.

use reqwest::StatusCode;

use crate::support::{Door, SESSION, eventually, key};

#[tokio::test]
async fn a_rotation_ends_no_session_before_its_key_is_gone() {
    let door = Door::open().await;
    let (first, second) = (door.read_keys(), key("second"));
    let mut early = door.logged_in("customer").await;

    // Every instance opens what another one may already seal.
    door.write_keys(&format!("{first}{second}"));
    door.write_keys(&format!("{second}{first}"));
    let mut late = eventually("the new key seals", async || {
        let browser = door.logged_in("customer").await;
        browser.cookies[SESSION].starts_with("second.").then_some(browser)
    })
    .await;
    assert!(early.cookies[SESSION].starts_with("first."));
    assert_eq!(early.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
    let mut renewed = door.browser();
    renewed.cookies.clone_from(&early.cookies);
    assert_eq!(
        renewed.post("/session/refresh").await.status,
        StatusCode::NO_CONTENT
    );
    assert!(renewed.cookies[SESSION].starts_with("second."));

    door.write_keys(&second);
    eventually("the old key opens nothing", async || {
        early
            .check("GET", &[])
            .await
            .is(401, "login_required")
            .then_some(())
    })
    .await;
    for browser in [&mut late, &mut renewed] {
        assert_eq!(browser.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
        assert_eq!(browser.get("/session/me").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported() {
    let door = Door::open().await;
    let mut browser = door.logged_in("customer").await;
    let good = door.read_keys();
    let reported = || serde_json::to_string(&door.health.readiness()).unwrap();
    for bad in ["", "first", "first beef"] {
        door.write_keys(bad);
        eventually("the file is reported", async || {
            reported().contains("cannot be read again").then_some(())
        })
        .await;
        assert!(door.health.readiness().is_ready(), "sessions go on");
        assert_eq!(browser.check("GET", &[]).await.status, StatusCode::NO_CONTENT);
        door.write_keys(&good);
        eventually("the file is good again", async || {
            (!reported().contains("cannot be read again")).then_some(())
        })
        .await;
    }
}
