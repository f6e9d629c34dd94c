//! Where the next page begins, or the one before ends, sealed: only the reader who got it can use it, for the list that it came from.
//!
//! A cursor holds a row's sort key and id, and is signed together with the resource, sort, filters and reader.
//! Nothing is kept on the server, so cursors survive restarts and work at every instance with the same secret.

use std::sync::Arc;

use anyhow::ensure;
use aws_lc_rs::hmac;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use uuid::Uuid;

use crate::filter::Selection;
use crate::metrics;
use crate::resource::{Direction, Edge, Resource, Sort};

/// Bytes of secret that HMAC-SHA256 deserves.
const MIN_SECRET_BYTES: usize = 32;
/// Bytes of an HMAC-SHA256 tag.
const TAG_BYTES: usize = 32;
/// Longer than any cursor that was made here.
const MAX_CURSOR_BYTES: usize = 4096;

/// Makes and checks cursors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cursors {
    key: Arc<hmac::Key>,
}

/// What a cursor is good for: a change of any of these makes it another list.
#[derive(Debug, Serialize)]
pub(crate) struct Binding<'a> {
    resource: &'static str,
    sort: &'static str,
    direction: Direction,
    filter: &'a Selection,
    reader: Option<Uuid>,
}

impl<'a> Binding<'a> {
    /// `reader` is `None` for a public list.
    pub(crate) fn new(
        resource: &'static Resource,
        sort: &'static Sort,
        direction: Direction,
        filter: &'a Selection,
        reader: Option<Uuid>,
    ) -> Self {
        Self {
            resource: resource.name,
            sort: sort.name,
            direction,
            filter,
            reader,
        }
    }
}

/// What a cursor says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Where the page begins or ends.
    #[serde(flatten)]
    pub(crate) edge: Edge,
    /// The log that this place belongs to.
    pub(crate) epoch: Uuid,
}

impl Cursors {
    /// With a secret of at least 32 bytes.
    pub fn new(secret: &[u8]) -> anyhow::Result<Self> {
        ensure!(
            secret.len() >= MIN_SECRET_BYTES,
            "the cursor secret has {} bytes and needs at least {MIN_SECRET_BYTES}",
            secret.len()
        );
        Ok(Self {
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        })
    }

    /// Another key that follows from this secret, for a purpose that has none of its own. No cursor is signed like that: its
    /// length would come first.
    pub(crate) fn derived(&self, purpose: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.key, purpose).as_ref())
    }

    /// Seals a cursor.
    pub(crate) fn seal(&self, cursor: &Cursor, binding: &Binding<'_>) -> Result<String, serde_json::Error> {
        let body = serde_json::to_vec(cursor)?;
        let tag = hmac::sign(&self.key, &signed(&body, binding)?);
        Ok(URL_SAFE_NO_PAD.encode([tag.as_ref(), &body].concat()))
    }

    /// Opens a cursor that was sealed for the same binding.
    pub(crate) fn open(&self, sealed: &str, binding: &Binding<'_>) -> Result<Cursor, Problem> {
        self.verified(sealed, binding).ok_or_else(refuse)
    }

    fn verified(&self, sealed: &str, binding: &Binding<'_>) -> Option<Cursor> {
        if sealed.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (tag, body) = bytes.split_at_checked(TAG_BYTES)?;
        hmac::verify(&self.key, &signed(body, binding).ok()?, tag).ok()?;
        serde_json::from_slice(body).ok()
    }
}

/// Counts and refuses a cursor.
pub(crate) fn refuse() -> Problem {
    ::metrics::counter!(metrics::CURSORS_REFUSED).increment(1);
    invalid()
}

/// 400: the cursor is forged, of another reader, or for another list.
pub(crate) fn invalid() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "cursor_invalid",
        "Sidepekeren gjelder ikke for denne listen. Begynn på første side.",
        "The cursor does not belong to this list. Start from the first page.",
    )
    .field(
        "/cursor",
        "cursor_invalid",
        "Sidepekeren er ugyldig.",
        "The cursor is not valid.",
    )
}

/// Body and binding, with the body's length in front so that no byte can move from one to the other.
fn signed(body: &[u8], binding: &Binding<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut message = (body.len() as u64).to_be_bytes().to_vec();
    message.extend_from_slice(body);
    serde_json::to_writer(&mut message, binding)?;
    Ok(message)
}

#[cfg(test)]
mod tests;
