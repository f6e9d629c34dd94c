//! A rebuild into shadow tables, as `projector rebuild` does it: ranges of the log copied in parallel, then one
//! transaction that holds the live checkpoint, catches up with it, and puts the new tables in the place of the live
//! ones. It may end anywhere; the next one begins again.

use std::cell::Cell;
use std::rc::Rc;

use envelope::{Mark, Position};
use uuid::Uuid;

use crate::mutation::Mutation;
use crate::schedule::{MS, SECOND, Time};
use crate::tables::{ShadowSchema, Tables};
use crate::world::{REBUILD, Server, World};

const WAIT: Time = 5 * SECOND;

/// Why it came to nothing.
type Failed = &'static str;

pub(crate) async fn run(world: Rc<World>) {
    let done = rebuild(&world).await;
    world.note(REBUILD, || format!("ends: {done:?}"));
}

async fn rebuild(world: &Rc<World>) -> Result<(), Failed> {
    let head = world.head(WAIT).await?;
    let end = mark_at(world, head.position, head.epoch).await?;
    let ranges = world.rng.between(1..=3);
    let begin = |world: &World| {
        world.read.borrow_mut().beside = Some(ShadowSchema {
            tables: Tables::new(head.epoch),
            parts: vec![Vec::new(); usize::try_from(ranges).unwrap()],
        });
    };
    world.ask(Server::Read, WAIT, begin).await?;
    copy_all(world, head.position, ranges).await?;
    let join = |world: &World| -> Result<(), Failed> {
        let mut read = world.read.borrow_mut();
        let beside = read.beside.as_mut().ok_or("no tables beside")?;
        let parts = std::mem::take(&mut beside.parts);
        for part in &parts {
            beside.tables.apply_unseen(part);
        }
        beside.tables.position = end.position;
        beside.tables.fingerprint = end.fingerprint;
        Ok(())
    };
    world.ask(Server::Read, WAIT, join).await??;
    still_holds(world, end, head.epoch).await?;
    swap(world, head.epoch, end).await
}

/// Which event the log holds at a place.
async fn mark_at(world: &World, position: Position, epoch: Uuid) -> Result<Mark, Failed> {
    if position == Position::START {
        return Ok(Mark::START);
    }
    let page = world.read_page(Position::new(position.get() - 1), 1).await?;
    match page.events.first() {
        Some(event) if page.head.epoch == epoch => Ok(Mark::of(event)),
        _ => Err("the log stepped back"),
    }
}

/// What was read before and since is of one branch of the log, if the log holds the same event at its end.
async fn still_holds(world: &World, mark: Mark, epoch: Uuid) -> Result<(), Failed> {
    let (after, limit) = mark.reading(0);
    let mut page = world.read_page(after, limit).await?;
    if page.head.epoch != epoch && !world.has(Mutation::CopyAcrossLives) {
        return Err("the log began a new epoch");
    }
    if mark.prove(&mut page).is_err()
        && !world.has(Mutation::CopyAcrossBranches)
        && !world.has(Mutation::CopyAcrossLives)
    {
        return Err("the log stepped back meanwhile");
    }
    Ok(())
}

/// Copies everything up to a position, each range by a task of its own.
async fn copy_all(world: &Rc<World>, to: Position, ranges: u64) -> Result<(), Failed> {
    let outcome = Rc::new(Cell::new(Ok(0)));
    let mut copiers = Vec::new();
    for range in 0..ranges {
        let bound = |range| Position::new(to.get() * range / ranges);
        let (from, to) = (bound(range), bound(range + 1));
        let (shared, outcome) = (Rc::clone(world), Rc::clone(&outcome));
        let copier = world.schedule.spawn(REBUILD, async move {
            let result = copy(&shared, from, to, range).await;
            outcome.set(outcome.get().and_then(|done: u64| result.map(|()| done + 1)));
        });
        copiers.push(copier);
    }
    while outcome.get().is_ok_and(|done| done < ranges) {
        world.schedule.sleep(10 * MS).await;
    }
    // If one failed, the others have nothing to copy for any more.
    for copier in copiers {
        world.schedule.kill(copier);
    }
    outcome.get().map(|_| ())
}

async fn copy(world: &World, from: Position, to: Position, range: u64) -> Result<(), Failed> {
    let mut at = from;
    while at < to {
        let most = to.since(at).min(world.rng.between(1..=10));
        let page = world.read_page(at, u32::try_from(most).unwrap()).await?;
        at = page
            .events
            .last()
            .ok_or("the log ended before its head")?
            .position;
        let insert = |world: &World| -> Result<(), Failed> {
            let mut read = world.read.borrow_mut();
            let beside = read.beside.as_mut().ok_or("no tables beside")?;
            let part = beside.parts.get_mut(usize::try_from(range).unwrap());
            part.ok_or("joined already")?.extend(page.events);
            Ok(())
        };
        world.ask(Server::Read, WAIT, insert).await??;
        world.schedule.sleep(world.rng.between(1..=100 * MS)).await;
    }
    Ok(())
}

/// With the live checkpoint held where it is: runs after it, looks whether the log is still the same, and swaps.
async fn swap(world: &Rc<World>, epoch: Uuid, mut at: Mark) -> Result<(), Failed> {
    let _fence = Fence(Rc::clone(world));
    let hold = |world: &World| {
        world.fenced.set(!world.has(Mutation::SwapUnfenced));
        world
            .read
            .borrow()
            .live
            .as_ref()
            .map(|live| (live.epoch, live.mark()))
    };
    let live = world.ask(Server::Read, WAIT, hold).await?;
    let (live_epoch, live_mark) = live.ok_or("there are no live tables")?;
    // Events of an ended epoch are not followed.
    if live_epoch == epoch {
        at = run_after(world, epoch, at, live_mark.position).await?;
        if at.position < live_mark.position
            || (at.position == live_mark.position && differ(world, at, live_mark))
        {
            return Err("the live tables are of other events");
        }
    }
    // After the last event was read: the events are of the epoch that the log is still in.
    still_holds(world, at, epoch).await?;
    let exchange = |world: &World| world.read.borrow_mut().swap(world);
    if world.ask(Server::Read, WAIT, exchange).await? {
        Ok(())
    } else {
        Err("no tables beside")
    }
}

/// Applies what lies between, in order.
async fn run_after(world: &World, epoch: Uuid, mut at: Mark, to: Position) -> Result<Mark, Failed> {
    while at.position < to {
        let most = u32::try_from(to.since(at.position).min(30)).unwrap();
        let (after, limit) = at.reading(most);
        let mut page = world.read_page(after, limit).await?;
        if at.prove(&mut page).is_err()
            && !world.has(Mutation::CopyAcrossBranches)
            && !world.has(Mutation::CopyAcrossLives)
        {
            return Err("the log stepped back meanwhile");
        }
        page.events.retain(|event| event.position > at.position);
        let reached = Mark::of(page.events.last().ok_or("the log ended before its head")?);
        let apply = |world: &World| -> Result<(), Failed> {
            let mut read = world.read.borrow_mut();
            let beside = read.beside.as_mut().ok_or("no tables beside")?;
            if !beside.tables.move_checkpoint(world, at.position, reached, epoch) {
                return Err("somebody else moved the checkpoint beside");
            }
            beside.tables.apply_unseen(&page.events);
            Ok(())
        };
        world.ask(Server::Read, WAIT, apply).await??;
        at = reached;
    }
    Ok(at)
}

fn differ(world: &World, one: Mark, other: Mark) -> bool {
    !world.has(Mutation::CopyAcrossBranches)
        && one.fingerprint.is_some()
        && other.fingerprint.is_some()
        && one.fingerprint != other.fingerprint
}

/// Holds the live checkpoint where it is, until the session ends, however it does.
struct Fence(Rc<World>);

impl Drop for Fence {
    fn drop(&mut self) {
        self.0.fenced.set(false);
    }
}
