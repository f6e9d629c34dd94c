//! The outline of a list: how many of its rows there are on each day of its sort key. With it and `seek`, a client goes to any
//! row of a list of millions.

use chrono::NaiveDate;
use tokio_postgres::{GenericClient, Row};

use crate::conditions::{Bind, Conditions};
use crate::error::Error;
use crate::filter::{Filter, Selection};
use crate::page::{COUNTED, Checkpoint};
use crate::parameters::Parameters;
use crate::resource::{Resource, Sort, SortKind};
use crate::view;

/// Name in metrics.
pub const OUTLINE: &str = "outline";

/// Which rows are counted, and by the days of what.
#[derive(Clone, Debug)]
pub struct OutlineQuery {
    /// Of what.
    pub resource: &'static Resource,
    /// The filters that keep the rows.
    pub selection: Selection,
    /// The sort whose keys are days, or moments that belong to days in Norway.
    pub sort: &'static Sort,
}

/// How many rows there are on each day.
#[derive(Debug, Default)]
pub struct Outline {
    /// Each day that has rows, the earliest first; none if they are not counted.
    pub days: Option<Vec<(NaiveDate, i64)>>,
    /// Where in the log this is true.
    pub checkpoint: Checkpoint,
    /// Whether it is known to be of another log than there is now.
    pub stale: bool,
}

impl OutlineQuery {
    /// What the parameters of a list ask for. What is wrong with them is said when they are finished.
    pub fn of(parameters: &mut Parameters, resource: &'static Resource) -> Self {
        let selection = parameters.selection(filters(resource));
        // The days are the same in both directions.
        let (sort, _) = view::sort_of(parameters, resource, Sort::has_days);
        Self {
            resource,
            selection,
            sort,
        }
    }

    /// Counts those of `rows` that the filters keep, if they are at most [`COUNTED`].
    pub async fn count(&self, client: &impl GenericClient, rows: Conditions) -> Result<Outline, Error> {
        let (sql, binds) = self.statement(rows);
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        let rows = client.query_typed(&sql, &typed).await?;
        let mut outline = Outline::read(&rows)?;
        let counted =
            |days: &Vec<(NaiveDate, i64)>| days.iter().map(|(_, rows)| rows).sum::<i64>() <= COUNTED;
        outline.days = outline.days.filter(counted);
        Ok(outline)
    }

    /// No more rows are looked at than it takes to know that there are too many.
    fn statement(&self, rows: Conditions) -> (String, Vec<Bind>) {
        let table = self.resource.table;
        let day = match self.sort.kind {
            SortKind::Moment => format!("({} at time zone 'Europe/Oslo')::date", self.sort.sql),
            SortKind::Date | SortKind::Number | SortKind::Text => self.sort.sql.to_owned(),
        };
        let (filter, mut binds) = self.selection.within(rows).into_parts();
        binds.push(Bind::Text(self.resource.projection.into()));
        let projection = binds.len();
        // The left joins give one row even if there is no checkpoint and no row: the position is always answered.
        let sql = format!(
            "select head.position, head.epoch, head.stale_since is not null as stale, counted.day, counted.rows
from (select 1) as one
left join checkpoints head on head.projection = ${projection}
left join (
    select day, count(*) as rows
    from (select {day} as day from {table} where {filter} limit {COUNTED} + 1) looked_at
    group by day
) counted on true
order by counted.day"
        );
        (sql, binds)
    }
}

impl Outline {
    /// Of the rows of a statement: `position`, `epoch` and `stale` in each, and `day` and `rows`, which are null in the only
    /// row without days.
    pub fn read(rows: &[Row]) -> Result<Self, Error> {
        let mut outline = Self::default();
        let mut days = Vec::with_capacity(rows.len());
        for row in rows {
            outline.checkpoint = Checkpoint::from_columns(row.try_get("position")?, row.try_get("epoch")?);
            outline.stale = row.try_get("stale")?;
            if let Some(day) = row.try_get("day")? {
                days.push((day, row.try_get("rows")?));
            }
        }
        outline.days = Some(days);
        Ok(outline)
    }
}

/// The filters of an outline: those of the list, but for one that has an order of its own.
pub(crate) fn filters(resource: &'static Resource) -> impl Iterator<Item = &'static Filter> {
    resource
        .filters
        .iter()
        .filter(|filter| filter.sorted_by.is_none())
}
