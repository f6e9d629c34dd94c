//! One page of a resource, in one statement: the rows, where they stand in the log, and how many there are.
//!
//! One statement has one snapshot, so the position is exactly that of the rows. Pages are found by key, never by
//! offset: the hundredth costs what the first does, and rows that arrive meanwhile neither repeat nor hide others.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use futures_util::try_join;
use serde::{Deserialize, Serialize};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::column::Column;
use crate::conditions::{Bind, Conditions};
use crate::error::Error;
use crate::plan::{Expected, Spread, is_sorted};
use crate::record::Record;
use crate::resource::{Direction, Edge, PagePosition, Resource, Sort, SortValue, Towards};
use crate::search::Similar;

/// A place in the log: the rows hold everything up to `position`, and nothing after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Last applied position, 0 before the first.
    pub position: u64,
    /// Epoch of the log, nil before the first.
    pub epoch: Uuid,
}

impl Checkpoint {
    /// From the columns, which are null before the projector has run.
    pub fn from_columns(position: Option<i64>, epoch: Option<Uuid>) -> Self {
        // The table's check constraint holds positions at or above zero.
        Self {
            position: position.map_or(0, |position| u64::try_from(position).unwrap_or(0)),
            epoch: epoch.unwrap_or_default(),
        }
    }
}

/// What to read.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Of what.
    pub resource: &'static Resource,
    /// Which columns.
    pub columns: Vec<&'static Column>,
    /// Which rows.
    pub conditions: Conditions,
    /// In which order.
    pub sort: &'static Sort,
    /// Which way.
    pub direction: Direction,
    /// Where it begins or ends; the first page if not given.
    pub edge: Option<Edge>,
    /// At most how many rows.
    pub limit: u16,
    /// Whether to count all rows that satisfy the conditions.
    pub count: bool,
    /// What the rows are compared with, to come by their similarity.
    pub similar: Option<Similar>,
    /// How they lie in the order.
    pub spread: Spread,
    /// The moment that takes the place of `now()` in computed columns; the present one if not given.
    pub now: Option<DateTime<Utc>>,
}

/// What was read.
#[derive(Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Record>,
    /// Where the next page begins, if there is one.
    pub next: Option<Edge>,
    /// Where the page before ends, if there is one. After a page that was sought by a value it may be empty.
    pub previous: Option<Edge>,
    /// How many rows satisfy the conditions on all pages, if asked.
    pub total: Option<Total>,
    /// Where in the log all of this is true.
    pub checkpoint: Checkpoint,
    /// Whether it is known to be of another log than there is now.
    pub stale: bool,
    /// Whether the rows are only similar to what was sought.
    pub similar: bool,
}

/// How many rows there are on all pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Their number.
    pub rows: i64,
    /// Whether it is the planner's estimate, because there are more than [`COUNTED`].
    pub is_estimate: bool,
}

/// Up to this number rows are counted exactly.
pub const COUNTED: i64 = 10_000;

/// Columns of the statement that are not the resource's: position, epoch, total, staleness, key, sort key.
const OWN_COLUMNS: usize = 6;

impl PageQuery {
    /// The first page of a resource, of rows that satisfy these conditions, with the columns that are there without `fields`, by its default sort.
    pub fn first(resource: &'static Resource, conditions: Conditions, limit: u16) -> Self {
        Self {
            resource,
            columns: resource.selected().collect(),
            conditions,
            sort: &resource.sorts[0],
            direction: resource.default_direction,
            edge: None,
            limit,
            count: false,
            similar: None,
            spread: Spread::Ordered,
            now: None,
        }
    }
}

/// Reads one page.
pub async fn read(client: &impl GenericClient, query: PageQuery) -> Result<Page, Error> {
    let (sql, binds) = chosen(client, &query).await?;
    let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
    // The unnamed statement is planned for its values in the same round trip.
    let rows = client.query_typed(&sql, &typed).await?;
    let mut page = collect(&query, &rows)?;
    if let Some(total) = &mut page.total
        && total.rows > COUNTED
    {
        let all = Expected::of_all(client, query.resource, &query.conditions).await?;
        *total = Total {
            rows: all.rows.max(total.rows),
            is_estimate: true,
        };
    }
    Ok(page)
}

/// The statement that finds the rows in the better way.
async fn chosen(client: &impl GenericClient, query: &PageQuery) -> Result<(String, Vec<Bind>), Error> {
    if matches!(query.spread, Spread::Ordered) || query.similar.is_some() {
        return Ok(statement(query));
    }
    let (walk, binds) = statement_of(query, false, false);
    let (all, walk) = try_join!(
        Expected::of_all(client, query.resource, &query.conditions),
        Expected::of(client, &walk, &binds)
    )?;
    let sorted = is_sorted(query.spread, query.sort, &all, &walk)?;
    Ok(statement_of(query, query.count, sorted))
}

/// The plan that Postgres chose for a page and what it then read, as text: for tests and for finding out why one is slow.
pub async fn explain(client: &impl GenericClient, query: &PageQuery) -> Result<String, Error> {
    let (sql, binds) = chosen(client, query).await?;
    let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
    let rows = client
        .query_typed(&format!("explain (analyze, costs off, timing off) {sql}"), &typed)
        .await?;
    let lines = rows
        .iter()
        .map(|row| row.try_get::<_, String>(0))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(lines.join("\n"))
}

/// The statement of `query`: text made of constants only, and its binds.
pub fn statement(query: &PageQuery) -> (String, Vec<Bind>) {
    statement_of(query, query.count, false)
}

/// `sorted`: all rows are found first, by whatever index finds them best.
fn statement_of(query: &PageQuery, count: bool, sorted: bool) -> (String, Vec<Bind>) {
    let PageQuery {
        resource,
        columns,
        sort,
        direction,
        ..
    } = query;
    let (table, key, order) = (resource.table, resource.key, sort.sql);
    let (shown, backwards) = match direction {
        Direction::Ascending => ("asc", "desc"),
        Direction::Descending => ("desc", "asc"),
    };
    // A page that ends before a row is read from there backwards, and then shown in the order of the list.
    let towards = match &query.edge {
        Some(edge) if edge.towards == Towards::Previous => backwards,
        _ => shown,
    };
    let (filter, mut binds) = query.conditions.clone().into_parts();
    let total = if count {
        format!("(select count(*) from (select from {table} where {filter} limit {COUNTED} + 1) counted)")
    } else {
        "null::int8".into()
    };
    let mut beginning = String::new();
    if let Some(Edge { place, included, .. }) = &query.edge {
        binds.extend([place.sort.bind(), Bind::Uuid(place.id)]);
        let beyond = if towards == "asc" { ">" } else { "<" };
        let equal = if *included { "=" } else { "" };
        beginning = format!(
            " and ({order}, {key}) {beyond}{equal} (${}, ${})",
            binds.len() - 1,
            binds.len()
        );
    }
    binds.push(Bind::Text(resource.projection.into()));
    // The limit is in the text: a plan for any limit would be one for a tenth of the table.
    let (limit, projection) = (u32::from(query.limit) + 1, binds.len());
    let (mut rank, mut within_rank, mut by_rank) = (String::new(), "", "");
    if let Some(Similar { column, words }) = &query.similar {
        for word in words {
            binds.push(Bind::Text(word.clone()));
            let _ = write!(rank, " + word_similarity(${}, {column})", binds.len());
        }
        rank = format!(", 0{rank} as page_rank");
        (within_rank, by_rank) = ("page_rank desc, ", "page.page_rank desc, ");
    }
    let now = query.now.map(|now| {
        binds.push(Bind::Timestamp(now));
        format!("${}", binds.len())
    });
    let mut selected = String::new();
    for (index, column) in columns.iter().enumerate() {
        let sql = match &now {
            Some(now) => Cow::Owned(column.sql.replace("now()", now)),
            None => Cow::Borrowed(column.sql),
        };
        // Writing to a String can't fail.
        let _ = write!(selected, ", {sql} as column_{index}");
    }
    let rows = if sorted {
        // Without `offset` the planner would look through the parentheses, and walk.
        format!("(select * from {table} where {filter}{beginning} offset 0) {table}")
    } else {
        format!("{table} where {filter}{beginning}")
    };
    // The left joins give one row even if there is no checkpoint and no row: the position is always answered.
    let sql = format!(
        "select head.position, head.epoch, {total} as total, head.stale_since is not null as stale, page.*
from (select 1) as one
left join checkpoints head on head.projection = ${projection}
left join (
    select {key} as page_key, {order} as page_sort{selected}{rank}
    from {rows}
    order by {within_rank}{order} {towards}, {key} {towards}
    limit {limit}
) page on true
order by {by_rank}page.page_sort {shown}, page.page_key {shown}"
    );
    (sql, binds)
}

/// The page that the rows of its statement make.
pub(crate) fn collect(query: &PageQuery, rows: &[Row]) -> Result<Page, Error> {
    let mut page = Page {
        rows: Vec::with_capacity(rows.len()),
        next: None,
        previous: None,
        total: None,
        checkpoint: Checkpoint::default(),
        stale: false,
        similar: query.similar.is_some(),
    };
    if let Some(head) = rows.first() {
        page.checkpoint = Checkpoint::from_columns(head.try_get(0)?, head.try_get(1)?);
        let rows: Option<i64> = head.try_get(2)?;
        page.total = rows.map(|rows| Total {
            rows,
            is_estimate: false,
        });
        page.stale = head.try_get(3)?;
    }
    // Without a row of the table there is one row with the head alone.
    let is_empty = rows.first().map_or(Ok(true), |row| {
        row.try_get::<_, Option<Uuid>>(4).map(|id| id.is_none())
    })?;
    let found = if is_empty { &[] } else { rows };
    let more = found.len() > usize::from(query.limit);
    let backwards = query
        .edge
        .as_ref()
        .is_some_and(|edge| edge.towards == Towards::Previous);
    // The row beyond the page only says that there is another page.
    let own = match (more, backwards) {
        (false, _) => found,
        (true, false) => &found[..found.len() - 1],
        (true, true) => &found[1..],
    };
    for row in own {
        page.rows.push(Record::read(row, &query.columns, OWN_COLUMNS)?);
    }
    let place = |row: &Row| -> Result<_, Error> {
        Ok(PagePosition {
            sort: SortValue::read(row, 5, query.sort)?,
            id: row.try_get(4)?,
        })
    };
    let next = own.last().map(place).transpose()?.map(Edge::after);
    let previous = own.first().map(place).transpose()?.map(Edge::before);
    // What lies on the other side of an edge exists, or did.
    let beyond = query.edge.as_ref().map(Edge::other_side);
    if page.similar {
        return Ok(page);
    }
    (page.next, page.previous) = if backwards {
        (next.or(beyond), previous.filter(|_| more))
    } else {
        (
            next.filter(|_| more),
            beyond.map(|beyond| previous.unwrap_or(beyond)),
        )
    };
    Ok(page)
}
