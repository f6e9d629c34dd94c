//! `GET /api/v1/clubs`: public.

use axum::{extract::State, response::Response};
use read_model::{CLUBS, ClubFilter};
use service::problem::Problem;

use crate::{
    AppState,
    answer::{self, Audience},
    parameters::Parameters,
    view,
};

pub(crate) async fn list_clubs(
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let filter = ClubFilter {
        q: parameters.text("q"),
    };
    let view = view::of_list(parameters, &CLUBS)?;
    answer::list(&state, view, &filter, filter.conditions(), Audience::Public).await
}
