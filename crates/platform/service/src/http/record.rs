//! One log line and one count per request, also for those whose client went away before the answer.
//!
//! The line holds the matched route, not the path, and never the query string: both can hold what people typed.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};

use super::client::Network;
use crate::metrics;

/// The status recorded when the client closed the connection first, as nginx counts it.
const CLIENT_CLOSED: u16 = 499;

/// A request being worked on; recorded when ended or dropped.
pub(super) struct Record {
    method: &'static str,
    route: String,
    begun: Instant,
    status: u16,
    client: Option<Network>,
    span: tracing::Span,
}

impl Record {
    pub(super) fn begin(request: &Request, client: Option<Network>) -> Self {
        ::metrics::gauge!(metrics::HTTP_REQUESTS_IN_FLIGHT).increment(1.0);
        let route = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("unmatched", MatchedPath::as_str);
        Self {
            method: label(request.method()),
            route: route.to_owned(),
            begun: Instant::now(),
            status: CLIENT_CLOSED,
            client,
            span: tracing::Span::current(),
        }
    }

    pub(super) fn end(mut self, status: StatusCode) {
        self.status = status.as_u16();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // An abandoned request is dropped outside its span.
        let _entered = self.span.enter();
        let elapsed = self.begun.elapsed();
        ::metrics::gauge!(metrics::HTTP_REQUESTS_IN_FLIGHT).decrement(1.0);
        let labels = [
            ("method", self.method.to_owned()),
            ("route", self.route.clone()),
            ("status", self.status.to_string()),
        ];
        ::metrics::counter!(metrics::HTTP_REQUESTS, &labels).increment(1);
        ::metrics::histogram!(metrics::HTTP_REQUEST_SECONDS, &labels).record(elapsed.as_secs_f64());

        let duration_ms = elapsed.as_secs_f64() * 1000.0;
        let Self {
            method,
            route,
            status,
            client,
            ..
        } = self;
        let client = client.map(tracing::field::display);
        if *status >= 500 {
            tracing::warn!(method, route, status, duration_ms, client, "request");
        } else {
            tracing::info!(method, route, status, duration_ms, client, "request");
        }
    }
}

/// Any token may be a method, so only the known ones become labels.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
