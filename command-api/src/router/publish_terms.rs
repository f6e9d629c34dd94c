//! `POST /terms`: a version of the terms that orders accept from a moment on.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{NewTerms, Refusal, Terms, TermsCommand, terms_id};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;

use crate::command::{Command, Plan};
use crate::operation::{NoPath, Operation};

/// The published terms.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PublishedTerms {
    /// The version's name, in the form that is stored.
    terms_version: String,
    /// From when on it is in force.
    #[schema(value_type = DateTime<Utc>)]
    valid_from: Option<DateTime<Utc>>,
    /// How often terms were published, this one included.
    version: u64,
}

impl Operation for NewTerms {
    const NAME: &'static str = "publish_terms";
    const SUMMARY: &'static str = "Publishes a version of the terms. It never changes.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Exists];
    type Path = NoPath;
    type Answer = PublishedTerms;

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

impl Command for NewTerms {
    type Aggregate = Terms;

    fn plan(self, _: NoPath, now: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let given = self.terms_version.clone();
        let command = TermsCommand::Publish {
            new: Box::new(self),
            now,
        };
        Ok(Plan::new(terms_id(), command, move |terms: &Terms, version| {
            let terms_version = domain::terms_version(&given);
            PublishedTerms {
                valid_from: terms.valid_from(&terms_version),
                terms_version,
                version,
            }
        }))
    }
}
