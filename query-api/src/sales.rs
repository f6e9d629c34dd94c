//! `GET /api/v1/reports/sales`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{Asker, Parameters};
use read_model::collections::SHARED_SALES;
use read_model::reports::{SalesQuestion, SalesRow, SalesSums};
use read_model::{SalesGrouping, Word as _};
use service::auth::Principal;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::AppState;

/// A sales report.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what a `SalesQuestion` gives")]
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
    let question = SalesQuestion { grouping, from, to };
    let asker = Asker::person(principal.user_id).expensively();
    state
        .reports
        .report_shared(&SHARED_SALES, question, asker, parameters)
        .await
}
