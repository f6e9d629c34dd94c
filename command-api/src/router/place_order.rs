//! `POST /orders`: places an order and starts its payment.
//!
//! Two commands under the caller's one key, with the payment provider in between, each safe to repeat: place the order,
//! ask the provider for a payment under a reference that was decided with the order, record where to pay. If the process
//! dies in between, the caller's retry continues, or the order expires.
//!
//! A retry is answered as the first request was, byte for byte, while there is something to pay for or a license. An order
//! that ended without one answers its status, and no longer where to pay.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{AskedLine, Order, OrderCommand, PlaceOrder, Refusal, Rule};
use envelope::Metadata;
use event_store::{CommandError, CommandRequest, CommandResponse, IdempotencyKey, Loaded};
use payments::{CreatedPayment, NewPayment};
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::auth::Principal;
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{OrderStatus, PaymentProvider};

use crate::answer::{answered, problem, read, refused, unreadable};
use crate::command::{now, stored};
use crate::idempotency::in_flight;
use crate::incoming::Incoming;
use crate::operation::{NoPath, Operation};
use crate::state::AppState;
use crate::{catalogue, rule_seven, rule_six};

/// How long the capability in the return URL shows the order's status.
const RETURN_WITHIN: TimeDelta = TimeDelta::hours(24);

/// An order to place. A price is not part of it, and refused like any unknown field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderRequest {
    /// The licenses, 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<AskedLine>,
    /// Who collects the money.
    #[schema(value_type = PaymentProvider)]
    payment_provider: String,
    /// The version of the terms that the customer accepts.
    #[schema(min_length = 1, max_length = 64, example = "2026-01")]
    accept_terms_version: String,
    /// The total that the customer saw, in øre. With another total the order is refused, with the new one.
    #[schema(minimum = 0, example = 42_000)]
    expected_total_ore: Option<i64>,
}

/// The order, and where to pay for it.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PlacedOrder {
    /// The order's id.
    order_id: Uuid,
    /// The order's number, as people read it.
    #[schema(example = "BL-7K2QM-4XN9D")]
    order_number: String,
    /// The order's status.
    status: OrderStatus,
    /// The sum of the lines' prices, in øre.
    #[schema(example = 42_000)]
    total_ore: i64,
    /// ISO 4217 code; always `NOK`.
    #[schema(example = "NOK")]
    currency: String,
    /// How to pay.
    payment: OrderPayment,
    /// The order's version.
    version: u64,
}

/// How an order is paid.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct OrderPayment {
    /// Who collects the money.
    #[schema(example = "vipps")]
    provider: String,
    /// Where the customer pays; null once the order can't be paid any more.
    #[schema(required = true)]
    redirect_url: Option<String>,
}

/// The stored answer of the first of the two commands.
#[derive(Serialize, Deserialize)]
struct Placed {
    order_id: Uuid,
}

impl Operation for OrderRequest {
    const NAME: &'static str = "place_order";
    const SUMMARY: &'static str = "Places an order and starts its payment.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    /// An order that can no longer be paid.
    const ALSO: &'static [StatusCode] = &[StatusCode::OK];
    const CREATES: bool = true;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::PriceChanged { total_ore: 42_000 },
        Refusal::TermsMissing,
        Refusal::TermsUnknown {
            current: String::new(),
        },
        Refusal::TermsOutdated {
            current: String::new(),
        },
    ];
    type Path = NoPath;
    type Answer = PlacedOrder;

    fn problems() -> Vec<Problem> {
        let mut problems = vec![provider_unavailable(), provider_refused(), in_flight()];
        problems.extend(rule_seven::examples());
        problems
    }

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

impl PlacedOrder {
    /// The order as it is now; none if it is not placed.
    pub(crate) fn of(
        order_id: Uuid,
        order: &Order,
        version: u64,
        redirect_url: Option<&str>,
    ) -> Option<Self> {
        let (placed, status) = order.placed().zip(order.status())?;
        Some(Self {
            order_id,
            order_number: placed.order_number.clone(),
            status,
            total_ore: placed.total_ore,
            currency: placed.currency.clone(),
            payment: OrderPayment {
                provider: placed.payment_provider.clone(),
                redirect_url: redirect_url.map(str::to_owned),
            },
            version,
        })
    }
}

/// 201 with where to pay; 200 with no `redirect_url` when the order can no longer be paid.
pub(crate) async fn place_order(
    State(state): State<AppState>,
    incoming: Incoming<OrderRequest>,
) -> Result<Response, Problem> {
    let place_key = incoming.step_key("place");
    let Incoming {
        principal,
        request,
        key: answer_key,
        metadata,
        ..
    } = incoming;
    let _guard = state.in_flight.enter(&answer_key).await?;

    let (placed, order) = place(&state, &principal, request, place_key, metadata.clone()).await?;
    let Placed { order_id } = read(&placed)?;
    let order = match order {
        Some(order) => order,
        None => load(&state, order_id).await?,
    };
    if placed.replayed && !order.aggregate.over() {
        let before = state.command_handler.answered(&answer_key).await;
        if let Some(before) = before.map_err(problem)? {
            return Ok(answered(OrderRequest::SUCCESS, before));
        }
    }
    if !order.aggregate.awaits_payment() {
        return current(&state, order_id, &order).await;
    }
    let created = start_payment(&state, order_id, &order.aggregate).await?;
    let noted = note_payment(&state, order_id, order, &created, answer_key, metadata.clone());
    match noted.await {
        Ok((response, order)) => {
            if !order.is_some_and(|order| is_of(&order.aggregate, &created)) {
                end_unless_recorded(&state, order_id, &created).await;
            }
            return Ok(answered(OrderRequest::SUCCESS, response));
        }
        Err(CommandError::Refused(Refusal::OrderState)) => {}
        Err(error) => return Err(problem(error)),
    }
    // The order ended during the call to the provider: its payment must not be approved now. If aborting fails, the last
    // look at the order ends the payment.
    let order = load(&state, order_id).await?;
    if is_of(&order.aggregate, &created) {
        let aborted = state.cashier.abort_and_apply(order_id, metadata).await;
        tracing::warn!(%order_id, aborted = aborted.is_ok(), "an order ended while its payment was started");
    } else {
        end_unless_recorded(&state, order_id, &created).await;
    }
    current(&state, order_id, &load(&state, order_id).await?).await
}

fn is_of(order: &Order, created: &CreatedPayment) -> bool {
    order.payment_id() == Some(&created.payment_id)
}

/// Another attempt may have recorded its payment first. Then this one's page is never shown, and the payment is ended. If
/// that fails, it stays unpaid until the provider gives it up.
async fn end_unless_recorded(state: &AppState, order_id: Uuid, created: &CreatedPayment) {
    let (cashier, payment_id) = (&state.cashier, &created.payment_id);
    if let Err(error) = cashier.end_unless_recorded(order_id, payment_id).await {
        tracing::warn!(%order_id, error = %error, "a payment that was started for nothing could not be ended");
    }
}

async fn load(state: &AppState, order_id: Uuid) -> Result<Loaded<Order>, Problem> {
    let loaded = state.command_handler.load::<Order>(order_id).await;
    loaded.map_err(|error| unreadable(&error))
}

/// 200 with the order as it is now, and nowhere to pay.
async fn current(state: &AppState, order_id: Uuid, order: &Loaded<Order>) -> Result<Response, Problem> {
    // Read after the order: a query that waits for this position shows the order at least as it is here.
    let head = state.command_handler.log().head().await;
    let position = head.map_err(|error| unreadable(&error))?.position;
    let answer = PlacedOrder::of(order_id, &order.aggregate, order.version, None);
    let mut body = stored(&answer.ok_or_else(Problem::not_found)?);
    body["position"] = json!(position);
    let response = CommandResponse {
        body: body.to_string(),
        position,
        replayed: true,
    };
    Ok(answered(StatusCode::OK, response))
}

/// The answer, and the order as it is now unless this had happened before.
async fn place(
    state: &AppState,
    principal: &Principal,
    request: OrderRequest,
    key: IdempotencyKey,
    metadata: Metadata,
) -> Result<(CommandResponse, Option<Loaded<Order>>), Problem> {
    let Some(payment_provider) = state.cashier.providers.offered(&request.payment_provider) else {
        return Err(refused(&Refusal::field(
            "/payment_provider",
            Rule::PaymentProvider,
        )));
    };
    // Before a line's type and club are loaded.
    if request.lines.len() > domain::MAX_LINES {
        return Err(refused(&Refusal::field("/lines", Rule::LineCount)));
    }
    let (order_id, now) = (Uuid::now_v7(), now());
    let key_of_holders = &state.shop.holder_key;
    let subjects = request
        .lines
        .iter()
        .flat_map(|line| line.subjects(key_of_holders))
        .collect();
    let (lines, terms, seen) = tokio::try_join!(
        catalogue::resolve(&state.command_handler, request.lines, now),
        state
            .terms
            .read(&state.command_handler, &request.accept_terms_version, now),
        rule_six::look(&state.command_handler, &subjects, now),
    )
    .map_err(|error| unreadable(&error))?;
    let asked = PlaceOrder {
        order_id,
        customer_id: principal.user_id,
        lines,
        payment_provider,
        terms_version: request.accept_terms_version,
        terms,
        expected_total_ore: request.expected_total_ore,
        now,
        time_to_pay: state.shop.time_to_pay,
        holder_key: Arc::clone(key_of_holders),
        suspended: seen.suspended,
    };
    let request = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::Place(Box::new(asked.clone())),
        key,
        metadata,
        expected_version: None,
        creates: true,
    };
    let answer = |_: &Order, _| stored(&Placed { order_id });
    let placed = state
        .command_handler
        .execute_on::<Order>(None, request, answer)
        .await;
    match placed {
        Ok(placed) => Ok(placed),
        Err(CommandError::ClaimTaken(taken)) => {
            Err(rule_seven::refused(&state.command_handler, &asked, &taken).await)
        }
        Err(other) => Err(problem(other)),
    }
}

/// A payment at the order's provider. Asked again for the same order, Vipps answers with the same payment, and Nexi starts
/// another one.
async fn start_payment(state: &AppState, order_id: Uuid, order: &Order) -> Result<CreatedPayment, Problem> {
    let placed = order.placed().ok_or_else(Problem::not_found)?;
    let provider = state.cashier.providers.get(&placed.payment_provider);
    let provider = provider.map_err(|error| {
        tracing::error!(%order_id, error = %error, "an order can't be paid at this instance");
        provider_unavailable()
    })?;
    let payment = NewPayment {
        reference: placed.payment_reference.clone(),
        amount_ore: placed.total_ore,
        description: format!("Engangslisens {}", placed.order_number),
        return_url: return_url(state, order_id, placed.expires_at),
        webhook_url: Some(with_query(
            &format!(
                "{}/api/v1/webhooks/{}",
                state.shop.public_url.trim_end_matches('/'),
                placed.payment_provider
            ),
            &format!("order_id={order_id}"),
        )),
    };
    match provider.create(&payment).await {
        Ok(created) => Ok(created),
        Err(error) => {
            let provider = provider.name();
            if error.is_retryable() {
                tracing::warn!(%order_id, provider, error = %error, "no payment for an order yet");
                Err(provider_unavailable())
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
    created: &CreatedPayment,
    key: IdempotencyKey,
    metadata: Metadata,
) -> Result<(CommandResponse, Option<Loaded<Order>>), CommandError<Refusal>> {
    let request = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::RequestPayment {
            payment_id: created.payment_id.clone(),
            redirect_url: created.redirect_url.clone(),
        },
        key,
        metadata,
        expected_version: None,
        creates: false,
    };
    // The page of the payment that is recorded, which may be another attempt's.
    let answer =
        |order: &Order, version| stored(&PlacedOrder::of(order_id, order, version, order.redirect_url()));
    state
        .command_handler
        .execute_on::<Order>(Some(known), request, answer)
        .await
}

/// The page that shows the order afterwards, with the capability to read its status. The same for each attempt.
fn return_url(state: &AppState, order_id: Uuid, expires_at: DateTime<Utc>) -> String {
    let shop = &state.shop;
    let placed_at = expires_at - shop.time_to_pay;
    let token = shop.return_key.grant(order_id, placed_at + RETURN_WITHIN);
    with_query(&shop.return_url, &format!("order_id={order_id}&t={token}"))
}

fn with_query(base: &str, query: &str) -> String {
    let separator = if base.contains('?') { '&' } else { '?' };
    format!("{base}{separator}{query}")
}

fn provider_unavailable() -> Problem {
    Problem::unavailable(
        "payment_provider_unavailable",
        "Betalingstjenesten svarer ikke. Prøv igjen: du betaler bare én gang.",
        "The payment provider does not answer. Try again: you pay only once.",
    )
    .retry_after(2)
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
    use super::with_query;

    #[test]
    fn the_return_url_keeps_its_query() {
        assert_eq!(with_query("https://a/b", "c=d"), "https://a/b?c=d");
        assert_eq!(with_query("https://a/b?c=d", "e=f"), "https://a/b?c=d&e=f");
    }
}
