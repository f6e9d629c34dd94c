//! The customer's page, as a browser meets it.

use payments::{NewPayment, PaymentProvider};
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::running::{Emulator, RETURN_URL, new_payment, options, press};

fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn click(redirect_url: &str, button: &str) -> reqwest::Response {
    let request = browser().post(format!("{redirect_url}/{button}"));
    request
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .send()
        .await
        .unwrap()
}

async fn page(redirect_url: &str) -> String {
    let response = browser().get(redirect_url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn approving_sends_the_browser_back_to_the_shop() {
    let emulator = Emulator::start(options(None)).await;
    let new = NewPayment {
        description: "Lisens <script>alert('x')</script>".to_owned(),
        ..new_payment(1_234_550)
    };
    let url = emulator.vipps().create(&new).await.unwrap().redirect_url;
    let waiting = page(&url).await;
    for text in [
        "12\u{a0}345,50\u{a0}kr",
        "Godkjenn",
        "Approve",
        "Avvis",
        "Decline",
        "width=device-width",
        "lang=\"nb\"",
    ] {
        assert!(waiting.contains(text), "{text} is not in {waiting}");
    }
    assert!(!waiting.contains("<script>"), "{waiting}");
    assert!(waiting.contains("Lisens &lt;script&gt;"), "{waiting}");

    // Twice, as an impatient thumb does.
    for _ in 0..2 {
        let back = click(&url, "approve").await;
        assert_eq!(
            (
                back.status().as_u16(),
                back.headers()["location"].to_str().unwrap()
            ),
            (303, RETURN_URL)
        );
    }
    assert_eq!(
        emulator.inspect(&new.reference).await["history"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let approved = page(&url).await;
    assert!(
        approved.contains("Betalingen er godkjent.") && !approved.contains("<button"),
        "{approved}"
    );
}

#[tokio::test]
async fn declining_ends_it() {
    let emulator = Emulator::start(options(None)).await;
    let url = emulator
        .vipps()
        .create(&new_payment(100))
        .await
        .unwrap()
        .redirect_url;
    assert_eq!(click(&url, "decline").await.status(), 303);
    let late = click(&url, "approve").await;
    assert_eq!(late.status(), 409);
    assert!(late.text().await.unwrap().contains("Betalingen er avvist."));
    assert_eq!(press(&url, "decline").await.0, 200);
    let (status, problem) = press(&url, "approve").await;
    assert_eq!(
        (status, problem["detail"].as_str()),
        (409, Some("the payment is not waiting for the customer"))
    );
}

#[tokio::test]
async fn an_unknown_payment_has_a_page_too() {
    let emulator = Emulator::start(options(None)).await;
    let url = format!("{}/pay/nobody-knows-this", emulator.url);
    assert!(page(&url).await.contains("Vi finner ikke denne betalingen."));
    assert_eq!(click(&url, "approve").await.status(), 404);
    assert_eq!(press(&url, "approve").await.0, 404);
}
