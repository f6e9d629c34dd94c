//! What every operation of the read side shares, and the operations themselves: a list and one row of a resource.

use std::time::Duration;

use axum::response::Response;
use service::problem::Problem;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::answer::{self, AnswerPosition};
use crate::cache::Cache;
use crate::conditions::{Bind, Conditions};
use crate::course::{Course, Step};
use crate::cursor::{self, Binding, Cursor, Cursors};
use crate::error::{Error, Question};
use crate::lane::{Asker, Lane, PerLane};
use crate::outline::{OUTLINE, Outline, OutlineQuery};
use crate::page::{Checkpoint, Page, PageQuery};
use crate::parameters::{self, MinPosition, Parameters};
use crate::place::Place;
use crate::places::Places;
use crate::plan::Spread;
use crate::prepared;
use crate::record::Record;
use crate::resource::{Audience, Edge, Resource};
use crate::seats::{Seat, Seats};
use crate::view::{self, Beginning, ListView, View};

/// What every operation shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reads {
    /// The servers that have the rows.
    pub places: Places,
    /// Makes and checks page cursors.
    pub cursors: Cursors,
    /// How many expensive requests one reader may have under way.
    pub seats: Seats,
    /// Keeps answers that many readers get, where there is a Redis for them.
    pub cache: Option<Cache>,
    /// How long a read may take in all. More than the database's own limit, for when it cannot keep that.
    pub patience: PerLane<Duration>,
    /// The request that all of this is for, if it is for one.
    course: Option<Course>,
}

/// Which rows a caller may see.
#[derive(Clone, Debug)]
pub enum Access {
    /// All rows of a public resource.
    Everyone,
    /// All rows of a personal resource, for a caller without a login who has the id of one. Ids can't be guessed.
    Bearer,
    /// The rows of a personal resource that satisfy the conditions.
    Reader {
        /// The reader, whom cursors are bound to.
        reader: Uuid,
        /// What the reader may see.
        rows: Conditions,
        /// Whether these are few rows, which an index finds: then no request for them is expensive.
        few: bool,
    },
}

/// What [`Access`] comes down to for a resource.
pub(crate) struct Granted {
    /// Without a reader there is no login.
    pub(crate) reader: Option<Uuid>,
    pub(crate) rows: Conditions,
    few: bool,
}

impl Granted {
    pub(crate) fn asker(&self) -> Asker {
        self.reader.map_or(Asker::PUBLIC, Asker::person)
    }

    /// The asker of a list. `many`: it searches or counts.
    pub(crate) fn asker_of(&self, many: bool) -> Asker {
        // The tables of public resources are small.
        if many && self.reader.is_some() && !self.few {
            self.asker().expensively()
        } else {
            self.asker()
        }
    }
}

impl Access {
    pub(crate) fn granted(self, resource: &Resource) -> Result<Granted, Problem> {
        match (self, resource.audience) {
            (Self::Everyone, Audience::Public) | (Self::Bearer, Audience::Personal) => Ok(Granted {
                reader: None,
                rows: Conditions::default(),
                few: false,
            }),
            (Self::Reader { reader, rows, few }, Audience::Personal) => Ok(Granted {
                reader: Some(reader),
                rows,
                few,
            }),
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
    /// Of these servers.
    pub fn new(places: Places, cursors: Cursors, seats: Seats, patience: PerLane<Duration>) -> Self {
        Self {
            places,
            cursors,
            seats,
            cache: None,
            patience,
            course: None,
        }
    }

    /// The same for another projection.
    #[must_use]
    pub fn of(&self, places: Places) -> Self {
        Self {
            places,
            ..self.clone()
        }
    }

    /// For one request that reads several times: all of it at one server, and nothing older than what it has read.
    #[must_use]
    pub fn in_one_place(&self) -> Self {
        Self {
            course: Some(self.course.clone().unwrap_or_default()),
            ..self.clone()
        }
    }

    /// As [`Self::in_one_place`], for a caller who has seen the rows at a position: not at a replica that is behind it, if there is
    /// a choice.
    #[must_use]
    pub fn after(&self, position: u64) -> Self {
        Self {
            course: Some(Course::after(position)),
            ..self.clone()
        }
    }

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
        let granted = access.granted(resource)?;
        let ListView {
            view,
            selection,
            sort,
            direction,
            limit,
            count,
            begin,
        } = view::of_list(parameters, resource)?;
        let asker = granted.asker_of(count || selection.searches());
        let Granted { reader, rows, .. } = granted;
        let _seat = self.seat(asker).await?;
        let reads = self.in_one_place();
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
        let now = selection.now();
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
            spread: Spread::of(&selection, sort, direction),
            now,
        };
        let mut page = reads.read_at(asker, query, view.min_position).await?;
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
                now,
                ..PageQuery::first(resource, conditions, limit)
            };
            page = reads.read_at(asker, query, view.min_position).await?;
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

    /// Answers with the days of a list, counted in its rows. Takes what is left of the parameters.
    pub async fn outline(
        &self,
        query: &OutlineQuery,
        parameters: Parameters,
        access: Access,
    ) -> Result<Response, Problem> {
        let granted = access.granted(query.resource)?;
        let asker = granted.asker_of(true);
        let (counted, rows) = (query.clone(), granted.rows);
        self.outline_by(query, asker, parameters, move |client| {
            let (counted, rows) = (counted.clone(), rows.clone());
            Box::pin(async move { counted.count(client, rows).await })
        })
        .await
    }

    /// Answers with the days of a list as `question` finds them, for a caller that may see all that it counts. Takes what is
    /// left of the parameters.
    pub async fn outline_by(
        &self,
        query: &OutlineQuery,
        asker: Asker,
        parameters: Parameters,
        question: impl Fn(&Client) -> Question<'_, Outline>,
    ) -> Result<Response, Problem> {
        let if_none_match = parameters.if_none_match();
        let place = |outline: &Outline| (outline.checkpoint, outline.stale);
        let outline = self.ask_at(OUTLINE, asker, parameters, question, place).await?;
        answer::outline(query, &outline, if_none_match.as_deref())
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
        let granted = access.granted(resource)?;
        let key = parameters::uuid(key).ok_or_else(|| view::not_an_id(resource.key))?;
        let view = view::of_one(parameters, resource)?;
        let asker = granted.asker();
        self.answer_row(asker, resource, key, view, granted.rows, finish)
            .await
    }

    /// Answers with these columns of the row that has this key, or 404. The caller has decided that the client, who has no login,
    /// may see them.
    pub async fn excerpt(
        &self,
        resource: &'static Resource,
        key: Uuid,
        columns: &[&str],
        parameters: Parameters,
    ) -> Result<Response, Problem> {
        let view = view::of_excerpt(parameters, resource, columns)?;
        let all = Conditions::default();
        self.answer_row(Asker::PUBLIC, resource, key, view, all, |_| Ok(()))
            .await
    }

    async fn answer_row(
        &self,
        asker: Asker,
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
        let mut page = self.read_at(asker, query, view.min_position).await?;
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
        let granted = access.granted(resource)?;
        let asker = granted.asker();
        let mut conditions = granted.rows;
        let key = parameters::uuid(key).ok_or_else(|| view::not_an_id(resource.key))?;
        let min_position = parameters.min_position();
        parameters.finish()?;
        conditions.and_key(resource.key, Bind::Uuid(key));
        let shown = resource.shown();
        let query = PageQuery {
            columns: shown.filter(|column| columns.contains(&column.name)).collect(),
            ..PageQuery::first(resource, conditions, 1)
        };
        let mut page = self.read_at(asker, query, min_position).await?;
        let position = AnswerPosition::of(&page);
        match page.rows.pop() {
            Some(row) => Ok((row, position)),
            None => Err(answer::not_found(position)),
        }
    }

    /// Reads when the rows are new enough.
    async fn read_at(
        &self,
        asker: Asker,
        query: PageQuery,
        awaited: Option<MinPosition>,
    ) -> Result<Page, Problem> {
        let name = query.resource.name;
        let step = self.measured(name, asker.lane, awaited);
        let work = |place: Place| {
            let query = query.clone();
            async move {
                place
                    .ask(step.lane, |connection| {
                        Box::pin(prepared::read(connection, query))
                    })
                    .await
            }
        };
        self.at_a_place(step, work, |page: &Page| Some((page.checkpoint, page.stale)))
            .await
    }

    /// Asks as [`Self::ask`] does, when the rows are as new as the parameters ask for. `place` is where in the log an answer
    /// is true, and whether that is another log than there is now. Takes what is left of the parameters.
    pub async fn ask_at<T>(
        &self,
        resource: &'static str,
        asker: Asker,
        mut parameters: Parameters,
        question: impl Fn(&Client) -> Question<'_, T>,
        place: impl Fn(&T) -> (Checkpoint, bool),
    ) -> Result<T, Problem> {
        let awaited = parameters.min_position();
        parameters.finish()?;
        let _seat = self.seat(asker).await?;
        let step = self.measured(resource, asker.lane, awaited);
        self.question(step, question, |answer| Some(place(answer))).await
    }

    /// Asks the database within the limits of every read, under this name in metrics.
    pub async fn ask<T>(
        &self,
        resource: &'static str,
        asker: Asker,
        question: impl Fn(&Client) -> Question<'_, T>,
    ) -> Result<T, Problem> {
        let _seat = self.seat(asker).await?;
        let step = self.measured(resource, asker.lane, None);
        self.question(step, question, |_| None).await
    }

    /// Asks for what must not be old: the primary, and while that is away a replica that has all that was seen there.
    pub async fn ask_freshest<T>(
        &self,
        resource: &'static str,
        question: impl Fn(&Client) -> Question<'_, T>,
    ) -> Result<T, Problem> {
        let step = Step {
            freshest: true,
            ..self.measured(resource, Lane::People, None)
        };
        self.question(step, question, |_| None).await
    }

    pub(crate) fn measured(&self, resource: &'static str, lane: Lane, awaited: Option<MinPosition>) -> Step {
        Step {
            lane,
            awaited,
            freshest: false,
            patience: *self.patience.of(lane),
            measured_as: Some(resource),
        }
    }

    /// A seat for an expensive request; none for others.
    pub(crate) async fn seat(&self, asker: Asker) -> Result<Option<Seat>, Problem> {
        match (asker.lane, asker.reader) {
            (Lane::Expensive, Some(reader)) => self.seats.take(reader).await.map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) async fn question<T>(
        &self,
        step: Step,
        question: impl Fn(&Client) -> Question<'_, T>,
        true_at: impl Fn(&T) -> Option<(Checkpoint, bool)>,
    ) -> Result<T, Problem> {
        let question = &question;
        let work =
            |place: Place| async move { place.ask(step.lane, |connection| question(connection)).await };
        self.at_a_place(step, work, true_at).await
    }

    /// Does `work` at one server.
    pub(crate) async fn at_a_place<T, F>(
        &self,
        step: Step,
        work: impl Fn(Place) -> F,
        true_at: impl Fn(&T) -> Option<(Checkpoint, bool)>,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let course = self.course.clone().unwrap_or_default();
        course.step(&self.places, step, work, true_at).await
    }
}
