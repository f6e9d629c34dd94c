//! Bodies are compressed for clients that accept it: brotli before gzip, at levels that cost less time than they save.
//!
//! Entity tags are weak, so one tag is right for every encoding of a body. Documents are compressed already. What is
//! streamed stays a stream. A body holds no secret beside what its reader typed: logins come in a header of every request
//! and never in a body, so its length gives nothing away.

use axum::body::HttpBody;
use axum::http::{HeaderValue, Response, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// A smaller body fits into one packet anyway.
const SMALLEST: u16 = 1024;
/// How the types of texts begin.
const TEXTS: [&str; 4] = [
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "text/",
];

/// Compresses the bodies of answers.
pub(crate) fn layer() -> CompressionLayer<And<SizeAbove, Text>> {
    CompressionLayer::new()
        .quality(CompressionLevel::Precise(4))
        .compress_when(SizeAbove::new(SMALLEST).and(Text))
}

/// Whether a body is text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text;

impl Predicate for Text {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(HeaderValue::as_bytes).unwrap_or_default();
        TEXTS.iter().any(|text| kind.starts_with(text.as_bytes()))
    }
}
