//! `POST /licenses/{license_id}/revoke`: a license ends by a decision of staff, with or without its money.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{License, LicenseCommand, Order, RefundPolicy, Refusal, RequestRefund};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandResponse, IdempotencyKey, Unit};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::LicenseStatus;

use super::refund_order::{RefundedLine, at_version, refunded_lines, request};
use crate::answer::{answered, problem};
use crate::command::{now, stored};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;

/// Why a license is revoked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeLicense {
    /// The decision in words.
    #[schema(min_length = 1, max_length = 500, example = "Expelled from the event")]
    reason: String,
    /// Whether its money goes back too, by the refund policy. Then both happen, or neither.
    #[serde(default)]
    refund: bool,
}

/// A license.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct LicensePath {
    /// The license's id.
    pub(super) license_id: Uuid,
}

/// The license after the decision.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RevokedLicense {
    /// The license's id.
    license_id: Uuid,
    /// The license's status.
    status: LicenseStatus,
    /// The refund of its line, if its money goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refund: Option<RefundedLine>,
    /// The license's version.
    version: u64,
}

impl Operation for RevokeLicense {
    const NAME: &'static str = "revoke_license";
    const SUMMARY: &'static str = "Revokes a license, and gives its money back if asked to. A license that is revoked already keeps its first reason.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::OrderState,
        Refusal::LicenseState,
    ];
    type Path = LicensePath;
    type Answer = RevokedLicense;

    fn target(path: &LicensePath) -> Result<Option<String>, Problem> {
        Ok(Some(path.license_id.to_string()))
    }
}

/// 200: the license is revoked.
pub(crate) async fn revoke_license(
    State(state): State<AppState>,
    incoming: Incoming<RevokeLicense>,
) -> Result<Response, Problem> {
    let Incoming {
        path: LicensePath { license_id },
        request: asked,
        key,
        metadata,
        expected_version,
        ..
    } = incoming;
    let policy = &state.shop.refund_policy;
    decide(
        &state.command_handler,
        policy,
        license_id,
        asked,
        (key, metadata),
        expected_version,
    )
    .await
    .map(|response| answered(RevokeLicense::SUCCESS, response))
    .map_err(problem)
}

/// Revokes a license, and requests the refund of its line if asked to.
pub(crate) async fn decide(
    command_handler: &CommandHandler,
    policy: &Arc<RefundPolicy>,
    license_id: Uuid,
    RevokeLicense { reason, refund }: RevokeLicense,
    (key, metadata): (IdempotencyKey, Metadata),
    expected_version: Option<u64>,
) -> Result<CommandResponse, CommandError<Refusal>> {
    let asked = refund.then(|| RequestRefund {
        lines: None,
        reason: reason.clone(),
        overridden: false,
        checked_in: BTreeSet::new(),
        policy: Arc::clone(policy),
        now: now(),
    });
    command_handler
        .together(key, metadata, |unit| {
            let command = LicenseCommand::RevokeByStaff {
                reason: reason.clone(),
            };
            revoke(unit, license_id, command, asked.clone(), expected_version)
        })
        .await
}

async fn revoke(
    unit: Unit,
    license_id: Uuid,
    command: LicenseCommand,
    refund: Option<RequestRefund>,
    expected_version: Option<u64>,
) -> Result<serde_json::Value, CommandError<Refusal>> {
    let mut license = unit.load::<License>(license_id).await?;
    at_version(&license, expected_version)?;
    unit.handle(&mut license, command).await?;
    let version = license.version;
    let refund = match (refund, license.aggregate.order_line()) {
        (Some(asked), Some((order_id, line))) => {
            let mut order = unit.load::<Order>(order_id).await?;
            if order.version == 0 {
                // A complimentary license has no order, and nothing to give back.
                return Err(CommandError::Refused(Refusal::LicenseState));
            }
            let asked = RequestRefund {
                lines: Some(vec![line]),
                ..asked
            };
            request(&unit, &mut order, vec![license], asked).await?;
            refunded_lines(&order.aggregate)
                .into_iter()
                .find(|refunded| refunded.line == line)
        }
        _ => None,
    };
    Ok(stored(&RevokedLicense {
        license_id,
        status: LicenseStatus::Revoked,
        refund,
        version,
    }))
}
