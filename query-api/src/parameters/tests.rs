use super::*;

fn parameters(query: &str) -> Parameters {
    Parameters::new(query, &HeaderMap::new())
}

#[test]
fn a_date_is_a_whole_day_in_norway() {
    let mut parameters =
        parameters("from=2026-03-29&to=2026-03-29&exact=2026-01-01T00%3A00%3A00.5%2B01%3A00");
    assert_eq!(
        parameters.moment_from("from").unwrap().to_rfc3339(),
        "2026-03-28T23:00:00+00:00"
    );
    let to = parameters.moment_before("to").unwrap();
    assert_eq!(
        to.to_rfc3339(),
        "2026-03-29T22:00:00+00:00",
        "an hour was skipped that day"
    );
    let exact = parameters.moment_before("exact").unwrap();
    assert_eq!(exact.to_rfc3339(), "2025-12-31T23:00:00.500+00:00");
    parameters.finish().unwrap();
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut parameters = parameters("limit=x&limit=2&sta~tus=a&id=7&text=a%00b");
    assert_eq!(parameters.integer("limit", 1..=9), Some(2));
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
