//! `POST /orders/{order_id}/cancel`: a customer gives up an order that is not paid.
//!
//! The log decides who was first. The command releases the order's days at once and asks no provider, so it also works while
//! the provider is down. The payment is ended afterwards; one that is approved meanwhile goes back.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{Order, OrderCommand, Refusal};
use event_store::CommandRequest;
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::OrderStatus;

use super::resolve_capture::OrderPath;
use crate::answer::{answered, problem};
use crate::command::stored;
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;

/// Nothing more to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelOrder {}

/// The order after it was cancelled, or as it had ended before.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct CancelledOrder {
    /// The order's id.
    order_id: Uuid,
    /// The order's status.
    #[schema(value_type = OrderStatus)]
    status: Option<OrderStatus>,
    /// The order's version.
    version: u64,
}

impl Operation for CancelOrder {
    const NAME: &'static str = "cancel_order";
    const SUMMARY: &'static str =
        "Cancels an own order that is not paid. An order that is over answers how it ended.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Unknown, Refusal::OrderPaid];
    const BODY_MAY_BE_EMPTY: bool = true;
    type Path = OrderPath;
    type Answer = CancelledOrder;

    fn target(path: &OrderPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.order_id.to_string()))
    }
}

/// 200 with the order's status; 409 if it is paid.
pub(crate) async fn cancel_order(
    State(state): State<AppState>,
    incoming: Incoming<CancelOrder>,
) -> Result<Response, Problem> {
    let order_id = incoming.path.order_id;
    let request = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::Cancel {
            customer_id: incoming.principal.user_id,
        },
        key: incoming.key,
        metadata: incoming.metadata,
        expected_version: incoming.expected_version,
        creates: false,
    };
    let answer = |order: &Order, version| {
        stored(&CancelledOrder {
            order_id,
            status: order.status(),
            version,
        })
    };
    let response = state.command_handler.execute(request, answer).await;
    response
        .map(|response| answered(CancelOrder::SUCCESS, response))
        .map_err(problem)
}
