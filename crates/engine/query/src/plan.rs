//! How the rows of a page are found: by walking along its order and leaving out what the filters do not keep, or by finding
//! all that they keep and sorting it.
//!
//! Left alone, Postgres takes the walk too easily: it expects the rows that a filter keeps to be spread evenly along the order.
//! The orders of one month, by the day of their activity, all stand in one place, and a walk from the other end reads ten
//! years.

use serde::Deserialize;
use tokio_postgres::GenericClient;
use tokio_postgres::types::Json;

use crate::conditions::{Bind, Conditions};
use crate::error::Error;
use crate::filter::{Filter, Selection};
use crate::resource::{Direction, Resource, Sort};

/// How many times what a walk would cost, if the rows were spread evenly, sorting may cost: it never costs more than expected.
const TRUST: f64 = 10.0;
/// The most rows that are sorted when they are known to be spread unevenly.
const SORTED: i64 = 20_000;

/// How what a request keeps lies in the order that it asks for.
#[derive(Clone, Copy, Debug)]
pub enum Spread {
    /// Nothing is left out, or an index has just these rows in this order.
    Ordered,
    /// Anywhere.
    Anywhere,
    /// In few places, because of this filter.
    Uneven(&'static Filter),
}

impl Spread {
    /// Of what the filters keep, in the order of a sort.
    pub fn of(selection: &Selection, sort: &Sort, direction: Direction) -> Self {
        let mut filters = selection.filters();
        let asked = match direction {
            Direction::Ascending => sort.name.to_owned(),
            Direction::Descending => format!("-{}", sort.name),
        };
        if let Some(filter) = filters
            .clone()
            .find(|filter| filter.uneven.contains(&asked.as_str()))
        {
            return Self::Uneven(filter);
        }
        match (filters.next(), filters.next()) {
            (None, _) => Self::Ordered,
            (Some(only), None) if only.along == Some(sort.name) => Self::Ordered,
            _ => Self::Anywhere,
        }
    }
}

/// What the planner expects of a statement.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    #[serde(rename = "Plan Rows")]
    pub(crate) rows: i64,
    #[serde(rename = "Total Cost")]
    pub(crate) cost: f64,
}

impl Expected {
    /// It costs the same however many rows there are.
    pub(crate) async fn of(client: &impl GenericClient, sql: &str, binds: &[Bind]) -> Result<Self, Error> {
        #[derive(Debug, Deserialize)]
        struct Explained {
            #[serde(rename = "Plan")]
            plan: Expected,
        }
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        let row = client
            .query_typed_one(&format!("explain (format json) {sql}"), &typed)
            .await?;
        let Json([Explained { plan }]) = row.try_get::<_, Json<[Explained; 1]>>(0)?;
        Ok(plan)
    }

    /// Of all rows that the conditions keep.
    pub(crate) async fn of_all(
        client: &impl GenericClient,
        resource: &Resource,
        conditions: &Conditions,
    ) -> Result<Self, Error> {
        let (filter, binds) = conditions.clone().into_parts();
        let sql = format!("select from {} where {filter}", resource.table);
        Self::of(client, &sql, &binds).await
    }
}

/// Whether all rows are found and sorted. A page of many rows that are known to lie in few places is refused.
pub(crate) fn is_sorted(
    spread: Spread,
    sort: &'static Sort,
    all: &Expected,
    walk: &Expected,
) -> Result<bool, Error> {
    match spread {
        Spread::Ordered => Ok(false),
        Spread::Anywhere => Ok(all.cost <= TRUST * walk.cost),
        Spread::Uneven(_) if all.rows <= SORTED => Ok(true),
        Spread::Uneven(filter) => Err(Error::TooBroad {
            filter: filter.name,
            along: filter.along,
            sort: sort.name,
        }),
    }
}
