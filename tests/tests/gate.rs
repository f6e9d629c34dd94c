//! A license as a gate and its holder get it: code, document, keys and revocations, from the running shop.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Shop, eventually, sources};

/// A fulfilled order's only license.
async fn license(shop: &Shop) -> String {
    let placed = shop
        .place("gate", &shop.order_for("Kari Øvergård"))
        .await
        .expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await;
    shop.order_with_status(&order_id, "fulfilled").await;
    let license = eventually("the license in the read model", || async {
        shop.licenses_of(&order_id).await.into_iter().next()
    })
    .await;
    license["license_id"].as_str().unwrap().to_owned()
}

/// What anyone gets at an address outside the API's version.
async fn public(shop: &Shop, path: &str) -> Value {
    let url = format!("{}{path}", shop.system.query_api_url());
    let answer = shop.http().get(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// The verdict of a published verifier on a code. `None`, said aloud, where its language is not installed.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn verdict(program: &str, file: &str, keys: &Value, code: &str) -> Option<Vec<Value>> {
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("NOT TESTED: no {program} for {file}");
        return None;
    }
    let list = std::env::temp_dir().join(format!("license-keys-{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&list, keys.to_string()).unwrap();
    let mut child = Command::new(program)
        .args([sources::root().join("schemas/qr").join(file), list.clone()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{code}").unwrap();
    let output = child.wait_with_output().unwrap();
    std::fs::remove_file(list).unwrap();
    let parts = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    Some(parts.collect::<Result<_, _>>().unwrap())
}

#[tokio::test]
async fn a_license_is_good_at_a_gate_until_it_is_revoked() {
    let shop = Shop::open(Options::default()).await;
    let license_id = license(&shop).await;
    let customer = &shop.tokens.customer;
    let with_code = format!("/licenses/{license_id}?fields=qr");
    let code = shop
        .get(&with_code, customer)
        .await
        .expect(200)
        .text_at("/qr")
        .to_owned();
    shop.get(&with_code, &shop.tokens.customer2).await.expect(404);

    let keys = public(&shop, "/.well-known/license-keys.json").await;
    for (program, file) in [("python3", "verify.py"), ("node", "verify.mjs")] {
        if let Some(verdict) = verdict(program, file, &keys, &code) {
            assert_eq!(verdict[0], "valid", "{file}");
            assert_eq!(verdict[1]["license_id"], license_id.as_str(), "{file}");
            assert_eq!(verdict[1]["name"], "Kari Øvergård", "{file}");
        }
    }
    let document = format!(
        "{}/api/v1/licenses/{license_id}/license.pdf",
        shop.system.query_api_url()
    );
    let answer = shop
        .http()
        .get(&document)
        .bearer_auth(customer)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap().starts_with(b"%PDF-1.7"));

    let before = public(&shop, "/revocations").await;
    assert_eq!(before["full"], json!([]));
    let because = json!({"reason": "Expelled from the event"});
    let path = format!("/licenses/{license_id}/revoke");
    let revoked = shop
        .post(&path, &shop.tokens.staff, "revoke", &because)
        .await
        .expect(200);
    let row = format!(
        "/licenses/{license_id}?fields=qr&min_position={}",
        revoked.position()
    );
    assert_eq!(
        shop.get(&row, customer).await.expect(200).body,
        json!({"qr": null})
    );
    let after = public(
        &shop,
        &format!(
            "/revocations?since={}&epoch={}",
            before["position"],
            before["epoch"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(after["added"].as_array().map(Vec::len), Some(1), "{after}");
    let full = public(&shop, "/revocations").await;
    assert_eq!(full["full"], after["added"]);
    let verification = public(&shop, &format!("/api/v1/licenses/{license_id}/verification")).await;
    assert_eq!(
        (&verification["status"], &verification["holder"]["initials"]),
        (&json!("revoked"), &json!("K.Ø."))
    );
    let refused = shop
        .http()
        .get(&document)
        .bearer_auth(customer)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 409);
    shop.close().await;
}
