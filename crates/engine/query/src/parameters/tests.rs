use super::*;
use crate::sample::NOTES;

fn parameters(query: &str) -> Parameters {
    Parameters::new(query, &HeaderMap::new())
}

#[test]
fn a_date_is_a_whole_day_in_norway() {
    let moment = |query: &str, name: &str| {
        let mut parameters = parameters(query);
        let selection = parameters.selection(NOTES.filters);
        parameters.finish().unwrap();
        match selection.get(name) {
            Some(FilterValue::Moment(moment)) => moment.to_rfc3339(),
            other => panic!("{other:?}"),
        }
    };
    let day = "from=2026-03-29&to=2026-03-29";
    assert_eq!(moment(day, "from"), "2026-03-28T23:00:00+00:00");
    assert_eq!(
        moment(day, "to"),
        "2026-03-29T22:00:00+00:00",
        "an hour was skipped that day"
    );
    let exact = moment("to=2026-01-01T00%3A00%3A00.5%2B01%3A00", "to");
    assert_eq!(exact, "2025-12-31T23:00:00.500+00:00");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut parameters = parameters("limit=x&limit=2&sta~tus=a&id=7&text=a%00b");
    assert_eq!(parameters.integer("limit", &(1..=9)), Some(2));
    assert_eq!((parameters.uuid("id"), parameters.text("text")), (None, None));
    let problem = parameters.finish().unwrap_err();
    assert_eq!(problem.code(), "unknown_parameter");
    let shown = format!("{problem:?}");
    for part in [
        "\"/limit\"",
        "\"/sta~0tus\"",
        "\"/id\"",
        "\"/text\"",
        "limit, id, text",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn the_worst_refusal_names_the_problem() {
    let mut parameters = parameters("a=x");
    assert_eq!(parameters.boolean("a"), None);
    assert_eq!(parameters.finish().unwrap_err().code(), "invalid_parameter");
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused_at_its_end() {
    let refused = |query: &str| {
        let mut parameters = parameters(query);
        parameters.selection(NOTES.filters);
        format!("{:?}", parameters.finish()).contains("invalid_range")
    };
    for (query, expected) in [
        ("from=2026-01-02&to=2026-01-01", true),
        ("from=2026-01-01&to=2026-01-01", false),
        ("from=2026-01-01T12:00:00Z&to=2026-01-01", false),
        ("from=2026-01-01T12:00:00Z&to=2026-01-01T12:00:00Z", false),
        ("from=2026-01-01T12:00:01Z&to=2026-01-01T12:00:00Z", true),
        ("from=2026-01-01T23:00:00Z&to=2026-01-01", true),
        ("from=&to=2026-01-01", false),
    ] {
        assert_eq!(refused(query), expected, "{query}");
    }
    assert!(refused("first_day=2026-01-02&last_day=2026-01-01"));
    assert!(!refused("first_day=2026-01-01&last_day=2026-01-01"));
    assert!(refused("least=2&most=1"));
    assert!(!refused("least=1&most=1"));
}

#[test]
fn the_header_and_the_parameter_mean_the_later_position() {
    let asked = |query: &str, headers: &[&str]| {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(MIN_POSITION, value.parse().unwrap());
        }
        let mut parameters = Parameters::new(query, &map);
        let awaited = parameters.min_position();
        parameters
            .finish()
            .map(|()| awaited.map(|awaited| (awaited.name, awaited.position)))
            .map_err(|problem| format!("{problem:?}"))
    };
    assert_eq!(asked("", &[]), Ok(None));
    assert_eq!(asked("min_position=", &[""]), Ok(None));
    assert_eq!(asked("min_position=7", &["5"]), Ok(Some(("min_position", 7))));
    assert_eq!(asked("min_position=", &[" 5 "]), Ok(Some(("Min-Position", 5))));
    assert_eq!(asked("min_position=3", &["5"]), Ok(Some(("Min-Position", 5))));
    for (query, headers, code) in [
        ("", &["5", "5"][..], "duplicate_parameter"),
        ("", &["five"], "invalid_number"),
        ("min_position=1", &["-5"], "invalid_number"),
        ("min_position=+5", &[], "invalid_number"),
        ("min_position=%2B5", &[], "invalid_number"),
        ("min_position=9223372036854775808", &[], "invalid_number"),
    ] {
        let refused = asked(query, headers).unwrap_err();
        assert!(refused.contains(code), "{query} {headers:?}: {refused}");
    }
}
