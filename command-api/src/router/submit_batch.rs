//! `POST /batches`: up to 10,000 commands of one kind. Each is judged by itself, after the answer.

use std::str::FromStr as _;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use domain::{Batch, BatchCommand, Refusal};
use envelope::Metadata;
use event_store::{CommandHandler, CommandRequest, CommandResponse, IdempotencyKey, Staging};
use events::BatchSubmitted;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use service::auth::{Caller, Who};
use service::extract::must_be_plain;
use service::problem::Problem;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, RefOr, Required};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;
use vocabulary::{BatchKind, BatchStatus, Word as _};

use crate::answer::{answered, problem};
use crate::batches::MAX_BATCH_BYTES;
use crate::batches::intake::{Declared, Format};
use crate::batches::problems::{Unreadable, too_large, too_many_uploads, unknown_format};
use crate::batches::receive::{bytes, receive};
use crate::command::stored;
use crate::idempotency::RequestKey;
use crate::incoming::{metadata, unknown_parameter};
use crate::openapi::{self, Documented};
use crate::operation::{NoPath, Operation};
use crate::state::AppState;

/// Commands of one kind. As `application/x-ndjson` or `text/csv` the items stand alone, and `kind` and `dry_run` are
/// parameters of the address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only documented: the body is read as a stream")]
pub(crate) struct NewBatch {
    /// What the items are.
    kind: BatchKind,
    /// Whether the items are only judged, each as if it were alone, and nothing of them is done.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
    /// Each the body of that command, with the id or code of its path.
    #[schema(value_type = Vec<Object>, min_items = 1, max_items = 10_000,
        example = json!([{"code": "konkurranse-bilcross", "price_ore": 42_000}]))]
    items: Vec<serde_json::Value>,
}

/// The batch that was received.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct SubmittedBatch {
    /// The batch's id.
    batch_id: Uuid,
    /// What its items are.
    kind: BatchKind,
    /// Whether the items are only judged.
    dry_run: bool,
    /// Where it is.
    status: BatchStatus,
    /// How many items there are.
    total: u32,
    /// The batch's version.
    version: u64,
}

impl Operation for NewBatch {
    const NAME: &'static str = "submit_batch";
    const SUMMARY: &'static str =
        "Takes up to 10,000 commands of one kind. Each is judged by itself, after this answer.";
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    const CREATES: bool = true;
    const REFUSALS: &'static [Refusal] = &[];
    type Path = NoPath;
    type Answer = SubmittedBatch;

    fn problems() -> Vec<Problem> {
        let mut problems = Unreadable::examples();
        problems.extend([too_large(), unknown_format(), too_many_uploads()]);
        problems
    }

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

pub(crate) async fn submit_batch(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    must_be_plain(&headers)?;
    let format = format(&headers)?;
    let declared = declared(format, &parts.uri)?;
    let request_key = RequestKey::from_headers(&headers)?;
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > MAX_BATCH_BYTES) {
        return Err(too_large());
    }
    let user_id = caller.principal.user_id;
    // A copy of this request that comes meanwhile waits, and then gets the same answer.
    let _turn = state
        .in_flight
        .enter(&request_key.scoped(NewBatch::NAME, user_id, b""))
        .await?;
    let _place = state.uploads.try_acquire().map_err(|_| too_many_uploads())?;
    let submitted = Submission {
        command_handler: &state.command_handler,
        staging: &state.staging,
        metadata: metadata(&caller.principal, &headers),
        key: |content: &[u8]| request_key.scoped(NewBatch::NAME, user_id, content),
    };
    let submitted = submitted.submit(bytes(Body::new(body)), format, declared).await?;
    Ok(answered(NewBatch::SUCCESS, submitted))
}

/// What submits a batch: a request, or the command line.
pub(crate) struct Submission<'a, K> {
    pub(crate) command_handler: &'a CommandHandler,
    pub(crate) staging: &'a Staging,
    pub(crate) metadata: Metadata,
    /// The key of a request with this content.
    pub(crate) key: K,
}

impl<K: Fn(&[u8]) -> IdempotencyKey> Submission<'_, K> {
    /// Stages the items, and then records that they are there. Died before that, none of them is done.
    pub(crate) async fn submit<B>(
        self,
        body: B,
        format: Format,
        declared: Declared,
    ) -> Result<CommandResponse, Problem>
    where
        B: Stream<Item = Result<axum::body::Bytes, Problem>> + Unpin,
    {
        let batch_id = Uuid::now_v7();
        let received = receive(self.staging, batch_id, body, format, declared).await?;
        let submitted = BatchSubmitted {
            kind: received.kind,
            total: received.total,
            dry_run: received.dry_run,
        };
        let content = format!(
            "{} {} {:?}",
            submitted.kind.as_str(),
            submitted.dry_run,
            received.digest
        );
        let request = CommandRequest {
            aggregate_id: batch_id,
            command: BatchCommand::Submit(submitted.clone()),
            key: (self.key)(content.as_bytes()),
            metadata: self.metadata,
            expected_version: None,
            creates: true,
        };
        let answer = |batch: &Batch, version| {
            stored(&SubmittedBatch {
                batch_id,
                kind: submitted.kind,
                dry_run: submitted.dry_run,
                status: batch.status(),
                total: submitted.total,
                version,
            })
        };
        let recorded = self.command_handler.execute::<Batch>(request, answer).await;
        let recorded = recorded.map_err(problem);
        let own = recorded
            .as_ref()
            .is_ok_and(|response| response.body.contains(&batch_id.to_string()));
        if !own {
            // The same request was recorded before, with a batch of its own; or this one was refused. If it is in doubt, the
            // items of an unrecorded batch are deleted a day later.
            let in_doubt = matches!(&recorded, Err(problem) if problem.status().is_server_error());
            if !in_doubt && let Err(error) = self.staging.remove(batch_id, u32::MAX).await {
                tracing::warn!(error = %error, "the items of a repeated batch stay for now");
            }
        }
        recorded
    }
}

/// By the content type, in UTF-8.
fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(content_type), None) = (values.next(), values.next()) else {
        return Err(unknown_format());
    };
    let content_type = content_type.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let format = match parts.next() {
        Some("application/json") => Format::Json,
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Format::Lines,
        Some("text/csv") => Format::Csv,
        _ => return Err(unknown_format()),
    };
    let utf8 = |charset: &str| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii");
    if parts.filter_map(|part| part.strip_prefix("charset=")).all(utf8) {
        Ok(format)
    } else {
        Err(unknown_format())
    }
}

/// What the address says. A document may say it as well, and then says the same.
fn declared(format: Format, uri: &Uri) -> Result<Declared, Problem> {
    let mut declared = Declared::default();
    let query = uri.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("kind", kind) if declared.kind.is_none() => {
                let kind = BatchKind::from_str(kind);
                declared.kind = Some(kind.map_err(|_| Unreadable::Kind("?kind=").problem())?);
            }
            ("dry_run", flag) if declared.dry_run.is_none() => {
                let flag = bool::from_str(flag);
                declared.dry_run = Some(flag.map_err(|_| Unreadable::Kind("?dry_run=true").problem())?);
            }
            ("kind" | "dry_run", _) => return Err(Unreadable::Kind("?kind=…&dry_run=…").problem()),
            _ => return Err(unknown_parameter()),
        }
    }
    if format != Format::Json && declared.kind.is_none() {
        return Err(Unreadable::Kind("?kind=").problem());
    }
    Ok(declared)
}

/// What the document says of it.
pub(crate) fn documented(who: Who) -> Documented {
    let Documented { operation, schemas } = openapi::operation::<NewBatch>(who);
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let mut operation = operation.build();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for format in ["application/x-ndjson", "text/csv"] {
            let content = ContentBuilder::new().schema(Some(text())).build();
            body.content.insert(format.to_owned(), content.into());
        }
    }
    let parameter = |name: &str, description: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
    };
    let kind = parameter("kind", "What the items are, if the body does not say it.")
        .schema(Some(BatchKind::schema()))
        .build();
    let dry_run = parameter("dry_run", "Whether nothing is done, if the body does not say it.")
        .schema(Some(bool::schema()))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .extend([kind.into(), dry_run.into()]);
    Documented {
        operation: operation.into(),
        schemas,
    }
}
