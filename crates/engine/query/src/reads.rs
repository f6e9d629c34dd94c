//! What every operation of the read side shares, and the operations themselves: a list and one row of a resource.

use std::time::{Duration, Instant};

use axum::response::Response;
use deadpool_postgres::Pool;
use service::problem::Problem;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::answer::{self, AnswerPosition};
use crate::cache::Cache;
use crate::conditions::{Bind, Conditions};
use crate::cursor::{self, Binding, Cursor, Cursors};
use crate::error::Error;
use crate::page::{self, Checkpoint, Page, PageQuery};
use crate::parameters::{self, MinPosition, Parameters};
use crate::projection::{self, Projection};
use crate::record::Record;
use crate::resource::{Audience, Edge, Resource};
use crate::schema_gate::SchemaGate;
use crate::view::{self, Beginning, ListView, View};
use crate::{failure, metrics};

/// What every operation shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reads {
    /// Connections that can only select.
    pub pool: Pool,
    /// Whether the database has the schema of this build.
    pub schema: SchemaGate,
    /// How far the rows have come.
    pub projection: Projection,
    /// Makes and checks page cursors.
    pub cursors: Cursors,
    /// Keeps answers that many readers get, where there is a Redis for them.
    pub cache: Option<Cache>,
    /// How long a read may take in all. More than the database's own limit, for when it cannot keep that.
    pub patience: Duration,
}

/// Which rows a caller may see.
#[derive(Clone, Debug)]
pub enum Access {
    /// All rows of a public resource.
    Everyone,
    /// The rows of a personal resource that satisfy the conditions.
    Reader {
        /// The reader, whom cursors are bound to.
        reader: Uuid,
        /// What the reader may see.
        rows: Conditions,
    },
}

impl Access {
    /// The reader and their rows.
    pub(crate) fn parts(self, resource: &Resource) -> Result<(Option<Uuid>, Conditions), Problem> {
        match (self, resource.audience) {
            (Self::Everyone, Audience::Public) => Ok((None, Conditions::default())),
            (Self::Reader { reader, rows }, Audience::Personal) => Ok((Some(reader), rows)),
            _ => {
                tracing::error!(
                    resource = resource.name,
                    "a route gives access to another audience"
                );
                Err(Problem::from_status(
                    axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                ))
            }
        }
    }
}

impl Reads {
    /// Answers with a page of a resource.
    pub async fn list(
        &self,
        resource: &'static Resource,
        parameters: Parameters,
        access: Access,
    ) -> Result<Response, Problem> {
        self.list_with(resource, parameters, access, |_| Ok(())).await
    }

    /// Answers with a page of a resource. `finish` completes each row: what is declared cannot compute everything.
    pub async fn list_with(
        &self,
        resource: &'static Resource,
        parameters: Parameters,
        access: Access,
        finish: impl FnMut(&mut Record) -> Result<(), Problem>,
    ) -> Result<Response, Problem> {
        let (reader, rows) = access.parts(resource)?;
        let ListView {
            view,
            selection,
            sort,
            direction,
            limit,
            count,
            begin,
        } = view::of_list(parameters, resource)?;
        let binding = Binding::new(resource, sort, direction, &selection, reader);
        let (edge, epoch) = match begin {
            Beginning::First => (None, None),
            Beginning::Seek(sort) => (Some(Edge::seek(sort, direction)), None),
            Beginning::Cursor(sealed) => {
                let Cursor { edge, epoch } = self.cursors.open(&sealed, &binding)?;
                (Some(edge), Some(epoch))
            }
        };
        let is_first = edge.is_none();
        let query = PageQuery {
            resource,
            columns: view.columns.clone(),
            conditions: selection.within(rows.clone()),
            sort,
            direction,
            edge,
            limit,
            count,
            similar: None,
        };
        let mut page = self.read_at(query, view.min_position).await?;
        if page.rows.is_empty()
            && is_first
            && let Some((conditions, similar)) = selection.similar_within(rows)
        {
            // Someone may have mistyped a name: the most similar rows, as one page.
            let query = PageQuery {
                columns: view.columns,
                sort,
                direction,
                count,
                similar: Some(similar),
                ..PageQuery::first(resource, conditions, limit)
            };
            page = self.read_at(query, view.min_position).await?;
        }
        page.rows.iter_mut().try_for_each(finish)?;
        if epoch.is_some_and(|epoch| epoch != page.checkpoint.epoch) {
            return Err(cursor::refuse());
        }
        let seal = |edge: &Option<Edge>| {
            let cursor = edge.clone().map(|edge| Cursor {
                edge,
                epoch: page.checkpoint.epoch,
            });
            let sealed = cursor
                .map(|cursor| self.cursors.seal(&cursor, &binding))
                .transpose();
            sealed.map_err(|error| Problem::internal(&error))
        };
        let cursors = answer::PageCursors {
            next: seal(&page.next)?,
            previous: seal(&page.previous)?,
        };
        answer::list(resource, &page, cursors, view.if_none_match.as_deref())
    }

    /// Answers with the row of a resource that has this key, or 404.
    pub async fn one(
        &self,
        resource: &'static Resource,
        key: &str,
        parameters: Parameters,
        access: Access,
    ) -> Result<Response, Problem> {
        self.one_with(resource, key, parameters, access, |_| Ok(())).await
    }

    /// Answers with one row, which `finish` completes, or 404.
    pub async fn one_with(
        &self,
        resource: &'static Resource,
        key: &str,
        parameters: Parameters,
        access: Access,
        finish: impl FnMut(&mut Record) -> Result<(), Problem>,
    ) -> Result<Response, Problem> {
        let (_, conditions) = access.parts(resource)?;
        let key = parameters::uuid(key).ok_or_else(|| view::not_an_id(resource.key))?;
        let view = view::of_one(parameters, resource)?;
        self.answer_row(resource, key, view, conditions, finish).await
    }

    /// Answers with these columns of the row that has this key, or 404. The caller has decided that the client may see them.
    pub async fn excerpt(
        &self,
        resource: &'static Resource,
        key: Uuid,
        columns: &[&str],
        parameters: Parameters,
    ) -> Result<Response, Problem> {
        let view = view::of_excerpt(parameters, resource, columns)?;
        self.answer_row(resource, key, view, Conditions::default(), |_| Ok(()))
            .await
    }

    async fn answer_row(
        &self,
        resource: &'static Resource,
        key: Uuid,
        view: View,
        mut conditions: Conditions,
        finish: impl FnMut(&mut Record) -> Result<(), Problem>,
    ) -> Result<Response, Problem> {
        conditions.and_key(resource.key, Bind::Uuid(key));
        let query = PageQuery {
            columns: view.columns,
            ..PageQuery::first(resource, conditions, 1)
        };
        let mut page = self.read_at(query, view.min_position).await?;
        page.rows.iter_mut().try_for_each(finish)?;
        answer::one(resource, &page, view.if_none_match.as_deref())
    }

    /// The row of a resource that has this key, with these columns, for an answer of another form; 404 without it. Takes
    /// what is left of the parameters.
    pub async fn row(
        &self,
        resource: &'static Resource,
        key: &str,
        columns: &[&str],
        mut parameters: Parameters,
        access: Access,
    ) -> Result<(Record, AnswerPosition), Problem> {
        let (_, mut conditions) = access.parts(resource)?;
        let key = parameters::uuid(key).ok_or_else(|| view::not_an_id(resource.key))?;
        let min_position = parameters.min_position();
        parameters.finish()?;
        conditions.and_key(resource.key, Bind::Uuid(key));
        let shown = resource.shown();
        let query = PageQuery {
            columns: shown.filter(|column| columns.contains(&column.name)).collect(),
            ..PageQuery::first(resource, conditions, 1)
        };
        let mut page = self.read_at(query, min_position).await?;
        let position = AnswerPosition::of(&page);
        match page.rows.pop() {
            Some(row) => Ok((row, position)),
            None => Err(answer::not_found(position)),
        }
    }

    /// Reads when the rows are new enough.
    async fn read_at(&self, query: PageQuery, min_position: Option<MinPosition>) -> Result<Page, Problem> {
        let Some(awaited) = min_position else {
            return self.read(query).await;
        };
        self.projection.reach(awaited.position, awaited.name).await?;
        let page = self.read(query).await?;
        reached(awaited, page.checkpoint, page.stale)?;
        Ok(page)
    }

    /// Reads one page.
    async fn read(&self, query: PageQuery) -> Result<Page, Problem> {
        let name = query.resource.name;
        self.ask(name, async |client| page::read(client, query).await)
            .await
    }

    /// Asks the database within the limits of every read, under this name in metrics.
    pub async fn ask<T>(
        &self,
        resource: &'static str,
        question: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Problem> {
        let asking = async {
            let client = self.pool.get().await?;
            question(&client).await
        };
        self.patiently(resource, asking).await
    }

    /// Reads within the limits of every read, under this name in metrics.
    pub(crate) async fn patiently<T>(
        &self,
        resource: &'static str,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Problem> {
        self.schema.pass()?;
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.patience, read).await;
        let label = if matches!(outcome, Ok(Ok(_))) {
            "ok"
        } else {
            "failed"
        };
        ::metrics::histogram!(metrics::READ_SECONDS, "resource" => resource, "outcome" => label)
            .record(begun.elapsed());
        match outcome {
            Ok(outcome) => outcome.map_err(|error| failure::problem(&error)),
            Err(_) => Err(failure::silence()),
        }
    }
}

/// Whether rows that were read are as new as was asked for. A restore can have taken back what was notified before, and a
/// position of another log says nothing about the caller's write.
pub(crate) fn reached(awaited: MinPosition, checkpoint: Checkpoint, stale: bool) -> Result<(), Problem> {
    if checkpoint.position < awaited.position || (stale && awaited.position > 0) {
        return Err(projection::lagging(checkpoint.position));
    }
    Ok(())
}
