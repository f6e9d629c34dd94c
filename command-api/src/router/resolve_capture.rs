//! `POST /orders/{order_id}/capture-resolution`: a decision about licenses whose money can't be collected.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{Order, OrderCommand, Refusal, Resolution};
use events::CaptureAction;
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::OrderStatus;

use crate::command::{Command, Plan};
use crate::operation::Operation;

/// An order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OrderPath {
    /// The order's id.
    pub(super) order_id: Uuid,
}

/// The order after the decision.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ResolvedCapture {
    /// The order's id.
    order_id: Uuid,
    /// The order's status.
    #[schema(value_type = OrderStatus)]
    status: Option<OrderStatus>,
    /// What was decided.
    action: CaptureAction,
    /// The order's version.
    version: u64,
}

impl Operation for Resolution {
    const NAME: &'static str = "resolve_capture";
    const SUMMARY: &'static str = "Decides about an order whose money can't be collected.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::OrderState,
        Refusal::NothingToCollect,
    ];
    type Path = OrderPath;
    type Answer = ResolvedCapture;

    fn target(path: &OrderPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.order_id.to_string()))
    }
}

impl Command for Resolution {
    type Aggregate = Order;

    fn plan(self, path: OrderPath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let (order_id, action) = (path.order_id, self.action);
        let command = OrderCommand::ResolveCapture(self);
        Ok(Plan::new(order_id, command, move |order: &Order, version| {
            ResolvedCapture {
                order_id,
                status: order.status(),
                action,
                version,
            }
        }))
    }
}
