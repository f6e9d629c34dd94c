//! Both APIs keep their contract: whatever the document allows or forbids is sent in every role, and no answer is outside
//! of the document.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

mod schemathesis;

use stack::Options;
use system_tests::Shop;

use schemathesis::{Run, Schemathesis};

/// Where each service has its document.
const DOCUMENT: &str = "/api/v1/openapi.json";

#[tokio::test]
async fn the_command_side_keeps_its_contract() {
    let shop = Shop::open(Options::default()).await;
    shop.place("contract", &shop.order()).await.expect(201);
    keeps_its_contract(&shop, &shop.system.command_api_url()).await;
    shop.close().await;
}

#[tokio::test]
async fn the_query_side_keeps_its_contract() {
    let shop = Shop::open(Options::default()).await;
    shop.place("contract", &shop.order()).await.expect(201);
    keeps_its_contract(&shop, &shop.system.query_api_url()).await;
    shop.close().await;
}

/// The role that may do most goes through every phase; the others through those whose requests follow from the document.
async fn keeps_its_contract(shop: &Shop, api: &str) {
    let schemathesis = Schemathesis::installed().await.expect("schemathesis");
    let document = format!("{api}{DOCUMENT}");
    let tokens = &shop.tokens;
    let roles = [
        ("nobody", None),
        ("a customer", Some(tokens.customer.as_str())),
        ("an organizer", Some(tokens.organizer.as_str())),
        ("staff", Some(tokens.staff.as_str())),
        ("an administrator", Some(tokens.admin.as_str())),
    ];
    let mut failures = Vec::new();
    for (role, token) in roles {
        let everything = role == "staff";
        let run = Run {
            document: &document,
            role,
            token,
            max_examples: if everything { 20 } else { 5 },
            phases: if everything {
                "examples,coverage,fuzzing,stateful"
            } else {
                "examples,fuzzing"
            },
        };
        failures.extend(schemathesis.check(&run).await.err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
