//! Finds every malformed date and moment of a body. serde stops at the first, and a form shows all.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::expected::explain;
use super::malformed::pointer;
use super::objects::Objects;
use crate::problem::Problem;

/// The most that are reported of one body, each of which costs reading it again.
const MOST: usize = 20;

/// What follows the comma in serde's message, and a right value.
const STAND_INS: [(&str, &str); 2] = [
    (", expected a date", "2000-01-01"),
    (", expected a moment", "2000-01-01T00:00:00Z"),
];

/// The problem of the first malformed value of `text`, with a field for each date and moment after it: each is replaced
/// with a right one, and the body is read again.
pub(super) fn with_every_other<T: DeserializeOwned>(
    mut problem: Problem,
    text: &str,
    first: &serde_path_to_error::Error<serde_json::Error>,
) -> Problem {
    let Some(stand_in) = stand_in(first) else {
        return problem;
    };
    let Ok(mut body) = serde_json::from_str::<Value>(text) else {
        return problem;
    };
    let mut replacement = (pointer(first.path()), stand_in);
    for _ in 1..MOST {
        let Some(place) = body.pointer_mut(&replacement.0) else {
            break;
        };
        *place = replacement.1.into();
        let Err(next) = serde_path_to_error::deserialize::<_, T>(Objects(&body)) else {
            break;
        };
        let Some(stand_in) = self::stand_in(&next) else {
            break;
        };
        replacement = (pointer(next.path()), stand_in);
        let (message_nb, message_en) = explain(&next.inner().to_string());
        problem = problem.field(replacement.0.clone(), "invalid_value", message_nb, message_en);
    }
    problem
}

fn stand_in(error: &serde_path_to_error::Error<serde_json::Error>) -> Option<&'static str> {
    let message = error.inner().to_string();
    let of_this = |(expected, stand_in)| message.contains(expected).then_some(stand_in);
    STAND_INS.into_iter().find_map(of_this)
}
