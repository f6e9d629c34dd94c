//! Serves the document and the page.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use super::document::DOCUMENT;
use crate::problem::Problem;

/// Where the page is.
pub const PAGE: &str = "/api/v1/docs";
/// The routes of [`routes`], as the router has them.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", DOCUMENT),
    ("GET", PAGE),
    ("GET", "/api/v1/docs/"),
    ("GET", "/api/v1/docs/{*file}"),
];

/// What the page may load. Swagger UI sets styles from its script, and has its icons as `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A phone shows the page in its own width.
const VIEWPORT: &str = r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#;
/// Caches may keep document and page for a minute; a new build then replaces them.
const CACHE: &str = "public, max-age=60";

/// The document at [`DOCUMENT`] and the page at [`PAGE`], for a router that serves nothing else there.
pub fn routes<S: Clone + Send + Sync + 'static>(openapi: &OpenApi) -> Router<S> {
    let document: Arc<[u8]> = serde_json::to_vec(openapi).unwrap_or_default().into();
    // Without a validator: Swagger UI would send the address of the document to a server of its makers.
    let config = Config::from(DOCUMENT)
        .validator_url("none")
        .use_base_layout()
        .deep_linking(true);
    let page = Page {
        config: Arc::new(config),
        title: openapi.info.title.as_str().into(),
    };
    let page = Router::new()
        .route("/api/v1/docs/", get(index))
        .route("/api/v1/docs/{*file}", get(file))
        .with_state(page);
    Router::new()
        .route(DOCUMENT, get(async move || json(&document)))
        .route(PAGE, get(async || Redirect::temporary("/api/v1/docs/")))
        .merge(page)
}

fn json(document: &Arc<[u8]>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, CACHE),
    ];
    (headers, document.to_vec()).into_response()
}

#[derive(Clone)]
struct Page {
    config: Arc<Config<'static>>,
    title: Arc<str>,
}

async fn index(State(page): State<Page>) -> Response {
    of_page("index.html", page)
}

async fn file(State(page): State<Page>, Path(file): Path<String>) -> Response {
    of_page(&file, page)
}

fn of_page(file: &str, page: Page) -> Response {
    let found = match utoipa_swagger_ui::serve(file, page.config) {
        Ok(Some(found)) => found,
        Ok(None) => return Problem::not_found().into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot show the API's documentation");
            return Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
    };
    // The vendored page has the title of its makers, and phones lay it out as for a desktop.
    let bytes = if file == "index.html" {
        let head = format!("<title>{}</title>{VIEWPORT}", page.title);
        String::from_utf8_lossy(&found.bytes)
            .replacen("<title>Swagger UI</title>", &head, 1)
            .into_bytes()
    } else {
        found.bytes.into_owned()
    };
    let fixed = [
        (header::CACHE_CONTROL, CACHE),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (fixed, bytes).into_response();
    if let Ok(content_type) = HeaderValue::from_str(&found.content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}
