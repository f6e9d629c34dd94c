//! Tokens that no issuer would give: each is wrong in one way.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::Utc;
use serde_json::{Value, json};
use stack::{AUDIENCE, ISSUER, Issuer};
use system_tests::Shop;

/// A token that is refused, and what is wrong with it.
pub(crate) struct Forged {
    pub(crate) what: &'static str,
    pub(crate) token: String,
    /// The code of the refusal.
    pub(crate) code: &'static str,
}

/// One of each kind, all for an administrator: the most that a forger could want.
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
pub(crate) async fn all(shop: &Shop) -> Vec<Forged> {
    let issuer = shop.system.issuer();
    let key = published_key(shop).await;
    let kid = key["kid"].as_str().expect("a key id");
    let now = Utc::now().timestamp();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid});
    let claims = json!({
        "iss": ISSUER, "sub": "admin", "aud": AUDIENCE, "roles": ["admin"],
        "iat": now, "nbf": now, "exp": now + 3600,
    });
    let with = |change: Value| merged(&claims, &change);
    let with_header = |change: Value| merged(&header, &change);
    let signed =
        |header: &Value, claims: &Value| issuer.sign(&unsigned(header, claims)).expect("a signature");
    let invalid = "token_invalid";
    let none = format!("{}.", unsigned(&with_header(json!({"alg": "none"})), &claims));
    vec![
        forged(
            "expired",
            "token_expired",
            signed(&header, &with(json!({"exp": now - 120}))),
        ),
        forged(
            "not yet valid",
            invalid,
            signed(&header, &with(json!({"nbf": now + 600}))),
        ),
        forged(
            "issued in the future",
            invalid,
            signed(&header, &with(json!({"iat": now + 600}))),
        ),
        forged(
            "for another audience",
            invalid,
            signed(&header, &with(json!({"aud": "another"}))),
        ),
        forged(
            "of another issuer",
            invalid,
            signed(&header, &with(json!({"iss": "https://evil.test"}))),
        ),
        forged(
            "of a list of issuers",
            invalid,
            signed(&header, &with(json!({"iss": [ISSUER, "x"]}))),
        ),
        forged(
            "without an expiry",
            invalid,
            signed(&header, &with(json!({"exp": null}))),
        ),
        forged("of nobody", invalid, signed(&header, &with(json!({"sub": ""})))),
        forged("alg none", invalid, none),
        forged(
            "alg None",
            invalid,
            format!("{}.", unsigned(&with_header(json!({"alg": "None"})), &claims)),
        ),
        forged(
            "HS256 with the published key",
            invalid,
            with_hmac(&with_header(json!({"alg": "HS256"})), &claims, &key),
        ),
        forged(
            "RS256 over an EC key",
            invalid,
            signed(&with_header(json!({"alg": "RS256"})), &claims),
        ),
        forged(
            "an unknown kid",
            invalid,
            signed(&with_header(json!({"kid": "unknown"})), &claims),
        ),
        forged(
            "no kid",
            invalid,
            signed(&with_header(json!({"kid": null})), &claims),
        ),
        forged(
            "a critical extension",
            invalid,
            signed(&with_header(json!({"crit": ["exp"]})), &claims),
        ),
        forged(
            "another's signature",
            invalid,
            swapped(
                &signed(&header, &claims),
                &signed(&header, &with(json!({"sub": "x"}))),
            ),
        ),
        forged("no token", invalid, "x".into()),
    ]
}

fn forged(what: &'static str, code: &'static str, token: String) -> Forged {
    Forged { what, token, code }
}

async fn published_key(shop: &Shop) -> Value {
    let set = shop.http().get(shop.system.issuer().jwks_url()).send().await;
    let set: Value = set.expect("an answer").json().await.expect("a key set");
    set["keys"][0].clone()
}

/// `base` with these members; null takes one away.
fn merged(base: &Value, change: &Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in change.as_object().expect("an object") {
        if value.is_null() {
            merged.as_object_mut().expect("an object").remove(name);
        } else {
            merged[name] = value.clone();
        }
    }
    merged
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    )
}

/// The published key as a shared secret: the attack on verifiers that trust the header's `alg`.
fn with_hmac(header: &Value, claims: &Value, key: &Value) -> String {
    let message = unsigned(header, claims);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.to_string().as_bytes());
    format!(
        "{message}.{}",
        BASE64.encode(hmac::sign(&secret, message.as_bytes()))
    )
}

/// The first token's content under the second one's signature.
fn swapped(content: &str, signature: &str) -> String {
    let (content, _) = content.rsplit_once('.').expect("three parts");
    let (_, signature) = signature.rsplit_once('.').expect("three parts");
    format!("{content}.{signature}")
}

/// A forger without the issuer's key would be refused for the signature alone.
#[tokio::test]
async fn the_issuers_own_signature_is_under_what_is_forged() {
    let shop = Shop::open(stack::Options::default()).await;
    let issuer: &Issuer = shop.system.issuer();
    let key = published_key(&shop).await;
    let now = Utc::now().timestamp();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": key["kid"]});
    let claims = json!({"iss": ISSUER, "sub": "staff", "aud": [AUDIENCE, "other"], "roles": ["staff"], "exp": now + 60});
    let good = issuer.sign(&unsigned(&header, &claims)).expect("a signature");
    shop.get("/orders", &good).await.expect(200);
    shop.close().await;
}
