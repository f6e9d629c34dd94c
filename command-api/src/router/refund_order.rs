//! `POST /orders/{order_id}/refunds`: staff gives money back, for the whole order or for some of its lines.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use cqrs_es::Aggregate;
use domain::{License, LicenseCommand, Order, OrderCommand, Overrider, RefundPolicy, Refusal, RequestRefund};
use event_store::{CommandError, Member, Unit, VersionConflict};
use events::RevokeReason;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::auth::{Principal, Role};
use service::problem::Problem;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};
use uuid::Uuid;
use vocabulary::{OrderStatus, RefundState};

use super::resolve_capture::OrderPath;
use crate::answer::{answered, problem};
use crate::command::{now, stored};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;

/// 1 to 100 numbers of lines.
fn line_numbers() -> Array {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(100));
    ArrayBuilder::new()
        .items(number)
        .min_items(Some(1))
        .max_items(Some(100))
        .examples([json!([1, 2])])
        .build()
}

/// What to give back, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundOrder {
    /// The lines; without them all that are left.
    #[serde(default)]
    #[schema(schema_with = line_numbers)]
    lines: Option<Vec<u16>>,
    /// The decision in words.
    #[schema(min_length = 1, max_length = 500, example = "The race is cancelled")]
    reason: String,
    /// Decides against the refund policy, which says who may.
    #[serde(default)]
    override_policy: bool,
}

/// The order after the decision. Its money is on its way.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RefundedOrder {
    /// The order's id.
    order_id: Uuid,
    /// The order's status.
    #[schema(value_type = OrderStatus)]
    status: Option<OrderStatus>,
    /// How far the money is on its way back.
    #[schema(required = true)]
    refund_state: Option<RefundState>,
    /// Every line that was given back so far.
    refunds: Vec<RefundedLine>,
    /// The order's version.
    version: u64,
}

/// A line that is given back.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RefundedLine {
    /// The line, from 1.
    pub(super) line: u16,
    /// How much of its price goes back, in øre.
    #[schema(example = 42_000)]
    amount_ore: i64,
    /// How far the money is on its way back.
    state: RefundState,
}

impl Operation for RefundOrder {
    const NAME: &'static str = "refund_order";
    const SUMMARY: &'static str =
        "Gives the money of an order back, whole or by line, and revokes the licenses.";
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::OrderState,
    ];
    type Path = OrderPath;
    type Answer = RefundedOrder;

    fn target(path: &OrderPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.order_id.to_string()))
    }
}

/// 202: the money goes back from here on.
pub(crate) async fn refund_order(
    State(state): State<AppState>,
    incoming: Incoming<RefundOrder>,
) -> Result<Response, Problem> {
    let Incoming {
        principal,
        path: OrderPath { order_id },
        request,
        key,
        metadata,
        expected_version,
        ..
    } = incoming;
    let policy = Arc::clone(&state.shop.refund_policy);
    if request.override_policy && !may_override(&policy, &principal) {
        return Err(Problem::forbidden());
    }
    let asked = RequestRefund {
        lines: request.lines,
        reason: request.reason,
        overridden: request.override_policy,
        checked_in: BTreeSet::new(),
        policy,
        now: now(),
    };
    let response = state
        .command_handler
        .together(key, metadata, |unit| {
            refund(unit, order_id, asked.clone(), expected_version)
        })
        .await;
    response
        .map(|response| answered(RefundOrder::SUCCESS, response))
        .map_err(problem)
}

fn may_override(policy: &RefundPolicy, principal: &Principal) -> bool {
    let staff = policy.override_by.contains(&Overrider::Staff) && principal.is_staff();
    let admin = policy.override_by.contains(&Overrider::Admin) && principal.has(Role::Admin);
    staff || admin
}

async fn refund(
    unit: Unit,
    order_id: Uuid,
    asked: RequestRefund,
    expected_version: Option<u64>,
) -> Result<serde_json::Value, CommandError<Refusal>> {
    let mut order = unit.load::<Order>(order_id).await?;
    at_version(&order, expected_version)?;
    let licenses = licenses(&unit, &order, asked.lines.as_deref()).await?;
    request(&unit, &mut order, licenses, asked).await?;
    Ok(stored(&RefundedOrder {
        order_id,
        status: order.aggregate.status(),
        refund_state: order.aggregate.refund_state(),
        refunds: refunded_lines(&order.aggregate),
        version: order.version,
    }))
}

/// Requests the refund of these licenses' lines and revokes the licenses, as one command. A check-in at the same moment is
/// before or after it, since both change the license.
pub(super) async fn request(
    unit: &Unit,
    order: &mut Member<Order>,
    licenses: Vec<Member<License>>,
    asked: RequestRefund,
) -> Result<(), CommandError<Refusal>> {
    let used = licenses
        .iter()
        .filter(|license| license.aggregate.check_in().is_some());
    let lines = used.filter_map(|license| license.aggregate.order_line());
    let asked = RequestRefund {
        checked_in: lines.map(|(_, line)| line).collect(),
        ..asked
    };
    let command = OrderCommand::RequestRefund(Box::new(asked));
    unit.handle(order, command).await?;
    for mut license in licenses {
        let reason = RevokeReason::Refunded;
        unit.handle(&mut license, LicenseCommand::Revoke { reason })
            .await?;
    }
    Ok(())
}

/// The issued licenses of these lines, or of all. A line that the order does not have is refused by the order.
async fn licenses(
    unit: &Unit,
    order: &Member<Order>,
    lines: Option<&[u16]>,
) -> Result<Vec<Member<License>>, CommandError<Refusal>> {
    let issued = order.aggregate.placed().filter(|_| order.aggregate.issued());
    let of_order = issued.map_or(&[][..], |placed| &placed.lines);
    let asked = of_order
        .iter()
        .filter(|line| lines.is_none_or(|lines| lines.contains(&line.line)));
    let loaded = try_join_all(asked.map(|line| unit.load::<License>(line.license_id))).await?;
    Ok(loaded)
}

/// The lines of an order that were given back, as answers have them.
pub(super) fn refunded_lines(order: &Order) -> Vec<RefundedLine> {
    let line = |(line, amount_ore, state)| RefundedLine {
        line,
        amount_ore,
        state,
    };
    order.refunds().map(line).collect()
}

/// Refuses an aggregate that is not at the version that `If-Match` demands.
pub(super) fn at_version<A: Aggregate>(
    member: &Member<A>,
    expected: Option<u64>,
) -> Result<(), CommandError<Refusal>> {
    match expected {
        Some(expected) if expected != member.version => Err(CommandError::Version(VersionConflict {
            aggregate_type: A::TYPE.to_owned(),
            aggregate_id: member.id(),
            expected,
            actual: member.version,
        })),
        _ => Ok(()),
    }
}
