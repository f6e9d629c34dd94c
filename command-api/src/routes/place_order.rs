//! `POST /orders`: places an order and starts its payment.
//!
//! Two commands under the caller's one key, with the payment provider in between, each of them safe to repeat:
//! place the order, ask the provider for a payment under a reference that was decided with the order, note where to
//! pay. A process that dies anywhere in between is met by the caller's retry, or by the order's expiry.
//!
//! A retry is answered as the first request was, byte for byte, while there is something to pay for or a license. An order
//! that ended without one answers how it stands, and no longer where to pay.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{AskedLine, Field, Order, OrderCommand, PlaceOrder, Refusal, Rule};
use envelope::Metadata;
use event_store::{CommandError, CommandRequest, CommandResponse, IdempotencyKey, Loaded};
use payments::NewPayment;
use serde::Deserialize;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json};
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{created, done, problem, unreadable};
use crate::idempotency::RequestKey;
use crate::routes::{metadata, now};
use crate::state::AppState;
use crate::{catalogue, rule_seven};

/// What a customer sends. A price is not part of it, and refused like any unknown field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    lines: Vec<AskedLine>,
    payment_provider: String,
    accept_terms_version: String,
}

#[derive(Deserialize)]
struct PlacedAnswer {
    order_id: Uuid,
}

/// 201 `{order_id, order_number, status, total_ore, currency, payment: {provider, redirect_url}, version, position}`; 200
/// with the same members and no `redirect_url` when the order can no longer be paid.
pub(crate) async fn place_order(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let key = RequestKey::from_headers(&headers)?;
    let answer_key = key.scoped("place_order", principal.user_id, &body);
    let place_key = key.scoped("place_order:place", principal.user_id, &body);
    let Json(request) = Json::<Request>::from_request_parts(&headers, &body)?;
    let _place = state.in_flight.enter(&answer_key).await?;
    let metadata = metadata(&principal, &headers);

    let (placed, order) = place(&state, &principal, request, place_key, metadata.clone()).await?;
    let PlacedAnswer { order_id } =
        serde_json::from_str(&placed.body).map_err(|error| Problem::internal(&error))?;
    let order = match order {
        Some(order) => order,
        None => load(&state, order_id).await?,
    };
    if placed.replayed && !order.aggregate.over() {
        let answered = state
            .command_handler
            .answered(&answer_key)
            .await
            .map_err(problem)?;
        if let Some(answer) = answered {
            return Ok(created(answer));
        }
    }
    if !order.aggregate.awaits_payment() {
        return as_it_stands(&state, order_id, &order).await;
    }
    let redirect_url = start_payment(&state, order_id, &order.aggregate).await?;
    match note_payment(
        &state,
        order_id,
        order,
        redirect_url,
        answer_key,
        metadata.clone(),
    )
    .await
    {
        Ok(answer) => return Ok(created(answer)),
        Err(CommandError::Refused(Refusal::OrderState)) => {}
        Err(error) => return Err(problem(error)),
    }
    // It ended while the provider was asked: its payment must not be approved now. If this fails, its last look ends the payment.
    let settled = state.cashier.abort_and_apply(order_id, metadata).await;
    tracing::warn!(%order_id, settled = settled.is_ok(), "an order ended while its payment was started");
    as_it_stands(&state, order_id, &load(&state, order_id).await?).await
}

async fn load(state: &AppState, order_id: Uuid) -> Result<Loaded<Order>, Problem> {
    let loaded = state.command_handler.load::<Order>(order_id).await;
    loaded.map_err(|error| unreadable(&error))
}

/// 200 with the order as it is now, and nowhere to pay.
async fn as_it_stands(state: &AppState, order_id: Uuid, order: &Loaded<Order>) -> Result<Response, Problem> {
    // Read after the order: a query that waits for this position shows the order at least as it is here.
    let head = state
        .command_handler
        .log()
        .head()
        .await
        .map_err(|error| unreadable(&error))?;
    let mut body = response(order_id, &order.aggregate, order.version, None);
    body["position"] = json!(head.position);
    Ok(done(CommandResponse {
        body: body.to_string(),
        position: head.position,
        replayed: true,
    }))
}

fn response(order_id: Uuid, order: &Order, version: u64, redirect_url: Option<&str>) -> serde_json::Value {
    let placed = order.placed();
    json!({
        "order_id": order_id,
        "order_number": placed.map(|placed| &placed.order_number),
        "status": order.status().as_str(),
        "total_ore": placed.map(|placed| placed.total_ore),
        "currency": placed.map(|placed| &placed.currency),
        "payment": {"provider": placed.map(|placed| &placed.payment_provider), "redirect_url": redirect_url},
        "version": version,
    })
}

/// The answer, and the order as it is now unless this had happened before.
async fn place(
    state: &AppState,
    principal: &Principal,
    request: Request,
    key: IdempotencyKey,
    metadata: Metadata,
) -> Result<(CommandResponse, Option<Loaded<Order>>), Problem> {
    if request.payment_provider != state.cashier.provider.name() {
        let field = Field {
            pointer: "/payment_provider".into(),
            rule: Rule::PaymentProvider,
        };
        return Err(problem(CommandError::Refused(Refusal::Invalid(vec![field]))));
    }
    if request.lines.len() > domain::MAX_LINES {
        let field = Field {
            pointer: "/lines".into(),
            rule: Rule::LineCount,
        };
        return Err(problem(CommandError::Refused(Refusal::Invalid(vec![field]))));
    }
    let (order_id, now) = (Uuid::now_v7(), now());
    let lines = catalogue::resolve(&state.command_handler, request.lines, now)
        .await
        .map_err(|error| unreadable(&error))?;
    let asked = PlaceOrder {
        order_id,
        customer_id: principal.user_id,
        lines,
        payment_provider: request.payment_provider,
        terms_version: request.accept_terms_version,
        now,
        time_to_pay: state.shop.time_to_pay,
    };
    let call = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::Place(Box::new(asked.clone())),
        key,
        metadata,
        expected_version: None,
        creates: true,
    };
    let respond = |_: &Order, _| json!({"order_id": order_id});
    let placed = state
        .command_handler
        .execute_on::<Order>(None, call, respond)
        .await;
    match placed {
        Ok(placed) => Ok(placed),
        Err(CommandError::ClaimTaken(taken)) => {
            let key = &state.shop.holder_key;
            Err(rule_seven::refused(&state.command_handler, &asked, key, &taken).await)
        }
        Err(other) => Err(problem(other)),
    }
}

/// Asks the provider for the order's payment; asked again, it is the same payment. Returns where to pay.
async fn start_payment(state: &AppState, order_id: Uuid, order: &Order) -> Result<String, Problem> {
    let placed = order.placed().ok_or_else(Problem::not_found)?;
    let payment = NewPayment {
        reference: placed.payment_reference.clone(),
        amount_ore: placed.total_ore,
        description: format!("Engangslisens {}", placed.order_number),
        return_url: return_url(&state.shop.return_url, order_id),
    };
    match state.cashier.provider.create(&payment).await {
        Ok(created) => Ok(created.redirect_url),
        Err(error) => {
            let provider = state.cashier.provider.name();
            let unavailable = Problem::unavailable(
                "payment_provider_unavailable",
                "Betalingstjenesten svarer ikke. Prøv igjen: du betaler bare én gang.",
                "The payment provider does not answer. Try again: you pay only once.",
            );
            if error.is_retryable() {
                tracing::warn!(%order_id, provider, error = %error, "no payment for an order yet");
                Err(unavailable.retry_after(2))
            } else {
                tracing::error!(%order_id, provider, error = %error, "no payment for an order");
                Err(provider_refused())
            }
        }
    }
}

async fn note_payment(
    state: &AppState,
    order_id: Uuid,
    known: Loaded<Order>,
    redirect_url: String,
    key: IdempotencyKey,
    metadata: Metadata,
) -> Result<CommandResponse, CommandError<Refusal>> {
    let call = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::RequestPayment {
            redirect_url: redirect_url.clone(),
        },
        key,
        metadata,
        expected_version: None,
        creates: false,
    };
    let respond = |order: &Order, version| response(order_id, order, version, Some(&redirect_url));
    let (answer, _) = state
        .command_handler
        .execute_on::<Order>(Some(known), call, respond)
        .await?;
    Ok(answer)
}

fn return_url(base: &str, order_id: Uuid) -> String {
    let separator = if base.contains('?') { '&' } else { '?' };
    format!("{base}{separator}order_id={order_id}")
}

fn provider_refused() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "payment_provider_refused",
        "Betalingstjenesten avviste betalingen.",
        "The payment provider refused the payment.",
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::return_url;

    #[test]
    fn the_return_url_keeps_its_query() {
        let id = Uuid::nil();
        assert_eq!(
            return_url("https://a/b", id),
            format!("https://a/b?order_id={id}")
        );
        assert_eq!(
            return_url("https://a/b?c=d", id),
            format!("https://a/b?c=d&order_id={id}")
        );
    }
}
