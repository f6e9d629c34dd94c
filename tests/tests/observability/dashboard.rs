//! Every number on the dashboard comes from a metric that the code exposes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};
use stack::Options;
use system_tests::Shop;
use uuid::Uuid;

use crate::exposition::{Exposition, label_values, scrape};
use crate::names::declared;
use crate::prometheus::Prometheus;
use crate::{purchase, root};

/// One line of one panel.
#[derive(Debug)]
pub(crate) struct Series {
    panel: String,
    /// The query, with `$__rate_interval` as Grafana knows it.
    expr: String,
    /// The labels that its legend shows.
    labels: Vec<String>,
}

/// Metrics of the process itself, whose names are the Prometheus clients' convention, and of the scrape.
fn is_standard(name: &str) -> bool {
    name.starts_with("process_") || name == "up"
}

#[tokio::test]
async fn every_panel_shows_something() {
    let shop = Shop::open(Options::default()).await;
    trade(&shop).await;
    let exposed = scrape(&shop).await;
    holds_the_rules(&exposed);

    let kinds: BTreeMap<String, String> = exposed.into_iter().flat_map(|one| one.kinds).collect();
    let series = series();
    let declared = declared();
    for Series { panel, expr, .. } in &series {
        let names = metrics(expr);
        assert!(!names.is_empty(), "{panel}: {expr} is about nothing");
        for name in names {
            let known = kinds.contains_key(&name) || declared.contains(&name) || name == "up";
            assert!(known, "{panel}: nothing exposes {name}");
        }
    }
    // Where Prometheus is installed (`make test` installs Debian's), it also checks syntax and labels.
    if let Some(prometheus) = Prometheus::start(&shop).await {
        for Series { panel, expr, labels } in &series {
            let found = prometheus.query(&expr.replace("$__rate_interval", "1m")).await;
            let found = found.unwrap_or_else(|error| panic!("{panel}: {expr}: {error}"));
            let happened = metrics(expr)
                .iter()
                .all(|name| kinds.contains_key(name) || name == "up");
            assert!(!found.is_empty() || !happened, "{panel}: {expr} gives nothing");
            for (result, label) in found
                .iter()
                .flat_map(|result| labels.iter().map(move |label| (result, label)))
            {
                assert!(
                    result["metric"][label].is_string(),
                    "{panel}: {expr} has no {label}: {result}"
                );
            }
        }
    }
    shop.close().await;
}

/// Produces every kind of traffic, refusals included.
pub(crate) async fn trade(shop: &Shop) {
    let placed = purchase(shop, "dashboard", "dashboard", &shop.order()).await;
    let order = format!(
        "/orders/{}?min_position={}",
        placed.text_at("/order_id"),
        placed.position()
    );
    shop.get(&order, &shop.tokens.customer).await.expect(200);
    shop.get("/licenses", &shop.tokens.staff).await.expect(200);
    shop.get("/license-types", &shop.tokens.customer)
        .await
        .expect(200);
    shop.get("/orders", "forged").await.expect(401);
    shop.get("/orders?cursor=forged", &shop.tokens.customer)
        .await
        .expect(400);
    shop.place("refused", &json!({"lines": []})).await.expect(400);
}

/// A metric's name ends as its kind demands, and no label has unbounded values.
fn holds_the_rules(exposed: &[Exposition]) {
    for (name, kind) in exposed
        .iter()
        .flat_map(|one| &one.kinds)
        .filter(|(name, _)| !is_standard(name))
    {
        assert!(name.starts_with("bilsport_"), "{name}");
        let last = name.rsplit('_').next().unwrap_or_default();
        match kind.as_str() {
            "counter" => assert_eq!(last, "total", "{name}"),
            "histogram" => assert!(["seconds", "bytes", "size"].contains(&last), "{name}"),
            "gauge" => assert_ne!(last, "total", "{name}"),
            other => panic!("{name} is a {other}"),
        }
    }
    for sample in exposed.iter().flat_map(|one| &one.samples) {
        for value in label_values(sample) {
            let endless = Uuid::parse_str(value).is_ok() || value.contains(['@', '?']) || value.len() > 60;
            assert!(!endless, "{sample}");
        }
    }
}

#[test]
fn the_dashboard_is_what_its_script_writes() {
    let script = root().join("grafana/overview.py");
    let output = Command::new("python3")
        .arg(&script)
        .arg("--check")
        .output()
        .expect("python3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn panels_have_places_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies on another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn metrics_are_found_in_an_expression() {
    let found = |expr| metrics(expr).into_iter().collect::<Vec<_>>();
    assert_eq!(
        found(
            r#"histogram_quantile(0.9, sum by (route, le) (rate(a_seconds_bucket{x="y z"}[$__rate_interval])))"#
        ),
        ["a_seconds"]
    );
    assert_eq!(
        found("max(a) - min by (up) (b_total) or vector(0)"),
        ["a", "b_total"]
    );
    assert_eq!(found("time() - a_bucket / clamp_min(sum(a_count), 1e-9)"), ["a"]);
}

/// Every series of the dashboard.
fn series() -> Vec<Series> {
    let dashboard = dashboard();
    let mut series = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = |field: &str| target[field].as_str().expect("a text").to_owned();
            let labels = text("legendFormat")
                .split("{{")
                .skip(1)
                .filter_map(|rest| rest.split_once("}}"))
                .map(|(label, _)| label.to_owned())
                .collect();
            series.push(Series {
                panel: panel["title"].as_str().expect("a title").to_owned(),
                expr: text("expr"),
                labels,
            });
        }
    }
    assert!(series.len() > 50, "{series:?}");
    series
}

fn dashboard() -> Value {
    let text = std::fs::read_to_string(root().join("grafana/dashboards/overview.json")).expect("a dashboard");
    serde_json::from_str(&text).expect("JSON")
}

/// The metrics that an expression names, a histogram by its own name.
fn metrics(expr: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = without_groups(expr);
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let word = &rest[begin..];
        let end = word
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        let number = rest[..begin].ends_with(|c: char| c.is_ascii_digit());
        let function = after.trim_start().starts_with('(');
        if !number && !function && !["by", "or", "and", "unless"].contains(&name) {
            let histogram = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            names.insert(histogram.unwrap_or(name).to_owned());
        }
        rest = after.to_owned();
    }
    names
}

/// The expression without label matchers, ranges, and lists of labels.
fn without_groups(expr: &str) -> String {
    let mut kept = String::new();
    let mut rest = expr;
    while let Some(at) = rest.find(['{', '[']) {
        kept.push_str(&rest[..at]);
        let close = if rest[at..].starts_with('{') { '}' } else { ']' };
        rest = rest[at..].split_once(close).map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    while let Some((before, after)) = kept.clone().split_once(" by (") {
        let after = after.split_once(')').map_or("", |(_, after)| after);
        kept = format!("{before}{after}");
    }
    kept
}
