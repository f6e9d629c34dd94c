//! `PATCH /users/me`: one's own contact data.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{ContactChange, Refusal, User, UserCommand};
use serde::{Deserialize, Deserializer, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::Language;

use crate::command::{Command, Plan, run};
use crate::incoming::Incoming;
use crate::operation::{Method, NoPath, Operation};
use crate::state::AppState;

/// What changes. What is absent stays; null removes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things to ask for"
)]
pub(crate) struct ChangeContact {
    /// Full name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Kari Nordmann")]
    name: Option<Option<String>>,
    /// E-mail address.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "kari@example.no")]
    email: Option<Option<String>>,
    /// Phone.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "+47 900 00 000")]
    phone: Option<Option<String>>,
    /// The language of letters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Language>)]
    language: Option<Option<Language>>,
    /// Whose data it is: the caller's.
    #[serde(skip)]
    user_id: Uuid,
}

/// A field that is there, also as null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The user after the change. Contact data is read from the other API: answers are stored.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangedUser {
    /// The user's id.
    pub(crate) user_id: Uuid,
    /// The user's version.
    pub(crate) version: u64,
}

impl Operation for ChangeContact {
    const NAME: &'static str = "change_contact";
    const SUMMARY: &'static str = "Changes the caller's contact data.";
    const METHOD: Method = Method::Patch;
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new())];
    type Path = NoPath;
    type Answer = ChangedUser;

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

impl Command for ChangeContact {
    type Aggregate = User;

    fn plan(self, _: NoPath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let user_id = self.user_id;
        let command = UserCommand::ChangeContact(ContactChange {
            name: self.name,
            email: self.email,
            phone: self.phone,
            language: self.language,
        });
        Ok(Plan::new(user_id, command, move |_, version| ChangedUser {
            user_id,
            version,
        }))
    }
}

pub(crate) async fn change_contact(
    state: State<AppState>,
    mut incoming: Incoming<ChangeContact>,
) -> Result<Response, Problem> {
    incoming.request.user_id = incoming.principal.user_id;
    run::<ChangeContact>(state, incoming).await
}
