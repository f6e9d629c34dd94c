//! The customer's page behind `redirectUrl`, with its two buttons.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::payment::{Payment, Request, Standing, State as PaymentState};
use super::problem::Problem;
use super::store::Rejected;
use super::{AppState, acts};

/// No scripts and no outside resources. The buttons post to this page, which redirects to the shop.
const SECURITY: [(header::HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/pay/{id}", get(show))
        .route("/pay/{id}/approve", post(approve))
        .route("/pay/{id}/decline", post(decline))
        .route("/returned", get(returned))
}

async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    match state.store.get(&id).await {
        Ok(payment) => page(StatusCode::OK, &payment),
        Err(rejected) => message(rejected),
    }
}

/// Stands in for the shop's own page, where the provider sends the browser back to.
async fn returned() -> Response {
    html(
        StatusCode::OK,
        "<p><strong>Du er tilbake i butikken. Lisensen kommer også om du lukker siden.</strong><br>\
         <span lang=\"en\">You are back in the shop. The license comes even if you close this page.</span></p>",
    )
}

async fn approve(State(state): State<AppState>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let approved = acts::approve(&state, &id).await;
    answer(&state, &id, &headers, approved).await
}

async fn decline(State(state): State<AppState>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let declined = state.store.change(&id, Request::Decline, None, None).await;
    answer(&state, &id, &headers, declined).await
}

/// A browser is sent back to the shop; any other client gets JSON.
async fn answer(
    state: &AppState,
    id: &str,
    headers: &HeaderMap,
    changed: Result<Standing, Rejected>,
) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let browser = accept.contains("text/html");
    match changed {
        Ok(after) if !browser => Json(json!({ "reference": id, "state": after.state })).into_response(),
        Err(rejected) if !browser => Problem::from(rejected).into_response(),
        Err(rejected @ (Rejected::NotFound | Rejected::Journal)) => message(rejected),
        changed => match state.store.get(id).await {
            Ok(payment) if changed.is_ok() => {
                let location = [(header::LOCATION, back_to(payment))];
                (StatusCode::SEE_OTHER, location).into_response()
            }
            Ok(payment) => page(StatusCode::CONFLICT, &payment),
            Err(rejected) => message(rejected),
        },
    }
}

/// Where the browser goes. Nexi tells a customer who paid from one who did not.
fn back_to(payment: Payment) -> String {
    let creation = payment.creation;
    match creation.nexi {
        Some(nexi) if payment.now.state == PaymentState::Created => nexi.cancel_url,
        Some(nexi) => {
            let separator = if creation.return_url.contains('?') {
                '&'
            } else {
                '?'
            };
            format!("{}{separator}paymentid={}", creation.return_url, nexi.payment_id)
        }
        None => creation.return_url,
    }
}

fn page(status: StatusCode, payment: &Payment) -> Response {
    let creation = &payment.creation;
    let (nb, en) = match payment.now.state {
        PaymentState::Created => ("Vil du betale?", "Do you want to pay?"),
        PaymentState::Authorized => ("Betalingen er godkjent.", "The payment is approved."),
        PaymentState::Aborted => ("Betalingen er avvist.", "The payment is declined."),
        PaymentState::Expired => (
            "Tiden er ute. Ingenting er betalt.",
            "Time is up. Nothing has been paid.",
        ),
        PaymentState::Terminated => (
            "Betalingen er avbrutt av butikken.",
            "The shop has cancelled the payment.",
        ),
    };
    let actions = if payment.now.state == PaymentState::Created {
        let id = escape(creation.id());
        format!(
            "<form method=\"post\" action=\"/pay/{id}/approve\">\
             <button>Godkjenn <span lang=\"en\">/ Approve</span></button></form>\
             <form method=\"post\" action=\"/pay/{id}/decline\">\
             <button class=\"no\">Avvis <span lang=\"en\">/ Decline</span></button></form>"
        )
    } else {
        let (back, id) = (escape(&creation.return_url), escape(creation.id()));
        format!(
            "<p><a href=\"{back}\">Tilbake til butikken <span lang=\"en\">/ Back to the shop</span></a></p>\
             <p><a href=\"/portal/{id}\">Butikkens portal <span lang=\"en\">/ The merchant's portal</span></a></p>"
        )
    };
    let body = format!(
        "<p class=\"amount\">{amount}</p><p>{description}</p><p><strong>{nb}</strong><br>\
         <span lang=\"en\">{en}</span></p>{actions}",
        amount = kroner(creation.amount_ore),
        description = escape(&creation.description),
    );
    html(status, &body)
}

pub(super) fn message(rejected: Rejected) -> Response {
    let problem = Problem::from(rejected);
    let (nb, en) = if problem.status == StatusCode::NOT_FOUND {
        ("Vi finner ikke denne betalingen.", "This payment does not exist.")
    } else {
        ("Noe gikk galt. Prøv igjen.", "Something went wrong. Try again.")
    };
    html(
        problem.status,
        &format!("<p><strong>{nb}</strong><br><span lang=\"en\">{en}</span></p>"),
    )
}

pub(super) fn html(status: StatusCode, body: &str) -> Response {
    let document = format!(
        "<!doctype html><html lang=\"nb\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Testbetaling</title>\
         <style>{STYLE}</style></head><body><main><h1>Testbetaling <span lang=\"en\">/ Test payment</span></h1>\
         {body}</main></body></html>"
    );
    let content_type = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, content_type, SECURITY, document).into_response()
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f1ff;color:#1d1a2b}\
main{max-width:26rem;margin:0 auto;padding:1.5rem}h1{font-size:1.2rem}.amount{font-size:2rem;font-weight:700;margin:0}\
button{font:inherit;font-weight:600;width:100%;min-height:3.2rem;margin:.4rem 0;border:0;border-radius:.6rem;\
background:#4a2fd0;color:#fff}button.no{background:#fff;color:#1d1a2b;border:2px solid #1d1a2b}\
button:focus-visible{outline:3px solid #f2a900;outline-offset:2px}";

/// `10 000,50 kr`, with no-break spaces.
pub(super) fn kroner(ore: i64) -> String {
    let digits = (ore / 100).to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{grouped},{:02}\u{a0}kr", ore % 100)
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_norwegian() {
        assert_eq!(kroner(1_000_050), "10\u{a0}000,50\u{a0}kr");
        assert_eq!(kroner(5), "0,05\u{a0}kr");
        assert_eq!(kroner(100_000_000), "1\u{a0}000\u{a0}000,00\u{a0}kr");
    }

    #[test]
    fn texts_can_not_become_markup() {
        assert_eq!(
            escape("<a href='x' b=\"&\">"),
            "&lt;a href=&#39;x&#39; b=&quot;&amp;&quot;&gt;"
        );
    }
}
