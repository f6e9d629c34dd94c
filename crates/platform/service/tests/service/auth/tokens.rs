//! Which tokens are valid, and their principals.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use service::auth::Role;
use service::problem::Problem;
use uuid::Uuid;

use super::{authenticate, ready, refusal};
use crate::support::issuer::{AUDIENCE, ISSUER, Key, claims, claims_with, now};

#[tokio::test]
async fn a_good_token_names_the_same_user_every_time() {
    let (key, _issuer, authenticator) = ready().await;
    let principal = authenticate(&authenticator, &key.sign(&claims())).await.unwrap();
    let namespace: Uuid = "6f1d3a52-8a0e-5c1f-9a54-0b7c55a1d2e3".parse().unwrap();
    assert_eq!(
        principal.user_id,
        Uuid::new_v5(&namespace, format!("{ISSUER}\nkari").as_bytes())
    );
    assert_eq!(principal.roles, BTreeSet::from([Role::Customer]));

    let later = key.sign(&claims_with(json!({ "exp": now(900), "roles": ["staff"] })));
    assert_eq!(
        authenticate(&authenticator, &later).await.unwrap().user_id,
        principal.user_id
    );
    let other = key.sign(&claims_with(json!({ "sub": "ola" })));
    assert_ne!(
        authenticate(&authenticator, &other).await.unwrap().user_id,
        principal.user_id
    );
}

#[tokio::test]
async fn claims_are_held_to_the_letter() {
    let (key, _issuer, authenticator) = ready().await;
    let cases: Vec<(&str, Value, Option<&str>)> = vec![
        ("expired within the leeway", json!({ "exp": now(-50) }), None),
        ("expired", json!({ "exp": now(-70) }), Some("token_expired")),
        ("no expiry", json!({ "exp": null }), Some("token_invalid")),
        (
            "expiry that is no number",
            json!({ "exp": "tomorrow" }),
            Some("token_invalid"),
        ),
        (
            "not yet valid, within the leeway",
            json!({ "nbf": now(50) }),
            None,
        ),
        ("not yet valid", json!({ "nbf": now(70) }), Some("token_invalid")),
        ("no start", json!({ "nbf": null }), None),
        ("audience in a list", json!({ "aud": ["other", AUDIENCE] }), None),
        (
            "another audience",
            json!({ "aud": "other" }),
            Some("token_invalid"),
        ),
        (
            "another audience in a list",
            json!({ "aud": ["other"] }),
            Some("token_invalid"),
        ),
        ("no audience", json!({ "aud": null }), Some("token_invalid")),
        ("empty audience", json!({ "aud": [] }), Some("token_invalid")),
        (
            "another issuer",
            json!({ "iss": "https://evil.example" }),
            Some("token_invalid"),
        ),
        (
            "issuer with a slash more",
            json!({ "iss": format!("{ISSUER}/") }),
            Some("token_invalid"),
        ),
        (
            "issuers in a list",
            json!({ "iss": [ISSUER] }),
            Some("token_invalid"),
        ),
        ("no issuer", json!({ "iss": null }), Some("token_invalid")),
        ("no subject", json!({ "sub": null }), Some("token_invalid")),
        ("empty subject", json!({ "sub": "" }), Some("token_invalid")),
        (
            "roles that are no list",
            json!({ "roles": "admin" }),
            Some("token_invalid"),
        ),
    ];
    for (what, changes, expected) in cases {
        let token = key.sign(&claims_with(changes));
        let outcome = authenticate(&authenticator, &token).await;
        assert_eq!(outcome.as_ref().err().map(Problem::code), expected, "{what}");
    }
}

#[tokio::test]
async fn roles_and_clubs_are_taken_only_as_far_as_they_are_known() {
    let (key, _issuer, authenticator) = ready().await;
    let club = Uuid::now_v7();
    let cases: Vec<(Value, &[Role], bool)> = vec![
        (json!({}), &[Role::Customer], false),
        (json!({ "roles": [] }), &[Role::Customer], false),
        (
            json!({ "roles": ["superuser", "STAFF"] }),
            &[Role::Customer],
            false,
        ),
        (json!({ "roles": ["superuser", "staff"] }), &[Role::Staff], false),
        (
            json!({ "roles": ["customer", "admin"] }),
            &[Role::Customer, Role::Admin],
            false,
        ),
        (
            json!({ "roles": ["organizer"], "clubs": [club, "no id"] }),
            &[Role::Organizer],
            true,
        ),
        (
            json!({ "roles": ["customer"], "clubs": [club] }),
            &[Role::Customer],
            false,
        ),
    ];
    for (changes, roles, organizes) in cases {
        let token = key.sign(&claims_with(changes.clone()));
        let principal = authenticate(&authenticator, &token).await.unwrap();
        assert_eq!(principal.roles, roles.iter().copied().collect(), "{changes}");
        assert_eq!(principal.organizes(club), organizes, "{changes}");
        assert_eq!(principal.clubs.len(), usize::from(organizes), "{changes}");
        let staff = roles.contains(&Role::Staff) || roles.contains(&Role::Admin);
        assert_eq!(principal.is_staff(), staff, "{changes}");
    }
}

#[tokio::test]
async fn a_token_cannot_choose_its_algorithm() {
    let (key, _issuer, authenticator) = ready().await;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE"] {
        let unsigned = format!(
            "{}.{}.",
            part(json!({ "alg": alg, "kid": key.id })),
            part(claims())
        );
        assert_eq!(refusal(&authenticator, &unsigned).await, "token_invalid", "{alg}");
    }
    for secret in [&key.public, &key.public_der] {
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(refusal(&authenticator, &forged).await, "token_invalid");
    }
}

#[tokio::test]
async fn forged_and_mangled_tokens_are_refused() {
    let (key, issuer, authenticator) = ready().await;
    let good = key.sign(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let payload = URL_SAFE_NO_PAD.encode(claims_with(json!({ "roles": ["admin"] })).to_string());
    let impostor = Key::generate(&key.id);
    let critical = Header {
        kid: Some(key.id.clone()),
        crit: Some(vec!["exp".into()]),
        ..Header::new(Algorithm::ES256)
    };
    let bad = [
        format!("{header}.{payload}.{signature}"),
        format!("{signed}."),
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])),
        format!("{good}.{good}"),
        signed.to_owned(),
        "x".to_owned(),
        "..".to_owned(),
        impostor.sign(&claims()),
        key.sign_as(&Header::new(Algorithm::ES256), &claims()),
        key.sign_as(&critical, &claims()),
        key.sign(&json!([])),
        key.sign(&json!("kari")),
    ];
    for token in bad {
        assert_eq!(refusal(&authenticator, &token).await, "token_invalid", "{token}");
    }
    assert!(authenticate(&authenticator, &good).await.is_ok());
    assert_eq!(issuer.fetches(), 1, "a token that cannot be good caused a fetch");
}

#[tokio::test]
async fn a_token_over_8_kib_is_refused_before_it_is_looked_at() {
    let (key, _issuer, authenticator) = ready().await;
    let sign = |padding: usize| key.sign(&claims_with(json!({ "padding": "x".repeat(padding) })));
    let (fits, too_long) = (sign(5_500), sign(6_500));
    assert!(
        fits.len() <= 8192 && too_long.len() > 8192,
        "{} {}",
        fits.len(),
        too_long.len()
    );
    assert!(authenticate(&authenticator, &fits).await.is_ok());
    assert_eq!(refusal(&authenticator, &too_long).await, "token_invalid");
}
