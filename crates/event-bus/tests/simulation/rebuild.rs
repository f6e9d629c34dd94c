//! A rebuild beside the live tables: ranges of the log copied in parallel, then the tail, then one transaction that
//! puts the new tables in the place of the live ones if these are not ahead. It may end anywhere; the next one begins
//! anew.

use std::cell::Cell;
use std::rc::Rc;

use envelope::Position;
use uuid::Uuid;

use crate::mutation::Mutation;
use crate::schedule::{MS, SECOND, Time};
use crate::tables::{Beside, Swap, Tables};
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
    copy_all(world, head.epoch, head.position, ranges).await?;
    let join = |world: &World| -> Result<(), Failed> {
        let mut read = world.read.borrow_mut();
        let beside = read.beside.as_mut().ok_or("no tables beside")?;
        let parts = std::mem::take(&mut beside.parts);
        parts.iter().for_each(|part| beside.tables.apply(world, part));
        beside.tables.position = head.position;
        Ok(())
    };
    world.ask(Server::Read, WAIT, join).await??;
    tail_and_swap(world, head.epoch, head.position).await
}

/// Copies everything up to a position, each range by a task of its own.
async fn copy_all(world: &Rc<World>, epoch: Uuid, to: Position, ranges: u64) -> Result<(), Failed> {
    let outcome = Rc::new(Cell::new(Ok(0)));
    for range in 0..ranges {
        let bound = |range| Position::new(to.get() * range / ranges);
        let (from, to) = (bound(range), bound(range + 1));
        let (copier, outcome) = (Rc::clone(world), Rc::clone(&outcome));
        world.schedule.spawn(REBUILD, async move {
            let copied = copy(&copier, epoch, from, to, range).await;
            outcome.set(outcome.get().and_then(|done: u64| copied.map(|()| done + 1)));
        });
    }
    while outcome.get()? < ranges {
        world.schedule.sleep(10 * MS).await;
    }
    Ok(())
}

async fn copy(world: &World, epoch: Uuid, from: Position, to: Position, range: u64) -> Result<(), Failed> {
    let mut at = from;
    while at < to {
        let most = to.since(at).min(world.rng.between(1..=10));
        let page = world.read_page(at, u32::try_from(most).unwrap()).await?;
        if page.head.epoch != epoch && !world.has(Mutation::CopyAcrossLives) {
            return Err("the log began a new life");
        }
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

/// Applies what came since, until the new tables are where the live ones are.
async fn tail_and_swap(world: &Rc<World>, epoch: Uuid, mut at: Position) -> Result<(), Failed> {
    loop {
        let page = world.read_page(at, 30).await?;
        if page.head.epoch != epoch {
            return Err("the log began a new life");
        }
        if let Some(last) = page.events.last() {
            let to = last.position;
            let apply = |world: &World| -> Result<(), Failed> {
                let mut read = world.read.borrow_mut();
                let beside = read.beside.as_mut().ok_or("no tables beside")?;
                if !beside.tables.move_checkpoint(world, at, to, epoch) {
                    return Err("somebody else moved the checkpoint beside");
                }
                beside.tables.apply(world, &page.events);
                Ok(())
            };
            world.ask(Server::Read, WAIT, apply).await??;
            at = to;
            continue;
        }
        let swap = |world: &World| world.read.borrow_mut().swap(world);
        match world.ask(Server::Read, WAIT, swap).await? {
            Swap::Done => return Ok(()),
            Swap::Behind => {}
            Swap::Refused => return Err("the live tables are of another life"),
        }
    }
}
