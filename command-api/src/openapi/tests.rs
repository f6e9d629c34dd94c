use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::{Refusal, Rule};
use serde_json::Value;
use service::docs;
use strum::VariantArray as _;

use crate::router::{endpoints, openapi};

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_of_the_types() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi/command.json");
    let text = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "schemas/openapi/command.json is not what the types say: \
         UPDATE_SCHEMAS=1 cargo test -p command-api committed"
    );
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let pages = docs::ROUTES.iter().filter(|(_, path)| *path != docs::DOCUMENT);
    let pages: BTreeSet<_> = pages.copied().collect();
    let routes: BTreeSet<(String, String)> = endpoints()
        .into_iter()
        .filter(|route| !pages.contains(route))
        .map(|(method, path)| (method.to_lowercase(), path.to_owned()))
        .collect();
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert((method.clone(), path.clone()));
        }
    }
    assert_eq!(documented, routes);
}

#[test]
fn every_route_is_in_the_policy_table() {
    for (method, path) in endpoints() {
        let mut rows = policy::POLICY
            .iter()
            .filter(|rule| (rule.method, rule.path) == (method, path));
        assert!(
            rows.next().is_some(),
            "{method} {path} has no row in the policy table"
        );
        assert!(rows.next().is_none(), "{method} {path} has two rows");
    }
}

#[test]
fn every_code_is_in_the_document() {
    let text = document().to_string();
    for rule in Rule::VARIANTS {
        assert!(text.contains(&format!("`{}`", rule.code())), "{rule:?}");
    }
    // The others are of commands that only the process managers give.
    for refusal in [
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::Exists,
        Refusal::OrderState,
        Refusal::OrderPaid,
        Refusal::PriceInForce,
        Refusal::NothingToCollect,
        Refusal::Retired,
        Refusal::PriceChanged { total_ore: 0 },
        Refusal::TermsMissing,
        Refusal::TermsUnknown {
            current: String::new(),
        },
        Refusal::TermsOutdated {
            current: String::new(),
        },
    ] {
        assert!(text.contains(&format!("\"{}\"", refusal.code())), "{refusal:?}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                for member in members.values() {
                    references(member, found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    references(item, found);
                }
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
