//! A short payment campaign: both providers misbehave, instances are killed, and the books agree.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_short_payment_campaign_ends_with_books_that_agree() {
    let report = std::env::temp_dir().join(format!("payment-campaign-{}.md", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_payment-campaign"))
        .args([
            "--seed",
            "11",
            "--purchases",
            "160",
            "--at-once",
            "12",
            "--rest-s",
            "180",
        ])
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let json = report.with_extension("json");
    let found: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap_or_default())
        .unwrap_or_else(|error| {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("no report ({error}): {said}{errors}")
        });
    for file in [&report, &json] {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(found["complaints"], Value::Array(Vec::new()), "{said}");
    assert!(output.status.success(), "{said}");
    assert!(found["kills"].as_u64().unwrap() > 0, "{said}");
    for provider in ["vipps", "nexi"] {
        let captured = found["money"][provider]["captured_by_provider_ore"].as_i64();
        assert!(captured.unwrap() > 0, "{said}");
    }
}
