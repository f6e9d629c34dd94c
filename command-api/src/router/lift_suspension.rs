//! `POST /suspensions/{suspension_id}/lift`: staff ends a suspension.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{Refusal, Suspension, SuspensionCommand};
use serde::Deserialize;
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::impose_suspension::ChangedSuspension;
use crate::command::{Command, Plan};
use crate::operation::Operation;

/// Why a suspension ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftSuspension {
    /// The decision in words.
    #[schema(
        min_length = 1,
        max_length = 500,
        example = "Decision 15/2026 of the appeal committee"
    )]
    reason: String,
}

/// A suspension.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct SuspensionPath {
    /// The suspension's id.
    suspension_id: Uuid,
}

impl Operation for LiftSuspension {
    const NAME: &'static str = "lift_suspension";
    const SUMMARY: &'static str = "Ends a suspension. One that is lifted already keeps its first reason.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Unknown];
    type Path = SuspensionPath;
    type Answer = ChangedSuspension;

    fn target(path: &SuspensionPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.suspension_id.to_string()))
    }
}

impl Command for LiftSuspension {
    type Aggregate = Suspension;

    fn plan(
        self,
        SuspensionPath { suspension_id }: SuspensionPath,
        _: DateTime<Utc>,
    ) -> Result<Plan<Self>, Problem> {
        let command = SuspensionCommand::Lift { reason: self.reason };
        Ok(Plan::new(suspension_id, command, move |suspension, version| {
            ChangedSuspension::of(suspension_id, suspension, version)
        }))
    }
}
