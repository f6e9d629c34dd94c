//! Reads a list with every sort, page size and selection of fields.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use system_tests::Shop;

/// Rows by their id.
pub(crate) type Rows = BTreeMap<String, Value>;

/// All rows of a list, page by page.
pub(crate) async fn rows(shop: &Shop, path: &str, id: &str) -> Rows {
    let (mut rows, mut cursor) = (Rows::new(), String::new());
    loop {
        // An empty cursor means the first page.
        let page = shop
            .get(&format!("{path}&cursor={cursor}"), &shop.tokens.staff)
            .await;
        assert_eq!(page.status.as_u16(), 200, "{path}: {}", page.text);
        for row in page.body["items"].as_array().expect("items") {
            let key = row[id].as_str().expect("an id").to_owned();
            assert!(rows.insert(key, row.clone()).is_none(), "{path}: a row twice");
        }
        match page.body["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return rows,
        }
    }
}

/// The allowed values, from the refusal of a wrong one.
async fn offered(shop: &Shop, path: &str, parameter: &str) -> Vec<String> {
    let refused = shop
        .get(&format!("{path}?{parameter}=none"), &shop.tokens.staff)
        .await
        .expect(400);
    let list = refused.text_at("/errors/0/message_en");
    let (_, list) = list.split_once(": ").expect("a list");
    list.trim_end_matches('.')
        .split(", ")
        .map(str::to_owned)
        .collect()
}

/// The rows of a list. Asserts that they are equal in every sort and direction, in pages of any size, column by column and
/// one by one.
pub(crate) async fn every_way(shop: &Shop, path: &str, id: &str) -> Rows {
    let all = rows(shop, &format!("{path}?limit=200"), id).await;
    let total = shop
        .get(&format!("{path}?count=true&limit=1"), &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(total.body["total"], all.len(), "{path}");
    for sort in offered(shop, path, "sort").await {
        for limit in [7, 200] {
            let sorted = rows(shop, &format!("{path}?limit={limit}&sort={sort}"), id).await;
            assert!(sorted == all, "{path} by {sort}, {limit} a page");
        }
    }
    for field in offered(shop, path, "fields").await {
        let column = rows(shop, &format!("{path}?limit=200&fields={id},{field}"), id).await;
        // Some columns are only there when they are asked for.
        let same =
            |(key, row): (&String, &Value)| row.get(&field).is_none_or(|value| column[key][&field] == *value);
        let same = all.iter().all(same);
        assert!(same && column.len() == all.len(), "{field} of {path}");
    }
    if ["/orders", "/licenses"].contains(&path) {
        stream::iter(&all)
            .for_each_concurrent(8, |(key, row)| async move {
                let item = shop
                    .get(&format!("{path}/{key}"), &shop.tokens.staff)
                    .await
                    .expect(200);
                assert_eq!(&item.body, row);
            })
            .await;
    }
    all
}
