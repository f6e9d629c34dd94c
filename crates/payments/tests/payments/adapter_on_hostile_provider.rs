//! The adapter keeps its limits and its contract, whatever the provider answers.

use std::sync::Arc;

use payments::{Error, Limits, PaymentProvider};
use serde_json::json;

use crate::running::{BOTH, NEXI_KEY, impatient, in_time, new_payment, nexi, vipps};
use crate::scripted_provider::{Answer, Raw, Scripted, raw};

const REFERENCE: &str = "order-0001";

fn unavailable(result: Result<payments::Payment, Error>) -> String {
    match result {
        Err(Error::Unavailable(reason)) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    // The listener is closed at once, so connecting is refused. An open listener without accepts would hang the caller.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for kind in BOTH {
        let adapter = kind.adapter(&format!("http://{closed}"), impatient());
        assert_eq!(
            unavailable(in_time(adapter.get(REFERENCE)).await),
            "connection failed"
        );
    }
}

#[tokio::test]
async fn silence_and_trickling_are_unavailable() {
    for kind in BOTH {
        for behaviour in [Raw::Silent, Raw::Trickle] {
            let adapter = kind.adapter(&raw(behaviour).await, impatient());
            assert_eq!(unavailable(in_time(adapter.get(REFERENCE)).await), "timed out");
        }
    }
}

#[tokio::test]
async fn the_deadline_holds_however_many_retries_are_left() {
    for kind in BOTH {
        let limits = Limits {
            retries: 1000,
            ..impatient()
        };
        let adapter = kind.adapter(&raw(Raw::Silent).await, limits);
        assert_eq!(
            unavailable(in_time(adapter.get(REFERENCE)).await),
            "no answer before the deadline"
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_are_unavailable() {
    for kind in BOTH {
        for bytes in [
            &b"\x00\x01\x02garbage\r\n\r\n"[..],
            b"",
            b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\ncut",
        ] {
            let adapter = kind.adapter(&raw(Raw::Bytes(bytes)).await, impatient());
            assert_eq!(
                unavailable(in_time(adapter.get(REFERENCE)).await),
                "the connection broke"
            );
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    for kind in BOTH {
        let adapter = kind.adapter(&raw(Raw::Endless).await, Limits::default());
        let result = in_time(adapter.get(REFERENCE)).await;
        assert_eq!(result, Err(Error::Protocol("the answer is too large".to_owned())));
    }
}

#[tokio::test]
async fn a_large_answer_is_refused_and_not_asked_for_again() {
    for kind in BOTH {
        let provider = Scripted::start([Answer::json(200, &json!("x".repeat(100_000)))]).await;
        let result = kind.adapter(&provider.url, impatient()).get(REFERENCE).await;
        assert_eq!(result, Err(Error::Protocol("the answer is too large".to_owned())));
        assert_eq!(provider.requests().len(), 1);
    }
}

#[tokio::test]
async fn each_status_of_nexi_has_its_meaning() {
    let html = |status| Answer::new(status, "text/html", "<h1>Nei</h1>");
    let field = json!({ "errors": { "amount": ["too much"] } });
    let message = json!({ "code": "1001", "message": "No such payment", "source": "internal" });
    let unavailable = |reason: &str| Error::Unavailable(reason.to_owned());
    let refused = |status, detail: &str| Error::Refused {
        status,
        detail: detail.to_owned(),
    };
    let no_proof = Error::Protocol("404 that does not come from the API".to_owned());
    let cases = [
        (Answer::json(404, &message), Error::NotFound, 1),
        (html(404), no_proof.clone(), 1),
        (Answer::new(404, "text/plain", ""), no_proof, 1),
        (Answer::json(400, &field), refused(400, "amount: too much"), 1),
        (
            Answer::json(402, &message),
            refused(402, "No such payment; code 1001"),
            1,
        ),
        (html(401), unavailable("our credentials are refused"), 1),
        (
            html(403),
            unavailable("our credentials are not allowed to do this"),
            1,
        ),
        (html(429), unavailable("too many requests"), 1),
        (html(500), unavailable("status 500"), 3),
        (html(302), Error::Protocol("status 302".to_owned()), 1),
        (
            html(200),
            Error::Protocol("not the expected JSON at line 1 column 1".to_owned()),
            1,
        ),
    ];
    for (answer, expected, requests) in cases {
        let provider = Scripted::start([answer]).await;
        let adapter = nexi(&provider.url, impatient());
        assert_eq!(adapter.get(REFERENCE).await, Err(expected));
        assert_eq!(provider.requests().len(), requests);
        assert_eq!(provider.requests()[0]["authorization"], NEXI_KEY);
    }
}

#[tokio::test]
async fn a_create_at_nexi_is_sent_once_and_trusts_no_address() {
    let new = new_payment(1000);
    for status in [500, 503, 408] {
        let provider = Scripted::start([Answer::json(status, &json!({}))]).await;
        let result = nexi(&provider.url, impatient()).create(&new).await;
        assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
        assert_eq!(provider.requests().len(), 1, "{status}");
    }
    for (payment_id, url) in [
        ("0123abcd", "javascript:x"),
        ("../../x", "https://pay.example.org/"),
        ("", "https://pay.example.org/"),
    ] {
        let body = json!({ "paymentId": payment_id, "hostedPaymentPageUrl": url });
        let provider = Scripted::start([Answer::json(201, &body)]).await;
        let result = nexi(&provider.url, impatient()).create(&new).await;
        assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
    }
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    let html = |status| Answer::new(status, "text/html", "<h1>Nei</h1>");
    let refused = |status, detail: &str| Error::Refused {
        status,
        detail: detail.to_owned(),
    };
    let unavailable = |reason: &str| Error::Unavailable(reason.to_owned());
    let elsewhere = Answer {
        headers: vec![("location", "http://127.0.0.1:1/".to_owned())],
        ..html(302)
    };
    let cases = [
        (Answer::problem(404, "Not Found"), Error::NotFound, 1),
        (
            html(404),
            Error::Protocol("404 that does not come from the API".to_owned()),
            1,
        ),
        (
            Answer::problem(400, "Bad Request"),
            refused(400, "Bad Request: because"),
            1,
        ),
        (html(422), refused(422, ""), 1),
        (
            html(403),
            unavailable("our credentials are not allowed to do this"),
            1,
        ),
        (html(429), unavailable("too many requests"), 1),
        (html(408), unavailable("status 408"), 3),
        (html(500), unavailable("status 500"), 3),
        (Answer::problem(503, "Down"), unavailable("status 503"), 3),
        (
            Answer::new(503, "text/html", vec![b' '; 200_000]),
            unavailable("status 503"),
            3,
        ),
        (elsewhere, Error::Protocol("status 302".to_owned()), 1),
        (
            html(200),
            Error::Protocol("not the expected JSON at line 1 column 1".to_owned()),
            1,
        ),
        (
            Answer::new(200, "application/json", ""),
            Error::Protocol("not the expected JSON at line 1 column 0".to_owned()),
            1,
        ),
        (
            Answer::payment("another-order", 1),
            Error::Protocol("the answer is about another payment".to_owned()),
            1,
        ),
    ];
    for (answer, expected, requests) in cases {
        let provider = Scripted::start([answer]).await;
        assert_eq!(
            vipps(&provider.url, impatient()).get(REFERENCE).await,
            Err(expected)
        );
        assert_eq!(provider.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_not_noticed() {
    let provider = Scripted::start([
        Answer::problem(503, "Down"),
        Answer::problem(500, "Oops"),
        Answer::payment(REFERENCE, 1000),
    ])
    .await;
    let found = vipps(&provider.url, impatient())
        .capture(REFERENCE, 1000, "capture-key")
        .await
        .unwrap();
    assert_eq!(found.amount_ore, 1000);
    let keys: Vec<_> = provider
        .requests()
        .iter()
        .map(|headers| headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys, ["capture-key"; 3], "a repeated change carries the same key");
}

#[tokio::test]
async fn every_request_carries_who_we_are() {
    let provider = Scripted::start([Answer::payment(REFERENCE, 1000)]).await;
    vipps(&provider.url, impatient()).get(REFERENCE).await.unwrap();
    let headers = &provider.requests()[0];
    assert_eq!(headers["authorization"], "Bearer token");
    assert_eq!(headers["ocp-apim-subscription-key"], "subscription");
    assert_eq!(headers["merchant-serial-number"], "123456");
    assert!(headers.get("client_secret").is_none());
}

#[tokio::test]
async fn a_path_before_the_api_is_kept() {
    for slash in ["", "/"] {
        let provider = Scripted::start([Answer::payment(REFERENCE, 1000)]).await;
        let behind_gateway = vipps(&format!("{}/vipps{slash}", provider.url), impatient());
        behind_gateway.get(REFERENCE).await.unwrap();
        let paths = provider.paths();
        assert_eq!(
            paths,
            ["/vipps/accesstoken/get", "/vipps/epayment/v1/payments/order-0001"]
        );
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let script = [
        Answer::problem(401, "Unauthorized"),
        Answer::payment(REFERENCE, 1000),
    ];
    let provider = Scripted::start(script).await;
    let adapter = vipps(&provider.url, impatient());
    assert!(adapter.get(REFERENCE).await.is_ok());
    assert_eq!((provider.tokens_given(), provider.requests().len()), (2, 2));
    assert!(adapter.get(REFERENCE).await.is_ok());
    assert_eq!((provider.tokens_given(), provider.requests().len()), (2, 3));

    let provider = Scripted::start([Answer::problem(401, "Unauthorized")]).await;
    let reason = unavailable(vipps(&provider.url, impatient()).get(REFERENCE).await);
    assert_eq!(reason, "our credentials are refused");
    assert_eq!((provider.tokens_given(), provider.requests().len()), (2, 2));
}

#[tokio::test]
async fn many_requests_share_one_token() {
    let provider = Scripted::start([Answer::payment(REFERENCE, 1000)]).await;
    let adapter = Arc::new(vipps(&provider.url, Limits::default()));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let adapter = Arc::clone(&adapter);
        requests.spawn(async move { adapter.get(REFERENCE).await.is_ok() });
    }
    assert!(requests.join_all().await.into_iter().all(|ok| ok));
    assert_eq!((provider.tokens_given(), provider.requests().len()), (1, 32));
}

#[tokio::test]
async fn a_token_that_can_not_be_had_is_unavailable() {
    let cases = [
        (
            Answer::json(400, &json!({ "error": "invalid_client" })),
            "our credentials are refused",
            1,
        ),
        (
            Answer::problem(401, "Unauthorized"),
            "our credentials are refused",
            1,
        ),
        (Answer::problem(500, "Oops"), "status 500", 3),
    ];
    for (token_answer, expected, tokens) in cases {
        let provider = Scripted::with_token_answer(token_answer, [Answer::payment(REFERENCE, 1)]).await;
        assert_eq!(
            unavailable(vipps(&provider.url, impatient()).get(REFERENCE).await),
            expected
        );
        assert_eq!((provider.tokens_given(), provider.requests().len()), (tokens, 0));
    }
    let nonsense = Answer::json(200, &json!({ "access_token": "two\r\nlines", "expires_in": 1 }));
    let provider = Scripted::with_token_answer(nonsense, [Answer::payment(REFERENCE, 1)]).await;
    let result = vipps(&provider.url, impatient()).get(REFERENCE).await;
    assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
}

#[tokio::test]
async fn a_create_trusts_neither_the_reference_nor_the_address() {
    let new = new_payment(1000);
    let created = |reference: &str, url: &str| {
        Answer::json(201, &json!({ "reference": reference, "redirectUrl": url }))
    };
    for answer in [
        created("another-order", "https://landing.example.org"),
        created(&new.reference, "javascript:x"),
    ] {
        let provider = Scripted::start([answer]).await;
        let result = vipps(&provider.url, impatient()).create(&new).await;
        assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
    }
}

#[tokio::test]
async fn a_conflict_on_create_is_looked_into() {
    let new = new_payment(1000);
    let conflict = Answer::problem(409, "Conflict");
    let provider = Scripted::start([conflict.clone(), Answer::payment(&new.reference, 1000)]).await;
    let created = vipps(&provider.url, impatient()).create(&new).await.unwrap();
    assert_eq!(created.redirect_url, "https://landing.example.org/?token=1");
    assert_eq!(provider.requests()[0]["idempotency-key"], new.reference.as_str());

    let provider = Scripted::start([conflict, Answer::problem(404, "Not Found")]).await;
    let result = vipps(&provider.url, impatient()).create(&new).await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
}
