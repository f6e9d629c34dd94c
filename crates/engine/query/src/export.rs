//! All rows of a resource that satisfy conditions, as a stream of runs of rows in constant memory.
//!
//! An export is one read-only transaction with one snapshot, so all of it is true at one position of the log. The rows come
//! through a cursor of the database, run by run, as fast as the caller takes them. Each export has a connection of its own, at a
//! replica if there is one, and there are few turns, so exports never wait for pages nor pages for exports. A dropped export
//! gives its turn back, and what its connection is doing is cancelled.
//!
//! Rows come in the order of the resource's first sort and of their keys, oldest first. An export that was cut off goes on
//! after the last row that arrived, in a snapshot of its own.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use connect::Database;
use service::postgres::{self, PoolOptions};
use service::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::answer::AnswerPosition;
use crate::cancel::cancel;
use crate::column::Column;
use crate::conditions::{Bind, Conditions};
use crate::course::Step;
use crate::error::Error;
use crate::lane::{Asker, Lane};
use crate::page::Checkpoint;
use crate::parameters::Parameters;
use crate::place::Place;
use crate::reads::Reads;
use crate::record::Record;
use crate::resource::{Resource, SortValue};

/// Rows of a run: some hundred kilobytes.
const RUN: u16 = 500;
/// Seconds that a run may take to read; the first may have to sort.
const RUN_TIMEOUT_S: u32 = 30;
/// How long an export may take. Its snapshot keeps the database from removing old rows.
const LONGEST: Duration = Duration::from_mins(30);
/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take until the first rows can be read, at two servers if one fails.
const BEGIN_PATIENCE: Duration = Duration::from_mins(1);

/// Begins exports, a few at a time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Exports {
    reads: Reads,
    session: &'static str,
    options: PoolOptions,
    turns: Arc<Semaphore>,
}

/// The turn of an export that may begin at another server when one fails.
type Turn = Arc<OwnedSemaphorePermit>;

impl Exports {
    /// Of the resources that `reads` reads, `at_once` at a time. `session` names the connections in Postgres.
    pub fn new(reads: Reads, session: &'static str, at_once: usize) -> Self {
        Self {
            reads,
            session,
            options: PoolOptions {
                db_statement_timeout_s: RUN_TIMEOUT_S,
                ..PoolOptions::default()
            },
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Begins the export of the rows within `rows` that the filters in `parameters` keep, after the row whose key is
    /// `after`. Takes what is left of the parameters.
    pub async fn begin(
        &self,
        resource: &'static Resource,
        mut parameters: Parameters,
        reader: Uuid,
        rows: Conditions,
    ) -> Result<Export, Problem> {
        let selection = parameters.selection(resource.filters);
        let after = parameters.uuid("after");
        let awaited = parameters.min_position();
        parameters.finish()?;
        let turn = Arc::clone(&self.turns)
            .try_acquire_owned()
            .map_err(|_| exports_busy())?;
        let turn = Arc::new(turn);
        let _seat = self.reads.seat(Asker::person(reader).expensively()).await?;
        let step = Step {
            lane: Lane::Expensive,
            awaited,
            freshest: false,
            patience: BEGIN_PATIENCE,
            measured_as: None,
        };
        let conditions = selection.within(rows);
        let (turn, conditions) = (&turn, &conditions);
        let begin = |place: Place| async move {
            let session = self.connect(&place, Arc::clone(turn)).await?;
            Export::begin(session, resource, conditions.clone(), after).await
        };
        let place = |begun: &Result<Export, Problem>| {
            let export = begun.as_ref().ok()?;
            Some((export.checkpoint, export.stale))
        };
        self.reads.at_a_place(step, begin, place).await?
    }

    async fn connect(&self, place: &Place, turn: Turn) -> Result<Session, Error> {
        let database = place.database().clone().named(self.session);
        let database = postgres::limited(database, &self.options);
        let connected = timeout(CONNECT_PATIENCE, database.connect()).await;
        let (client, connection) = connected.map_err(|_| Error::Silent)??;
        // Ends when the client is dropped.
        tokio::spawn(connection);
        Ok(Session {
            client,
            database,
            at_work: false,
            _turn: turn,
        })
    }
}

/// 503: others have all turns.
pub(crate) fn exports_busy() -> Problem {
    Problem::unavailable(
        "exports_busy",
        "Andre henter ut data akkurat nå. Prøv igjen om litt.",
        "Others are exporting data right now. Try again in a moment.",
    )
}

/// 400: there is no row to go on after.
pub(crate) fn after_unknown() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "after_unknown",
        "Raden som uttrekket skal fortsette etter, finnes ikke.",
        "The row after which the export should go on does not exist.",
    )
    .field(
        "/after",
        "after_unknown",
        "Ingen rad har denne id-en.",
        "No row has this id.",
    )
}

/// An export that has begun.
#[derive(Debug)]
pub struct Export {
    session: Session,
    fetch: Statement,
    columns: Vec<&'static Column>,
    checkpoint: Checkpoint,
    stale: bool,
    ends: Instant,
}

impl Export {
    /// Where in the log all its rows are true.
    pub fn position(&self) -> AnswerPosition {
        AnswerPosition::at(self.checkpoint.position, self.stale)
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self) -> Result<Vec<Record>, Error> {
        if Instant::now() > self.ends {
            return Err(Error::TooLong);
        }
        let fetch = self.fetch.clone();
        let rows = self
            .session
            .run(async |client| client.query(&fetch, &[]).await)
            .await?;
        rows.iter()
            .map(|row| Record::read(row, &self.columns, 0))
            .collect()
    }

    async fn begin(
        mut session: Session,
        resource: &'static Resource,
        conditions: Conditions,
        after: Option<Uuid>,
    ) -> Result<Result<Self, Problem>, Error> {
        let begin = "begin isolation level repeatable read, read only";
        session
            .run(async |client| client.batch_execute(begin).await)
            .await?;
        let (sql, binds) = place_statement(resource, &conditions, after);
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        let row = session
            .run(async |client| client.query_typed_one(&sql, &typed).await)
            .await?;
        let checkpoint = Checkpoint::from_columns(row.try_get(0)?, row.try_get(1)?);
        let stale = row.try_get(2)?;
        let after = match after {
            None => None,
            Some(_) if row.try_get::<_, Option<Uuid>>(3)?.is_none() => return Ok(Err(after_unknown())),
            Some(id) => Some((SortValue::read(&row, 4, &resource.sorts[0])?, id)),
        };
        let columns: Vec<_> = resource.selected().collect();
        let (sql, binds) = cursor_statement(resource, &columns, conditions, after);
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        session
            .run(async |client| client.execute_typed(&sql, &typed).await)
            .await?;
        let sql = format!("fetch {RUN} from export");
        let fetch = session.run(async |client| client.prepare(&sql).await).await?;
        Ok(Ok(Self {
            session,
            fetch,
            columns,
            checkpoint,
            stale,
            ends: Instant::now() + LONGEST,
        }))
    }
}

/// Where in the log the snapshot is, and the row to go on after.
fn place_statement(resource: &Resource, conditions: &Conditions, after: Option<Uuid>) -> (String, Vec<Bind>) {
    let Resource { table, key, .. } = resource;
    let order = resource.sorts[0].sql;
    let mut row = conditions.clone();
    row.and_key(key, Bind::Uuid(after.unwrap_or_default()));
    let (filter, mut binds) = row.into_parts();
    binds.push(Bind::Text(resource.projection.into()));
    let projection = binds.len();
    let sql = format!(
        "select head.position, head.epoch, head.stale_since is not null as stale, place.*
from (select 1) as one
left join checkpoints head on head.projection = ${projection}
left join (select {key}, {order} from {table} where {filter}) place on true"
    );
    (sql, binds)
}

/// The cursor over all rows.
fn cursor_statement(
    resource: &Resource,
    columns: &[&'static Column],
    conditions: Conditions,
    after: Option<(SortValue, Uuid)>,
) -> (String, Vec<Bind>) {
    let Resource { table, key, .. } = resource;
    let order = resource.sorts[0].sql;
    let (filter, mut binds) = conditions.into_parts();
    let mut beginning = String::new();
    if let Some((sort, id)) = after {
        binds.extend([sort.bind(), Bind::Uuid(id)]);
        let (sort, id) = (binds.len() - 1, binds.len());
        beginning = format!(" and ({order}, {key}) > (${sort}, ${id})");
    }
    let mut selected = String::new();
    for (index, column) in columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = write!(selected, "{comma}{}", column.sql);
    }
    let sql = format!(
        "declare export no scroll cursor for
select {selected} from {table} where {filter}{beginning} order by {order}, {key}"
    );
    (sql, binds)
}

/// The connection of one export, and its turn. Dropped in the middle of a statement, it cancels the statement.
#[derive(Debug)]
struct Session {
    client: Client,
    database: Database,
    at_work: bool,
    _turn: Turn,
}

impl Session {
    async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        self.at_work = true;
        let done = work(&self.client).await;
        self.at_work = false;
        Ok(done?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.at_work {
            cancel(self.client.cancel_token(), self.database.protection());
        }
    }
}
