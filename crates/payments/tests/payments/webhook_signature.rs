//! The published test vector, and webhooks that must be refused.

use payments::vipps::webhook::{Event, EventName, Refused, host_of, sign, verify};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const SECRET: &str =
    "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo/xU6FY/A==";
const PATH: &str = "/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63";
const HOST: &str = "webhook.site";
const DATE: &str = "Thu, 30 Mar 2023 08:38:32 GMT";
const BODY: &[u8] = br#"{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}"#;
const CONTENT_HASH: &str = "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4=";
const AUTHORIZATION: &str = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=";

fn headers() -> HeaderMap {
    with([
        ("x-ms-date", DATE),
        ("x-ms-content-sha256", CONTENT_HASH),
        ("authorization", AUTHORIZATION),
    ])
}

fn with<const N: usize>(pairs: [(&'static str, &str); N]) -> HeaderMap {
    pairs
        .into_iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_published_vector_verifies() {
    assert_eq!(verify(SECRET, "POST", PATH, HOST, &headers(), BODY), Ok(()));
}

#[test]
fn signing_gives_the_published_vector() {
    let signed = sign(SECRET, "POST", PATH, HOST, DATE, BODY);
    assert_eq!(
        (signed.content_hash.as_str(), signed.authorization.as_str()),
        (CONTENT_HASH, AUTHORIZATION)
    );
}

#[test]
fn whatever_is_signed_can_not_be_altered() {
    let signature = Err(Refused::Signature);
    assert_eq!(
        verify("another secret", "POST", PATH, HOST, &headers(), BODY),
        signature
    );
    assert_eq!(verify("", "POST", PATH, HOST, &headers(), BODY), signature);
    assert_eq!(verify(SECRET, "PUT", PATH, HOST, &headers(), BODY), signature);
    assert_eq!(
        verify(SECRET, "POST", "/another", HOST, &headers(), BODY),
        signature
    );
    assert_eq!(
        verify(
            SECRET,
            "POST",
            "/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63?x",
            HOST,
            &headers(),
            BODY
        ),
        signature
    );
    assert_eq!(
        verify(SECRET, "POST", PATH, "127.0.0.1:8080", &headers(), BODY),
        signature
    );
    let mut another_date = headers();
    another_date.insert(
        "x-ms-date",
        HeaderValue::from_static("Thu, 30 Mar 2023 08:38:33 GMT"),
    );
    assert_eq!(verify(SECRET, "POST", PATH, HOST, &another_date, BODY), signature);
}

#[test]
fn a_new_hash_for_a_new_body_does_not_help() {
    let body = br#"{"some-unique-content":"mine"}"#;
    let mut forged = headers();
    let hash = sign("a guess", "POST", PATH, HOST, DATE, body).content_hash;
    forged.insert("x-ms-content-sha256", HeaderValue::from_str(&hash).unwrap());
    assert_eq!(
        verify(SECRET, "POST", PATH, HOST, &forged, body),
        Err(Refused::Signature)
    );
}

#[test]
fn a_missing_header_is_refused() {
    for name in ["x-ms-date", "x-ms-content-sha256", "authorization"] {
        let mut headers = headers();
        headers.remove(name);
        assert_eq!(
            verify(SECRET, "POST", PATH, HOST, &headers, BODY),
            Err(Refused::MissingHeader(name))
        );
    }
}

#[test]
fn another_authorization_is_refused() {
    let fewer_headers = AUTHORIZATION.replace("x-ms-date;host;", "");
    let cut = &AUTHORIZATION[..AUTHORIZATION.len() - 5];
    for authorization in [
        "",
        "Bearer x",
        &fewer_headers,
        cut,
        "HMAC-SHA256",
        &AUTHORIZATION.to_lowercase(),
    ] {
        let mut headers = headers();
        headers.insert("authorization", HeaderValue::from_str(authorization).unwrap());
        assert!(
            verify(SECRET, "POST", PATH, HOST, &headers, BODY).is_err(),
            "{authorization}"
        );
    }
}

#[test]
fn the_host_is_the_one_a_client_sends() {
    assert_eq!(
        host_of("https://shop.example.org/api").as_deref(),
        Some("shop.example.org")
    );
    assert_eq!(
        host_of("https://shop.example.org:443").as_deref(),
        Some("shop.example.org")
    );
    assert_eq!(
        host_of("http://127.0.0.1:8080").as_deref(),
        Some("127.0.0.1:8080")
    );
    assert_eq!(host_of("http://[::1]:8080/x").as_deref(), Some("[::1]:8080"));
    for bad in ["", "shop.example.org", "ftp://x", "mailto:x"] {
        assert_eq!(host_of(bad), None, "{bad}");
    }
}

#[test]
fn the_published_event_is_understood_with_fields_to_come() {
    let body = r#"{"msn":"123456","reference":"24ab7cd6ef658155992","pspReference":"1234567891","name":"AUTHORIZED",
        "amount":{"currency":"NOK","value":35000,"new":1},"timestamp":"2023-08-14T12:48:46.260Z",
        "idempotencyKey":"49ca711a9487112e1def","success":true,"somethingNew":{"a":[]}}"#;
    let event = Event::parse(body.as_bytes()).unwrap();
    assert_eq!(
        (event.name.clone(), event.amount.value, event.success),
        (EventName::Authorized, 35_000, true)
    );
    assert_eq!(
        event.dedupe_key(),
        ("1234567891", &EventName::Authorized, "2023-08-14T12:48:46.260Z")
    );
    let newer = body
        .replace("AUTHORIZED", "SPLIT")
        .replace(r#""idempotencyKey":"49ca711a9487112e1def","#, "");
    let event = Event::parse(newer.as_bytes()).unwrap();
    assert_eq!(
        (event.name, event.idempotency_key),
        (EventName::Other("SPLIT".to_owned()), None)
    );
}

#[test]
fn a_body_that_is_no_event_is_refused_without_quoting_it() {
    let error = Event::parse(br#"{"msn":12345678,"reference":"x"}"#).unwrap_err();
    assert!(!error.to_string().contains("12345678"), "{error}");
    assert!(Event::parse(b"").is_err());
}

proptest! {
    #[test]
    fn no_byte_of_a_body_can_be_altered(
        body in proptest::collection::vec(any::<u8>(), 1..400),
        at in any::<proptest::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let signed = sign(SECRET, "POST", PATH, HOST, DATE, &body);
        let headers = with([
            ("x-ms-date", DATE),
            ("x-ms-content-sha256", &signed.content_hash),
            ("authorization", &signed.authorization),
        ]);
        prop_assert_eq!(verify(SECRET, "POST", PATH, HOST, &headers, &body), Ok(()));
        let mut altered = body.clone();
        altered[at.index(body.len())] ^= flip;
        prop_assert_eq!(verify(SECRET, "POST", PATH, HOST, &headers, &altered), Err(Refused::ContentHash));
        prop_assert!(verify(SECRET, "POST", PATH, HOST, &headers, &body[..body.len() - 1]).is_err());
    }

    #[test]
    fn no_bit_of_a_signature_can_be_altered(at in 0_usize..32, flip in 1..=u8::MAX) {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let (prefix, signature) = AUTHORIZATION.split_once("&Signature=").unwrap();
        let mut signature = engine.decode(signature).unwrap();
        signature[at] ^= flip;
        let mut headers = headers();
        let altered = format!("{prefix}&Signature={}", engine.encode(signature));
        headers.insert("authorization", HeaderValue::from_str(&altered).unwrap());
        prop_assert_eq!(verify(SECRET, "POST", PATH, HOST, &headers, BODY), Err(Refused::Signature));
    }
}
