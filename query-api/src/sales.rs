//! `GET /api/v1/reports/sales`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{AnswerPosition, Asker, Content, Parameters};
use read_model::reports::{SalesReport, SalesRow, SalesSums, read_sales};
use read_model::{SalesGrouping, Word as _};
use serde::Serialize;
use service::auth::Principal;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::AppState;

/// Name in metrics.
pub(crate) const KIND: &str = "sales";

/// A sales report.
#[derive(Serialize, ToSchema)]
pub(crate) struct SalesAnswer {
    /// The groups in the order of their keys; one without sales is left out.
    pub(crate) items: Vec<SalesRow>,
    /// All of the period. Groups can add up to more orders, receipts and credit notes: one with lines for two clubs is in
    /// both.
    pub(crate) total: SalesSums,
    /// The log position that the report is true at.
    #[schema(minimum = 0, example = 4711)]
    pub(crate) position: u64,
}

pub(crate) async fn report_sales(
    State(state): State<AppState>,
    principal: Principal,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let grouping = parameters
        .choice("group_by", &SalesGrouping::texts())
        .and_then(|grouping| grouping.parse().ok())
        .unwrap_or(SalesGrouping::Day);
    let (from, to) = parameters.period("from", "to");
    let if_none_match = parameters.if_none_match();
    let reached = |report: &SalesReport| (report.checkpoint, report.stale);
    let asker = Asker::person(principal.user_id).expensively();
    let report = state
        .reports
        .ask_at(
            KIND,
            asker,
            parameters,
            move |client| Box::pin(read_sales(client, grouping, from, to)),
            reached,
        )
        .await?;
    let place = AnswerPosition::at(report.checkpoint.position, report.stale);
    let answer = SalesAnswer {
        items: report.rows,
        total: report.total,
        position: report.checkpoint.position,
    };
    let content = Content {
        name: KIND,
        cache_control: "private, no-store",
        content_type: "application/json",
        bytes: serde_json::to_vec(&answer).map_err(|error| Problem::internal(&error))?,
    };
    Ok(content.respond(Some(place), if_none_match.as_deref()))
}
