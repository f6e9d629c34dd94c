//! What the ops ports expose.

use std::collections::BTreeMap;

use system_tests::Shop;

/// One scrape of one service.
pub(crate) struct Exposition {
    /// Kind by metric.
    pub(crate) kinds: BTreeMap<String, String>,
    /// Every sample, as written.
    pub(crate) samples: Vec<String>,
}

/// Scrapes all services.
pub(crate) async fn scrape(shop: &Shop) -> Vec<Exposition> {
    let mut all = Vec::new();
    for ops in [
        shop.system.command_ops_url(),
        shop.system.query_ops_url(),
        shop.system.projector_ops_url(),
        shop.system.front_door_ops_url(),
    ] {
        let answer = shop.ops(&ops, "metrics").await.expect("an answer");
        assert_eq!(answer.status, 200);
        all.push(parse(&answer.text));
    }
    all
}

fn parse(text: &str) -> Exposition {
    let mut kinds = BTreeMap::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') && !line.is_empty() {
            samples.push(line.to_owned());
        }
    }
    Exposition { kinds, samples }
}

/// The values of a sample's labels.
pub(crate) fn label_values(sample: &str) -> Vec<&str> {
    let labels = sample
        .split_once('{')
        .and_then(|(_, rest)| rest.rsplit_once('}'))
        .map_or("", |(labels, _)| labels);
    labels.split('"').skip(1).step_by(2).collect()
}
