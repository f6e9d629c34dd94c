//! What the emulator demands of a merchant. The adapter always complies, so these tests send their requests without it.

use payments::emulator::Options;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::running::{Emulator, new_payment, options};

/// A merchant that sends arbitrary requests.
struct Merchant {
    http: Client,
    url: String,
    token: String,
}

impl Merchant {
    async fn log_in(emulator: &Emulator) -> Self {
        let http = Client::new();
        let request = http
            .post(format!("{}/accesstoken/get", emulator.url))
            .header("client_id", "client")
            .header("client_secret", "client-secret")
            .header("Ocp-Apim-Subscription-Key", "subscription");
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&answer["token_type"], &answer["expires_in"]),
            (&json!("Bearer"), &json!("3600"))
        );
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self {
            http,
            url: emulator.url.clone(),
            token,
        }
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Response {
        let request = self
            .http
            .post(format!("{}/epayment/v1/payments{path}", self.url))
            .bearer_auth(&self.token)
            .header("Ocp-Apim-Subscription-Key", "subscription")
            .header("Merchant-Serial-Number", "123456")
            .header("Idempotency-Key", key);
        request.json(body).send().await.unwrap()
    }
}

async fn problem(response: Response) -> (u16, String) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert!(
        body["type"].is_string() && body["title"].is_string() && body["traceId"].is_string(),
        "{body}"
    );
    (status, body["detail"].as_str().unwrap().to_owned())
}

fn creation(reference: &str) -> Value {
    json!({
        "amount": { "currency": "NOK", "value": 1000 },
        "paymentMethod": { "type": "WALLET" },
        "reference": reference,
        "userFlow": "WEB_REDIRECT",
        "returnUrl": "https://shop.example.org/",
        "paymentDescription": "En lisens",
    })
}

#[tokio::test]
async fn credentials_are_checked() {
    let emulator = Emulator::start(options(None)).await;
    let merchant = Merchant::log_in(&emulator).await;
    let login = |id: &str, secret: &str, key: &str| {
        let request = merchant.http.post(format!("{}/accesstoken/get", emulator.url));
        request
            .header("client_id", id)
            .header("client_secret", secret)
            .header("Ocp-Apim-Subscription-Key", key)
    };
    for wrong in [
        login("other", "client-secret", "subscription"),
        login("client", "", "subscription"),
        login("client", "client-secret", "other"),
    ] {
        assert_eq!(problem(wrong.send().await.unwrap()).await.0, 401);
    }
    let read = |token: &str, key: &str, msn: &str| {
        let request = merchant
            .http
            .get(format!("{}/epayment/v1/payments/order-0001", emulator.url));
        request
            .bearer_auth(token)
            .header("Ocp-Apim-Subscription-Key", key)
            .header("Merchant-Serial-Number", msn)
    };
    for (wrong, status) in [
        (read("made-up", "subscription", "123456"), 401),
        (read(&merchant.token, "other", "123456"), 401),
        (read(&merchant.token, "subscription", "654321"), 403),
        (read(&merchant.token, "subscription", "123456"), 404),
    ] {
        assert_eq!(problem(wrong.send().await.unwrap()).await.0, status);
    }
}

#[tokio::test]
async fn a_create_is_checked() {
    let emulator = Emulator::start(options(None)).await;
    let merchant = Merchant::log_in(&emulator).await;
    let wrong = [
        ("/reference", json!("short")),
        ("/reference", json!("with space in it")),
        ("/reference", json!("x".repeat(51))),
        ("/amount/currency", json!("EUR")),
        ("/amount/value", json!(0)),
        ("/amount/value", json!(-1)),
        ("/amount/value", json!(10.5)),
        ("/amount/value", json!(i64::MAX)),
        ("/userFlow", json!("PUSH_MESSAGE")),
        ("/returnUrl", json!("javascript:alert(1)")),
        ("/returnUrl", json!("https://x/\r\nset-cookie:a")),
        ("/paymentMethod", json!({ "type": "CASH" })),
        ("/paymentDescription", json!("x".repeat(101))),
    ];
    for (pointer, value) in wrong {
        let mut body = creation("order-0001");
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            problem(merchant.post("", "key", &body).await).await.0,
            400,
            "{body}"
        );
    }
    for key in ["", &"k".repeat(51)] {
        assert_eq!(
            problem(merchant.post("", key, &creation("order-0001")).await)
                .await
                .0,
            400
        );
    }
    assert_eq!(
        merchant
            .post("", &"k".repeat(50), &creation("order-0001"))
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let emulator = Emulator::start(options(None)).await;
    let merchant = Merchant::log_in(&emulator).await;
    let first: Value = merchant
        .post("", "key-1", &creation("order-0001"))
        .await
        .json()
        .await
        .unwrap();
    let again = merchant.post("", "key-1", &creation("order-0001")).await;
    assert_eq!(again.status(), 201);
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let reused = problem(merchant.post("", "key-1", &creation("order-0002")).await).await;
    assert_eq!(
        reused,
        (409, "the idempotency key was used for another request".to_owned())
    );
    let taken = problem(merchant.post("", "key-2", &creation("order-0001")).await).await;
    assert_eq!(taken, (409, "a payment with this reference exists".to_owned()));
}

#[tokio::test]
async fn a_full_emulator_says_so() {
    let emulator = Emulator::start(Options {
        max_payments: 1,
        ..options(None)
    })
    .await;
    let merchant = Merchant::log_in(&emulator).await;
    assert_eq!(
        merchant.post("", "key-1", &creation("order-0001")).await.status(),
        201
    );
    assert_eq!(
        problem(merchant.post("", "key-2", &creation("order-0002")).await)
            .await
            .0,
        507
    );
    assert_eq!(
        merchant.post("", "key-1", &creation("order-0001")).await.status(),
        201
    );
}

#[tokio::test]
async fn a_cancel_that_must_not_release_does_not() {
    let emulator = Emulator::start(options(None)).await;
    let merchant = Merchant::log_in(&emulator).await;
    let reference = new_payment(1000).reference;
    merchant.post("", "key-1", &creation(&reference)).await;
    crate::running::press(&format!("{}/pay/{reference}", emulator.url), "approve").await;
    let path = format!("/{reference}/cancel");
    let only_waiting = merchant
        .post(&path, "key-2", &json!({ "cancelTransactionOnly": true }))
        .await;
    assert_eq!(problem(only_waiting).await.0, 409);
    assert_eq!(merchant.post(&path, "key-3", &json!({})).await.status(), 200);
}

#[tokio::test]
async fn bodies_are_bounded_and_strange_paths_are_problems() {
    let emulator = Emulator::start(options(None)).await;
    let merchant = Merchant::log_in(&emulator).await;
    let huge = json!({ "reference": "x".repeat(100_000) });
    assert_eq!(merchant.post("", "key", &huge).await.status(), 413);
    let strange = reqwest::get(format!("{}/epayment/v2/payments", emulator.url))
        .await
        .unwrap();
    assert_eq!(problem(strange).await.0, 404);
    let fault = merchant
        .http
        .post(format!("{}/emulator/faults", emulator.url))
        .body(r#"{"api":"melt"}"#);
    assert_eq!(problem(fault.send().await.unwrap()).await.0, 400);
}

#[tokio::test]
async fn it_is_ready_and_fails_when_told() {
    let emulator = Emulator::start(options(None)).await;
    let ready = reqwest::get(format!("{}/health/ready", emulator.url))
        .await
        .unwrap();
    assert_eq!(
        (ready.status().as_u16(), ready.text().await.unwrap()),
        (200, r#"{"status":"ready"}"#.to_owned())
    );
    let merchant = Merchant::log_in(&emulator).await;
    emulator.fault(json!({ "api": "unavailable" })).await;
    assert_eq!(
        problem(merchant.post("", "key-1", &creation("order-0001")).await)
            .await
            .0,
        503
    );
    emulator.fault(json!({})).await;
    assert_eq!(
        merchant.post("", "key-1", &creation("order-0001")).await.status(),
        201
    );
}
