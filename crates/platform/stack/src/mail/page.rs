//! The page with the letters, the same as JSON, and the switches of faults.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::letter::{self, Letter};
use super::{Faults, Mail};
use crate::html::escape;

const MAX_BODY_BYTES: usize = 64 * 1024;

/// Nothing of a letter is run or fetched, also if it gets past [`escape`].
const SECURITY: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox allow-downloads",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

pub(super) fn router(mail: Mail) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/messages", get(all))
        .route("/messages/{n}", get(one))
        .route("/messages/{n}/attachments/{i}", get(attachment))
        .route("/faults", get(faults).post(set_faults))
        .route(
            "/health/ready",
            get(|| async { Json(json!({ "status": "ready" })) }),
        )
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(mail)
}

async fn list(State(mail): State<Mail>) -> Response {
    let mut rows = String::new();
    for (n, envelope) in mail.store.list() {
        let subject = match envelope.subject.trim() {
            "" => "(uten emne / no subject)",
            subject => subject,
        };
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "<tr><td><a href=\"/messages/{n}\">{}</a></td><td>{}</td><td>{}</td></tr>",
            escape(subject),
            escape(&envelope.to.join(", ")),
            envelope.at.format(TIME)
        );
    }
    if rows.is_empty() {
        return html("<p>Ingen brev ennå. <span lang=\"en\">/ No letters yet.</span></p>");
    }
    html(&format!(
        "<table><thead><tr><th>Emne <span lang=\"en\">/ Subject</span></th><th>Til <span lang=\"en\">/ To</span></th>\
         <th>Tid <span lang=\"en\">/ Time</span> (UTC)</th></tr></thead><tbody>{rows}</tbody></table>"
    ))
}

async fn one(State(mail): State<Mail>, Path(n): Path<u64>) -> Result<Response, Failure> {
    let (envelope, letter) = mail.store.read(n).await?.ok_or(Failure::NotFound)?;
    let letter = Letter::parse(n, envelope, &letter);
    let mut attachments = String::new();
    for attachment in &letter.attachments {
        let _ = write!(
            attachments,
            "<li><a href=\"{}\">{}</a> ({}, {} kB)</li>",
            escape(&attachment.url),
            escape(&attachment.name),
            escape(&attachment.content_type),
            attachment.bytes.div_ceil(1000)
        );
    }
    let mut headers = String::new();
    for header in &letter.headers {
        let _ = writeln!(headers, "{}: {}", escape(&header.name), escape(&header.value));
    }
    Ok(html(&format!(
        "<p><a href=\"/\">Alle brev <span lang=\"en\">/ All letters</span></a></p><h2>{}</h2>\
         <p>Til <span lang=\"en\">/ To</span>: {}<br>Tid <span lang=\"en\">/ Time</span>: {} UTC</p><pre>{}</pre>\
         <ul>{attachments}</ul><details><summary>Meldingshode <span lang=\"en\">/ Headers</span></summary>\
         <pre>{headers}</pre></details>",
        escape(&letter.envelope.subject),
        escape(&letter.envelope.to.join(", ")),
        letter.envelope.at.format(TIME),
        escape(&letter.text),
    )))
}

async fn attachment(State(mail): State<Mail>, Path((n, i)): Path<(u64, u32)>) -> Result<Response, Failure> {
    let (_, letter) = mail.store.read(n).await?.ok_or(Failure::NotFound)?;
    let (name, content_type, content) = letter::attachment(&letter, i).ok_or(Failure::NotFound)?;
    let of_a_file = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let name = name.replace(|character| !of_a_file(character), "_");
    let unknown = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_str(&content_type).unwrap_or(unknown.clone()),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).unwrap_or(unknown),
        ),
    ];
    Ok((SECURITY, headers, content).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// The address of a recipient.
    to: Option<String>,
}

async fn all(State(mail): State<Mail>, Query(filter): Query<Filter>) -> Result<Json<Vec<Letter>>, Failure> {
    let mut letters = Vec::new();
    for (n, envelope) in mail.store.list() {
        let wanted = |to: &String| envelope.to.iter().any(|one| one.eq_ignore_ascii_case(to));
        if filter.to.as_ref().is_none_or(wanted)
            && let Some((envelope, letter)) = mail.store.read(n).await?
        {
            letters.push(Letter::parse(n, envelope, &letter));
        }
    }
    Ok(Json(letters))
}

async fn faults(State(mail): State<Mail>) -> Json<Faults> {
    Json(mail.faults.get())
}

async fn set_faults(State(mail): State<Mail>, body: Bytes) -> Result<Json<Faults>, Failure> {
    let faults: Faults = serde_json::from_slice(&body).map_err(|error| Failure::Faults(error.to_string()))?;
    if let Some(complaint) = faults.complaint() {
        return Err(Failure::Faults(complaint));
    }
    mail.faults.set(faults.clone());
    Ok(Json(faults))
}

enum Failure {
    NotFound,
    Faults(String),
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Brevet finnes ikke. / This letter does not exist.\n".to_owned(),
            ),
            Self::Faults(complaint) => (StatusCode::BAD_REQUEST, format!("the body: {complaint}\n")),
            Self::Other(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        };
        (status, SECURITY, text).into_response()
    }
}

const TIME: &str = "%Y-%m-%d %H:%M:%S";

fn html(body: &str) -> Response {
    let document = format!(
        "<!doctype html><html lang=\"nb\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Brev / Letters</title>\
         <style>{STYLE}</style></head><body><h1>Brev <span lang=\"en\">/ Letters</span></h1>{body}</body></html>"
    );
    let content_type = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (content_type, SECURITY, document).into_response()
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#1d1a2b}\
h1{font-size:1.2rem}h2{font-size:1.1rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f1ff;padding:1rem}";
