//! What is wrong with the parameters of a request, as one problem.

use axum::http::StatusCode;
use service::problem::Problem;

/// The longest parameter name that is repeated in an answer.
const MAX_NAME_CHARS: usize = 64;

/// Code and texts of a problem.
type Kind = (&'static str, &'static str, &'static str);

/// Refusals with a problem of their own, worst first.
const KINDS: [Kind; 2] = [
    (
        "unknown_parameter",
        "Et parameter i adressen er ukjent.",
        "A parameter in the address is unknown.",
    ),
    ("unknown_field", "Et felt finnes ikke.", "A field does not exist."),
];
/// All others.
const INVALID: Kind = (
    "invalid_parameter",
    "Et parameter i adressen er ugyldig.",
    "A parameter in the address is not valid.",
);

/// What is wrong with one parameter.
#[derive(Debug)]
pub(super) struct ParameterError {
    name: String,
    code: &'static str,
    message_nb: String,
    message_en: String,
}

impl ParameterError {
    pub(super) fn new(name: &str, code: &'static str, message_nb: String, message_en: String) -> Self {
        Self {
            name: name.chars().take(MAX_NAME_CHARS).collect(),
            code,
            message_nb,
            message_en,
        }
    }
}

/// Refuses a request with these errors, if there are any. `known` are the parameters that it can have.
pub(super) fn all(errors: Vec<ParameterError>, known: &[&str]) -> Result<(), Problem> {
    if errors.is_empty() {
        return Ok(());
    }
    // The code is that of the worst: what the client's developer got wrong, before what a person got wrong in a value.
    let has = |code| errors.iter().any(|error| error.code == code);
    let worst = *KINDS.iter().find(|(code, ..)| has(*code)).unwrap_or(&INVALID);
    let mut problem = refusal(worst);
    if worst == KINDS[0] {
        problem = problem.detail(format!("allowed parameters: {}", known.join(", ")));
    }
    for error in errors {
        let pointer = format!("/{}", error.name.replace('~', "~0").replace('/', "~1"));
        problem = problem.field(pointer, error.code, error.message_nb, error.message_en);
    }
    Err(problem)
}

fn refusal((code, message_nb, message_en): Kind) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, message_nb, message_en)
}

/// Every problem that the parameters of an operation can be refused with, with an example of what is wrong.
pub(crate) fn problems() -> Vec<Problem> {
    let examples = [
        (
            "/limt",
            "unknown_parameter",
            "Parameteret er ukjent.",
            "The parameter is unknown.",
        ),
        (
            "/fields",
            "unknown_field",
            "Feltene som finnes er: name, version.",
            "The fields are: name, version.",
        ),
        (
            "/limit",
            "invalid_number",
            "Verdien må være et helt tall fra 1 til 200.",
            "The value must be a whole number from 1 to 200.",
        ),
    ];
    let kinds = KINDS.into_iter().chain([INVALID]);
    kinds
        .zip(examples)
        .map(|(kind, (pointer, code, nb, en))| refusal(kind).field(pointer, code, nb, en))
        .collect()
}
