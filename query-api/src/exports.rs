//! `GET /api/v1/exports/{orders,licenses,receipts}`, for staff: all rows that the filters keep, as a stream.

mod csv;
mod sheets;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use query::{Conditions, Error, Export, Parameters, Record, Resource};
use read_model::{LICENSES, ORDERS, RECEIPTS};
use service::auth::Principal;
use service::postgres::describe;
use service::problem::Problem;

use self::sheets::Sheet;
use crate::AppState;

/// The values of `format`; the first is the default.
pub(crate) const FORMATS: [&str; 2] = ["csv", "ndjson"];

pub(crate) async fn export_orders(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    export(&state, &principal, &ORDERS, &sheets::ORDERS, parameters).await
}

pub(crate) async fn export_licenses(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    export(&state, &principal, &LICENSES, &sheets::LICENSES, parameters).await
}

pub(crate) async fn export_receipts(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    export(&state, &principal, &RECEIPTS, &sheets::RECEIPTS, parameters).await
}

/// How rows are written.
#[derive(Clone, Copy, Debug)]
enum Format {
    Csv(&'static Sheet),
    Ndjson,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Csv(_) => FORMATS[0],
            Self::Ndjson => FORMATS[1],
        }
    }

    /// What comes before the rows.
    fn head(self) -> Vec<u8> {
        match self {
            Self::Csv(sheet) => csv::head(sheet),
            Self::Ndjson => Vec::new(),
        }
    }

    fn rows(self, rows: &[Record]) -> Vec<u8> {
        match self {
            Self::Csv(sheet) => csv::rows(sheet, rows),
            Self::Ndjson => rows.iter().fold(Vec::new(), |mut bytes, row| {
                bytes.extend_from_slice(row.json());
                bytes.push(b'\n');
                bytes
            }),
        }
    }
}

async fn export(
    state: &AppState,
    principal: &Principal,
    resource: &'static Resource,
    sheet: &'static Sheet,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let format = match parameters.choice("format", &FORMATS).as_deref() {
        Some("ndjson") => Format::Ndjson,
        _ => Format::Csv(sheet),
    };
    // Staff sees all rows.
    let export = state
        .exports
        .begin(resource, parameters, principal.user_id, Conditions::default())
        .await?;
    let position = export.position();
    let file = format!(
        "attachment; filename=\"{}-{}.{}\"",
        resource.name,
        position.position(),
        format.extension()
    );
    let mut response = Body::from_stream(body(export, format, resource.name)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    // Letters, digits and a hyphen are valid in a header.
    headers.extend(
        HeaderValue::from_str(&file)
            .ok()
            .map(|file| (header::CONTENT_DISPOSITION, file)),
    );
    position.mark(headers, "private, no-store");
    Ok(response)
}

/// The head, and then run by run of rows, each read when the one before it is taken. When one can't be read, the answer is cut
/// off, and the client sees that it is not complete.
fn body(
    export: Export,
    format: Format,
    resource: &'static str,
) -> impl stream::Stream<Item = Result<Vec<u8>, Error>> {
    stream::try_unfold(
        (export, Some(format.head())),
        move |(mut export, head)| async move {
            if let Some(head) = head {
                return Ok(Some((head, (export, None))));
            }
            match export.next().await {
                Ok(rows) if rows.is_empty() => Ok(None),
                Ok(rows) => Ok(Some((format.rows(&rows), (export, None)))),
                Err(error) => {
                    tracing::warn!(resource, error = %describe(&error), "an export was cut off");
                    Err(error)
                }
            }
        },
    )
}
