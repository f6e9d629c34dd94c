//! Statements that stay prepared at a connection: those of the pages that nearly all callers ask for.
//!
//! The choice of filters and columns is the caller's, so the shapes that can be asked for have no bound worth keeping. Those of
//! the default columns, without a filter or with one whose rows an index has in their order, are few, and have one plan whatever
//! their values are. All others are planned for their values each time, without a name.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use crate::conditions::Bind;
use crate::error::Error;
use crate::page::{self, Page, PageQuery};
use crate::plan::Spread;

/// Most statements that a connection keeps. One more, and it begins again with none.
const KEPT: usize = 128;

/// Reads one page, by a statement that stays prepared at the connection if it is one of few.
pub(crate) async fn read(connection: &ClientWrapper, query: PageQuery) -> Result<Page, Error> {
    if is_usual(&query) {
        let (sql, binds) = page::statement(&query);
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        if let Some(rows) = rows(connection, &sql, &typed).await? {
            return page::collect(&query, &rows);
        }
    }
    page::read(&**connection, query).await
}

/// Whether the statement of a query is one of few, with one plan for all values.
fn is_usual(query: &PageQuery) -> bool {
    let selected = query.resource.selected().map(|column| column.name);
    matches!(query.spread, Spread::Ordered)
        && query.similar.is_none()
        && !query.count
        && query.columns.iter().map(|column| column.name).eq(selected)
        // How many rows several of them keep decides how they are found.
        && !query.conditions.has_several()
}

/// The rows of a statement, which stays prepared; nothing if what was prepared fits the tables no longer.
async fn rows(
    connection: &ClientWrapper,
    sql: &str,
    binds: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Option<Vec<Row>>, tokio_postgres::Error> {
    let cache = &connection.statement_cache;
    let (values, types): (Vec<_>, Vec<_>) = binds.iter().cloned().unzip();
    if cache.size() >= KEPT {
        cache.clear();
    }
    let statement = connection.prepare_typed_cached(sql, &types).await?;
    match connection.query(&statement, &values).await {
        Ok(rows) => Ok(Some(rows)),
        // A rebuild has put a table of other columns in the place of this one.
        Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
            cache.clear();
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
