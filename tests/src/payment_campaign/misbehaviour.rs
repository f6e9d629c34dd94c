//! Everything that the emulated provider can do wrong, each now and then, by the seed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Shop;

/// Each fault, what narrows it, and how often it applies.
fn rules() -> Vec<(Value, Value, f64)> {
    let all = || json!({});
    let of = |operation: &str| json!({"operation": operation});
    let at = |provider: &str| json!({"provider": provider});
    vec![
        (json!("answer_never"), all(), 0.002),
        (json!("answer_lost"), all(), 0.02),
        (json!({"reset": "work"}), all(), 0.01),
        (json!({"reset": "answer"}), all(), 0.02),
        (json!({"fail": 500}), all(), 0.02),
        (json!({"fail": 503}), of("create"), 0.01),
        (json!({"too_many_requests": 1}), all(), 0.005),
        (json!({"slow_ms": 300}), all(), 0.10),
        (json!({"refuse": 402}), of("capture"), 0.02),
        (json!({"refuse": 402}), of("refund"), 0.10),
        (json!("create_conflict"), at("vipps"), 0.02),
        (json!("webhook_first"), all(), 0.02),
        // Only at Vipps, which asks the customer in an app. A page of Nexi that was never shown can't be approved.
        (json!("approve_first"), at("vipps"), 0.04),
        (json!({"approve_differs": -100}), all(), 0.02),
        (json!({"approve_differs": 100}), all(), 0.02),
        (json!("decline"), all(), 0.05),
        (json!("abandon"), all(), 0.05),
        (json!({"portal_capture": 50}), all(), 0.02),
        (json!({"portal_capture": 100}), all(), 0.02),
        (json!({"portal_refund": 50}), all(), 0.02),
        (json!({"portal_refund": 100}), all(), 0.02),
        (json!({"reservation_ends_ms": 400}), all(), 0.01),
        (json!({"refund_takes_ms": 500}), at("nexi"), 0.30),
        (json!({"refund_fails_ms": 300}), at("nexi"), 0.10),
        (json!("webhook_drop"), all(), 0.10),
        (json!("webhook_duplicate"), all(), 0.10),
        (json!({"webhook_delay_ms": 2000}), all(), 0.10),
        (json!("webhook_out_of_order"), all(), 0.05),
        (json!("webhook_spoilt"), all(), 0.05),
        (json!("webhook_forged"), all(), 0.05),
        (json!({"webhook_amount": 1_000_000}), all(), 0.05),
    ]
}

/// From now on everything goes wrong now and then.
pub(super) async fn begin(shop: &Shop, seed: u64) -> anyhow::Result<()> {
    let rules = rules().into_iter().map(|(fault, mut rule, probability)| {
        rule["fault"] = fault;
        rule["probability"] = json!(probability);
        rule
    });
    let rules: Vec<Value> = rules.collect();
    set(shop, &json!({"rules": rules, "seed": seed})).await
}

/// Nothing goes wrong from now on. Returns how often each fault has applied.
pub(super) async fn end(shop: &Shop) -> anyhow::Result<BTreeMap<String, u64>> {
    let found = crate::answer(shop.http().get(faults(shop))).await?.body;
    let rules = found["rules"].as_array().context("the rules")?;
    let applied = found["applied"].as_array().context("how often they applied")?;
    let mut times = BTreeMap::new();
    for (rule, applied) in rules.iter().zip(applied) {
        *times.entry(name(rule)).or_insert(0) += applied.as_u64().unwrap_or(0);
    }
    set(shop, &json!({})).await?;
    Ok(times)
}

/// `refuse 402 of capture`, for example.
fn name(rule: &Value) -> String {
    let mut name = match &rule["fault"] {
        Value::String(fault) => fault.clone(),
        fault => fault
            .as_object()
            .into_iter()
            .flatten()
            .fold(String::new(), |name, (fault, by)| {
                format!("{name}{fault} {}", by.to_string().trim_matches('"'))
            }),
    };
    for (word, scope) in [("of", "operation"), ("at", "provider")] {
        if let Some(narrowed) = rule[scope].as_str() {
            name = format!("{name} {word} {narrowed}");
        }
    }
    name
}

async fn set(shop: &Shop, faults: &Value) -> anyhow::Result<()> {
    let answer = crate::answer(shop.http().post(self::faults(shop)).json(faults)).await?;
    anyhow::ensure!(answer.status.is_success(), "faults: {}", answer.text);
    Ok(())
}

fn faults(shop: &Shop) -> String {
    format!("{}/emulator/faults", shop.system.payment_emulator_url())
}
