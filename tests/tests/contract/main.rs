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

/// Staff go through every phase; the other roles, next to them, through the phases whose requests follow from the document
/// alone.
async fn keeps_its_contract(shop: &Shop, api: &str) {
    let schemathesis = Schemathesis::installed().await.expect("schemathesis");
    let document = format!("{api}{DOCUMENT}");
    let tokens = &shop.tokens;
    let staff = Run {
        document: &document,
        role: "staff",
        token: Some(&tokens.staff),
        max_examples: 20,
        phases: "examples,coverage,fuzzing,stateful",
    };
    let others = [
        ("a caller without a token", None),
        ("a customer", Some(&tokens.customer)),
        ("an organizer", Some(&tokens.organizer)),
        ("an administrator", Some(&tokens.admin)),
    ];
    let others = async {
        let mut failures = Vec::new();
        for (role, token) in others {
            let run = Run {
                role,
                token: token.map(String::as_str),
                max_examples: 5,
                phases: "examples,fuzzing",
                ..staff
            };
            failures.extend(schemathesis.check(&run).await.err());
        }
        failures
    };
    let (of_staff, mut failures) = tokio::join!(schemathesis.check(&staff), others);
    failures.extend(of_staff.err());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
