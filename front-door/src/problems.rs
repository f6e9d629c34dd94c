//! What is refused, in words.

use axum::http::StatusCode;
use service::problem::Problem;

/// 401: no session came along, or one that cannot be opened.
pub(crate) fn login_required() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "login_required",
        "Du må logge inn.",
        "You need to log in.",
    )
}

/// 401: the access token of the session has ended. A refresh gets another one.
pub(crate) fn session_expired() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "session_expired",
        "Innloggingen må fornyes.",
        "Your login has to be renewed.",
    )
}

/// 401: the session is over, and only another login helps.
pub(crate) fn session_ended() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "session_ended",
        "Du er logget ut. Logg inn på nytt.",
        "You are logged out. Log in again.",
    )
}

/// 401: there are several `Authorization` headers.
pub(crate) fn ambiguous_authorization() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token_invalid",
        "Innloggingen er ikke gyldig. Logg inn på nytt.",
        "Your login is not valid. Log in again.",
    )
}

/// 403: the request does not come from our own pages.
pub(crate) fn cross_site() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "Forespørselen kom fra en annen nettside.",
        "The request came from another site.",
    )
}

/// 503: the issuer does not answer, or its keys are not known yet.
pub(crate) fn login_unavailable() -> Problem {
    Problem::unavailable(
        "login_unavailable",
        "Innlogging er ikke tilgjengelig akkurat nå. Prøv igjen om litt.",
        "Login is not available right now. Try again in a moment.",
    )
}

/// 500: the tokens of this person do not fit into a cookie.
pub(crate) fn session_too_large() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "session_too_large",
        "Innloggingen har for mange opplysninger til at nettleseren kan ta vare på den.",
        "Your login has more data than a browser can keep.",
    )
}

/// 400, as [`service::extract::Query`] answers: a parameter is given twice, or is unknown. For the document.
pub(crate) fn bad_queries() -> [Problem; 2] {
    let bad = |code, nb, en| Problem::new(StatusCode::BAD_REQUEST, code, nb, en);
    [
        bad(
            "malformed_query",
            "Et parameter i adressen er ikke gyldig.",
            "A parameter in the address is not valid.",
        ),
        bad(
            "unknown_field",
            "Forespørselen har et felt vi ikke kjenner.",
            "The request has a field we do not know.",
        ),
    ]
}
