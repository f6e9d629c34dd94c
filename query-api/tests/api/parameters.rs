//! The parameters of every list: what each may hold, and that all lists mean the same by it.

use anyhow::Result;
use axum::http::StatusCode;

use crate::support::{Answer, App};

/// Every list with its parameters, by what they take.
struct List {
    path: &'static str,
    texts: &'static [&'static str],
    choices: &'static [&'static str],
    uuids: &'static [&'static str],
    /// Pairs that are ranges.
    dates: &'static [[&'static str; 2]],
    moments: &'static [[&'static str; 2]],
    integers: &'static [[&'static str; 2]],
}

const LISTS: &[List] = &[
    List {
        path: "orders",
        texts: &["q", "license_type"],
        choices: &["status", "refund_state", "provider"],
        uuids: &["club_id", "customer_id"],
        dates: &[["activity_from", "activity_to"]],
        moments: &[["created_from", "created_to"]],
        integers: &[["total_min_ore", "total_max_ore"]],
    },
    List {
        path: "licenses",
        texts: &["q", "license_type", "discipline"],
        choices: &["status", "role", "category"],
        uuids: &["club_id", "order_id"],
        dates: &[["activity_from", "activity_to"]],
        moments: &[],
        integers: &[],
    },
    List {
        path: "license-types",
        texts: &["q"],
        choices: &["status", "role", "category"],
        uuids: &[],
        dates: &[],
        moments: &[],
        integers: &[],
    },
    List {
        path: "clubs",
        texts: &["q"],
        choices: &[],
        uuids: &[],
        dates: &[],
        moments: &[],
        integers: &[],
    },
];

/// What every list takes as well.
const COMMON: &[&str] = &[
    "limit",
    "cursor",
    "seek",
    "fields",
    "sort",
    "count",
    "min_position",
];

/// What a value must not be, and the code that says so.
const BAD_TEXTS: &[(&str, &str)] = &[
    ("%ff", "invalid_encoding"),
    ("a%C3", "invalid_encoding"),
    ("%ED%A0%80", "invalid_encoding"),
    ("%00", "invalid_text"),
    ("a%00b", "invalid_text"),
    ("%1B%5B31m", "invalid_text"),
];
const BAD_DATES: &[(&str, &str)] = &[
    ("2026-2-3", "invalid_date"),
    ("2026-02-30", "invalid_date"),
    ("20266-01-01", "invalid_date"),
    ("%2B20266-01-01", "invalid_date"),
    ("1899-12-31", "invalid_date"),
    ("2101-01-01", "invalid_date"),
    ("0001-01-01", "invalid_date"),
    ("01.02.2026", "invalid_date"),
    ("2026-06-05T00:00:00Z", "invalid_date"),
    ("infinity", "invalid_date"),
    ("today", "invalid_date"),
    ("%ff", "invalid_encoding"),
];
const BAD_MOMENTS: &[(&str, &str)] = &[
    ("2026-2-3", "invalid_moment"),
    ("2026-01-01T00:00:00+01:00", "invalid_moment"),
    ("2026-01-01T00:00:00", "invalid_moment"),
    ("20266-01-01T00:00:00Z", "invalid_moment"),
    ("%2B20266-01-01T00:00:00Z", "invalid_moment"),
    ("1899-12-31T00:00:00Z", "invalid_moment"),
    ("2101-01-01T00:00:00Z", "invalid_moment"),
    ("yesterday", "invalid_moment"),
    ("1767225600", "invalid_moment"),
];
const BAD_INTEGERS: &[(&str, &str)] = &[
    ("-1", "invalid_number"),
    ("9223372036854775808", "invalid_number"),
    ("99999999999999999999999999", "invalid_number"),
    ("1.5", "invalid_number"),
    ("1e3", "invalid_number"),
    ("+1", "invalid_number"),
    ("%2B1", "invalid_number"),
    ("NaN", "invalid_number"),
    ("%D9%A1", "invalid_number"),
    ("0x10", "invalid_number"),
    ("%ff", "invalid_encoding"),
];

/// Words of the language that the service is written in, which tell a caller nothing.
const NOT_FOR_PEOPLE: &[&str] = &[
    "ParseIntError",
    "invalid digit",
    "u64",
    "i64",
    "u16",
    "usize",
    "Utf8Error",
    "out of range integral",
    "expected",
    "Option",
    "chrono",
    "premature end",
];

fn names(list: &List) -> Vec<&'static str> {
    let pairs = [list.dates, list.moments, list.integers].concat();
    [list.texts, list.choices, list.uuids, &pairs.concat(), COMMON].concat()
}

/// Refused once, at that parameter, with that code, in words for people in both languages.
fn refused(answer: &Answer, name: &str, code: &str, what: &str) {
    assert!(answer.is(400, "invalid_parameter"), "{what}: {answer:?}");
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{what}: {answer:?}");
    assert_eq!(errors[0]["pointer"], format!("/{name}"), "{what}");
    assert_eq!(errors[0]["code"], code, "{what}");
    for text in ["message_nb", "message_en"] {
        assert!(
            errors[0][text].as_str().is_some_and(|text| text.ends_with('.')),
            "{what}: {answer:?}"
        );
    }
    let text = answer.body.to_string();
    for word in NOT_FOR_PEOPLE {
        assert!(!text.contains(word), "{what}: {word} in {text}");
    }
}

async fn get(app: &App, list: &List, query: &str) -> Answer {
    app.get(&format!("/api/v1/{}?{query}", list.path), &app.staff())
        .await
}

#[tokio::test]
async fn every_value_that_cannot_be_is_refused_at_its_parameter() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        let mut cases: Vec<(&str, &[(&str, &str)])> = Vec::new();
        cases.extend(list.texts.iter().map(|name| (*name, BAD_TEXTS)));
        cases.extend(list.dates.concat().into_iter().map(|name| (name, BAD_DATES)));
        cases.extend(list.moments.concat().into_iter().map(|name| (name, BAD_MOMENTS)));
        cases.extend(
            list.integers
                .concat()
                .into_iter()
                .map(|name| (name, BAD_INTEGERS)),
        );
        cases.extend([("limit", BAD_INTEGERS), ("min_position", BAD_INTEGERS)]);
        let choice: &[(&str, &str)] = &[("nonsense", "invalid_choice"), ("%ff", "invalid_encoding")];
        cases.extend(list.choices.iter().map(|name| (*name, choice)));
        cases.push(("sort", choice));
        cases.push((
            "sort",
            &[
                ("customer_id", "invalid_choice"),
                ("--created_at", "invalid_choice"),
            ],
        ));
        let uuid: &[(&str, &str)] = &[("1", "invalid_uuid"), ("%ff", "invalid_encoding")];
        cases.extend(list.uuids.iter().map(|name| (*name, uuid)));
        let boolean: &[(&str, &str)] = &[("1", "invalid_boolean"), ("TRUE", "invalid_boolean")];
        cases.push(("count", boolean));
        cases.push(("limit", &[("0", "invalid_number"), ("201", "invalid_number")]));
        for (name, bad) in cases {
            for (value, code) in bad {
                let query = format!("{name}={value}");
                let answer = get(&app, list, &query).await;
                refused(&answer, name, code, &format!("{}?{query}", list.path));
            }
        }
        for name in list.texts {
            let query = format!("{name}={}", "a".repeat(101));
            refused(&get(&app, list, &query).await, name, "invalid_text", &query);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_parameter_is_as_if_it_were_absent() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        let all = names(list);
        for name in &all {
            for query in [
                format!("{name}="),
                (*name).to_owned(),
                format!("{name}=%20"),
                format!("{name}=+"),
            ] {
                let answer = get(&app, list, &query).await;
                assert_eq!(answer.status, StatusCode::OK, "{}?{query}: {answer:?}", list.path);
            }
        }
        let every = all
            .iter()
            .map(|name| format!("{name}="))
            .collect::<Vec<_>>()
            .join("&");
        assert_eq!(get(&app, list, &every).await.status, StatusCode::OK, "{every}");
    }
    Ok(())
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused_whatever_it_holds() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        for name in names(list) {
            let query = format!("{name}=&{name}=");
            let answer = get(&app, list, &query).await;
            refused(&answer, name, "duplicate_parameter", &query);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_refused_everywhere() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        let days = ["2026-01-02", "2026-01-01"];
        let ranges = [
            (list.dates, days),
            (list.moments, days),
            (list.moments, ["2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"]),
            (list.integers, ["2", "1"]),
        ];
        for (pairs, [more, less]) in ranges {
            for [from, to] in pairs {
                let query = format!("{from}={more}&{to}={less}");
                refused(&get(&app, list, &query).await, to, "invalid_range", &query);
                for query in [
                    format!("{from}={less}&{to}={more}"),
                    format!("{from}={less}&{to}={less}"),
                ] {
                    let answer = get(&app, list, &query).await;
                    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_raw_plus_in_a_time_is_explained() -> Result<()> {
    let app = App::start().await?;
    let query = "created_from=2026-01-01T00:00:00+01:00";
    let answer = get(&app, &LISTS[0], query).await;
    let error = &answer.body["errors"][0];
    assert!(
        error["message_en"].as_str().unwrap().contains("%2B"),
        "{answer:?}"
    );
    assert!(
        error["message_nb"].as_str().unwrap().contains("%2B"),
        "{answer:?}"
    );
    let answer = get(&app, &LISTS[0], &query.replace('+', "%2B")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_outermost_values_are_taken() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        let mut queries = vec!["limit=1".to_owned(), "limit=200".into(), "min_position=0".into()];
        for name in list.dates.concat() {
            queries.extend([format!("{name}=1900-01-01"), format!("{name}=2100-12-31")]);
        }
        for name in list.moments.concat() {
            for value in [
                "1900-01-01",
                "2100-12-31",
                "1900-01-01T00:00:00Z",
                "2100-12-31T23:59:59.999999999Z",
                "2016-12-31T23:59:60Z",
            ] {
                queries.push(format!("{name}={value}"));
            }
        }
        for name in list.integers.concat() {
            queries.extend([format!("{name}=0"), format!("{name}=9223372036854775807")]);
        }
        for name in list.texts {
            queries.push(format!("{name}={}", "%F0%9F%8F%81".repeat(100)));
            // Two hundred characters that are a hundred in the normal form.
            queries.push(format!("{name}={}", "a%CC%8A".repeat(100)));
            queries.push(format!("{name}={}", "12+".repeat(33)));
            queries.push(format!("{name}={}", "1234+".repeat(20)));
        }
        for query in queries {
            let answer = get(&app, list, &query).await;
            assert_eq!(answer.status, StatusCode::OK, "{}?{query}: {answer:?}", list.path);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused() -> Result<()> {
    let app = App::start().await?;
    for list in LISTS {
        let answer = get(&app, list, "%ff=1").await;
        assert!(answer.is(400, "invalid_parameter"), "{answer:?}");
        assert_eq!(answer.body["errors"][0]["code"], "invalid_encoding");
    }
    Ok(())
}
