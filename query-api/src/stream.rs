//! `GET /api/v1/stream`: what changes, as it happens, for those with a login: server-sent events with the kind, the id and
//! the position of each row that changed and that the reader may see.
//!
//! One [`Follower`] looks at the rows for all streams of the process, and the [`Hub`] hands
//! what it finds to those whom it may concern. A `Feed` is one reader's stream. A reader who comes back with
//! `Last-Event-ID` is first told what changed meanwhile, from the rows.

mod events;
mod feed;
mod hub;
mod id;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use query::{Parameters, Projection, Reads};
use read_model::changes::{self, Follower, Opening, Step};
use service::auth::{Principal, Role, Session};
use service::problem::Problem;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::access::scope;
use crate::{AppState, accounts};
use feed::{Beginning, Feed};
use hub::{Refused, Told};
use id::LastEventId;

pub use hub::{Hub, MOST_OF_READER, StreamOptions};

/// The name of the connection in Postgres.
const SESSION: &str = "query-api stream";
/// The name of the reads in metrics.
const READS: &str = "stream";
/// Most changes that a reader who comes back is told one by one.
pub const MOST_MISSED: usize = 1000;
/// How long a reader who comes early waits until the rows were looked at once.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How long a stream waits before it looks once more whether what it read was looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// When a reader who has too many streams may try again.
const RETRY_AFTER_S: u32 = 10;

/// nginx collects answers into blocks, unless it is told not to.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Looks at the rows for all streams of this process until `shutdown`, which ends them all.
pub fn follow(
    url: &str,
    projection: Projection,
    options: StreamOptions,
    shutdown: CancellationToken,
) -> anyhow::Result<Hub> {
    let hub = Hub::new(options);
    let telling = hub.clone();
    let follower = Follower::new(move |step| telling.tell(told(step)));
    query::follow_rows(url, SESSION, projection, shutdown.clone(), follower)?;
    let closing = hub.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        closing.close();
    });
    Ok(hub)
}

/// What a step of the follower is to the readers.
fn told(step: Step) -> Told {
    match step {
        Step::Moved {
            changes,
            accounts,
            through,
            place,
        } => Told {
            changes,
            accounts: accounts
                .into_iter()
                .map(|(user_id, account)| (user_id, accounts::of(account)))
                .collect(),
            reset: None,
            through,
            place,
        },
        Step::Began { place, reason } => Told {
            changes: Vec::new(),
            accounts: Vec::new(),
            reset: Some(reason),
            through: place.checkpoint.position,
            place: Some(place),
        },
    }
}

pub(crate) async fn follow_changes(
    State(state): State<AppState>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    parameters.finish()?;
    let last = LastEventId::of(&headers);
    let session = state.authenticator.session(&headers).await?;
    if timeout(FIRST_LOOK, state.changes.looked()).await.is_err() {
        return Err(unavailable());
    }
    let deadline = Instant::now() + FIRST_LOOK;
    let (subscription, opening) = loop {
        // Before the rows are read: what changes from now on is handed over, and what changed before is in them.
        let subscription = state.changes.subscribe(session.user_id()).map_err(refused)?;
        let opening = open(&state.reads, &session, &last).await?;
        if subscription.is_of(opening.place) {
            break (subscription, opening);
        }
        // The first rows of a log came a moment ago, or an event was parked, and that was not looked at yet.
        drop(subscription);
        if Instant::now() >= deadline {
            return Err(unavailable());
        }
        sleep(PAUSE).await;
    };
    let account = opening.account.clone().map(accounts::of).unwrap_or_default();
    let principal = session.under(account)?;
    subscription.concerned_by_others(principal.is_staff() || principal.has(Role::Organizer));
    let beginning = beginning(&state.reads, &principal, last, &opening).await?;
    let feed = Feed::new(subscription, session, principal, beginning);
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    Ok(response)
}

async fn open(reads: &Reads, session: &Session, last: &LastEventId) -> Result<Opening, Problem> {
    let (user_id, since) = (session.user_id(), last.position());
    // Where the follower looks, too: a replica may be behind what it has told.
    reads
        .ask_freshest(READS, move |client| {
            Box::pin(changes::open(client, user_id, since))
        })
        .await
}

/// What the reader is told first.
async fn beginning(
    reads: &Reads,
    principal: &Principal,
    last: LastEventId,
    opening: &Opening,
) -> Result<Beginning, Problem> {
    let here = opening.place;
    let reset = |reason| Ok(Beginning::Reset { reason, place: here });
    let last = match last {
        LastEventId::Absent => return Ok(Beginning::Ready(here)),
        LastEventId::Unknown => return reset("unknown_id"),
        LastEventId::At(place) => place,
    };
    if last.checkpoint.epoch != here.checkpoint.epoch {
        return reset("another_log");
    }
    if last.checkpoint.position > here.checkpoint.position {
        return reset("unknown_id");
    }
    if opening.parked_before < last.parked {
        return reset("rows_rebuilt");
    }
    let (scope, since) = (scope(principal), last.checkpoint.position);
    let missed = reads.ask_freshest(READS, move |client| {
        let scope = scope.clone();
        Box::pin(async move { changes::of_reader(client, &scope, since, MOST_MISSED).await })
    });
    match missed.await? {
        None => reset("too_many"),
        Some(changes) => Ok(Beginning::Missed { changes, place: here }),
    }
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::TooManyOfReader => too_many(),
        Refused::Full => full(),
        Refused::Unavailable => unavailable(),
    }
}

/// What a stream can be refused with, besides what every read can.
pub(crate) fn problems() -> [Problem; 3] {
    [too_many(), full(), unavailable()]
}

/// 429: this reader has as many streams as one may have.
fn too_many() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_streams",
        "Du følger allerede med fra for mange steder. Lukk noen av dem.",
        "You follow from too many places already. Close some of them.",
    )
    .retry_after(RETRY_AFTER_S)
}

/// 503: this process has as many streams as it may have.
fn full() -> Problem {
    Problem::unavailable(
        "streams_full",
        "Mange følger med akkurat nå. Prøv igjen om litt.",
        "Many follow right now. Try again in a moment.",
    )
    .retry_after(RETRY_AFTER_S)
}

/// 503: the rows can't be followed now.
fn unavailable() -> Problem {
    Problem::unavailable(
        "stream_unavailable",
        "Endringer kan ikke følges akkurat nå. Prøv igjen om litt.",
        "Changes cannot be followed right now. Try again in a moment.",
    )
}
