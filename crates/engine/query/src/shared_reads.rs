//! Answers that many readers get: from memory, from the cache, or from the database in one snapshot with the versions of
//! their rows. With a cache or without one, and whatever is in it, the answer is the same.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use service::problem::Problem;
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::answer::{self, AnswerPosition, Content, PageCursors};
use crate::cache::{Cache, Digest, Found, Given, Now};
use crate::course::Step;
use crate::cursor::{self, Binding, Cursor};
use crate::error::Error;
use crate::lane::Asker;
use crate::mark::{self, Mark};
use crate::metrics;
use crate::page::{self, PageQuery};
use crate::parameters::{MinPosition, Parameters};
use crate::plan::Spread;
use crate::reads::{Access, Granted, Reads};
use crate::resource::{Audience, Edge, Resource};
use crate::version::Shared;
use crate::view::{self, Beginning, ListView, View};

/// A question to the database whose answer is the same for many readers.
pub trait SharedQuestion: Clone + Send + Sync + 'static {
    /// The answer.
    type Answer: Serialize;

    /// All that the answer depends on besides the rows: two questions with the same text have the same answer.
    fn text(&self) -> String;

    /// Asks it, in a transaction that has one snapshot.
    fn ask(self, client: &Client) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Who asks, and what they have.
struct Asked {
    /// Whose own the answer is in part: the cursors.
    reader: Option<Uuid>,
    /// Which rows its readers may see, if many may see the same; nothing if the answer is not kept.
    scope: Option<&'static str>,
    min_position: Option<MinPosition>,
    if_none_match: Option<String>,
    /// The log that its cursor is of, if it has one.
    epoch: Option<Uuid>,
    /// By which connections it is read.
    asker: Asker,
}

impl Asked {
    /// Whether a place is as new as was asked for.
    fn is_reached(&self, place: AnswerPosition) -> bool {
        self.min_position
            .is_none_or(|awaited| place.position() >= awaited.position)
    }
}

/// How far a look came.
enum Looked {
    /// What this instance gave lately.
    Remembered(Response),
    /// The answer, and for whom it is remembered.
    Found(Found, Option<Digest>),
}

/// A page, without anything that is one reader's own.
#[derive(Serialize, Deserialize)]
struct SharedPage {
    items: Box<RawValue>,
    next: Option<Edge>,
    previous: Option<Edge>,
    total: Option<(i64, bool)>,
    similar: bool,
}

/// A page, and the one that is read instead if it is empty.
#[derive(Clone)]
struct PageQuestion {
    page: PageQuery,
    instead: Option<PageQuery>,
}

impl SharedQuestion for PageQuestion {
    type Answer = SharedPage;

    fn text(&self) -> String {
        // The statement holds every condition, with its values, and the form of every column, in their order.
        let (sql, binds) = page::statement(&self.page);
        let names: Vec<&str> = self.page.columns.iter().map(|column| column.name).collect();
        format!("{names:?} {:?} {binds:?} {sql}", self.page.edge)
    }

    async fn ask(self, client: &Client) -> Result<SharedPage, Error> {
        let mut page = page::read(client, self.page).await?;
        if page.rows.is_empty()
            && let Some(instead) = self.instead
        {
            page = page::read(client, instead).await?;
        }
        Ok(SharedPage {
            items: serde_json::from_slice(&answer::items(&page)).map_err(Error::Form)?,
            next: page.next,
            previous: page.previous,
            total: page.total.map(|total| (total.rows, total.is_estimate)),
            similar: page.similar,
        })
    }
}

impl Reads {
    /// Answers with a page of a resource, as [`Self::list`] does.
    ///
    /// What is kept is bounded by what can be asked for: a search, and a page that begins at any value, are read each time.
    /// The rows of one reader, or of a few, are never kept.
    pub async fn list_shared(
        &self,
        shared: &'static Shared,
        resource: &'static Resource,
        parameters: Parameters,
        access: Access,
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
        let View {
            columns,
            min_position,
            if_none_match,
        } = view;
        let asker = granted.asker_of(count || selection.searches());
        let Granted { reader, rows, .. } = granted;
        let binding = Binding::new(resource, sort, direction, &selection, reader);
        let mut kept = rows.is_empty() && !selection.searches();
        let (edge, epoch) = match begin {
            Beginning::First => (None, None),
            Beginning::Seek(sort) => {
                kept = false;
                (Some(Edge::seek(sort, direction)), None)
            }
            Beginning::Cursor(sealed) => {
                let Cursor { edge, epoch } = self.cursors.open(&sealed, &binding)?;
                (Some(edge), Some(epoch))
            }
        };
        let similar = match &edge {
            None => selection.similar_within(rows.clone()),
            Some(_) => None,
        };
        // Someone may have mistyped a name: the most similar rows, as one page.
        let instead = similar.map(|(conditions, similar)| PageQuery {
            columns: columns.clone(),
            sort,
            direction,
            count,
            similar: Some(similar),
            now: selection.now(),
            ..PageQuery::first(resource, conditions, limit)
        });
        let page = PageQuery {
            resource,
            columns,
            conditions: selection.within(rows),
            sort,
            direction,
            edge,
            limit,
            count,
            similar: None,
            spread: Spread::of(&selection, sort, direction),
            now: selection.now(),
        };
        let request = Asked {
            reader,
            scope: kept.then(|| everyone(resource)),
            min_position,
            if_none_match,
            epoch,
            asker,
        };
        let empty = answer::json_of(resource, resource.name, Vec::new());
        let question = PageQuestion { page, instead };
        let (found, remembered) = match Box::pin(self.look(shared, &request, question, &empty)).await? {
            Looked::Remembered(response) => return Ok(response),
            Looked::Found(found, remembered) => (found, remembered),
        };
        if epoch.is_some_and(|epoch| epoch != found.epoch) {
            return Err(cursor::refuse());
        }
        let content = self.page_content(resource, &found, &binding)?;
        Ok(self.answer_found(content, &found, remembered, &request))
    }

    /// The body of a page, with the cursors of this reader.
    fn page_content(
        &self,
        resource: &Resource,
        found: &Found,
        binding: &Binding<'_>,
    ) -> Result<Content, Problem> {
        let page: SharedPage =
            serde_json::from_str(&found.entry.answer).map_err(|error| Problem::internal(&error))?;
        let seal = |edge: Option<Edge>| {
            let cursor = edge.map(|edge| Cursor {
                edge,
                epoch: found.epoch,
            });
            let sealed = cursor
                .map(|cursor| self.cursors.seal(&cursor, binding))
                .transpose();
            sealed.map_err(|error| Problem::internal(&error))
        };
        let cursors = PageCursors {
            next: seal(page.next)?,
            previous: seal(page.previous)?,
        };
        let items = page.items.get().as_bytes();
        let bytes = answer::list_body(items, cursors, page.total, page.similar)?;
        Ok(answer::json_of(resource, resource.name, bytes))
    }

    /// Answers with what a question gives, which is a JSON object, and the position. It is for readers who may see all rows;
    /// no cache but ours keeps it. Takes what is left of the parameters.
    pub async fn report_shared(
        &self,
        shared: &'static Shared,
        question: impl SharedQuestion,
        asker: Asker,
        mut parameters: Parameters,
    ) -> Result<Response, Problem> {
        let request = Asked {
            reader: None,
            scope: Some("everything"),
            min_position: parameters.min_position(),
            if_none_match: parameters.if_none_match(),
            epoch: None,
            asker,
        };
        parameters.finish()?;
        let content = |bytes| Content {
            name: shared.name,
            cache_control: Audience::Personal.cache_control(),
            content_type: "application/json",
            bytes,
        };
        match Box::pin(self.look(shared, &request, question, &content(Vec::new()))).await? {
            Looked::Remembered(response) => Ok(response),
            Looked::Found(found, remembered) => {
                let content = content(found.entry.answer.as_bytes().to_vec());
                Ok(self.answer_found(content, &found, remembered, &request))
            }
        }
    }

    /// Looks for the answer to a question when the rows are new enough. `empty` is its form, for an answer without a body.
    async fn look(
        &self,
        shared: &'static Shared,
        request: &Asked,
        question: impl SharedQuestion,
        empty: &Content,
    ) -> Result<Looked, Problem> {
        let cached = self.cache.as_ref().zip(request.scope);
        let known = match cached {
            Some((cache, scope)) => self
                .known(cache, shared, request)
                .await?
                .map(|now| (cache, scope, now)),
            None => None,
        };
        let Some((cache, scope, now)) = known else {
            if cached.is_some() {
                metrics::looked_up(shared.name, "unknown");
            }
            let (answer, mark) = self.read_marked(shared, question, request, false).await?;
            return Ok(Looked::Found(Found::read(answer, &mark), None));
        };
        let key = cache.key(shared, &now, scope, &question.text());
        let remembered = key.of_reader(request.reader);
        if request.epoch.is_none_or(|epoch| epoch == now.epoch())
            && let Some(given) = cache.given(&now, &remembered)
            && let Some(response) = again(&given, &now, request, empty, shared)
        {
            return Ok(Looked::Remembered(response));
        }
        let read = self.read_marked(shared, question, request, true);
        let patience = *self.patience.of(request.asker.lane);
        let found = cache.find(shared, &key, &now, patience, read).await?;
        Ok(Looked::Found(found, Some(remembered)))
    }

    /// Which rows there are now, when they are as new as was asked for. Nothing where that is not known: while the primary is
    /// away a replica may have what was asked for.
    async fn known(
        &self,
        cache: &Cache,
        shared: &'static Shared,
        request: &Asked,
    ) -> Result<Option<Now>, Problem> {
        let now = cache.now(shared);
        let (Some(_), Some(awaited)) = (&now, request.min_position) else {
            return Ok(now);
        };
        self.places
            .projection()
            .reach(awaited.position, awaited.name)
            .await?;
        Ok(cache.now(shared).filter(|now| request.is_reached(now.place())))
    }

    /// Asks the database, in one snapshot with the versions of the rows: where the versions are known to be, if it is to be kept.
    async fn read_marked(
        &self,
        shared: &'static Shared,
        question: impl SharedQuestion,
        request: &Asked,
        freshest: bool,
    ) -> Result<(String, Mark), Problem> {
        let _seat = self.seat(request.asker).await?;
        let step = Step {
            freshest,
            ..self.measured(shared.name, request.asker.lane, request.min_position)
        };
        self.question(
            step,
            move |client| Box::pin(in_one_snapshot(client, shared, question.clone())),
            |(_, mark)| Some((mark.checkpoint, mark.stale)),
        )
        .await
    }

    /// Answers with what was found, and remembers it.
    fn answer_found(
        &self,
        content: Content,
        found: &Found,
        remembered: Option<Digest>,
        request: &Asked,
    ) -> Response {
        let tag = content.tag();
        let remembered = remembered.filter(|_| found.current && !found.place.is_stale());
        if let Some((cache, of)) = self.cache.as_ref().zip(remembered) {
            // With a reader it has cursors of theirs.
            let body = request.reader.is_none().then(|| content.bytes.as_slice().into());
            let given = Given {
                tag: tag.clone(),
                changes_at: found.entry.changes_at,
                body,
            };
            cache.remember(of, given);
        }
        let mut response = content.positioned_as(found.place, &tag, request.if_none_match.as_deref());
        limit_age(&mut response, found.place, found.left());
        response
    }
}

/// The scope of those who may see all rows.
fn everyone(resource: &Resource) -> &'static str {
    match resource.audience {
        Audience::Public => "public",
        Audience::Personal => "everything",
    }
}

/// Gives an answer again, or says that the caller has it. Nothing if its body is not remembered, and is needed.
fn again(
    given: &Given,
    now: &Now,
    request: &Asked,
    empty: &Content,
    shared: &'static Shared,
) -> Option<Response> {
    let known = request.if_none_match.as_deref();
    let unchanged = known.is_some_and(|known| answer::matches(known, &given.tag));
    let bytes = match &given.body {
        _ if unchanged => Vec::new(),
        Some(body) => body.to_vec(),
        None => return None,
    };
    metrics::looked_up(shared.name, if unchanged { "unchanged" } else { "remembered" });
    let content = Content { bytes, ..*empty };
    let mut response = content.positioned_as(now.place(), &given.tag, known);
    limit_age(&mut response, now.place(), now.left(given));
    Some(response)
}

async fn in_one_snapshot(
    client: &Client,
    shared: &'static Shared,
    question: impl SharedQuestion,
) -> Result<(String, Mark), Error> {
    let begun = Instant::now();
    client
        .batch_execute("begin isolation level repeatable read, read only")
        .await?;
    let read = async {
        let mark = mark::read(client, shared, begun).await?;
        let answer = question.ask(client).await?;
        Ok((serde_json::to_string(&answer).map_err(Error::Form)?, mark))
    };
    let read: Result<_, Error> = read.await;
    // The connection goes back to its pool without a transaction.
    let ended = client
        .batch_execute(if read.is_ok() { "commit" } else { "rollback" })
        .await;
    let read = read?;
    ended?;
    Ok(read)
}

/// Lets no cache show a public answer beyond the moment at which the clock changes it, and none at all before there are rows:
/// a cache would show that for a while when there are.
fn limit_age(response: &mut Response, place: AnswerPosition, left: Option<Duration>) {
    let headers = response.headers_mut();
    if place.position() == 0 {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return;
    }
    let public = headers
        .get(header::CACHE_CONTROL)
        .is_some_and(|kept| kept.as_bytes().starts_with(b"public"));
    if let Some(left) = left.filter(|_| public) {
        headers.insert(header::CACHE_CONTROL, answer::public_within(left));
    }
}
