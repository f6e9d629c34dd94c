//! A rebuild beside the live tables, as `projector rebuild` does it: ranges of the log copied in parallel, then one
//! transaction that holds the live checkpoint, catches up with it, and puts the new tables in the place of the live
//! ones. It may end anywhere; the next one begins anew.

use std::cell::Cell;
use std::rc::Rc;

use envelope::Position;
use uuid::Uuid;

use crate::mutation::Mutation;
use crate::schedule::{MS, SECOND, Time};
use crate::tables::{Beside, Tables};
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
    let ranges = world.rng.between(1..=3);
    let begin = |world: &World| {
        world.read.borrow_mut().beside = Some(Beside {
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
        beside.tables.position = head.position;
        Ok(())
    };
    world.ask(Server::Read, WAIT, join).await??;
    swap(world, head.epoch, head.position).await
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
async fn swap(world: &Rc<World>, epoch: Uuid, at: Position) -> Result<(), Failed> {
    let _fence = Fence(Rc::clone(world));
    let hold = |world: &World| {
        world.fenced.set(!world.has(Mutation::SwapUnfenced));
        world
            .read
            .borrow()
            .live
            .as_ref()
            .map(|live| (live.epoch, live.position))
    };
    let live = world.ask(Server::Read, WAIT, hold).await?;
    let (live_epoch, live_position) = live.ok_or("there are no live tables")?;
    // Those of a life that is over are not run after.
    if live_epoch == epoch {
        run_after(world, epoch, at, live_position).await?;
    }
    // After the last event was read: the events are of the life that the log is still in.
    if world.head(WAIT).await?.epoch != epoch && !world.has(Mutation::CopyAcrossLives) {
        return Err("the log began a new life");
    }
    let exchange = |world: &World| world.read.borrow_mut().swap(world);
    if world.ask(Server::Read, WAIT, exchange).await? {
        Ok(())
    } else {
        Err("no tables beside")
    }
}

/// Applies what lies between, in order.
async fn run_after(world: &World, epoch: Uuid, mut at: Position, to: Position) -> Result<(), Failed> {
    while at < to {
        let most = u32::try_from(to.since(at).min(30)).unwrap();
        let page = world.read_page(at, most).await?;
        let reached = page
            .events
            .last()
            .ok_or("the log ended before its head")?
            .position;
        let apply = |world: &World| -> Result<(), Failed> {
            let mut read = world.read.borrow_mut();
            let beside = read.beside.as_mut().ok_or("no tables beside")?;
            if !beside.tables.move_checkpoint(world, at, reached, epoch) {
                return Err("somebody else moved the checkpoint beside");
            }
            beside.tables.apply_unseen(&page.events);
            Ok(())
        };
        world.ask(Server::Read, WAIT, apply).await??;
        at = reached;
    }
    Ok(())
}

/// Holds the live checkpoint where it is, until the session ends, however it does.
struct Fence(Rc<World>);

impl Drop for Fence {
    fn drop(&mut self) {
        self.0.fenced.set(false);
    }
}
