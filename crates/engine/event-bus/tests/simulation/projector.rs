//! A projector: follows the log from the checkpoint and applies it, as `projector/src/{follow,apply}.rs` do. What
//! guards the rows, a checkpoint that moves only from the expected position, is in the simulated database.

use std::rc::Rc;

use envelope::{Contradiction, Mark, RecordedEvent};
use event_bus::CatchUpError;
use uuid::Uuid;

use crate::mutation::Mutation;
use crate::reader::Reader;
use crate::schedule::{MS, Process, SECOND, Time};
use crate::tables::Tables;
use crate::world::{Lost, Server, World};

const WAIT: Time = 5 * SECOND;

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the checkpoint moved")]
    NotOwner,
    #[error("{0}")]
    Contradicted(Contradiction),
    #[error("{0}")]
    Lost(Lost),
    #[error("{0}")]
    CatchUpSubscription(CatchUpError),
}

/// Follows for ever, waiting out every failure.
pub(crate) async fn run(world: Rc<World>, me: Process) {
    let mut failures = 0_u32;
    loop {
        let mut progressed = false;
        let Err(why) = follow(&world, me, &mut progressed).await;
        world.note(me, || format!("interrupted: {why}"));
        match why {
            Interrupted::NotOwner => world.count(|counts| counts.checkpoints_lost += 1),
            Interrupted::CatchUpSubscription(CatchUpError::EpochChanged { .. }) => {
                world.count(|counts| counts.epochs_noticed += 1);
            }
            Interrupted::Contradicted(why)
            | Interrupted::CatchUpSubscription(CatchUpError::Contradicted(why)) => {
                world.contradicted(why);
            }
            Interrupted::CatchUpSubscription(error) => world.violated(|| error.to_string()),
            Interrupted::Lost(_) => {}
        }
        failures = if progressed { 0 } else { failures };
        let pause = ((100 * MS) << failures.min(6)).min(5 * SECOND);
        failures += 1;
        world.schedule.sleep(world.rng.between(pause..=2 * pause)).await;
    }
}

async fn follow(
    world: &Rc<World>,
    me: Process,
    progressed: &mut bool,
) -> Result<std::convert::Infallible, Interrupted> {
    let (mut mark, epoch) = resume(world, me).await?;
    world.note(me, || format!("follows from {}", mark.position));
    let max = usize::try_from(world.rng.between(1..=40)).unwrap();
    let mut reader = Reader::new(world, me, mark, epoch);
    loop {
        let run = reader
            .next_batch(max)
            .await
            .map_err(Interrupted::CatchUpSubscription)?;
        mark = apply(world, me, mark, epoch, &run).await?;
        *progressed = true;
    }
}

/// Where to go on, after starting over if the log began a new epoch.
async fn resume(world: &Rc<World>, me: Process) -> Result<(Mark, Uuid), Interrupted> {
    let mut head = world.head(WAIT).await?;
    let begin = |world: &World| {
        world
            .read
            .borrow_mut()
            .live
            .get_or_insert_with(|| Tables::new(head.epoch));
    };
    world.ask(Server::Read, WAIT, begin).await?;
    let checkpoint = |world: &World| {
        let read = world.read.borrow();
        read.live.as_ref().map(|live| (live.mark(), live.epoch))
    };
    let found = world.ask(Server::Read, WAIT, checkpoint).await?;
    let (mark, epoch) = found.expect("there is one since it was begun");
    // After the checkpoint: a head read before may be of an epoch that ended before the checkpoint's began.
    let (after, limit) = mark.reading(0);
    let mut page = world.read_page(after, limit).await?;
    if !world.has(Mutation::CompareWithAnOldHead) {
        head = page.head;
    }
    if epoch != head.epoch {
        let start_over = |world: &World| world.read.borrow_mut().start_over(world, epoch, head.epoch);
        if !world.change(WAIT, start_over).await? {
            return Err(Interrupted::NotOwner);
        }
        world.note(me, || "starts over in the log's new epoch".into());
        world.count(|counts| counts.starts_over += 1);
        return Ok((Mark::START, head.epoch));
    }
    if page.head.epoch == epoch && !world.has(Mutation::SkipTheComparison) {
        mark.prove(&mut page).map_err(Interrupted::Contradicted)?;
    }
    Ok((mark, epoch))
}

/// One transaction: checkpoint and rows.
async fn apply(
    world: &Rc<World>,
    me: Process,
    from: Mark,
    epoch: Uuid,
    run: &[RecordedEvent],
) -> Result<Mark, Interrupted> {
    let to = Mark::of(run.last().expect("a run is not empty"));
    let with_rows = !world.has(Mutation::MoveTheCheckpointLater);
    if !with_rows {
        let rows = |world: &World| {
            if let Some(live) = world
                .read
                .borrow_mut()
                .live
                .as_mut()
                .filter(|live| live.epoch == epoch)
            {
                live.apply(world, run);
            }
        };
        world.change(WAIT, rows).await?;
    }
    let transaction = |world: &World| {
        let read = &mut *world.read.borrow_mut();
        let live = read.live.as_mut().expect("there is one since it was begun");
        let moved = live.move_checkpoint(world, from.position, to, epoch);
        if moved && with_rows {
            live.apply(world, run);
        }
        read.check_live(world);
        world.note(me, || {
            format!("commits {} to {}: {moved}", from.position, to.position)
        });
        moved
    };
    if world.change(WAIT, transaction).await? {
        Ok(to)
    } else {
        Err(Interrupted::NotOwner)
    }
}

impl From<Lost> for Interrupted {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}
