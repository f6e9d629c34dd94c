//! What every operation of the read side shares, and the operations themselves: a list and one row of a resource.

use std::time::{Duration, Instant};

use axum::response::Response;
use deadpool_postgres::Pool;
use service::problem::Problem;
use uuid::Uuid;

use crate::conditions::{Bind, Conditions};
use crate::cursor::{self, Binding, Cursor, Cursors};
use crate::error::Error;
use crate::page::{self, Page, PageQuery};
use crate::parameters::{self, MinPosition, Parameters};
use crate::projection::{self, Projection};
use crate::resource::{Audience, PagePosition, Resource};
use crate::schema_gate::SchemaGate;
use crate::view::{self, ListView, View};
use crate::{answer, failure, metrics};

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
    fn parts(self, resource: &Resource) -> Result<(Option<Uuid>, Conditions), Problem> {
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
        let (reader, rows) = access.parts(resource)?;
        let ListView {
            view,
            selection,
            sort,
            direction,
            limit,
            count,
            cursor,
        } = view::of_list(parameters, resource)?;
        let binding = Binding::new(resource, sort, direction, &selection, reader);
        let from = cursor
            .map(|sealed| self.cursors.open(&sealed, &binding))
            .transpose()?;
        let (after, epoch) = from.map(|Cursor { place, epoch }| (place, epoch)).unzip();
        let query = PageQuery {
            resource,
            columns: view.columns,
            conditions: selection.within(rows),
            sort,
            direction,
            after,
            limit,
            count,
        };
        let page = self.read_at(query, view.min_position).await?;
        if epoch.is_some_and(|epoch| epoch != page.checkpoint.epoch) {
            return Err(cursor::refuse());
        }
        let seal = |place: &PagePosition| {
            let cursor = Cursor {
                place: place.clone(),
                epoch: page.checkpoint.epoch,
            };
            self.cursors.seal(&cursor, &binding)
        };
        let next = page.next.as_ref().map(seal).transpose();
        let next = next.map_err(|error| Problem::internal(&error))?;
        answer::list(resource, &page, next, view.if_none_match.as_deref())
    }

    /// Answers with the row of a resource that has this key, or 404.
    pub async fn one(
        &self,
        resource: &'static Resource,
        key: &str,
        parameters: Parameters,
        access: Access,
    ) -> Result<Response, Problem> {
        let (_, conditions) = access.parts(resource)?;
        let key = parameters::uuid(key).ok_or_else(|| view::not_an_id(resource.key))?;
        let view = view::of_one(parameters, resource)?;
        self.row(resource, key, view, conditions).await
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
        self.row(resource, key, view, Conditions::default()).await
    }

    async fn row(
        &self,
        resource: &'static Resource,
        key: Uuid,
        view: View,
        mut conditions: Conditions,
    ) -> Result<Response, Problem> {
        conditions.and_key(resource.key, Bind::Uuid(key));
        let query = PageQuery {
            columns: view.columns,
            ..PageQuery::first(resource, conditions, 1)
        };
        let page = self.read_at(query, view.min_position).await?;
        answer::one(resource, &page, view.if_none_match.as_deref())
    }

    /// Reads when the rows are new enough.
    async fn read_at(&self, query: PageQuery, min_position: Option<MinPosition>) -> Result<Page, Problem> {
        let Some(awaited) = min_position else {
            return self.read(query).await;
        };
        self.projection.reach(awaited.position, awaited.name).await?;
        let page = self.read(query).await?;
        // A restore can have taken back what was notified before. A position of another log says nothing about the
        // caller's write.
        if page.checkpoint.position < awaited.position || (page.stale && awaited.position > 0) {
            return Err(projection::lagging(page.checkpoint.position));
        }
        Ok(page)
    }

    /// Reads one page.
    async fn read(&self, query: PageQuery) -> Result<Page, Problem> {
        self.schema.pass()?;
        let resource = query.resource.name;
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.patience, self.read_patiently(query)).await;
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

    /// Runs another read of the same rows, within the same time and with the same problems.
    pub async fn ask<T>(&self, read: impl Future<Output = Result<T, Error>>) -> Result<T, Problem> {
        self.schema.pass()?;
        match tokio::time::timeout(self.patience, read).await {
            Ok(outcome) => outcome.map_err(|error| failure::problem(&error)),
            Err(_) => Err(failure::silence()),
        }
    }

    async fn read_patiently(&self, query: PageQuery) -> Result<Page, Error> {
        let client = self.pool.get().await?;
        page::read(&**client, query).await
    }
}
