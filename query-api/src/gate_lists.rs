//! The two lists that a gate keeps to work without a network: `GET /.well-known/license-keys.json` and `GET /revocations`.
//! Both are signed by the root key, whose public half is built into the gates, so it does not matter how they came.
//! `schemas/qr` says which bytes are signed.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Days, DurationRound as _, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Europe::Oslo;
use documents::keys::encode;
use query::{AnswerPosition, Asker, Content, Parameters};
use read_model::revocations::{self, MOST_REVOCATIONS, Revocations};
use serde_json::{Value, json};
use service::problem::Problem;
use uuid::Uuid;

use crate::AppState;
use crate::codes::keys_missing;
use crate::keys::Ring;

/// Names in metrics.
pub(crate) const KEYS: &str = "license-keys";
pub(crate) const REVOCATIONS: &str = "revocations";

const JSON: &str = "application/json";
/// Bytes of a license's hash.
const HASH_BYTES: usize = 8;

pub(crate) async fn license_keys(
    State(state): State<AppState>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let if_none_match = parameters.if_none_match();
    parameters.finish()?;
    let ring = state.signer.as_ref().ok_or_else(keys_missing)?.ring();
    let content = Content {
        name: KEYS,
        cache_control: "public, max-age=300, stale-while-revalidate=86400",
        content_type: JSON,
        bytes: bytes(&key_list(&ring, Utc::now()))?,
    };
    Ok(content.respond(None, if_none_match.as_deref()))
}

pub(crate) async fn list_revocations(
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let since = parameters.integer("since", &(0..=i64::MAX));
    let epoch = parameters.uuid("epoch");
    let if_none_match = parameters.if_none_match();
    parameters.finish()?;
    let since = since.and_then(|since| u64::try_from(since).ok());
    let ring = state.signer.as_ref().ok_or_else(keys_missing)?.ring();
    let now = Utc::now();
    let today = now.with_timezone(&Oslo).date_naive();
    let from = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    // A gate's list never goes back.
    let reads = state.reads.after(since.unwrap_or_default());
    let read = |since| {
        reads.ask(REVOCATIONS, Asker::PUBLIC, move |client| {
            Box::pin(revocations::read(client, since, from))
        })
    };
    let mut found = read(since).await?;
    let mut since = since;
    // Positions of another log say nothing: the caller gets all of this one.
    if since.is_some() && epoch.is_some_and(|epoch| epoch != found.checkpoint.epoch) {
        since = None;
        found = read(None).await?;
    }
    if found.void.len() + found.restored.len() > MOST_REVOCATIONS {
        tracing::error!(
            most = MOST_REVOCATIONS,
            "the list of revocations is too long to be complete"
        );
        return Err(Problem::from_status(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        ));
    }
    let content = Content {
        name: REVOCATIONS,
        cache_control: "public, max-age=30, stale-while-revalidate=60",
        content_type: JSON,
        bytes: bytes(&revocation_list(&ring, &found, since, now))?,
    };
    let position = AnswerPosition::at(found.checkpoint.position, found.stale);
    Ok(content.respond(Some(position), if_none_match.as_deref()))
}

fn bytes(body: &Value) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| Problem::internal(&error))
}

fn key_list(ring: &Ring, now: DateTime<Utc>) -> Value {
    let at = minute(now);
    let mut signed = format!("bilsport-license-keys-1\n{at}\n");
    let mut keys = Vec::new();
    for key in ring.licenses.published() {
        let (public, not_before, not_after) =
            (encode(&key.key), moment(key.not_before), moment(key.not_after));
        // Writing to a String cannot fail.
        let _ = writeln!(signed, "{} {public} {not_before} {not_after}", key.id);
        keys.push(
            json!({"kid": key.id, "public_key": public, "not_before": not_before, "not_after": not_after}),
        );
    }
    json!({"at": at, "keys": keys, "signature": ring.sign_list(&signed)})
}

fn revocation_list(ring: &Ring, found: &Revocations, since: Option<u64>, now: DateTime<Utc>) -> Value {
    let (at, epoch, position) = (minute(now), found.checkpoint.epoch, found.checkpoint.position);
    let (void, restored) = (hashes(&found.void), hashes(&found.restored));
    let scope = since.map_or_else(|| "full".to_owned(), |since| format!("since {since}"));
    let mut signed = format!("bilsport-revocations-1\n{epoch}\n{position}\n{at}\n{scope}\n");
    for hash in &void {
        let _ = writeln!(signed, "+{hash}");
    }
    for hash in &restored {
        let _ = writeln!(signed, "-{hash}");
    }
    let signature = ring.sign_list(&signed);
    match since {
        None => {
            json!({"epoch": epoch, "position": position, "at": at, "full": void, "signature": signature})
        }
        Some(since) => json!({"epoch": epoch, "position": position, "at": at, "since": since, "added": void,
                              "removed": restored, "signature": signature}),
    }
}

/// The beginnings of the SHA-256 of the ids' 16 bytes, in order: a list tells which license is revoked only to those who
/// hold it.
fn hashes(licenses: &[Uuid]) -> Vec<String> {
    let mut hashes: Vec<String> = licenses
        .iter()
        .map(|id| {
            let digest = digest::digest(&digest::SHA256, id.as_bytes());
            digest.as_ref()[..HASH_BYTES]
                .iter()
                .fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
        })
        .collect();
    hashes.sort_unstable();
    hashes
}

/// Lists are dated by the minute, so that within one they are the same bytes and have the same tag.
fn minute(now: DateTime<Utc>) -> String {
    moment(now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now))
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
