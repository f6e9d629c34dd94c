//! `POST /licenses/{license_id}/correct`: staff corrects the holder or the vehicle of a license, before check-in.
//!
//! One command over what it reads: the license's type for ages, and the suspensions of whom it names. The days and the part
//! of a cap that the license holds move to the corrected holder with the event, or the correction is refused.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{
    CorrectLicense, HolderKey, License, LicenseCommand, LicenseType, Refusal, RequestedHolder,
    RequestedVehicle, license_type_id,
};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandResponse, IdempotencyKey, Unit, VersionConflict};
use events::aggregate_type;
use serde::Deserialize;
use serde_json::Value;
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::revoke_license::LicensePath;
use super::suspend_license::ChangedLicense;
use crate::answer::{answered, problem};
use crate::command::{now, stored};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;
use crate::{rule_seven, rule_six};

/// How often a correction looks for suspensions, when others are imposed meanwhile.
const LOOKS: usize = 5;

/// What was wrong with a license. The rules are those of an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Correction {
    /// The decision in words.
    #[schema(min_length = 1, max_length = 500, example = "Misspelled at the counter")]
    reason: String,
    /// The whole holder as it is right.
    holder: Option<RequestedHolder>,
    /// The whole vehicle as it is right.
    vehicle: Option<RequestedVehicle>,
}

impl Operation for Correction {
    const NAME: &'static str = "correct_license";
    const SUMMARY: &'static str = "Corrects the holder or the vehicle of a license before check-in.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::LicenseState,
    ];
    type Path = LicensePath;
    type Answer = ChangedLicense;

    fn problems() -> Vec<Problem> {
        rule_seven::examples_of_correction().into()
    }

    fn target(path: &LicensePath) -> Result<Option<String>, Problem> {
        Ok(Some(path.license_id.to_string()))
    }
}

pub(crate) async fn correct_license(
    State(state): State<AppState>,
    incoming: Incoming<Correction>,
) -> Result<Response, Problem> {
    let Incoming {
        path: LicensePath { license_id },
        request,
        key,
        metadata,
        expected_version,
        ..
    } = incoming;
    let holder_key = &state.shop.holder_key;
    let command = (key, metadata);
    decide(
        &state.command_handler,
        holder_key,
        license_id,
        request,
        command,
        expected_version,
    )
    .await
    .map(|response| answered(Correction::SUCCESS, response))
}

/// Corrects a license.
pub(crate) async fn decide(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    license_id: Uuid,
    asked: Correction,
    (key, metadata): (IdempotencyKey, Metadata),
    expected_version: Option<u64>,
) -> Result<CommandResponse, Problem> {
    let asked = CorrectLicense {
        reason: asked.reason,
        holder: asked.holder,
        vehicle: asked.vehicle,
        min_age: None,
        max_age: None,
        suspended: std::collections::BTreeSet::new(),
        holder_key: Arc::clone(holder_key),
        now: now(),
    };
    let mut looks = 0;
    loop {
        looks += 1;
        let corrected = command_handler
            .together(key.clone(), metadata.clone(), |unit| {
                correct(command_handler, unit, license_id, asked.clone(), expected_version)
            })
            .await;
        return match corrected {
            Ok(response) => Ok(response),
            Err(CommandError::ClaimTaken(taken)) if rule_six::outdated(&taken) && looks < LOOKS => continue,
            Err(CommandError::ClaimTaken(taken)) => Err(rule_seven::correction_refused(&taken)),
            Err(error) => Err(problem(error)),
        };
    }
}

async fn correct(
    command_handler: &CommandHandler,
    unit: Unit,
    license_id: Uuid,
    mut asked: CorrectLicense,
    expected_version: Option<u64>,
) -> Result<Value, CommandError<Refusal>> {
    let mut license = unit.load::<License>(license_id).await?;
    if let Some(expected) = expected_version.filter(|expected| *expected != license.version) {
        return Err(CommandError::Version(VersionConflict {
            aggregate_type: aggregate_type::LICENSE.to_owned(),
            aggregate_id: license_id,
            expected,
            actual: license.version,
        }));
    }
    if let Some(issued) = license.aggregate.issued() {
        let type_id = license_type_id(&issued.license_type.code);
        let license_type = unit.load::<LicenseType>(type_id).await?;
        (asked.min_age, asked.max_age) = license_type.aggregate.ages();
    }
    let seen = rule_six::look(command_handler, &asked.subjects(), asked.now).await?;
    asked.suspended = seen.suspended;
    unit.handle(&mut license, LicenseCommand::Correct(Box::new(asked)))
        .await?;
    for guard in seen.guards {
        unit.guard(guard);
    }
    Ok(stored(&ChangedLicense::of(
        license_id,
        &license.aggregate,
        license.version,
    )))
}
