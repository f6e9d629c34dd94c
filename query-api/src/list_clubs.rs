//! `GET /api/v1/clubs`: public.

use axum::extract::State;
use axum::response::Response;
use read_model::{CLUBS, ClubFilter};
use service::problem::Problem;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::{AppState, view};

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
