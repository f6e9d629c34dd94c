//! The OpenAPI document of this service.

use axum::http::StatusCode;
use serde_json::{Value, json};
use service::docs::{self, Header};
use service::problem::Problem;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, Required, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::begin_login::LOGIN;
use crate::check::CHECK;
use crate::logout::LOGOUT;
use crate::me::{ME, Me};
use crate::provider::CALLBACK;
use crate::refresh::REFRESH;
use crate::{cookies, problems};

const DESCRIPTION: &str = "The sessions of browsers. A login at the issuer becomes a sealed cookie, and the edge turns the cookie \
    into the bearer token that the APIs know, so no script ever sees a token. Pages call `POST /session/refresh` when an API \
    answers 401, one at a time. Errors are `application/problem+json` (RFC 9457) with a stable `code`.";

const TAG: &str = "session";
/// The name of the security scheme: the cookie.
const COOKIE: &str = "session";

/// The document.
pub fn document() -> OpenApi {
    let mut document = docs::document("Bilsport licenses: sessions", DESCRIPTION);
    let tag = TagBuilder::new()
        .name(TAG)
        .description(Some("Logins, and what they leave in a browser."));
    document.tags.get_or_insert_default().push(tag.build());
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Me::name().into_owned(), Me::schema());
    let cookie =
        ApiKeyValue::with_description(cookies::SESSION, "Set by a login. Only its sender can read it.");
    components.security_schemes.insert(
        COOKIE.to_owned(),
        SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into(),
    );
    for (path, method, operation) in [
        (LOGIN, HttpMethod::Get, begin_login()),
        (CALLBACK, HttpMethod::Get, end_login()),
        (REFRESH, HttpMethod::Post, refresh()),
        (LOGOUT, HttpMethod::Post, log_out()),
        (ME, HttpMethod::Get, get_me()),
        (CHECK, HttpMethod::Get, check()),
    ] {
        document.paths.add_path_operation(path, vec![method], operation);
    }
    document
}

fn begin_login() -> OperationBuilder {
    let operation = operation("begin_login", "Begins a login")
        .description(Some(
            "For a person's browser. Sends it to the issuer; if the issuer is away, to the page `/innlogging` (or \
             `/en/innlogging`) with the code in `feil`.",
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "return_to",
            "Where the person goes afterwards: a path of our own pages. Any other becomes `/`.",
            json!("/kjop/betal"),
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "lang",
            "The language of the pages: `nb`, or `en`.",
            json!("nb"),
        ))
        .response("302", redirect("To the issuer.", true))
        .response("303", redirect("To the page that tells the failure.", false));
    refused(operation, problems::bad_queries())
}

fn end_login() -> OperationBuilder {
    let operation = operation("end_login", "Ends a login")
        .description(Some(
            "The issuer sends a person's browser here. A failure leads to the page `/innlogging` (or `/en/innlogging`), with \
             its code in `feil`: `login_cancelled`, `login_expired`, `login_refused`, `login_unavailable` or \
             `session_too_large`.",
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "state",
            "What the login was begun with.",
            json!("8E1yJ4yY0Vv2r6bQq3d0bWm5f1k2l3m4n5o6p7q8r9s"),
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "code",
            "Stands for the tokens, once.",
            json!("SplxlOBeZQQYbYS6WxSbIA"),
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "error",
            "Why there is no code.",
            json!("access_denied"),
        ))
        .parameter(parameter(
            ParameterIn::Query,
            "iss",
            "Who answers (RFC 9207).",
            json!("https://issuer.example"),
        ))
        .response("303", redirect("To `return_to`, or to the page that tells the failure.", true));
    refused(operation, [])
}

fn refresh() -> OperationBuilder {
    let operation = operation("refresh_session", "Gets new tokens")
        .description(Some(
            "For our own pages (`Sec-Fetch-Site` or `Origin` must say so), one request at a time. After 401 only another login \
             helps. After 503 the session is as before.",
        ))
        .security(SecurityRequirement::new(COOKIE, Vec::<String>::new()))
        .response("204", cookie_set("The session has new tokens."));
    refused(
        operation,
        [
            problems::session_ended(),
            problems::cross_site(),
            problems::login_unavailable(),
            problems::session_too_large(),
        ],
    )
}

fn log_out() -> OperationBuilder {
    let operation = operation("log_out", "Ends the session")
        .description(Some(
            "For our own pages. Takes the cookie away, and tells the issuer if it answers within two seconds.",
        ))
        .response("204", cookie_set("There is no session."));
    refused(operation, [problems::cross_site()])
}

fn get_me() -> OperationBuilder {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Me::name())))
        .example(Some(json!({
            "user_id": "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f", "name": "Kari Nordmann", "roles": ["customer"], "clubs": [],
            "expires_at": "2026-06-05T10:10:00Z",
        })));
    let found = answered("The person.").content("application/json", content.build());
    let operation = operation("get_session", "Who is logged in")
        .description(Some(
            "By the token's own words. What the shop says of a user is at `GET /api/v1/users/me`.",
        ))
        .security(SecurityRequirement::new(COOKIE, Vec::<String>::new()))
        .response("200", found.build());
    let mut refusals = vec![
        problems::login_required(),
        problems::session_expired(),
        problems::login_unavailable(),
    ];
    refusals.extend(docs::of_login());
    refused(operation, refusals)
}

fn check() -> OperationBuilder {
    let from_the_edge = |name, said, example| parameter(ParameterIn::Header, name, said, example);
    let bearer = HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some(
            "What goes to the API as `Authorization`; empty for a request without a login.",
        ))
        .example(Some(json!("Bearer eyJ…")));
    let found = answered("The request may go on.").header("X-Bearer", bearer.build());
    let operation = operation("check_session", "Whose token a request carries")
        .description(Some(
            "For the edge (nginx `auth_request`), with the headers of the request that it asks about. Browsers must not reach \
             it. An `Authorization` of the caller's own goes before a cookie, and is left to the API to judge.",
        ))
        .parameter(from_the_edge(
            "X-Original-Method",
            "The method of the request. All but GET, HEAD and OPTIONS need to come from our own pages if a cookie counts.",
            json!("GET"),
        ))
        .parameter(from_the_edge(
            "X-Original-URI",
            "The address of the request. Not looked at today.",
            json!("/api/v1/orders"),
        ))
        .parameter(from_the_edge("Sec-Fetch-Site", "Of the request.", json!("same-origin")))
        .parameter(from_the_edge("Origin", "Of the request.", json!("https://shop.example")))
        .security(SecurityRequirement::default())
        .security(SecurityRequirement::new(COOKIE, Vec::<String>::new()))
        .security(docs::needs_login())
        .response("204", found.build());
    refused(
        operation,
        [
            problems::login_required(),
            problems::session_expired(),
            problems::ambiguous_authorization(),
            problems::cross_site(),
        ],
    )
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(TAG)
        .operation_id(Some(id))
        .summary(Some(summary))
}

/// Its refusals, and those of every request. Requests are not limited here: the edge does that.
fn refused(mut operation: OperationBuilder, problems: impl IntoIterator<Item = Problem>) -> OperationBuilder {
    let of_every_request = docs::of_every_request();
    let usual = of_every_request
        .into_iter()
        .filter(|problem| problem.status() != StatusCode::TOO_MANY_REQUESTS);
    for (status, response) in docs::refusals(problems.into_iter().chain(usual)) {
        operation = operation.response(status, response);
    }
    operation
}

fn answered(description: &str) -> ResponseBuilder {
    let mut response = ResponseBuilder::new().description(description);
    for header in [Header::CacheControl, Header::RequestId] {
        response = response.header_ref(header.name(), header.reference());
    }
    response
}

fn cookie_set(description: &str) -> utoipa::openapi::Response {
    answered(description)
        .header("Set-Cookie", cookie_header())
        .build()
}

fn redirect(description: &str, with_cookie: bool) -> utoipa::openapi::Response {
    let location = HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some("Where to."))
        .example(Some(json!("/kjop/betal")));
    let response = answered(description).header("Location", location.build());
    if with_cookie {
        response.header("Set-Cookie", cookie_header()).build()
    } else {
        response.build()
    }
}

fn cookie_header() -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some("Sets or takes away a cookie of ours."))
        .example(Some(json!(format!(
            "{}=…; Path=/; HttpOnly; Secure; SameSite=Lax",
            cookies::SESSION
        ))))
        .build()
}

fn parameter(place: ParameterIn, name: &str, said: &str, example: Value) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(text()))
        .description(Some(said))
        .example(Some(example))
        .build()
}

fn text() -> Schema {
    Object::with_type(Type::String).into()
}
