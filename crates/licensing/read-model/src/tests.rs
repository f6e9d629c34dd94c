use query::{Conditions, FilterKind, PageQuery, Parameters, page};

use super::RESOURCES;

/// JSON in a row is only shown: one value in it of another type would fail every answer that looks at the row.
#[test]
fn no_statement_looks_into_json() {
    for resource in RESOURCES {
        let filters = resource.filters.iter();
        let all: Vec<String> = filters
            .map(|filter| format!("{}={}", filter.name, filter.kind.example()))
            .collect();
        let selection = Parameters::of(&all.join("&")).select(resource).unwrap();
        for sort in resource.sorts {
            let query = PageQuery {
                sort,
                count: true,
                ..PageQuery::first(resource, selection.within(Conditions::default()), 1)
            };
            let (sql, binds) = page::statement(&query);
            assert!(binds.len() > resource.filters.len(), "{sql}");
            for looking in ["->", "#>", "jsonb_array", "jsonb_each", "jsonb_path", "jsonb_to_"] {
                assert!(!sql.contains(looking), "{looking} in {sql}");
            }
        }
    }
}

#[test]
fn a_range_ends_after_what_begins_it() {
    for resource in RESOURCES {
        let mut names = Vec::new();
        for filter in resource.filters {
            let begins = filter.ends.is_none_or(|begin| names.contains(&begin));
            assert!(begins, "{}: {} before its begin", resource.name, filter.name);
            assert!(!names.contains(&filter.name), "{} twice", filter.name);
            assert!(
                matches!(filter.kind, FilterKind::Search) == (filter.name == "q"),
                "{}",
                filter.name
            );
            names.push(filter.name);
        }
    }
}
